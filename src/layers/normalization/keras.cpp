#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/layer_type.h"

namespace h5bridge::normalization {
namespace {

WeightRules weights(const Attributes& a) {
  WeightRules result;
  if (a.boolean("affine") && a.boolean("scale")) result.rules.push_back({.torch = {"weight"}, .keras = {"gamma"}});
  if (a.boolean("affine") && a.boolean("center")) result.rules.push_back({.torch = {"bias"}, .keras = {"beta"}});
  result.rules.push_back({.torch = {"running_mean"}, .keras = {"moving_mean"}, .trainable = false});
  result.rules.push_back({.torch = {"running_var"}, .keras = {"moving_variance"}, .trainable = false});
  result.residuals.push_back({"num_batches_tracked", zeros(DType::Int64, {})});
  return result;
}

KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  if (!a.boolean("track_running_stats")) throw Unsupported("batch normalisation without running statistics has no Keras layer");
  if (a.is_none("momentum")) throw Unsupported("batch normalisation with a cumulative average (momentum None) has no Keras layer");
  const bool affine = a.boolean("affine");
  config.set("scale", affine && a.boolean("scale"));
  config.set("center", affine && a.boolean("center"));
  const auto rank = static_cast<std::int64_t>(emitter.input_shapes()[0].size());
  const bool channels_last = channel_axis(a, rank) == rank - 1;
  config.set("axis", channels_last ? std::int64_t{-1} : std::int64_t{1});
  return emitter.main(std::move(config), {emitter.input(0)});
}

// Which axis holds the channels, and how many there are.
void lift(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const auto rank = static_cast<std::int64_t>(input.size());
  const Json& axis = config.at("axis");
  const std::int64_t channels = resolve_axis(axis.is_array() && axis.as_array().size() == 1 ? axis.as_array()[0].as_integer() : axis.as_integer(), rank);
  if (channels != 1 && channels != rank - 1) throw Unsupported("its axis is " + axis.dump() + ", neither the first after the batch nor the last");
  const auto features = input[channels].value();
  if (!features) throw MalformedFile("the channels of its input are open");
  attributes.set("num_features", *features);
  if (rank > 2) attributes.set("data_format", std::string(channels == 1 ? "channels_first" : "channels_last"));
  config.erase("axis");
}

KerasMapping batch_normalization(const std::string& type, std::size_t least_rank, std::size_t most_rank) {
  KerasMapping mapping{.type = type, .class_name = "BatchNormalization"};
  mapping.attributes = {
      {"momentum", "momentum", spelling::one_minus()},
      {"eps", "epsilon", spelling::number()},
      {"center", "center", spelling::boolean()},
      {"scale", "scale", spelling::boolean()},
  };
  mapping.carried = carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}, {"moving_mean", "Zeros"}, {"moving_variance", "Ones"}}, false);
  for (const char* statistic : {"moving_mean", "moving_variance"})
    for (const char* what : {"_regularizer", "_constraint"}) mapping.carried.erase(std::string(statistic) + what);
  mapping.carried.set("synchronized", false);
  mapping.carried.set("renorm", false);
  mapping.carried.set("renorm_clipping", nullptr);
  mapping.carried.set("renorm_momentum", 0.99);
  mapping.accepts = [=](const std::vector<SymbolicShape>& inputs) { return inputs.at(0).size() >= least_rank && inputs[0].size() <= most_rank; };
  mapping.weights = [](const Attributes& attributes, const std::vector<SymbolicShape>&) { return weights(attributes); };
  mapping.lower = lower;
  mapping.lift = lift;
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {batch_normalization("BatchNorm1d", 2, 3), batch_normalization("BatchNorm2d", 4, 4), batch_normalization("BatchNorm3d", 5, 5)};
}

}  // namespace h5bridge::normalization
