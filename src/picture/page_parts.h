// The parts of a page that are the same for every model: page/ as it stands, put into the library by CMake.
#pragma once

#include <string_view>

namespace h5bridge {

extern const char* const kPageText;    // page.html, with @STYLE@, @MODEL@ and @SCRIPT@ where the others go
extern const char* const kPageStyle;   // page.css
extern const char* const kPageScript;  // the scripts, one after the other

}  // namespace h5bridge
