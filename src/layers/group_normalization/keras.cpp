#include "facets/keras/affine.h"
#include "facets/keras/functional.h"
#include "facets/keras/mapping.h"
#include "facets/keras/not_of_integers.h"
#include "facets/keras/operation.h"
#include "facets/registry.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/named_axis.h"
#include "h5bridge/error.h"
#include "layers/group_normalization/function.h"

namespace h5bridge::group_normalization {
namespace {

void lift(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const auto rank = static_cast<std::int64_t>(inputs.at(0).size());
  const std::int64_t axis = resolve_axis(config.at("axis").as_integer(), rank);
  const auto channels = inputs[0][axis].value();
  if (!channels) throw MalformedFile("the channels of its input are open");
  attributes.set("num_channels", *channels);
  // -1 is a group for each channel.
  const std::int64_t groups = config.at("groups").as_integer();
  attributes.set("num_groups", groups == -1 ? *channels : groups);
  set_normalised_axis(attributes, axis, rank);
  config.erase("axis");
  config.erase("groups");
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  KerasMapping mapping{.type = "GroupNorm", .class_name = "GroupNormalization"};
  mapping.of_integers = not_of_integers;  // cut off
  mapping.attributes = {{"eps", "epsilon", spelling::number()},
                        {"bias", "center", spelling::boolean()},
                        {"scale", "scale", spelling::boolean()}};
  mapping.carried = carried_for({{"beta", "Zeros"}, {"gamma", "Ones"}}, false);
  mapping.lift = lift;
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("groups", a.integer("num_groups"));
    config.set("axis", axis_config(a, static_cast<std::int64_t>(emitter.input_shapes()[0].size())));
    set_affine(a, config);
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) { return affine_weights(a); };
  Json::Object training = affine_training_settings();
  training.set("groups", 2);
  mapping.samples = {
      {"training", training, {{2, 4, 5, 6}}},
      {"groups", {{"groups", 2}}, {{2, 4, 5, 6}}},
      {"a group for each channel", {{"groups", -1}, {"epsilon", 0.01}}, {{2, 4, 5, 6}}},
      {"axis", {{"groups", 2}, {"axis", 1}}, {{2, 4, 5, 6}}},
      {"axis amid the others", {{"groups", 2}, {"axis", 2}}, {{2, 4, 6, 5}}},
      {"no center", {{"groups", 2}, {"center", false}}, {{2, 4, 5, 6}}},
      {"no scale", {{"groups", 2}, {"scale", false}}, {{2, 4, 5, 6}}},
  };
  KerasMapping functional = write_only(operation("group_norm", "Add", {}, {"x1", "x2"}));
  functional.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Functional row = function();
    return emit_normalised(emitter, row, "GroupNorm",
                           module_settings(*Registry::instance().find("GroupNorm"), row, a, emitter.input_shapes()));
  };
  return {mapping, functional};
}

}  // namespace h5bridge::group_normalization
