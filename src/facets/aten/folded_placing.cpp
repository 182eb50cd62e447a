#include <algorithm>

#include "facets/aten/folded_call.h"

namespace h5bridge::aten::folding {
namespace {

FoldedOperator triangle(bool is_upper) {
  return [is_upper](const FoldedCall& call) -> Folded {
    const auto of = operand(call, "self");
    const auto diagonal = integer(call, "diagonal", 0);
    if (!of || !diagonal || call.shape.size() < 2) return std::nullopt;
    return filled(call, [&](const Place& place) {
      const std::int64_t above = place[place.size() - 1] - place[place.size() - 2];
      return (is_upper ? above >= *diagonal : above <= *diagonal) ? of->at(place) : Number{};
    });
  };
}

std::vector<const KnownNumbers*> listed(const FoldedCall& call, std::string_view name) {
  const Argument* found = call.operation.find(name);
  const auto* names = found ? std::get_if<Names>(&found->value) : nullptr;
  std::vector<const KnownNumbers*> result;
  if (names)
    for (const auto& one : *names) result.push_back(one ? call.known(*one) : nullptr);
  return result;
}

// Side by side along an axis, which is a new one for a stack.
FoldedOperator joined(bool is_stack) {
  return [is_stack](const FoldedCall& call) -> Folded {
    const std::vector<const KnownNumbers*> parts = listed(call, "tensors");
    const auto axis = axis_of(integer(call, "dim", 0), static_cast<std::int64_t>(call.shape.size()));
    if (parts.empty() || !axis || std::ranges::count(parts, nullptr)) return std::nullopt;
    KnownNumbers result(call.dtype, call.shape, call.root);
    std::int64_t begin = 0;
    for (const KnownNumbers* part : parts) {
      if (part->shape() == Shape{0} && call.shape.size() > 1) continue;  // PyTorch takes an empty vector for nothing
      if (part->shape().size() + (is_stack ? 1 : 0) != call.shape.size()) return std::nullopt;
      const std::int64_t length = is_stack ? 1 : part->shape()[*axis];
      if (begin + length > call.shape[*axis]) return std::nullopt;
      for_each_place(part->shape(), [&](const Place& place) {
        Place there = place;
        if (is_stack)
          there.insert(there.begin() + static_cast<std::ptrdiff_t>(*axis), begin);
        else
          there[*axis] += begin;
        result.set(there, part->at(place));
      });
      begin += length;
    }
    return result;
  };
}

// Along one axis the elements of these numbers, whose axes take its place.
Folded taken(const FoldedCall& call, const KnownNumbers& of, std::size_t axis, const KnownNumbers& index) {
  if (index.dtype() == DType::Bool || is_floating_point(index.dtype())) return std::nullopt;
  const auto count = static_cast<std::size_t>(index.rank());
  if (of.shape().size() - 1 + count != call.shape.size()) return std::nullopt;
  bool fits = true;
  Folded result = filled(call, [&](const Place& place) {
    const auto from = place.begin() + static_cast<std::ptrdiff_t>(axis);
    const auto to = from + static_cast<std::ptrdiff_t>(count);
    const std::int64_t wanted = index.at(Place(from, to)).integer;
    const auto number = axis_of(wanted, of.shape()[axis]);
    if (!number) {
      fits = false;
      return Number{};
    }
    Place there(place.begin(), from);
    there.push_back(static_cast<std::int64_t>(*number));
    there.insert(there.end(), to, place.end());
    return of.at(there);
  });
  return fits ? result : std::nullopt;
}

Folded indexed(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  const Argument* found = call.operation.find("indices");
  const auto* names = found ? std::get_if<Names>(&found->value) : nullptr;
  if (!of || !names || std::ranges::count_if(*names, [](const auto& one) { return one.has_value(); }) != 1)
    return std::nullopt;
  const auto axis = static_cast<std::size_t>(
      std::ranges::find_if(*names, [](const auto& one) { return one.has_value(); }) - names->begin());
  const KnownNumbers* index = call.known(*(*names)[axis]);
  return index && axis < of->shape().size() ? taken(call, *of, axis, *index) : std::nullopt;
}

Folded index_selected(const FoldedCall& call) {
  const KnownNumbers *of = tensor(call, "self"), *index = tensor(call, "index");
  const auto axis = of ? axis_of(integer(call, "dim", 0), of->rank()) : std::nullopt;
  return axis && index && index->rank() == 1 ? taken(call, *of, *axis, *index) : std::nullopt;
}

Folded flipped(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  const auto dims = integers(call, "dims");
  if (!of || !dims || of->shape() != call.shape) return std::nullopt;
  std::vector<std::size_t> axes;
  for (const std::int64_t dim : *dims) {
    const auto axis = axis_of(dim, of->rank());
    if (!axis) return std::nullopt;
    axes.push_back(*axis);
  }
  return filled(call, [&](const Place& place) {
    Place there = place;
    for (const std::size_t axis : axes) there[axis] = of->shape()[axis] - 1 - place[axis];
    return of->at(there);
  });
}

Folded repeated(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  if (!of || of->shape().size() > call.shape.size() || (of->count() == 0 && element_count(call.shape) > 0))
    return std::nullopt;
  const std::size_t more = call.shape.size() - of->shape().size();
  return filled(call, [&](const Place& place) {
    Place there(place.begin() + static_cast<std::ptrdiff_t>(more), place.end());
    for (std::size_t axis = 0; axis < there.size(); ++axis) there[axis] %= of->shape()[axis];
    return of->at(there);
  });
}

}  // namespace

Operators placing_operators() {
  return {
      {"tril", triangle(false)}, {"triu", triangle(true)},         {"cat", joined(false)}, {"stack", joined(true)},
      {"index", indexed},        {"index_select", index_selected}, {"flip", flipped},      {"repeat", repeated},
  };
}

}  // namespace h5bridge::aten::folding
