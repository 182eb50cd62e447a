#include "h5bridge/error.h"
#include "layers/torch_layer.h"

namespace h5bridge::shape {
namespace {

TorchInstance build_flatten(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const torch::nn::Flatten module(torch::nn::FlattenOptions().start_dim(a.integer("start_dim")).end_dim(a.integer("end_dim")));
  if (!a.boolean("channels_last_order")) return unary_module(module);
  return unary(module.ptr(), [flatten = module_call(module)](const torch::Tensor& input) { return flatten(input.movedim(1, -1)); });
}

std::vector<std::int64_t> sizes_in(const SymbolicShape& shape, const Symbols& symbols) {
  std::vector<std::int64_t> result;
  for (const Size& size : shape) {
    const auto value = size.bind(symbols).value();
    if (!value) throw UsageError("its size " + size.str() + " does not follow from the model's inputs");
    result.push_back(*value);
  }
  return result;
}

// A view of contiguous elements where the input is contiguous, as torch.Tensor.view asks for; a copy elsewhere.
TorchInstance build_reshape(const Layer& layer) {
  return {nullptr, [shape = layer.attributes.sizes("shape")](const TorchValues& inputs, const Symbols& symbols) {
            return TorchValues{inputs.at(0).reshape(sizes_in(shape, symbols))};
          }};
}

TorchInstance build_permute(const Layer& layer) {
  return unary([dims = layer.attributes.integers("dims")](const torch::Tensor& input) { return input.permute(dims); });
}

TorchInstance build_transpose(const Layer& layer) {
  return unary([dim0 = layer.attributes.integer("dim0"), dim1 = layer.attributes.integer("dim1")](const torch::Tensor& input) {
    return input.transpose(dim0, dim1);
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Flatten", build_flatten},
          {"view", build_reshape},
          {"reshape", build_reshape},
          {"permute", build_permute},
          {"transpose", build_transpose}};
}

}  // namespace h5bridge::shape
