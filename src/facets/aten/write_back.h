// A view that is written over changes what it is a view of: x[:, 1:] = y. Here it is made of parts that are joined.
#pragma once

#include <optional>
#include <string>

#include "facets/aten/call.h"

namespace h5bridge::aten {

/// Makes the call what `base` is with `value` in place of its elements from `start` on along an axis, as many as the
/// call's `length` says.
void write_over_part(Call& call, const std::string& base, const SymbolicShape& shape, const std::string& value,
                     std::int64_t dim, const Size& start, const Size& length);

/// A place along an axis of so many elements, as PyTorch counts it: from the end where it is negative.
Size place_along(const Json& place, const Size& extent);

/// What `base` is once its view that `view` made has become `value`; nothing for views that no layers write over. Both
/// are tensors of the graph.
std::optional<Call> written_back(const Graph& graph, const Operation& view, const std::string& base,
                                 const std::string& value);

}  // namespace h5bridge::aten
