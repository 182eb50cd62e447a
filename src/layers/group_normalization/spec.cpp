#include "facets/spec/affine.h"
#include "facets/spec/attributes/epsilon.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/named_axis.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"
#include "layers/group_normalization/function.h"

namespace h5bridge::group_normalization {
namespace {

LayerType group_norm() {
  LayerType type;
  type.name = "GroupNorm";
  type.integers = Integers::BecomeFloats;
  type.mask = passes_mask();
  type.summary = "normalises each example by the mean and variance over groups of neighbouring channels";
  type.source =
      "Wu and He 2018; torch/nn/modules/normalization.py; keras/src/layers/normalization/group_normalization.py";
  type.attributes = {
      required_integer("num_groups", "groups of channels"),
      required_integer("num_channels", "channels"),
      epsilon("eps", 1e-5, "added to the variance"),
      boolean("affine", true, "whether there are a weight and a bias"),
      boolean("bias", true, "of an affine one, whether there is a bias"),
      boolean("scale", true, "Keras's: of an affine one, whether there is a weight"),
      axis_of_channels(),
      data_format(),
  };
  type.check = [](const Attributes& a) {
    for (const char* name : {"num_groups", "num_channels"}) check_at_least(a, name, 1);
    if (a.integer("num_channels") % a.integer("num_groups") != 0)
      throw MalformedFile("\"num_channels\" is " + std::to_string(a.integer("num_channels")) + ", which " +
                          std::to_string(a.integer("num_groups")) + " groups do not divide");
  };
  type.parameters = [](const Attributes& a) { return affine_parameters(a, {a.integer("num_channels")}); };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const SymbolicShape& input = inputs.at(0);
    if (input.size() < 2 ||
        input[normalised_axis(a, static_cast<std::int64_t>(input.size()))] != Size(a.integer("num_channels")))
      throw MalformedFile("its input has shape " + to_string(input) + ", expected " +
                          std::to_string(a.integer("num_channels")) + " channels");
    return inputs;
  };
  // Groups are of neighbours, so that features which a flatten has reordered cannot be taken.
  type.layout = {LayoutWish::ChannelsLast, [](LayoutCall& call) {
                   const Arrangement input = call.input(0);
                   const auto rank = static_cast<std::int64_t>(input.axes.size());
                   if (has_axis(call.attributes()) && !input.flattened) return keep_axis(call);
                   if (rank > 2) return follows_data_format().apply(call);
                   call.require(0, Arrangement::original(2));
                 }};
  type.samples = {
      {"image", {{"num_groups", 2}, {"num_channels", 6}}, {{2, 6, 4, 5}}},
      {"sequence, a group for each channel", {{"num_groups", 6}, {"num_channels", 6}}, {{3, 6, 4}}},
      {"features", {{"num_groups", 3}, {"num_channels", 6}}, {{3, 6}}},
      {"not affine", {{"num_groups", 2}, {"num_channels", 6}, {"affine", false}}, {{2, 6, 4, 5}}},
      {"other eps", {{"num_groups", 2}, {"num_channels", 6}, {"eps", 0.01}}, {{2, 6, 4, 5}}},
      {"weight alone", {{"num_groups", 2}, {"num_channels", 6}, {"bias", false}}, {{2, 6, 4, 5}}},
      {"an axis amid the others", {{"num_groups", 2}, {"num_channels", 6}, {"axis", 2}}, {{2, 5, 6, 4}}},
      {"bias alone", {{"num_groups", 2}, {"num_channels", 6}, {"scale", false}}, {{2, 6, 4, 5}}},
  };
  return type;
}

}  // namespace

Functional function() {
  return {.name = "group_norm",
          .arguments = {"num_groups", "eps", "data_format"},
          .derive =
              [](Attributes& settings, const std::vector<SymbolicShape>& inputs) {
                settings.set("num_channels", channels_of(settings, inputs.at(0)));
                settings.set("affine", inputs.size() > 1);
              },
          .required = 0};
}

std::vector<LayerType> layer_types() { return {group_norm(), function_of(group_norm(), function())}; }

}  // namespace h5bridge::group_normalization
