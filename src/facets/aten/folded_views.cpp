#include <algorithm>
#include <numeric>

#include "facets/aten/folded_call.h"

namespace h5bridge::aten::folding {
namespace {

// What stands in the same memory.
Folded itself(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  return of ? Folded(*of) : std::nullopt;
}

Folded copied(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  return of ? Folded(of->copy(call.dtype, call.root)) : std::nullopt;
}

// Of another type, or the tensor itself.
Folded cast(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  if (!of) return std::nullopt;
  const bool is_own = of->dtype() == call.dtype && call.operation.plain_name() != "_to_copy" &&
                      !(value(call, "copy") && *value(call, "copy") == Json(true));
  return is_own ? *of : of->copy(call.dtype, call.root);
}

Folded written_over(const FoldedCall& call) {
  const auto source = operand(call, "src");
  if (!source) return std::nullopt;
  return filled(call, [&](const Place& place) { return source->at(place); });
}

Folded contiguous(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  if (!of) return std::nullopt;
  return of->is_contiguous() ? *of : of->copy(call.dtype, call.root);
}

FoldedOperator reshaped(bool may_copy) {
  return [may_copy](const FoldedCall& call) -> Folded {
    const KnownNumbers* of = tensor(call, "self");
    if (!of || of->count() != element_count(call.shape)) return std::nullopt;
    if (of->shape() == call.shape) return *of;
    if (of->is_contiguous()) return of->as_view(call.shape, contiguous_strides(call.shape), of->offset());
    if (!may_copy) return std::nullopt;
    const KnownNumbers copy = of->copy(of->dtype(), call.root);
    return copy.as_view(call.shape, contiguous_strides(call.shape), 0);
  };
}

Folded permuted(const KnownNumbers& of, const std::vector<std::size_t>& axes) {
  Shape shape;
  std::vector<std::int64_t> strides;
  for (const std::size_t axis : axes) {
    shape.push_back(of.shape()[axis]);
    strides.push_back(of.strides()[axis]);
  }
  return of.as_view(std::move(shape), std::move(strides), of.offset());
}

Folded permute(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  const auto dims = integers(call, "dims");
  if (!of || !dims || dims->size() != of->shape().size()) return std::nullopt;
  std::vector<std::size_t> axes;
  for (const std::int64_t dim : *dims) {
    const auto axis = axis_of(dim, of->rank());
    if (!axis) return std::nullopt;
    axes.push_back(*axis);
  }
  return permuted(*of, axes);
}

Folded exchanged(const KnownNumbers& of, std::optional<std::int64_t> first, std::optional<std::int64_t> second) {
  const auto a = axis_of(first, of.rank()), b = axis_of(second, of.rank());
  if (!a || !b) return std::nullopt;
  std::vector<std::size_t> axes(of.shape().size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  std::swap(axes[*a], axes[*b]);
  return permuted(of, axes);
}

Folded transposed(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  return of ? exchanged(*of, integer(call, "dim0", 0), integer(call, "dim1", 1)) : std::nullopt;
}

Folded matrix_transposed(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  if (!of || of->rank() > 2) return std::nullopt;
  return of->rank() < 2 ? Folded(*of) : exchanged(*of, 0, 1);
}

Folded with_axis(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  const auto axis = of ? axis_of(integer(call, "dim", 0), of->rank() + 1) : std::nullopt;
  if (!axis) return std::nullopt;
  Shape shape = of->shape();
  std::vector<std::int64_t> strides = of->strides();
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(*axis), 1);
  strides.insert(strides.begin() + static_cast<std::ptrdiff_t>(*axis), 0);
  return of->as_view(std::move(shape), std::move(strides), of->offset());
}

Folded without_axes(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  if (!of) return std::nullopt;
  const bool is_of_all = !call.operation.find("dim");
  const auto dims = is_of_all ? std::optional(std::vector<std::int64_t>()) : integers(call, "dim");
  if (!dims) return std::nullopt;
  Shape shape;
  std::vector<std::int64_t> strides;
  for (std::int64_t axis = 0; axis < of->rank(); ++axis) {
    const auto place = static_cast<std::size_t>(axis);
    const bool is_named = is_of_all || std::ranges::any_of(*dims, [&](std::int64_t dim) {
                            return (dim < 0 ? dim + of->rank() : dim) == axis;
                          });
    if (is_named && of->shape()[place] == 1) continue;
    shape.push_back(of->shape()[place]);
    strides.push_back(of->strides()[place]);
  }
  return of->as_view(std::move(shape), std::move(strides), of->offset());
}

Folded expanded(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  return of ? of->stretched(call.shape) : std::nullopt;
}

Folded sliced(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  const auto axis = of ? axis_of(integer(call, "dim", 0), of->rank()) : std::nullopt;
  const auto start = integer(call, "start", 0), step = integer(call, "step", 1);
  if (!axis || !start || !step || *step < 1) return std::nullopt;
  const std::int64_t size = of->shape()[*axis];
  const std::int64_t first = std::clamp<std::int64_t>(*start < 0 ? *start + size : *start, 0, size);
  Shape shape = of->shape();
  shape[*axis] = call.shape.at(*axis);
  if (shape[*axis] > 0 && first + (shape[*axis] - 1) * *step >= size) return std::nullopt;
  std::vector<std::int64_t> strides = of->strides();
  const std::int64_t offset = of->offset() + first * strides[*axis];
  strides[*axis] *= *step;
  return of->as_view(std::move(shape), std::move(strides), offset);
}

Folded selected(const FoldedCall& call) {
  const KnownNumbers* of = tensor(call, "self");
  const auto axis = of ? axis_of(integer(call, "dim", 0), of->rank()) : std::nullopt;
  const auto index = axis ? axis_of(integer(call, "index", 0), of->shape()[*axis]) : std::nullopt;
  if (!index) return std::nullopt;
  Shape shape = of->shape();
  std::vector<std::int64_t> strides = of->strides();
  const std::int64_t offset = of->offset() + static_cast<std::int64_t>(*index) * strides[*axis];
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(*axis));
  strides.erase(strides.begin() + static_cast<std::ptrdiff_t>(*axis));
  return of->as_view(std::move(shape), std::move(strides), offset);
}

}  // namespace

Operators view_operators() {
  Operators all_of{
      {"to", cast},
      {"_to_copy", cast},
      {"copy", written_over},
      {"contiguous", contiguous},
      {"view", reshaped(false)},
      {"_unsafe_view", reshaped(false)},
      {"reshape", reshaped(true)},
      {"flatten", reshaped(true)},
      {"unflatten", reshaped(false)},
      {"permute", permute},
      {"transpose", transposed},
      {"t", matrix_transposed},
      {"unsqueeze", with_axis},
      {"squeeze", without_axes},
      {"expand", expanded},
      {"slice", sliced},
      {"select", selected},
  };
  for (const char* name : {"alias", "detach", "lift_fresh", "lift"}) all_of.emplace(name, itself);
  for (const char* name : {"clone", "lift_fresh_copy"}) all_of.emplace(name, copied);
  return all_of;
}

}  // namespace h5bridge::aten::folding
