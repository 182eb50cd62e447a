#include <algorithm>
#include <numeric>

#include "facets/spec/affine.h"
#include "facets/spec/attributes/epsilon.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/layer_normalization/function.h"

namespace h5bridge::layer_normalization {
namespace {

// The normalised axes of an input of `rank` axes: the last ones, unless the attribute says otherwise.
std::vector<std::int64_t> normalised_axes(const Attributes& a, std::int64_t rank) {
  const auto count = static_cast<std::int64_t>(a.integers("normalized_shape").size());
  std::vector<std::int64_t> axes(count);
  if (a.is_none("axes"))
    std::iota(axes.begin(), axes.end(), rank - count);
  else
    std::transform(a.integers("axes").begin(), a.integers("axes").end(), axes.begin(),
                   [&](std::int64_t axis) { return resolve_axis(axis, rank); });
  return axes;
}

std::vector<SymbolicShape> shapes(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& input = inputs.at(0);
  const auto& wanted = a.integers("normalized_shape");
  const auto misfit = [&] {
    return MalformedFile("its input has shape " + to_string(input) + ", which does not hold the normalised sizes " +
                         to_string(wanted));
  };
  if (input.size() < wanted.size()) throw misfit();
  const auto axes = normalised_axes(a, static_cast<std::int64_t>(input.size()));
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (input[axes[i]] != Size(wanted[i])) throw misfit();
  return inputs;
}

// Statistics do not depend on an order; so only the weights' axes follow the input's.
void layout(LayoutCall& call, const std::vector<ParameterSpec>& parameters) {
  const Arrangement input = call.input(0);
  const auto rank = static_cast<std::int64_t>(input.axes.size());
  call.set_output(0, input);
  call.keep_image();
  if (input.is_original()) return;
  const auto axes = normalised_axes(call.attributes(), rank);
  if (input.flattened) {
    if (rank != 2 || axes != std::vector<std::int64_t>{1}) {
      call.require(0, Arrangement::original(input.axes.size()));
      return call.set_output(0, Arrangement::original(input.axes.size()));
    }
    for (const ParameterSpec& parameter : parameters) call.reorder_parameter(parameter.name, 0, *input.flattened);
    return;
  }
  // The normalised axes where they are stored, in increasing order.
  std::vector<std::int64_t> order(axes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return input.stored_axis(axes[a]) < input.stored_axis(axes[b]); });
  std::vector<std::int64_t> stored;
  Shape shape;
  for (const std::int64_t i : order) {
    stored.push_back(input.stored_axis(axes[i]));
    shape.push_back(call.attributes().integers("normalized_shape")[i]);
  }
  const bool are_last = stored.front() == rank - static_cast<std::int64_t>(stored.size());
  // Keras's torch backend fails at neighbouring axes that are not the last ones.
  if (!are_last && call.attributes().is_none("axes")) {
    call.require(0, Arrangement::original(input.axes.size()));
    return call.set_output(0, Arrangement::original(input.axes.size()));
  }
  call.attributes().set("normalized_shape", shape);
  call.attributes().set("axes", are_last ? AttributeValue{} : AttributeValue(stored));
  if (!std::is_sorted(order.begin(), order.end()))
    for (const ParameterSpec& parameter : parameters) call.permute_parameter(parameter.name, order);
}

LayerType over_axes(const std::string& name, const std::string& summary, const std::string& source) {
  LayerType type;
  type.name = name;
  type.integers = Integers::BecomeFloats;
  type.summary = summary;
  type.source = source;
  type.attributes = {
      required_integers("normalized_shape", "sizes of the normalised axes"),
      or_none(required_integers("axes", "Keras's: the normalised axes, in increasing order; None: the last ones")),
  };
  type.check = [](const Attributes& a) {
    if (a.integers("normalized_shape").empty()) throw MalformedFile("\"normalized_shape\" is empty");
    if (!a.is_none("axes") && a.integers("axes").size() != a.integers("normalized_shape").size())
      throw MalformedFile("\"axes\" and \"normalized_shape\" differ in length");
  };
  type.shapes = shapes;
  type.samples = {
      {"last axis", {{"normalized_shape", Json::Array{5}}}, {{3, 4, 5}}},
      {"several axes", {{"normalized_shape", Json::Array{3, 4, 5}}}, {{2, 3, 4, 5}}},
      {"features", {{"normalized_shape", Json::Array{7}}}, {{3, 7}}},
  };
  return type;
}

LayerType layer_norm() {
  LayerType type = over_axes(
      "LayerNorm", "normalises each example by the mean and variance over some axes",
      "Ba et al. 2016; torch/nn/modules/normalization.py; keras/src/layers/normalization/layer_normalization.py");
  type.mask = passes_mask();
  type.attributes.push_back(epsilon("eps", 1e-5, "added to the variance"));
  type.attributes.push_back(boolean("elementwise_affine", true, "whether there are a weight and a bias"));
  type.attributes.push_back(boolean("bias", true, "of an affine one, whether there is a bias"));
  type.attributes.push_back(boolean("scale", true, "Keras's: of an affine one, whether there is a weight"));
  type.attributes.push_back(
      boolean("rms_scaling", false,
              "Keras's, deprecated: divides by the deviation without taking the mean off; has a weight alone"));
  type.check = [check = type.check](const Attributes& a) {
    check(a);
    const Affine affine = affine_of(a);
    if (a.boolean("rms_scaling") && a.boolean("elementwise_affine") && (!affine.weight || affine.bias))
      throw MalformedFile("\"rms_scaling\" is true, which goes with a weight and without a bias");
  };
  type.parameters = [](const Attributes& a) { return affine_parameters(a, a.integers("normalized_shape")); };
  type.layout = {LayoutWish::Neutral,
                 [parameters = type.parameters](LayoutCall& call) { layout(call, parameters(call.attributes())); }};
  const Json features = Json::Array{5};
  type.samples.push_back({"not affine", {{"normalized_shape", features}, {"elementwise_affine", false}}, {{3, 5}}});
  type.samples.push_back({"without bias", {{"normalized_shape", features}, {"bias", false}}, {{3, 5}}});
  type.samples.push_back({"without weight", {{"normalized_shape", features}, {"scale", false}}, {{3, 5}}});
  type.samples.push_back({"other eps", {{"normalized_shape", features}, {"eps", 0.01}}, {{3, 5}}});
  type.samples.push_back(
      {"axes apart", {{"normalized_shape", Json::Array{3, 5}}, {"axes", Json::Array{1, 3}}}, {{2, 3, 4, 5}}});
  type.samples.push_back({"rms_scaling",
                          {{"normalized_shape", features}, {"rms_scaling", true}, {"bias", false}, {"eps", 0.01}},
                          {{3, 4, 5}}});
  type.samples.push_back(
      {"rms_scaling, not affine",
       {{"normalized_shape", Json::Array{4, 5}}, {"rms_scaling", true}, {"elementwise_affine", false}},
       {{3, 4, 5}}});
  return type;
}

LayerType rms_norm() {
  LayerType type = over_axes("RMSNorm", "divides each example by the root of its mean square over some axes",
                             "Zhang and Sennrich 2019; torch/nn/modules/normalization.py; "
                             "keras/src/layers/normalization/rms_normalization.py");
  type.attributes.push_back(
      or_none(epsilon("eps", 1e-6, "added to the mean square; None: the smallest that makes a difference to 1")));
  type.attributes.push_back(boolean("elementwise_affine", true, "whether there is a weight"));
  type.parameters = [](const Attributes& a) -> std::vector<ParameterSpec> {
    if (!a.boolean("elementwise_affine")) return {};
    return {{"weight", a.integers("normalized_shape")}};
  };
  type.layout = {LayoutWish::Neutral,
                 [parameters = type.parameters](LayoutCall& call) { layout(call, parameters(call.attributes())); }};
  type.samples.push_back(
      {"not affine", {{"normalized_shape", Json::Array{5}}, {"elementwise_affine", false}}, {{3, 5}}});
  type.samples.push_back({"not affine, several axes",
                          {{"normalized_shape", Json::Array{4, 5}}, {"elementwise_affine", false}, {"eps", 0.01}},
                          {{3, 4, 5}}});
  type.samples.push_back({"other eps", {{"normalized_shape", Json::Array{5}}, {"eps", 0.01}}, {{3, 5}}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  std::vector<LayerType> result{layer_norm(), rms_norm()};
  for (LayerType& type : function_types()) result.push_back(std::move(type));
  return result;
}

}  // namespace h5bridge::layer_normalization
