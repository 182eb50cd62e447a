#include "layers/multihead_attention/keras_masks.h"

#include <map>
#include <optional>

#include "h5bridge/error.h"
#include "layers/multihead_attention/heads.h"

namespace h5bridge::multihead_attention {
namespace {

using Handle = KerasEmitter::Handle;

std::map<std::string, Handle> named_of(const KerasEmitter& emitter) {
  std::map<std::string, Handle> result;
  for (const auto& [name, argument] : emitter.named_inputs()) result.emplace(name, std::get<Handle>(argument));
  return result;
}

// PyTorch's truth values say what is left out, Keras's what counts.
Handle counting(const std::string& name, Handle mask, Composition& operations) {
  if (const DType dtype = operations.emitter().dtype(mask); dtype != DType::Bool)
    throw Unsupported("its " + name + " is " + std::string(name_of(dtype)) +
                      ", numbers that are added to scores, and Keras's layer takes truth values (bool) alone");
  return operations.elementwise("LogicalNot", {mask});
}

// (batch * heads, queries, keys) with an axis for heads.
Handle with_heads(Handle mask, std::int64_t heads, const MaskedSizes& sizes, Composition& operations) {
  if (sizes.queries.is_open() || sizes.keys.is_open())
    throw Unsupported("its attn_mask of shape " + to_string(operations.shape(mask)) +
                      " has an axis for batch and heads, which Keras can take apart for sizes alone that are known; "
                      "LoadOptions::fix_sizes may help");
  const SymbolicShape shape{sizes.batch, heads, sizes.queries, sizes.keys};
  return operations.apply("Reshape", {mask}, shape,
                          {{"newshape", Json::Array{-1, heads, *sizes.queries.value(), *sizes.keys.value()}}});
}

}  // namespace

bool add_masks(const Attributes& a, std::int64_t heads, const MaskedSizes& sizes, Composition& operations,
               std::vector<std::pair<std::string, KerasEmitter::Argument>>& keywords) {
  std::map<std::string, Handle> named = named_of(operations.emitter());
  if (named.contains(kQueryMask))
    throw Unsupported("its query_mask is not the query's own, which is the one that Keras's layer heeds");
  bool is_causal = a.boolean("use_causal_mask");
  // PyTorch does not look at the mask then.
  const bool trusts_hint = a.boolean("is_causal") && !a.boolean("need_weights") && !named.contains(kPaddingMask);
  if (trusts_hint) {
    is_causal = true;
    named.erase(kMask);
  }
  std::optional<Handle> padding, mask;
  if (const auto given = named.find(kPaddingMask); given != named.end())
    padding = counting(kPaddingMask, given->second, operations);
  if (const auto given = named.find(kMask); given != named.end()) {
    mask = counting(kMask, given->second, operations);
    if (operations.rank(*mask) == 3) mask = with_heads(*mask, heads, sizes, operations);
  }
  if ((padding && named.contains(kValueMask)) || (mask && named.contains(kAttentionMask)))
    throw Unsupported("it is given masks of PyTorch's and of Keras's for the same");
  if (padding && mask && operations.rank(*mask) == 4) {  // Keras would take the batch for heads
    mask = operations.elementwise("LogicalAnd", {*mask, operations.expand(operations.expand(*padding, 1), 1)});
    padding.reset();
  }
  if (padding) keywords.emplace_back(kValueMask, *padding);
  for (const char* name : {kValueMask, kKeyMask, kAttentionMask})
    if (const auto given = named.find(name); given != named.end()) keywords.emplace_back(name, given->second);
  if (mask) keywords.emplace_back(kAttentionMask, *mask);
  return is_causal;
}

}  // namespace h5bridge::multihead_attention
