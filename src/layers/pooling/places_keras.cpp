#include "layers/pooling/places_keras.h"

#include <algorithm>
#include <limits>

#include "facets/keras/composition.h"
#include "facets/keras/padding.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::pooling {
namespace {

using Handle = KerasEmitter::Handle;

// Elements of the input, or the largest ones so far, and where in the input they stand.
struct Maxima {
  Handle values;
  Handle places;
};

// The spatial axes of an input of `axes` such axes.
std::vector<std::int64_t> spatial_axes(const Attributes& a, std::int64_t axes) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < axes; ++i) result.push_back(i + (a.text("data_format") == "channels_last" ? 1 : 2));
  return result;
}

// The number of each element among those of its channel: the place on the last axis, plus that on the one before times
// its size, ...
Handle emit_numbers(Composition& steps, Handle x, const std::vector<std::int64_t>& axes) {
  Handle result = steps.positions(x, axes[0]);
  for (std::size_t i = 1; i < axes.size(); ++i)
    result = steps.elementwise(
        "Add", {steps.elementwise("Multiply", {result, steps.size(x, axes[i])}), steps.positions(x, axes[i])});
  return result;
}

// The first one of the largest among `count` elements of each window along an axis. What is not of the input has a
// negative place.
template <typename Element>
Maxima largest(Composition& steps, const Maxima& all, std::int64_t count, bool has_margin, const Element& element) {
  Maxima result{element(all.values, 0), element(all.places, 0)};
  for (std::int64_t k = 1; k < count; ++k) {
    const Maxima next{element(all.values, k), element(all.places, k)};
    Handle is_larger = steps.elementwise("Greater", {next.values, result.values});
    if (has_margin)
      is_larger = steps.elementwise("LogicalOr", {is_larger, steps.elementwise("Less", {result.places, Json(0)})});
    result = {steps.elementwise("Maximum", {result.values, next.values}),
              steps.where(is_larger, next.places, result.places)};
  }
  return result;
}

// Windows of one element each have the same places in all channels and images.
Handle emit_for_all(Composition& steps, const Maxima& maxima) {
  if (steps.shape(maxima.places) == steps.emitter().output_shape()) return maxima.places;
  const Handle zeros = steps.apply("ZerosLike", {maxima.values}, steps.shape(maxima.values), {{"dtype", "int32"}});
  return steps.elementwise("Add", {maxima.places, zeros});
}

// All elements of a channel in a row.
Handle emit_global_places(const Attributes& a, Composition& steps, const std::vector<std::int64_t>& axes) {
  KerasEmitter& emitter = steps.emitter();
  Handle row = emitter.input(0);
  const bool is_last = a.text("data_format") == "channels_last";
  if (axes.size() > 1) {
    const SymbolicShape& input = emitter.input_shapes()[0];
    const Size& channels = input[channel_axis(a, static_cast<std::int64_t>(input.size()))];
    Size count(1);
    for (const std::int64_t axis : axes) count = count * input[axis];
    const Json channel_size(channels.value().value_or(-1));
    const Json::Array target = is_last ? Json::Array{-1, channel_size} : Json::Array{channel_size, -1};
    const SymbolicShape shape =
        is_last ? SymbolicShape{input[0], count, channels} : SymbolicShape{input[0], channels, count};
    if (channel_size == Json(-1))
      throw Unsupported("places among open channels have no Keras operation; LoadOptions::fix_sizes may help");
    row = emitter
              .call({.suffix = "row",
                     .class_name = "Reshape",
                     .config = {{"target_shape", target}},
                     .arguments = {row},
                     .outputs = {shape}})
              .at(0);
  }
  Handle places = steps.reduce("Argmax", row, axes[0], true);
  for (std::size_t i = 1; i < axes.size(); ++i) places = steps.expand(places, axes[0]);
  return places;
}

// The element number k of each part into which an adaptive pooling cuts an axis; the first one again where a part has
// fewer.
std::vector<std::int64_t> elements_of_parts(std::int64_t size, std::int64_t parts, std::int64_t k) {
  std::vector<std::int64_t> result;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t start = part * size / parts;
    const std::int64_t end = ((part + 1) * size + parts - 1) / parts;
    result.push_back(start + k < end ? start + k : start);
  }
  return result;
}

std::int64_t longest_part(std::int64_t size, std::int64_t parts) {
  std::int64_t result = 0;
  for (std::int64_t part = 0; part < parts; ++part)
    result = std::max(result, ((part + 1) * size + parts - 1) / parts - part * size / parts);
  return result;
}

}  // namespace

Handle emit_places(const Attributes& a, KerasEmitter& emitter, const std::vector<Margins>& margins) {
  Composition steps(emitter, "place");
  const std::vector<Window> windows = windows_of(a);
  const std::vector<std::int64_t> axes = spatial_axes(a, static_cast<std::int64_t>(windows.size()));
  const bool has_margin = any_margin(margins);
  Maxima maxima{emitter.input(0), emit_numbers(steps, emitter.input(0), axes)};
  if (has_margin) {
    maxima.values = emit_constant_padding(margins, -std::numeric_limits<double>::infinity(), a, emitter, maxima.values);
    maxima.places = emit_constant_padding(margins, -1, a, emitter, maxima.places);
  }
  for (std::size_t i = axes.size(); i-- > 0;) {
    const Window& window = windows[i];
    maxima = largest(steps, maxima, window.kernel, has_margin, [&](Handle x, std::int64_t k) {
      const std::int64_t start = k * window.dilation;
      const std::int64_t stop = start + 1 - window.extent();
      return steps.cut(x, axes[i], {start, stop == 0 ? std::nullopt : std::optional(stop), window.stride});
    });
  }
  return emit_for_all(steps, maxima);
}

Handle emit_adaptive_places(const Attributes& a, KerasEmitter& emitter) {
  Composition steps(emitter, "place");
  const auto& sizes = a.integers("output_size");
  const std::vector<std::int64_t> axes = spatial_axes(a, static_cast<std::int64_t>(sizes.size()));
  if (std::all_of(sizes.begin(), sizes.end(), [](std::int64_t size) { return size == 1; }))
    return emit_global_places(a, steps, axes);
  Maxima maxima{emitter.input(0), emit_numbers(steps, emitter.input(0), axes)};
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (sizes[i] == kNone) continue;
    const Size& extent = emitter.input_shapes()[0][axes[i]];
    if (!extent.value())
      throw Unsupported("the places of an adaptive pooling over the open size " + extent.str() +
                        " have no Keras operation; LoadOptions::fix_sizes may help");
    maxima = largest(steps, maxima, longest_part(*extent.value(), sizes[i]), false, [&](Handle x, std::int64_t k) {
      return steps.take(x, axes[i], elements_of_parts(*extent.value(), sizes[i], k));
    });
  }
  return emit_for_all(steps, maxima);
}

}  // namespace h5bridge::pooling
