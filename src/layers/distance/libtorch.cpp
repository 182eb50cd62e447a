#include "facets/libtorch/layer.h"

namespace h5bridge::distance {
namespace {

// LibTorch's modules have no other state than these settings.
TorchInstance build_cosine_similarity(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return function_of_all([dim = a.integer("dim"), eps = a.number("eps")](const TorchValues& inputs) {
    return torch::cosine_similarity(inputs.at(0), inputs.at(1), dim, eps);
  });
}

TorchInstance build_pairwise_distance(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return function_of_all(
      [p = a.number("p"), eps = a.number("eps"), keepdim = a.boolean("keepdim")](const TorchValues& inputs) {
        return torch::pairwise_distance(inputs.at(0), inputs.at(1), p, eps, keepdim);
      });
}

// Source: torch/functional.py, cdist.
TorchInstance build_cdist(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const std::string& mode = a.text("compute_mode");
  const std::optional<std::int64_t> way = mode == "use_mm_for_euclid_dist"         ? std::optional<std::int64_t>(1)
                                          : mode == "donot_use_mm_for_euclid_dist" ? std::optional<std::int64_t>(2)
                                                                                   : std::nullopt;
  return function_of_all(
      [p = a.number("p"), way](const TorchValues& inputs) { return torch::cdist(inputs.at(0), inputs.at(1), p, way); });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {{"CosineSimilarity", build_cosine_similarity},
          {"PairwiseDistance", build_pairwise_distance},
          {"cdist", build_cdist}};
}

}  // namespace h5bridge::distance
