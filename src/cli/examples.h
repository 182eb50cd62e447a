// A command line that does what each command is there for: for --help and the man page.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace h5bridge::cli {

/// What it does, and the line.
using Example = std::pair<std::string, std::string>;

/// None for a command that needs none.
std::vector<Example> examples_of(const std::string& command);

/// As --help ends.
std::string examples_text(const std::string& command);

}  // namespace h5bridge::cli
