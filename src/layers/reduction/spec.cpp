#include <algorithm>

#include <limits>

#include "h5bridge/error.h"
#include "layers/axes.h"
#include "layers/layer_type.h"

namespace h5bridge::reduction {
namespace {

SymbolicShape reduced(const SymbolicShape& input, const std::vector<std::int64_t>& axes, bool keepdim) {
  SymbolicShape result;
  for (std::size_t i = 0; i < input.size(); ++i) {
    const bool is_reduced = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    if (!is_reduced)
      result.push_back(input[i]);
    else if (keepdim)
      result.push_back(1);
  }
  return result;
}

LayerType function(const std::string& name, const std::string& summary, AttributeSpec dim) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/_torch_docs.py; keras/src/ops/numpy.py";
  type.attributes = {std::move(dim)};
  return type;
}

// What makes one number of the elements along axes.
LayerType reduction(const std::string& name, const std::string& summary, AttributeSpec dim, std::vector<AttributeSpec> others = {}) {
  LayerType type = function(name, summary, std::move(dim));
  type.attributes.push_back(boolean("keepdim", false, "whether the axes stay, with size 1"));
  type.attributes.insert(type.attributes.end(), others.begin(), others.end());
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    return {reduced(input, axes_in(a, "dim", static_cast<std::int64_t>(input.size())), a.boolean("keepdim"))};
  };
  type.layout = reduces_axes();
  type.samples = {
      {"one axis", {{"dim", 1}}, {{2, 3, 4, 5}}},
      {"an axis from the end, kept", {{"dim", -1}, {"keepdim", true}}, {{3, 7}}},
  };
  return type;
}

LayerType over_axes(const std::string& name, const std::string& summary, std::vector<AttributeSpec> others = {}) {
  LayerType type = reduction(name, summary, axes_or_all("dim", "the axes; None means all"), std::move(others));
  type.samples.push_back({"several axes", {{"dim", Json::Array{2, -1}}}, {{2, 3, 4, 4}}});
  type.samples.push_back({"several axes, kept", {{"dim", Json::Array{3, 1}}, {"keepdim", true}}, {{1, 3, 4, 5}}});
  type.samples.push_back({"all axes", {}, {{2, 3, 4}}});
  return type;
}

LayerType over_axis_or_all(const std::string& name, const std::string& summary) {
  LayerType type = reduction(name, summary, or_none(integer("dim", 0, "the axis; None means all")));
  type.samples.push_back({"all axes", {}, {{2, 3, 4}}});
  return type;
}

// The places of elements among all others: with all axes, those in their original order.
LayerType place(const std::string& name, const std::string& summary) {
  LayerType type = over_axis_or_all(name, summary);
  type.layout = reduces_axes(true);
  return type;
}

// With an axis, the extreme elements and their places.
LayerType extreme(const std::string& name, const std::string& summary) {
  LayerType type = place(name, summary);
  type.shapes = [shapes = type.shapes](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    std::vector<SymbolicShape> result = shapes(a, inputs);
    if (!a.is_none("dim")) result.push_back(result[0]);
    return result;
  };
  return type;
}

LayerType moment(const std::string& name, const std::string& summary) {
  LayerType type = over_axes(name, summary, {number("correction", 1, "what the number of elements is diminished by")});
  type.samples.push_back({"without correction", {{"dim", 1}, {"correction", 0}}, {{3, 7}}});
  type.samples.push_back({"without correction, kept", {{"dim", -1}, {"correction", 0}, {"keepdim", true}}, {{2, 3, 5}}});
  type.samples.push_back({"a correction of 2", {{"dim", Json::Array{1, 2}}, {"correction", 2}, {"keepdim", true}}, {{2, 3, 4, 5}}});
  return type;
}

LayerType along_axis(const std::string& name, const std::string& summary) {
  LayerType type = function(name, summary, required_integer("dim", "the axis"));
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    axes_in(a, "dim", static_cast<std::int64_t>(inputs.at(0).size()));
    return {inputs[0]};
  };
  type.layout = counts_axis("dim");
  type.samples = {{"one axis", {{"dim", 1}}, {{2, 3, 4, 5}}}, {"an axis from the end", {{"dim", -1}}, {{3, 7}}}};
  return type;
}

LayerType norm() {
  LayerType type = over_axes("norm", "norm of the elements as a vector", {number("p", 2, "the exponent; infinity gives the largest, 0 counts")});
  for (const double p : {1.0, 3.0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    type.samples.push_back({"p = " + Json(p).dump(), {{"p", p}, {"dim", 1}}, {{2, 3, 4, 5}}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType logsumexp = reduction("logsumexp", "log(sum(exp(x)))", required_axes("dim", "the axes"));
  logsumexp.samples.push_back({"several axes", {{"dim", Json::Array{1, -1}}}, {{2, 3, 4}}});
  return {
      over_axes("mean", "mean over axes"),
      over_axes("sum", "sum over axes"),
      over_axis_or_all("prod", "product over an axis or all"),
      over_axes("amax", "the largest elements over axes"),
      over_axes("amin", "the smallest elements over axes"),
      extreme("max", "the largest elements over an axis, and their places; or the largest of all"),
      extreme("min", "the smallest elements over an axis, and their places; or the smallest of all"),
      moment("std", "standard deviation over axes"),
      moment("var", "variance over axes"),
      place("argmax", "places of the largest elements"),
      place("argmin", "places of the smallest elements"),
      over_axes("all", "whether all elements are true"),
      over_axes("any", "whether any element is true"),
      std::move(logsumexp),
      norm(),
      along_axis("cumsum", "sums so far along an axis"),
      along_axis("cumprod", "products so far along an axis"),
  };
}

}  // namespace h5bridge::reduction
