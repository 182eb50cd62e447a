// Whether two numbers of layers that stand for each other are the same.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>
#include <vector>

#include "h5bridge/architecture.h"

namespace h5bridge {

/// But for what Keras has written after it went through float32.
inline bool numbers_agree(double a, double b) {
  return a == b || std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b));
}

/// An axis counted from the end is the one counted from the beginning.
inline bool integers_agree(std::int64_t a, std::int64_t b, std::int64_t rank) {
  return a == b || (a < 0 && b >= 0 && a + rank == b) || (b < 0 && a >= 0 && b + rank == a);
}

/// Whether both are lists of `Element` that agree one by one.
template <typename Element, typename Agree>
bool lists_agree(const AttributeValue& a, const AttributeValue& b, Agree agree) {
  const auto* x = std::get_if<std::vector<Element>>(&a);
  const auto* y = std::get_if<std::vector<Element>>(&b);
  return x && y && std::ranges::equal(*x, *y, agree);
}

}  // namespace h5bridge
