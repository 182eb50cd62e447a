// What messages quote of a file: a stranger's file may have a name or a setting of a million characters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "h5bridge/json.h"

namespace h5bridge {

/// The first `most` bytes, not cut within a character, and "..." behind them; the whole text where it is no longer.
std::string shortened(std::string_view text, std::size_t most = 200);

/// "a, b, c".
std::string joined(const std::vector<std::string>& texts, std::string_view separator = ", ");

/// A value as JSON has it, shortened.
std::string quoted(const Json& json);

}  // namespace h5bridge
