#include <cmath>
#include <optional>

#include "h5bridge/error.h"
#include "layers/keras_mapping.h"
#include "layers/masking/mask_steps.h"

namespace h5bridge::embedding {
namespace {

using Handle = KerasEmitter::Handle;
using Argument = KerasEmitter::Argument;

// The operations around the lookup, which are named one after the other.
class Operations {
 public:
  explicit Operations(KerasEmitter& emitter) : emitter_(emitter) {}

  /// An operation of keras.ops.numpy whose result has the shape of its first argument, but for `shape`.
  Handle apply(const std::string& class_name, std::vector<Argument> arguments, Json::Object config = {}, std::optional<SymbolicShape> shape = {}) {
    const SymbolicShape result = shape ? *shape : emitter_.shape(std::get<Handle>(arguments.at(0)));
    return emitter_
        .call({.suffix = "operation" + std::to_string(++count_),
               .module = class_name == "Cast" ? "keras.src.ops.core" : "keras.src.ops.numpy",
               .class_name = class_name,
               .config = std::move(config),
               .arguments = std::move(arguments),
               .outputs = {result}})
        .at(0);
  }
  Handle with_last_axis(Handle value) {
    SymbolicShape shape = emitter_.shape(value);
    shape.push_back(1);
    return apply("ExpandDims", {value}, {{"axis", -1}}, shape);
  }
  /// A reduction over an axis, which goes.
  Handle reduce(const std::string& class_name, Handle value, std::int64_t axis) {
    SymbolicShape shape = emitter_.shape(value);
    shape.erase(shape.begin() + axis);
    return apply(class_name, {value}, {{"axis", axis}, {"keepdims", false}}, shape);
  }

 private:
  KerasEmitter& emitter_;
  int count_ = 0;
};

// Scales embeddings down to the largest norm.
Handle limited(const Attributes& a, Handle rows, Operations& operations, KerasEmitter& emitter) {
  if (a.is_none("max_norm")) return rows;
  const double p = a.number("norm_type");
  if (!(p > 0)) throw Unsupported("norm_type " + std::to_string(p) + " has no counterpart in Keras");
  SymbolicShape one = emitter.shape(rows);
  one.back() = 1;
  const Json::Object last{{"axis", -1}, {"keepdims", true}};
  Handle norm = operations.apply("Absolute", {rows});
  if (std::isinf(p)) {
    norm = operations.apply("Max", {norm}, last, one);
  } else {
    norm = operations.apply("Sum", {operations.apply("Power", {norm, Json(p)})}, last, one);
    norm = operations.apply("Power", {norm, Json(1 / p)});
  }
  // As PyTorch does: divided by a little more, but never scaled up.
  const double max_norm = a.number("max_norm");
  const Handle inverse = operations.apply("Power", {operations.apply("Add", {norm, Json(1e-7)}), Json(-1.0)});
  const Handle scale = operations.apply("Minimum", {operations.apply("Multiply", {inverse, Json(max_norm)}), Json(1.0)});
  return operations.apply("Multiply", {rows, scale});
}

Handle lookup(Json::Object config, Handle ids, KerasEmitter& emitter, std::int64_t dimension) {
  SymbolicShape shape = emitter.shape(ids);
  shape.push_back(dimension);
  return emitter.call({.class_name = "Embedding", .config = std::move(config), .arguments = {ids}, .outputs = {shape}}).at(0);
}

KerasEmitter::Results lower(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  Operations operations(emitter);
  return limited(a, lookup(std::move(config), emitter.input(0), emitter, a.integer("embedding_dim")), operations, emitter);
}

KerasEmitter::Results lower_bag(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  Operations operations(emitter);
  const Handle ids = emitter.input(0);
  Handle rows = limited(a, lookup(std::move(config), ids, emitter, a.integer("embedding_dim")), operations, emitter);
  if (emitter.input_shapes().size() > 1) rows = operations.apply("Multiply", {rows, operations.with_last_axis(emitter.input(1))});
  const std::string& mode = a.text("mode");
  if (a.is_none("padding_idx")) return operations.reduce(mode == "sum" ? "Sum" : mode == "max" ? "Max" : "Mean", rows, 1);

  // Rows of the padding do not count; a bag of nothing else is zeros.
  const std::int64_t count = a.integer("num_embeddings");
  const Handle counts = operations.apply("NotEqual", {ids, Json((a.integer("padding_idx") + count) % count)});
  const Handle mask = operations.with_last_axis(operations.apply("Cast", {counts}, {{"dtype", "float32"}}));
  const Handle number = operations.reduce("Sum", mask, 1);
  if (mode != "max") {
    const Handle sum = operations.reduce("Sum", operations.apply("Multiply", {rows, mask}), 1);
    if (mode == "sum") return sum;
    return operations.apply("Divide", {sum, operations.apply("Maximum", {number, Json(1.0)})});
  }
  const Handle least = operations.reduce("Max", operations.apply("Where", {operations.with_last_axis(counts), rows, Json(-3.4e38)}, {}, emitter.shape(rows)), 1);
  return operations.apply("Where", {operations.apply("Greater", {number, Json(0.0)}), least, Json(0.0)}, {}, emitter.output_shape());
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
  embedding.makes_mask = [](const Layer& layer) {
    const Json* mask_zero = layer.keras.find("mask_zero");
    return mask_zero && *mask_zero == Json(true) ? std::vector<Layer>{masking::unequal(std::int64_t{0})} : std::vector<Layer>{};
  };
  embedding.weights = [](const Attributes&, const std::vector<SymbolicShape>&) { return WeightRules{.rules = {{.torch = {"weight"}, .keras = {"embeddings"}}}}; };
  embedding.lower = lower;
  embedding.samples = {
      {.what = "plain", .config = {{"input_dim", 7}, {"output_dim", 5}}, .inputs = {{3, 6}}, .ids_below = 7},
      {.what = "objects",
       .config = {{"input_dim", 7},
                  {"output_dim", 5},
                  {"embeddings_initializer", Json::Object{{"module", "keras.initializers"}, {"class_name", "HeNormal"}, {"config", Json::Object{{"seed", 3}}}, {"registered_name", nullptr}}},
                  {"embeddings_regularizer", Json::Object{{"module", "keras.regularizers"}, {"class_name", "L2"}, {"config", Json::Object{{"l2", 0.01}}}, {"registered_name", nullptr}}},
                  {"embeddings_constraint", Json::Object{{"module", "keras.constraints"}, {"class_name", "NonNeg"}, {"config", Json::Object{}}, {"registered_name", nullptr}}}},
       .inputs = {{3, 4, 5}},
       .ids_below = 7},
  };

  KerasMapping bag = embedding;
  bag.type = "EmbeddingBag";
  bag.written_only = true;
  bag.lower = lower_bag;
  return {embedding, bag};
}

}  // namespace h5bridge::embedding
