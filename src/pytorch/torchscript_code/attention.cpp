#include "pytorch/torchscript_code/attention.h"

namespace h5bridge::torch_script {
namespace {

// As torch/nn/modules/activation.py has it: one operator does it all in evaluation, if all inputs are one tensor.
constexpr const char* kAtOnce = R"(  plain = True
  if attn_mask is not None:
    plain = not attn_mask.is_floating_point()
  if key_padding_mask is not None:
    plain = plain and not key_padding_mask.is_floating_point()
  if plain and one_input and batched and not self.training and not torch.is_grad_enabled():
    merged, kind = F.merged_masks(mask, padding, query, {num_heads})
    x, weights = torch._native_multi_head_attention(query, key, value, {embed_dim}, {num_heads}, self.in_proj_weight,
      self.in_proj_bias, self.out_proj.weight, self.out_proj.bias, merged, need_weights, average_attn_weights, kind)
    return x, weights
)";

}  // namespace

std::string multi_head_attention(const Arguments& given) {
  const auto argument = [&](const std::string& name) { return given.contains(name) ? given.at(name) : "None"; };
  const std::string width = argument("embed_dim");
  const auto is_width = [&](const std::string& name) { return argument(name) == "None" || argument(name) == width; };
  const bool is_packed = is_width("kdim") && is_width("vdim"), is_first = argument("batch_first") == "True";
  const bool has_bias = argument("bias") != "False", adds = argument("add_bias_kv") == "True";
  const bool at_once = is_packed && is_first && has_bias && !adds && argument("add_zero_attn") != "True" &&
                       std::stoll(argument("num_heads")) % 2 == 0;
  std::string result =
      "def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Optional[Tensor]=None,\n"
      "    need_weights: bool=True, attn_mask: Optional[Tensor]=None, average_attn_weights: bool=True,\n"
      "    is_causal: bool=False) -> Tuple[Tensor, Tensor]:\n"
      "  batched = query.ndim == 3\n"
      "  one_key = batched and key is value\n"
      "  one_input = one_key and query is key\n"
      "  padding = F.added_mask(key_padding_mask, query)\n"
      "  mask = F.added_mask(attn_mask, query)\n";
  if (at_once) result += kAtOnce;
  result += "  q = query\n  k = key\n  v = value\n";
  if (is_first)
    result +=
        "  if batched:\n    q = query.transpose(1, 0)\n    k = key.transpose(1, 0)\n    v = value.transpose(1, 0)\n";
  result +=
      "  if not batched:\n    q = query.unsqueeze(1)\n    k = key.unsqueeze(1)\n    v = value.unsqueeze(1)\n"
      "    if padding is not None:\n      padding = padding.unsqueeze(0)\n";
  result +=
      is_packed
          ? "  q, k, v = F.packed_projections(q, k, v, self.in_proj_weight, self.in_proj_bias, one_input, one_key)\n"
          : "  q, k, v = F.projections(q, k, v, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight, "
            "self.in_proj_bias)\n";
  if (adds)
    result +=
        "  k = torch.cat([k, self.bias_k.repeat([1, k.shape[1], 1])])\n"
        "  v = torch.cat([v, self.bias_v.repeat([1, v.shape[1], 1])])\n"
        "  mask, padding = F.one_column_more(mask, padding)\n";
  result += "  dropout = 0.0\n  if self.training:\n    dropout = {dropout}\n";
  result +=
      "  x, weights = F.attended(q, k, v, {num_heads}, self.out_proj.weight, self.out_proj.bias, padding, mask, "
      "is_causal,\n    {add_zero_attn}, dropout, need_weights, average_attn_weights)\n";
  result += "  if not batched:\n    x = x.squeeze(1)\n    weights = weights.squeeze(0)\n";
  if (is_first) result += "  else:\n    x = x.transpose(1, 0)\n";
  return filled(result + "  return x, weights\n", given);
}

const std::map<std::string_view, const char*>& attention_functions() {
  static const std::map<std::string_view, const char*> sources{
      {"added_mask", R"(def added_mask(mask: Optional[Tensor], like: Tensor) -> Optional[Tensor]:
  if mask is None:
    return None
  if mask.is_floating_point():
    return mask
  return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, -inf)
)"},
      {"merged_masks", R"(def merged_masks(mask: Optional[Tensor], padding: Optional[Tensor], query: Tensor,
    heads: int) -> Tuple[Optional[Tensor], Optional[int]]:
  batch = query.shape[0]
  steps = query.shape[1]
  if mask is not None:
    if mask.ndim == 3:
      pairs = mask.view([batch, -1, steps, steps])
    else:
      pairs = mask.view([1, 1, steps, steps]).expand([batch, heads, -1, -1])
    if padding is not None:
      pairs = pairs + padding.view([batch, 1, 1, steps]).expand([-1, heads, -1, -1])
    return pairs, 2
  if padding is not None:
    return padding, 1
  return None, None
)"},
      {"one_column_more", R"(def one_column_more(mask: Optional[Tensor],
    padding: Optional[Tensor]) -> Tuple[Optional[Tensor], Optional[Tensor]]:
  if mask is not None:
    mask = torch.pad(mask, [0, 1])
  if padding is not None:
    padding = torch.pad(padding, [0, 1])
  return mask, padding
)"},
      {"projected_together", R"(def projected_together(x: Tensor, weight: Tensor, bias: Optional[Tensor],
    count: int) -> Tensor:
  size = x.shape[-1]
  y = torch.linear(x, weight, bias).unflatten(-1, [count, size]).unsqueeze(0).transpose(0, -2)
  return y.squeeze(-2).contiguous()
)"},
      {"part_of_bias", R"(def part_of_bias(bias: Optional[Tensor], begin: int, end: int) -> Optional[Tensor]:
  if bias is None:
    return None
  return bias[begin:end]
)"},
      {"packed_projections", R"(def packed_projections(q: Tensor, k: Tensor, v: Tensor, weight: Tensor,
    bias: Optional[Tensor], one_input: bool, one_key: bool) -> Tuple[Tensor, Tensor, Tensor]:
  size = q.shape[-1]
  if one_input:
    all = F.projected_together(q, weight, bias, 3)
    return all[0], all[1], all[2]
  query = torch.linear(q, weight[:size], F.part_of_bias(bias, 0, size))
  if one_key:
    both = F.projected_together(k, weight[size:], F.part_of_bias(bias, size, 3 * size), 2)
    return query, both[0], both[1]
  key = torch.linear(k, weight[size:2 * size], F.part_of_bias(bias, size, 2 * size))
  value = torch.linear(v, weight[2 * size:], F.part_of_bias(bias, 2 * size, 3 * size))
  return query, key, value
)"},
      {"projections",
       R"(def projections(q: Tensor, k: Tensor, v: Tensor, q_weight: Tensor, k_weight: Tensor, v_weight: Tensor,
    bias: Optional[Tensor]) -> Tuple[Tensor, Tensor, Tensor]:
  size = q_weight.shape[0]
  query = torch.linear(q, q_weight, F.part_of_bias(bias, 0, size))
  key = torch.linear(k, k_weight, F.part_of_bias(bias, size, 2 * size))
  value = torch.linear(v, v_weight, F.part_of_bias(bias, 2 * size, 3 * size))
  return query, key, value
)"},
      {"weighted", R"(def weighted(query: Tensor, key: Tensor, value: Tensor, added: Optional[Tensor],
    dropout: float) -> Tuple[Tensor, Tensor]:
  scaled = query * ((1.0 / float(query.shape[-1])) ** 0.5)
  if added is not None:
    scores = torch.baddbmm(added, scaled, key.transpose(-2, -1))
  else:
    scores = torch.bmm(scaled, key.transpose(-2, -1))
  weights = torch.softmax(scores, -1)
  if dropout > 0.0:
    weights = torch.dropout(weights, dropout, True)
  return torch.bmm(weights, value).transpose(0, 1), weights
)"},
      {"attended", R"(def attended(q: Tensor, k: Tensor, v: Tensor, heads: int, weight: Tensor, bias: Optional[Tensor],
    padding: Optional[Tensor], mask: Optional[Tensor], is_causal: bool, add_zero: bool, dropout: float,
    need_weights: bool, average: bool) -> Tuple[Tensor, Tensor]:
  steps = q.shape[0]
  batch = q.shape[1]
  width = q.shape[2]
  size = width // heads
  causal = is_causal
  if is_causal and padding is None and not need_weights:
    mask = None
  elif padding is not None:
    causal = False
  if mask is not None and mask.ndim == 2:
    mask = mask.unsqueeze(0)
  query = q.view([steps, batch * heads, size]).transpose(0, 1)
  key = k.view([k.shape[0], batch * heads, size]).transpose(0, 1)
  value = v.view([v.shape[0], batch * heads, size]).transpose(0, 1)
  if add_zero:
    zeros = torch.zeros([batch * heads, 1, size], dtype=k.dtype, device=k.device)
    key = torch.cat([key, zeros], 1)
    value = torch.cat([value, zeros], 1)
    mask, padding = F.one_column_more(mask, padding)
  keys = key.shape[1]
  if padding is not None:
    hidden = padding.view([batch, 1, 1, keys]).expand([-1, heads, -1, -1]).reshape([batch * heads, 1, keys])
    if mask is None:
      mask = hidden
    else:
      mask = mask + hidden
  if need_weights:
    x, weights = F.weighted(query, key, value, mask, dropout)
    x = torch.linear(x.reshape([steps * batch, width]), weight, bias).view([steps, batch, -1])
    weights = weights.view([batch, heads, steps, keys])
    if average:
      weights = weights.mean(1)
    return x, weights
  if mask is not None:
    if mask.shape[0] == 1 and mask.ndim == 3:
      mask = mask.unsqueeze(0)
    else:
      mask = mask.view([batch, heads, -1, keys])
  y = torch.scaled_dot_product_attention(query.view([batch, heads, steps, size]), key.view([batch, heads, keys, size]),
    value.view([batch, heads, keys, size]), mask, dropout, causal)
  y = y.permute([2, 0, 1, 3]).reshape([batch * steps, width])
  y = torch.linear(y, weight, bias).view([steps, batch, -1])
  return y, torch.zeros([0], dtype=y.dtype, device=y.device)
)"},
  };
  return sources;
}

}  // namespace h5bridge::torch_script
