// PyTorch's attention as a function: what its modules, and those of others, project is given to it.
#include <algorithm>

#include "facets/spec/axes.h"
#include "facets/spec/function_type.h"
#include "h5bridge/error.h"

namespace h5bridge::dot_product_attention {
namespace {

using Shapes = std::vector<SymbolicShape>;

constexpr std::size_t kMask = 3;  // among the inputs

// Where steps and heads are, counted from the end.
struct Places {
  explicit Places(const Attributes& a) : steps(a.boolean("steps_first") ? 3 : 2), heads(5 - steps) {}
  std::size_t steps, heads;
};

const Size& from_end(const SymbolicShape& shape, std::size_t place) { return shape.at(shape.size() - place); }

bool differ(const Size& a, const Size& b) { return a.value() && b.value() && a != b; }

void check_heads(const Attributes& a, const SymbolicShape& query, const SymbolicShape& key) {
  if (query.size() < 3)
    throw MalformedFile("\"enable_gqa\" wants an axis of heads, but its query is " + to_string(query));
  const Places places(a);
  const auto queries = from_end(query, places.heads).value(), keys = from_end(key, places.heads).value();
  if (!queries || !keys || *keys < 1 || *queries % *keys != 0)
    throw MalformedFile("its query of shape " + to_string(query) + " has no multiple of the heads of its key, " +
                        to_string(key));
}

Shapes shapes(const Attributes& a, const Shapes& inputs) {
  const SymbolicShape &query = inputs.at(0), &key = inputs.at(1), &value = inputs.at(2);
  const std::size_t least = a.boolean("steps_first") ? 3 : 2;
  for (const SymbolicShape* input : {&query, &key, &value})
    if (input->size() < least || input->size() != query.size())
      throw MalformedFile("its inputs have shapes " + to_string(query) + ", " + to_string(key) + " and " +
                          to_string(value) + ", expected as many axes of each, and at least " + std::to_string(least));
  const Places places(a);
  if (differ(query.back(), key.back())) throw_misfit(query, key);
  if (differ(from_end(key, places.steps), from_end(value, places.steps))) throw_misfit(key, value);
  if (a.boolean("enable_gqa")) check_heads(a, query, key);
  SymbolicShape result = query;
  result.back() = value.back();
  return {result};
}

// (..., steps, heads, features) in place of (..., heads, steps, features), or the other way round.
Arrangement exchanged(std::size_t rank) {
  Arrangement result = Arrangement::original(rank);
  std::swap(result.axes[rank - 2], result.axes[rank - 3]);
  return result;
}

// Heads that were split off, and moved before the steps, need not be moved: it takes them as they lie.
void layout(LayoutCall& call) {
  const std::size_t rank = call.input_shape(0).size();
  const auto is_exchanged = [&](std::size_t i) { return call.input(i) == exchanged(rank); };
  if (rank < 3 || is_exchanged(0) + is_exchanged(1) + is_exchanged(2) < 2) return keeps_original_layout().apply(call);
  for (std::size_t i = 0; i < kMask; ++i) call.require(i, exchanged(rank));
  if (call.input_count() > kMask) call.require(kMask, Arrangement::original(call.input_shape(kMask).size()));
  call.attributes().set("steps_first", !call.attributes().boolean("steps_first"));
  call.set_output(0, exchanged(rank));
}

std::vector<Sample> samples() {
  const auto heads = [](std::int64_t queries, std::int64_t keys, std::int64_t size) {
    return std::vector<Shape>{{2, 3, queries, 4}, {2, 3, keys, 4}, {2, 3, keys, size}};
  };
  const Shape mask{2, 1, 5, 6};
  return {{"heads", {}, heads(5, 6, 7)},
          {"without heads", {}, {{2, 5, 4}, {2, 6, 4}, {2, 6, 3}}},
          {"causal", {{"is_causal", true}}, heads(5, 5, 4)},
          {"causal, of more keys", {{"is_causal", true}}, heads(4, 6, 4)},
          {"a scale", {{"scale", 0.7}}, heads(5, 5, 4)},
          {"a mask that is added", {}, {heads(5, 6, 7)[0], heads(5, 6, 7)[1], heads(5, 6, 7)[2], mask}},
          {"groups of queries", {{"enable_gqa", true}}, {{2, 6, 5, 4}, {2, 3, 7, 4}, {2, 3, 7, 4}}},
          {"steps first", {{"steps_first", true}}, {{2, 5, 3, 4}, {2, 6, 3, 4}, {2, 6, 3, 7}}},
          {"groups of queries, causal, steps first",
           {{"steps_first", true}, {"enable_gqa", true}, {"is_causal", true}},
           {{2, 5, 6, 4}, {2, 5, 2, 4}, {2, 5, 2, 4}}}};
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType type = function_type(
      "scaled_dot_product_attention", "values weighted by how well their keys fit a query",
      {boolean("is_causal", false, "whether a query attends to no later step than its own"),
       or_none(number("scale", 1, "what scores are multiplied by; None: 1 / sqrt(features)")),
       boolean("enable_gqa", false, "whether groups of the query's heads share one of the keys and values"),
       boolean("steps_first", false,
               "whether all are (..., steps, heads, features), as Keras has them; otherwise (..., heads, steps, "
               "features)")});
  type.source = "torch/nn/functional.py";
  type.operands = {required("query"), required("key"), required("value"), optional("attn_mask")};
  type.dtypes = promotes_inputs({0, 1, 2});
  type.shapes = shapes;
  type.layout = {LayoutWish::Neutral, layout};
  type.samples = samples();
  return {std::move(type)};
}

}  // namespace h5bridge::dot_product_attention
