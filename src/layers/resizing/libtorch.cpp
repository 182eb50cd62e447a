#include <array>

#include "facets/libtorch/layer.h"
#include "facets/libtorch/resampling.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/resizing/interpolation.h"

namespace h5bridge::resizing {
namespace {

using torch::Tensor;

// An ATen function for an input with `axes` spatial axes, in PyTorch's overload for either sizes or scales.
struct Interpolation {
  const char* mode;
  std::size_t axes;
  bool antialias;
  Tensor (*run)(const Tensor& input, at::OptionalIntArrayRef size, bool align_corners,
                std::optional<at::ArrayRef<double>> scales);
};

#define H5BRIDGE_NEAREST(mode, axes, function)                                                                \
  Interpolation {                                                                                             \
    mode, axes, false,                                                                                        \
        [](const Tensor& x, at::OptionalIntArrayRef size, bool, std::optional<at::ArrayRef<double>> scales) { \
          return function(x, size, scales);                                                                   \
        }                                                                                                     \
  }
#define H5BRIDGE_LINEAR(mode, axes, antialias, function)                                                            \
  Interpolation {                                                                                                   \
    mode, axes, antialias,                                                                                          \
        [](const Tensor& x, at::OptionalIntArrayRef size, bool align, std::optional<at::ArrayRef<double>> scales) { \
          return function(x, size, align, scales);                                                                  \
        }                                                                                                           \
  }
#define H5BRIDGE_AREA(axes, function)                                                                  \
  Interpolation {                                                                                      \
    "area", axes, false,                                                                               \
        [](const Tensor& x, at::OptionalIntArrayRef size, bool, std::optional<at::ArrayRef<double>>) { \
          return function(x, *size);                                                                   \
        }                                                                                              \
  }

// Source: torch/nn/functional.py, interpolate.
const std::array kInterpolations{
    H5BRIDGE_NEAREST("nearest", 1, at::upsample_nearest1d),
    H5BRIDGE_NEAREST("nearest", 2, at::upsample_nearest2d),
    H5BRIDGE_NEAREST("nearest", 3, at::upsample_nearest3d),
    H5BRIDGE_NEAREST("nearest-exact", 1, at::_upsample_nearest_exact1d),
    H5BRIDGE_NEAREST("nearest-exact", 2, at::_upsample_nearest_exact2d),
    H5BRIDGE_NEAREST("nearest-exact", 3, at::_upsample_nearest_exact3d),
    H5BRIDGE_AREA(1, at::adaptive_avg_pool1d),
    H5BRIDGE_AREA(2, at::adaptive_avg_pool2d),
    H5BRIDGE_AREA(3, at::adaptive_avg_pool3d),
    H5BRIDGE_LINEAR("linear", 1, false, at::upsample_linear1d),
    H5BRIDGE_LINEAR("bilinear", 2, false, at::upsample_bilinear2d),
    H5BRIDGE_LINEAR("trilinear", 3, false, at::upsample_trilinear3d),
    H5BRIDGE_LINEAR("bicubic", 2, false, at::upsample_bicubic2d),
    H5BRIDGE_LINEAR("bilinear", 2, true, at::_upsample_bilinear2d_aa),
    H5BRIDGE_LINEAR("bicubic", 2, true, at::_upsample_bicubic2d_aa),
    H5BRIDGE_LINEAR("lanczos", 2, true, at::_upsample_lanczos2d_aa),
};

#undef H5BRIDGE_NEAREST
#undef H5BRIDGE_LINEAR
#undef H5BRIDGE_AREA

const Interpolation& interpolation_of(const Attributes& a, std::size_t axes) {
  const bool antialias = a.contains("antialias") && a.boolean("antialias");
  for (const Interpolation& interpolation : kInterpolations)
    if (a.text("mode") == interpolation.mode && axes == interpolation.axes && antialias == interpolation.antialias)
      return interpolation;
  throw std::logic_error("no interpolation \"" + a.text("mode") + "\" of " + std::to_string(axes) + " axes");
}

std::vector<std::int64_t> output_sizes(const Attributes& a, const Tensor& input, const Symbols& symbols) {
  std::vector<std::int64_t> result;
  for (const Size& size : resized(a, SymbolicShape(input.sizes().begin() + 2, input.sizes().end()))) {
    const auto value = size.bind(symbols).value();
    if (!value) throw UsageError("its size " + size.str() + " does not follow from the model's inputs");
    result.push_back(*value);
  }
  return result;
}

Tensor resize(const Attributes& a, const Tensor& input, const Symbols& symbols) {
  const std::size_t axes = static_cast<std::size_t>(input.dim()) - 2;
  if (a.text("mode") == "cubic") {
    const std::vector<std::int64_t> size = output_sizes(a, input, symbols);
    return resampled(input, {size.at(0), size.at(1)}, keys_cubic, a.boolean("antialias"));
  }
  const auto run = interpolation_of(a, axes).run;
  if (!stated_scale(a, 0)) return run(input, output_sizes(a, input, symbols), aligns_corners(a), std::nullopt);
  std::vector<double> scales;
  for (std::size_t i = 0; i < axes; ++i) scales.push_back(*stated_scale(a, i));
  return run(input, std::nullopt, aligns_corners(a), scales);
}

TorchInstance build(const Layer& layer) {
  return {nullptr, [a = layer.attributes](const TorchCall& call) {
            const TorchFunction forward =
                in_data_format(a, [&](const Tensor& input) { return resize(a, input, call.symbols); });
            const bool chooses = a.text("mode").starts_with("nearest");
            return TorchValues{(chooses ? of_integers_too(forward) : forward)(call.inputs.at(0))};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Upsample", build}, {"UpsamplingNearest2d", build}, {"UpsamplingBilinear2d", build}};
}

}  // namespace h5bridge::resizing
