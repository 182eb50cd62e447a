#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "h5bridge/error.h"

namespace h5bridge::parameter {
namespace {

// A zero, whatever the input: every value in a Keras model is made of an input.
KerasEmitter::Handle emit_zero(DType dtype, KerasEmitter& emitter) {
  const KerasEmitter::Handle zeros =
      named(emitter, "zeros")
          .apply("ZerosLike", {emitter.input(0)}, emitter.input_shapes().at(0), {{"dtype", name_of(dtype)}});
  return named(emitter, "zero").apply("Sum", {zeros}, {}, {{"axis", nullptr}, {"keepdims", false}});
}

// Keras has weights in layers only: a Dense layer of a single one gives its kernel.
KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  if (element_count(a.integers("shape")) == 0)
    throw Unsupported("has no elements, and a weight of Keras's layers has at least one");
  const KerasEmitter::Handle zero = emit_zero(DType::Float32, emitter);
  const KerasEmitter::Handle one = named(emitter, "one").apply("Exp", {zero}, {});
  const KerasEmitter::Handle row =
      named(emitter, "row").apply("Reshape", {one}, {1, 1}, {{"newshape", Json::Array{1, 1}}});
  const Shape& shape = a.integers("shape");
  const std::int64_t count = element_count(shape);
  config.set("units", count);
  const KerasEmitter::Handle kernel =
      emitter.call({.class_name = "Dense", .config = std::move(config), .arguments = {row}, .outputs = {{1, count}}})
          .at(0);
  return named(emitter, "value").apply("Reshape", {kernel}, emitter.output_shape(), {{"newshape", Json::array(shape)}});
}

KerasMapping tensor(const std::string& type, bool trainable) {
  KerasMapping mapping{.type = type, .class_name = "Dense", .fixed = {{"activation", "linear"}, {"use_bias", false}}};
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}});
  mapping.written_only = true;  // a Dense layer that is read is one
  mapping.weights = [trainable](const Attributes& a, const std::vector<SymbolicShape>&) {
    const Shape& shape = a.integers("shape");
    return WeightRules{.rules = {{.torch = {""},
                                  .keras = {"kernel"},
                                  .steps = {ChangeShape{shape, {1, element_count(shape)}}},
                                  .trainable = trainable}}};
  };
  mapping.lower = [trainable](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    if (!trainable) config.set("trainable", false);
    return lower(a, std::move(config), emitter);
  };
  return mapping;
}

// A constant has to be made of an input as well.
KerasEmitter::Results lower_constant(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  const DType dtype = a.dtype("dtype");
  const KerasEmitter::Handle zero = emit_zero(dtype, emitter);
  return Composition(emitter).last(dtype == DType::Bool ? "LogicalOr" : "Add",
                                   {zero, keras_ops::constant(a.tensor("data"))});
}

KerasMapping constant(const std::string& type) {
  KerasMapping mapping{.type = type,
                       .class_name = "Add",
                       .lower = lower_constant,
                       .written_only = true,
                       .module = kNumpy};  // an Add that is read is one
  return mapping;
}

KerasMapping constant_buffer() {
  KerasMapping mapping = constant("Buffer");
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) { return !a.is_none("data"); };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return WeightRules{.residuals = {{.torch = "", .fallback = a.tensor("data"), .is_constant = true}}};
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {tensor("Parameter", true), constant_buffer(), tensor("Buffer", false), constant("new_tensor")};
}

}  // namespace h5bridge::parameter
