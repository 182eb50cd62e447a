#include <limits>

#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::local_normalization {
namespace {

LayerType local_response_norm() {
  LayerType type;
  type.name = "LocalResponseNorm";
  type.summary = "divides each element by a power of the mean square over neighbouring channels";
  type.source = "Krizhevsky et al. 2012; torch/nn/modules/normalization.py";
  type.attributes = {
      required_integer("size", "neighbouring channels that count"),
      number("alpha", 1e-4, "factor of the mean square"),
      number("beta", 0.75, "the power"),
      number("k", 1, "added to the mean square"),
      data_format(),
  };
  type.check = [](const Attributes& a) { check_at_least(a, "size", 1); };
  type.dtypes = promotes().at_least_float();
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) {
    if (inputs.at(0).size() < 3)
      throw MalformedFile("its input has shape " + to_string(inputs[0]) + ", expected at least 3 axes");
    return inputs;
  };
  type.layout = follows_data_format();
  type.samples = {
      {"image", {{"size", 3}, {"alpha", 0.5}}, {{2, 6, 4, 5}}},
      {"an even size", {{"size", 4}, {"alpha", 0.5}, {"beta", 1.5}, {"k", 2.0}}, {{2, 6, 4, 5}}},
      {"sequence", {{"size", 2}, {"alpha", 0.5}}, {{2, 6, 4}}},
      {"volume", {{"size", 3}, {"alpha", 0.5}}, {{2, 6, 4, 3, 2}}},
  };
  return type;
}

// Takes any arrangement; the axes follow.
void layout(LayoutCall& call) {
  any_layout().apply(call);
  const Arrangement input = call.input(0);
  std::vector<std::int64_t> stored;
  for (const std::int64_t axis : call.attributes().integers("dim"))
    stored.push_back(input.stored_axis(resolve_axis(axis, static_cast<std::int64_t>(input.axes.size()))));
  if (!input.is_original()) call.attributes().set("dim", stored);
}

LayerType normalize() {
  LayerType type;
  type.name = "normalize";
  type.integers = Integers::BecomeFloats;
  type.dtypes = promotes().at_least_float();
  type.summary = "divides by the norm over some axes";
  type.source = "torch/nn/functional.py; keras/src/layers/normalization/unit_normalization.py";
  AttributeSpec dim = required_integers("dim", "the axes");
  dim.fallback = std::vector<std::int64_t>{1};
  type.attributes = {
      number("p", 2, "the norm: its power"),
      dim,
      number("eps", 1e-12, "the least norm to be divided by"),
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    for (const std::int64_t axis : a.integers("dim"))
      resolve_axis(axis, static_cast<std::int64_t>(inputs.at(0).size()));
    return inputs;
  };
  type.layout = {LayoutWish::PassesOn, layout};
  type.samples = {
      {"features", {}, {{3, 7}}},
      {"image", {{"dim", 1}}, {{2, 3, 4, 5}}},
      {"another norm", {{"p", 1.0}, {"dim", 2}}, {{2, 3, 4}}},
      {"the largest", {{"p", std::numeric_limits<double>::infinity()}, {"dim", -1}}, {{2, 3, 4}}},
      {"a power over several axes", {{"p", 3.5}, {"dim", Json::Array{1, 2}}}, {{2, 3, 4}}},
      {"several axes", {{"dim", Json::Array{1, 2}}}, {{2, 3, 4}}},
      {"a large eps", {{"eps", 3.0}}, {{3, 7}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {local_response_norm(), normalize()}; }

}  // namespace h5bridge::local_normalization
