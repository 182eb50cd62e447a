#include "facets/keras/kernel.h"

#include "facets/keras/composition.h"
#include "facets/keras/padding.h"
#include "facets/spec/kernel.h"
#include "facets/spec/layer_type.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

using Handle = KerasEmitter::Handle;

bool has_zeros(const Attributes& a) { return a.text("padding_mode") == "zeros"; }

// Whether zeros at both ends are what Keras's `same` adds: then no layer of its own is needed for them.
bool amounts_to_same(const std::vector<Window>& windows, const std::vector<Margins>& margins) {
  for (std::size_t i = 0; i < windows.size(); ++i)
    if (windows[i].stride != 1 || 2 * margins[i].before != windows[i].extent() - 1) return false;
  return true;
}

// The word by which a Keras layer pads as ours; none where it is padded before.
std::string keras_word(const Attributes& a) {
  for (const char* word : {"same", "causal"})
    if (has_padding_word(a, word)) return has_zeros(a) ? word : "";
  const std::vector<Margins> margins = margins_of(a);
  if (!any_margin(margins)) return "valid";
  return has_zeros(a) && amounts_to_same(windows_of(a), margins) ? "same" : "";
}

std::vector<Margins> margins_in(const Attributes& a, const SymbolicShape& input) {
  if (!has_padding_word(a, "same")) return margins_of(a);
  const std::vector<Window> windows = windows_of(a);
  const SymbolicShape sizes = spatial_sizes(a, input, windows.size());
  std::vector<Margins> result;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    // With a stride of 1 any size has the same margins.
    const auto size = windows[i].stride == 1 ? Size(1).value() : sizes[i].value();
    if (!size)
      throw Unsupported("what \"same\" adds to an open size (" + sizes[i].str() +
                        ") is not known here; LoadOptions::fix_sizes may help");
    result.push_back(same_margins(windows[i], *size));
  }
  return result;
}

}  // namespace

Handle emit_window_padding(const Attributes& a, KerasEmitter& emitter, Handle input) {
  return emit_padding({has_zeros(a) ? "constant" : a.text("padding_mode")}, margins_in(a, emitter.shape(input)), a,
                      emitter, input);
}

PaddedInput emit_window_input(const Attributes& a, KerasEmitter& emitter, Handle input) {
  if (const std::string word = keras_word(a); !word.empty()) return {input, word};
  return {emit_window_padding(a, emitter, input), "valid"};
}

std::vector<Correspondence> kernel_rows(std::size_t axes, std::vector<Correspondence> own) {
  own.insert(own.end(), {
                            {"kernel_size", "kernel_size", spelling::integers(axes)},
                            {"stride", "strides", spelling::integers(axes)},
                            {"data_format", "data_format", spelling::text()},
                            {"dilation", "dilation_rate", spelling::integers(axes)},
                            {"activation", "activation", spelling::activation()},
                            {"bias", "use_bias", spelling::boolean()},
                        });
  return own;
}

WeightRules kernel_weights(const Attributes& a, std::vector<WeightStep> steps) {
  WeightRules result{.rules = {{.torch = {"weight"}, .keras = {"kernel"}, .steps = std::move(steps)}}};
  if (a.boolean("bias")) result.rules.push_back({.torch = {"bias"}, .keras = {"bias"}});
  return result;
}

namespace {

// The group of each of `count` channels.
std::vector<std::int64_t> groups_of(std::int64_t count, std::int64_t groups) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) result[static_cast<std::size_t>(i)] = i * groups / count;
  return result;
}

}  // namespace

Handle emit_ungrouped(KerasEmitter& emitter, Handle kernel, std::int64_t groups) {
  if (groups == 1) return kernel;
  SymbolicShape shape = emitter.shape(kernel);
  const std::size_t inner = shape.size() - 2;
  Json::Array repeats(shape.size(), Json(1));
  repeats[inner] = groups;
  shape[inner] = shape[inner] * Size(groups);
  const std::int64_t in = *shape[inner].value();
  const std::int64_t out = *shape[inner + 1].value();
  const Handle tiled = named(emitter, "tiled").apply("Tile", {kernel}, shape, {{"repeats", std::move(repeats)}});
  const Handle zeros = named(emitter, "zeros").elementwise("ZerosLike", {tiled});
  const Handle from =
      named(emitter, "from").elementwise("Add", {zeros, keras_ops::constant({in, 1}, groups_of(in, groups))});
  const Handle within =
      named(emitter, "within").elementwise("Equal", {from, keras_ops::constant({1, out}, groups_of(out, groups))});
  return named(emitter, "ungrouped").elementwise("Where", {within, tiled, Json(0.0)});
}

Handle emit_kernel(KerasEmitter& emitter, Handle weight) {
  const std::vector<std::int64_t> axes = keras_kernel_axes(emitter.shape(weight).size() - 2);
  SymbolicShape shape;
  for (const std::int64_t axis : axes) shape.push_back(emitter.shape(weight)[axis]);
  return named(emitter, "kernel").apply("Transpose", {weight}, shape, {{"axes", Json::array(axes)}});
}

}  // namespace h5bridge
