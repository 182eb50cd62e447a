#include <algorithm>

#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::activation {
namespace {

// A layer type that keras.activations has by name: written as an Activation layer.
KerasMapping named(const std::string& type, const std::string& activation) {
  return {.type = type, .class_name = "Activation", .fixed = {{"activation", activation}}};
}

// The same, for a type with settings: the name stands for those in `standard`; otherwise it is an operation of
// keras.ops.nn, whose configuration the rows make.
KerasMapping named_or_operation(const std::string& type, const std::string& activation, const std::string& operation,
                                std::vector<std::pair<std::string, AttributeValue>> standard, std::vector<Correspondence> rows) {
  KerasMapping mapping = named(type, activation);
  mapping.lift = [standard](Json::Object&, Attributes& attributes, const std::vector<SymbolicShape>&) {
    for (const auto& [name, value] : standard) attributes.set(name, value);
  };
  mapping.lower = [=](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const bool is_standard = std::all_of(standard.begin(), standard.end(), [&](const auto& row) { return a.at(row.first) == row.second; });
    if (is_standard) return emitter.main(std::move(config), {emitter.input(0)});
    if (operation.empty()) throw Unsupported("Keras has this activation with its default settings only");
    Json::Object settings;
    for (const Correspondence& row : rows) settings.set(row.keras, row.spelling.to_keras(a.at(row.attribute)));
    return emitter.operation("", "keras.src.ops.nn", operation, std::move(settings), {emitter.input(0)}, {}, emitter.output_shape());
  };
  return mapping;
}

Spelling is_tanh() {
  return {[](const AttributeValue& value) { return Json(std::get<std::string>(value) == "tanh"); },
          [](const Json& json) { return AttributeValue(std::string(json.as_bool() ? "tanh" : "none")); }};
}

Spelling number_or_none() {
  return {[](const AttributeValue& value) { return std::holds_alternative<std::monostate>(value) ? Json() : Json(std::get<double>(value)); },
          [](const Json& json) { return json.is_null() ? AttributeValue{} : AttributeValue(json.as_float()); }};
}

// Keras's alpha has the input's shape without the batch, 1 along shared_axes; PyTorch's weight is alpha without those.
std::vector<std::int64_t> shared_axes(const Attributes& a, std::int64_t rank) {
  const bool one_for_all = a.integer("num_parameters") == 1;
  std::vector<std::int64_t> result;
  for (std::int64_t axis = 1; axis < rank; ++axis)
    if (one_for_all || (rank > 2 && axis != channel_axis(a, rank))) result.push_back(axis);
  return result;
}

KerasMapping prelu() {
  KerasMapping mapping{.type = "PReLU", .class_name = "PReLU"};
  mapping.carried = carried_for({{"alpha", "Zeros"}}, false);
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto axes = shared_axes(a, static_cast<std::int64_t>(emitter.input_shapes()[0].size()));
    config.set("shared_axes", axes.empty() ? Json() : Json::array(axes));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.lift = [](Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    const auto rank = static_cast<std::int64_t>(inputs.at(0).size());
    std::vector<std::int64_t> own;  // the axes along which alpha differs
    for (std::int64_t axis = 1; axis < rank; ++axis) own.push_back(axis);
    if (const Json* shared = config.find("shared_axes"); shared && !shared->is_null())
      for (const Json& axis : shared->as_array()) std::erase(own, axis.as_integer());
    if (own.size() > 1 || (own.size() == 1 && own[0] != 1 && own[0] != rank - 1))
      throw Unsupported("its alpha differs along other axes than the channels (shared_axes " + config.at("shared_axes").dump() + ")");
    if (own.size() == 1) {
      const auto channels = inputs[0][own[0]].value();
      if (!channels) throw MalformedFile("the channels of its input are open");
      attributes.set("num_parameters", *channels);
      if (rank > 2) attributes.set("data_format", std::string(own[0] == 1 ? "channels_first" : "channels_last"));
    }
    config.erase("shared_axes");
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const auto rank = static_cast<std::int64_t>(inputs.at(0).size());
    Shape alpha(rank - 1, 1);
    if (const std::int64_t count = a.integer("num_parameters"); count > 1) alpha[channel_axis(a, rank) - 1] = count;
    return WeightRules{.rules = {{.torch = {"weight"}, .keras = {"alpha"}, .steps = {ChangeShape{{a.integer("num_parameters")}, alpha}}}}};
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  Spelling one_axis = spelling::integer();
  one_axis.from_keras = [from = one_axis.from_keras](const Json& json) {
    if (json.is_array()) throw Unsupported("a softmax over several axes (" + json.dump() + ") has no layer type yet");
    return from(json);
  };
  const auto softmax_standard = [one_axis](const char* name) { return std::vector<Correspondence>{{"dim", name, one_axis}}; };
  return {
      {.type = "ReLU",
       .class_name = "ReLU",
       .attributes = {{"max_value", "max_value", number_or_none()}, {"negative_slope", "negative_slope", spelling::number()}, {"threshold", "threshold", spelling::number()}}},
      named("ReLU", "relu"),
      named("ReLU6", "relu6"),
      {.type = "LeakyReLU", .class_name = "LeakyReLU", .attributes = {{"negative_slope", "negative_slope", spelling::number()}}},
      named_or_operation("LeakyReLU", "leaky_relu", "", {{"negative_slope", 0.2}}, {}),
      prelu(),
      {.type = "ELU", .class_name = "ELU", .attributes = {{"alpha", "alpha", spelling::number()}}},
      named_or_operation("ELU", "elu", "", {{"alpha", 1.0}}, {}),
      named("SELU", "selu"),
      named_or_operation("CELU", "celu", "Celu", {{"alpha", 1.0}}, {{"alpha", "alpha", spelling::number()}}),
      named_or_operation("GELU", "gelu", "Gelu", {{"approximate", std::string("none")}}, {{"approximate", "approximate", is_tanh()}}),
      named("SiLU", "silu"),
      named("SiLU", "swish"),
      named("Mish", "mish"),
      named("Sigmoid", "sigmoid"),
      named("LogSigmoid", "log_sigmoid"),
      named("Hardsigmoid", "hard_sigmoid"),
      named("Hardswish", "hard_silu"),
      named("Hardswish", "hard_swish"),
      named("Tanh", "tanh"),
      named_or_operation("Hardtanh", "hard_tanh", "", {{"min_val", -1.0}, {"max_val", 1.0}}, {}),
      named("Tanhshrink", "tanh_shrink"),
      named_or_operation("Softplus", "softplus", "", {{"beta", 1.0}, {"threshold", 20.0}}, {}),
      named("Softsign", "softsign"),
      named_or_operation("Softshrink", "soft_shrink", "SoftShrink", {{"lambd", 0.5}}, {{"lambd", "threshold", spelling::number()}}),
      named_or_operation("Hardshrink", "hard_shrink", "HardShrink", {{"lambd", 0.5}}, {{"lambd", "threshold", spelling::number()}}),
      named("Identity", "linear"),
      {.type = "Identity", .class_name = "Identity"},
      named("exp", "exponential"),
      {.type = "Softmax", .class_name = "Softmax", .attributes = softmax_standard("axis")},
      named_or_operation("Softmax", "softmax", "Softmax", {{"dim", std::int64_t{-1}}}, softmax_standard("axis")),
      named_or_operation("LogSoftmax", "log_softmax", "LogSoftmax", {{"dim", std::int64_t{-1}}}, softmax_standard("axis")),
  };
}

}  // namespace h5bridge::activation
