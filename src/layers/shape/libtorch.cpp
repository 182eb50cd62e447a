#include "facets/libtorch/layer.h"

namespace h5bridge::shape {
namespace {

TorchInstance build_flatten(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const torch::nn::Flatten module(
      torch::nn::FlattenOptions().start_dim(a.integer("start_dim")).end_dim(a.integer("end_dim")));
  if (!a.boolean("channels_last_order")) return unary_module(module);
  return unary(module.ptr(),
               [flatten = module_call(module)](const torch::Tensor& input) { return flatten(input.movedim(1, -1)); });
}

std::vector<std::int64_t> sizes_in(const SymbolicShape& shape, const Symbols& symbols) {
  std::vector<std::int64_t> result;
  for (const Size& size : shape) result.push_back(known_size(size, symbols));
  return result;
}

// A view of contiguous elements where the input is contiguous, as torch.Tensor.view asks for; a copy elsewhere.
TorchInstance build_reshape(const Layer& layer) {
  return {nullptr, [shape = layer.attributes.sizes("shape")](const TorchCall& call) {
            return TorchValues{call.inputs.at(0).reshape(sizes_in(shape, call.symbols))};
          }};
}

TorchInstance build_permute(const Layer& layer) {
  return unary([dims = layer.attributes.integers("dims")](const torch::Tensor& input) { return input.permute(dims); });
}

TorchInstance build_transpose(const Layer& layer) {
  return unary([dim0 = layer.attributes.integer("dim0"), dim1 = layer.attributes.integer("dim1")](
                   const torch::Tensor& input) { return input.transpose(dim0, dim1); });
}

TorchInstance build_movedim(const Layer& layer) {
  return unary([source = layer.attributes.integers("source"), destination = layer.attributes.integers("destination")](
                   const torch::Tensor& input) { return input.movedim(source, destination); });
}

TorchInstance build_unflatten(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return {nullptr, [dim = a.integer("dim"), sizes = a.sizes("unflattened_size")](const TorchCall& call) {
            return TorchValues{call.inputs.at(0).unflatten(dim, sizes_in(sizes, call.symbols))};
          }};
}

TorchInstance build_squeeze(const Layer& layer) {
  const auto* dims = std::get_if<std::vector<std::int64_t>>(&layer.attributes.at("dim"));
  if (!dims || dims->empty()) return unary([](const torch::Tensor& input) { return input.squeeze(); });
  return unary([dims = *dims](const torch::Tensor& input) { return input.squeeze(dims); });
}

TorchInstance build_unsqueeze(const Layer& layer) {
  return unary([dim = layer.attributes.integer("dim")](const torch::Tensor& input) { return input.unsqueeze(dim); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Flatten", build_flatten},     {"view", build_reshape},        {"reshape", build_reshape},
          {"Unflatten", build_unflatten}, {"squeeze", build_squeeze},     {"unsqueeze", build_unsqueeze},
          {"permute", build_permute},     {"transpose", build_transpose}, {"movedim", build_movedim}};
}

}  // namespace h5bridge::shape
