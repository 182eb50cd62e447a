#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::parameter {
namespace {

// A tensor of the model's own: its only parameter has no name besides the layer's.
LayerType tensor(const std::string& name, const std::string& summary, const std::string& source, Role role) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = source;
  type.attributes = {required_integers("shape", "its shape")};
  type.least_inputs = 0;
  type.most_inputs = 0;
  type.parameters = [role](const Attributes& a) { return std::vector<ParameterSpec>{{"", a.integers("shape"), role}}; };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>&) -> std::vector<SymbolicShape> {
    const auto& shape = a.integers("shape");
    return {{shape.begin(), shape.end()}};
  };
  type.check = [](const Attributes& a) {
    for (const std::int64_t size : a.integers("shape"))
      if (size < 0) throw MalformedFile("\"shape\" has a size of " + std::to_string(size));
    element_count(a.integers("shape"));
  };
  // The inputs are those of the samples' models, not of the layer.
  type.samples = {
      {"vector", {{"shape", Json::Array{5}}}, {{3, 4}}},
      {"table", {{"shape", Json::Array{1, 3, 7}}}, {{2, 3, 7}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {tensor("Parameter", "a parameter that a module uses itself, outside of a torch.nn layer", "torch/nn/parameter.py", Role::Parameter),
          tensor("Buffer", "a floating-point buffer that a module uses itself", "torch/nn/parameter.py", Role::Buffer)};
}

}  // namespace h5bridge::parameter
