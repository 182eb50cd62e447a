// A size taken apart into what it is computed from.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "h5bridge/size.h"

namespace h5bridge {

/// A coefficient times atoms: symbols, and quotients.
struct SizeTerm {
  std::int64_t coefficient;
  std::vector<Size> atoms;
};

/// The terms whose sum a size is.
std::vector<SizeTerm> terms_of(const Size& size);

/// Dividend and divisor of an atom that is a quotient, rounded down.
std::optional<std::pair<Size, Size>> quotient_of(const Size& atom);

}  // namespace h5bridge
