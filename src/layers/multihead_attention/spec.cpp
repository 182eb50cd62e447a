#include <numeric>

#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/multihead_attention/heads.h"

namespace h5bridge::multihead_attention {
namespace {

using Shapes = std::vector<SymbolicShape>;

constexpr std::int64_t kMost = 1 << 24;  // of anything: more than a file can fill

bool differ(const Size& a, const Size& b) { return a.value() && b.value() && a != b; }

void check(const Attributes& a) {
  for (const char* name : {"embed_dim", "num_heads", "num_key_value_heads", "kdim", "vdim", "key_dim", "value_dim",
                           "output_dim", "sliding_window"})
    if (!a.is_none(name) && (a.integer(name) < 1 || a.integer(name) > kMost))
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) + ", expected 1 to " +
                          std::to_string(kMost));
  if (const double rate = a.number("dropout"); !(rate >= 0 && rate <= 1))
    throw MalformedFile("\"dropout\" is " + std::to_string(rate) + ", expected a share");
  if ((a.is_none("key_dim") || a.is_none("value_dim")) && a.integer("embed_dim") % a.integer("num_heads") != 0)
    throw MalformedFile("\"embed_dim\" is " + std::to_string(a.integer("embed_dim")) + ", expected a multiple of " +
                        std::to_string(a.integer("num_heads")) + ", that of its heads");
  if (!a.is_none("num_key_value_heads") && a.integer("num_heads") % a.integer("num_key_value_heads") != 0)
    throw MalformedFile("\"num_heads\" is " + std::to_string(a.integer("num_heads")) + ", expected a multiple of " +
                        std::to_string(a.integer("num_key_value_heads")) + ", the number of keys' and values'");
  if ((a.boolean("add_bias_kv") || a.boolean("add_zero_attn")) &&
      (!a.is_none("num_key_value_heads") || !a.is_none("key_dim") || !a.is_none("value_dim") || a.boolean("use_gate") ||
       !a.is_none("sliding_window")))
    throw MalformedFile("\"add_bias_kv\" and \"add_zero_attn\" are for layers with nothing of Keras's own");
}

std::vector<ParameterSpec> parameters(const Attributes& a) {
  const Heads heads = heads_of(a);
  const std::vector<std::int64_t> rows = heads.rows();
  const std::int64_t all_rows = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  std::vector<ParameterSpec> result;
  if (heads.is_packed) result.push_back({"in_proj_weight", {all_rows, a.integer("embed_dim")}});
  if (!heads.is_packed)
    for (const char* name : {"q_proj_weight", "k_proj_weight", "v_proj_weight", "g_proj_weight"})
      for (const Projection& projection : heads.projections)
        if (projection.tensor == name) result.push_back({name, {projection.outputs, projection.inputs}});
  if (a.boolean("bias")) result.push_back({"in_proj_bias", {all_rows}});
  if (a.boolean("add_bias_kv"))
    for (const char* name : {"bias_k", "bias_v"}) result.push_back({name, {1, 1, a.integer("embed_dim")}});
  result.push_back({"out_proj.weight", {heads.output_dim, heads.count * heads.value_dim}});
  if (a.boolean("bias")) result.push_back({"out_proj.bias", {heads.output_dim}});
  return result;
}

// Query (batch, queries, embed_dim), key (batch, steps, kdim) and value (batch, steps, vdim), or the steps first.
Shapes shapes(const Attributes& a, const Shapes& inputs) {
  const Heads heads = heads_of(a);
  for (const SymbolicShape& input : inputs) {
    if (input.size() == 2)
      throw Unsupported("its input of shape " + to_string(input) +
                        " has no batch axis; a single sequence needs an axis of 1");
    if (input.size() != 3)
      throw Unsupported("its input has shape " + to_string(input) + ", and only (batch, steps, features) is known yet");
  }
  const SymbolicShape &query = inputs.at(0), &key = inputs.at(1), &value = inputs.at(2);
  const std::size_t batch = a.boolean("batch_first") ? 0 : 1, steps = 1 - batch;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string operand = i == 0 ? "query" : i == 1 ? "key" : "value";
    for (const Projection& projection : heads.projections)
      if (projection.keras == operand && differ(inputs[i][2], projection.inputs))
        throw MalformedFile("its " + operand + " has shape " + to_string(inputs[i]) + ", expected " +
                            std::to_string(projection.inputs) + " features");
  }
  if (differ(query[batch], key[batch])) throw_misfit(query, key);
  if (differ(key[steps], value[steps]) || differ(key[batch], value[batch])) throw_misfit(key, value);
  SymbolicShape output = query;
  output[2] = heads.output_dim;
  Shapes result{output};
  if (!a.boolean("need_weights")) return result;
  Size keys = key[steps];
  for (const char* more : {"add_bias_kv", "add_zero_attn"})
    if (a.boolean(more)) keys = keys + 1;
  SymbolicShape weights{query[batch], query[steps], keys};
  if (!a.boolean("average_attn_weights")) weights.insert(weights.begin() + 1, heads.count);
  result.push_back(std::move(weights));
  return result;
}

std::vector<AttributeSpec> attributes() {
  const auto size = [](const char* name, const char* meaning) { return or_none(required_integer(name, meaning)); };
  return {
      required_integer("embed_dim", "size of the last axis of the query"),
      required_integer("num_heads", "number of heads"),
      deciding(Decides::Training, number("dropout", 0, "the share of weights that are dropped in training")),
      boolean("bias", true, "whether biases are added"),
      boolean("add_bias_kv", false, "whether a step that is learnt is added to keys and values"),
      boolean("add_zero_attn", false, "whether a step of zeros is added to keys and values"),
      size("kdim", "size of the last axis of the key; None: embed_dim"),
      size("vdim", "size of the last axis of the value; None: embed_dim"),
      deciding(Decides::Form,
               boolean("batch_first", false,
                       "whether inputs are (batch, steps, features); otherwise they are (steps, batch, features)")),
      size("key_dim", "size of each head's query and key; None: embed_dim / num_heads, as in PyTorch"),
      size("value_dim", "size of each head's value; None: embed_dim / num_heads, as in PyTorch"),
      size("output_dim", "size of the last axis of the output (Keras's output_shape); None: embed_dim"),
      size("num_key_value_heads",
           "number of heads of keys and values, each for as many of the queries' (Keras's GroupQueryAttention); None: "
           "num_heads"),
      boolean("use_gate", false, "whether Keras's gate, a projection of the query, multiplies what heads give"),
      size("sliding_window", "within how many steps keys have to be of a query, itself counted; None: any"),
      of_call(boolean("use_causal_mask", false, "whether a query attends to no later step than its own (Keras's)")),
      of_call(boolean("is_causal", false,
                      "whether attn_mask is said to be the causal mask; PyTorch then need not look at it")),
      of_call(deciding(Decides::Form, boolean("need_weights", true, "whether the weights are a second output"))),
      of_call(deciding(Decides::Form, boolean("average_attn_weights", true,
                                              "whether they are averaged over heads; otherwise these have an axis"))),
      training(),
  };
}

void add_samples(LayerType& type) {
  const auto sample = [&](const std::string& what, Json::Object more, std::vector<Shape> inputs, bool in_keras = true,
                          std::int64_t size = 6, std::int64_t heads = 2) {
    Json::Object all{{"embed_dim", size}, {"num_heads", heads}};
    if (!more.find("batch_first")) all.set("batch_first", true);
    for (const auto& [name, value] : more) all.set(name, value);
    const bool batch_first = all.at("batch_first").as_bool();
    Sample made{what, std::move(all), std::move(inputs), in_keras};
    if (!batch_first) made.batch_axes = {1, 1, 1};
    type.samples.push_back(std::move(made));
  };
  const std::vector<Shape> alike{{3, 5, 6}, {3, 5, 6}, {3, 5, 6}};
  const std::vector<Shape> crossed{{3, 4, 6}, {3, 5, 6}, {3, 5, 6}};
  sample("plain", {}, alike);
  sample("batch of one, one head", {}, {{1, 7, 5}, {1, 7, 5}, {1, 7, 5}}, true, 5, 1);
  // Keras declares the weights of other numbers of queries than keys wrongly: those stand in the tests alone.
  sample("steps first", {{"batch_first", false}, {"average_attn_weights", false}}, {{4, 3, 6}, {4, 3, 6}, {4, 3, 6}});
  sample("other queries, steps first", {{"batch_first", false}, {"need_weights", false}},
         {{4, 3, 6}, {5, 3, 6}, {5, 3, 6}});
  sample("without bias", {{"bias", false}, {"need_weights", false}}, crossed);
  sample("weights of each head", {{"average_attn_weights", false}, {"dropout", 0.3}}, alike);
  sample("without weights, steps first", {{"need_weights", false}, {"batch_first", false}},
         {{5, 2, 6}, {5, 2, 6}, {5, 2, 6}});
  sample("sizes of keys and values", {{"kdim", 4}, {"vdim", 7}}, {{3, 5, 6}, {3, 5, 4}, {3, 5, 7}});
  sample("sizes of keys and values, without bias", {{"kdim", 4}, {"vdim", 7}, {"bias", false}, {"need_weights", false}},
         {{3, 4, 6}, {3, 5, 4}, {3, 5, 7}});
  sample("a step that is learnt", {{"add_bias_kv", true}}, crossed, false);
  sample("a step of zeros", {{"add_zero_attn", true}, {"need_weights", false}}, crossed, false);
  sample("sizes of heads", {{"key_dim", 4}, {"value_dim", 5}, {"need_weights", false}}, crossed);
  sample("size of the output", {{"output_dim", 8}, {"average_attn_weights", false}}, alike);
  sample("causal", {{"use_causal_mask", true}, {"need_weights", false}}, crossed);
  sample("causal, with weights", {{"use_causal_mask", true}, {"average_attn_weights", false}}, alike);
  sample("sliding window", {{"sliding_window", 2}, {"use_causal_mask", true}, {"need_weights", false}}, alike);
  sample("groups of heads", {{"num_key_value_heads", 2}, {"key_dim", 3}, {"value_dim", 3}, {"need_weights", false}},
         crossed, true, 6, 4);
  sample("groups of heads, weights and gate",
         {{"num_key_value_heads", 1},
          {"key_dim", 4},
          {"value_dim", 4},
          {"use_gate", true},
          {"bias", false},
          {"use_causal_mask", true},
          {"average_attn_weights", false}},
         alike);
  sample("gate", {{"use_gate", true}, {"value_dim", 2}, {"need_weights", false}}, crossed);
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType type;
  type.name = "MultiheadAttention";
  type.summary =
      "values weighted by how well their keys fit a query, by several heads; outputs: these and, maybe, the "
      "weights";
  type.source = "torch/nn/modules/activation.py; keras/src/layers/attention/multi_head_attention.py";
  type.integers = Integers::BecomeFloats;
  type.operands = {required("query"),
                   required("key"),
                   required("value"),
                   by_name(kPaddingMask),
                   by_name(kMask),
                   mask_of("query", kQueryMask),
                   mask_of("value", kValueMask),
                   mask_of("key", kKeyMask),
                   by_name(kAttentionMask)};
  type.mask = passes_mask();
  type.dtypes = promotes().at_least_float();
  type.attributes = attributes();
  type.parameters = parameters;
  type.shapes = shapes;
  type.check = check;
  add_samples(type);
  return {std::move(type)};
}

}  // namespace h5bridge::multihead_attention
