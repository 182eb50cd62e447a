#include "h5bridge/error.h"
#include "layers/layer_type.h"

namespace h5bridge::embedding {
namespace {

void check(const Attributes& a) {
  for (const char* name : {"num_embeddings", "embedding_dim"})
    if (a.integer(name) < 1) throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) + ", expected at least 1");
  const std::int64_t count = a.integer("num_embeddings");
  if (!a.is_none("padding_idx"))
    if (const std::int64_t index = a.integer("padding_idx"); index < -count || index >= count)
      throw MalformedFile("\"padding_idx\" is " + std::to_string(index) + ", expected an index into " + std::to_string(count) + " embeddings");
}

std::vector<ParameterSpec> parameters(const Attributes& a) { return {{"weight", {a.integer("num_embeddings"), a.integer("embedding_dim")}}}; }

// What both modules have; `more` are a module's own settings, in the order of its constructor.
std::vector<AttributeSpec> attributes(std::vector<AttributeSpec> more) {
  std::vector<AttributeSpec> result{
      required_integer("num_embeddings", "rows of the table; an index is less"),
      required_integer("embedding_dim", "size of an embedding"),
      or_none(integer("padding_idx", 0, "an index whose embedding is not trained (Embedding), or does not count (EmbeddingBag)")),
      or_none(number("max_norm", 0, "embeddings of a larger norm are scaled down to it")),
      number("norm_type", 2, "the p of that norm"),
      boolean("scale_grad_by_freq", false, "whether gradients are divided by the index's frequency in the batch"),
      boolean("sparse", false, "whether gradients are sparse"),
  };
  for (AttributeSpec& spec : more) result.push_back(std::move(spec));
  return result;
}

LayerType embedding() {
  LayerType type;
  type.name = "Embedding";
  type.summary = "rows of a table, looked up by their index";
  type.source = "torch/nn/modules/sparse.py; keras/src/layers/core/embedding.py";
  type.attributes = attributes({});
  type.parameters = parameters;
  type.check = check;
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    SymbolicShape shape = inputs.at(0);
    shape.push_back(a.integer("embedding_dim"));
    return std::vector<SymbolicShape>{shape};
  };
  const auto sample = [&](const std::string& what, Json::Object more, Shape ids) {
    Json::Object all{{"num_embeddings", 7}, {"embedding_dim", 5}};
    for (const auto& [name, value] : more) all.set(name, value);
    Sample made{what, all, {std::move(ids)}};
    made.ids_below = 7;
    type.samples.push_back(std::move(made));
  };
  sample("sequences", {}, {3, 6});
  sample("one index", {}, {3});
  sample("images of indices", {}, {1, 4, 5});
  sample("square table", {{"embedding_dim", 7}}, {3, 6});
  sample("padding", {{"padding_idx", 2}}, {3, 6});
  sample("settings of training", {{"padding_idx", 6}, {"scale_grad_by_freq", true}, {"sparse", true}}, {3, 6});
  sample("largest norm", {{"max_norm", 0.9}, {"padding_idx", -1}}, {3, 6});
  sample("largest norm, city block", {{"max_norm", 2.5}, {"norm_type", 1}}, {3, 6});
  sample("largest norm, cubes", {{"max_norm", 0.8}, {"norm_type", 3}}, {3, 6});
  return type;
}

LayerType bag() {
  LayerType type;
  type.name = "EmbeddingBag";
  type.summary = "rows of a table, put together over the last axis of the indices; inputs: the indices and, maybe, a weight for each";
  type.source = "torch/nn/modules/sparse.py";
  type.attributes = attributes({
      text("mode", "mean", {"sum", "mean", "max"}, "how rows are put together"),
      boolean("include_last_offset", false, "for bags that are given by offsets, which this type does not take"),
  });
  type.most_inputs = 2;
  type.parameters = parameters;
  type.check = check;
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    if (inputs.at(0).size() == 1) throw Unsupported("its bags are given by offsets; only bags of equal length, (batch, length), are known");
    if (inputs[0].size() != 2) throw MalformedFile("its indices have shape " + to_string(inputs[0]) + ", expected (batch, length)");
    if (inputs.size() > 1 && inputs[1] != inputs[0])
      throw MalformedFile("its weights have shape " + to_string(inputs[1]) + ", its indices " + to_string(inputs[0]));
    if (inputs.size() > 1 && a.text("mode") != "sum") throw MalformedFile("weights for each index need the mode \"sum\"");
    return std::vector<SymbolicShape>{{inputs[0][0], a.integer("embedding_dim")}};
  };
  const auto sample = [&](const std::string& what, Json::Object more) {
    Json::Object all{{"num_embeddings", 4}, {"embedding_dim", 5}};
    for (const auto& [name, value] : more) all.set(name, value);
    Sample made{what, all, {{5, 3}}};
    made.ids_below = 4;
    type.samples.push_back(std::move(made));
  };
  for (const char* mode : {"mean", "sum", "max"}) {
    sample(mode, {{"mode", mode}});
    sample(std::string(mode) + " without padding", {{"mode", mode}, {"padding_idx", 1}});
  }
  sample("settings", {{"max_norm", 0.9}, {"norm_type", 1}, {"scale_grad_by_freq", true}, {"include_last_offset", true}, {"padding_idx", -1}});
  sample("sparse gradients", {{"sparse", true}, {"mode", "sum"}});
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {embedding(), bag()}; }

}  // namespace h5bridge::embedding
