// keras.ops.conv_transpose knows neither groups nor all paddings: the function is a convolution of the input with zeros
// between its elements, by the kernel the other way round.
#include <numeric>

#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "facets/keras/kernel.h"
#include "facets/registry.h"
#include "facets/spec/kernel.h"
#include "layers/transposed_convolution/function.h"

namespace h5bridge::transposed_convolution {
namespace {

using Handle = KerasEmitter::Handle;

Json sizes_config(const SymbolicShape& shape) { return Json::array(*fixed(shape)); }

// (in, out/groups, k...) as the kernel (k..., in/groups, out) of a convolution, whose window runs the other way.
Handle emit_turned_kernel(KerasEmitter& emitter, Handle weight, std::int64_t groups) {
  SymbolicShape apart = emitter.shape(weight);
  const auto axes = static_cast<std::int64_t>(apart.size()) - 2;
  apart[0] = apart[0].floor_divide(groups);
  apart.insert(apart.begin(), Size(groups));
  Handle kernel = named(emitter, "groups").apply("Reshape", {weight}, apart, {{"newshape", sizes_config(apart)}});
  std::vector<std::int64_t> order(axes);
  std::iota(order.begin(), order.end(), 3);
  order.insert(order.end(), {1, 0, 2});
  SymbolicShape turned;
  for (const std::int64_t axis : order) turned.push_back(apart[axis]);
  kernel = named(emitter, "transposed").apply("Transpose", {kernel}, turned, {{"axes", Json::array(order)}});
  SymbolicShape joined(turned.begin(), turned.end() - 1);
  joined.back() = turned[turned.size() - 2] * turned.back();
  kernel = named(emitter, "joined").apply("Reshape", {kernel}, joined, {{"newshape", sizes_config(joined)}});
  order.resize(axes);
  std::iota(order.begin(), order.end(), 0);
  return named(emitter, "kernel").apply("Flip", {kernel}, joined, {{"axis", Json::array(order)}});
}

}  // namespace

KerasMapping function_mapping(std::size_t axes) {
  const Functional row = function(axes);
  KerasMapping mapping = write_only(operation(row.name, "Conv", {}, {"inputs", "kernel"}, kNN));
  mapping.lower = [row, axes](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const LayerType& module = *Registry::instance().find("ConvTranspose" + torch_suffix(axes));
    const Attributes settings = module_settings(module, row, a, emitter.input_shapes());
    const auto bias = operand(emitter, row, "bias");
    const std::int64_t groups = a.integer("groups");
    const Handle kernel = emit_ungrouped(emitter, emit_turned_kernel(emitter, emitter.input(1), groups), groups);
    const Handle input = emit_convolved(settings, emitter, emitter.input(0));
    const std::optional<Handle> added =
        bias ? std::optional(along_channels(emitter, "bias", *bias, a, axes + 2)) : std::nullopt;
    LastNamed calls(emitter, bias ? 2 : 1);
    const Json::Object config{{"strides", 1},
                              {"padding", "valid"},
                              {"data_format", a.text("data_format")},
                              {"dilation_rate", Json::array(a.integers("dilation"))}};
    const Handle output =
        named(emitter, calls.next("convolution")).apply("Conv", {input, kernel}, emitter.output_shape(), config, kNN);
    return calls.affine(output, std::nullopt, added);
  };
  return mapping;
}

}  // namespace h5bridge::transposed_convolution
