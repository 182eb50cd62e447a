#include <algorithm>
#include <cmath>
#include <limits>

#include "facets/aten/row.h"
#include "h5bridge/error.h"

namespace h5bridge::multihead_attention {
namespace {

using aten::Call;

Json as_json(const Size& size) { return size.value() ? Json(*size.value()) : Json(size.str()); }

// True for keys that come later than the query.
std::string later_keys(Call& call) {
  const SymbolicShape& query = call.shape("query");
  const SymbolicShape& key = call.shape("key");
  const Json::Array size{as_json(query.at(query.size() - 2)), as_json(key.at(key.size() - 2))};
  const std::string ones = call.step("ones", {{"size", size}, {"dtype", "bool"}}, {});
  return call.step("triu", {{"diagonal", 1}}, {ones});
}

Json scale_of(Call& call) {
  if (Json stated = call.take("scale"); !stated.is_null()) return stated;
  const auto width = call.shape("query").back().value();
  if (!width || *width < 1) throw Unsupported("the size of its heads is open");
  return 1.0 / std::sqrt(static_cast<double>(*width));
}

// Of groups of queries that share keys and values, one for each query.
void repeat_for_queries(Call& call) {
  if (call.take("enable_gqa") != Json(true)) return;
  const SymbolicShape& query = call.shape("query");
  for (const char* name : {"key", "value"}) {
    const SymbolicShape& shape = call.shape(name);
    const auto heads = query.at(query.size() - 3).value();
    const auto own = shape.at(shape.size() - 3).value();
    if (!heads || !own || *own < 1 || *heads % *own != 0) throw Unsupported("the number of its heads is open");
    if (*heads == *own) continue;
    const std::string repeated =
        call.step("repeat_interleave", {{"repeats", *heads / *own}, {"dim", -3}}, {call.name_of(name)});
    for (aten::Given& given : call.operands)
      if (given.name == name) given.tensors = {repeated};
  }
}

// softmax(query key^T scale + mask) value, step by step.
void in_steps(Call& call) {
  if (const Json share = call.take("dropout_p"); !share.is_null() && share.as_float() != 0)
    throw Unsupported("drops scores in evaluation, too (dropout_p)");
  const bool is_causal = call.take("is_causal") == Json(true);
  const std::string later = is_causal ? later_keys(call) : "";
  const Json scale = scale_of(call);
  const bool has_mask = call.has("attn_mask");
  const bool is_truth = has_mask && call.operand_dtype("attn_mask") == DType::Bool;
  const double none = -std::numeric_limits<double>::infinity();
  repeat_for_queries(call);
  const std::string keys = call.step("transpose", {{"dim0", -2}, {"dim1", -1}}, {call.name_of("key")});
  std::string scores = call.step("matmul", {}, {call.name_of("query"), keys});
  scores = call.step("mul", {{"other", scale}}, {scores});
  if (is_causal) scores = call.step("masked_fill", {{"value", none}}, {scores, later});
  std::string left_out;
  if (is_truth) {
    left_out = call.step("logical_not", {}, {call.name_of("attn_mask")});
    scores = call.step("masked_fill", {{"value", none}}, {scores, left_out});
  } else if (has_mask) {
    scores = call.step("add", {}, {scores, call.name_of("attn_mask")});
    left_out = call.step("isneginf", {}, {scores});
  }
  std::string weights = call.step("Softmax", {{"dim", -1}}, {scores});
  // A query that may attend to nothing gets zeros.
  if (has_mask) weights = call.step("masked_fill", {{"value", 0.0}}, {weights, left_out});
  const std::string value = call.name_of("value");
  call.operands = {{"input", {weights}, false}, {"other", {value}, false}};
}

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
  for (const auto& [name, argument] : {std::pair("scaled_dot_product_attention", "query"), std::pair("bmm", "self")})
    for (const aten::Operation* operation : group.all(name))
      if (const std::string* scored = aten::tensor_of(*operation, argument)) return group.last_size(*scored);
  return {};
}

// As nn.MultiheadAttention computes it without masks and further steps; with those it stays what it is made of.
std::optional<aten::ModuleForm> whole_attention(const aten::ModuleGroup& group) {
  for (const char* other : {"cat", "zeros", "repeat", "pad", "baddbmm", "masked_fill"})
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
  for (const std::string& given : group.given())
    if (std::ranges::none_of(of, [&](const Projected& one) { return one.of == given; })) return {};
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
  if (!needs_weights) form.attributes.set("need_weights", false);
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

std::vector<aten::Row> aten_rows() {
  return {{.operators = {"scaled_dot_product_attention"}, .type = "matmul", .adjust = in_steps},
          aten::whole_module("MultiheadAttention", whole_attention)};
}

}  // namespace h5bridge::multihead_attention
