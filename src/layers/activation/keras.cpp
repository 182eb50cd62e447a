#include <algorithm>
#include <array>

#include "facets/keras/composition.h"
#include "h5bridge/error.h"
#include "layers/activation/activation.h"
#include "model/quoted.h"

namespace h5bridge::activation {
namespace {

using Handle = KerasEmitter::Handle;
using Rows = std::vector<Correspondence>;
using Settings = std::vector<std::pair<std::string, AttributeValue>>;
using Shapes = std::vector<SymbolicShape>;

constexpr const char* kActivations = "keras.src.activations.activations";

// Whether the attributes are these; an axis may be counted from either end.
bool stands_at(const Attributes& a, const Settings& standard, const Shapes& inputs) {
  const auto rank = static_cast<std::int64_t>(inputs.at(0).size());
  return std::all_of(standard.begin(), standard.end(), [&](const auto& setting) {
    const auto& [name, value] = setting;
    if (name != "dim" || a.is_none(name)) return a.at(name) == value;
    return resolve_axis(a.integer(name), rank) == resolve_axis(std::get<std::int64_t>(value), rank);
  });
}

// keras.activations has a type by name, which stands for these settings: written as an Activation layer.
KerasMapping named(const std::string& type, const std::string& activation, const Settings& standard = {}) {
  KerasMapping mapping{.type = type, .class_name = "Activation", .fixed = {{"activation", activation}}};
  mapping.fits = [standard](const Attributes& a, const Shapes& inputs) { return stands_at(a, standard, inputs); };
  mapping.lift = [standard](Json::Object&, Attributes& attributes, const Shapes&) {
    for (const auto& [name, value] : standard) attributes.set(name, value);
  };
  return mapping;
}

// An operation of keras.ops.nn; without rows, for these settings alone.
KerasMapping function(const std::string& type, const std::string& class_name, Rows rows = {},
                      const Settings& standard = {}) {
  KerasMapping mapping = operation(type, class_name, std::move(rows), {"x"}, kNN);
  mapping.fits = [standard](const Attributes& a, const Shapes& inputs) { return stands_at(a, standard, inputs); };
  mapping.lift = [standard](Json::Object&, Attributes& attributes, const Shapes&) {
    for (const auto& [name, value] : standard) attributes.set(name, value);
  };
  return mapping;
}

KerasMapping layer(const std::string& type, const std::string& class_name, Rows rows) {
  return {.type = type, .class_name = class_name, .attributes = std::move(rows)};
}

KerasMapping with_mask(KerasMapping mapping) {
  mapping.call = {"inputs", "mask"};
  return mapping;
}

Spelling is_tanh() {
  return {[](const AttributeValue& value) { return Json(std::get<std::string>(value) == "tanh"); },
          [](const Json& json) { return AttributeValue(std::string(json.as_bool() ? "tanh" : "none")); }};
}

// An axis, or a list of one. `several`: of more.
Spelling axis(bool several = false) {
  return {[](const AttributeValue& value) { return attribute_to_json(value); },
          [several](const Json& json) -> AttributeValue {
            std::vector<std::int64_t> axes;
            if (json.is_integer()) axes.push_back(json.as_integer());
            if (json.is_array())
              for (const Json& element : json.as_array()) axes.push_back(element.as_integer());
            if (several != (axes.size() > 1)) throw Unsupported("its axes are " + quoted(json));
            if (several) return axes;
            return axes.empty() ? AttributeValue(json.as_integer()) : AttributeValue(axes[0]);
          }};
}

// keras.ops.clip, whose bounds are those of the type.
KerasMapping clip() {
  return write_only(operation("Hardtanh", "Clip",
                              {{"min_val", "x_min", spelling::number()}, {"max_val", "x_max", spelling::number()}}));
}

// log(1 + exp(beta x)) / beta, and x above the threshold.
KerasMapping sharp_softplus() {
  KerasMapping mapping = write_only(operation("Softplus", "Where"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle x = emitter.input(0);
    const Handle scaled = named(emitter, "scaled").elementwise("Multiply", {x, Json(a.number("beta"))});
    const Handle soft = named(emitter, "softplus").elementwise("Softplus", {scaled}, {}, kNN);
    const Handle result = named(emitter, "quotient").elementwise("TrueDivide", {soft, Json(a.number("beta"))});
    const Handle above = named(emitter, "above").elementwise("Greater", {scaled, Json(a.number("threshold"))});
    return Composition(emitter).last("Where", {above, x, result});
  };
  return mapping;
}

// Keras's layers take no negative numbers, its operations do (layers/activations/relu.py, leaky_relu.py).
KerasMapping of_positive(KerasMapping layer) {
  layer.fits = [](const Attributes& a, const Shapes&) {
    return std::ranges::none_of(std::array{"max_value", "negative_slope", "threshold"}, [&](const char* name) {
      const double* number = a.contains(name) ? std::get_if<double>(&a.at(name)) : nullptr;
      return number && *number < 0;
    });
  };
  return layer;
}

// In inference the slope is the mean of its limits.
KerasMapping rrelu() {
  KerasMapping mapping = write_only(layer("RReLU", "LeakyReLU", {}));
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const double slope = (a.number("lower") + a.number("upper")) / 2;
    if (slope < 0) return Composition(emitter).last("LeakyRelu", {emitter.input(0)}, {{"negative_slope", slope}}, kNN);
    config.set("negative_slope", slope);
    return emitter.main(std::move(config), emitter.inputs());
  };
  mapping.unsaid = {{.attribute = "",
                     .is_on = [](const Attributes& a) { return a.number("lower") != a.number("upper"); },
                     .becomes = "PyTorch draws each negative element's slope at random in training, Keras has the mean "
                                "of its limits then, too"}};
  return mapping;
}

KerasMapping softmin() {
  KerasMapping mapping = write_only(layer("Softmin", "Softmax", {{"dim", "axis", axis()}}));
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) {
    return emitter.main(std::move(config), {named(emitter, "negative").elementwise("Negative", {emitter.input(0)})});
  };
  return mapping;
}

KerasMapping softmax_2d() {
  KerasMapping mapping = write_only(layer("Softmax2d", "Softmax", {}));
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) {
    config.set("axis", static_cast<std::int64_t>(emitter.output_shape().size()) - 3);
    return emitter.main(std::move(config), emitter.inputs());
  };
  return mapping;
}

KerasMapping in_activations(KerasMapping mapping) {
  mapping.module = kActivations;
  return mapping;
}

// What Keras puts in by itself where an attention hands its mask on.
KerasMapping to_tensor() {
  KerasMapping mapping = operation("Identity", "ConvertToTensor", {}, {"x"}, kCore);
  mapping.fixed = {{"dtype", nullptr}};
  mapping.reads = [](const Json::Object& config) {  // with one it is a cast
    const Json* dtype = config.find("dtype");
    return !dtype || dtype->is_null();
  };
  mapping.carried = {{"sparse", nullptr}, {"ragged", nullptr}};
  mapping.samples = {{"dense", {{"dtype", nullptr}, {"sparse", false}, {"ragged", false}}, {{3, 7}}}};
  return mapping;
}

}  // namespace

// For each type, the preferred way to write it first; all are read.
std::vector<KerasMapping> keras_mappings() {
  const Settings last_axis{{"dim", std::int64_t{-1}}};
  const Settings one{{"alpha", 1.0}};
  const Settings half{{"lambd", 0.5}};
  const Settings exact{{"approximate", std::string("none")}};
  const Settings unit{{"min_val", -1.0}, {"max_val", 1.0}};
  const Settings plain_softplus{{"beta", 1.0}, {"threshold", 20.0}};
  const Settings plain_relu{{"max_value", std::monostate{}}, {"negative_slope", 0.0}, {"threshold", 0.0}};
  const Rows relu{{"max_value", "max_value", spelling::number()},
                  {"negative_slope", "negative_slope", spelling::number()},
                  {"threshold", "threshold", spelling::number()}};
  const Rows alpha{{"alpha", "alpha", spelling::number()}};
  const Rows slope{{"negative_slope", "negative_slope", spelling::number()}};
  const Rows lambd{{"lambd", "threshold", spelling::number()}};
  const Rows over_axis{{"dim", "axis", axis()}};
  return {
      of_positive(layer("ReLU", "ReLU", relu)),
      named("ReLU", "relu", plain_relu),
      function("ReLU", "Relu", {}, plain_relu),
      in_activations(operation("ReLU", "ReLU", relu)),
      named("ReLU6", "relu6"),
      function("ReLU6", "Relu6"),
      of_positive(layer("LeakyReLU", "LeakyReLU", slope)),
      named("LeakyReLU", "leaky_relu", {{"negative_slope", 0.2}}),
      function("LeakyReLU", "LeakyRelu", slope),
      prelu_mapping(),
      prelu_function_mapping(),
      rrelu(),
      layer("ELU", "ELU", alpha),
      named("ELU", "elu", one),
      function("ELU", "Elu", alpha),
      named("SELU", "selu"),
      function("SELU", "Selu"),
      named("CELU", "celu", one),
      function("CELU", "Celu", alpha),
      named("GELU", "gelu", exact),
      function("GELU", "Gelu", {{"approximate", "approximate", is_tanh()}}),
      named("SiLU", "silu"),
      as_variant("swish", named("SiLU", "swish")),
      function("SiLU", "Silu"),
      named("Mish", "mish"),
      in_activations(operation("Mish", "Mish")),
      named("Sigmoid", "sigmoid"),
      function("Sigmoid", "Sigmoid"),
      named("LogSigmoid", "log_sigmoid"),
      function("LogSigmoid", "LogSigmoid"),
      named("Hardsigmoid", "hard_sigmoid"),
      function("Hardsigmoid", "HardSigmoid"),
      named("Hardswish", "hard_silu"),
      as_variant("hard_swish", named("Hardswish", "hard_swish")),
      function("Hardswish", "HardSilu"),
      named("Tanh", "tanh"),
      operation("Tanh", "Tanh"),
      named("Hardtanh", "hard_tanh", unit),
      function("Hardtanh", "HardTanh", {}, unit),
      clip(),
      named("Tanhshrink", "tanh_shrink"),
      function("Tanhshrink", "TanhShrink"),
      named("Softplus", "softplus", plain_softplus),
      function("Softplus", "Softplus", {}, plain_softplus),
      sharp_softplus(),
      named("Softsign", "softsign"),
      function("Softsign", "Softsign"),
      named("Softshrink", "soft_shrink", half),
      function("Softshrink", "SoftShrink", lambd),
      named("Hardshrink", "hard_shrink", half),
      function("Hardshrink", "HardShrink", lambd),
      function("Threshold", "Threshold",
               {{"threshold", "threshold", spelling::scalar()}, {"value", "default_value", spelling::scalar()}}),
      named("Squareplus", "squareplus", {{"b", 4.0}}),
      function("Squareplus", "Squareplus", {{"b", "b", spelling::number()}}),
      named("SparsePlus", "sparse_plus"),
      function("SparsePlus", "SparsePlus"),
      named("SparseSigmoid", "sparse_sigmoid"),
      function("SparseSigmoid", "SparseSigmoid"),
      named("Identity", "linear"),
      layer("Identity", "Identity", {}),
      to_tensor(),
      named("Sparsemax", "sparsemax", last_axis),
      function("Sparsemax", "Sparsemax", over_axis),
      function("GLU", "Glu", over_axis),
      named("GLU", "glu",
            last_axis),  // not the first, as an Activation layer takes its output to have its input's shape
      overflowing_unsigned(with_mask(layer("Softmax", "Softmax", over_axis))),
      overflowing_unsigned(named("Softmax", "softmax", last_axis)),
      overflowing_unsigned(function("Softmax", "Softmax", over_axis)),
      overflowing_unsigned(with_mask(layer("SoftmaxOverAxes", "Softmax", {{"dim", "axis", axis(true)}}))),
      softmax_2d(),
      softmin(),
      overflowing_unsigned(named("LogSoftmax", "log_softmax", last_axis)),
      overflowing_unsigned(function("LogSoftmax", "LogSoftmax", over_axis)),
  };
}

}  // namespace h5bridge::activation
