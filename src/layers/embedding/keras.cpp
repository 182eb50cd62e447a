#include <cmath>
#include <optional>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "h5bridge/error.h"

namespace h5bridge::embedding {
namespace {

using Handle = KerasEmitter::Handle;

// Scales embeddings down to the largest norm.
Handle limited(const Attributes& a, Handle rows, Composition& steps) {
  if (a.is_none("max_norm")) return rows;
  const double p = a.number("norm_type");
  if (!(p > 0)) throw Unsupported("norm_type " + std::to_string(p) + " has no counterpart in Keras");
  const std::int64_t last = steps.rank(rows) - 1;
  Handle norm = steps.elementwise("Absolute", {rows});
  if (std::isinf(p)) {
    norm = steps.reduce("Max", norm, last, true);
  } else {
    norm = steps.reduce("Sum", steps.elementwise("Power", {norm, Json(p)}), last, true);
    norm = steps.elementwise("Power", {norm, Json(1 / p)});
  }
  // As PyTorch does: divided by a little more, but never scaled up.
  const Handle inverse = steps.elementwise("Power", {steps.elementwise("Add", {norm, Json(1e-7)}), Json(-1.0)});
  const Handle scale =
      steps.elementwise("Minimum", {steps.elementwise("Multiply", {inverse, Json(a.number("max_norm"))}), Json(1.0)});
  return steps.elementwise("Multiply", {rows, scale});
}

Handle lookup(const Attributes& a, Json::Object config, KerasEmitter& emitter, Composition& steps) {
  const Handle ids = emitter.input(0);
  SymbolicShape shape = emitter.shape(ids);
  shape.push_back(a.integer("embedding_dim"));
  return limited(
      a,
      emitter.call({.class_name = "Embedding", .config = std::move(config), .arguments = {ids}, .outputs = {shape}})
          .at(0),
      steps);
}

// A head that projects back onto the same rows.
bool is_reverse(const Attributes& embedding, const Attributes& head) {
  return embedding.is_none("max_norm") && !head.boolean("bias") && head.text("activation") == "linear";
}

Json::Object head_of(const Json::Object& embedding) {
  return {{"units", embedding.at("input_dim")}, {"activation", "linear"}, {"use_bias", false}};
}

KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  Composition steps(emitter);
  return lookup(a, std::move(config), emitter, steps);
}

// Which indices (the last axis) are in which bag: those at positions from its offset up to the next one, (bags,
// indices).
Handle emit_members(const Attributes& a, KerasEmitter& emitter, Composition& steps) {
  const Handle ids = emitter.input(0);
  Handle starts = steps.cast(emitter.input(1), "int32");
  Handle ends;
  if (a.boolean("include_last_offset")) {
    ends = steps.cut(starts, 0, {.start = 1});
    starts = steps.cut(starts, 0, {.stop = -1});
  } else {
    const Handle count = steps.reduce("Sum", steps.ones_along(ids, {0}), 0, true);
    ends = steps.concatenate({steps.cut(starts, 0, {.start = 1}), count}, 0);
  }
  const Handle positions = steps.positions(ids, 0);
  const Handle begun = steps.elementwise("GreaterEqual", {positions, steps.expand(starts, 1)});
  return steps.elementwise("LogicalAnd", {begun, steps.elementwise("Less", {positions, steps.expand(ends, 1)})});
}

// Rows with their members: (bags, indices), or no value where all count. With offsets, any row may be in any bag.
struct Bags {
  Handle rows;
  std::optional<Handle> members;
  bool has_offsets;
};

Handle emit_sum(const Bags& bags, Composition& steps) {
  if (!bags.members) return steps.reduce("Sum", bags.rows, 1, false);
  const Handle counts = steps.cast(*bags.members, "float32");
  if (!bags.has_offsets)
    return steps.reduce("Sum", steps.elementwise("Multiply", {bags.rows, steps.expand(counts, -1)}), 1, false);
  return steps.apply("Matmul", {counts, bags.rows}, steps.emitter().output_shape());
}

// How many rows each bag has.
Handle emit_number(const Bags& bags, Composition& steps) {
  return steps.reduce("Sum", steps.cast(*bags.members, "float32"), 1, true);
}

// Bags of nothing are zeros.
Handle emit_maximum(const Bags& bags, Composition& steps) {
  if (!bags.members) return steps.reduce("Max", bags.rows, 1, false);
  const Handle rows = steps.where(steps.expand(*bags.members, -1), bags.rows, Json(-3.4e38));
  return steps.where(steps.elementwise("Greater", {emit_number(bags, steps), Json(0.0)}),
                     steps.reduce("Max", rows, 1, false), Json(0.0));
}

// Given in order, or by name.
std::optional<Handle> weights_of(const KerasEmitter& emitter, std::size_t place) {
  if (emitter.input_shapes().size() > place) return emitter.input(place);
  if (emitter.named_inputs().empty()) return std::nullopt;
  return std::get<Handle>(emitter.named_inputs().at(0).second);
}

KerasEmitter::Results lower_bag(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  Composition steps(emitter);
  const Handle ids = emitter.input(0);
  const bool has_offsets = steps.rank(ids) == 1;
  Bags bags{lookup(a, std::move(config), emitter, steps), std::nullopt, has_offsets};
  if (const auto weights = weights_of(emitter, has_offsets ? 2 : 1))
    bags.rows = steps.elementwise("Multiply", {bags.rows, steps.expand(*weights, -1)});
  if (has_offsets) bags.members = emit_members(a, emitter, steps);
  if (!a.is_none("padding_idx")) {
    const std::int64_t count = a.integer("num_embeddings");
    const Handle counted = steps.elementwise("NotEqual", {ids, Json((a.integer("padding_idx") + count) % count)});
    bags.members = bags.members ? steps.elementwise("LogicalAnd", {*bags.members, counted}) : counted;
  }
  const std::string& mode = a.text("mode");
  if (mode == "max") return emit_maximum(bags, steps);
  if (mode == "mean" && !bags.members) return steps.reduce("Mean", bags.rows, 1, false);
  const Handle sum = emit_sum(bags, steps);
  return mode == "sum"
             ? sum
             : steps.elementwise("Divide", {sum, steps.elementwise("Maximum", {emit_number(bags, steps), Json(1.0)})});
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  KerasMapping embedding{.type = "Embedding", .class_name = "Embedding"};
  embedding.attributes = {
      {"num_embeddings", "input_dim", spelling::integer()},
      {"embedding_dim", "output_dim", spelling::integer()},
  };
  embedding.carried = carried_for({{"embeddings", "RandomUniform"}});
  embedding.carried.set("mask_zero", false);
  embedding.carried.set("quantization_config", nullptr);
  embedding.weights = [](const Attributes&, const std::vector<SymbolicShape>&) {
    return WeightRules{.rules = {{.torch = {"weight"}, .keras = {"embeddings"}}}};
  };
  embedding.unsaid = {{"padding_idx", [](const Attributes& a) { return !a.is_none("padding_idx"); },
                       "PyTorch leaves that row alone in training, Keras trains it"},
                      {"scale_grad_by_freq", [](const Attributes& a) { return a.boolean("scale_grad_by_freq"); },
                       "PyTorch divides a row's gradient by how often the batch has it, Keras does not"}};
  embedding.lower = lower;
  // The mask of a reversed call is not that of a Dense, so that there is to be none.
  embedding.shared_uses = {
      {.type = "Linear",
       .class_name = "ReversibleEmbedding",
       .config = {{"tie_weights", true}, {"reverse_dtype", nullptr}, {"logit_soft_cap", nullptr}, {"mask_zero", false}},
       .call = {{"reverse", true}},
       .fits = is_reverse,
       .other_class = "Dense",
       .other_config = head_of}};
  embedding.samples = {
      {.what = "plain", .config = {{"input_dim", 7}, {"output_dim", 5}}, .inputs = {{3, 6}}, .ids_below = 7},
      {.what = "a mask",
       .config = {{"input_dim", 7}, {"output_dim", 5}, {"mask_zero", true}},
       .inputs = {{3, 6}},
       .ids_below = 7},
      {.what = "objects",
       .config = {{"input_dim", 7},
                  {"output_dim", 5},
                  {"embeddings_initializer", Json::Object{{"module", "keras.initializers"},
                                                          {"class_name", "HeNormal"},
                                                          {"config", Json::Object{{"seed", 3}}},
                                                          {"registered_name", nullptr}}},
                  {"embeddings_regularizer", Json::Object{{"module", "keras.regularizers"},
                                                          {"class_name", "L2"},
                                                          {"config", Json::Object{{"l2", 0.01}}},
                                                          {"registered_name", nullptr}}},
                  {"embeddings_constraint", Json::Object{{"module", "keras.constraints"},
                                                         {"class_name", "NonNeg"},
                                                         {"config", Json::Object{}},
                                                         {"registered_name", nullptr}}}},
       .inputs = {{3, 4, 5}},
       .ids_below = 7},
  };

  KerasMapping bag = embedding;
  bag.type = "EmbeddingBag";
  bag.written_only = true;
  bag.lower = lower_bag;
  bag.shared_uses = {};
  KerasMapping function = write_only(operation("embedding", "Take", {}, {"x", "indices"}));
  function.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    return Composition(emitter).last("Take", {emitter.input(1), emitter.input(0)}, {{"axis", 0}});
  };
  return {embedding, bag, function};
}

}  // namespace h5bridge::embedding
