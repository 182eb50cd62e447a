#include "facets/libtorch/layer.h"

namespace h5bridge::sorting {
namespace {

using torch::Tensor;
using Pair = std::tuple<Tensor, Tensor>;

// `function` takes the input and the attributes, and gives elements and their places.
TorchLayer pair(const char* type, Pair (*function)(const Tensor&, const Attributes&)) {
  return {type, [function](const Layer& layer) {
            return TorchInstance{nullptr, [function, a = layer.attributes](const TorchCall& call) {
                                   const auto [values, places] = function(call.inputs.at(0), a);
                                   return TorchValues{values, places};
                                 }};
          }};
}

// Of all elements, or of those along an axis.
template <typename All, typename Along>
TorchLayer all_or_along(const char* type, All all, Along along) {
  return {type, [all, along](const Layer& layer) {
            return TorchInstance{nullptr, [all, along, a = layer.attributes](const TorchCall& call) {
                                   if (a.is_none("dim")) return TorchValues{all(call.inputs.at(0))};
                                   const auto [values, places] =
                                       along(call.inputs.at(0), a.integer("dim"), a.boolean("keepdim"));
                                   return TorchValues{values, places};
                                 }};
          }};
}

TorchInstance build_argsort(const Layer& layer) {
  return unary([a = layer.attributes](const Tensor& x) {
    return torch::argsort(x, a.boolean("stable"), a.integer("dim"), a.boolean("descending"));
  });
}

TorchInstance build_searchsorted(const Layer& layer) {
  const Attributes& a = layer.attributes;
  const bool right = a.boolean("right") || (!a.is_none("side") && a.text("side") == "right");
  return function_of_all([right, small = a.boolean("out_int32")](const TorchValues& inputs) {
    return torch::searchsorted(inputs.at(0).contiguous(), inputs.at(1).contiguous(), small, right);
  });
}

TorchInstance build_bucketize(const Layer& layer) {
  const Attributes& a = layer.attributes;
  std::optional<std::vector<double>> boundaries;
  if (!a.is_none("boundaries")) boundaries = a.numbers("boundaries");
  return function_of_all(
      [boundaries, right = a.boolean("right"), small = a.boolean("out_int32")](const TorchValues& inputs) {
        const Tensor& x = inputs.at(0);
        return torch::bucketize(x.contiguous(), boundaries ? torch::tensor(*boundaries, x.options()) : inputs.at(1),
                                small, right);
      });
}

}  // namespace

std::vector<TorchLayer> torch_layers() {
  return {
      pair("sort",
           [](const Tensor& x, const Attributes& a) -> Pair {
             return torch::sort(x, std::optional(a.boolean("stable")), a.integer("dim"), a.boolean("descending"));
           }),
      {"argsort", build_argsort},
      pair("topk",
           [](const Tensor& x, const Attributes& a) -> Pair {
             return torch::topk(x, a.integer("k"), a.integer("dim"), a.boolean("largest"), a.boolean("sorted"));
           }),
      pair("kthvalue",
           [](const Tensor& x, const Attributes& a) -> Pair {
             return torch::kthvalue(x, a.integer("k"), a.integer("dim"), a.boolean("keepdim"));
           }),
      all_or_along(
          "median", [](const Tensor& x) { return torch::median(x); },
          [](const Tensor& x, std::int64_t dim, bool keepdim) { return torch::median(x, dim, keepdim); }),
      all_or_along(
          "nanmedian", [](const Tensor& x) { return torch::nanmedian(x); },
          [](const Tensor& x, std::int64_t dim, bool keepdim) { return torch::nanmedian(x, dim, keepdim); }),
      pair("cummax", [](const Tensor& x, const Attributes& a) -> Pair { return torch::cummax(x, a.integer("dim")); }),
      pair("cummin", [](const Tensor& x, const Attributes& a) -> Pair { return torch::cummin(x, a.integer("dim")); }),
      {"searchsorted", build_searchsorted},
      {"bucketize", build_bucketize},
  };
}

}  // namespace h5bridge::sorting
