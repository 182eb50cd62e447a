#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::group_normalization {
namespace {

void lift(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const auto rank = static_cast<std::int64_t>(input.size());
  const std::int64_t axis = resolve_axis(config.at("axis").as_integer(), rank);
  if (axis != 1 && axis != rank - 1) throw Unsupported("its axis is " + config.at("axis").dump() + ", neither the first after the batch nor the last");
  const auto channels = input[axis].value();
  if (!channels) throw MalformedFile("the channels of its input are open");
  attributes.set("num_channels", *channels);
  // -1 is a group for each channel.
  const std::int64_t groups = config.at("groups").as_integer();
  attributes.set("num_groups", groups == -1 ? *channels : groups);
  if (rank > 2) attributes.set("data_format", std::string(axis == 1 ? "channels_first" : "channels_last"));
  config.erase("axis");
  config.erase("groups");
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  KerasMapping mapping{.type = "GroupNorm", .class_name = "GroupNormalization"};
  mapping.attributes = {{"eps", "epsilon", spelling::number()}, {"center", "center", spelling::boolean()}, {"scale", "scale", spelling::boolean()}};
  mapping.carried = carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}}, false);
  mapping.lift = lift;
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
    config.set("groups", a.integer("num_groups"));
    config.set("axis", channel_axis(a, rank) == rank - 1 ? std::int64_t{-1} : std::int64_t{1});
    config.set("center", a.boolean("affine") && a.boolean("center"));
    config.set("scale", a.boolean("affine") && a.boolean("scale"));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    WeightRules result;
    if (a.boolean("affine") && a.boolean("scale")) result.rules.push_back({.torch = {"weight"}, .keras = {"gamma"}});
    if (a.boolean("affine") && a.boolean("center")) result.rules.push_back({.torch = {"bias"}, .keras = {"beta"}});
    return result;
  };
  return {mapping};
}

}  // namespace h5bridge::group_normalization
