#include <map>

#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "layers/activation/activation.h"

namespace h5bridge::activation {
namespace {

LayerType elementwise(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes = {},
                      Json::Object other = {}, bool in_keras = true, Json::Object negative = {}) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/nn/modules/activation.py; keras/src/activations/activations.py";
  type.attributes = std::move(attributes);
  type.layout = any_layout();
  type.samples = {{"plain", {}, {{3, 7}}}, {"image", {}, {{1, 3, 4, 5}}}};
  if (!other.empty()) type.samples.push_back({"other settings", std::move(other), {{3, 7}}, in_keras});
  if (!negative.empty()) type.samples.push_back({"negative settings", std::move(negative), {{3, 7}}});
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

// Keras's softmax may leave elements out.
LayerType with_mask(LayerType type) {
  type.operands = {required("input"), mask_of("input")};
  return type;
}

// Half of an axis is what opens the gates for the other half.
LayerType glu() {
  LayerType type = over_axis("GLU", "the first half of an axis times the sigmoid of the second");
  type.attributes = {integer("dim", -1, "the axis")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape result = inputs.at(0);
    Size& size = result[resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()))];
    if (size.value() && *size.value() % 2 != 0)
      throw MalformedFile("the axis has " + size.str() + " elements, which are not two halves");
    size = size.floor_divide(2);
    return {result};
  };
  type.samples = {{"last axis", {}, {{3, 8}}}, {"channels", {{"dim", 1}}, {{2, 6, 4, 5}}}};
  return type;
}

// The channels of images, which stand before height and width.
LayerType softmax_2d() {
  LayerType type = elementwise("Softmax2d", "softmax over the channels of images");
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) {
    if (inputs.at(0).size() != 3 && inputs[0].size() != 4)
      throw MalformedFile("its input has shape " + to_string(inputs[0]) + ", expected 3 or 4 axes");
    return inputs;
  };
  type.layout = {LayoutWish::PassesOn, [](LayoutCall& call) {
                   const Arrangement input = call.input(0);
                   if (input.is_original()) return;
                   Attributes softmax;
                   softmax.set("dim", input.stored_axis(static_cast<std::int64_t>(input.axes.size()) - 3));
                   call.become("Softmax", std::move(softmax));
                   call.set_output(0, input);
                 }};
  type.samples = {{"images", {}, {{2, 3, 4, 5}}}};
  return type;
}

LayerType softmax_over_axes() {
  LayerType type = elementwise("SoftmaxOverAxes", "softmax over several axes together (Keras's Softmax)",
                               {required_axes("dim", "the axes")});
  type.source = "keras/src/layers/activations/softmax.py";
  type.layout = counts_axis("dim");
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    axes_in(a, "dim", static_cast<std::int64_t>(inputs.at(0).size()));
    return inputs;
  };
  type.samples = {{"two axes", {{"dim", Json::Array{1, 3}}}, {{2, 3, 4, 5}}},
                  {"two axes from the end", {{"dim", Json::Array{-1, -2}}}, {{2, 3, 4}}}};
  return type;
}

// What max_value, negative_slope and threshold of ReLU make of it.
Layer relu(AttributeValue max_value, double negative_slope = 0) {
  Layer layer{{}, "ReLU", {}, {}};
  layer.attributes.set("max_value", std::move(max_value));
  layer.attributes.set("negative_slope", negative_slope);
  layer.attributes.set("threshold", 0.0);
  return layer;
}

// What is made of straight lines from 0 is a ReLU; PyTorch and Keras have more words for some of it.
const std::map<std::string, std::function<std::optional<Layer>(const Attributes&)>> kAsReLU{
    {"ReLU6", [](const Attributes&) { return relu(6.0); }},
    {"LeakyReLU", [](const Attributes& a) { return relu(std::monostate{}, a.number("negative_slope")); }},
    {"RReLU", [](const Attributes& a) { return relu(std::monostate{}, (a.number("lower") + a.number("upper")) / 2); }},
    {"Hardtanh",
     [](const Attributes& a) {
       return a.number("min_val") == 0 ? std::optional(relu(a.number("max_val"))) : std::nullopt;
     }},
};

std::vector<DTypeRule> dtypes_of_relu(const Attributes& a) {
  const bool computes = !a.is_none("max_value") || a.number("negative_slope") != 0;
  return {computes ? keeps().at_least_float() : keeps()};
}

LayerType threshold() {
  LayerType type = elementwise("Threshold", "x where above the threshold, else the value");
  type.attributes = {required_scalar("threshold", "the threshold"), required_scalar("value", "the value")};
  for (Sample& sample : type.samples) sample.attributes = {{"threshold", 0.1}, {"value", -20}};
  return type;
}

LayerType with_axis_default(LayerType type) {
  type.attributes = {integer("dim", -1, "the axis")};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> types{
      elementwise("ReLU", "max(0, x)",
                  {or_none(number("max_value", 6, "Keras's: the largest output")),
                   number("negative_slope", 0, "Keras's: slope below the threshold"),
                   number("threshold", 0, "Keras's: where the ramp begins")},
                  {{"max_value", 1.5}, {"negative_slope", 0.2}, {"threshold", 0.1}}),
      elementwise("ReLU6", "min(max(0, x), 6)"),
      elementwise("LeakyReLU", "x where positive, negative_slope x elsewhere",
                  {number("negative_slope", 0.01, "slope of the negative part")}, {{"negative_slope", 0.3}}, true,
                  {{"negative_slope", -0.3}}),
      prelu(),
      function_of(prelu(), prelu_function()),
      elementwise("ELU", "x where positive, alpha (exp(x) - 1) elsewhere",
                  {number("alpha", 1, "limit of the negative part")}, {{"alpha", 0.7}}),
      elementwise("SELU", "scaled ELU"),
      elementwise("CELU", "max(0, x) + min(0, alpha (exp(x / alpha) - 1))",
                  {number("alpha", 1, "limit of the negative part")}, {{"alpha", 0.7}}),
      elementwise("GELU", "x times the normal distribution's function",
                  {text("approximate", "none", {"none", "tanh"}, "exact, or by tanh")}, {{"approximate", "tanh"}}),
      elementwise("SiLU", "x sigmoid(x)"),
      elementwise("Mish", "x tanh(softplus(x))"),
      elementwise("Sigmoid", "1 / (1 + exp(-x))"),
      elementwise("LogSigmoid", "log(sigmoid(x))"),
      elementwise("Hardsigmoid", "min(max(0, x / 6 + 1 / 2), 1)"),
      elementwise("Hardswish", "x hardsigmoid(x)"),
      elementwise("Tanh", "tanh(x)"),
      elementwise("Hardtanh", "x cut to [min_val, max_val]",
                  {number("min_val", -1, "the smallest output"), number("max_val", 1, "the largest output")},
                  {{"min_val", -0.5}, {"max_val", 0.7}}),
      elementwise("Tanhshrink", "x - tanh(x)"),
      elementwise("Softplus", "log(1 + exp(beta x)) / beta",
                  {number("beta", 1, "sharpness"), number("threshold", 20, "beta x above which the output is x")},
                  {{"beta", 2}, {"threshold", 0.5}}),
      elementwise("Softsign", "x / (1 + |x|)"),
      elementwise("Softshrink", "x moved lambd towards 0", {number("lambd", 0.5, "distance")}, {{"lambd", 0.2}}),
      elementwise("Hardshrink", "x where |x| > lambd, else 0", {number("lambd", 0.5, "threshold")}, {{"lambd", 0.2}}),
      elementwise("Identity", "x"),
      threshold(),
      elementwise("RReLU",
                  "x where positive, a slope's share elsewhere: random in training, else the mean of its limits",
                  {number("lower", 1.0 / 8, "the smallest slope"), number("upper", 1.0 / 3, "the largest slope")},
                  {{"lower", 0.2}, {"upper", 0.6}}, true, {{"lower", -0.4}, {"upper", -0.1}}),
      elementwise("Squareplus", "(x + sqrt(x x + b)) / 2 (Keras's)", {number("b", 4, "smoothness")}, {{"b", 2}}),
      elementwise("SparsePlus", "0 up to -1, x from 1 on, a parabola between (Keras's)"),
      elementwise("SparseSigmoid", "0 up to -1, 1 from 1 on, a line between (Keras's)"),
      with_axis_default(over_axis("Sparsemax", "projection onto the probabilities of an axis (Keras's)")),
      glu(),
      softmax_2d(),
      with_mask(softmax_over_axes()),
      over_axis("Softmin", "softmax of -x over an axis"),
      with_mask(over_axis("Softmax", "exp(x) / sum(exp(x)) over an axis")),
      over_axis("LogSoftmax", "log(softmax(x)) over an axis"),
  };
  for (LayerType& type : types) {
    type.mask = passes_mask();
    type.is_identity = type.name == "Identity";
    // Of an axis that is said, or of channels, nothing is: it may be the batch.
    const bool is_along_axis = type.find_attribute("dim") || type.name == "Softmax2d";
    if (!is_along_axis) type.keeps_rows_apart = LayerType::always;
    if (type.name != "GLU" && type.name != "prelu") type.choice = {"function", type.name};
    if (const auto general = kAsReLU.find(type.name); general != kAsReLU.end()) type.general = general->second;
    // All but those that only choose between x and a number.
    if (type.name != "ReLU" && type.name != "Hardtanh" && type.name != "Threshold" && type.name != "Identity")
      type.integers = Integers::BecomeFloats;
    if (type.name == "ReLU") type.dtypes = DTypeRules::Choice(dtypes_of_relu);
    // PyTorch cuts integers to integers.
    if (type.integers == Integers::BecomeFloats && type.name != "ReLU6") type.dtypes = promotes().at_least_float();
  }
  return types;
}

}  // namespace h5bridge::activation
