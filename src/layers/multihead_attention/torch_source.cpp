#include "facets/torch_source/signature.h"

namespace h5bridge::multihead_attention {
namespace {

constexpr PythonHelper kHeads{"KerasMultiHeadAttention",
                              R"py(class KerasMultiHeadAttention(nn.Module):
    """Keras's; its weights have the names of nn.MultiheadAttention, and its inputs are (batch, steps, features)."""

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        kdim=None,
        vdim=None,
        key_dim=None,
        value_dim=None,
        output_dim=None,
        num_key_value_heads=None,
        use_gate=False,
        sliding_window=None,
    ):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.key_dim = key_dim or embed_dim // num_heads
        self.value_dim = value_dim or embed_dim // num_heads
        self.sliding_window = sliding_window
        own = num_key_value_heads or num_heads
        self.queries_each = num_heads // own  # of each head of keys and values
        values = num_heads * self.value_dim
        shapes = {"q": (num_heads * self.key_dim, embed_dim)}
        shapes["k"] = (own * self.key_dim, kdim or embed_dim)
        if use_gate:
            shapes["g"] = (values, embed_dim)
        shapes["v"] = (own * self.value_dim, vdim or embed_dim)
        self.rows = {name: rows for name, (rows, _) in shapes.items()}
        self.packed = not use_gate and set(shapes.values()) == {(embed_dim, embed_dim)}
        if self.packed:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        else:
            for name, shape in shapes.items():
                setattr(self, name + "_proj_weight", nn.Parameter(torch.empty(shape)))
        self.in_proj_bias = None
        if bias:
            self.in_proj_bias = nn.Parameter(torch.zeros(sum(self.rows.values())))
        self.out_proj = nn.Linear(values, output_dim or embed_dim, bias)

    def together(self, x, first, count):
        """Projections of one input at once, from in_proj_weight."""
        size = x.shape[-1]
        rows = slice(first * size, (first + count) * size)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        y = F.linear(x, self.in_proj_weight[rows], bias)
        if count == 1:
            return [y]
        y = y.unflatten(-1, (count, size)).unsqueeze(0).transpose(0, -2)
        return y.squeeze(-2).contiguous()

    def project(self, query, key, value, one_key, one_input):
        if self.packed and one_input:
            return [*self.together(query, 0, 3), None]
        if self.packed:
            (q,) = self.together(query, 0, 1)
            if one_key:
                return [q, *self.together(key, 1, 2), None]
            return [q, *self.together(key, 1, 1), *self.together(value, 2, 1), None]
        biases = dict.fromkeys(self.rows)
        if self.in_proj_bias is not None:
            sizes = list(self.rows.values())
            biases = dict(zip(self.rows, self.in_proj_bias.split(sizes)))
        inputs = {"q": query, "k": key, "v": value, "g": query}
        parts = {
            name: F.linear(inputs[name], getattr(self, name + "_proj_weight"), bias)
            for name, bias in biases.items()
        }
        gate = torch.sigmoid(parts["g"]) if "g" in parts else None
        return [parts["q"], parts["k"], parts["v"], gate]

    def heads(self, x, size):
        """(batch * heads, steps, size)"""
        batch, steps = x.shape[1], x.shape[0]
        if x.shape[2] != self.num_heads * size:
            x = x.unflatten(2, (-1, size)).repeat_interleave(self.queries_each, 2)
            x = x.flatten(2)
        return x.view(steps, batch * self.num_heads, size).transpose(0, 1)

    def mask(self, batch, queries, keys, masks, causal, device):
        """What counts, (batch, heads, queries, keys) or what broadcasts to it."""
        query_mask, value_mask, key_mask, attention_mask = masks
        parts = []
        if query_mask is not None:
            parts.append(query_mask.bool().view(batch, 1, queries, 1))
        for mask in (value_mask, key_mask):
            if mask is not None:
                parts.append(mask.bool().view(batch, 1, 1, keys))
        pairs = torch.ones(queries, keys, dtype=torch.bool, device=device)
        if causal:
            parts.append(pairs.tril())
        if self.sliding_window is not None:
            width = self.sliding_window
            parts.append(pairs.tril(width - 1).triu(1 - width))
        if attention_mask is not None:
            mask = attention_mask.bool()
            parts.append(mask.unsqueeze(1) if mask.ndim == 3 else mask)
        result = parts[0] if parts else None
        for mask in parts[1:]:
            result = result & mask
        return result

    def attend(self, q, k, v, added, batch, need_weights):
        """As nn.MultiheadAttention does."""
        rate = self.dropout if self.training else 0.0
        if need_weights:
            scaled = q * (1.0 / self.key_dim) ** 0.5
            k = k.transpose(-2, -1)
            scores = torch.bmm(scaled, k)
            if added is not None:
                scores = torch.baddbmm(added, scaled, k)
            weights = F.dropout(torch.softmax(scores, -1), rate)
            x = torch.bmm(weights, v).transpose(0, 1)
            return x, weights.view(batch, self.num_heads, *weights.shape[1:])
        q, k, v = (x.view(batch, self.num_heads, *x.shape[1:]) for x in (q, k, v))
        added = added if added is None else added.unsqueeze(0)
        x = F.scaled_dot_product_attention(q, k, v, added, rate)
        return x.permute(2, 0, 1, 3), None

    def attend_where(self, q, k, v, mask, batch, need_weights):
        """As Keras does: a query that may attend to nothing gets the mean of all."""
        scores = torch.bmm(q * (1.0 / self.key_dim) ** 0.5, k.transpose(-2, -1))
        scores = scores.view(batch, self.num_heads, *scores.shape[1:])
        hidden = -3e4 if scores.dtype == torch.half else -1e9
        weights = torch.softmax(torch.where(mask, scores, hidden), -1)
        if need_weights or self.dropout > 0:
            weights = torch.where(mask, weights, 0.0)
        shares = F.dropout(weights, self.dropout, self.training)
        return torch.bmm(shares.flatten(0, 1), v).transpose(0, 1), weights

    def forward(
        self,
        query,
        key,
        value,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        causal=False,
        need_weights=True,
        average_attn_weights=True,
    ):
        one_key, one_input = key is value, query is key and key is value
        query = query.transpose(0, 1)
        key = query if one_input else key.transpose(0, 1)
        value = key if one_key else value.transpose(0, 1)
        (queries, batch), keys = query.shape[:2], key.shape[0]
        q, k, v, gate = self.project(query, key, value, one_key, one_input)
        q, k = self.heads(q, self.key_dim), self.heads(k, self.key_dim)
        v = self.heads(v, self.value_dim)
        masks = (query_mask, value_mask, key_mask, attention_mask)
        is_plain = self.sliding_window is None and all(mask is None for mask in masks)
        if is_plain:
            added = None
            if causal:
                added = q.new_zeros(1, queries, keys)
                later = torch.ones_like(added, dtype=torch.bool).triu(1)
                added = added.masked_fill(later, -torch.inf)
            x, weights = self.attend(q, k, v, added, batch, need_weights)
        else:
            mask = self.mask(batch, queries, keys, masks, causal, query.device)
            x, weights = self.attend_where(q, k, v, mask, batch, need_weights)
        x = x.reshape(queries * batch, self.num_heads * self.value_dim)
        if gate is not None:
            x = x * gate.reshape(x.shape)
        x = self.out_proj(x).view(queries, batch, -1).transpose(0, 1)
        if not need_weights:
            return x, None
        return x, weights.mean(1) if average_attn_weights else weights)py",
                              {},
                              R"ts(def heads(self, x: Tensor, size: int) -> Tensor:
  steps = x.shape[0]
  batch = x.shape[1]
  own = x.shape[2] // size
  if own != {num_heads}:
    x = x.unflatten(2, [own, size]).repeat_interleave({num_heads} // own, 2).flatten(2)
  return x.view([steps, batch * {num_heads}, size]).transpose(0, 1)
def mask(self, batch: int, queries: int, keys: int, query_mask: Optional[Tensor], value_mask: Optional[Tensor],
    key_mask: Optional[Tensor], attention_mask: Optional[Tensor], causal: bool, like: Tensor) -> Tensor:
  pairs = torch.ones([queries, keys], dtype=torch.bool, device=like.device)
  parts: List[Tensor] = []
  if query_mask is not None:
    parts.append(query_mask.bool().view([batch, 1, queries, 1]))
  if value_mask is not None:
    parts.append(value_mask.bool().view([batch, 1, 1, keys]))
  if key_mask is not None:
    parts.append(key_mask.bool().view([batch, 1, 1, keys]))
  if causal:
    parts.append(pairs.tril())
  if {sliding_window} is not None:
    parts.append(pairs.tril({sliding_window} - 1).triu(1 - {sliding_window}))
  if attention_mask is not None:
    mask = attention_mask.bool()
    if mask.ndim == 3:
      mask = mask.unsqueeze(1)
    parts.append(mask)
  result = parts[0]
  for part in parts[1:]:
    result = result & part
  return result
def forward(self, query: Tensor, key: Tensor, value: Tensor, query_mask: Optional[Tensor]=None,
    value_mask: Optional[Tensor]=None, key_mask: Optional[Tensor]=None, attention_mask: Optional[Tensor]=None,
    causal: bool=False, need_weights: bool=True, average_attn_weights: bool=True) -> Tuple[Tensor, Tensor]:
  one_key = key is value
  one_input = one_key and query is key
  a = query.transpose(0, 1)
  b = key.transpose(0, 1)
  c = value.transpose(0, 1)
  queries = a.shape[0]
  batch = a.shape[1]
  keys = b.shape[0]
  gate: Optional[Tensor] = None
  if self.in_proj_weight is not None:
    q, k, v = F.packed_projections(a, b, c, self.in_proj_weight, self.in_proj_bias, one_input, one_key)
  else:
    first = self.q_proj_weight.shape[0]
    second = first + self.k_proj_weight.shape[0]
    rows = self.v_proj_weight.shape[0]
    q = torch.linear(a, self.q_proj_weight, F.part_of_bias(self.in_proj_bias, 0, first))
    k = torch.linear(b, self.k_proj_weight, F.part_of_bias(self.in_proj_bias, first, second))
    if self.g_proj_weight is not None:
      gates = second + self.g_proj_weight.shape[0]
      gate = torch.sigmoid(torch.linear(a, self.g_proj_weight, F.part_of_bias(self.in_proj_bias, second, gates)))
      second = gates
    v = torch.linear(c, self.v_proj_weight, F.part_of_bias(self.in_proj_bias, second, second + rows))
  size = q.shape[-1] // {num_heads}
  width = v.shape[-1] // (k.shape[-1] // size)
  q = self.heads(q, size)
  k = self.heads(k, size)
  v = self.heads(v, width)
  weights = torch.zeros([0], dtype=q.dtype, device=q.device)
  masked = query_mask is not None or value_mask is not None or key_mask is not None or attention_mask is not None
  if {sliding_window} is not None:
    masked = True
  rate = 0.0
  if self.training:
    rate = {dropout}
  scale = (1.0 / float(size)) ** 0.5
  if masked:
    mask = self.mask(batch, queries, keys, query_mask, value_mask, key_mask, attention_mask, causal, query)
    scores = torch.bmm(q * scale, k.transpose(-2, -1)).view([batch, {num_heads}, queries, keys])
    hidden = -1e9
    if scores.dtype == torch.half:
      hidden = -3e4
    weights = torch.softmax(torch.where(mask, scores, hidden), -1)
    if need_weights or {dropout} > 0:
      weights = torch.where(mask, weights, 0.0)
    shares = torch.dropout(weights, {dropout}, self.training)
    x = torch.bmm(shares.flatten(0, 1), v).transpose(0, 1)
  else:
    added: Optional[Tensor] = None
    if causal:
      later = torch.ones([1, queries, keys], dtype=torch.bool, device=q.device).triu(1)
      added = torch.zeros([1, queries, keys], dtype=q.dtype, device=q.device).masked_fill(later, -inf)
    if need_weights:
      x, weights = F.weighted(q, k, v, added, rate)
      weights = weights.view([batch, {num_heads}, queries, keys])
    else:
      if added is not None:
        added = added.unsqueeze(0)
      y = torch.scaled_dot_product_attention(q.view([batch, {num_heads}, queries, size]),
        k.view([batch, {num_heads}, keys, size]), v.view([batch, {num_heads}, keys, width]), added, rate)
      x = y.permute([2, 0, 1, 3])
  x = x.reshape([queries * batch, {num_heads} * width])
  if gate is not None:
    x = x * gate.reshape(x.shape)
  x = torch.linear(x, self.out_proj.weight, self.out_proj.bias).view([queries, batch, -1]).transpose(0, 1)
  if need_weights and average_attn_weights:
    weights = weights.mean(1)
  return x, weights
)ts"};

// Keras's layer, whose masks say what counts.
TorchSource of_keras() {
  TorchSource result = of_helper(kHeads,
                                 "MultiheadAttention(embed_dim, num_heads, *, dropout, bias, kdim, vdim, key_dim, "
                                 "value_dim, output_dim, num_key_value_heads, use_gate, sliding_window)",
                                 {"batch_first", "use_causal_mask", "need_weights", "average_attn_weights"});
  result.misfit = [inner = result.misfit](const Layer& layer) {
    return layer.attributes.boolean("batch_first") ? inner(layer) : std::string("batch_first");
  };
  result.takes_no = {"key_padding_mask", "attn_mask"};
  result.call = [](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    std::vector<std::string> arguments{call.input(0).text, call.input(1).text, call.input(2).text};
    for (const char* mask : {"query_mask", "value_mask", "key_mask", "attention_mask"})
      if (const auto given = call.operand(mask)) arguments.push_back(std::string(mask) + "=" + given->text);
    if (a.boolean("use_causal_mask")) arguments.push_back("causal=True");
    if (!a.boolean("need_weights")) arguments.push_back("need_weights=False");
    if (!a.boolean("average_attn_weights")) arguments.push_back("average_attn_weights=False");
    return call.self + "(" + joined(arguments) + ")" + (a.boolean("need_weights") ? "" : "[0]");
  };
  result.output_names = {"x", "weights"};
  result.calls_module_plainly = false;
  return result;
}

constexpr PythonHelper kLater{"causal_mask", R"py(def causal_mask(queries, keys, device):
    """True where a key comes after the query, which must not see it."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).triu(1))py"};

// What a causal call leaves out, which PyTorch's module has to be told, with the mask that is given besides.
Python causal_mask(const SourceCall& call) {
  const std::size_t steps = call.attributes().boolean("batch_first") ? 1 : 0;
  const auto size = [&](std::size_t input) { return call.place.size(call.input_shape(input).at(steps)).text; };
  const std::string sizes = size(0) + ", " + size(1), device = ", device=" + call.place.device() + ")";
  const std::string later = call.place.is_script() ? "torch.ones(" + sizes + ", dtype=torch.bool" + device + ".triu(1)"
                                                   : call.helper(kLater) + "(" + sizes + device;
  const auto given = call.operand("attn_mask");
  if (!given) return later;
  if (call.input_types.at(*call.index_of("attn_mask")).at(0).dtype == DType::Bool)
    return {given->within(Binding::BitOr) + " | " + later, Binding::BitOr};
  return given->receiver() + ".masked_fill(" + later + ", -torch.inf)";
}

TorchSource module(const std::string& causal = "") {
  TorchSource result = torch_module(
      "nn.MultiheadAttention(embed_dim, num_heads, *, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, "
      "batch_first)");
  // Settings of the call.
  const std::string said =
      "nn.MultiheadAttention(embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, "
      "vdim, batch_first, is_causal, need_weights, average_attn_weights" +
      causal + ")";
  result.misfit = [said](const Layer& layer) { return unnamed_settings(said, layer); };
  result.takes_no = {"query_mask", "value_mask", "key_mask", "attention_mask"};
  result.call = [](const SourceCall& call) -> Python {
    const Attributes& a = call.attributes();
    std::vector<std::string> arguments{call.input(0).text, call.input(1).text, call.input(2).text};
    if (const auto given = call.operand("key_padding_mask")) arguments.push_back("key_padding_mask=" + given->text);
    const bool is_causal = a.boolean("use_causal_mask");
    if (const auto mask = is_causal ? causal_mask(call) : call.operand("attn_mask"))
      arguments.push_back("attn_mask=" + mask->text);
    if (!a.boolean("need_weights")) arguments.push_back("need_weights=False");
    if (!a.boolean("average_attn_weights")) arguments.push_back("average_attn_weights=False");
    if (a.boolean("is_causal")) arguments.push_back("is_causal=True");
    return call.self + "(" + joined(arguments) + ")" + (a.boolean("need_weights") ? "" : "[0]");
  };
  result.output_names = {"x", "weights"};
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

// PyTorch's module computes other bits with a mask than Keras's layer, whose causal calls have none.
std::vector<TorchSource> torch_sources() {
  TorchSource causal = module(", use_causal_mask");
  causal.is_pytorchs_alone = true;
  return {module(), causal, of_keras(), module(", use_causal_mask")};
}

}  // namespace h5bridge::multihead_attention
