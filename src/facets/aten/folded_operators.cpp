#include "facets/aten/folded_operators.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace h5bridge::aten {
namespace {

using Folded = std::optional<KnownNumbers>;
using Place = std::vector<std::int64_t>;

const KnownNumbers* tensor(const FoldedCall& call, std::string_view name) {
  const Argument* found = call.operation.find(name);
  const auto* given = found ? std::get_if<std::string>(&found->value) : nullptr;
  return given ? call.known(*given) : nullptr;
}

const Json* value(const FoldedCall& call, std::string_view name) {
  const Argument* found = call.operation.find(name);
  const Json* json = found ? std::get_if<Json>(&found->value) : nullptr;
  return json && !json->is_null() ? json : nullptr;
}

// One that is not set is `otherwise`; nothing for one that is open.
std::optional<std::int64_t> integer(const FoldedCall& call, std::string_view name, std::int64_t otherwise) {
  if (!call.operation.find(name)) return otherwise;
  const Json* json = value(call, name);
  if (!json) return otherwise;
  return json->is_integer() ? std::optional(json->as_integer()) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> integers(const FoldedCall& call, std::string_view name) {
  const Json* json = value(call, name);
  if (!json) return std::nullopt;
  if (json->is_integer()) return std::vector{json->as_integer()};
  if (!json->is_array()) return std::nullopt;
  std::vector<std::int64_t> result;
  for (const Json& item : json->as_array()) {
    if (!item.is_integer()) return std::nullopt;
    result.push_back(item.as_integer());
  }
  return result;
}

std::optional<Number> number(const Json* json) {
  if (!json) return std::nullopt;
  if (json->is_bool()) return Number{false, json->as_bool() ? 1 : 0, 0};
  if (json->is_integer()) return Number{false, json->as_integer(), 0};
  if (json->is_number()) return Number{true, 0, json->as_float()};
  return std::nullopt;
}

// An axis as it is counted from the front, of a tensor of `rank` axes.
std::optional<std::size_t> axis_of(std::optional<std::int64_t> axis, std::int64_t rank) {
  if (!axis) return std::nullopt;
  const std::int64_t found = *axis < 0 ? *axis + rank : *axis;
  return found >= 0 && found < rank ? std::optional(static_cast<std::size_t>(found)) : std::nullopt;
}

// A tensor, or a number in its place, stretched to a shape.
struct Operand {
  Folded numbers;
  Number one;
  DType dtype = DType::Int64;
  bool has_axes = false;
  Number at(const Place& place) const { return numbers ? numbers->at(place) : one; }
};

std::optional<Operand> operand(const FoldedCall& call, std::string_view name) {
  if (const KnownNumbers* known = tensor(call, name)) {
    Folded stretched = known->stretched(call.shape);
    if (!stretched) return std::nullopt;
    return Operand{std::move(stretched), {}, known->dtype(), known->rank() > 0};
  }
  const Json* json = value(call, name);
  const auto found = number(json);
  if (!found) return std::nullopt;
  return Operand{std::nullopt, *found,
                 json->is_bool()  ? DType::Bool
                 : found->is_real ? DType::Float32
                                  : DType::Int64,
                 false};
}

int category(DType dtype) { return dtype == DType::Bool ? 0 : is_floating_point(dtype) ? 2 : 1; }

// What two are compared as: the type of what has axes is changed by that of what has none for another kind of numbers
// alone (torch/_prims_common/__init__.py, elementwise_dtypes).
DType common_dtype(const Operand& a, const Operand& b) {
  if (a.has_axes != b.has_axes) {
    const Operand &first = a.has_axes ? a : b, &other = a.has_axes ? b : a;
    return category(other.dtype) > category(first.dtype) ? other.dtype : first.dtype;
  }
  if (category(a.dtype) != category(b.dtype)) return category(a.dtype) > category(b.dtype) ? a.dtype : b.dtype;
  const bool is_wide = a.dtype == DType::Float64 || a.dtype == DType::Int64;
  return is_wide ? a.dtype : b.dtype;
}

using Function = std::function<Number(const Number&, const Number&)>;

Folded filled(const FoldedCall& call, const std::function<Number(const Place&)>& element) {
  KnownNumbers result(call.dtype, call.shape, call.root);
  for_each_place(call.shape, [&](const Place& place) { result.set(place, element(place)); });
  return result;
}

Number real(double number) { return {true, 0, number}; }
Number whole(std::int64_t number) { return {false, number, 0}; }
Number truth(bool is_true) { return whole(is_true ? 1 : 0); }

// As PyTorch's integers: beyond the largest one they begin again at the smallest.
std::int64_t wrapped(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }

// Of two operands in the result's type, or, for truth values, in that of both.
FoldedOperator elementwise(Function function, bool gives_truth = false) {
  return [function = std::move(function), gives_truth](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self"), b = operand(call, "other");
    const auto alpha = call.operation.find("alpha");
    if (!a || !b || (alpha && value(call, "alpha") && *value(call, "alpha") != Json(1)) || value(call, "rounding_mode"))
      return std::nullopt;
    const DType within = gives_truth ? common_dtype(*a, *b) : call.dtype;
    if (!is_foldable(within)) return std::nullopt;
    return filled(call, [&](const Place& place) {
      return function(converted(a->at(place), within), converted(b->at(place), within));
    });
  };
}

FoldedOperator of_one(std::function<Number(const Number&)> function) {
  return [function = std::move(function)](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self");
    if (!a) return std::nullopt;
    return filled(call, [&](const Place& place) { return function(a->at(place)); });
  };
}

// a op b of truth values, or of integers bit by bit.
FoldedOperator bitwise(std::function<std::int64_t(std::int64_t, std::int64_t)> function) {
  return elementwise([function = std::move(function)](const Number& a, const Number& b) {
    return whole(function(a.integer, b.integer));
  });
}

FoldedOperator compared(std::function<bool(double, double)> of_reals,
                        std::function<bool(std::int64_t, std::int64_t)> of_integers) {
  return elementwise(
      [of_reals = std::move(of_reals), of_integers = std::move(of_integers)](const Number& a, const Number& b) {
        return truth(a.is_real ? of_reals(a.real, b.real) : of_integers(a.integer, b.integer));
      },
      true);
}

template <typename Compare>
FoldedOperator compared_by(Compare compare) {
  return compared([compare](double a, double b) { return compare(a, b); },
                  [compare](std::int64_t a, std::int64_t b) { return compare(a, b); });
}

FoldedOperator joined_truth(std::function<bool(bool, bool)> function) {
  return [function = std::move(function)](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self"), b = operand(call, "other");
    if (!a || !b) return std::nullopt;
    return filled(call,
                  [&](const Place& place) { return truth(function(a->at(place).is_true(), b->at(place).is_true())); });
  };
}

Number sum(const Number& a, const Number& b) {
  if (a.is_real) return real(a.real + b.real);
  return whole(wrapped(static_cast<std::uint64_t>(a.integer) + static_cast<std::uint64_t>(b.integer)));
}
Number difference(const Number& a, const Number& b) {
  if (a.is_real) return real(a.real - b.real);
  return whole(wrapped(static_cast<std::uint64_t>(a.integer) - static_cast<std::uint64_t>(b.integer)));
}
Number product(const Number& a, const Number& b) {
  if (a.is_real) return real(a.real * b.real);
  return whole(wrapped(static_cast<std::uint64_t>(a.integer) * static_cast<std::uint64_t>(b.integer)));
}
Number negative(const Number& a) {
  return a.is_real ? real(-a.real) : whole(wrapped(0 - static_cast<std::uint64_t>(a.integer)));
}
Number quotient(const Number& a, const Number& b) { return real(a.as_real() / b.as_real()); }
Number smaller(const Number& a, const Number& b) {
  if (!a.is_real) return whole(std::min(a.integer, b.integer));
  return std::isnan(a.real) || std::isnan(b.real) ? real(a.real + b.real) : real(std::min(a.real, b.real));
}
Number larger(const Number& a, const Number& b) {
  if (!a.is_real) return whole(std::max(a.integer, b.integer));
  return std::isnan(a.real) || std::isnan(b.real) ? real(a.real + b.real) : real(std::max(a.real, b.real));
}

// Of integers alone, towards negative infinity; what PyTorch does for reals takes several roundings.
FoldedOperator divided(std::function<std::int64_t(std::int64_t quotient, std::int64_t rest)> chosen) {
  return [chosen = std::move(chosen)](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self"), b = operand(call, "other");
    if (!a || !b || is_floating_point(call.dtype)) return std::nullopt;
    bool fits = true;
    Folded result = filled(call, [&](const Place& place) {
      const std::int64_t x = a->at(place).integer, y = b->at(place).integer;
      if (y == 0 || (y == -1 && x == std::numeric_limits<std::int64_t>::min())) {
        fits = false;
        return whole(0);
      }
      std::int64_t ratio = x / y, rest = x % y;
      if (rest != 0 && (rest < 0) != (y < 0)) {
        --ratio;
        rest += y;
      }
      return whole(chosen(ratio, rest));
    });
    return fits ? result : std::nullopt;
  };
}

// Where a condition holds the one, elsewhere the other.
Folded chosen(const FoldedCall& call) {
  const auto condition = operand(call, "condition"), yes = operand(call, "self"), no = operand(call, "other");
  if (!condition || !yes || !no) return std::nullopt;
  return filled(call,
                [&](const Place& place) { return condition->at(place).is_true() ? yes->at(place) : no->at(place); });
}

Folded mask_filled(const FoldedCall& call) {
  const auto mask = operand(call, "mask"), of = operand(call, "self"), with = operand(call, "value");
  if (!mask || !of || !with) return std::nullopt;
  return filled(call, [&](const Place& place) { return mask->at(place).is_true() ? with->at(place) : of->at(place); });
}

FoldedOperator all(Number one) {
  return [one](const FoldedCall& call) -> Folded { return filled(call, [&](const Place&) { return one; }); };
}

Folded full(const FoldedCall& call) {
  if (tensor(call, "value")) {
    const auto given = operand(call, "value");
    return given ? filled(call, [&](const Place& place) { return given->at(place); }) : std::nullopt;
  }
  const auto one = number(value(call, call.operation.find("value") ? "value" : "fill_value"));
  if (!one) return std::nullopt;
  return filled(call, [&](const Place&) { return *one; });
}

// Of whole numbers, which floats have exactly; PyTorch's steps of others are rounded.
Folded counted(const FoldedCall& call) {
  const auto part = [&](const char* name, std::int64_t otherwise) -> std::optional<std::int64_t> {
    if (!call.operation.find(name)) return otherwise;
    const auto found = number(value(call, name));
    if (!found) return std::nullopt;
    const double as_real = found->as_real();
    if (std::trunc(as_real) != as_real || std::abs(as_real) > (1 << 24)) return std::nullopt;
    return static_cast<std::int64_t>(as_real);
  };
  const auto start = part("start", 0), step = part("step", 1);
  if (!start || !step || std::abs(*start) + std::abs(*step) * call.shape.at(0) > (1 << 24)) return std::nullopt;
  return filled(call, [&](const Place& place) { return whole(*start + place[0] * *step); });
}

Folded diagonal_ones(const FoldedCall& call) {
  return filled(call, [](const Place& place) { return truth(place.at(0) == place.at(1)); });
}

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

std::map<std::string, FoldedOperator, std::less<>> operators() {
  std::map<std::string, FoldedOperator, std::less<>> all_of{
      {"add", elementwise(sum)},
      {"sub", elementwise(difference)},
      {"rsub", elementwise([](const Number& a, const Number& b) { return difference(b, a); })},
      {"mul", elementwise(product)},
      {"div", elementwise(quotient)},
      {"minimum", elementwise(smaller)},
      {"maximum", elementwise(larger)},
      {"floor_divide", divided([](std::int64_t ratio, std::int64_t) { return ratio; })},
      {"remainder", divided([](std::int64_t, std::int64_t rest) { return rest; })},
      {"eq", compared_by(std::equal_to<>())},
      {"ne", compared_by(std::not_equal_to<>())},
      {"lt", compared_by(std::less<>())},
      {"le", compared_by(std::less_equal<>())},
      {"gt", compared_by(std::greater<>())},
      {"ge", compared_by(std::greater_equal<>())},
      {"logical_and", joined_truth([](bool a, bool b) { return a && b; })},
      {"logical_or", joined_truth([](bool a, bool b) { return a || b; })},
      {"logical_xor", joined_truth([](bool a, bool b) { return a != b; })},
      {"bitwise_and", bitwise(std::bit_and<>())},
      {"bitwise_or", bitwise(std::bit_or<>())},
      {"bitwise_xor", bitwise(std::bit_xor<>())},
      {"neg", of_one(negative)},
      {"abs", of_one([](const Number& a) {
         return a.is_real ? real(std::abs(a.real)) : a.integer < 0 ? negative(a) : a;
       })},
      {"logical_not", of_one([](const Number& a) { return truth(!a.is_true()); })},
      {"where", chosen},
      {"masked_fill", mask_filled},
      {"tril", triangle(false)},
      {"triu", triangle(true)},
      {"zeros", all(whole(0))},
      {"zeros_like", all(whole(0))},
      {"zero", all(whole(0))},
      {"ones", all(whole(1))},
      {"ones_like", all(whole(1))},
      {"full", full},
      {"full_like", full},
      {"fill", full},
      {"arange", counted},
      {"eye", diagonal_ones},
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
      {"cat", joined(false)},
      {"stack", joined(true)},
      {"index", indexed},
      {"index_select", index_selected},
      {"flip", flipped},
      {"repeat", repeated},
  };
  for (const char* name : {"and", "or", "xor"})
    all_of.emplace("__" + std::string(name) + "__", all_of.at("bitwise_" + std::string(name)));
  for (const char* name : {"alias", "detach", "lift_fresh", "lift"}) all_of.emplace(name, itself);
  for (const char* name : {"clone", "lift_fresh_copy"}) all_of.emplace(name, copied);
  all_of.emplace("bitwise_not", [](const FoldedCall& call) -> Folded {
    const auto a = operand(call, "self");
    if (!a) return std::nullopt;
    return filled(call, [&](const Place& place) {
      const Number one = a->at(place);
      return a->dtype == DType::Bool ? truth(!one.is_true()) : whole(~one.integer);
    });
  });
  return all_of;
}

}  // namespace

const FoldedOperator* find_folded_operator(std::string_view name) {
  static const auto known = operators();
  if (name.ends_with('_') && !name.ends_with("__")) name.remove_suffix(1);
  const auto found = known.find(name);
  return found == known.end() ? nullptr : &found->second;
}

}  // namespace h5bridge::aten
