#include "facets/libtorch/layer.h"

namespace h5bridge::repetition {
namespace {

using torch::Tensor;

std::vector<std::int64_t> known_sizes(const SymbolicShape& sizes, const Symbols& symbols) {
  std::vector<std::int64_t> result;
  for (const Size& size : sizes) result.push_back(known_size(size, symbols));
  return result;
}

// Functions of a list of sizes.
template <typename Function>
TorchLayer of_sizes(const char* type, const char* attribute, Function function) {
  return {type, [attribute, function](const Layer& layer) -> TorchInstance {
            return {nullptr, [sizes = layer.attributes.sizes(attribute), function](const TorchCall& call) {
                      return TorchValues{function(call.inputs.at(0), known_sizes(sizes, call.symbols))};
                    }};
          }};
}

TorchInstance build_expand_as(const Layer&) {
  return function_of_all([](const TorchValues& inputs) { return inputs.at(0).expand_as(inputs.at(1)); });
}

// Functions of a list of integers.
template <typename Function>
TorchLayer of_integers(const char* type, const char* attribute, Function function) {
  return {type, [attribute, function](const Layer& layer) {
            return unary(
                [list = layer.attributes.integers(attribute), function](const Tensor& x) { return function(x, list); });
          }};
}

template <typename Function>
TorchLayer of_integer(const char* type, const char* attribute, Function function) {
  return {type, [attribute, function](const Layer& layer) {
            return unary([number = layer.attributes.integer(attribute), function](const Tensor& x) {
              return function(x, number);
            });
          }};
}

TorchInstance build_repeat_interleave(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::optional<std::int64_t> axis = a.is_none("dim") ? std::nullopt : std::optional(a.integer("dim"));
  return unary(
      [repeats = a.integer("repeats"), axis](const Tensor& x) { return torch::repeat_interleave(x, repeats, axis); });
}

TorchInstance build_roll(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::vector<std::int64_t> dims = a.is_none("dims") ? std::vector<std::int64_t>{} : a.integers("dims");
  return unary([shifts = a.integers("shifts"), dims](const Tensor& x) { return torch::roll(x, shifts, dims); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  using Integers = std::vector<std::int64_t>;
  return {
      of_sizes("expand", "size", [](const Tensor& x, const Integers& sizes) { return x.expand(sizes); }),
      of_sizes("broadcast_to", "size", [](const Tensor& x, const Integers& sizes) { return x.expand(sizes); }),
      {"expand_as", build_expand_as},
      of_sizes("repeat", "repeats", [](const Tensor& x, const Integers& counts) { return x.repeat(counts); }),
      of_sizes("tile", "dims", [](const Tensor& x, const Integers& counts) { return torch::tile(x, counts); }),
      {"repeat_interleave", build_repeat_interleave},
      of_integer("RepeatVector", "n", [](const Tensor& x, std::int64_t n) { return x.unsqueeze(1).repeat({1, n, 1}); }),
      of_integers("flip", "dims", [](const Tensor& x, const Integers& axes) { return torch::flip(x, axes); }),
      {"roll", build_roll},
      of_integer("tril", "diagonal", [](const Tensor& x, std::int64_t diagonal) { return torch::tril(x, diagonal); }),
      of_integer("triu", "diagonal", [](const Tensor& x, std::int64_t diagonal) { return torch::triu(x, diagonal); }),
  };
}

}  // namespace h5bridge::repetition
