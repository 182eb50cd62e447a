// The operators of ATen that are carried out when a graph is read, where all that they take is known. They are those
// whose results are exact, or rounded once, so that PyTorch's are the same to the bit;
// python/h5bridge/exporter/folding.py carries out the same.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "facets/aten/graph.h"
#include "facets/aten/known_numbers.h"

namespace h5bridge::aten {

/// The most elements of a result that is carried out: what stands in the JSON as a list of numbers.
inline constexpr std::int64_t kMostFolded = 65536;

struct FoldedCall {
  const Operation& operation;
  Shape shape;  // of the result
  DType dtype;  // of the result
  std::size_t root;
  /// A tensor by its name; nullptr where its elements are not known.
  std::function<const KnownNumbers*(const std::string&)> known;
};

using FoldedOperator = std::function<std::optional<KnownNumbers>(const FoldedCall&)>;

/// By an operator's plain name, for the one that works in place as well ("add" for "add_"); nullptr for others. It
/// gives nothing where it cannot be carried out after all.
const FoldedOperator* find_folded_operator(std::string_view name);

}  // namespace h5bridge::aten
