#include <algorithm>

#include "facets/libtorch/functional.h"
#include "facets/libtorch/layer.h"
#include "facets/spec/kernel.h"
#include "h5bridge/error.h"
#include "layers/transposed_convolution/function.h"

namespace h5bridge::transposed_convolution {
namespace {

bool has_word(const Attributes& a) { return has_padding_word(a, "same") || has_padding_word(a, "valid"); }

// Keras's crops are uneven, which PyTorch's padding cannot be: the module makes all elements, and these are taken out
// of them.
torch::Tensor cropped(torch::Tensor output, const std::vector<Margins>& crops) {
  for (std::size_t i = 0; i < crops.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 2;
    output = output.slice(axis, crops[i].before, output.size(axis) - std::max(crops[i].after, std::int64_t{0}));
  }
  return output;
}

template <typename Convolution, typename Options>
TorchInstance build(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::int64_t groups = a.integer("groups");
  const std::vector<Margins> crops = crops_of(a);
  // Made with the fewest channels: the tensors of the file take the place of the random ones.
  Options options(groups, groups, a.integers("kernel_size"));
  options.stride(a.integers("stride")).dilation(a.integers("dilation")).groups(groups).bias(a.boolean("bias"));
  if (has_word(a)) {
    std::vector<std::int64_t> added;
    for (const Margins& crop : crops) added.push_back(std::max(-crop.after, std::int64_t{0}));
    options.output_padding(added);
  } else {
    options.padding(a.integers("padding")).output_padding(a.integers("output_padding"));
  }
  Convolution module(options);
  module->options.in_channels(a.integer("in_channels")).out_channels(a.integer("out_channels"));

  TorchFunction forward = module_call(module);
  if (has_word(a)) forward = [forward, crops](const torch::Tensor& input) { return cropped(forward(input), crops); };
  return unary(module.ptr(), with_activation(a, in_data_format(a, forward)));
}

using Sizes = at::IntArrayRef;
using Function = torch::Tensor (*)(const torch::Tensor&, const torch::Tensor&, const std::optional<torch::Tensor>&,
                                   Sizes, Sizes, Sizes, std::int64_t, Sizes);

TorchLayer build_function(std::size_t axes, Function convolve) {
  const Functional row = function(axes);
  return {row.name, [=](const Layer& layer) {
            const Attributes& a = layer.attributes;
            if (has_word(a) || a.is_none("output_padding"))
              throw Unsupported("the function " + row.name + " has no padding by a word");
            return function_of_operands(row, a, [=](const Operands& x) {
              return convolve(x[0], x[1], given(x[2]), a.integers("stride"), a.integers("padding"),
                              a.integers("output_padding"), a.integer("groups"), a.integers("dilation"));
            });
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using namespace torch::nn;
  return {build_function(1, torch::conv_transpose1d),
          build_function(2, torch::conv_transpose2d),
          build_function(3, torch::conv_transpose3d),
          {"ConvTranspose1d", build<ConvTranspose1d, ConvTranspose1dOptions>},
          {"ConvTranspose2d", build<ConvTranspose2d, ConvTranspose2dOptions>},
          {"ConvTranspose3d", build<ConvTranspose3d, ConvTranspose3dOptions>}};
}

}  // namespace h5bridge::transposed_convolution
