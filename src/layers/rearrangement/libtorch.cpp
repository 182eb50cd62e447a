#include "facets/libtorch/layer.h"
#include "layers/rearrangement/channels.h"

namespace h5bridge::rearrangement {
namespace {

using torch::Tensor;

// Keras counts channels by their place in the block first: the same channels, in groups of as many as a block has
// elements.
Tensor regrouped(const Tensor& x, std::int64_t groups) {
  return x.unflatten(1, {groups, x.size(1) / groups}).transpose(1, 2).flatten(1, 2);
}

TorchInstance build_pixel_shuffle(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary(in_data_format(
      a, [factor = a.integer("upscale_factor"), blocks_first = a.boolean(kBlocksFirst)](const Tensor& x) {
        return torch::pixel_shuffle(blocks_first ? regrouped(x, factor * factor) : x, factor);
      }));
}

TorchInstance build_pixel_unshuffle(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary(in_data_format(
      a, [factor = a.integer("downscale_factor"), blocks_first = a.boolean(kBlocksFirst)](const Tensor& x) {
        const Tensor y = torch::pixel_unshuffle(x, factor);
        return blocks_first ? regrouped(y, x.size(1)) : y;
      }));
}

TorchInstance build_channel_shuffle(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary(
      in_data_format(a, [groups = a.integer("groups")](const Tensor& x) { return torch::channel_shuffle(x, groups); }));
}

TorchInstance build_unfold(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([dim = a.integer("dimension"), size = a.integer("size"), step = a.integer("step")](const Tensor& x) {
    return x.unfold(dim, size, step);
  });
}

TorchInstance build_diagonal(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return unary([offset = a.integer("offset"), dim1 = a.integer("dim1"), dim2 = a.integer("dim2")](const Tensor& x) {
    return torch::diagonal(x, offset, dim1, dim2);
  });
}

TorchInstance build_meshgrid(const Layer& layer) {
  return {nullptr, [indexing = layer.attributes.text("indexing")](const TorchCall& call) {
            return torch::meshgrid(call.inputs, indexing);
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      {"PixelShuffle", build_pixel_shuffle},
      {"PixelUnshuffle", build_pixel_unshuffle},
      {"ChannelShuffle", build_channel_shuffle},
      {"unfold", build_unfold},
      {"diagonal", build_diagonal},
      {"meshgrid", build_meshgrid},
  };
}

}  // namespace h5bridge::rearrangement
