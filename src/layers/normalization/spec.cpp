#include <algorithm>

#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::normalization {
namespace {

std::vector<ParameterSpec> parameters(const Attributes& a) {
  const Shape shape{a.integer("num_features")};
  std::vector<ParameterSpec> result;
  if (a.boolean("affine") && a.boolean("scale")) result.push_back({"weight", shape});
  if (a.boolean("affine") && a.boolean("center")) result.push_back({"bias", shape});
  if (a.boolean("track_running_stats")) {
    result.push_back({"running_mean", shape, Role::Buffer});
    result.push_back({"running_var", shape, Role::Buffer});
    result.push_back({"num_batches_tracked", {}, Role::Buffer, DType::Int64});
  }
  return result;
}

// `ranks` are the numbers of axes that an input may have, with the batch.
LayerType batch_normalization(const std::string& name, std::vector<std::size_t> ranks, std::vector<Shape> inputs) {
  LayerType type;
  type.name = name;
  type.summary = "normalises each channel by the mean and variance of the batch, or by running ones";
  type.source = "Ioffe and Szegedy 2015; torch/nn/modules/batchnorm.py; keras/src/layers/normalization/batch_normalization.py";
  type.attributes = {
      required_integer("num_features", "channels"),
      number("eps", 1e-5, "added to the variance"),
      or_none(number("momentum", 0.1, "weight of a new batch in the running statistics; None: cumulative average")),
      boolean("affine", true, "whether there are a weight and a bias"),
      boolean("track_running_stats", true, "whether there are running statistics"),
      boolean("scale", true, "Keras's: of an affine one, whether there is a weight"),
      boolean("center", true, "Keras's: of an affine one, whether there is a bias"),
      data_format(),
  };
  type.attributes[2].fallback = 0.1;
  type.parameters = parameters;
  type.shapes = [ranks](const Attributes& a, const std::vector<SymbolicShape>& shapes) {
    const SymbolicShape& input = shapes.at(0);
    if (std::find(ranks.begin(), ranks.end(), input.size()) == ranks.end())
      throw MalformedFile("its input has shape " + to_string(input) + ", expected " + std::to_string(ranks.back()) + " axes");
    const Size& channels = input[channel_axis(a, static_cast<std::int64_t>(input.size()))];
    if (channels != Size(a.integer("num_features")))
      throw MalformedFile("its input has " + channels.str() + " channels (shape " + to_string(input) + "), expected " + std::to_string(a.integer("num_features")));
    return shapes;
  };
  type.check = [](const Attributes& a) {
    if (a.integer("num_features") < 1) throw MalformedFile("\"num_features\" is " + std::to_string(a.integer("num_features")) + ", expected at least 1");
  };
  type.layout = {LayoutWish::ChannelsLast, [](LayoutCall& call) {
                   const Arrangement input = call.input(0);
                   if (call.input_shape(0).size() > 2) return follows_data_format().apply(call);
                   if (input.flattened)
                     for (const ParameterSpec& parameter : parameters(call.attributes()))
                       if (!parameter.shape.empty()) call.reorder_parameter(parameter.name, 0, *input.flattened);
                   call.set_output(0, input);
                 }};
  const Json features(inputs[0][1]);
  for (const Shape& input : inputs) type.samples.push_back({"input of " + std::to_string(input.size()) + " axes", {{"num_features", features}}, {input}});
  type.samples.push_back({"not affine", {{"num_features", features}, {"affine", false}}, {inputs[0]}});
  type.samples.push_back({"other eps and momentum", {{"num_features", features}, {"eps", 0.01}, {"momentum", 0.3}}, {inputs[0]}});
  type.samples.push_back({"weight alone", {{"num_features", features}, {"center", false}}, {inputs[0]}});
  type.samples.push_back({"bias alone", {{"num_features", features}, {"scale", false}}, {inputs[0]}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {batch_normalization("BatchNorm1d", {2, 3}, {{3, 5}, {3, 5, 4}}), batch_normalization("BatchNorm2d", {4}, {{3, 5, 4, 6}}),
          batch_normalization("BatchNorm3d", {5}, {{3, 5, 4, 6, 2}})};
}

}  // namespace h5bridge::normalization
