#include "facets/libtorch/layer.h"

namespace h5bridge::joining {
namespace {

// `function` makes one tensor of all inputs and the axis.
template <typename Function>
TorchLayer join(const char* type, Function function) {
  return {type, [function](const Layer& layer) {
            return function_of_all([function, dim = layer.attributes.integer("dim")](const TorchValues& inputs) {
              return function(inputs, dim);
            });
          }};
}

TorchInstance several(std::function<TorchValues(const torch::Tensor&)> function) {
  return {nullptr, [function = std::move(function)](const TorchCall& call) { return function(call.inputs.at(0)); }};
}

TorchInstance build_split(const Layer& layer) {
  return several([lengths = layer.attributes.integers("split_size"),
                  dim = layer.attributes.integer("dim")](const torch::Tensor& x) {
    return lengths.size() == 1 ? torch::split(x, lengths[0], dim) : torch::split_with_sizes(x, lengths, dim);
  });
}

TorchInstance build_chunk(const Layer& layer) {
  return several([chunks = layer.attributes.integer("chunks"), dim = layer.attributes.integer("dim")](
                     const torch::Tensor& x) { return torch::chunk(x, chunks, dim); });
}

TorchInstance build_tensor_split(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::int64_t dim = a.integer("dim");
  if (!a.is_none("sections"))
    return several([sections = a.integer("sections"), dim](const torch::Tensor& x) {
      return torch::tensor_split(x, sections, dim);
    });
  const std::vector<std::int64_t> indices = a.is_none("indices") ? std::vector<std::int64_t>{} : a.integers("indices");
  return several(
      [indices, dim](const torch::Tensor& x) { return torch::tensor_split(x, at::IntArrayRef(indices), dim); });
}

TorchInstance build_unbind(const Layer& layer) {
  return several([dim = layer.attributes.integer("dim")](const torch::Tensor& x) { return torch::unbind(x, dim); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      join("cat", [](const TorchValues& inputs, std::int64_t dim) { return torch::cat(inputs, dim); }),
      join("stack", [](const TorchValues& inputs, std::int64_t dim) { return torch::stack(inputs, dim); }),
      {"split", build_split},
      {"chunk", build_chunk},
      {"tensor_split", build_tensor_split},
      {"unbind", build_unbind},
  };
}

}  // namespace h5bridge::joining
