#include <algorithm>

#include "facets/libtorch/layer.h"
#include "facets/spec/window.h"
#include "h5bridge/error.h"

namespace h5bridge::padding {
namespace {

using torch::Tensor;

template <typename Padding, typename Options>
TorchInstance build(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const auto module = [&] {
    if constexpr (std::is_constructible_v<Options, std::vector<std::int64_t>, double>)
      return Padding(Options(a.integers("padding"), a.number("value")));
    else
      return Padding(Options(a.integers("padding")));
  }();
  return unary(module.ptr(), in_data_format(a, module_call(module)));
}

plan::Operation zeros(const Layer& layer, const torch::nn::Module*) {
  const Attributes& a = layer.attributes;
  return plan::ZeroPadding{margins_from(a.integers("padding")), a.text("data_format") == "channels_last"};
}

// LibTorch has no module for it.
TorchInstance build_circular(const Layer& layer) {
  return unary(in_data_format(layer.attributes, [padding = layer.attributes.integers("padding")](const Tensor& input) {
    return at::pad(input, padding, "circular");
  }));
}

// at::pad takes the last one to three axes of a tensor that has one or two more. Here any may be padded: those behind
// them go to the front, and all that are not padded are one axis for the while.
Tensor pad_borders(const Tensor& input, std::vector<std::int64_t> flat, const std::string& mode) {
  std::int64_t behind = 0;
  while (flat.size() > 2 && flat[0] == 0 && flat[1] == 0) {
    flat.erase(flat.begin(), flat.begin() + 2);
    ++behind;
  }
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < input.dim(); ++i) order.push_back((i + input.dim() - behind) % input.dim());
  const Tensor moved = input.permute(order);
  const auto padded_axes = static_cast<std::int64_t>(flat.size()) / 2;
  const auto sizes = moved.sizes();
  std::vector<std::int64_t> joined{-1};
  joined.insert(joined.end(), sizes.end() - padded_axes, sizes.end());
  const Tensor padded = at::pad(moved.reshape(joined), flat, {mode.data(), mode.size()});
  std::vector<std::int64_t> apart(sizes.begin(), sizes.end() - padded_axes);
  apart.insert(apart.end(), padded.sizes().begin() + 1, padded.sizes().end());
  std::vector<std::int64_t> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) back[order[i]] = static_cast<std::int64_t>(i);
  return padded.reshape(apart).permute(back);
}

Tensor pad_symmetric(Tensor output, const std::vector<std::int64_t>& flat) {
  for (std::size_t i = 0; i < flat.size(); i += 2) {
    const std::int64_t axis = output.dim() - 1 - static_cast<std::int64_t>(i / 2);
    const std::int64_t size = output.size(axis);
    const Tensor before = output.slice(axis, 0, std::max(flat[i], std::int64_t{0})).flip(axis);
    const Tensor after = output.slice(axis, size - std::max(flat[i + 1], std::int64_t{0}), size).flip(axis);
    const Tensor kept =
        output.slice(axis, std::max(-flat[i], std::int64_t{0}), size - std::max(-flat[i + 1], std::int64_t{0}));
    output = at::cat({before, kept, after}, axis);
  }
  return output;
}

std::vector<std::int64_t> bound(const SymbolicShape& sizes, const Symbols& symbols) {
  std::vector<std::int64_t> result;
  for (const Size& size : sizes) {
    const auto value = size.bind(symbols).value();
    if (!value) throw UsageError("its size " + size.str() + " does not follow from the model's inputs");
    result.push_back(*value);
  }
  return result;
}

TorchInstance build_pad(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const double value = a.is_none("value") ? 0 : a.number("value");
  return {nullptr, [pad = a.sizes("pad"), mode = a.text("mode"), value](const TorchCall& call) -> TorchValues {
            const std::vector<std::int64_t> flat = bound(pad, call.symbols);
            if (mode == "constant") return {at::constant_pad_nd(call.inputs.at(0), flat, value)};
            if (mode == "symmetric") return {pad_symmetric(call.inputs.at(0), flat)};
            return {pad_borders(call.inputs.at(0), flat, mode)};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {
      {"ZeroPad1d", build<ZeroPad1d, ZeroPad1dOptions>, zeros},
      {"ZeroPad2d", build<ZeroPad2d, ZeroPad2dOptions>, zeros},
      {"ZeroPad3d", build<ZeroPad3d, ZeroPad3dOptions>, zeros},
      {"ConstantPad1d", build<ConstantPad1d, ConstantPad1dOptions>},
      {"ConstantPad2d", build<ConstantPad2d, ConstantPad2dOptions>},
      {"ConstantPad3d", build<ConstantPad3d, ConstantPad3dOptions>},
      {"ReflectionPad1d", build<ReflectionPad1d, ReflectionPad1dOptions>},
      {"ReflectionPad2d", build<ReflectionPad2d, ReflectionPad2dOptions>},
      {"ReflectionPad3d", build<ReflectionPad3d, ReflectionPad3dOptions>},
      {"ReplicationPad1d", build<ReplicationPad1d, ReplicationPad1dOptions>},
      {"ReplicationPad2d", build<ReplicationPad2d, ReplicationPad2dOptions>},
      {"ReplicationPad3d", build<ReplicationPad3d, ReplicationPad3dOptions>},
      {"CircularPad1d", build_circular},
      {"CircularPad2d", build_circular},
      {"CircularPad3d", build_circular},
      {"pad", build_pad},
  };
}

}  // namespace h5bridge::padding
