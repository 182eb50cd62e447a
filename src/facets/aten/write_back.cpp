#include "facets/aten/write_back.h"

#include <algorithm>
#include <array>

#include "facets/aten/module_group.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::aten {
namespace {

Json as_json(const Size& size) { return size.value() ? Json(*size.value()) : Json(size.str()); }

std::optional<SymbolicShape> shape_of(const Graph& graph, const std::string& tensor) {
  const auto found = graph.values.find(tensor);
  return found == graph.values.end() ? std::nullopt : found->second.shape;
}

std::optional<std::int64_t> axis_of(const Operation& view, std::string_view argument, std::size_t rank) {
  const Json value = value_of(view, argument);
  if (value.is_null()) return 0;
  if (!value.is_integer()) return {};
  return resolve_axis(value.as_integer(), static_cast<std::int64_t>(rank));
}

void become_reshape(Call& call, const SymbolicShape& shape, const std::string& value) {
  Json::Array sizes;
  for (const Size& size : shape) sizes.push_back(as_json(size));
  call.type = "reshape";
  call.attributes = {{"shape", std::move(sizes)}};
  call.operands = {{"input", {value}, false}};
}

// The axes of a permutation back where they were.
bool become_permute(Call& call, const Operation& view, std::size_t rank, const std::string& value) {
  const std::string_view name = view.plain_name();
  std::vector<std::int64_t> back(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) back[axis] = static_cast<std::int64_t>(axis);
  if (name == "permute") {
    const Json dims = value_of(view, "dims");
    if (!dims.is_array() || dims.as_array().size() != rank) return false;
    for (std::size_t axis = 0; axis < rank; ++axis)
      back[resolve_axis(dims.as_array()[axis].as_integer(), static_cast<std::int64_t>(rank))] =
          static_cast<std::int64_t>(axis);
  } else {
    const bool is_matrix = name == "t";
    const auto first = is_matrix ? 0 : axis_of(view, "dim0", rank);
    const auto second = is_matrix ? static_cast<std::int64_t>(rank) - 1 : axis_of(view, "dim1", rank);
    if (!first || !second) return false;
    std::swap(back[*first], back[*second]);
  }
  call.type = "permute";
  call.attributes = {{"dims", Json::array(back)}};
  call.operands = {{"input", {value}, false}};
  return true;
}

void become_value(Call& call, const std::string& value) {
  call.is_same_value = true;
  call.operands = {{"input", {value}, false}};
}

}  // namespace

Size place_along(const Json& place, const Size& extent) {
  if (place.is_null()) return 0;
  const Size size = place.is_integer() ? Size(place.as_integer()) : Size::parse(place.as_string());
  return size.value().value_or(0) < 0 ? extent + size : size;
}

void write_over_part(Call& call, const std::string& base, const SymbolicShape& shape, const std::string& value,
                     std::int64_t dim, const Size& start, const Size& length) {
  const Size end = start + length;
  Names parts{value};
  if (start != Size(0))
    parts.insert(parts.begin(), call.step("slice", {{"dim", dim}, {"start", 0}, {"end", as_json(start)}}, {base}));
  if (end != shape.at(static_cast<std::size_t>(dim)))
    parts.push_back(call.step("slice", {{"dim", dim}, {"start", as_json(end)}}, {base}));
  if (parts.size() == 1) return become_value(call, value);
  call.type = "cat";
  call.attributes = {{"dim", dim}};
  call.operands = {{"tensors", std::move(parts), true}};
}

std::optional<Call> written_back(const Graph& graph, const Operation& view, const std::string& base,
                                 const std::string& value) {
  // Others may copy, or give one element several times.
  constexpr std::array same{"alias", "detach"};
  constexpr std::array reshaped{"view", "unsqueeze", "squeeze"};
  constexpr std::array moved{"permute", "transpose", "t", "swapaxes"};
  const std::string_view name = view.plain_name();
  const auto whole = shape_of(graph, base), part = shape_of(graph, value);
  if (!whole || !part) return {};
  Call call(graph, view);
  if (name == "slice") {
    const auto dim = axis_of(view, "dim", whole->size());
    if (const Json step = value_of(view, "step"); !dim || (!step.is_null() && step != Json(1))) return {};
    const Size start = place_along(value_of(view, "start"), whole->at(*dim));
    write_over_part(call, base, *whole, value, *dim, start, part->at(*dim));
  } else if (name == "select") {
    const auto dim = axis_of(view, "dim", whole->size());
    if (!dim) return {};
    const std::string row = call.step("unsqueeze", {{"dim", *dim}}, {value});
    write_over_part(call, base, *whole, row, *dim, place_along(value_of(view, "index"), whole->at(*dim)), 1);
  } else if (std::ranges::find(reshaped, name) != reshaped.end()) {
    become_reshape(call, *whole, value);
  } else if (std::ranges::find(moved, name) != moved.end()) {
    if (!become_permute(call, view, whole->size(), value)) return {};
  } else if (std::ranges::find(same, name) != same.end() && *whole == *part) {
    become_value(call, value);
  } else {
    return {};
  }
  return call;
}

}  // namespace h5bridge::aten
