#include "facets/torch_source/signature.h"

namespace h5bridge::keras_attention {
namespace {

constexpr PythonHelper kAttention{"KerasAttention",
                                  R"py(class KerasAttention(nn.Module):
    """Keras's Attention and AdditiveAttention; gives the result and the scores."""

    def __init__(self, features=None, use_scale=False, score_mode="dot", dropout=0.0):
        super().__init__()
        self.additive = features is not None
        self.score_mode = score_mode
        self.dropout = dropout
        self.scale = None
        if use_scale:
            self.scale = nn.Parameter(torch.ones(features if self.additive else ()))
        if score_mode == "concat":
            self.concat_score_weight = nn.Parameter(torch.ones(()))

    def scores(self, query, key):
        if not self.additive and self.score_mode == "dot":
            product = query @ key.transpose(-2, -1)
            return product if self.scale is None else product * self.scale
        total = query.unsqueeze(-2) + key.unsqueeze(-3)
        if self.additive:
            total = torch.tanh(total)
            return (total if self.scale is None else self.scale * total).sum(-1)
        if self.scale is not None:
            total = self.scale * total
        return self.concat_score_weight * torch.tanh(total).sum(-1)

    def forward(
        self, query, value, key=None, query_mask=None, value_mask=None, causal=False
    ):
        scores = self.scores(query, value if key is None else key)
        mask = None if value_mask is None else value_mask.unsqueeze(-2)
        if causal:
            options = {"dtype": torch.bool, "device": scores.device}
            earlier = torch.ones(scores.shape[-2:], **options).tril()
            mask = earlier if mask is None else mask & earlier
        if mask is not None:
            hidden = 65504.0 if scores.dtype == torch.half else 1e9
            scores = torch.where(mask, scores, scores - hidden)
        weights = F.dropout(torch.softmax(scores, -1), self.dropout, self.training)
        result = weights @ value
        if query_mask is not None:
            result = result.masked_fill(~query_mask.unsqueeze(-1), 0)
        return result, weights)py",
                                  {},
                                  R"ts(def scores(self, query: Tensor, key: Tensor) -> Tensor:
  if {features=None} is None and {score_mode="dot"} == "dot":
    product = query @ key.transpose(-2, -1)
    if self.scale is not None:
      product = product * self.scale
    return product
  total = query.unsqueeze(-2) + key.unsqueeze(-3)
  if {features=None} is not None:
    total = torch.tanh(total)
    if self.scale is not None:
      total = self.scale * total
    return total.sum(-1)
  if self.scale is not None:
    total = self.scale * total
  result = torch.tanh(total).sum(-1)
  if self.concat_score_weight is not None:
    result = self.concat_score_weight * result
  return result
def forward(self, query: Tensor, value: Tensor, key: Optional[Tensor]=None, query_mask: Optional[Tensor]=None,
    value_mask: Optional[Tensor]=None, causal: bool=False) -> Tuple[Tensor, Tensor]:
  keys = value
  if key is not None:
    keys = key
  scores = self.scores(query, keys)
  mask: Optional[Tensor] = None
  if value_mask is not None:
    mask = value_mask.unsqueeze(-2)
  if causal:
    earlier = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is None:
      mask = earlier
    else:
      mask = mask & earlier
  if mask is not None:
    hidden = 1e9
    if scores.dtype == torch.half:
      hidden = 65504.0
    scores = torch.where(mask, scores, scores - hidden)
  weights = torch.dropout(torch.softmax(scores, -1), {dropout}, self.training)
  result = weights @ value
  if query_mask is not None:
    result = result.masked_fill(~query_mask.unsqueeze(-1), 0)
  return result, weights
)ts"};

TorchSource module(const std::string& signature) {
  TorchSource result = of_helper(kAttention, signature);
  result.misfit = [](const Layer&) { return std::string(); };
  result.call = [](const SourceCall& call) -> Python {
    std::vector<std::string> arguments{call.input(0).text, call.input(1).text};
    if (const auto key = call.operand("key")) arguments.push_back(key->text);
    for (const char* mask : {"query_mask", "value_mask"})
      if (const auto given = call.operand(mask)) arguments.push_back(std::string(mask) + "=" + given->text);
    if (call.attributes().boolean("use_causal_mask")) arguments.push_back("causal=True");
    return call.self + "(" + joined(arguments) + ")" + (call.outputs.size() == 1 ? "[0]" : "");
  };
  result.output_names = {"x", "scores"};
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  TorchSource additive = module("AdditiveAttention(features, *, use_scale, dropout)");
  additive.constructor = [inner = additive.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    for (ConstructorArgument& argument : made.arguments)  // Keras's defaults are not one
      if (argument.name == "use_scale") argument.is_default = !layer.attributes.boolean("use_scale");
    return made;
  };
  return {module("Attention(*, use_scale, score_mode, dropout)"), additive};
}

}  // namespace h5bridge::keras_attention
