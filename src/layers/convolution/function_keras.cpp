#include "facets/keras/composition.h"
#include "facets/keras/functional.h"
#include "facets/keras/kernel.h"
#include "facets/registry.h"
#include "facets/spec/kernel.h"
#include "layers/convolution/function.h"

namespace h5bridge::convolution {

using Handle = KerasEmitter::Handle;

namespace {

// A group for each channel, over as many axes as Keras's operation takes.
bool is_depthwise(const Attributes& settings) {
  return settings.integer("groups") == settings.integer("in_channels") && settings.integer("groups") > 1 &&
         settings.integers("kernel_size").size() < 3;
}

// (k..., 1, channels*multiplier) as (k..., channels, multiplier).
Handle emit_depthwise_kernel(KerasEmitter& emitter, Handle kernel, std::int64_t channels) {
  SymbolicShape shape = emitter.shape(kernel);
  shape.back() = shape.back().floor_divide(channels);
  shape[shape.size() - 2] = channels;
  return named(emitter, "depthwise").apply("Reshape", {kernel}, shape, {{"newshape", Json::array(*fixed(shape))}});
}

}  // namespace

KerasMapping function_mapping(std::size_t axes) {
  const Functional row = function(axes);
  KerasMapping mapping = write_only(operation(row.name, "Conv", {}, {"inputs", "kernel"}, kNN));
  mapping.lower = [row, axes](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const LayerType& module = *Registry::instance().find("Conv" + torch_suffix(axes));
    const Attributes settings = module_settings(module, row, a, emitter.input_shapes());
    const auto bias = operand(emitter, row, "bias");
    const bool depthwise = is_depthwise(settings);
    Handle kernel = emit_kernel(emitter, emitter.input(1));
    kernel = depthwise ? emit_depthwise_kernel(emitter, kernel, a.integer("groups"))
                       : emit_ungrouped(emitter, kernel, a.integer("groups"));
    const PaddedInput padded = emit_window_input(settings, emitter, emitter.input(0));
    const std::optional<Handle> added =
        bias ? std::optional(along_channels(emitter, "bias", *bias, a, axes + 2)) : std::nullopt;
    LastNamed calls(emitter, bias ? 2 : 1);
    const Json::Object config{{"strides", Json::array(a.integers("stride"))},
                              {"padding", padded.word},
                              {"data_format", a.text("data_format")},
                              {"dilation_rate", Json::array(a.integers("dilation"))}};
    const Handle output =
        named(emitter, calls.next("convolution"))
            .apply(depthwise ? "DepthwiseConv" : "Conv", {padded.input, kernel}, emitter.output_shape(), config, kNN);
    return calls.affine(output, std::nullopt, added);
  };
  return mapping;
}

}  // namespace h5bridge::convolution
