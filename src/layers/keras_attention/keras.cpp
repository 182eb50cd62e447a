#include "facets/keras/mapping.h"
#include "h5bridge/error.h"

namespace h5bridge::keras_attention {
namespace {

// Its tensors are one list, their masks another; that of the keys takes no part.
KerasMapping attention(const std::string& class_name, bool use_scale) {
  KerasMapping mapping{.type = class_name, .class_name = class_name};
  mapping.attributes = {
      {"use_scale", "use_scale", spelling::boolean(), use_scale},
      {"dropout", "dropout", spelling::number(), 0.0},
      {"use_causal_mask", "use_causal_mask", spelling::boolean(), false},
      {"return_attention_scores", "return_attention_scores", spelling::boolean(), false},
  };
  mapping.carried = {{"seed", nullptr}};
  mapping.inputs_as_list = true;
  mapping.call = {"inputs", "mask", "return_attention_scores", "use_causal_mask"};
  take_training(mapping);
  mapping.lists = {{"mask", {"query_mask", "value_mask", ""}}};
  return mapping;
}

KerasMapping dot_product() {
  KerasMapping mapping = attention("Attention", false);
  mapping.attributes.push_back({"score_mode", "score_mode", spelling::text(), std::string("dot")});
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    WeightRules result;
    if (a.boolean("use_scale")) result.rules.push_back({.torch = {"scale"}, .keras = {"scale"}});
    if (a.text("score_mode") == "concat")
      result.rules.push_back({.torch = {"concat_score_weight"}, .keras = {"concat_score_weight"}});
    return result;
  };
  const std::vector<Shape> alike{{2, 4, 5}, {2, 4, 5}};
  mapping.samples = {
      {"plain", {}, {{2, 4, 5}, {2, 6, 5}}},
      {"scaled", {{"use_scale", true}, {"dropout", 0.3}, {"seed", 7}}, {{2, 4, 5}, {2, 6, 3}, {2, 6, 5}}},
      {"by their sum", {{"score_mode", "concat"}, {"use_scale", true}}, alike},
      {"causal, with scores", {}, alike, {{"use_causal_mask", true}, {"return_attention_scores", true}}},
  };
  return mapping;
}

// It takes a score_mode as well, which makes no difference and is in no configuration.
KerasMapping additive() {
  KerasMapping mapping = attention("AdditiveAttention", true);
  mapping.derive = [](Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
    const auto features = inputs.at(0).back().value();
    if (!features) throw MalformedFile("the last size of its query is open");
    attributes.set("features", *features);
  };
  mapping.weights = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    WeightRules result;
    if (a.boolean("use_scale")) result.rules.push_back({.torch = {"scale"}, .keras = {"scale"}});
    return result;
  };
  mapping.samples = {
      {"plain", {}, {{2, 4, 5}, {2, 6, 5}}},
      {"causal",
       {{"use_scale", false}, {"dropout", 0.3}, {"seed", 7}, {"score_mode", "concat"}},
       {{2, 4, 5}, {2, 4, 5}},
       {{"use_causal_mask", true}}},
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {dot_product(), additive()}; }

}  // namespace h5bridge::keras_attention
