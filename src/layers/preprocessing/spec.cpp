#include <algorithm>
#include <functional>
#include <numeric>

#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::preprocessing {
namespace {

const char* kSource = "keras/src/layers/preprocessing/";

AttributeSpec numbers_of(std::string name, double fallback, std::string meaning) {
  AttributeSpec spec = required_numbers(std::move(name), 0, std::move(meaning));
  spec.fallback = std::vector<double>{fallback};
  return spec;
}

// A number by itself, or one for each element of an axis, which follows where its axis is stored.
LayerType rescaling() {
  LayerType type;
  type.name = "Rescaling";
  type.integers = Integers::BecomeFloats;
  type.mask = passes_mask();
  type.dtypes = promotes().at_least_float();
  type.summary = "multiplies by numbers and adds others";
  type.source = std::string(kSource) + "rescaling.py";
  AttributeSpec scale =
      required_numbers("scale", 0, "what is multiplied by: one number, or one for each element of the axis");
  type.attributes = {scale, numbers_of("offset", 0, "what is added, likewise"),
                     integer("axis", -1, "the axis of several numbers")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const SymbolicShape& input = inputs.at(0);
    const Size& size = input.at(resolve_axis(a.integer("axis"), static_cast<std::int64_t>(input.size())));
    for (const char* name : {"scale", "offset"})
      if (const std::size_t count = a.numbers(name).size();
          count != 1 && size != Size(static_cast<std::int64_t>(count)))
        throw MalformedFile("its input has shape " + to_string(input) + ", which " + std::to_string(count) +
                            " numbers do not fit");
    return inputs;
  };
  type.layout = {LayoutWish::PassesOn, [](LayoutCall& call) {
                   const bool alike = call.attributes().numbers("scale").size() == 1 &&
                                      call.attributes().numbers("offset").size() == 1;
                   return alike ? any_layout().apply(call) : counts_axis("axis").apply(call);
                 }};
  type.samples = {
      {"numbers", {{"scale", 0.25}, {"offset", -1.5}}, {{2, 3, 4, 5}}},
      {"along the channels",
       {{"scale", Json::Array{0.5, 2.0, -1.5}}, {"offset", Json::Array{1.0, 0.0, 2.5}}, {"axis", 1}},
       {{2, 3, 4, 5}}},
      {"along the last axis", {{"scale", Json::Array{0.5, 2.0, -1.5}}}, {{2, 4, 3}}},
  };
  return type;
}

std::int64_t product(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// What has been adapted to data is in buffers, what was given in attributes.
LayerType normalization() {
  LayerType type;
  type.name = "Normalization";
  type.integers = Integers::BecomeFloats;
  type.mask = passes_mask();
  type.dtypes = promotes().at_least_float();
  type.summary = "takes a known mean off and divides by a known deviation";
  type.source = std::string(kSource) + "normalization.py";
  const char* given = "one for all, or one for each element of the axes; None: adapted to data";
  type.attributes = {
      required_integers("axes", "axes whose elements have a mean of their own each, in increasing order"),
      required_integers("sizes", "the sizes of these axes"),
      or_none(required_numbers("mean", 0, std::string("means: ") + given)),
      or_none(required_numbers("variance", 0, std::string("variances: ") + given)),
      boolean("invert", false, "whether it multiplies and adds instead"),
  };
  type.check = [](const Attributes& a) {
    if (a.integers("axes").size() != a.integers("sizes").size())
      throw MalformedFile("\"axes\" and \"sizes\" differ in length");
    for (const std::int64_t size : a.integers("sizes"))
      if (size < 1) throw MalformedFile("\"sizes\" has " + std::to_string(size) + ", expected at least 1");
    if (a.is_none("mean") != a.is_none("variance")) throw MalformedFile("\"mean\" and \"variance\" go together");
    for (const char* name : {"mean", "variance"})
      if (!a.is_none(name) && a.numbers(name).size() != 1 &&
          static_cast<std::int64_t>(a.numbers(name).size()) != product(a.integers("sizes")))
        throw MalformedFile("\"" + std::string(name) + "\" has " + std::to_string(a.numbers(name).size()) +
                            " numbers, which the axes do not fit");
  };
  type.parameters = [](const Attributes& a) -> std::vector<ParameterSpec> {
    if (!a.is_none("mean")) return {};
    return {{"mean", a.integers("sizes"), Role::Buffer},
            {"variance", a.integers("sizes"), Role::Buffer},
            {"count", {}, Role::Buffer, DType::Int32}};
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const SymbolicShape& input = inputs.at(0);
    for (std::size_t i = 0; i < a.integers("axes").size(); ++i)
      if (input[resolve_axis(a.integers("axes")[i], static_cast<std::int64_t>(input.size()))] !=
          Size(a.integers("sizes")[i]))
        throw MalformedFile("its input has shape " + to_string(input) + ", which the sizes of its axes do not fit");
    return inputs;
  };
  type.layout = {
      LayoutWish::PassesOn, [](LayoutCall& call) {
        any_layout().apply(call);
        const Arrangement input = call.input(0);
        std::vector<std::int64_t> stored;
        for (const std::int64_t axis : call.attributes().integers("axes"))
          stored.push_back(input.stored_axis(resolve_axis(axis, static_cast<std::int64_t>(input.axes.size()))));
        if (input.flattened || !std::is_sorted(stored.begin(), stored.end())) {
          call.require(0, Arrangement::original(input.axes.size()));
          return call.set_output(0, Arrangement::original(input.axes.size()));
        }
        if (!input.is_original()) call.attributes().set("axes", stored);
      }};
  const Json::Array channels{1};
  type.samples = {
      {"adapted", {{"axes", channels}, {"sizes", Json::Array{3}}}, {{2, 3, 4, 5}}},
      {"adapted, all alike", {{"axes", Json::Array{}}, {"sizes", Json::Array{}}}, {{2, 3, 4, 5}}},
      {"adapted, several axes",
       {{"axes", Json::Array{2, 3}}, {"sizes", Json::Array{4, 5}}, {"invert", true}},
       {{2, 3, 4, 5}}},
      {"given",
       {{"axes", Json::Array{-1}},
        {"sizes", Json::Array{3}},
        {"mean", Json::Array{1.0, -0.5, 0.25}},
        {"variance", Json::Array{0.5, 2.0, 1.5}}},
       {{4, 3}}},
      {"one for all, inverted",
       {{"axes", channels}, {"sizes", Json::Array{3}}, {"mean", 0.5}, {"variance", 3.0}, {"invert", true}},
       {{2, 3, 4}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {rescaling(), normalization()}; }

}  // namespace h5bridge::preprocessing
