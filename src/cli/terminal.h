// What standard output is, if it is a terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace h5bridge::cli {

enum class Colour { Bold, Cyan, Dim };

/// `text` in a colour, where standard output is a terminal that has any and NO_COLOR (no-color.org) is not set.
std::string coloured(Colour colour, const std::string& text);

/// How many characters a line of the terminal has; nullopt where standard output is none.
std::optional<std::size_t> terminal_width();

}  // namespace h5bridge::cli
