// Texts of files as messages and pictures have them.
#pragma once

#include <string>

namespace h5bridge {

/// `text` on one line, and as UTF-8: control characters, and all bytes beyond ASCII where it is not UTF-8, become
/// "\x1b".
std::string one_line(const std::string& text);

}  // namespace h5bridge
