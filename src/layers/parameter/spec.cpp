#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::parameter {
namespace {

std::vector<SymbolicShape> own_shape(const Attributes& a, const std::vector<SymbolicShape>&) {
  const auto& shape = a.integers("shape");
  return {{shape.begin(), shape.end()}};
}

void check_shape(const Attributes& a) {
  for (const std::int64_t size : a.integers("shape"))
    if (size < 0) throw MalformedFile("\"shape\" has a size of " + std::to_string(size));
  element_count(a.integers("shape"));  // that fits 64 bits
}

Shape permuted(const Shape& shape, const std::vector<std::int64_t>& axes) {
  Shape result;
  for (const std::int64_t axis : axes) result.push_back(shape[axis]);
  return result;
}

std::vector<std::string> permute_tensor(Attributes& a, const std::vector<std::int64_t>& axes) {
  a.set("shape", permuted(a.integers("shape"), axes));
  return {""};
}

std::vector<std::string> permute_constant(Attributes& a, const std::vector<std::int64_t>& axes) {
  const Shape& shape = a.integers("shape");
  const Tensor data = tensor_of(DType::Float64, shape, a.numbers("data")).permute(axes);
  a.set("data", data.values<double>());
  a.set("shape", data.shape());
  return {};
}

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
  type.shapes = own_shape;
  type.check = check_shape;
  type.layout.permute_output = permute_tensor;
  // The inputs are those of the samples' models, not of the layer.
  type.samples = {
      {"vector", {{"shape", Json::Array{5}}}, {{3, 4}}},
      {"table", {{"shape", Json::Array{1, 3, 7}}}, {{2, 3, 7}}},
  };
  return type;
}

// What PyTorch keeps as a constant: it is in no state_dict.
LayerType constant() {
  LayerType type;
  type.name = "new_tensor";
  type.summary = "a constant, on the device of the input";
  type.source = "torch/_tensor_docs.py, new_tensor";
  type.attributes = {
      required_numbers("data", 0, "its elements in row-major order"),
      required_integers("shape", "its shape"),
      text("dtype", "float32", {"float32", "float64", "int32", "int64"}, "its dtype"),
  };
  type.shapes = own_shape;
  type.check = [](const Attributes& a) {
    check_shape(a);
    if (const auto count = static_cast<std::int64_t>(a.numbers("data").size()); count != element_count(a.integers("shape")))
      throw MalformedFile("\"data\" has " + std::to_string(count) + " elements, which do not fill the shape " + to_string(a.integers("shape")));
  };
  type.layout = {.wish = LayoutWish::Neutral, .apply = [](LayoutCall&) {}, .permute_output = permute_constant};  // whatever the input's layout
  type.samples = {
      {"vector", {{"data", Json::Array{0.5, -1.25, 3}}, {"shape", Json::Array{3}}}, {{2, 3}}},
      {"table", {{"data", Json::Array{0.1, 2, 3, 4, -5, 6e-5}}, {"shape", Json::Array{3, 2, 1}}}, {{1, 4, 5}}},
      {"integers", {{"data", Json::Array{3, 1, 2}}, {"shape", Json::Array{1, 3}}, {"dtype", "int64"}}, {{2, 3}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {tensor("Parameter", "a parameter that a module uses itself, outside of a torch.nn layer", "torch/nn/parameter.py", Role::Parameter),
          tensor("Buffer", "a floating-point buffer that a module uses itself", "torch/nn/parameter.py", Role::Buffer), constant()};
}

}  // namespace h5bridge::parameter
