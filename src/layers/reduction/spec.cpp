#include <algorithm>
#include <limits>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

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

// What makes one number of the elements along axes.
LayerType reduction(const std::string& name, const std::string& summary, AttributeSpec dim,
                    std::vector<AttributeSpec> others = {}) {
  LayerType type = function_type(name, summary, {std::move(dim)});
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
  type.dtypes = gives(DType::Int64);
  return type;
}

// With an axis, the extreme elements and their places.
LayerType extreme(const std::string& name, const std::string& summary) {
  LayerType type = place(name, summary);
  type.dtypes = {keeps(), gives(DType::Int64)};
  type.shapes = [shapes = type.shapes](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    std::vector<SymbolicShape> result = shapes(a, inputs);
    if (!a.is_none("dim")) result.push_back(result[0]);
    return result;
  };
  return type;
}

LayerType of_floats(LayerType type) {
  type.integers = Integers::BecomeFloats;
  type.dtypes = promotes().at_least_float();
  return type;
}

// Sums and products of small integers may be large.
LayerType of_large(LayerType type) {
  type.dtypes = promotes().at_least_int64();
  return type;
}

LayerType truth(LayerType type) {
  type.dtypes = gives_truth();
  return type;
}

LayerType moment(const std::string& name, const std::string& summary) {
  LayerType type = over_axes(name, summary, {number("correction", 1, "what the number of elements is diminished by")});
  type.samples.push_back({"without correction", {{"dim", 1}, {"correction", 0}}, {{3, 7}}});
  type.samples.push_back(
      {"without correction, kept", {{"dim", -1}, {"correction", 0}, {"keepdim", true}}, {{2, 3, 5}}});
  type.samples.push_back(
      {"a correction of 2", {{"dim", Json::Array{1, 2}}, {"correction", 2}, {"keepdim", true}}, {{2, 3, 4, 5}}});
  return type;
}

LayerType along_axis(const std::string& name, const std::string& summary) {
  LayerType type = function_type(name, summary,
                                 {nullable(required_integer("dim", "the axis; Keras's None: all elements in a row"))});
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    if (a.is_none("dim")) return {{element_count(inputs.at(0))}};
    axes_in(a, "dim", static_cast<std::int64_t>(inputs.at(0).size()));
    return {inputs[0]};
  };
  type.layout = counts_axis("dim");
  type.samples = {{"one axis", {{"dim", 1}}, {{2, 3, 4, 5}}},
                  {"an axis from the end", {{"dim", -1}}, {{3, 7}}},
                  {"all elements", {{"dim", nullptr}}, {{2, 3, 4}}}};
  return type;
}

LayerType difference() {
  LayerType type = function_type("diff", "differences of neighbours along an axis", {integer("dim", -1, "the axis")});
  type.attributes.push_back(integer("n", 1, "how often"));
  type.check = [](const Attributes& a) {
    if (a.integer("n") < 0) throw MalformedFile("\"n\" is " + std::to_string(a.integer("n")) + ", expected at least 0");
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape result = inputs.at(0);
    Size& size = result[resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()))];
    size = size - Size(a.integer("n"));
    if (size.value().value_or(0) < 0) size = 0;
    return {result};
  };
  type.layout = counts_axis("dim");
  type.samples = {{"last axis", {}, {{3, 7}}},
                  {"twice", {{"n", 2}, {"dim", 1}}, {{2, 5, 4, 3}}},
                  {"an axis from the end", {{"n", 3}, {"dim", -2}}, {{2, 5, 4}}}};
  return type;
}

// Counts where it is not 0; without keepdim.
LayerType count_nonzero() {
  LayerType type =
      function_type("count_nonzero", "how many elements are not 0", {axes_or_all("dim", "the axes; None means all")});
  type.dtypes = gives(DType::Int64);
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    return {reduced(input, axes_in(a, "dim", static_cast<std::int64_t>(input.size())), false)};
  };
  type.samples = {{"one axis", {{"dim", 1}}, {{2, 5, 4, 3}}},
                  {"several axes", {{"dim", Json::Array{-1, 1}}}, {{2, 3, 4}}},
                  {"all axes", {}, {{2, 3, 4}}}};
  for (Sample& sample : type.samples) sample.ids_below = 3;
  return type;
}

// Keras's have a bound besides.
LayerType bounded(LayerType type) {
  type.attributes.push_back(or_none(number("initial", 0, "Keras's: an element besides those of the input")));
  type.samples.push_back({"a bound", {{"dim", 1}, {"initial", 0.25}}, {{2, 3, 4, 5}}});
  type.samples.push_back({"a bound of all axes", {{"initial", -0.5}}, {{2, 3, 4}}});
  return type;
}

LayerType norm() {
  LayerType type = over_axes("norm", "norm of the elements as a vector",
                             {number("p", 2, "the exponent; infinity gives the largest, 0 counts")});
  for (const double p : {1.0, 3.0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    type.samples.push_back({"p = " + Json(p).dump(), {{"p", p}, {"dim", 1}}, {{2, 3, 4, 5}}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType logsumexp = reduction("logsumexp", "log(sum(exp(x)))", required_axes("dim", "the axes"));
  logsumexp.samples.push_back({"several axes", {{"dim", Json::Array{1, -1}}}, {{2, 3, 4}}});
  return {
      of_floats(over_axes("mean", "mean over axes")),
      of_large(over_axes("sum", "sum over axes")),
      of_floats(over_axes("nanmean", "mean over axes of what is a number")),
      of_large(over_axes("nansum", "sum over axes of what is a number")),
      of_large(over_axes("prod", "product over an axis or all; over several, as Keras has it")),
      bounded(over_axes("amax", "the largest elements over axes")),
      bounded(over_axes("amin", "the smallest elements over axes")),
      count_nonzero(),
      difference(),
      extreme("max", "the largest elements over an axis, and their places; or the largest of all"),
      extreme("min", "the smallest elements over an axis, and their places; or the smallest of all"),
      of_floats(moment("std", "standard deviation over axes")),
      of_floats(moment("var", "variance over axes")),
      place("argmax", "places of the largest elements"),
      place("argmin", "places of the smallest elements"),
      truth(over_axes("all", "whether all elements are true")),
      truth(over_axes("any", "whether any element is true")),
      of_floats(std::move(logsumexp)),
      of_floats(norm()),
      of_large(along_axis("cumsum", "sums so far along an axis")),
      of_large(along_axis("cumprod", "products so far along an axis")),
  };
}

}  // namespace h5bridge::reduction
