// Lines of Python as black lays them out: at most 88 characters, what does not fit opened at a bracket.
#pragma once

#include <string>
#include <vector>

namespace h5bridge::torch_source {

/// A statement that is written in one line, as the lines that it takes at this indentation.
std::vector<std::string> laid_out(const std::string& statement, std::size_t indentation);

}  // namespace h5bridge::torch_source
