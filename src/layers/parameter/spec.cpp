#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/parameter/elements.h"
#include "model/checked.h"

namespace h5bridge::parameter {
namespace {

std::vector<SymbolicShape> own_shape(const Attributes& a, const std::vector<SymbolicShape>&) {
  const auto& shape = a.integers("shape");
  return {{shape.begin(), shape.end()}};
}

void check_shape(const Attributes& a) {
  for (const std::int64_t size : a.integers("shape"))
    if (size < 0) throw MalformedFile("\"shape\" has a size of " + std::to_string(size));
  as_file_says([&] { return element_count(a.integers("shape")); });  // that fits 64 bits
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

void permute_data(Attributes& a, const std::vector<std::int64_t>& axes) {
  a.set("data", a.tensor("data").permute(axes));
}

std::vector<std::string> permute_constant(Attributes& a, const std::vector<std::int64_t>& axes) {
  permute_data(a, axes);
  permute_tensor(a, axes);
  return {};
}

void settle_data(Attributes& a) {
  check_shape(a);
  if (!a.is_none("data")) a.set("data", elements_of(a));
}

AttributeSpec dtype() {
  return dtype_attribute(DType::Float32, {DType::Float32, DType::Float64, DType::Int32, DType::Int64, DType::Bool},
                         "its dtype");
}

// A tensor of the model's own: its only parameter has no name besides the layer's.
LayerType tensor(const std::string& name, const std::string& summary, const std::string& source, Role role) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = source;
  type.attributes = {required_integers("shape", "its shape")};
  type.operands = {};
  type.parameters = [role](const Attributes& a) {
    const DType own = a.contains("dtype") ? a.dtype("dtype") : DType::Float32;
    return std::vector<ParameterSpec>{{"", a.integers("shape"), role, own}};
  };
  type.shapes = own_shape;
  type.dtypes = of_parameters();
  type.check = check_shape;
  type.layout.permute_output = permute_tensor;
  // The inputs are those of the samples' models, not of the layer.
  type.samples = {
      {"vector", {{"shape", Json::Array{5}}}, {{3, 4}}},
      {"table", {{"shape", Json::Array{1, 3, 7}}}, {{2, 3, 7}}},
  };
  return type;
}

// Keras trains no integers, and its layers hold none: they are constants there.
LayerType buffer() {
  LayerType type = tensor("Buffer", "a buffer that a module uses itself", "torch/nn/parameter.py", Role::Buffer);
  type.attributes.push_back(dtype());
  type.attributes.push_back(or_none(required_elements(
      "data",
      "its elements in row-major order, where it is no weight in Keras: where its dtype is another than float32")));
  type.settle = settle_data;
  type.check = [](const Attributes& a) {
    check_shape(a);
    if (a.is_none("data") != (a.dtype("dtype") == DType::Float32))
      throw MalformedFile("\"data\" is for buffers of other dtypes than float32, and these need it");
  };
  type.layout.permute_output = [](Attributes& a, const std::vector<std::int64_t>& axes) {
    if (!a.is_none("data")) permute_data(a, axes);
    return permute_tensor(a, axes);
  };
  type.samples.push_back(
      {"integers", {{"shape", Json::Array{4}}, {"dtype", "int64"}, {"data", Json::Array{3, 1, 2, -7}}}, {{3, 4}}});
  type.samples.push_back({"table of truth values",
                          {{"shape", Json::Array{2, 3}}, {"dtype", "bool"}, {"data", Json::Array{0, 1, 1, 0, 1, 0}}},
                          {{4, 2, 3}}});
  return type;
}

// What PyTorch keeps as a constant: it is in no state_dict.
LayerType constant() {
  LayerType type;
  type.name = "new_tensor";
  type.summary = "a constant, on the device of the input";
  type.source = "torch/_tensor_docs.py, new_tensor";
  type.attributes = {
      required_elements("data", "its elements in row-major order"),
      required_integers("shape", "its shape"),
      dtype(),
  };
  type.shapes = own_shape;
  type.dtypes = of_attribute("dtype");
  type.settle = settle_data;
  type.check = check_shape;
  type.layout = {.wish = LayoutWish::Neutral,
                 .apply = [](LayoutCall&) {},
                 .permute_output = permute_constant};  // whatever the input's layout
  type.samples = {
      {"vector", {{"data", Json::Array{0.5, -1.25, 3}}, {"shape", Json::Array{3}}}, {{2, 3}}},
      {"table", {{"data", Json::Array{0.1, 2, 3, 4, -5, 6e-5}}, {"shape", Json::Array{3, 2, 1}}}, {{1, 4, 5}}},
      {"integers", {{"data", Json::Array{3, 1, 2}}, {"shape", Json::Array{1, 3}}, {"dtype", "int64"}}, {{2, 3}}},
      {"truth values", {{"data", Json::Array{1, 0, 1}}, {"shape", Json::Array{3}}, {"dtype", "bool"}}, {{2, 3}}},
      {"bytes",
       {{"data", Json::Object{{"dtype", "int64"}, {"base64", "AQAAAAAAIAD///////8fAA=="}}},  // 2^53 + 1, 2^53 - 1
        {"shape", Json::Array{2}},
        {"dtype", "int64"}},
       {{3, 2}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {tensor("Parameter", "a parameter that a module uses itself, outside of a torch.nn layer",
                 "torch/nn/parameter.py", Role::Parameter),
          buffer(), constant()};
}

}  // namespace h5bridge::parameter
