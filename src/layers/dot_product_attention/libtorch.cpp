#include "facets/libtorch/layer.h"

namespace h5bridge::dot_product_attention {
namespace {

TorchInstance build(const Layer& layer) {
  return {nullptr, [a = layer.attributes](const TorchCall& call) {
            const bool steps_first = a.boolean("steps_first");
            const auto heads_first = [&](const torch::Tensor& x) { return steps_first ? x.transpose(-3, -2) : x; };
            const torch::Tensor mask = call.inputs.size() > 3 ? call.inputs[3] : call.input("attn_mask");
            const torch::Tensor result = torch::scaled_dot_product_attention(
                heads_first(call.inputs.at(0)), heads_first(call.inputs.at(1)), heads_first(call.inputs.at(2)),
                mask.defined() ? c10::optional<torch::Tensor>(mask) : c10::nullopt, 0.0, a.boolean("is_causal"),
                a.is_none("scale") ? c10::nullopt : c10::optional<double>(a.number("scale")), a.boolean("enable_gqa"));
            return TorchValues{heads_first(result)};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"scaled_dot_product_attention", build}}; }

}  // namespace h5bridge::dot_product_attention
