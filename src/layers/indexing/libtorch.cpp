#include "facets/libtorch/layer.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "layers/indexing/index.h"

namespace h5bridge::indexing {
namespace {

using torch::Tensor;

// Items one after the other, each on the axis that it has reached.
Tensor take(const Tensor& input, const std::vector<Item>& items, const Symbols& symbols) {
  const auto number = [&](const std::optional<Size>& size) {
    return size ? std::optional(known_size(*size, symbols)) : std::nullopt;
  };
  Tensor result = input;
  std::int64_t axis = 0;
  for (const Item& item : items) {
    if (item.kind == Item::Kind::Integer) {
      result = result.select(axis, *number(item.start));
      continue;
    }
    if (item.kind == Item::Kind::NewAxis)
      result = result.unsqueeze(axis);
    else if (item != Item{})
      result = result.slice(axis, number(item.start), number(item.stop), item.step);
    ++axis;
  }
  return result;
}

TorchInstance build_part(const Layer& layer) {
  return {nullptr, [type = layer.type, a = layer.attributes](const TorchCall& call) {
            return TorchValues{take(call.inputs.at(0), items_of(type, a, call.inputs[0].dim()), call.symbols)};
          }};
}

// Negative numbers count from the end, as Keras has them.
Tensor from_start(const Tensor& index, std::int64_t extent) { return torch::where(index < 0, index + extent, index); }

TorchInstance build_index_select(const Layer& layer) {
  const Attributes& a = layer.attributes;
  std::optional<std::vector<std::int64_t>> index;
  if (!a.is_none("index")) index = a.integers("index");
  return function_of_all([index, dim = a.integer("dim")](const TorchValues& inputs) {
    const Tensor& x = inputs.at(0);
    const Tensor numbers =
        index ? torch::tensor(*index, torch::TensorOptions(torch::kInt64).device(x.device())) : inputs.at(1);
    return torch::index_select(x, dim, from_start(numbers, x.size(dim)));
  });
}

TorchInstance build_index_by_tensors(const Layer& layer) {
  return function_of_all([a = layer.attributes](const TorchValues& inputs) {
    const Tensor& x = inputs.at(0);
    std::vector<at::indexing::TensorIndex> items(x.dim(), torch::indexing::Slice());
    std::size_t next = 1;
    for (const std::int64_t axis : axes_in(a, "dims", x.dim())) {
      const Tensor& index = inputs.at(next++);
      if (!at::isIntegralType(index.scalar_type(), /*includeBool=*/false))
        throw UsageError(std::string("its indices are of type ") + torch::toString(index.scalar_type()) +
                         ", expected integers");
      items[axis] = index.to(torch::kInt64);
    }
    return x.index(items);
  });
}

template <typename Function>
TorchLayer by_numbers(const char* type, Function function) {
  return {type, [function](const Layer& layer) {
            return function_of_all([function, dim = layer.attributes.integer("dim")](const TorchValues& inputs) {
              return function(inputs.at(0), inputs.at(1), dim);
            });
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      {"getitem", build_part},
      {"slice", build_part},
      {"select", build_part},
      {"narrow", build_part},
      {"index_select", build_index_select},
      {"index_by_tensors", build_index_by_tensors},
      by_numbers("gather",
                 [](const Tensor& x, const Tensor& index, std::int64_t dim) { return torch::gather(x, dim, index); }),
      by_numbers("take_along_dim",
                 [](const Tensor& x, const Tensor& index, std::int64_t dim) {
                   return torch::take_along_dim(x, index.to(torch::kInt64), dim);
                 }),
  };
}

}  // namespace h5bridge::indexing
