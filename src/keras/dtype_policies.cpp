#include "keras/dtype_policies.h"

#include <set>

#include "facets/registry.h"
#include "model/architecture_index.h"
#include "model/promotion.h"
#include "passes/infer_types.h"
#include "passes/mixed_precision.h"

namespace h5bridge {
namespace {

// What the floating-point inputs of a call give together.
std::optional<DType> type_of_inputs(const Types& types, const Layer& layer, const Node& node) {
  std::optional<DType> result;
  for (const Value& input : plain_call(layer, node).inputs)
    if (const DType dtype = types.of(input).dtype; is_floating_point(dtype))
      result = result ? promoted(*result, dtype) : dtype;
  return result;
}

}  // namespace

DTypePolicies::DTypePolicies(const Architecture& architecture, const FloatTypes& floats)
    : floats_(floats), model_(floats.common().value_or(DType::Float32)) {
  const Types types = infer_types(architecture, floats);
  const ArchitectureIndex index(architecture);
  for (const Node& node : architecture.nodes) {
    const Layer& layer = index.layer_of(node);
    std::optional<DType> own = floats.widest_of(layer);
    if (!own) own = type_of_inputs(types, layer, node);
    of_nodes_[node.name] = own.value_or(model_);
  }
  std::set<std::optional<DType>> stated;
  for (const Layer& layer : architecture.layers)
    if (layer.keras.config.contains("dtype")) stated.insert(stated_policy(layer.keras.config));
  is_cast_as_a_whole_ = stated.size() == 1 && *stated.begin() && floats.common() && **stated.begin() != model_;
}

bool DTypePolicies::casts_tensors(const Json::Object& said, const Layer& layer) const {
  const std::optional<DType> stated = stated_policy(said);
  const std::optional<DType> own = floats_.widest_of(layer);
  return stated && own && *stated != *own;
}

std::optional<DType> stated_policy(const Json::Object& config) {
  const Json* dtype = config.find("dtype");
  const std::string name = dtype ? name_of_policy(*dtype) : "";
  if (is_mixed_policy(name)) return DType::Float32;
  const std::optional<DType> result = dtype_named(name);
  return result && is_floating_point(*result) ? result : std::nullopt;
}

}  // namespace h5bridge
