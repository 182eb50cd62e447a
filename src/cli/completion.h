// What shells and `man` are told of the program.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace h5bridge::cli {

/// The script for a shell, "bash", "zsh" or "fish", or the manual page, "man".
std::string completion_script(const CLI::App& program, const std::string& shell);

}  // namespace h5bridge::cli
