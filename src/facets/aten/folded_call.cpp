#include "facets/aten/folded_call.h"

namespace h5bridge::aten::folding {

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

std::optional<std::size_t> axis_of(std::optional<std::int64_t> axis, std::int64_t rank) {
  if (!axis) return std::nullopt;
  const std::int64_t found = *axis < 0 ? *axis + rank : *axis;
  return found >= 0 && found < rank ? std::optional(static_cast<std::size_t>(found)) : std::nullopt;
}

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

Folded filled(const FoldedCall& call, const std::function<Number(const Place&)>& element) {
  KnownNumbers result(call.dtype, call.shape, call.root);
  for_each_place(call.shape, [&](const Place& place) { result.set(place, element(place)); });
  return result;
}

}  // namespace h5bridge::aten::folding
