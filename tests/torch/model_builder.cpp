#include "torch/model_builder.h"

#include <limits>

#include "facets/libtorch/tensors.h"
#include "facets/registry.h"

namespace h5bridge::testing {

torch::Tensor random(const Shape& shape) { return torch::randn(shape); }

Weights random_weights(const Architecture& architecture) {
  Weights result;
  for (const Layer& layer : architecture.layers)
    for (const ParameterSpec& parameter : Registry::instance().type_of(layer).parameters(layer.attributes)) {
      const torch::Tensor values = parameter.name == "running_var" || parameter.name == "variance"
                                       ? torch::rand(parameter.shape) + 0.5
                                       : random(parameter.shape);
      result.add(tensor_name(layer.name, parameter.name),
                 from_torch(is_floating_point(parameter.dtype)
                                ? values
                                : torch::zeros(parameter.shape, scalar_type_of(parameter.dtype))));
    }
  return result;
}

ModelBuilder& ModelBuilder::input(const std::string& name, SymbolicShape shape, DType dtype) {
  architecture_.inputs.push_back({name, std::move(shape), dtype});
  return *this;
}

ModelBuilder& ModelBuilder::layer(const std::string& name, const std::string& type, Json::Object attributes,
                                  std::vector<Value> inputs) {
  architecture_.layers.push_back(
      {name, type, attributes_from_json(*Registry::instance().find(type), attributes, name), {}});
  return call(name, name, std::move(inputs));
}

ModelBuilder& ModelBuilder::call(const std::string& node, const std::string& layer, std::vector<Value> inputs) {
  architecture_.nodes.push_back(node_of(node, *architecture_.find_layer(layer), {std::move(inputs)}));
  return *this;
}

ModelBuilder& ModelBuilder::output(const Value& value, const std::string& name) {
  architecture_.outputs.push_back({name, value});
  return *this;
}

Model ModelBuilder::build() const {
  Model result;
  result.architecture = architecture_;
  result.weights = random_weights(architecture_);
  return result;
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  return a.numel() == 0 ? 0.0 : (a - b).abs().max().item<double>();
}

double relative_difference(const std::vector<torch::Tensor>& found, const std::vector<torch::Tensor>& expected) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (found.size() != expected.size()) return kInfinity;
  double result = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].sizes() != expected[i].sizes() || found[i].scalar_type() != expected[i].scalar_type())
      return kInfinity;
    if (found[i].numel() == 0) continue;
    const torch::Tensor a = found[i].to(torch::kDouble), b = expected[i].to(torch::kDouble);
    if (!a.isfinite().equal(b.isfinite())) return kInfinity;
    const torch::Tensor finite = b.isfinite();
    const double largest = torch::where(finite, b, 0).abs().max().item<double>();
    const double different = torch::where(finite, a - b, 0).abs().max().item<double>();
    result = std::max(result, different == 0 ? 0 : different / largest);
  }
  return result;
}

bool same_bits(const torch::Tensor& a, const torch::Tensor& b) { return bit_equal(from_torch(a), from_torch(b)); }

std::vector<std::string> parameter_names(const torch::nn::Module& module) { return module.named_parameters().keys(); }
std::vector<std::string> buffer_names(const torch::nn::Module& module) { return module.named_buffers().keys(); }

}  // namespace h5bridge::testing
