#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::dropout {
namespace {

AttributeSpec noise_shape() {
  return or_none(required_optional_integers(
      "noise_shape", 0, "Keras's: shape of what is drawn, None for the input's size; None: the input's shape"));
}

// Sizes of 1 stand where the input's axes do.
void layout(LayoutCall& call) {
  any_layout().apply(call);
  if (call.attributes().is_none("noise_shape")) return;
  const Arrangement input = call.input(0);
  if (input.flattened) {
    call.require(0, Arrangement::original(input.axes.size()));
    return call.set_output(0, Arrangement::original(input.axes.size()));
  }
  const auto shape = call.attributes().integers("noise_shape");
  std::vector<std::int64_t> stored;
  for (const std::int64_t axis : input.axes) stored.push_back(shape.at(axis));
  call.attributes().set("noise_shape", stored);
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  if (a.is_none("noise_shape")) return inputs;
  const SymbolicShape noise = a.open_integers("noise_shape");
  if (noise.size() != input.size())
    throw MalformedFile("\"noise_shape\" has " + std::to_string(noise.size()) + " sizes, its input " +
                        std::to_string(input.size()) + " axes");
  for (std::size_t i = 0; i < noise.size(); ++i)
    if (noise[i].value() && noise[i] != Size(kNone) && noise[i] != Size(1) && input[i].value() && input[i] != noise[i])
      throw MalformedFile("\"noise_shape\" does not broadcast to its input's shape " + to_string(input));
  return inputs;
}

// In evaluation all of them are the identity.
LayerType noise(const std::string& name, const std::string& summary, const std::string& source,
                AttributeSpec strength) {
  LayerType type;
  type.name = name;
  type.keeps_rows_apart = LayerType::always;
  type.summary = summary;
  type.source = source;
  type.layout = any_layout();
  type.check = [attribute = strength.name](const Attributes& a) {
    if (!(a.number(attribute) >= 0 && a.number(attribute) <= 1))
      throw MalformedFile("\"" + attribute + "\" is " + std::to_string(a.number(attribute)) + ", expected 0 to 1");
  };
  type.samples = {{"plain", {{strength.name, 0.3}}, {{3, 7}}}};
  type.attributes = {std::move(strength), training()};
  return type;
}

LayerType dropout(const std::string& name, const std::string& summary) {
  return noise(name, summary, "torch/nn/modules/dropout.py; keras/src/layers/regularization/",
               number("p", 0.5, "probability to be dropped in training"));
}

// Of elements, or of what Keras says.
LayerType of_elements(const std::string& name, const std::string& summary) {
  LayerType type = dropout(name, summary);
  type.attributes.push_back(noise_shape());
  type.shapes = shapes;
  type.layout = {LayoutWish::PassesOn, layout};
  type.samples.push_back({"noise_shape", {{"p", 0.3}, {"noise_shape", Json::Array{nullptr, 1, 5}}}, {{3, 4, 5}}});
  return type;
}

LayerType of_channels(const std::string& name, const std::string& summary, const Shape& input) {
  LayerType type = dropout(name, summary);
  type.attributes.push_back(data_format());
  type.layout = follows_data_format();
  for (Sample& sample : type.samples) sample.inputs = {input};
  return type;
}

// Adds to the loss of a training, and nothing to the output.
LayerType activity_regularization() {
  LayerType type;
  type.name = "ActivityRegularization";
  type.summary = "gives its input; in training by Keras, adds to the loss";
  type.source = "keras/src/layers/regularization/activity_regularization.py";
  type.attributes = {number("l1", 0, "factor of the sum of absolute values in the loss"),
                     number("l2", 0, "factor of the sum of squares")};
  type.layout = any_layout();
  type.samples = {{"plain", {{"l1", 0.1}, {"l2", 0.2}}, {{3, 7}}}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  const char* gaussian = "keras/src/layers/regularization/";
  std::vector<LayerType> types{
      of_elements("Dropout", "zeroes elements in training"),
      of_channels("Dropout1d", "zeroes whole channels of sequences in training", {3, 4, 5}),
      of_channels("Dropout2d", "zeroes whole channels of images in training", {3, 4, 5, 6}),
      of_channels("Dropout3d", "zeroes whole channels of volumes in training", {3, 4, 5, 6, 2}),
      of_elements("AlphaDropout", "dropout that keeps SELU's statistics"),
      of_channels("FeatureAlphaDropout", "dropout of whole channels that keeps SELU's statistics", {3, 4, 5, 6}),
      noise("GaussianDropout", "multiplies by normal noise around 1 in training", gaussian,
            required_number("rate", "of the dropout with noise of the same variance, rate / (1 - rate)")),
      noise("GaussianNoise", "adds normal noise in training", gaussian,
            required_number("stddev", "standard deviation of the noise")),
      activity_regularization(),
  };
  for (LayerType& type : types) {
    type.is_identity = true;
    type.mask = passes_mask();
  }
  return types;
}

}  // namespace h5bridge::dropout
