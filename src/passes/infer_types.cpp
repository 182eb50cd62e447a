#include "passes/infer_types.h"

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"

namespace h5bridge {

namespace {

// Of the inputs that shapes depend on.
std::vector<TensorType> input_types(const Types& types, const Layer& layer, const Node& node) {
  std::vector<TensorType> result;
  for (const Value& value : plain_call(layer, node).inputs) result.push_back(types.of(value));
  return result;
}

}  // namespace

Types infer_types(const Architecture& architecture, const FloatTypes& floats) {
  const std::optional<DType> common = floats.common();
  Types types;
  const ArchitectureIndex index(architecture);
  for (const Input& input : architecture.inputs)
    types.set(input.name, {{is_floating_point(input.dtype) ? common.value_or(input.dtype) : input.dtype, input.shape}});
  for (const Node& node : architecture.nodes) {
    const Layer& layer = index.layer_of(node);
    try {
      const std::optional<DType> own = common ? common : floats.widest_of(layer);
      types.set(node.name,
                Registry::instance().type_of(layer).outputs(layer.attributes, input_types(types, layer, node), own));
    } catch (const Error& error) {
      rethrow_in_file(error, describe(layer));
    }
  }
  for (const Node& node : architecture.nodes)
    for (const Value& value : node.values()) types.of(value);
  for (const Output& output : architecture.outputs) types.of(output.value);
  return types;
}

}  // namespace h5bridge
