#include "passes/multiply_adds.h"

#include <algorithm>

#include "facets/registry.h"
#include "model/checked.h"
#include "passes/infer_shapes.h"
#include "passes/infer_types.h"

namespace h5bridge {
namespace {

using Symbols = std::map<std::string, std::int64_t>;

// The symbol that the inputs' first axes are.
Symbols one_example(const Architecture& architecture) {
  Symbols symbols;
  for (const Input& input : architecture.inputs) {
    if (input.shape.empty()) continue;
    const std::vector<std::string> names = input.shape[0].symbols();
    if (names.size() == 1 && input.shape[0] == Size::symbol(names[0])) symbols[names[0]] = 1;
  }
  return symbols;
}

std::optional<std::int64_t> elements_of(const SymbolicShape& shape, const Symbols& symbols) {
  std::int64_t count = 1;
  for (const Size& size : shape) {
    const std::optional<std::int64_t> value = size.bind(symbols).value();
    if (!value || __builtin_mul_overflow(count, *value, &count)) return std::nullopt;
  }
  return count;
}

// At how many places a layer's matrices and kernels are used: of its output, whose features they make, or of its input,
// whose features they take.
struct Places {
  bool of_input;
  const char* features;
};

std::optional<Places> places_of(const Attributes& settings) {
  const auto has = [&](const char* name) { return settings.contains(name); };
  if (has("in_features") && has("out_features")) return Places{false, "out_features"};
  if (has("input_size") && has("hidden_size")) return Places{true, "input_size"};
  if (!has("in_channels") || !has("out_channels") || !has("kernel_size")) return std::nullopt;
  return has("output_padding") ? Places{true, "in_channels"} : Places{false, "out_channels"};
}

std::optional<std::int64_t> of_call(const Layer& layer, const SymbolicShape* input, const SymbolicShape* output,
                                    const Symbols& symbols) {
  const LayerType& type = Registry::instance().type_of(layer);
  std::int64_t weights = 0;
  for (const ParameterSpec& spec : type.parameters(layer.attributes))
    if (spec.role == Role::Parameter && spec.shape.size() > 1)
      weights += as_file_says([&] { return element_count(spec.shape); });
  // What is looked up is not multiplied, nor is a parameter that stands by itself.
  if (weights == 0 || !input || type.integers == Integers::AreIndices) return 0;
  const std::optional<Places> places = places_of(layer.attributes);
  const SymbolicShape* shape = !places ? nullptr : places->of_input ? input : output;
  const std::optional<std::int64_t> elements = shape ? elements_of(*shape, symbols) : std::nullopt;
  if (!elements) return std::nullopt;
  const std::int64_t features = layer.attributes.integer(places->features);
  std::int64_t result = 0;
  if (features < 1 || *elements % features != 0) return std::nullopt;
  if (__builtin_mul_overflow(*elements / features, weights, &result)) return std::nullopt;
  return result;
}

}  // namespace

std::map<std::string, std::optional<std::int64_t>> multiply_adds(const Architecture& architecture) {
  const Types types = infer_types(architecture);
  const Symbols symbols = one_example(architecture);
  std::map<std::string, std::optional<std::int64_t>> result;
  for (const Node& node : architecture.nodes) {
    const std::vector<Value> values = node.values();
    const std::vector<TensorType>& outputs = types.outputs_of(node.name);
    result[node.name] = of_call(architecture.layer_of(node), values.empty() ? nullptr : &types.of(values[0]).shape,
                                outputs.empty() ? nullptr : &outputs[0].shape, symbols);
  }
  return result;
}

}  // namespace h5bridge
