#include <algorithm>
#include <numeric>

#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "layers/shape/axis_order.h"

namespace h5bridge::shape {
namespace {

std::int64_t start_of(const Attributes& a, std::size_t rank) {
  return resolve_axis(a.integer("start_dim"), static_cast<std::int64_t>(rank));
}
std::int64_t end_of(const Attributes& a, std::size_t rank) {
  return resolve_axis(a.integer("end_dim"), static_cast<std::int64_t>(rank));
}

// Whether the flatten moves the channels to the end in the new model: only Keras's does.
bool stays_channels_first(LayoutCall& call) {
  const bool now = call.attributes().boolean("channels_last_order");
  if (call.wants_channels_last()) return now && call.input(0).is_original();
  return call.wants_keras() && (now || call.keras().folded_format);
}

void become_reshape(LayoutCall& call, const SymbolicShape& stored) {
  Attributes reshape;
  reshape.set("shape", stored);
  call.become("reshape", std::move(reshape));
}

// A flatten of all but the batch. What the stored axes are in another order for, the elements that come out are, too;
// that is for the consumer to undo (a dense layer reorders its weights once, and nothing is moved at run time).
void flatten_layout(LayoutCall& call) {
  const SymbolicShape& shape = call.input_shape(0);
  const std::size_t rank = shape.size();
  const Arrangement input = call.input(0);
  const bool moves_channels = call.attributes().boolean("channels_last_order") && rank > 2;
  const bool will_move = rank > 2 && stays_channels_first(call);
  const auto extents = fixed(SymbolicShape(shape.begin() + 1, shape.end()));
  const bool whole =
      start_of(call.attributes(), rank) == 1 && end_of(call.attributes(), rank) == static_cast<std::int64_t>(rank) - 1;
  if (input.is_original() && will_move == moves_channels) return;
  if (!whole) return reshapes(become_reshape).apply(call);
  if (!extents || input.axes[0] != 0 || !call.may_reorder()) return call.require(0, Arrangement::original(rank));

  // Axis j of the original order is axis moved[j] of the original input; likewise for the new order and the stored
  // input.
  const Arrangement moved = moves_channels ? channels_moved(rank, true) : Arrangement::original(rank);
  const Arrangement will_be = will_move ? channels_moved(rank, true) : Arrangement::original(rank);
  FlattenedOrder order;
  for (std::size_t j = 1; j < rank; ++j) order.extents.push_back((*extents)[moved.axes[j] - 1]);
  for (std::size_t k = 1; k < rank; ++k) order.order.push_back(moved.stored_axis(input.axes[will_be.axes[k]]) - 1);
  call.attributes().set("channels_last_order", will_move);
  if (moves_channels) call.keras().folded_format = DataFormat::ChannelsFirst;
  if (will_move) call.keras().folded_format.reset();

  // Axes of size 1 do not count: a global pooling's output is in no other order.
  std::vector<std::int64_t> significant;
  std::copy_if(order.order.begin(), order.order.end(), std::back_inserter(significant),
               [&](std::int64_t axis) { return order.extents[axis] != 1; });
  Arrangement output = Arrangement::original(2);
  if (!std::is_sorted(significant.begin(), significant.end())) output.flattened = std::move(order);
  call.set_output(0, std::move(output));
}

LayerType flatten() {
  LayerType type;
  type.name = "Flatten";
  type.keeps_rows_apart = [](const Attributes& a) { return a.integer("start_dim") > 0; };
  type.summary = "joins axes into one";
  type.source = "torch/nn/modules/flatten.py; keras/src/layers/reshaping/flatten.py";
  type.attributes = {
      integer("start_dim", 1, "the first axis"),
      integer("end_dim", -1, "the last axis"),
      boolean("channels_last_order", false,
              "Keras's, for data_format channels_first: axis 1 is moved to the end before"),
  };
  type.check = [](const Attributes& a) {
    if (a.boolean("channels_last_order") && (a.integer("start_dim") != 1 || a.integer("end_dim") != -1))
      throw MalformedFile("\"channels_last_order\" is only for a flatten of all axes but the batch");
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    const std::int64_t start = start_of(a, input.size());
    const std::int64_t end = end_of(a, input.size());
    if (start > end)
      throw MalformedFile("its start_dim " + std::to_string(start) + " is behind its end_dim " + std::to_string(end));
    SymbolicShape result(input.begin(), input.begin() + start);
    result.push_back(element_count(SymbolicShape(input.begin() + start, input.begin() + end + 1)));
    result.insert(result.end(), input.begin() + end + 1, input.end());
    return {result};
  };
  type.layout = {LayoutWish::Neutral, flatten_layout};
  type.samples = {
      {"all but the batch", {}, {{2, 3, 4, 5}}},
      {"nothing to do", {}, {{3, 7}}},
      {"some axes", {{"start_dim", 2}}, {{2, 3, 4, 5}}},
      {"the first axes", {{"start_dim", 0}, {"end_dim", 1}}, {{2, 3, 4}}},
      {"channels last order", {{"channels_last_order", true}}, {{2, 3, 4, 5}}},
  };
  return type;
}

// The sizes with -1 replaced by what is left over.
SymbolicShape reshaped(const SymbolicShape& wanted, const SymbolicShape& input) {
  SymbolicShape result = wanted;
  const Size all = element_count(input);
  Size known(1);
  Size* left_over = nullptr;
  for (Size& size : result) {
    if (size != Size(-1)) {
      known = known * size;
    } else if (left_over) {
      throw MalformedFile("its shape " + to_string(wanted) + " has more than one -1");
    } else {
      left_over = &size;
    }
  }
  if (left_over) {
    if (known == Size(0)) throw MalformedFile("its shape " + to_string(wanted) + " leaves -1 undetermined");
    *left_over = all.floor_divide(known);
  }
  if (const Size made = element_count(result); made.value() && all.value() && made != all)
    throw MalformedFile("its shape " + to_string(wanted) + " does not hold the " + all.str() +
                        " elements of its input " + to_string(input));
  return result;
}

LayerType reshape(const std::string& name) {
  LayerType type;
  type.name = name;
  type.summary = "the same elements under another shape";
  type.source = "torch/_tensor_docs.py; keras/src/layers/reshaping/reshape.py";
  type.attributes = {required_sizes("shape", "the new shape; one size may be -1, and sizes may be symbols")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    return {reshaped(a.sizes("shape"), inputs.at(0))};
  };
  // Mostly it is a flatten in other words; any other reshape needs the elements in their original order.
  type.layout = {
      LayoutWish::Neutral, [](LayoutCall& call) {
        const SymbolicShape& input = call.input_shape(0);
        const SymbolicShape& output = call.output_shape(0);
        const bool flattens = output.size() == 2 && input.size() > 2 && output[0] == input[0];
        if (!flattens)
          return reshapes([](LayoutCall& c, const SymbolicShape& stored) { c.attributes().set("shape", stored); })
              .apply(call);
        Attributes flatten_all;
        flatten_all.set("start_dim", std::int64_t{1});
        flatten_all.set("end_dim", std::int64_t{-1});
        flatten_all.set("channels_last_order", false);
        call.become("Flatten", flatten_all);
        flatten_layout(call);
      }};
  type.samples = {
      {"flatten", {{"shape", Json::Array{-1, 60}}}, {{2, 3, 4, 5}}},
      {"split an axis", {{"shape", Json::Array{-1, 3, 2, 2}}}, {{3, 12}}},
      {"by symbols", {{"shape", Json::Array{"batch", -1}}}, {{3, 4, 5}}},
      {"with the batch", {{"shape", Json::Array{-1, 2, 2}}}, {{3, 4, 5}}},
  };
  return type;
}

LayerType unflatten() {
  LayerType type;
  type.name = "Unflatten";
  type.summary = "takes an axis apart into several";
  type.source = "torch/nn/modules/flatten.py";
  type.attributes = {
      required_integer("dim", "the axis"),
      required_sizes("unflattened_size", "the sizes of its parts; one may be -1, and they may be symbols")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const SymbolicShape& input = inputs.at(0);
    const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(input.size()));
    const SymbolicShape apart = reshaped(a.sizes("unflattened_size"), {input[axis]});
    SymbolicShape result(input.begin(), input.begin() + axis);
    result.insert(result.end(), apart.begin(), apart.end());
    result.insert(result.end(), input.begin() + axis + 1, input.end());
    return {result};
  };
  type.layout = reshapes(become_reshape);
  type.samples = {
      {"features", {{"dim", 1}, {"unflattened_size", Json::Array{3, -1}}}, {{3, 12}}},
      {"channels", {{"dim", -3}, {"unflattened_size", Json::Array{2, 2}}}, {{2, 4, 3, 5}}},
      {"the batch", {{"dim", 0}, {"unflattened_size", Json::Array{"batch", 1}}}, {{3, 4}}},
  };
  return type;
}

LayerType squeeze() {
  LayerType type;
  type.name = "squeeze";
  type.summary = "drops axes of size 1";
  type.source = "torch/_torch_docs.py; keras/src/ops/numpy.py";
  type.attributes = {axes_or_all("dim", "the axes that are dropped if their size is 1; None means all such")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    const std::vector<std::int64_t> dropped = squeezed_axes(a, inputs.at(0));
    SymbolicShape result;
    for (std::size_t i = 0; i < inputs[0].size(); ++i)
      if (std::find(dropped.begin(), dropped.end(), static_cast<std::int64_t>(i)) == dropped.end())
        result.push_back(inputs[0][i]);
    return {result};
  };
  type.layout = reshapes(become_reshape);
  type.samples = {
      {"one axis", {{"dim", 1}}, {{3, 1, 4}}},
      {"several axes", {{"dim", Json::Array{-1, 2}}}, {{2, 3, 1, 1}}},
      {"all such axes", {}, {{2, 1, 4, 1}}},
      {"nothing to drop", {{"dim", 1}}, {{3, 7}}},
  };
  return type;
}

LayerType unsqueeze() {
  LayerType type;
  type.name = "unsqueeze";
  type.summary = "adds an axis of size 1";
  type.source = "torch/_torch_docs.py; keras/src/ops/numpy.py";
  type.attributes = {required_integer("dim", "the new axis, counted in the output")};
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape result = inputs.at(0);
    result.insert(result.begin() + resolve_axis(a.integer("dim"), static_cast<std::int64_t>(result.size()) + 1),
                  Size(1));
    return {result};
  };
  type.layout = adds_axis("dim");
  type.samples = {{"behind the batch", {{"dim", 1}}, {{3, 4, 5}}},
                  {"at the end", {{"dim", -1}}, {{3, 7}}},
                  {"before the batch", {{"dim", 0}}, {{3, 7}}}};
  return type;
}

// Moving axes costs nothing: the elements stay where they are, and what comes out is arranged otherwise.
LayerType axes_moved(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes) {
  const auto order = [name](const Attributes& a, std::int64_t rank) { return order_of(name, a, rank); };
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = "torch/_torch_docs.py; keras/src/layers/reshaping/permute.py";
  type.attributes = std::move(attributes);
  type.shapes = [order](const Attributes& a, const std::vector<SymbolicShape>& inputs) -> std::vector<SymbolicShape> {
    SymbolicShape result;
    for (const std::int64_t axis : order(a, static_cast<std::int64_t>(inputs.at(0).size())))
      result.push_back(inputs[0][axis]);
    return {result};
  };
  type.layout = {LayoutWish::Neutral, [order](LayoutCall& call) {
                   const Arrangement input = call.input(0);
                   const auto rank = static_cast<std::int64_t>(input.axes.size());
                   const std::vector<std::int64_t> dims = order(call.attributes(), rank);
                   if (input.flattened) return keeps_original_layout().apply(call);
                   if (call.is_keras_own()) {
                     std::vector<std::int64_t> stored;
                     for (const std::int64_t axis : dims) stored.push_back(input.stored_axis(axis));
                     Attributes permute;
                     permute.set("dims", stored);
                     return call.become("permute", std::move(permute));
                   }
                   Arrangement output = input;
                   for (std::int64_t& axis : output.axes)
                     axis = std::find(dims.begin(), dims.end(), axis) - dims.begin();
                   call.vanish();
                   call.set_output(0, output);
                 }};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType permute = axes_moved("permute", "puts the axes into another order",
                                 {required_integers("dims", "the input's axis for each of the output's")});
  permute.samples = {{"image", {{"dims", Json::Array{0, 3, 2, 1}}}, {{2, 3, 4, 5}}},
                     {"equal extents", {{"dims", Json::Array{0, -1, 1}}}, {{2, 3, 3}}},
                     {"with the batch", {{"dims", Json::Array{1, 0, 2}}}, {{2, 3, 4}}}};
  LayerType transpose = axes_moved("transpose", "exchanges two axes",
                                   {required_integer("dim0", "one axis"), required_integer("dim1", "the other")});
  transpose.samples = {{"image", {{"dim0", 1}, {"dim1", -1}}, {{2, 3, 4, 5}}},
                       {"with the batch", {{"dim0", 1}, {"dim1", 0}}, {{2, 3, 4}}}};
  LayerType movedim = axes_moved("movedim", "moves axes to other places",
                                 {required_axes("source", "the axes"), required_axes("destination", "their places")});
  movedim.samples = {
      {"one axis", {{"source", 1}, {"destination", -1}}, {{2, 3, 4, 5}}},
      {"two axes", {{"source", Json::Array{1, 2}}, {"destination", Json::Array{-1, 1}}}, {{2, 3, 4, 5}}}};
  return {flatten(), unflatten(), reshape("view"), reshape("reshape"), squeeze(), unsqueeze(),
          permute,   transpose,   movedim};
}

}  // namespace h5bridge::shape
