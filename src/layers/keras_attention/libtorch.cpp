#include "facets/libtorch/layer.h"

namespace h5bridge::keras_attention {
namespace {

using torch::Tensor;

// A layer of the attributes' own meaning; parameters that there are not are undefined.
class Attention {
 public:
  Attention(const Attributes& attributes, bool is_additive)
      : is_additive_(is_additive),
        by_product_(!is_additive && attributes.text("score_mode") == "dot"),
        attributes_(attributes),
        rate_(attributes.number("dropout")) {
    if (attributes.boolean("use_scale")) module_->register_parameter("scale", torch::empty({0}));
    if (!is_additive && !by_product_) module_->register_parameter("concat_score_weight", torch::empty({0}));
  }

  const TorchModulePtr& module() const { return module_; }

  TorchValues forward(const TorchCall& call) const {
    const Tensor& value = call.inputs.at(1);
    Tensor scores = scores_of(call.inputs.at(0), call.inputs.back());
    const bool is_causal = call.is_on("use_causal_mask", attributes_);
    if (const Tensor counts = counting(scores, call.input("value_mask"), is_causal); counts.defined())
      scores = torch::where(counts, scores, scores - (scores.scalar_type() == torch::kHalf ? 65504.0 : 1e9));
    Tensor weights = torch::softmax(scores, -1);
    if (module_->is_training() && rate_ > 0) weights = torch::dropout(weights, rate_, true);
    Tensor result = torch::matmul(weights, value);
    if (const Tensor mask = call.input("query_mask"); mask.defined())
      result = result.masked_fill(mask.logical_not().unsqueeze(-1), 0);
    return {result, weights};
  }

 private:
  Tensor scores_of(const Tensor& query, const Tensor& key) const {
    const auto parameters = module_->named_parameters(/*recurse=*/false);
    const Tensor* scale = parameters.find("scale");
    if (by_product_) {
      const Tensor product = torch::matmul(query, key.transpose(-2, -1));
      return scale ? product * *scale : product;
    }
    const Tensor sums = query.unsqueeze(-2) + key.unsqueeze(-3);
    if (is_additive_) return (scale ? *scale * torch::tanh(sums) : torch::tanh(sums)).sum(-1);
    return parameters["concat_score_weight"] * torch::tanh(scale ? *scale * sums : sums).sum(-1);
  }

  // Which steps count for which query; undefined where all do.
  static Tensor counting(const Tensor& scores, const Tensor& value_mask, bool is_causal) {
    const Tensor mask = value_mask.defined() ? value_mask.unsqueeze(-2) : Tensor();
    if (!is_causal) return mask;
    const Tensor causal = torch::ones({scores.size(-2), scores.size(-1)}, scores.options().dtype(torch::kBool)).tril();
    return mask.defined() ? mask.logical_and(causal) : causal;
  }

  TorchModulePtr module_ = std::make_shared<torch::nn::Module>("Attention");
  bool is_additive_;
  bool by_product_;
  Attributes attributes_;
  double rate_;
};

TorchLayer layer(const char* type, bool is_additive) {
  return {type, [is_additive](const Layer& made) -> TorchInstance {
            const Attention attention(made.attributes, is_additive);
            return {attention.module(), [attention](const TorchCall& call) { return attention.forward(call); }};
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {layer("Attention", false), layer("AdditiveAttention", true)}; }

}  // namespace h5bridge::keras_attention
