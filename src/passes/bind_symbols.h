// What symbolic sizes stand for, taken from the sizes that are there.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// Binds the symbols of those sizes of `shape` that are a symbol or a multiple of one, and not bound yet. Of a tensor
/// with more or fewer axes, as many as both have.
void bind_symbols(const SymbolicShape& shape, std::span<const std::int64_t> sizes,
                  std::map<std::string, std::int64_t>& symbols);

}  // namespace h5bridge
