// What repeats, turns round or blanks out elements along axes.
#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::repetition {
namespace {

using Shapes = std::vector<SymbolicShape>;

// A list that has a size for each axis is put into the stored order; axes that are new keep the original one.
LayoutRule counts_each_axis(std::string attribute) {
  return {LayoutWish::Neutral, [attribute](LayoutCall& call) {
            const Arrangement input = call.input(0);
            const SymbolicShape list = call.attributes().sizes(attribute);
            if (input.flattened || list.size() != input.axes.size()) return keeps_original_layout().apply(call);
            SymbolicShape stored;
            for (const std::int64_t axis : input.axes) stored.push_back(list[axis]);
            call.attributes().set(attribute, stored);
            call.set_output(0, input);
          }};
}

LayerType expand(const std::string& name) {
  LayerType type =
      function_type(name, "axes of size 1 stretched, without copying",
                    {required_sizes("size", "the new sizes; -1 leaves one as it is")}, counts_each_axis("size"));
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    const SymbolicShape& input = inputs.at(0);
    SymbolicShape result = a.sizes("size");
    if (result.size() < input.size())
      throw MalformedFile("its size " + to_string(result) + " has fewer axes than its input " + to_string(input));
    const std::size_t added = result.size() - input.size();
    for (std::size_t i = 0; i < input.size(); ++i) {
      Size& size = result[added + i];
      if (size == Size(-1)) size = input[i];
      if (size.value() && input[i].value() && input[i] != Size(1) && size != input[i])
        throw_misfit(input, a.sizes("size"));
    }
    return {result};
  };
  type.samples = {
      {"one axis", {{"size", Json::Array{-1, 3, -1}}}, {{2, 1, 4}}},
      {"two axes", {{"size", Json::Array{"batch", 3, 4, 5}}}, {{2, 3, 1, 1}}},
      {"a new axis", {{"size", Json::Array{2, "batch", 4}}}, {{3, 4}}},
  };
  return type;
}

LayerType expand_as() {
  LayerType type =
      function_type("expand_as", "axes of size 1 stretched to the sizes of the second input", {}, any_layout());
  type.operands = {required("input"), required("other")};
  type.dtypes = keeps();
  type.shapes = [](const Attributes&, const Shapes& inputs) -> Shapes { return {broadcast(inputs)}; };
  type.samples = {{"an image", {}, {{2, 3, 1, 1}, {2, 3, 4, 5}}}, {"features", {}, {{3, 1}, {3, 7}}}};
  return type;
}

// `may_be_short`: where there are fewer numbers than axes, they are for the last ones.
LayerType tile(const std::string& name, const std::string& attribute, bool may_be_short) {
  LayerType type = function_type(name, "the whole repeated along axes",
                                 {required_sizes(attribute, "how often, for each axis")}, counts_each_axis(attribute));
  type.shapes = [attribute, may_be_short](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    SymbolicShape counts = a.sizes(attribute);
    if (counts.size() < result.size()) {
      if (!may_be_short)
        throw MalformedFile("its " + attribute + " " + to_string(counts) + " are fewer than the axes of its input " +
                            to_string(result));
      counts.insert(counts.begin(), result.size() - counts.size(), Size(1));
    }
    result.insert(result.begin(), counts.size() - result.size(), Size(1));
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i].value().value_or(0) < 0)
        throw MalformedFile("its " + attribute + " " + to_string(counts) + " have a negative one");
      result[i] = result[i] * counts[i];
    }
    return {result};
  };
  type.samples = {
      {"images", {{attribute, Json::Array{1, 2, 3, 2}}}, {{2, 3, 4, 5}}},
      {"the batch", {{attribute, Json::Array{2, 1}}}, {{3, 7}}},
      {"a new axis", {{attribute, Json::Array{2, 1, 3}}}, {{3, 7}}},
      {"an open number", {{attribute, Json::Array{1, "batch", 2}}}, {{3, 1, 4}}},
      {"an open number in front", {{attribute, Json::Array{"batch", 1, 1}}}, {{3, 4}}},
      {"an open number of several", {{attribute, Json::Array{1, "batch", 2}}}, {{3, 2, 4}}},
  };
  if (may_be_short) type.samples.push_back({"the last axis", {{attribute, Json::Array{2}}}, {{2, 3, 4}}});
  return type;
}

LayerType repeat_interleave() {
  LayerType type = function_type("repeat_interleave", "each element repeated",
                                 {required_integer("repeats", "how often"),
                                  or_none(integer("dim", 0, "the axis; None: of all elements in a row"))},
                                 counts_axis("dim"));
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    const Size count = a.open_integer("repeats");
    if (count.value().value_or(0) < 0) throw MalformedFile("\"repeats\" is " + count.str() + ", expected at least 0");
    if (a.is_none("dim")) return {{element_count(inputs.at(0)) * count}};
    SymbolicShape result = inputs.at(0);
    Size& size = result[resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()))];
    size = size * count;
    return {result};
  };
  type.samples = {{"channels", {{"repeats", 2}, {"dim", 1}}, {{2, 3, 4, 5}}},
                  {"last axis", {{"repeats", 3}, {"dim", -1}}, {{3, 7}}},
                  {"all elements", {{"repeats", 2}}, {{3, 4}}},
                  {"an open number", {{"repeats", "batch + 1"}, {"dim", 1}}, {{3, 2, 4}}}};
  return type;
}

LayerType repeat_vector() {
  LayerType type = function_type("RepeatVector", "features repeated along a new axis behind the batch (Keras's)",
                                 {required_integer("n", "how often")}, keeps_original_layout());
  type.source = "keras/src/layers/reshaping/repeat_vector.py";
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    if (inputs.at(0).size() != 2)
      throw MalformedFile("its input has shape " + to_string(inputs[0]) + ", expected 2 axes");
    const Size n = a.open_integer("n");
    if (n.value().value_or(1) < 1) throw MalformedFile("\"n\" is " + n.str() + ", expected at least 1");
    return {{inputs[0][0], n, inputs[0][1]}};
  };
  type.samples = {{"features", {{"n", 3}}, {{2, 7}}}, {"an open number", {{"n", "batch"}}, {{2, 7}}}};
  return type;
}

LayerType flip() {
  LayerType type = function_type("flip", "elements in the reverse order along axes",
                                 {required_axes("dims", "the axes")}, counts_axis("dims"));
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    axes_in(a, "dims", static_cast<std::int64_t>(inputs.at(0).size()));
    return {inputs[0]};
  };
  type.samples = {{"one axis", {{"dims", Json::Array{1}}}, {{2, 3, 4, 5}}},
                  {"two axes", {{"dims", Json::Array{1, -1}}}, {{2, 3, 4}}},
                  {"the batch", {{"dims", Json::Array{0}}}, {{3, 7}}}};
  return type;
}

LayerType roll() {
  LayerType type = function_type("roll", "elements moved along axes, round the end",
                                 {required_integers("shifts", "how far, for each axis"),
                                  or_none(required_axes("dims", "the axes; None: all elements in a row"))},
                                 counts_axis("dims"));
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    if (!a.is_none("dims") &&
        axes_in(a, "dims", static_cast<std::int64_t>(inputs.at(0).size())).size() != a.open_integers("shifts").size())
      throw MalformedFile("its shifts " + to_string(a.open_integers("shifts")) + " are not as many as its dims " +
                          to_string(a.integers("dims")));
    return {inputs.at(0)};
  };
  type.samples = {
      {"one axis", {{"shifts", 2}, {"dims", 1}}, {{2, 3, 4, 5}}},
      {"two axes", {{"shifts", Json::Array{-1, 3}}, {"dims", Json::Array{1, -1}}}, {{2, 3, 4}}},
      {"all elements", {{"shifts", 5}}, {{3, 7}}},
      {"an open distance", {{"shifts", Json::Array{"2*batch", -1}}, {"dims", Json::Array{1, 2}}}, {{2, 7, 4}}}};
  return type;
}

LayerType triangle(const std::string& name, const std::string& summary) {
  LayerType type = function_type(
      name, summary, {integer("diagonal", 0, "the diagonal that is the border; positive ones are above the main one")},
      keeps_original_layout());
  type.samples = {{"square", {}, {{2, 4, 4}}},
                  {"above", {{"diagonal", 1}}, {{2, 3, 5}}},
                  {"below", {{"diagonal", -1}}, {{2, 4, 3}}},
                  {"an open diagonal", {{"diagonal", "batch - 1"}}, {{2, 4, 5}}}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      expand("expand"),
      expand("broadcast_to"),
      expand_as(),
      tile("repeat", "repeats", false),
      tile("tile", "dims", true),
      repeat_interleave(),
      repeat_vector(),
      flip(),
      roll(),
      triangle("tril", "the lower triangle of matrices, zeros elsewhere"),
      triangle("triu", "the upper triangle of matrices, zeros elsewhere"),
  };
}

}  // namespace h5bridge::repetition
