#include "passes/float_types.h"

#include <algorithm>

#include "facets/registry.h"
#include "model/promotion.h"

namespace h5bridge {

FloatTypes::FloatTypes(const Weights& weights) {
  for (const auto& [name, tensor] : weights) add(name, tensor.dtype());
}

void FloatTypes::add(const std::string& tensor, DType dtype) {
  if (is_floating_point(dtype)) by_tensor_.emplace(tensor, dtype);
}

std::optional<DType> FloatTypes::common() const {
  if (by_tensor_.empty()) return std::nullopt;
  const DType first = by_tensor_.begin()->second;
  const auto is_first = [&](const auto& tensor) { return tensor.second == first; };
  return std::ranges::all_of(by_tensor_, is_first) ? std::optional(first) : std::nullopt;
}

std::set<DType> FloatTypes::of(const Layer& layer) const {
  std::set<DType> result;
  for (const ParameterSpec& parameter : Registry::instance().type_of(layer).parameters(layer.attributes))
    if (const auto known = by_tensor_.find(tensor_name(layer.name, parameter.name)); known != by_tensor_.end())
      result.insert(known->second);
  return result;
}

std::optional<DType> FloatTypes::widest_of(const Layer& layer) const {
  std::optional<DType> result;
  for (const DType dtype : of(layer)) result = result ? promoted(*result, dtype) : dtype;
  return result;
}

}  // namespace h5bridge
