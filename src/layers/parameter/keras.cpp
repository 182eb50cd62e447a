#include "layers/keras_mapping.h"

namespace h5bridge::parameter {
namespace {

// Keras has weights in layers only, and a layer needs an input: a Dense layer of a single one gives its kernel.
KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const std::string numpy = "keras.src.ops.numpy";
  const KerasEmitter::Handle zeros = emitter.operation("zeros", numpy, "ZerosLike", {{"dtype", "float32"}}, {emitter.input(0)}, {}, emitter.input_shapes().at(0));
  const KerasEmitter::Handle zero = emitter.operation("zero", numpy, "Sum", {{"axis", nullptr}, {"keepdims", false}}, {zeros}, {}, {});
  const KerasEmitter::Handle one = emitter.operation("one", numpy, "Exp", {}, {zero}, {}, {});
  const KerasEmitter::Handle row = emitter.operation("row", numpy, "Reshape", {{"newshape", Json::Array{1, 1}}}, {one}, {}, {1, 1});
  const Shape& shape = a.integers("shape");
  const std::int64_t count = element_count(shape);
  config.set("units", count);
  const KerasEmitter::Handle kernel = emitter.call({.class_name = "Dense", .config = std::move(config), .arguments = {row}, .outputs = {{1, count}}}).at(0);
  return emitter.operation("value", numpy, "Reshape", {{"newshape", Json::array(shape)}}, {kernel}, {}, emitter.output_shape());
}

KerasMapping tensor(const std::string& type, bool trainable) {
  KerasMapping mapping{.type = type, .class_name = "Dense", .fixed = {{"activation", "linear"}, {"use_bias", false}}};
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}});
  mapping.accepts = [](const std::vector<SymbolicShape>&) { return false; };  // a Dense layer that is read is one
  mapping.weights = [trainable](const Attributes& a, const std::vector<SymbolicShape>&) {
    const Shape& shape = a.integers("shape");
    return WeightRules{.rules = {{.torch = {""}, .keras = {"kernel"}, .steps = {ChangeShape{shape, {1, element_count(shape)}}}, .trainable = trainable}}};
  };
  mapping.lower = [trainable](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    if (!trainable) config.set("trainable", false);
    return lower(a, std::move(config), emitter);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {tensor("Parameter", true), tensor("Buffer", false)}; }

}  // namespace h5bridge::parameter
