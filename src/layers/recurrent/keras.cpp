#include "layers/keras_mapping.h"

#include "h5bridge/error.h"
#include "layers/recurrent/keras_writer.h"
#include "layers/recurrent/kinds.h"
#include "layers/registry.h"

namespace h5bridge::recurrent {
namespace {

using Shapes = std::vector<SymbolicShape>;

// Where a Keras layer keeps the weights of a direction: "lstm_cell/kernel", "forward_lstm/lstm_cell/kernel".
struct Place {
  std::string part;
  std::string prefix;
};

// The rules of one layer and direction, whose tensors' names end in `suffix`.
void add_rules(WeightRules& rules, const Kind& kind, const Attributes& a, const std::string& suffix, const Place& place) {
  std::vector<WeightStep> gates;
  if (kind.type == "GRU") gates.push_back(ReorderBlocks{0, kind.keras_gates});
  const auto add = [&](std::vector<std::string> torch, const std::string& variable, std::vector<WeightStep> more) {
    for (std::string& name : torch) name += suffix;
    WeightRule rule{.torch = std::move(torch), .keras = {place.prefix + kind.keras_cell + "/" + variable}, .steps = gates, .part = place.part};
    rule.steps.insert(rule.steps.end(), more.begin(), more.end());
    rules.rules.push_back(std::move(rule));
  };
  add({"weight_ih"}, "kernel", {PermuteAxes{{1, 0}}});
  add({"weight_hh"}, "recurrent_kernel", {PermuteAxes{{1, 0}}});
  if (!a.boolean("bias")) return;
  const std::int64_t rows = kind.gates * a.integer("hidden_size");
  if (!has_second_bias(a))
    add({"bias_ih"}, "bias", {});
  else if (kind.type == "GRU")  // its reset gate comes between the two
    add({"bias_ih", "bias_hh"}, "bias", {ChangeShape{{rows}, {1, rows}}, Join{0, {1, 1}}});
  else
    add({"bias_ih", "bias_hh"}, "bias", {Sum{2}});
}

WeightRules weights(const Kind& kind, const Attributes& a) {
  WeightRules rules;
  for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer)
    for (std::int64_t direction = 0; direction < directions(a); ++direction) {
      const std::string wrapped = direction == 1 ? "{backward_layer}/" : "{layer}/";
      add_rules(rules, kind, a, tensor_suffix(layer, direction), {keras_part(layer), directions(a) == 2 ? wrapped : ""});
    }
  return rules;
}

// A constructor's argument that is an object of Keras's.
Json object(const std::string& module, const std::string& class_name, Json::Object config) {
  return Json::Object{{"module", "keras." + module}, {"class_name", class_name}, {"config", std::move(config)}, {"registered_name", nullptr}};
}

// What a layer's constructor takes, each argument with another value than its default in one of them.
std::vector<std::pair<std::string, Json::Object>> configurations(const Kind& kind) {
  Json::Object functions{{"units", 4}, {"activation", "relu"}, {"return_sequences", true}};
  if (kind.type != "RNN") functions.set("recurrent_activation", "hard_sigmoid");
  Json::Object training{{"units", 4}, {"dropout", 0.3}, {"recurrent_dropout", 0.2}, {"seed", 5}};
  Json::Object objects{{"units", 4}};
  if (kind.type == "LSTM") objects.set("unit_forget_bias", false);
  for (const char* weight : {"kernel", "recurrent", "bias"}) {
    objects.set(std::string(weight) + "_initializer", object("initializers", "HeNormal", {{"seed", 3}}));
    objects.set(std::string(weight) + "_regularizer", object("regularizers", "L2", {{"l2", 0.01}}));
    objects.set(std::string(weight) + "_constraint", object("constraints", "NonNeg", {}));
  }
  objects.set("bias_initializer", object("initializers", "Ones", {}));
  objects.set("activity_regularizer", object("regularizers", "L1", {{"l1", 0.01}}));
  std::vector<std::pair<std::string, Json::Object>> result{
      {"plain", {{"units", 4}}},
      {"sequences", {{"units", 5}, {"return_sequences", true}}},
      {"states", {{"units", 4}, {"return_state", true}, {"return_sequences", true}}},
      {"without bias", {{"units", 4}, {"use_bias", false}}},
      {"functions", functions},
      {"backwards", {{"units", 4}, {"go_backwards", true}, {"return_sequences", true}}},
      {"stateful", {{"units", 4}, {"stateful", true}}},
      {"unrolled", {{"units", 4}, {"unroll", true}}},
      {"masks", {{"units", 4}, {"zero_output_for_mask", true}}},
      {"dropout", training},
      {"objects", objects},
  };
  if (kind.type == "GRU") {
    result.push_back({"reset before", {{"units", 4}, {"reset_after", false}}});
    result.push_back({"reset before without bias", {{"units", 4}, {"reset_after", false}, {"use_bias", false}, {"return_sequences", true}}});
  }
  return result;
}

// Keras's layer of one direction.
KerasMapping one_direction(const Kind& kind) {
  KerasMapping mapping{.type = kind.type, .class_name = kind.keras_class};
  mapping.attributes = {
      {"return_sequences", "return_sequences", spelling::boolean()},
      {"return_state", "return_state", spelling::boolean()},
      {"go_backwards", "go_backwards", spelling::boolean()},
      {"stateful", "stateful", spelling::boolean()},
      {"hidden_size", "units", spelling::integer()},
      {"bias", "use_bias", spelling::boolean()},
      {"input_dropout", "dropout", spelling::number()},
      {"recurrent_dropout", "recurrent_dropout", spelling::number()},
  };
  if (kind.type == "RNN") {
    mapping.attributes.push_back({"nonlinearity", "activation", spelling::activation()});
  } else {
    for (const char* name : {"activation", "recurrent_activation"}) mapping.attributes.push_back({name, name, spelling::activation()});
  }
  if (kind.type == "GRU") mapping.attributes.push_back({"reset_after", "reset_after", spelling::boolean()});
  mapping.carried = carried_for({{"kernel", "GlorotUniform"}, {"recurrent", "Orthogonal"}, {"bias", "Zeros"}});
  if (kind.type == "LSTM") mapping.carried.set("unit_forget_bias", true);
  for (const char* name : {"unroll", "zero_output_for_mask"}) mapping.carried.set(name, false);
  mapping.carried.set("seed", nullptr);
  mapping.call = {"sequences", "initial_state", "mask"};
  mapping.passes_mask = true;
  mapping.fits = [](const Attributes& a, const Shapes&) { return !a.boolean("bidirectional"); };
  mapping.lift = [](Json::Object&, Attributes& attributes, const Shapes&) { attributes.set("batch_first", true); };
  mapping.derive = [](Attributes& attributes, const Shapes& inputs) {
    const auto features = inputs.at(0).empty() ? std::nullopt : inputs[0].back().value();
    if (!features) throw MalformedFile("the last size of its input is open");
    attributes.set("input_size", *features);
  };
  mapping.weights = [&kind](const Attributes& a, const Shapes&) { return weights(kind, a); };
  mapping.lower = [&kind](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return KerasWriter(kind, a, std::move(config), emitter).run();
  };
  for (auto& [what, config] : configurations(kind)) mapping.samples.push_back({what, std::move(config), {{3, 6, 5}}});
  std::vector<Shape> with_state(1 + kind.states, Shape{3, 4});
  with_state[0] = {3, 6, 5};
  mapping.samples.push_back({"initial state", {{"units", 4}, {"return_sequences", true}}, with_state});
  return mapping;
}

// What a wrapped layer's own configuration says beyond the computation, and its name.
Json::Object kept_of(const Layer& layer, const Json::Object& config) {
  Json::Object kept{{"name", config.at("name")}};
  for (const auto& [key, value] : layer.keras) kept.set(key, value);
  return kept;
}

Layer lift_direction(const KerasMapping& inner, const Json& described, const Shapes& inputs) {
  Json::Object config = described.at("config").as_object();
  config.erase("zero_output_for_mask");  // is set by Bidirectional itself
  return layer_from_config(inner, config, inputs).value();
}

Json wrapped_name(const Kind& kind, const std::string& direction) {
  return Json::Object{{"name", direction + "_" + kind.keras_cell.substr(0, kind.keras_cell.size() - std::string_view("_cell").size())}};
}

// Keras's wrapper of two layers.
KerasMapping two_directions(const Kind& kind, const KerasMapping& inner) {
  KerasMapping mapping = inner;
  mapping.class_name = "Bidirectional";
  mapping.attributes = {{"merge_mode", "merge_mode", spelling::text_or_none()}};
  mapping.carried = {{"layer", wrapped_name(kind, "forward")}, {"backward_layer", wrapped_name(kind, "backward")}};
  mapping.reads = [&kind](const Json::Object& config) { return config.at("layer").at("class_name") == Json(kind.keras_class); };
  mapping.fits = [](const Attributes& a, const Shapes&) { return a.boolean("bidirectional"); };
  mapping.lift = [&kind, inner](Json::Object& config, Attributes& attributes, const Shapes& inputs) {
    const Json described = config.at("layer");
    const Layer forward = lift_direction(inner, described, inputs);
    attributes = forward.attributes;
    attributes.set("bidirectional", true);
    config.set("layer", kept_of(forward, described.at("config").as_object()));
    const Json* backward_described = config.find("backward_layer");
    if (!backward_described || backward_described->is_null()) return;  // Keras's own: the same, backwards
    if (backward_described->at("class_name") != Json(kind.keras_class))
      throw Unsupported("its two layers are " + kind.keras_class + " and " + backward_described->at("class_name").as_string());
    const Layer backward = lift_direction(inner, *backward_described, inputs);
    for (const auto& [name, value] : backward.attributes)
      if ((value == forward.attributes.at(name)) == (name == "go_backwards")) throw Unsupported("its two layers differ in " + name);
    config.set("backward_layer", kept_of(backward, Json(*backward_described).at("config").as_object()));
  };
  mapping.derive = [](Attributes&, const Shapes&) {};

  mapping.samples.clear();
  const auto wrapped = [&](Json::Object config, const std::string& name) {
    config.set("name", name);
    return object("layers", kind.keras_class, std::move(config));
  };
  const auto sample = [&](const std::string& what, Json::Object config, std::vector<Shape> inputs = {{3, 6, 5}}) {
    mapping.samples.push_back({kind.keras_class + ", " + what, std::move(config), std::move(inputs)});
  };
  for (const auto& [what, config] : configurations(kind))
    if (!config.contains("go_backwards")) sample(what, {{"layer", wrapped(config, "inner")}});  // that needs a backward_layer
  const Json::Object sequences{{"units", 4}, {"return_sequences", true}};
  for (const char* mode : {"sum", "mul", "ave"}) sample("merged by " + std::string(mode), {{"layer", wrapped(sequences, "inner")}, {"merge_mode", mode}});
  sample("not merged", {{"layer", wrapped({{"units", 4}, {"return_state", true}}, "inner")}, {"merge_mode", nullptr}});
  Json::Object backwards = sequences;
  backwards.set("go_backwards", true);
  Json::Object backwards_by_ones = backwards;
  backwards_by_ones.set("bias_initializer", object("initializers", "Ones", {}));
  sample("a backward layer of its own", {{"layer", wrapped(sequences, "ahead")}, {"backward_layer", wrapped(backwards_by_ones, "behind")}});
  sample("backwards first", {{"layer", wrapped(backwards, "ahead")}, {"backward_layer", wrapped(sequences, "behind")}});
  std::vector<Shape> with_states(1 + 2 * kind.states, Shape{3, 4});
  with_states[0] = {3, 6, 5};
  sample("initial states", {{"layer", wrapped(sequences, "inner")}}, with_states);
  return mapping;
}

// A single step is a sequence of length 1.
KerasMapping single_step(const Kind& kind) {
  KerasMapping mapping{.type = kind.type + "Cell", .class_name = kind.keras_class};
  mapping.attributes = {{"hidden_size", "units", spelling::integer()}, {"bias", "use_bias", spelling::boolean()}};
  if (kind.type == "RNN") mapping.attributes.push_back({"nonlinearity", "activation", spelling::text()});
  mapping.written_only = true;  // Keras's layer is a sequence's
  mapping.weights = [&kind](const Attributes& a, const Shapes&) {
    WeightRules rules;
    add_rules(rules, kind, a, "", {});
    return rules;
  };
  mapping.lower = [&kind](const Attributes& a, Json::Object config, KerasEmitter& emitter) { return write_step(kind, a, std::move(config), emitter); };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (const Kind& kind : kinds()) {
    const KerasMapping one = one_direction(kind);
    result.push_back(one);
    result.push_back(two_directions(kind, one));
    result.push_back(single_step(kind));
  }
  return result;
}

}  // namespace h5bridge::recurrent
