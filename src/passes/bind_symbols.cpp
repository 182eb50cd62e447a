#include "passes/bind_symbols.h"

#include <algorithm>

namespace h5bridge {

void bind_symbols(const SymbolicShape& shape, std::span<const std::int64_t> sizes,
                  std::map<std::string, std::int64_t>& symbols) {
  for (std::size_t i = 0; i < std::min(shape.size(), sizes.size()); ++i) {
    const std::vector<std::string> names = shape[i].symbols();
    if (names.size() != 1) continue;
    const std::int64_t factor = shape[i].bind({{names[0], 1}}).value().value_or(0);
    const bool is_multiple = factor > 0 && shape[i] == Size(factor) * Size::symbol(names[0]);
    if (is_multiple && sizes[i] % factor == 0) symbols.emplace(names[0], sizes[i] / factor);
  }
}

}  // namespace h5bridge
