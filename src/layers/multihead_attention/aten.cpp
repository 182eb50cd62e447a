#include <algorithm>
#include <limits>

#include "facets/aten/row.h"
#include "layers/multihead_attention/heads.h"

namespace h5bridge::multihead_attention {
namespace {

// One of the projections, and what it is a projection of.
struct Projected {
  std::string of;
  bool is_transposed = false;  // steps first, before it
};

std::optional<Projected> projected(const aten::ModuleGroup& group, const aten::Operation& linear) {
  const std::string* input = aten::tensor_of(linear, "input");
  if (!input) return {};
  const aten::Operation* maker = group.maker_of(*input);
  if (!maker) return Projected{*input, false};
  const std::string* of = aten::tensor_of(*maker, "self");
  const bool swaps = aten::value_of(*maker, "dim0") == Json(1) && aten::value_of(*maker, "dim1") == Json(0);
  if (maker->plain_name() != "transpose" || !swaps || !of || group.maker_of(*of)) return {};
  return Projected{*of, true};
}

// What the heads' scores are computed of has their size.
std::optional<std::int64_t> size_of_head(const aten::ModuleGroup& group) {
  for (const auto& [name, argument] :
       {std::pair("scaled_dot_product_attention", "query"), std::pair("baddbmm", "batch1"), std::pair("bmm", "self")})
    for (const aten::Operation* operation : group.all(name))
      if (const std::string* scored = aten::tensor_of(*operation, argument)) return group.last_size(*scored);
  return {};
}

// The truth values that became numbers, 0 and -inf, by `masked_fill` (torch/nn/functional.py, _canonical_mask); nothing
// for other numbers.
std::optional<std::string> truth_of(const aten::Operation& filled, const aten::Operation* zeros) {
  const std::string* mask = aten::tensor_of(filled, "mask");
  const std::string* like = zeros && zeros->plain_name() == "zeros_like" ? aten::tensor_of(*zeros, "self") : nullptr;
  const Json value = aten::value_of(filled, "value");
  const bool is_filled = filled.plain_name() == "masked_fill" || filled.plain_name() == "masked_fill_";
  const bool is_left_out = value.is_number() && value.as_float() == -std::numeric_limits<double>::infinity();
  return is_filled && is_left_out && mask && like && *like == *mask ? std::optional(*mask) : std::nullopt;
}

// A mask as whoever called made it of truth values, as nn.TransformerEncoder does; otherwise as it is.
std::string truth_before(const aten::ModuleGroup& group, const std::string& mask) {
  const aten::Operation* filled = group.maker_anywhere(mask);
  const std::string* zeros = filled ? aten::tensor_of(*filled, "self") : nullptr;
  return zeros ? truth_of(*filled, group.maker_anywhere(*zeros)).value_or(mask) : mask;
}

// Truth values, or numbers that stand for these: 0, and -inf where a score is left out. Nothing for other numbers.
std::optional<aten::KnownNumbers> left_out(const aten::KnownNumbers& mask) {
  if (mask.dtype() == DType::Bool) return mask;
  if (!is_floating_point(mask.dtype())) return {};
  aten::KnownNumbers result(DType::Bool, mask.shape(), 0);
  bool are_truth = true;
  aten::for_each_place(mask.shape(), [&](const auto& place) {
    const double number = mask.at(place).real;
    const bool is_left_out = number == -std::numeric_limits<double>::infinity();
    are_truth = are_truth && (is_left_out || number == 0);
    result.set(place, {false, is_left_out ? 1 : 0, 0});
  });
  return are_truth ? std::optional(result) : std::nullopt;
}

// Whether each query may attend to no later step than its own.
bool is_causal(const aten::KnownNumbers& truth) {
  if (truth.rank() != 2) return false;
  bool result = true;
  aten::for_each_place(
      truth.shape(), [&](const auto& place) { result = result && truth.at(place).is_true() == (place[1] > place[0]); });
  return result;
}

// The same of what is computed for any length.
bool is_made_causal(const aten::ModuleGroup& group, const std::string& mask) {
  const aten::Operation* maker = group.maker_anywhere(mask);
  const auto behind = [&] {
    const std::string* self = maker ? aten::tensor_of(*maker, "self") : nullptr;
    return self ? group.maker_anywhere(*self) : nullptr;
  };
  const auto is = [&](std::string_view name) { return maker && maker->plain_name() == name; };
  bool is_truth = false, is_turned = false;
  for (; is("to") || is("_to_copy"); maker = behind(), is_truth = true)
    if (aten::value_of(*maker, "dtype") != Json(std::string(name_of(DType::Bool)))) return false;
  for (; is("logical_not") || is("bitwise_not"); maker = behind()) is_turned = !is_turned;
  const Json diagonal = maker ? aten::value_of(*maker, "diagonal") : Json();
  const bool is_above = is("triu") && !is_turned && diagonal == Json(1);
  const bool is_below = is("tril") && is_turned && (diagonal.is_null() || diagonal == Json(0));
  if (!is_above && !is_below) return false;
  maker = behind();
  if (is("full") && !is_truth && is_above) {
    const Json number = aten::value_of(*maker, "fill_value");
    return number.is_number() && number.as_float() == -std::numeric_limits<double>::infinity();
  }
  return is("ones") && (is_truth || aten::value_of(*maker, "dtype") == Json(std::string(name_of(DType::Bool))));
}

// Gives the module its mask: as a setting, as truth values, or as it is.
void set_mask(aten::ModuleForm& form, const aten::ModuleGroup& group, aten::Given mask) {
  const std::string name = truth_before(group, *mask.tensors.at(0));
  const auto known = group.elements(name);
  const auto truth = known ? left_out(*known) : std::nullopt;
  if (mask.name == kMask && (truth ? is_causal(*truth) : is_made_causal(group, name))) {
    form.attributes.set("use_causal_mask", true);
    return;
  }
  mask.tensors = {name};
  if (truth && known->dtype() != DType::Bool) {
    mask.tensors = {name + "%truth"};
    form.constants.emplace_back(name + "%truth", truth->tensor());
  }
  form.operands.push_back(std::move(mask));
}

// Back from what makes the mask of each head's scores to the masks that the module was given.
class MaskFinder {
 public:
  explicit MaskFinder(const aten::ModuleGroup& group) : group_(group) {}

  /// As operands; nothing where a mask is made otherwise.
  std::optional<std::vector<aten::Given>> find(const std::string& of_scores) const {
    std::string whole = through("view", of_scores);
    if (whole == of_scores) whole = through("unsqueeze", whole);
    if (const auto padding = padding_of(whole)) return operands("", *padding);
    if (const aten::Operation* sum = maker(whole, "add")) {
      const std::string *mask = aten::tensor_of(*sum, "self"), *other = aten::tensor_of(*sum, "other");
      const auto padding = other ? padding_of(*other) : std::nullopt;
      return mask && padding ? operands(through("unsqueeze", *mask), *padding) : std::nullopt;
    }
    return operands(through("unsqueeze", whole), "");
  }

 private:
  const aten::Operation* maker(const std::string& tensor, std::string_view name) const {
    const aten::Operation* found = group_.maker_of(tensor);
    return found && found->plain_name() == name ? found : nullptr;
  }

  std::string through(std::string_view name, const std::string& tensor) const {
    const aten::Operation* found = maker(tensor, name);
    const std::string* before = found ? aten::tensor_of(*found, "self") : nullptr;
    return before ? *before : tensor;
  }

  // One for all heads.
  std::optional<std::string> padding_of(const std::string& tensor) const {
    std::string name = tensor;
    for (const char* step : {"reshape", "expand", "view"}) {
      const std::string before = through(step, name);
      if (before == name) return {};
      name = before;
    }
    return name;
  }

  // Truth values became numbers; nothing for other numbers that the module made.
  std::optional<std::string> as_given(const std::string& tensor) const {
    if (!group_.maker_of(tensor)) return tensor;
    const aten::Operation& filled = *group_.maker_of(tensor);
    const std::string* zeros = aten::tensor_of(filled, "self");
    const auto mask = zeros ? truth_of(filled, group_.maker_of(*zeros)) : std::nullopt;
    return mask && !group_.maker_of(*mask) ? mask : std::nullopt;
  }

  std::optional<std::vector<aten::Given>> operands(const std::string& mask, const std::string& padding) const {
    std::vector<aten::Given> result;
    for (const auto& [name, tensor] : {std::pair(kMask, mask), std::pair(kPaddingMask, padding)}) {
      if (tensor.empty()) continue;
      const auto given = as_given(tensor);
      if (!given) return {};
      result.push_back({name, {*given}, false});
    }
    return result;
  }

  const aten::ModuleGroup& group_;
};

std::optional<std::vector<aten::Given>> masks_of(const aten::ModuleGroup& group) {
  for (const auto& [name, argument] :
       {std::pair("scaled_dot_product_attention", "attn_mask"), std::pair("baddbmm", "self")})
    for (const aten::Operation* operation : group.all(name))
      if (const std::string* mask = aten::tensor_of(*operation, argument)) return MaskFinder(group).find(*mask);
  return std::vector<aten::Given>{};
}

// The share of scores that a module in training drops; one in evaluation does not say it.
Json dropped(const aten::ModuleGroup& group) {
  for (const aten::Operation* attention : group.all("scaled_dot_product_attention")) {
    const Json share = aten::value_of(*attention, "dropout_p");
    if (share.is_number() && share.as_float() != 0) return share;
  }
  for (const aten::Operation* dropout : group.all("dropout"))
    if (aten::value_of(*dropout, "train") == Json(true)) return aten::value_of(*dropout, "p");
  return {};
}

// As nn.MultiheadAttention computes it without further steps; with those it stays what it is made of.
std::optional<aten::ModuleForm> whole_attention(const aten::ModuleGroup& group) {
  for (const char* other : {"cat", "zeros", "repeat", "pad"})
    if (group.has(other)) return {};
  const std::vector<const aten::Operation*> linears = group.all("linear");
  const std::size_t scored = group.all("scaled_dot_product_attention").size() + group.all("softmax").size();
  if (linears.size() < 2 || linears.size() > 4 || scored != 1) return {};
  const aten::Operation& last = *linears.back();
  const std::string* out_weight = aten::tensor_of(last, "weight");
  if (!out_weight || group.own_name(*out_weight) != "out_proj.weight") return {};
  std::vector<Projected> of;
  for (std::size_t i = 0; i + 1 < linears.size(); ++i) {
    const auto one = projected(group, *linears[i]);
    if (!one || one->is_transposed != (of.empty() ? one->is_transposed : of[0].is_transposed)) return {};
    of.push_back(*one);
  }
  while (of.size() < 3) of.push_back(of.back());
  const auto masks = masks_of(group);
  if (!masks) return {};
  for (const std::string& given : group.given())
    if (std::ranges::none_of(of, [&](const Projected& one) { return one.of == given; }) &&
        std::ranges::none_of(*masks, [&](const aten::Given& mask) { return mask.tensors[0] == given; }))
      return {};
  const auto out = group.sizes(*out_weight);
  const auto head = size_of_head(group);
  if (!out || !head || *head < 1 || out->at(1) % *head != 0) return {};
  const bool needs_weights = !group.has("scaled_dot_product_attention");
  aten::ModuleForm form{
      .type = "MultiheadAttention",
      .attributes = {{"embed_dim", out->at(0)},
                     {"num_heads", out->at(1) / *head},
                     {"bias", aten::tensor_of(last, "bias") != nullptr},
                     {"batch_first", of[0].is_transposed}},
      .operands = {{"query", {of[0].of}, false}, {"key", {of[1].of}, false}, {"value", {of[2].of}, false}},
      .outputs = {}};
  for (const aten::Given& mask : *masks) set_mask(form, group, mask);
  if (!needs_weights) form.attributes.set("need_weights", false);
  if (const Json share = dropped(group); !share.is_null()) form.attributes.set("dropout", share);
  for (const aten::Operation* attention : group.all("scaled_dot_product_attention"))
    if (aten::value_of(*attention, "is_causal") == Json(true)) form.attributes.set("use_causal_mask", true);
  for (const aten::Operation* linear : linears)
    for (const auto& [weight, size] : {std::pair("k_proj_weight", "kdim"), std::pair("v_proj_weight", "vdim")})
      if (const std::string* tensor = aten::tensor_of(*linear, "weight"); tensor && group.own_name(*tensor) == weight)
        if (const auto sizes = group.sizes(*tensor)) form.attributes.set(size, sizes->at(1));
  const std::vector<const aten::Operation*> means = group.all("mean");
  const std::optional<std::string> weights =
      means.empty() ? std::nullopt : std::optional(means.back()->outputs.at(0).value_or(""));
  std::vector<std::string> results = group.results();
  if (weights) std::erase(results, *weights);
  if (results.size() != 1) return {};
  form.outputs = {results[0]};
  if (weights) form.outputs.push_back(weights);
  return form;
}

}  // namespace

std::vector<aten::Row> aten_rows() { return {aten::whole_module("MultiheadAttention", whole_attention)}; }

}  // namespace h5bridge::multihead_attention
