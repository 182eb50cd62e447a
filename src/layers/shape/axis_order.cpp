#include "layers/shape/axis_order.h"

#include <algorithm>
#include <numeric>

#include "facets/spec/axes.h"
#include "h5bridge/error.h"

namespace h5bridge::shape {
namespace {

using Axes = std::vector<std::int64_t>;

Axes transposition(const Attributes& a, std::int64_t rank) {
  Axes dims = Arrangement::original(rank).axes;
  std::swap(dims[resolve_axis(a.integer("dim0"), rank)], dims[resolve_axis(a.integer("dim1"), rank)]);
  return dims;
}

Axes permutation(const Attributes& a, std::int64_t rank) {
  Axes dims;
  for (const std::int64_t dim : a.integers("dims")) dims.push_back(resolve_axis(dim, rank));
  Axes sorted = dims;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != Arrangement::original(rank).axes)
    throw MalformedFile("its dims " + to_string(a.integers("dims")) + " are no order of " + std::to_string(rank) +
                        " axes");
  return dims;
}

// Those that are named go to their places, the others fill what is left in their order.
Axes movement(const Attributes& a, std::int64_t rank) {
  const Axes source = axes_in(a, "source", rank);
  const Axes destination = axes_in(a, "destination", rank);
  if (source.size() != destination.size())
    throw MalformedFile("it moves the axes " + to_string(source) + " to the places " + to_string(destination));
  Axes dims(rank, -1);
  for (std::size_t i = 0; i < source.size(); ++i) dims[destination[i]] = source[i];
  std::int64_t next = 0;
  for (std::int64_t& dim : dims) {
    if (dim >= 0) continue;
    while (std::find(source.begin(), source.end(), next) != source.end()) ++next;
    dim = next++;
  }
  return dims;
}

}  // namespace

Axes order_of(const std::string& type, const Attributes& attributes, std::int64_t rank) {
  if (type == "transpose") return transposition(attributes, rank);
  return type == "movedim" ? movement(attributes, rank) : permutation(attributes, rank);
}

Axes squeezed_axes(const Attributes& attributes, const SymbolicShape& input) {
  Axes axes = axes_in(attributes, "dim", static_cast<std::int64_t>(input.size()));
  std::erase_if(axes, [&](std::int64_t axis) { return input[axis] != Size(1); });
  return axes;
}

}  // namespace h5bridge::shape
