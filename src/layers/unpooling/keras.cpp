#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/unpooling/sizes.h"

namespace h5bridge::unpooling {
namespace {

using Handle = KerasEmitter::Handle;

// Inputs and output with their spatial axes as one, the axis `axis`.
struct Rows {
  const Attributes& a;
  KerasEmitter& emitter;
  std::size_t axes = a.integers("kernel_size").size();
  bool is_last = a.text("data_format") == "channels_last";
  std::int64_t axis = is_last ? 1 : 2;
  SymbolicShape input = emitter.input_shapes()[0];
  Size channels = input[channel_axis(a, static_cast<std::int64_t>(input.size()))];
  Size count = element_count(spatial_sizes(a, input, axes));
  Size output_count = element_count(spatial_sizes(a, emitter.output_shape(), axes));

  SymbolicShape row_shape() const {
    return is_last ? SymbolicShape{input[0], count, channels} : SymbolicShape{input[0], channels, count};
  }

  Handle reshape(const std::string& suffix, Handle x, const SymbolicShape& shape) const {
    Json::Array target;
    for (std::size_t i = 1; i < shape.size(); ++i) target.push_back(shape[i].value().value_or(-1));
    if (std::count(target.begin(), target.end(), Json(-1)) > 1)
      throw Unsupported("its sizes " + to_string(shape) +
                        " are open on several axes, and Keras's Reshape takes one; LoadOptions::fix_sizes may help");
    return emitter
        .call({.suffix = suffix,
               .class_name = "Reshape",
               .config = {{"target_shape", target}},
               .arguments = {x},
               .outputs = {shape}})
        .at(0);
  }
};

// 0, 1, 2, ... along the output's elements in a row, for each channel of each image: the input's places are repeated
// until there are enough of them.
Handle emit_output_places(const Rows& rows, Composition& steps, Handle places) {
  SymbolicShape shape = rows.row_shape();
  const Handle ones = steps.apply("OnesLike", {places}, shape, {{"dtype", "int32"}});
  std::int64_t times = 1;
  for (const Window& window : windows_of(rows.a)) times *= window.stride;
  const bool is_multiple = rows.output_count == rows.count * Size(times);
  if (!is_multiple) {
    if (!rows.count.value() || !rows.output_count.value())
      throw Unsupported("an output of " + rows.output_count.str() + " elements of an input of " + rows.count.str() +
                        " has no Keras operation; LoadOptions::fix_sizes may help");
    times = *rows.output_count.value() / *rows.count.value() + 1;
  }
  shape[rows.axis] = rows.count * Size(times);
  Handle enough = steps.apply("Repeat", {ones}, shape, {{"repeats", times}, {"axis", rows.axis}});
  if (!is_multiple) enough = steps.cut(enough, rows.axis, {.stop = rows.output_count.value()});
  const Handle sums = steps.apply("Cumsum", {enough}, steps.shape(enough), {{"axis", rows.axis}});
  return steps.elementwise("Subtract", {sums, Json(1)});
}

// Keras has no scattering for an open batch, but it sorts: each place of the output looks for the place of the input
// that comes just before it, and takes its element if they are equal. Of places named twice the last one counts.
KerasEmitter::Results lower(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  const Rows rows{a, emitter};
  Composition steps(emitter);
  const bool in_a_row = rows.axes == 1;
  const Handle values = in_a_row ? emitter.input(0) : rows.reshape("values", emitter.input(0), rows.row_shape());
  const Handle indices =
      steps.cast(in_a_row ? emitter.input(1) : rows.reshape("places", emitter.input(1), rows.row_shape()), "int32");
  const Handle outputs = emit_output_places(rows, steps, indices);

  // Even numbers for the input's places, the odd ones behind them for the output's.
  const auto sort = [&](Handle x) { return steps.apply("Argsort", {x}, steps.shape(x), {{"axis", rows.axis}}); };
  const Handle wanted = steps.elementwise("Multiply", {outputs, Json(2)});
  const Handle keys = steps.concatenate(
      {steps.elementwise("Multiply", {indices, Json(2)}), steps.elementwise("Add", {wanted, Json(1)})}, rows.axis);
  const Handle order = sort(keys);
  const Handle behind =
      steps.elementwise("Add", {outputs, steps.size(values, rows.axis)});  // where among the keys they stand
  const Handle own = steps.take_along(sort(order), behind, rows.axis);
  const Handle before = steps.elementwise("Maximum", {steps.elementwise("Subtract", {own, Json(1)}), Json(0)});
  const Handle candidate = steps.take_along(order, before, rows.axis);
  const Handle found = steps.elementwise("Equal", {steps.take_along(keys, candidate, rows.axis), wanted});
  const Handle elements = steps.take_along(values, steps.where(found, candidate, Json(0)), rows.axis);
  if (in_a_row) return steps.last("Where", {found, elements, Json(0.0)});
  return rows.reshape("", steps.where(found, elements, Json(0.0)), emitter.output_shape());
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (std::size_t axes = 1; axes <= 3; ++axes) {
    KerasMapping mapping{.type = "MaxUnpool" + torch_suffix(axes), .class_name = "Reshape"};
    mapping.written_only = true;
    mapping.lower = lower;
    result.push_back(std::move(mapping));
  }
  return result;
}

}  // namespace h5bridge::unpooling
