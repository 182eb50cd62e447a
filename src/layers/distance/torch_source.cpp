#include "facets/torch_source/signature.h"

namespace h5bridge::distance {

std::vector<TorchSource> torch_sources() {
  return {torch_module("nn.CosineSimilarity(dim, eps)", "F.cosine_similarity(x1, x2, dim, eps)"),
          torch_module("nn.PairwiseDistance(p, eps, keepdim)", "F.pairwise_distance(x1, x2, p, eps, keepdim)"),
          torch_function("torch.cdist(x1, x2, p, compute_mode)")};
}

}  // namespace h5bridge::distance
