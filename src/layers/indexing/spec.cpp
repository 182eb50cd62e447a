#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "h5bridge/error.h"
#include "layers/indexing/by_tensors.h"
#include "layers/indexing/index.h"

namespace h5bridge::indexing {
namespace {

using Shapes = std::vector<SymbolicShape>;

// What takes out elements at places that it names itself.
LayerType part(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes,
               LayoutRule layout) {
  LayerType type = function_type(name, summary, std::move(attributes), std::move(layout));
  type.shapes = [name](const Attributes& a, const Shapes& inputs) -> Shapes {
    return {indexed(items_of(name, a, inputs.at(0).size()), inputs[0])};
  };
  return type;
}

// An index keeps its items with the axes that they are for; new axes of size 1 fit in anywhere.
void index_layout(LayoutCall& call) {
  const Arrangement input = call.input(0);
  if (input.is_original()) return;
  const std::size_t rank = input.axes.size();
  const std::vector<Item> items = items_of("getitem", call.attributes(), rank);
  if (input.flattened) return call.require(0, Arrangement::original(rank));

  std::vector<const Item*> of_axis;  // by the input's axis
  std::vector<std::optional<std::int64_t>>
      axis_of_output;  // the input's axis of each of the output's; none for a new one
  for (const Item& item : items) {
    if (item.kind != Item::Kind::Integer)
      axis_of_output.push_back(
          item.kind == Item::Kind::NewAxis ? std::nullopt : std::optional(static_cast<std::int64_t>(of_axis.size())));
    if (item.kind != Item::Kind::NewAxis) of_axis.push_back(&item);
  }
  std::vector<std::int64_t> order;  // of the output's axes that the input has
  for (const std::int64_t axis : input.axes)
    if (const auto found = std::find(axis_of_output.begin(), axis_of_output.end(), std::optional(axis));
        found != axis_of_output.end())
      order.push_back(found - axis_of_output.begin());
  const Arrangement output = with_free_axes(order, axis_of_output.size(), call, 0);

  Index index;
  auto made = output.axes.begin();
  const auto put_new_axes = [&] {
    for (; made != output.axes.end() && !axis_of_output[*made]; ++made)
      index.items.push_back({.kind = Item::Kind::NewAxis});
  };
  for (const std::int64_t axis : input.axes) {
    put_new_axes();
    index.items.push_back(*of_axis[axis]);
    if (of_axis[axis]->kind != Item::Kind::Integer) ++made;
  }
  put_new_axes();
  call.attributes().set("index", to_text(index));
  call.set_output(0, output);
}

LayerType getitem() {
  LayerType type = part(
      "getitem", "x[...]",
      {required_text("index", "what stands between the brackets: slices, integers, None and ..., separated by commas")},
      {LayoutWish::Neutral, index_layout});
  for (const char* index : {":, 1", "..., 1:3", ":, None, 1:, ::2", ":, -1, ..., None", ":, :-1, :, 1:4:2", "...,"})
    type.samples.push_back({index, {{"index", index}}, {{2, 3, 4, 5}}});
  return type;
}

LayerType slice() {
  LayerType type = part("slice", "the elements of an axis from start to end",
                        {integer("dim", 0, "the axis"),
                         or_none(required_size("start", "the first element; negative ones count from the end")),
                         or_none(required_size("end", "the element after the last one")),
                         integer("step", 1, "the distance from one to the next")},
                        counts_axis("dim"));
  type.samples = {
      {"from the start", {{"dim", 1}, {"end", 2}}, {{2, 3, 4, 5}}},
      {"from the middle", {{"dim", -1}, {"start", 2}}, {{3, 7}}},
      {"counted from the end", {{"dim", 1}, {"start", -3}, {"end", -1}}, {{3, 7}}},
      {"with steps", {{"dim", 2}, {"start", 1}, {"end", 100}, {"step", 2}}, {{1, 3, 6, 5}}},
  };
  return type;
}

LayerType select() {
  LayerType type = part(
      "select", "one element of an axis, which is dropped",
      {required_integer("dim", "the axis"), required_size("index", "the element; negative ones count from the end")},
      drops_axis("dim"));
  type.samples = {{"first", {{"dim", 1}, {"index", 0}}, {{2, 3, 4, 5}}},
                  {"last", {{"dim", -1}, {"index", -1}}, {{2, 3, 4}}}};
  return type;
}

LayerType narrow() {
  LayerType type = part("narrow", "so many elements of an axis",
                        {required_integer("dim", "the axis"), required_size("start", "the first element"),
                         required_size("length", "how many")},
                        counts_axis("dim"));
  type.samples = {{"channels", {{"dim", 1}, {"start", 1}, {"length", 2}}, {{2, 3, 4, 5}}},
                  {"features", {{"dim", -1}, {"start", 2}, {"length", 4}}, {{3, 7}}}};
  return type;
}

// Elements of an axis by their numbers: a second input, or a list.
// The axis is counted anew, whatever number of elements the second input asks for.
void index_select_layout(LayoutCall& call) {
  if (call.input_count() > 1) call.require(1, Arrangement::original(call.input_shape(1).size()));
  const auto rank = static_cast<std::int64_t>(call.input_shape(0).size());
  const std::int64_t axis = resolve_axis(call.attributes().integer("dim"), rank);
  if (call.input(0).flattened && axis == rank - 1) call.require(0, Arrangement::original(call.input_shape(0).size()));
  const Arrangement& input = call.input(0);
  if (!input.is_original()) call.attributes().set("dim", input.stored_axis(axis));
  call.set_output(0, input);
}

LayerType index_select() {
  LayerType type = function_type("index_select", "elements of an axis by their numbers",
                                 {required_integer("dim", "the axis"),
                                  or_none(required_integers("index", "the numbers in place of a second input"))},
                                 {});
  type.dtypes = keeps();
  type.operands = {required("input"), or_attribute(required("index"), "index")};
  type.shapes = [](const Attributes& a, const Shapes& inputs) -> Shapes {
    SymbolicShape result = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()));
    if (a.is_none("index") == (inputs.size() == 1)) throw MalformedFile("it needs a second input, or a list \"index\"");
    if (inputs.size() == 2 && inputs[1].size() != 1)
      throw MalformedFile("its second input has shape " + to_string(inputs[1]) + ", expected one axis");
    if (!a.is_none("index"))
      for (const std::int64_t element : a.integers("index"))
        if (const auto extent = result[axis].value(); extent && (element < -*extent || element >= *extent))
          throw MalformedFile("its index " + std::to_string(element) + " is beyond the " + std::to_string(*extent) +
                              " elements of the axis");
    result[axis] = a.is_none("index") ? inputs[1][0] : Size(static_cast<std::int64_t>(a.integers("index").size()));
    return {result};
  };
  type.layout = {LayoutWish::PassesOn, index_select_layout};
  type.samples = {
      {"a list", {{"dim", 1}, {"index", Json::Array{2, 0, -1}}}, {{2, 3, 4, 5}}},
      {"another axis", {{"dim", -1}, {"index", Json::Array{1}}}, {{3, 7}}},
  };
  return type;
}

LayerType gather(const std::string& name) {
  LayerType type = function_type(name, "elements along an axis, by a tensor of their numbers",
                                 {required_integer("dim", "the axis")}, keeps_original_layout());
  type.operands = {required("input"), required("index")};
  type.dtypes = keeps();
  type.shapes = [name](const Attributes& a, const Shapes& inputs) -> Shapes {
    const SymbolicShape& input = inputs.at(0);
    if (inputs[1].size() != input.size()) throw_misfit(input, inputs[1]);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(input.size()));
    if (name == "gather") return {inputs[1]};
    SymbolicShape values = input;
    values[axis] = inputs[1][axis];
    return {broadcast(values, inputs[1])};
  };
  type.samples = {{"channels", {{"dim", 1}}, {{2, 3, 4}, {2, 5, 4}}}, {"last axis", {{"dim", -1}}, {{3, 7}, {3, 7}}}};
  for (Sample& sample : type.samples) sample.ids_below = 3;
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {getitem(),        slice(),
          select(),         narrow(),
          index_select(),   index_by_tensors(),
          gather("gather"), gather("take_along_dim")};
}

}  // namespace h5bridge::indexing
