#include "facets/keras/open_sizes.h"

#include <algorithm>

#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "model/size_terms.h"

namespace h5bridge {
namespace {

[[noreturn]] void throw_untold(const Size& size) {
  throw Unsupported("nothing in a Keras model tells the open size " + size.str() + "; LoadOptions::fix_sizes may help");
}

}  // namespace

OpenSizes::Operand OpenSizes::count(const Size& size) {
  if (const auto number = size.value()) return Json(*number);
  if (const auto known = counts_.find(size.str()); known != counts_.end()) return known->second;
  const auto sum = [&] { return apply("Sum", {ones(size)}, {}, {{"axis", nullptr}, {"keepdims", false}}); };
  const auto computed = [&]() -> Operand {
    if (ones_.contains(size.str()) || emitter().axis_of_size(size)) return sum();
    std::optional<Operand> total;
    for (const SizeTerm& term : terms_of(size)) {
      Operand value = Json(term.coefficient);
      for (const Size& atom : term.atoms) {
        const auto quotient = atom == size ? quotient_of(atom) : std::nullopt;
        if (atom == size && !quotient) throw_untold(size);
        const Operand factor =
            quotient ? Operand(elementwise("FloorDivide", {count(quotient->first), count(quotient->second)}))
                     : count(atom);
        const auto* number = std::get_if<Json>(&value);
        value = number && *number == Json(1) ? factor : elementwise("Multiply", {factor, value});
      }
      total = total ? elementwise("Add", {*total, value}) : value;
    }
    return *total;
  };
  return counts_.emplace(size.str(), computed()).first->second;
}

OpenSizes::Handle OpenSizes::ones(const Size& size) {
  if (const auto known = ones_.find(size.str()); known != ones_.end()) return known->second;
  Handle made;
  if (const auto number = size.value())
    made = fixed_ones(*number);
  else if (const auto axis = emitter().axis_of_size(size))
    made = line_of_ones(axis->first, axis->second);
  else
    made = composed(size);
  return ones_[size.str()] = made;
}

OpenSizes::Handle OpenSizes::range(const Size& size) {
  if (const auto known = ranges_.find(size.str()); known != ranges_.end()) return known->second;
  const Handle ends = apply("Cumsum", {ones(size)}, {size}, {{"axis", 0}, {"dtype", nullptr}});
  return ranges_[size.str()] = elementwise("Subtract", {ends, Json(1)});
}

OpenSizes::Handle OpenSizes::part(const std::string& suffix, Handle x, std::int64_t axis, const Size& start,
                                  const Size& length, std::int64_t step) {
  Handle indices = range(length);
  if (step != 1) indices = elementwise("Multiply", {indices, Json(step)});
  if (start != Size(0)) indices = elementwise("Add", {indices, count(start)});
  return named(emitter(), suffix).take(x, axis, indices);
}

OpenSizes::Handle OpenSizes::along(Handle vector, std::int64_t axis, std::int64_t rank) {
  for (++axis; axis < rank; ++axis) vector = expand(vector, -1);
  return vector;
}

OpenSizes::Handle OpenSizes::clamped(Handle indices, const Size& size) {
  return elementwise("Minimum", {elementwise("Maximum", {indices, Json(0)}), count(size - Size(1))});
}

// The first elements of all other axes are as good as any.
OpenSizes::Handle OpenSizes::line_of_ones(Handle value, std::int64_t axis) {
  const SymbolicShape sizes = shape(value);
  Json::Array key(sizes.size(), Json(0));
  key[axis] = keras_ops::slice({});
  const Handle line = sizes.size() == 1 ? value : apply("GetItem", {value, key}, {sizes[axis]});
  return apply("OnesLike", {line}, {sizes[axis]}, {{"dtype", "int32"}});
}

// A constant by itself is no node; it takes some tensor to hang on.
OpenSizes::Handle OpenSizes::fixed_ones(std::int64_t count) {
  const Handle x = emitter().input(0);
  const std::size_t rank = shape(x).size();
  const Handle one = apply("GetItem", {x, Json::Array(rank, Json(0))}, {});
  const Handle zero = apply("ZerosLike", {one}, {}, {{"dtype", "int32"}});
  return apply("Add", {zero, keras_ops::constant({count}, std::vector<std::int64_t>(count, 1))}, {count});
}

// Vectors of the terms, one after the other.
OpenSizes::Handle OpenSizes::composed(const Size& size) {
  std::vector<Handle> parts;
  std::int64_t constant = 0;
  for (const SizeTerm& term : terms_of(size)) {
    if (term.atoms.empty())
      constant = term.coefficient;
    else if (term.coefficient > 0)
      parts.push_back(product(term.coefficient, term.atoms));
    else {
      // n - n//d elements are those of n that are not the last of d; what else there is comes besides.
      const auto quotient =
          term.coefficient == -1 && term.atoms.size() == 1 ? quotient_of(term.atoms[0]) : std::nullopt;
      const auto divisor = quotient ? quotient->second.value() : std::nullopt;
      if (!divisor) throw_untold(size);
      const Size rest = size - quotient->first + term.atoms[0];
      const Handle whole = ones(quotient->first);
      std::vector<Handle> others;
      for (std::int64_t start = 0; start + 1 < *divisor; ++start) others.push_back(strided(whole, start, *divisor));
      const std::int64_t surplus = -rest.value().value_or(0);
      if (rest != Size(0) && surplus <= 0) others.push_back(ones(rest));
      return without_first(joined(others), surplus);
    }
  }
  if (parts.empty()) throw_untold(size);
  const Handle all = joined(parts);
  if (constant == 0) return all;
  if (constant < 0) return without_first(all, -constant);
  return apply("Pad", {all, Json(1)}, {size},
               {{"pad_width", Json::Array{Json::Array{0, constant}}}, {"mode", "constant"}});
}

OpenSizes::Handle OpenSizes::product(std::int64_t coefficient, const std::vector<Size>& atoms) {
  std::optional<Handle> result;
  Size size(1);
  for (const Size& atom : atoms) {
    Handle factor;
    if (const auto quotient = quotient_of(atom); quotient && !emitter().axis_of_size(atom)) {
      const auto divisor = quotient->second.value();
      if (!divisor) throw_untold(atom);
      factor = strided(ones(quotient->first), *divisor - 1, *divisor);
    } else if (quotient || emitter().axis_of_size(atom)) {
      factor = ones(atom);
    } else {
      throw_untold(atom);
    }
    const Size both = size * atom;
    result = result ? apply("Reshape", {apply("Outer", {*result, factor}, {size, atom})}, {both},
                            {{"newshape", Json::Array{-1}}})
                    : factor;
    size = both;
  }
  if (coefficient == 1) return *result;
  return apply("Repeat", {*result}, {size * Size(coefficient)}, {{"repeats", coefficient}, {"axis", 0}});
}

OpenSizes::Handle OpenSizes::strided(Handle vector, std::int64_t start, std::int64_t step) {
  const Size length = (shape(vector).at(0) + Size(step - 1 - start)).floor_divide(step);
  return apply("GetItem", {vector, Json::Array{keras_ops::slice({.start = start, .step = step})}}, {length});
}

OpenSizes::Handle OpenSizes::without_first(Handle vector, std::int64_t count) {
  if (count <= 0) return vector;
  return apply("GetItem", {vector, Json::Array{keras_ops::slice({.start = count})}},
               {shape(vector).at(0) - Size(count)});
}

OpenSizes::Handle OpenSizes::joined(const std::vector<Handle>& vectors) {
  return vectors.size() == 1 ? vectors[0] : concatenate(vectors, 0);
}

}  // namespace h5bridge
