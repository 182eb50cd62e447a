#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "h5bridge/error.h"
#include "layers/multihead_attention/heads.h"
#include "layers/multihead_attention/keras_masks.h"
#include "model/quoted.h"

namespace h5bridge::multihead_attention {
namespace {

using Handle = KerasEmitter::Handle;

// Each projection is a layer of Keras's own in this one, whose variables stand in the order in which it builds them.
// `has_properties`: whether they give out the attributes that have the layers.
WeightRules weights(const Attributes& a, bool has_properties) {
  const Heads heads = heads_of(a);
  const bool has_bias = a.boolean("bias");
  HeadsLast counts;
  for (const Projection& projection : heads.projections)
    counts.heads.insert(counts.heads.end(), has_bias ? 2 : 1, projection.heads);
  const std::string ahead = has_properties ? "" : "_";
  WeightRule in{.torch = {}, .keras = {}, .steps = {Split{0, heads.rows(), !heads.is_packed}, std::move(counts)}};
  if (heads.is_packed) in.torch.push_back("in_proj_weight");
  for (const Projection& projection : heads.projections) {
    if (!heads.is_packed) in.torch.push_back(projection.tensor);
    for (const char* variable : {"kernel", "bias"}) {
      if (variable == std::string("bias") && !has_bias) continue;
      in.keras.push_back(projection.keras + "/" + variable);
      // That of the gate's layer never has one.
      in.objects.push_back((projection.keras == "gate" ? "_" : ahead) + projection.keras + "_dense");
    }
  }
  if (has_bias) in.torch.push_back("in_proj_bias");
  const std::int64_t values = heads.count * heads.value_dim;
  WeightRules result{.rules = {std::move(in)}};
  result.rules.push_back({.torch = {"out_proj.weight"},
                          .keras = {"attention_output/kernel"},
                          .steps = {PermuteAxes{{1, 0}}, ChangeShape{{values, heads.output_dim},
                                                                     {heads.count, heads.value_dim, heads.output_dim}}},
                          .object = ahead + "output_dense"});
  if (has_bias)
    result.rules.push_back(
        {.torch = {"out_proj.bias"}, .keras = {"attention_output/bias"}, .object = ahead + "output_dense"});
  return result;
}

// Keras's output_shape may have several axes.
Spelling one_axis() {
  return {[](const AttributeValue& value) {
            const auto* size = std::get_if<std::int64_t>(&value);
            return size ? Json(Json::Array{*size}) : Json();
          },
          [](const Json& json) -> AttributeValue {
            if (json.is_null()) return std::monostate{};
            if (json.is_integer()) return json.as_integer();
            if (json.as_array().size() != 1)
              throw Unsupported("is " + quoted(json) + ", and only one axis is known yet");
            return json.as_array()[0].as_integer();
          }};
}

// A layer that was built has the axes that it attends over: of (batch, steps, features) that is one.
void refuse_axes(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>&) {
  attributes.set("batch_first", true);
  attributes.set("average_attn_weights", false);
  const Json* axes = config.find("attention_axes");
  if (axes && !axes->is_null() && *axes != Json(1) && *axes != Json(Json::Array{1}))
    throw Unsupported("\"attention_axes\" is " + quoted(*axes) + ", and only the axis of steps, [1], is known yet");
}

// What Keras's configuration says of sizes is said only where it is not as in PyTorch.
void derive(Attributes& a, const std::vector<SymbolicShape>& inputs) {
  const auto set_size = [&](const char* name, std::size_t input) {
    const auto size = inputs.at(input).empty() ? std::nullopt : inputs[input].back().value();
    if (!size) throw MalformedFile("the last size of an input is open");
    if (input == 0 || *size != a.integer("embed_dim")) a.set(name, *size);
  };
  set_size("embed_dim", 0);
  set_size("kdim", 1);
  set_size("vdim", 2);
  if (a.is_none("value_dim")) a.set("value_dim", a.integer("key_dim"));
  for (const char* name : {"key_dim", "value_dim"})
    if (a.integer(name) * a.integer("num_heads") == a.integer("embed_dim")) a.set(name, std::monostate{});
  if (!a.boolean("need_weights")) a.set("average_attn_weights", true);  // nothing is said of them
}

// Keras takes the batch first. What is one value stays one.
class Inputs {
 public:
  Inputs(bool batch_first, Composition& operations) : emitter_(operations.emitter()) {
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t first = emitter_.are_one(0, i) ? 0 : emitter_.are_one(1, i) ? 1 : i;
      values_.push_back(first < i     ? values_[first]
                        : batch_first ? emitter_.input(i)
                                      : operations.transpose(emitter_.input(i), {1, 0, 2}));
    }
  }

  Handle query() const { return values_[0]; }
  Handle key() const { return values_[1]; }
  Handle value() const { return values_[2]; }

 private:
  KerasEmitter& emitter_;
  std::vector<Handle> values_;
};

void refuse_pytorch_s_own(const Attributes& a) {
  for (const char* name : {"add_bias_kv", "add_zero_attn"})
    if (a.boolean(name)) throw Unsupported(std::string(name) + " is on, which Keras's MultiHeadAttention has not");
}

KerasEmitter::Results lower(const char* class_name, const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  refuse_pytorch_s_own(a);
  const Heads heads = heads_of(a);
  for (const char* constant : {"return_attention_scores", "use_causal_mask", "training"}) config.erase(constant);

  Composition operations(emitter);
  const bool batch_first = a.boolean("batch_first");
  const Inputs inputs(batch_first, operations);
  const bool averages = a.boolean("average_attn_weights");
  const bool gives_weights = a.boolean("need_weights") && (emitter.is_used(1) || !averages);
  const SymbolicShape query = emitter.shape(inputs.query());  // a copy: shapes move as operations are added
  const Size queries = query[1], keys = emitter.shape(inputs.key())[1];

  KerasEmitter::Call call{.class_name = class_name,
                          .config = std::move(config),
                          .arguments = {inputs.query(), inputs.value()},
                          .outputs = {{query[0], queries, heads.output_dim}}};
  if (inputs.key() != inputs.value()) call.arguments.emplace_back(inputs.key());
  const bool is_causal = add_masks(a, heads.count, {query[0], queries, keys}, operations, call.keywords);
  if (gives_weights) {
    call.keywords.emplace_back("return_attention_scores", Json(true));
    call.outputs.push_back({query[0], heads.count, queries, keys});
  }
  if (a.boolean("training")) call.keywords.emplace_back("training", Json(true));
  if (is_causal) call.keywords.emplace_back("use_causal_mask", Json(true));

  std::vector<Handle> results = emitter.call(std::move(call));
  if (!batch_first) results[0] = operations.transpose(results[0], {1, 0, 2});
  if (gives_weights && averages) results[1] = operations.reduce("Mean", results[1], 1, false);
  return results;
}

Json object(const std::string& module, const std::string& class_name, Json::Object config) {
  return Json::Object{{"module", "keras." + module},
                      {"class_name", class_name},
                      {"config", std::move(config)},
                      {"registered_name", nullptr}};
}

std::vector<KerasSample> samples() {
  const std::vector<Shape> alike{{2, 5, 6}, {2, 5, 6}}, crossed{{2, 4, 6}, {2, 5, 6}},
      keys{{2, 4, 6}, {2, 5, 3}, {2, 5, 4}};
  Json::Object objects{{"num_heads", 2}, {"key_dim", 3}};
  for (const char* weight : {"kernel", "bias"}) {
    objects.set(std::string(weight) + "_initializer", object("initializers", "HeNormal", {{"seed", 3}}));
    objects.set(std::string(weight) + "_regularizer", object("regularizers", "L2", {{"l2", 0.01}}));
    objects.set(std::string(weight) + "_constraint", object("constraints", "NonNeg", {}));
  }
  objects.set("bias_initializer", object("initializers", "Ones", {}));
  objects.set("activity_regularizer", object("regularizers", "L1", {{"l1", 0.01}}));
  return {
      {"plain", {{"num_heads", 2}, {"key_dim", 3}}, alike},
      {"other queries", {{"num_heads", 3}, {"key_dim", 2}, {"use_bias", false}}, crossed},
      {"sizes of heads and output",
       {{"num_heads", 2}, {"key_dim", 4}, {"value_dim", 5}, {"output_shape", 7}, {"dropout", 0.3}, {"seed", 7}},
       keys},
      {"sizes of keys and values", {{"num_heads", 2}, {"key_dim", 3}}, keys},
      {"axes", {{"num_heads", 2}, {"key_dim", 4}, {"attention_axes", Json::Array{1}}}, crossed},
      {"sliding window", {{"num_heads", 2}, {"key_dim", 3}, {"sliding_window", 2}}, alike},
      {"gate", {{"num_heads", 2}, {"key_dim", 3}, {"value_dim", 2}, {"use_gate", true}}, crossed},
      {"gate of one size, without bias",
       {{"num_heads", 2}, {"key_dim", 3}, {"use_gate", true}, {"use_bias", false}},
       alike},
      {"objects", std::move(objects), alike},
      {"causal", {{"num_heads", 2}, {"key_dim", 3}}, alike, {{"use_causal_mask", true}}},
      {"scores",
       {{"num_heads", 2}, {"key_dim", 4}},
       alike,
       {{"return_attention_scores", true}, {"use_causal_mask", true}}},
  };
}

std::vector<KerasSample> grouped_samples() {
  const std::vector<Shape> alike{{2, 5, 6}, {2, 5, 6}}, crossed{{2, 4, 6}, {2, 5, 6}};
  const Json::Object sizes{{"head_dim", 3}, {"num_query_heads", 4}, {"num_key_value_heads", 2}};
  const auto with = [&](Json::Object more) {
    Json::Object all = sizes;
    for (const auto& [name, value] : more) all.set(name, value);
    return all;
  };
  Json::Object objects = with({{"dropout", 0.3}, {"seed", 7}});
  for (const char* weight : {"kernel", "bias"}) {
    objects.set(std::string(weight) + "_initializer", object("initializers", "HeNormal", {{"seed", 3}}));
    objects.set(std::string(weight) + "_regularizer", object("regularizers", "L2", {{"l2", 0.01}}));
    objects.set(std::string(weight) + "_constraint", object("constraints", "NonNeg", {}));
  }
  objects.set("activity_regularizer", object("regularizers", "L1", {{"l1", 0.01}}));
  return {
      {"groups", sizes, crossed},
      {"groups of one, without bias", with({{"num_key_value_heads", 1}, {"use_bias", false}}), alike},
      {"as many heads of keys", with({{"num_key_value_heads", 4}}), alike},
      {"groups, gate and window", with({{"use_gate", true}, {"sliding_window", 2}}), alike},
      {"groups, objects", std::move(objects), alike},
      {"groups, causal", sizes, alike, {{"use_causal_mask", true}}},
      {"groups, scores", sizes, crossed, {{"return_attention_scores", true}}},
  };
}

bool is_grouped(const Attributes& a) { return !a.is_none("num_key_value_heads"); }

// What both of Keras's layers have.
KerasMapping attention(const char* class_name, bool has_properties) {
  KerasMapping mapping{.type = "MultiheadAttention", .class_name = class_name};
  mapping.attributes = {
      {"dropout", "dropout", spelling::number()},
      {"bias", "use_bias", spelling::boolean()},
      {"use_gate", "use_gate", spelling::boolean(), false},
      {"sliding_window", "sliding_window", spelling::or_none(spelling::integer()), std::monostate{}},
      {"need_weights", "return_attention_scores", spelling::boolean(), false},
      {"use_causal_mask", "use_causal_mask", spelling::boolean(), false},
  };
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"bias", "Zeros"}});
  mapping.carried.set("seed", nullptr);
  mapping.call = {"query",    "value",          "key",          kQueryMask,
                  kValueMask, kKeyMask,         kAttentionMask, "return_attention_scores",
                  "training", "use_causal_mask"};
  mapping.places = [](std::size_t given) {
    return given == 2 ? std::vector<std::size_t>{0, 1, 1} : std::vector<std::size_t>{0, 2, 1};
  };
  mapping.takes_masks_unsaid = true;
  take_training(mapping);
  mapping.derive = derive;
  mapping.weights = [has_properties](const Attributes& a, const std::vector<SymbolicShape>&) {
    return weights(a, has_properties);
  };
  mapping.lower = [class_name](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return lower(class_name, a, std::move(config), emitter);
  };
  return mapping;
}

KerasMapping of_heads() {
  KerasMapping mapping = attention("MultiHeadAttention", true);
  for (Correspondence row : std::vector<Correspondence>{
           {"num_heads", "num_heads", spelling::integer()},
           {"key_dim", "key_dim", spelling::integer()},
           {"value_dim", "value_dim", spelling::or_none(spelling::integer())},
           {"output_dim", "output_shape", one_axis(), std::monostate{}},
       })
    mapping.attributes.push_back(std::move(row));
  mapping.carried.set("attention_axes", Json::Array{1});
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) { return !is_grouped(a); };
  mapping.lift = refuse_axes;
  mapping.lower = [inner = mapping.lower](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const Heads heads = heads_of(a);
    config.set("key_dim", heads.key_dim);
    config.set("value_dim", heads.value_dim);
    return inner(a, std::move(config), emitter);
  };
  mapping.samples = samples();
  return mapping;
}

KerasMapping of_groups() {
  KerasMapping mapping = attention("GroupQueryAttention", false);
  mapping.python_name = "GroupedQueryAttention";
  for (Correspondence row : std::vector<Correspondence>{
           {"num_heads", "num_query_heads", spelling::integer()},
           {"num_key_value_heads", "num_key_value_heads", spelling::integer()},
           {"key_dim", "head_dim", spelling::integer()},
       })
    mapping.attributes.push_back(std::move(row));
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    const Heads heads = heads_of(a);
    return is_grouped(a) && heads.key_dim == heads.value_dim && heads.output_dim == a.integer("embed_dim");
  };
  mapping.lift = [](Json::Object&, Attributes& attributes, const std::vector<SymbolicShape>&) {
    attributes.set("batch_first", true);
    attributes.set("average_attn_weights", false);
  };
  mapping.lower = [inner = mapping.lower](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    config.set("head_dim", heads_of(a).key_dim);
    return inner(a, std::move(config), emitter);
  };
  mapping.samples = grouped_samples();
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() { return {of_heads(), of_groups()}; }

}  // namespace h5bridge::multihead_attention
