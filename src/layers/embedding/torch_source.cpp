#include "facets/torch_source/signature.h"

namespace h5bridge::embedding {
namespace {

// Bags of equal length, one a row, have no offsets: what comes second are the weights then. Indices may be floats in
// Keras.
TorchSource bag() {
  TorchSource result = torch_module(
      "nn.EmbeddingBag(num_embeddings, embedding_dim, *, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, "
      "mode, include_last_offset)");
  result.call = [](const SourceCall& call) -> Python {
    std::vector<std::string> arguments{call.input().text};
    const bool has_offsets = call.input_shape().size() == 1;
    if (const auto second = call.operand("offsets"))
      arguments.push_back((has_offsets ? "" : "per_sample_weights=") + second->text);
    if (const auto weights = call.operand("per_sample_weights"))
      arguments.push_back("per_sample_weights=" + weights->text);
    return call.self + "(" + joined(arguments) + ")";
  };
  result.calls_module_plainly = false;
  return result;
}

TorchSource table() {
  TorchSource result = torch_module(
      "nn.Embedding(num_embeddings, embedding_dim, *, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)");
  result.call = [plain = result.call](const SourceCall& call) {
    if (!is_floating_point(call.input_types.at(0).at(0).dtype)) return plain(call);
    SourceCall of_indices = call;
    of_indices.operands.at(0).at(0) = call.input().receiver() + ".long()";
    return plain(of_indices);
  };
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {table(), bag(), torch_function("F.embedding(input, weight, *, padding_idx, scale_grad_by_freq, sparse)")};
}

}  // namespace h5bridge::embedding
