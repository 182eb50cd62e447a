#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::activation {
namespace {

LayerType elementwise(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes = {}, Json::Object other = {}, bool in_keras = true) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/nn/modules/activation.py; keras/src/activations/activations.py";
  type.attributes = std::move(attributes);
  type.layout = any_layout();
  type.samples = {{"plain", {}, {{3, 7}}}, {"image", {}, {{1, 3, 4, 5}}}};
  if (!other.empty()) type.samples.push_back({"other settings", std::move(other), {{3, 7}}, in_keras});
  return type;
}

LayerType over_axis(const std::string& name, const std::string& summary) {
  LayerType type = elementwise(name, summary, {required_integer("dim", "the axis that is normalised")});
  type.layout = counts_axis("dim");
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    resolve_axis(a.integer("dim"), static_cast<std::int64_t>(inputs.at(0).size()));
    return inputs;
  };
  type.samples = {
      {"last axis", {{"dim", -1}}, {{3, 7}}},
      {"channels", {{"dim", 1}}, {{2, 3, 4, 5}}},
  };
  return type;
}

LayerType prelu() {
  LayerType type = elementwise("PReLU", "max(0, x) + weight min(0, x)",
                               {integer("num_parameters", 1, "1, or the number of channels"),
                                number("init", 0.25, "the initial weight"), data_format()});
  type.parameters = [](const Attributes& a) { return std::vector<ParameterSpec>{{"weight", {a.integer("num_parameters")}}}; };
  type.check = [](const Attributes& a) {
    if (a.integer("num_parameters") < 1) throw MalformedFile("\"num_parameters\" is " + std::to_string(a.integer("num_parameters")) + ", expected at least 1");
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const SymbolicShape& input = inputs.at(0);
    const std::int64_t wanted = a.integer("num_parameters");
    if (wanted != 1 && (input.size() < 2 || input[channel_axis(a, static_cast<std::int64_t>(input.size()))] != Size(wanted)))
      throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(wanted) + " channels");
    return inputs;
  };
  // The channels may stand on either side. On features that a flatten has reordered, the weights are reordered alike.
  type.layout = {LayoutWish::PassesOn, [](LayoutCall& call) {
                   const Arrangement input = call.input(0);
                   const auto rank = static_cast<std::int64_t>(input.axes.size());
                   const bool one_for_all = call.attributes().integer("num_parameters") == 1;
                   if (!one_for_all && input.flattened) call.reorder_parameter("weight", 0, *input.flattened);
                   if (!one_for_all && rank > 2) {
                     const std::int64_t channels = input.stored_axis(channel_axis(call.attributes(), rank));
                     if (channels != 1 && channels != rank - 1) return follows_data_format().apply(call);
                     call.attributes().set("data_format", std::string(channels == 1 ? "channels_first" : "channels_last"));
                   }
                   call.set_output(0, input);
                 }};
  type.samples = {
      {"one weight", {}, {{3, 7}}},
      {"a weight for each feature", {{"num_parameters", 7}}, {{3, 7}}},
      {"a weight for each channel", {{"num_parameters", 3}}, {{2, 3, 4, 5}}},
      {"one weight for images", {}, {{2, 3, 4, 5}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      elementwise("ReLU", "max(0, x)",
                  {or_none(number("max_value", 6, "Keras's: the largest output")), number("negative_slope", 0, "Keras's: slope below the threshold"),
                   number("threshold", 0, "Keras's: where the ramp begins")},
                  {{"max_value", 1.5}, {"negative_slope", 0.2}, {"threshold", 0.1}}),
      elementwise("ReLU6", "min(max(0, x), 6)"),
      elementwise("LeakyReLU", "x where positive, negative_slope x elsewhere", {number("negative_slope", 0.01, "slope of the negative part")},
                  {{"negative_slope", 0.3}}),
      prelu(),
      elementwise("ELU", "x where positive, alpha (exp(x) - 1) elsewhere", {number("alpha", 1, "limit of the negative part")}, {{"alpha", 0.7}}),
      elementwise("SELU", "scaled ELU"),
      elementwise("CELU", "max(0, x) + min(0, alpha (exp(x / alpha) - 1))", {number("alpha", 1, "limit of the negative part")}, {{"alpha", 0.7}}),
      elementwise("GELU", "x times the normal distribution's function", {text("approximate", "none", {"none", "tanh"}, "exact, or by tanh")},
                  {{"approximate", "tanh"}}),
      elementwise("SiLU", "x sigmoid(x)"),
      elementwise("Mish", "x tanh(softplus(x))"),
      elementwise("Sigmoid", "1 / (1 + exp(-x))"),
      elementwise("LogSigmoid", "log(sigmoid(x))"),
      elementwise("Hardsigmoid", "min(max(0, x / 6 + 1 / 2), 1)"),
      elementwise("Hardswish", "x hardsigmoid(x)"),
      elementwise("Tanh", "tanh(x)"),
      elementwise("Hardtanh", "x cut to [min_val, max_val]",
                  {number("min_val", -1, "the smallest output"), number("max_val", 1, "the largest output")}, {{"min_val", -0.5}, {"max_val", 0.7}}, false),
      elementwise("Tanhshrink", "x - tanh(x)"),
      elementwise("Softplus", "log(1 + exp(beta x)) / beta",
                  {number("beta", 1, "sharpness"), number("threshold", 20, "beta x above which the output is x")}),
      elementwise("Softsign", "x / (1 + |x|)"),
      elementwise("Softshrink", "x moved lambd towards 0", {number("lambd", 0.5, "distance")}, {{"lambd", 0.2}}),
      elementwise("Hardshrink", "x where |x| > lambd, else 0", {number("lambd", 0.5, "threshold")}, {{"lambd", 0.2}}),
      elementwise("Identity", "x"),
      elementwise("exp", "exp(x)"),
      over_axis("Softmax", "exp(x) / sum(exp(x)) over an axis"),
      over_axis("LogSoftmax", "log(softmax(x)) over an axis"),
  };
}

}  // namespace h5bridge::activation
