#include "facets/spec/functional.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"
#include "layers/masking/mask_steps.h"

namespace h5bridge::embedding {
namespace {

void check(const Attributes& a) {
  for (const char* name : {"num_embeddings", "embedding_dim"})
    if (a.integer(name) < 1)
      throw MalformedFile("\"" + std::string(name) + "\" is " + std::to_string(a.integer(name)) +
                          ", expected at least 1");
  const std::int64_t count = a.integer("num_embeddings");
  if (!a.is_none("padding_idx"))
    if (const std::int64_t index = a.integer("padding_idx"); index < -count || index >= count)
      throw MalformedFile("\"padding_idx\" is " + std::to_string(index) + ", expected an index into " +
                          std::to_string(count) + " embeddings");
}

std::vector<ParameterSpec> parameters(const Attributes& a) {
  return {{"weight", {a.integer("num_embeddings"), a.integer("embedding_dim")}}};
}

// What both modules have; `more` are a module's own settings, in the order of its constructor.
std::vector<AttributeSpec> attributes(std::vector<AttributeSpec> more) {
  std::vector<AttributeSpec> result{
      required_integer("num_embeddings", "rows of the table; an index is less"),
      required_integer("embedding_dim", "size of an embedding"),
      or_none(integer("padding_idx", 0,
                      "an index whose embedding is not trained (Embedding), or does not count (EmbeddingBag)")),
      or_none(number("max_norm", 0, "embeddings of a larger norm are scaled down to it")),
      number("norm_type", 2, "the p of that norm"),
      boolean("scale_grad_by_freq", false, "whether gradients are divided by the index's frequency in the batch"),
      boolean("sparse", false, "whether gradients are sparse"),
  };
  for (AttributeSpec& spec : more) result.push_back(std::move(spec));
  return result;
}

// Keras's index 0 may stand for no word at all.
std::vector<Layer> steps_of_mask(const Layer& layer) {
  const Json* mask_zero = layer.keras.config.find("mask_zero");
  if (!mask_zero || *mask_zero != Json(true)) return {};
  return {masking::unequal(std::int64_t{0})};
}

LayerType embedding() {
  LayerType type;
  type.name = "Embedding";
  type.keeps_rows_apart = LayerType::always;
  type.integers = Integers::AreIndices;
  type.mask = makes_mask(steps_of_mask);
  type.summary = "rows of a table, looked up by their index";
  type.source = "torch/nn/modules/sparse.py; keras/src/layers/core/embedding.py";
  type.attributes = attributes({});
  type.parameters = parameters;
  type.dtypes = of_parameters();
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

// The number of bags, which are the rows of the indices, or begin at offsets into them.
Size bags(const Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const SymbolicShape& ids = inputs.at(0);
  if (ids.size() == 2) return ids[0];
  if (ids.size() != 1)
    throw MalformedFile("its indices have shape " + to_string(ids) +
                        ", expected (batch, length), or one axis and offsets");
  if (inputs.size() < 2 || inputs[1].size() != 1)
    throw MalformedFile("its indices have one axis, and so need a second input of one axis, the offsets");
  return inputs[1][0] - Size(a.boolean("include_last_offset") ? 1 : 0);
}

// Whether each size may come to the other's.
bool may_be(const SymbolicShape& a, const SymbolicShape& b) {
  return std::ranges::equal(
      a, b, [](const Size& one, const Size& other) { return one == other || !one.value() || !other.value(); });
}

LayerType bag() {
  LayerType type;
  type.name = "EmbeddingBag";
  type.integers = Integers::AreIndices;
  type.summary =
      "rows of a table, put together bag by bag; inputs: the indices, (batch, length) or, with the offsets at which "
      "bags begin, of one axis; and, maybe, a weight for each";
  type.source = "torch/nn/modules/sparse.py";
  type.attributes = attributes({
      text("mode", "mean", {"sum", "mean", "max"}, "how rows are put together"),
      boolean("include_last_offset", false, "whether the last offset is the end of the last bag"),
  });
  // Of bags of one length each, which need no offsets, the weights come second.
  type.operands = {required("input"), optional("offsets"), optional("per_sample_weights")};
  type.parameters = parameters;
  type.dtypes = of_parameters();
  type.check = check;
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>& inputs) {
    const Size count = bags(a, inputs);
    const std::size_t unweighted = inputs[0].size() == 2 ? 1 : 2;
    if (inputs.size() > unweighted + 1)
      throw MalformedFile("it has " + std::to_string(inputs.size()) + " inputs, expected at most " +
                          std::to_string(unweighted + 1));
    if (inputs.size() > unweighted && !may_be(inputs.back(), inputs[0]))
      throw MalformedFile("its weights have shape " + to_string(inputs.back()) + ", its indices " +
                          to_string(inputs[0]));
    if (inputs.size() > unweighted && a.text("mode") != "sum")
      throw MalformedFile("weights for each index need the mode \"sum\"");
    return std::vector<SymbolicShape>{{count, a.integer("embedding_dim")}};
  };
  const auto sample = [&](const std::string& what, Json::Object more, Sample made) {
    made.what = what;
    made.attributes = {{"num_embeddings", 4}, {"embedding_dim", 5}};
    for (const auto& [name, value] : more) made.attributes.set(name, value);
    type.samples.push_back(std::move(made));
  };
  const Sample rows{.what = {}, .attributes = {}, .inputs = {{5, 3}}, .ids_below = 4};
  for (const char* mode : {"mean", "sum", "max"}) {
    sample(mode, {{"mode", mode}}, rows);
    sample(std::string(mode) + " without padding", {{"mode", mode}, {"padding_idx", 1}}, rows);
  }
  sample("settings",
         {{"max_norm", 0.9},
          {"norm_type", 1},
          {"scale_grad_by_freq", true},
          {"include_last_offset", true},
          {"padding_idx", -1}},
         rows);
  sample("sparse gradients", {{"sparse", true}, {"mode", "sum"}}, rows);
  sample("weights", {{"mode", "sum"}},
         {.what = {}, .attributes = {}, .inputs = {{2, 3}, {2, 3}}, .integers = {{0, {3, 0, 2, 2, 1, 3}}}});

  // The second bag is empty; the third has nothing but padding where there is some.
  const std::vector<std::int64_t> ids{3, 0, 2, 1, 1, 3, 2};
  const Sample open_offsets{.what = {},
                            .attributes = {},
                            .inputs = {{7}, {4}},
                            .batch_axes = {Sample::kNoBatch, 0},
                            .integers = {{0, ids}, {1, {0, 3, 3, 5}}}};
  Sample to_last = open_offsets;  // which is the number of indices
  to_last.integers[1].back() = 7;
  const Sample open_both{
      .what = {}, .attributes = {}, .inputs = {{4}, {4}}, .integers = {{0, {3, 1, 0, 2}}, {1, {0, 1, 1, 3}}}};
  for (const char* mode : {"mean", "sum", "max"}) {
    sample(std::string(mode) + " of offsets", {{"mode", mode}}, open_offsets);
    sample(std::string(mode) + " of offsets without padding", {{"mode", mode}, {"padding_idx", 1}}, open_offsets);
    sample(std::string(mode) + " of offsets to the last", {{"mode", mode}, {"include_last_offset", true}}, to_last);
  }
  sample("open indices and offsets", {{"padding_idx", -4}}, open_both);
  Sample weighted = open_offsets;
  weighted.inputs.push_back({7});
  weighted.batch_axes.push_back(Sample::kNoBatch);
  sample("weights of offsets", {{"mode", "sum"}, {"padding_idx", 3}}, weighted);
  return type;
}

LayerType embedding_function() {
  LayerType type;
  type.name = "embedding";
  type.summary = "what Embedding does, with its table as an input";
  type.source = "torch/nn/functional.py; as Embedding";
  for (AttributeSpec& spec : attributes({}))
    if (spec.name == "padding_idx" || spec.name == "scale_grad_by_freq" || spec.name == "sparse")
      type.attributes.push_back(std::move(spec));
  type.operands = {required("input"), required("weight")};
  type.integers = Integers::AreIndices;
  type.dtypes = keeps(1);
  type.shapes = [](const Attributes&, const std::vector<SymbolicShape>& inputs) {
    if (inputs.at(1).size() != 2)
      throw MalformedFile("its table has shape " + to_string(inputs[1]) + ", expected 2 axes");
    SymbolicShape shape = inputs.at(0);
    shape.push_back(inputs[1][1]);
    return std::vector<SymbolicShape>{shape};
  };
  type.samples = {
      {.what = "sequences", .attributes = {}, .inputs = {{3, 6}, {7, 5}}},
      {.what = "settings of training",
       .attributes = {{"padding_idx", 2}, {"scale_grad_by_freq", true}, {"sparse", true}},
       .inputs = {{3}, {7, 4}}},
  };
  for (Sample& sample : type.samples) {
    sample.ids_below = 7;  // the table holds integers as well
    sample.batch_axes = {0, Sample::kNoBatch};
  }
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {embedding(), bag(), embedding_function()}; }

}  // namespace h5bridge::embedding
