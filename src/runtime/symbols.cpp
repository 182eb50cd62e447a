#include "runtime/symbols.h"

#include <algorithm>

namespace h5bridge {

void bind_symbols(const SymbolicShape& shape, std::span<const std::int64_t> sizes, Symbols& symbols) {
  for (std::size_t i = 0; i < std::min(shape.size(), sizes.size()); ++i) {
    const std::vector<std::string> names = shape[i].symbols();
    if (names.size() == 1 && shape[i] == Size::symbol(names[0])) symbols.emplace(names[0], sizes[i]);
  }
}

}  // namespace h5bridge
