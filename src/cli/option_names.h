// The library's options in its messages, as the program has them.
#pragma once

#include <string>

namespace h5bridge::cli {

/// A message of the library's, which names options as C++ has them (LoadOptions::untie), with the program's own names
/// for them (--untie).
std::string with_option_names(std::string message);

}  // namespace h5bridge::cli
