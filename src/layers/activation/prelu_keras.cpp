#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "h5bridge/error.h"
#include "layers/activation/activation.h"

namespace h5bridge::activation {
namespace {

using Shapes = std::vector<SymbolicShape>;

// Keras's alpha has the input's shape without the batch, 1 along shared_axes.
Shape alpha_shape(const Attributes& a, const SymbolicShape& input) {
  if (!a.is_none("weight_shape")) return a.integers("weight_shape");
  if (input.empty()) throw Unsupported("its input is a number alone, which Keras takes for a batch");
  const auto rank = static_cast<std::int64_t>(input.size());
  Shape alpha(rank - 1, 1);
  if (const std::int64_t count = a.integer("num_parameters"); count > 1) alpha[channel_axis(a, rank) - 1] = count;
  return alpha;
}

KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  const SymbolicShape& input = emitter.input_shapes()[0];
  const Shape alpha = alpha_shape(a, input);
  std::vector<std::int64_t> shared;
  for (std::size_t i = 0; i < alpha.size(); ++i)
    if (alpha[i] == 1 && input[i + 1] != Size(1)) shared.push_back(static_cast<std::int64_t>(i) + 1);
  config.set("shared_axes", shared.empty() ? Json() : Json::array(shared));
  return emitter.main(std::move(config), emitter.inputs());
}

// One weight, or one for each channel, is PyTorch's; any other has a shape.
void lift(Json::Object& config, Attributes& attributes, const Shapes& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const auto rank = static_cast<std::int64_t>(input.size());
  std::vector<std::int64_t> shared;
  if (const Json* axes = config.find("shared_axes"); axes && !axes->is_null())
    for (const Json& axis : axes->as_array()) shared.push_back(resolve_axis(axis.as_integer(), rank));
  config.erase("shared_axes");
  std::vector<std::int64_t> own;  // the axes along which alpha differs
  Shape alpha;
  for (std::int64_t axis = 1; axis < rank; ++axis) {
    const bool is_shared = std::find(shared.begin(), shared.end(), axis) != shared.end();
    if (!is_shared && !input[axis].value())
      throw MalformedFile("its alpha differs along axis " + std::to_string(axis) + ", whose size is open");
    alpha.push_back(is_shared ? 1 : *input[axis].value());
    if (alpha.back() != 1) own.push_back(axis);
  }
  if (own.size() > 1 || (own.size() == 1 && own[0] != 1 && own[0] != rank - 1))
    return attributes.set("weight_shape", alpha);
  if (own.empty()) return;
  attributes.set("num_parameters", alpha[own[0] - 1]);
  if (rank > 2) attributes.set("data_format", std::string(own[0] == 1 ? "channels_first" : "channels_last"));
}

WeightRules weights(const Attributes& a, const Shapes& inputs) {
  const Shape own = a.is_none("weight_shape") ? Shape{a.integer("num_parameters")} : a.integers("weight_shape");
  return {
      .rules = {{.torch = {"weight"}, .keras = {"alpha"}, .steps = {ChangeShape{own, alpha_shape(a, inputs.at(0))}}}}};
}

}  // namespace

KerasMapping prelu_mapping() {
  KerasMapping mapping = overflowing_unsigned({.type = "PReLU", .class_name = "PReLU"});
  mapping.carried = carried_for({{"alpha", "Zeros"}}, false);
  mapping.lower = lower;
  mapping.lift = lift;
  mapping.weights = weights;
  mapping.samples = {
      {"a weight for each feature",
       {{"alpha_initializer", "ones"}, {"alpha_regularizer", "l2"}, {"alpha_constraint", "non_neg"}},
       {{3, 7}}},
      {"a weight for each element", {}, {{3, 4, 5}}},
      {"a weight for each channel", {{"shared_axes", Json::Array{1, 2}}}, {{2, 4, 5, 3}}},
      {"a weight for each first channel", {{"shared_axes", Json::Array{2, 3}}}, {{2, 3, 4, 5}}},
      {"one weight", {{"shared_axes", Json::Array{1, 2, 3}}}, {{2, 3, 4, 5}}},
  };
  return mapping;
}

KerasMapping prelu_function_mapping() {
  KerasMapping mapping = write_only(operation("prelu", "Add", {}, {"x1", "x2"}));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const SymbolicShape& shape = emitter.output_shape();
    const KerasEmitter::Handle x = emitter.input(0);
    const KerasEmitter::Handle weight = along_channels(emitter, "weight", emitter.input(1), a, shape.size());
    const KerasEmitter::Handle above = named(emitter, "above").elementwise("Maximum", {x, Json(0.0)});
    const KerasEmitter::Handle below = named(emitter, "below").elementwise("Minimum", {x, Json(0.0)});
    return Composition(emitter).last("Add", {above, named(emitter, "scaled").elementwise("Multiply", {below, weight})});
  };
  return mapping;
}

}  // namespace h5bridge::activation
