#include "facets/keras/affine.h"
#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/named_axis.h"
#include "h5bridge/error.h"
#include "layers/batch_normalization/function.h"

namespace h5bridge::batch_normalization {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

std::int64_t rank_of(const Shapes& inputs) { return static_cast<std::int64_t>(inputs.at(0).size()); }

// The weights of a layer with running statistics.
WeightRules tracked_weights(const Attributes& a, const Shapes&) {
  WeightRules result = affine_weights(a);
  result.rules.push_back({.torch = {"running_mean"}, .keras = {"moving_mean"}, .trainable = false});
  result.rules.push_back({.torch = {"running_var"}, .keras = {"moving_variance"}, .trainable = false});
  if (a.contains("renorm") && a.boolean("renorm"))
    for (const char* name : {"moving_stddev", "renorm_mean", "renorm_stddev"})
      result.rules.push_back({.torch = {name}, .keras = {name}, .trainable = false});
  result.residuals.push_back({"num_batches_tracked", zeros(DType::Int64, {})});
  return result;
}

// Which axis holds the channels, and how many there are.
void lift(Json::Object& config, Attributes& attributes, const Shapes& inputs) {
  const Json& given = config.at("axis");
  const std::int64_t axis = resolve_axis(
      given.is_array() && given.as_array().size() == 1 ? given.as_array()[0].as_integer() : given.as_integer(),
      rank_of(inputs));
  const auto features = inputs.at(0)[axis].value();
  if (!features) throw MalformedFile("the channels of its input are open");
  attributes.set("num_features", *features);
  set_normalised_axis(attributes, axis, rank_of(inputs));
  config.erase("axis");
}

// A cumulative average is Keras's default momentum, if it comes to training there.
Spelling momentum() {
  Spelling result = spelling::one_minus();
  result.to_keras = [to = result.to_keras](const AttributeValue& value) {
    return std::holds_alternative<std::monostate>(value) ? Json(0.99) : to(value);
  };
  return result;
}

KerasMapping running_statistics(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "BatchNormalization"};
  mapping.call = {"inputs", "training", "mask"};
  mapping.attributes = {{"momentum", "momentum", momentum()}, {"eps", "epsilon", spelling::number()}};
  mapping.carried =
      carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}, {"moving_mean", "Zeros"}, {"moving_variance", "Ones"}}, false);
  for (const char* statistic : {"moving_mean", "moving_variance"})
    for (const char* what : {"_regularizer", "_constraint"}) mapping.carried.erase(std::string(statistic) + what);
  mapping.fixed = {{"renorm", false}};
  mapping.carried.set("synchronized", false);
  mapping.carried.set("renorm_clipping", nullptr);
  mapping.carried.set("renorm_momentum", 0.99);
  mapping.fits = [](const Attributes& a, const Shapes&) { return a.boolean("track_running_stats"); };
  mapping.written_only = true;
  mapping.weights = tracked_weights;
  mapping.unsaid = {{"momentum",
                     [](const Attributes& a) { return a.is_none("momentum") && a.boolean("track_running_stats"); },
                     "PyTorch averages all batches it was trained with, Keras forgets old ones (momentum 0.99)"}};
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    set_affine(a, config);
    config.set("axis", axis_config(a, rank_of(emitter.input_shapes())));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

KerasMapping batch_normalization(const std::string& type, std::int64_t least_rank, std::int64_t most_rank) {
  KerasMapping mapping = running_statistics(type);
  mapping.attributes.push_back({"bias", "center", spelling::boolean()});
  mapping.attributes.push_back({"scale", "scale", spelling::boolean()});
  mapping.attributes.push_back({"renorm", "renorm", spelling::boolean(), false});
  take_training(mapping);
  mapping.fixed = {};
  mapping.written_only = false;
  mapping.accepts = [=](const Shapes& inputs) { return rank_of(inputs) >= least_rank && rank_of(inputs) <= most_rank; };
  mapping.lift = lift;
  Shape last(most_rank, 4);
  last[0] = 3;
  last.back() = 5;
  Shape first = last;
  std::swap(first[1], first.back());
  const auto sample = [&](const std::string& what, Json::Object config, const Shape& input) {
    mapping.samples.push_back({std::to_string(most_rank) + " axes, " + what, std::move(config), {input}});
  };
  sample("plain", {}, last);
  sample("axis", {{"axis", 1}}, first);
  sample("settings", {{"momentum", 0.9}, {"epsilon", 0.01}}, last);
  sample("no center", {{"center", false}, {"trainable", false}}, last);
  sample("no scale", {{"scale", false}}, last);
  Json::Object training = affine_training_settings();
  training.set("moving_mean_initializer", "ones");
  training.set("moving_variance_initializer", "zeros");
  sample("training", training, last);
  sample("renorm",
         {{"renorm", true},
          {"renorm_clipping", Json::Object{{"rmax", 3.0}, {"rmin", 0.5}, {"dmax", 2.0}}},
          {"renorm_momentum", 0.9}},
         last);
  if (most_rank > 3) sample("axis amid the others", {{"axis", 2}}, last);
  return mapping;
}

KerasMapping synchronised() {
  KerasMapping mapping = running_statistics("SyncBatchNorm");
  take_training(mapping);
  return mapping;
}

// The statistics of the batch, by operations; the weight and the bias are the EinsumDense that follows.
KerasMapping batch_statistics(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "EinsumDense"};
  mapping.carried = carried_for({{"kernel", "Ones"}, {"bias", "Zeros"}});
  mapping.fits = [](const Attributes& a, const Shapes&) { return !a.boolean("track_running_stats"); };
  mapping.written_only = true;
  mapping.weights = [](const Attributes& a, const Shapes& inputs) {
    return einsum_affine_weights(a, inputs.at(0), {normalised_axis(a, rank_of(inputs))});
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const std::int64_t channels = normalised_axis(a, rank_of(emitter.input_shapes()));
    std::vector<std::int64_t> others;
    for (std::int64_t axis = 0; axis < rank_of(emitter.input_shapes()); ++axis)
      if (axis != channels) others.push_back(axis);
    const Affine affine = affine_of(a);
    const bool any = affine.weight || affine.bias;
    const Handle x = emitter.input(0);
    const Handle centred =
        named(emitter, "centred").elementwise("Subtract", {x, named(emitter, "mean").reduce("Mean", x, others)});
    const Handle variance =
        named(emitter, "variance").reduce("Mean", named(emitter, "square").elementwise("Square", {centred}), others);
    const Handle deviation =
        named(emitter, "deviation")
            .elementwise("Sqrt", {named(emitter, "eps").with("x2", a.number("eps")).elementwise("Add", {variance})});
    const Handle normalised = named(emitter, any ? "normalised" : "").elementwise("Divide", {centred, deviation});
    if (!any) return normalised;
    for (auto& [key, value] : einsum_affine(a, emitter.input_shapes()[0], {channels})) config.set(key, value);
    return emitter.main(std::move(config), {normalised});
  };
  return mapping;
}

// Each channel is a group.
KerasMapping instance_statistics(const std::string& type) {
  KerasMapping mapping{.type = type, .class_name = "GroupNormalization"};
  mapping.attributes = {{"eps", "epsilon", spelling::number()}, {"num_features", "groups", spelling::integer()}};
  mapping.carried = carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}}, false);
  mapping.fits = [](const Attributes& a, const Shapes&) { return !a.boolean("track_running_stats"); };
  mapping.written_only = true;
  mapping.weights = [](const Attributes& a, const Shapes&) { return affine_weights(a); };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    set_affine(a, config);
    config.set("axis", axis_config(a, rank_of(emitter.input_shapes())));
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {
      function_mapping("batch_norm"),
      function_mapping("instance_norm"),
      batch_normalization("BatchNorm1d", 2, 3),
      batch_statistics("BatchNorm1d"),
      batch_normalization("BatchNorm2d", 4, 4),
      batch_statistics("BatchNorm2d"),
      batch_normalization("BatchNorm3d", 5, 5),
      batch_statistics("BatchNorm3d"),
      synchronised(),
      batch_statistics("SyncBatchNorm"),
      running_statistics("InstanceNorm1d"),
      instance_statistics("InstanceNorm1d"),
      running_statistics("InstanceNorm2d"),
      instance_statistics("InstanceNorm2d"),
      running_statistics("InstanceNorm3d"),
      instance_statistics("InstanceNorm3d"),
  };
}

}  // namespace h5bridge::batch_normalization
