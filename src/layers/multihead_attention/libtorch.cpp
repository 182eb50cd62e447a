#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "facets/libtorch/layer.h"
#include "h5bridge/error.h"
#include "layers/multihead_attention/heads.h"

namespace h5bridge::multihead_attention {
namespace {

using torch::Tensor;

// The module's tensors, of which those that there are not are undefined.
struct Parameters {
  explicit Parameters(const torch::nn::Module& module) {
    for (const auto& item : module.named_parameters()) tensors.emplace(item.key(), item.value());
  }
  Tensor operator[](const std::string& name) const {
    const auto found = tensors.find(name);
    return found == tensors.end() ? Tensor() : found->second;
  }
  std::map<std::string, Tensor> tensors;
};

TorchModulePtr make_module(const Attributes& a) {
  const auto module = std::make_shared<torch::nn::Module>("MultiheadAttention");
  const auto out = std::make_shared<torch::nn::Module>("NonDynamicallyQuantizableLinear");
  const Heads heads = heads_of(a);
  const auto add = [](torch::nn::Module& to, const std::string& name) {
    to.register_parameter(name, torch::empty({0}));
  };
  if (heads.is_packed) add(*module, "in_proj_weight");
  if (!heads.is_packed)
    for (const Projection& projection : heads.projections) add(*module, projection.tensor);
  if (a.boolean("bias")) add(*module, "in_proj_bias");
  if (a.boolean("add_bias_kv"))
    for (const char* name : {"bias_k", "bias_v"}) add(*module, name);
  add(*out, "weight");
  if (a.boolean("bias")) add(*out, "bias");
  module->register_module("out_proj", out);
  return module;
}

// What a query attends to: numbers to add to its scores, or, as Keras has it, what counts at all; undefined: all.
struct Mask {
  Tensor added;   // broadcasts to (batch * heads, queries, keys)
  Tensor counts;  // likewise to (batch, heads, queries, keys)
};

// One call. The order of the operations is that of PyTorch's (torch/nn/functional.py, multi_head_attention_forward), so
// that the results are equal to the bit.
class Call {
 public:
  Call(const Attributes& a, const Heads& heads, const torch::nn::Module& module, const TorchCall& call)
      : a_(a), heads_(heads), parameters_(module), is_training_(module.is_training()), call_(call) {
    const Attributes& own = call.attributes;
    const auto is_on = [&](const char* name) { return own.contains(name) ? own.boolean(name) : a.boolean(name); };
    needs_weights_ = is_on("need_weights");
    averages_ = is_on("average_attn_weights");
    uses_causal_mask_ = is_on("use_causal_mask");
    is_causal_ = is_on("is_causal");
    batch_first_ = a.boolean("batch_first");
  }

  TorchValues run() {
    Tensor query = call_.inputs.at(0), key = call_.inputs.at(1), value = call_.inputs.at(2);
    const bool one_key = key.is_same(value), one_query = query.is_same(key);
    if (batch_first_) {
      query = query.transpose(1, 0);
      key = one_key && one_query ? query : key.transpose(1, 0);
      value = one_key ? key : value.transpose(1, 0);
    }
    queries_ = query.size(0), batch_ = query.size(1), keys_ = key.size(0);
    Tensor gate;
    project(query, key, value, one_query && one_key, one_key, gate);
    const Mask mask = add_steps(key, value, masks(query));
    keys_ = key.size(1);
    return attend(query, key, value, gate, mask);
  }

 private:
  Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) const {
    return torch::linear(input, weight, bias.defined() ? c10::optional<Tensor>(bias) : c10::nullopt);
  }

  // Several projections of one input at once, (count, ...).
  Tensor together(const Tensor& input, std::int64_t count, const Tensor& weight, const Tensor& bias) const {
    const std::int64_t size = input.size(-1);
    return linear(input, weight, bias)
        .unflatten(-1, {count, size})
        .unsqueeze(0)
        .transpose(0, -2)
        .squeeze(-2)
        .contiguous();
  }

  // Inputs become their projections, (steps, batch, all heads).
  void project(Tensor& query, Tensor& key, Tensor& value, bool are_one, bool one_key, Tensor& gate) const {
    const Tensor bias = parameters_["in_proj_bias"];
    const Tensor asking = query;
    if (!heads_.is_packed) {
      const std::vector<Tensor> biases =
          bias.defined() ? bias.split_with_sizes(heads_.rows()) : std::vector<Tensor>(heads_.projections.size());
      for (std::size_t i = 0; i < biases.size(); ++i) {
        const Projection& projection = heads_.projections[i];
        const Tensor weight = parameters_[projection.tensor];
        if (projection.keras == "query") query = linear(query, weight, biases[i]);
        if (projection.keras == "key") key = linear(key, weight, biases[i]);
        if (projection.keras == "value") value = linear(value, weight, biases[i]);
        if (projection.keras == "gate") gate = torch::sigmoid(linear(asking, weight, biases[i]));
      }
      return;
    }
    const Tensor weight = parameters_["in_proj_weight"];
    const std::int64_t size = query.size(-1);
    if (are_one) {
      const Tensor all = together(query, 3, weight, bias);
      query = all[0], key = all[1], value = all[2];
      return;
    }
    const auto part = [&](const Tensor& whole, std::int64_t from, std::int64_t count) {
      return whole.defined() ? whole.narrow(0, from * size, count * size) : whole;
    };
    query = linear(query, part(weight, 0, 1), part(bias, 0, 1));
    if (one_key) {
      const Tensor both = together(key, 2, part(weight, 1, 2), part(bias, 1, 2));
      key = both[0], value = both[1];
    } else {
      key = linear(key, part(weight, 1, 1), part(bias, 1, 1));
      value = linear(value, part(weight, 2, 1), part(bias, 2, 1));
    }
  }

  // Keys and values with the steps that PyTorch may add to them, and the query: (batch * heads, steps, size of a head).
  Mask add_steps(Tensor& key, Tensor& value, Mask mask) const {
    const auto one_more = [&] {
      if (mask.added.defined()) mask.added = torch::constant_pad_nd(mask.added, {0, 1});
      if (mask.counts.defined()) mask.counts = torch::constant_pad_nd(mask.counts, {0, 1}, true);
    };
    if (const Tensor bias = parameters_["bias_k"]; bias.defined()) {
      key = torch::cat({key, bias.repeat({1, batch_, 1})});
      value = torch::cat({value, parameters_["bias_v"].repeat({1, batch_, 1})});
      one_more();
    }
    key = for_all_heads(key, heads_.key_dim);
    value = for_all_heads(value, heads_.value_dim);
    if (a_.boolean("add_zero_attn")) {
      for (Tensor* each : {&key, &value})
        *each = torch::cat({*each, torch::zeros({each->size(0), 1, each->size(2)}, each->options())}, 1);
      one_more();
    }
    return mask;
  }

  Tensor by_heads(const Tensor& projection, std::int64_t size) const {
    return projection.reshape({projection.size(0), batch_ * heads_.count, size}).transpose(0, 1);
  }

  // Each head of keys and values serves as many queries' in a row.
  Tensor for_all_heads(const Tensor& projection, std::int64_t size) const {
    if (heads_.key_value_count == heads_.count) return by_heads(projection, size);
    const Tensor own = projection.view({projection.size(0), batch_, heads_.key_value_count, size});
    return by_heads(own.repeat_interleave(heads_.count / heads_.key_value_count, 2), size);
  }

  // Truth values of PyTorch's say what is left out.
  static Tensor as_numbers(const Tensor& mask, const Tensor& like) {
    if (mask.is_floating_point()) return mask;
    if (mask.scalar_type() != torch::kBool)
      throw UsageError("a mask of attention has numbers that are neither truth values nor floating-point");
    return torch::zeros_like(mask, like.options()).masked_fill_(mask, -std::numeric_limits<double>::infinity());
  }

  Mask masks(const Tensor& query) {
    Mask result;
    const Tensor padding = call_.input(kPaddingMask), mask = call_.input(kMask);
    // PyTorch does not look at the mask where it is said to be the causal one, and nothing else needs it.
    trusts_hint_ = is_causal_ && !padding.defined() && !needs_weights_;
    if (mask.defined() && !trusts_hint_) {
      result.added = as_numbers(mask, query);
      if (result.added.dim() == 2) result.added = result.added.unsqueeze(0);
    }
    const auto truth = query.options().dtype(torch::kBool);
    const bool is_plain = uses_causal_mask_ && !has_masks_of_keras();
    if (is_plain && !trusts_hint_) {
      const Tensor later = as_numbers(torch::ones({queries_, keys_}, truth).triu(1), query).unsqueeze(0);
      result.added = result.added.defined() ? result.added + later : later;
    }
    if (padding.defined()) {
      const Tensor numbers = as_numbers(padding, query)
                                 .view({batch_, 1, 1, keys_})
                                 .expand({-1, heads_.count, -1, -1})
                                 .reshape({batch_ * heads_.count, 1, keys_});
      result.added = result.added.defined() ? result.added + numbers : numbers;
    }
    if (!is_plain) result.counts = counting(truth);
    return result;
  }

  // The causal mask alone leaves every query something, so that both frameworks mean the same.
  bool has_masks_of_keras() const {
    return !a_.is_none("sliding_window") ||
           std::ranges::any_of(std::array{kQueryMask, kValueMask, kKeyMask, kAttentionMask},
                               [&](const char* name) { return call_.input(name).defined(); });
  }

  // Keras's masks together, (batch, heads, queries, keys) or what broadcasts to it.
  Tensor counting(const torch::TensorOptions& options) const {
    Tensor result;
    const auto also = [&](const Tensor& mask) { result = result.defined() ? result.logical_and(mask) : mask; };
    if (const Tensor mask = call_.input(kQueryMask); mask.defined())
      also(mask.to(torch::kBool).view({batch_, 1, queries_, 1}));
    for (const char* name : {kValueMask, kKeyMask})
      if (const Tensor mask = call_.input(name); mask.defined())
        also(mask.to(torch::kBool).view({batch_, 1, 1, keys_}));
    if (uses_causal_mask_) also(torch::ones({queries_, keys_}, options).tril());
    if (!a_.is_none("sliding_window")) {
      const std::int64_t width = a_.integer("sliding_window");
      also(torch::ones({queries_, keys_}, options).tril(width - 1).triu(1 - width));
    }
    if (Tensor mask = call_.input(kAttentionMask); mask.defined()) {
      mask = mask.to(torch::kBool);
      also(mask.dim() == 3 ? mask.unsqueeze(1) : mask);
    }
    return result;
  }

  TorchValues attend(const Tensor& projected, const Tensor& key, const Tensor& value, const Tensor& gate,
                     const Mask& mask) const {
    const Tensor query = by_heads(projected, heads_.key_dim);
    const double rate = is_training_ ? a_.number("dropout") : 0.0;
    if (mask.counts.defined()) return attend_as_keras(query, key, value, gate, mask, rate);
    if (needs_weights_) {
      const Tensor scaled = query * std::sqrt(1.0 / static_cast<double>(heads_.key_dim));
      Tensor weights = mask.added.defined() ? torch::baddbmm(mask.added, scaled, key.transpose(-2, -1))
                                            : torch::bmm(scaled, key.transpose(-2, -1));
      weights = torch::softmax(weights, -1);
      if (rate > 0) weights = torch::dropout(weights, rate, true);
      const Tensor heads = torch::bmm(weights, value);
      return results(heads.transpose(0, 1).reshape({queries_ * batch_, heads_.count * heads_.value_dim}), gate,
                     weights.view({batch_, heads_.count, queries_, keys_}));
    }
    c10::optional<Tensor> added;
    if (mask.added.defined())
      added = mask.added.size(0) == 1 ? mask.added.unsqueeze(0) : mask.added.view({batch_, heads_.count, -1, keys_});
    const Tensor heads = torch::scaled_dot_product_attention(
        query.view({batch_, heads_.count, queries_, heads_.key_dim}),
        key.view({batch_, heads_.count, keys_, heads_.key_dim}),
        value.view({batch_, heads_.count, keys_, heads_.value_dim}), added, rate, trusts_hint_);
    return results(heads.permute({2, 0, 1, 3}).reshape({queries_ * batch_, heads_.count * heads_.value_dim}), gate, {});
  }

  // A query that may attend to nothing gets the mean of all values, or nothing where Keras computes the weights
  // themselves: they are an output, or dropped in training.
  TorchValues attend_as_keras(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& gate,
                              const Mask& mask, double rate) const {
    const Tensor scaled = query * std::sqrt(1.0 / static_cast<double>(heads_.key_dim));
    Tensor scores = torch::bmm(scaled, key.transpose(-2, -1));
    if (mask.added.defined()) scores = scores + mask.added;
    scores = scores.view({batch_, heads_.count, queries_, keys_});
    const double least = scores.scalar_type() == torch::kHalf ? -3e4 : -1e9;
    Tensor weights = torch::softmax(torch::where(mask.counts, scores, torch::full_like(scores, least)), -1);
    if (needs_weights_ || a_.number("dropout") > 0)
      weights = torch::where(mask.counts, weights, torch::zeros_like(weights));
    Tensor used = rate > 0 ? torch::dropout(weights, rate, true) : weights;
    const Tensor heads = torch::bmm(used.view({batch_ * heads_.count, queries_, keys_}), value);
    return results(heads.transpose(0, 1).reshape({queries_ * batch_, heads_.count * heads_.value_dim}), gate, weights);
  }

  // `heads`: (queries * batch, all heads); `weights`: (batch, heads, queries, keys).
  TorchValues results(Tensor heads, const Tensor& gate, const Tensor& weights) const {
    if (gate.defined()) heads = heads * gate.reshape(heads.sizes());
    Tensor output = linear(heads, parameters_["out_proj.weight"], parameters_["out_proj.bias"])
                        .view({queries_, batch_, heads_.output_dim});
    if (batch_first_) output = output.transpose(1, 0);
    if (!needs_weights_) return {output};
    return {output, averages_ ? weights.mean(1) : weights};
  }

  const Attributes& a_;
  const Heads& heads_;
  Parameters parameters_;
  bool is_training_;
  const TorchCall& call_;
  bool needs_weights_, averages_, uses_causal_mask_, is_causal_, batch_first_;
  bool trusts_hint_ = false;
  std::int64_t queries_ = 0, batch_ = 0, keys_ = 0;
};

TorchInstance build(const Layer& layer) {
  const TorchModulePtr module = make_module(layer.attributes);
  return {module, [module, attributes = layer.attributes, heads = heads_of(layer.attributes)](const TorchCall& call) {
            return Call(attributes, heads, *module, call).run();
          }};
}

}  // namespace

std::vector<TorchLayer> torch_layers() { return {{"MultiheadAttention", build}}; }

}  // namespace h5bridge::multihead_attention
