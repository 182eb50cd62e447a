// What symbolic sizes stand for, taken from the sizes that are there.
#pragma once

#include <span>

#include "facets/libtorch/layer.h"

namespace h5bridge {

/// Binds the symbols of those sizes of `shape` that are a symbol or a multiple of one, and not bound yet. Of a tensor
/// with more or fewer axes, as many as both have.
void bind_symbols(const SymbolicShape& shape, std::span<const std::int64_t> sizes, Symbols& symbols);

}  // namespace h5bridge
