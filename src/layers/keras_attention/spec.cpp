#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::keras_attention {
namespace {

using Shapes = std::vector<SymbolicShape>;

bool differ(const Size& a, const Size& b) { return a.value() && b.value() && a != b; }

// Query (batch, queries, features), value (batch, steps, features), and a key for each value, or the values themselves.
Shapes shapes(const Attributes& a, const Shapes& inputs) {
  for (const SymbolicShape& input : inputs)
    if (input.size() != 3)
      throw MalformedFile("its input has shape " + to_string(input) + ", expected (batch, steps, features)");
  const SymbolicShape& query = inputs.at(0);
  const SymbolicShape& value = inputs.at(1);
  const SymbolicShape& key = inputs.back();
  if (differ(query[2], key[2])) throw_misfit(query, key);
  if (differ(value[1], key[1])) throw_misfit(value, key);
  Shapes result{{query[0], query[1], value[2]}};
  if (a.boolean("return_attention_scores")) result.push_back({query[0], query[1], value[1]});
  return result;
}

LayerType attention(const std::string& name, const std::string& summary, const std::string& source, bool use_scale) {
  LayerType type;
  type.name = name;
  type.summary = summary;
  type.source = source;
  type.integers = Integers::BecomeFloats;
  type.operands = {required("query"), required("value"), optional("key"), mask_of("query", "query_mask"),
                   mask_of("value", "value_mask")};
  type.mask = passes_mask();
  type.dtypes = promotes().at_least_float();
  type.attributes = {
      boolean("use_scale", use_scale, "whether there is a weight that scales"),
      deciding(Decides::Training, number("dropout", 0, "the share of scores that are dropped in training")),
      of_call(boolean("use_causal_mask", false, "whether a query attends to no later step than its own")),
      of_call(
          deciding(Decides::Form, boolean("return_attention_scores", false, "whether the scores are a second output"))),
      training(),
  };
  type.check = [](const Attributes& a) {
    if (const double rate = a.number("dropout"); rate < 0 || rate > 1)
      throw MalformedFile("\"dropout\" is " + std::to_string(rate) + ", expected a share");
  };
  type.shapes = shapes;
  return type;
}

void add_samples(LayerType& type, const std::string& what, const Json::Object& settings, std::int64_t features) {
  const auto add = [&](const std::string& more, Json::Object all, std::vector<Shape> inputs) {
    for (const auto& [name, value] : settings) all.set(name, value);
    type.samples.push_back({what + more, std::move(all), std::move(inputs)});
  };
  add("", {}, {{3, 4, features}, {3, 5, features}});
  add(", keys", {}, {{3, 4, features}, {3, 5, 2}, {3, 5, features}});
  add(", causal", {{"use_causal_mask", true}}, {{1, 4, features}, {1, 4, features}});
  add(", causal, more queries", {{"use_causal_mask", true}}, {{3, 6, features}, {3, 4, features}});
  add(", scores", {{"return_attention_scores", true}}, {{2, 4, features}, {2, 4, features}});
}

LayerType dot_product() {
  LayerType type = attention("Attention", "values weighted by how well their keys fit a query (Keras's)",
                             "Luong et al. 2015; keras/src/layers/attention/attention.py", false);
  type.attributes.insert(
      type.attributes.begin() + 1,
      text("score_mode", "dot", {"dot", "concat"}, "scores by the product of query and key, or by tanh of their sum"));
  type.parameters = [](const Attributes& a) {
    std::vector<ParameterSpec> result;
    if (a.boolean("use_scale")) result.push_back({"scale", {}});
    if (a.text("score_mode") == "concat") result.push_back({"concat_score_weight", {}});
    return result;
  };
  add_samples(type, "plain", {}, 6);
  add_samples(type, "scaled", {{"use_scale", true}}, 5);
  add_samples(type, "by their sum", {{"score_mode", "concat"}, {"use_scale", true}}, 3);
  type.samples.push_back({"by their sum alone", {{"score_mode", "concat"}}, {{3, 4, 4}, {3, 4, 4}}});
  return type;
}

LayerType additive() {
  LayerType type =
      attention("AdditiveAttention", "values weighted by tanh of the sums of their keys and a query (Keras's)",
                "Bahdanau et al. 2015; keras/src/layers/attention/additive_attention.py", true);
  type.attributes.insert(type.attributes.begin(), required_integer("features", "size of the last axis of the query"));
  type.parameters = [](const Attributes& a) {
    std::vector<ParameterSpec> result;
    if (a.boolean("use_scale")) result.push_back({"scale", {a.integer("features")}});
    return result;
  };
  type.shapes = [](const Attributes& a, const Shapes& inputs) {
    const Shapes result = shapes(a, inputs);
    if (differ(inputs[0][2], a.integer("features")))
      throw MalformedFile("its query has shape " + to_string(inputs[0]) + ", expected " +
                          std::to_string(a.integer("features")) + " features");
    return result;
  };
  add_samples(type, "plain", {{"features", 6}}, 6);
  type.samples.push_back({"without scale", {{"features", 4}, {"use_scale", false}}, {{3, 4, 4}, {3, 4, 4}}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {dot_product(), additive()}; }

}  // namespace h5bridge::keras_attention
