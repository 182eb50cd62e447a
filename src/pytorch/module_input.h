// What a chain of layers takes, of which a pickled module says nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// The input of layers of which each takes what the one before it gives: as many axes as its first layers with settings
/// of their own are made for, and open sizes but where a layer asks for a number. `sizes` binds open ones. Throws
/// Unsupported, saying where it does not fit, if no shape goes through.
Input input_of_chain(const std::vector<const Layer*>& layers, const std::map<std::string, std::int64_t>& sizes);

/// How many outputs the last of them has for that input.
std::size_t outputs_of_chain(const std::vector<const Layer*>& layers, const Input& input,
                             const std::map<std::string, std::int64_t>& sizes);

}  // namespace h5bridge
