#include <optional>

#include "facets/libtorch/layer.h"
#include "h5bridge/error.h"

namespace h5bridge::embedding {
namespace {

// The module is made with one row: the tensor of the file takes the place of the random one.
template <typename Module>
Module make(const Attributes& a) {
  using Options = std::decay_t<decltype(std::declval<Module&>()->options)>;
  Module module(Options(1, 1));
  auto& options = module->options;
  const std::int64_t count = a.integer("num_embeddings");
  options.num_embeddings(count).embedding_dim(a.integer("embedding_dim")).norm_type(a.number("norm_type"));
  options.scale_grad_by_freq(a.boolean("scale_grad_by_freq")).sparse(a.boolean("sparse"));
  if (!a.is_none("padding_idx")) options.padding_idx((a.integer("padding_idx") + count) % count);
  return module;
}

// LibTorch says of an index that the table does not have no more than that there is one.
template <typename Work>
auto looking_up(const torch::Tensor& indices, std::int64_t rows, Work&& work) {
  try {
    return work();
  } catch (const c10::Error&) {
    if (indices.numel() == 0 || indices.is_floating_point()) throw;
    const torch::Tensor outside = indices.masked_select((indices < 0).logical_or(indices >= rows));
    if (outside.numel() == 0) throw;
    throw UsageError("the index " + std::to_string(outside[0].item<std::int64_t>()) +
                     " is out of range: the table has " + std::to_string(rows) + " rows");
  }
}

// What is looked up: Keras takes indices of any type. Rows of a larger norm are scaled down before, for good, as
// PyTorch does; LibTorch's own modules take the norm as a float32, and give other bits.
template <typename Module>
std::function<torch::Tensor(const torch::Tensor&)> indices_for(const Module& module, const Attributes& a) {
  const auto max_norm = a.is_none("max_norm") ? std::nullopt : std::optional(a.number("max_norm"));
  return [module, max_norm, norm_type = a.number("norm_type"),
          rows = a.integer("num_embeddings")](const torch::Tensor& input) {
    const torch::Tensor indices = (input.is_floating_point() ? input.to(torch::kLong) : input).contiguous();
    const torch::NoGradGuard no_grad;
    torch::Tensor weight = module->weight;
    if (max_norm)
      looking_up(indices, rows, [&] { return torch::embedding_renorm_(weight, indices, *max_norm, norm_type); });
    return indices;
  };
}

TorchInstance embedding(const Layer& layer) {
  auto module = make<torch::nn::Embedding>(layer.attributes);
  return unary(module.ptr(), [module, indices = indices_for(module, layer.attributes),
                              rows = layer.attributes.integer("num_embeddings")](const torch::Tensor& input) mutable {
    const torch::Tensor ids = indices(input);
    return looking_up(ids, rows, [&] { return module->forward(ids); });
  });
}

TorchInstance bag(const Layer& layer) {
  auto module = make<torch::nn::EmbeddingBag>(layer.attributes);
  const std::string& mode = layer.attributes.text("mode");
  if (mode == "sum") module->options.mode(torch::kSum);
  if (mode == "max") module->options.mode(torch::kMax);
  return {module.ptr(), [module, indices = indices_for(module, layer.attributes),
                         to_last = layer.attributes.boolean("include_last_offset"),
                         rows = layer.attributes.integer("num_embeddings")](const TorchCall& call) mutable {
            const torch::Tensor ids = indices(call.inputs.at(0));
            const bool has_offsets = ids.dim() == 1;
            const std::size_t weights = has_offsets ? 2 : 1;
            module->options.include_last_offset(to_last && has_offsets);
            const torch::Tensor offsets = has_offsets ? call.inputs.at(1) : torch::Tensor();
            const torch::Tensor factors =
                call.inputs.size() > weights ? call.inputs[weights] : call.input("per_sample_weights");
            return TorchValues{looking_up(ids, rows, [&] { return module->forward(ids, offsets, factors); })};
          }};
}

TorchInstance embedding_function(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return function_of_all([padding = a.is_none("padding_idx") ? -1 : a.integer("padding_idx"),
                          scale = a.boolean("scale_grad_by_freq"),
                          sparse = a.boolean("sparse")](const TorchValues& inputs) {
    const torch::Tensor& table = inputs.at(1);
    const std::int64_t spared = padding < -1 ? padding + table.size(0) : padding;
    return looking_up(inputs.at(0), table.size(0),
                      [&] { return torch::embedding(table, inputs.at(0), spared, scale, sparse); });
  });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"Embedding", embedding}, {"EmbeddingBag", bag}, {"embedding", embedding_function}};
}

}  // namespace h5bridge::embedding
