#include <algorithm>
#include <iterator>

#include "facets/keras/mapping.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "layers/recurrent/keras_cells.h"
#include "layers/recurrent/keras_projection.h"
#include "layers/recurrent/keras_weights.h"
#include "layers/recurrent/recurrent_emitter.h"
#include "layers/recurrent/stacked_cells.h"
#include "model/keras_origin.h"

namespace h5bridge::recurrent {
namespace {

using Shapes = std::vector<SymbolicShape>;

// Keras's two ways to say a direction: a layer of its own, as "LSTM", or an RNN of cells.
enum class Form { Layer, Cells };

Place place_of(const Kind& kind, Form form, const Attributes& a, std::int64_t layer, std::int64_t direction) {
  const std::string wrapped = directions(a) == 1 ? "" : direction == 1 ? "backward_layer" : "layer";
  const std::string inside = wrapped.empty() ? "" : wrapped + "/", ahead = wrapped == "layer" ? "forward_" : "";
  if (form == Form::Cells) {
    const std::string cell = "{" + inside + "cell/cells/" + std::to_string(layer) + "}";
    return {"", cell, ahead + cell};
  }
  return {keras_part(layer), (wrapped.empty() ? "" : "{" + wrapped + "}/") + kind.keras_cell, ahead + inside + "cell"};
}

UnsaidSetting summed_biases(const Kind& kind) {
  return {.attribute = "bias",
          .is_on = [&kind](const Attributes& a) { return a.boolean("bias") && adds_biases(kind, a); },
          .becomes = kSummedBiases,
          .matters = Matters::ToATrainingRun};
}

WeightRules weights(const Kind& kind, Form form, const Attributes& a, const Shapes& inputs) {
  WeightRules rules;
  for (std::int64_t direction = 0; direction < directions(a); ++direction)
    for (std::int64_t layer = 0; layer < a.integer("num_layers"); ++layer) {
      if (is_projected(a)) {
        std::ranges::move(projected_rules(a, layer, direction, inputs.size() > 1).rules,
                          std::back_inserter(rules.rules));
        continue;
      }
      add_cell_rules(rules, kind, a, "", tensor_suffix(layer, direction), place_of(kind, form, a, layer, direction));
    }
  return rules;
}

// A constructor's argument that is an object of Keras's.
Json object(const std::string& module, const std::string& class_name, Json::Object config) {
  return Json::Object{{"module", "keras." + module},
                      {"class_name", class_name},
                      {"config", std::move(config)},
                      {"registered_name", nullptr}};
}

using Configurations = std::vector<std::pair<std::string, Json::Object>>;

// What a cell's constructor takes, each argument with another value than its default in one of them.
Configurations cell_configurations(const Kind& kind) {
  Json::Object functions{{"units", 4}, {"activation", "relu"}};
  if (kind.type != "RNN") functions.set("recurrent_activation", "hard_sigmoid");
  Json::Object objects{{"units", 4}};
  if (kind.type == "LSTM") objects.set("unit_forget_bias", false);
  for (const char* weight : {"kernel", "recurrent", "bias"}) {
    objects.set(std::string(weight) + "_initializer", object("initializers", "HeNormal", {{"seed", 3}}));
    objects.set(std::string(weight) + "_regularizer", object("regularizers", "L2", {{"l2", 0.01}}));
    objects.set(std::string(weight) + "_constraint", object("constraints", "NonNeg", {}));
  }
  objects.set("bias_initializer", object("initializers", "Ones", {}));
  Configurations result{
      {"plain", {{"units", 4}}},
      {"without bias", {{"units", 4}, {"use_bias", false}}},
      {"functions", std::move(functions)},
      {"dropout", {{"units", 4}, {"dropout", 0.3}, {"recurrent_dropout", 0.2}, {"seed", 5}}},
      {"objects", std::move(objects)},
  };
  if (kind.type == "GRU") {
    result.push_back({"reset before", {{"units", 4}, {"reset_after", false}}});
    result.push_back({"reset before without bias", {{"units", 4}, {"reset_after", false}, {"use_bias", false}}});
  }
  return result;
}

// What a layer's takes besides, whichever its cells.
Configurations layer_configurations() {
  return {
      {"sequences", {{"return_sequences", true}}},
      {"states", {{"return_state", true}, {"return_sequences", true}}},
      {"backwards", {{"go_backwards", true}, {"return_sequences", true}}},
      {"stateful", {{"stateful", true}}},
      {"unrolled", {{"unroll", true}}},
      {"masks", {{"zero_output_for_mask", true}}},
      {"regularised", {{"activity_regularizer", object("regularizers", "L1", {{"l1", 0.01}})}}},
  };
}

Configurations configurations(const Kind& kind) {
  Configurations result = cell_configurations(kind);
  for (auto& [what, config] : layer_configurations()) {
    config.set("units", 5);
    result.push_back({what, std::move(config)});
  }
  return result;
}

Json cell(const Kind& kind, Json::Object config) {
  return object("layers", kind.keras_class + "Cell", std::move(config));
}

Json stack(const Kind& kind, std::int64_t count, const std::string& name) {
  Json::Array cells;
  for (std::int64_t i = 0; i < count; ++i)
    cells.push_back(cell(kind, {{"units", 4}, {"name", name + std::to_string(i)}}));
  return object("layers", "StackedRNNCells", {{"cells", std::move(cells)}, {"name", name}});
}

// The same for an RNN.
Configurations configurations_of_cells(const Kind& kind) {
  Configurations result;
  for (auto& [what, config] : cell_configurations(kind))
    result.push_back({what, {{"cell", cell(kind, std::move(config))}}});
  for (auto& [what, config] : layer_configurations()) {
    config.set("cell", cell(kind, {{"units", 5}, {"name", "inner"}}));
    result.push_back({what, std::move(config)});
  }
  for (const std::int64_t count : {1, 2, 3})
    result.push_back({"stack of " + std::to_string(count), {{"cell", stack(kind, count, "stacked")}}});
  result.push_back({"stack, sequences and states",
                    {{"cell", stack(kind, 2, "stacked")}, {"return_sequences", true}, {"return_state", true}}});
  result.push_back(
      {"stack, backwards", {{"cell", stack(kind, 2, "stacked")}, {"return_sequences", true}, {"go_backwards", true}}});
  return result;
}

// What both forms have.
KerasMapping any_form(const Kind& kind, Form form) {
  KerasMapping mapping = sequence_mapping(kind.type, form == Form::Layer ? kind.keras_class : kRnn);
  mapping.derive = [](Attributes& attributes, const Shapes& inputs) {
    const auto features = inputs.at(0).empty() ? std::nullopt : inputs[0].back().value();
    if (!features) throw MalformedFile("the last size of its input is open");
    attributes.set("input_size", *features);
  };
  mapping.weights = [&kind, form](const Attributes& a, const Shapes& inputs) { return weights(kind, form, a, inputs); };
  mapping.unsaid = {summed_biases(kind)};
  return mapping;
}

void add_samples(KerasMapping& mapping, const Kind& kind, Configurations configurations) {
  const std::string prefix = mapping.class_name == kRnn ? kind.keras_class + ", " : "";  // one class for all kinds
  for (auto& [what, config] : configurations)
    mapping.samples.push_back({prefix + what, std::move(config), {{3, 6, 5}}});
  std::vector<Shape> with_state(1 + kind.states, Shape{3, 4});
  with_state[0] = {3, 6, 5};
  mapping.samples.push_back({prefix + "initial state", mapping.samples.at(0).config, std::move(with_state)});
}

// Keras's layer of one direction.
KerasMapping one_direction(const Kind& kind) {
  KerasMapping mapping = any_form(kind, Form::Layer);
  std::ranges::move(cell_rows(kind), std::back_inserter(mapping.attributes));
  for (const auto& [key, value] : cell_carried(kind)) mapping.carried.set(key, value);
  mapping.fits = [](const Attributes& a, const Shapes&) { return !a.boolean("bidirectional") || is_projected(a); };
  mapping.lift = [](Json::Object&, Attributes& attributes, const Shapes&) { attributes.set("batch_first", true); };
  mapping.lower = [&kind](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return RecurrentEmitter(kind, kind.keras_class, a, std::move(config), emitter).run();
  };
  add_samples(mapping, kind, configurations(kind));
  return mapping;
}

// Keras's RNN of one cell or of several.
KerasMapping of_cells(const Kind& kind) {
  KerasMapping mapping = any_form(kind, Form::Cells);
  mapping.carried.set("cell", nullptr);
  mapping.reads = [&kind](const Json::Object& config) { return is_cell_of(kind, config.at("cell")); };
  mapping.fits = [](const Attributes& a, const Shapes&) {
    const bool drops_between = a.integer("num_layers") > 1 && a.number("dropout") > 0;
    return !a.boolean("bidirectional") && !is_projected(a) && !drops_between;
  };
  mapping.lift = [&kind](Json::Object& config, Attributes& attributes, const Shapes&) {
    attributes.set("batch_first", true);
    config.set("cell", take_cells(kind, Json(config.at("cell")), attributes));
  };
  mapping.lower = [&kind](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return RecurrentEmitter(kind, kRnn, a, std::move(config), emitter).run();
  };
  add_samples(mapping, kind, configurations_of_cells(kind));
  if (kind.states == 1)
    mapping.samples.push_back({kind.keras_class + ", stack, initial states",
                               {{"cell", stack(kind, 2, "stacked")}},
                               {{3, 6, 5}, {3, 4}, {3, 4}}});
  return mapping;
}

Json::Object kept_of(const Layer& layer, const Json::Object& config) {
  KerasOrigin kept = layer.keras;
  kept.name = config.at("name").as_string();
  return keras_origin_to_json(kept);
}

Layer lift_direction(const KerasMapping& inner, const Json& described, const Shapes& inputs) {
  Json::Object config = described.at("config").as_object();
  config.set("zero_output_for_mask", config.at("return_sequences"));  // as Bidirectional sets it
  return layer_from_config(inner, config, inputs).value();
}

Json wrapped_name(const Kind& kind, Form form, const std::string& direction) {
  const std::string name = kind.keras_cell.substr(0, kind.keras_cell.size() - std::string_view("_cell").size());
  return Json::Object{{"name", direction + "_" + (form == Form::Cells ? "rnn" : name)}};
}

// Keras's wrapper of two layers.
KerasMapping two_directions(const Kind& kind, Form form) {
  const KerasMapping inner = form == Form::Cells ? of_cells(kind) : one_direction(kind);
  KerasMapping mapping = inner;
  mapping.class_name = "Bidirectional";
  mapping.variant = form == Form::Cells ? "cells" : "";
  mapping.attributes = {{"merge_mode", "merge_mode", spelling::text_or_none()},
                        {"training", "training", spelling::boolean(), false}};
  mapping.carried = {{"layer", wrapped_name(kind, form, "forward")},
                     {"backward_layer", wrapped_name(kind, form, "backward")}};
  mapping.reads = [inner](const Json::Object& config) {
    const Json layer = config.at("layer");
    return layer.at("class_name") == Json(inner.class_name) && inner.reads(layer.at("config").as_object());
  };
  mapping.fits = [form](const Attributes& a, const Shapes&) {
    return a.boolean("bidirectional") && !is_projected(a) && a.boolean("separate_directions") == (form == Form::Cells);
  };
  mapping.lift = [inner](Json::Object& config, Attributes& attributes, const Shapes& inputs) {
    const Json described = config.at("layer");
    const Layer forward = lift_direction(inner, described, inputs);
    attributes = forward.attributes;
    attributes.set("bidirectional", true);
    attributes.set("separate_directions", inner.class_name == kRnn);  // for one layer the two are the same
    config.set("layer", kept_of(forward, described.at("config").as_object()));
    const Json* backward_described = config.find("backward_layer");
    if (!backward_described || backward_described->is_null()) {  // Keras's own: the same, backwards
      config.erase("backward_layer");
      return;
    }
    if (backward_described->at("class_name") != Json(inner.class_name))
      throw Unsupported("its two layers are " + inner.class_name + " and " +
                        backward_described->at("class_name").as_string());
    const Layer backward = lift_direction(inner, *backward_described, inputs);
    for (const auto& [name, value] : backward.attributes)
      if ((value == forward.attributes.at(name)) == (name == "go_backwards"))
        throw Unsupported("its two layers differ in " + name);
    config.set("backward_layer", kept_of(backward, Json(*backward_described).at("config").as_object()));
  };
  mapping.derive = [](Attributes&, const Shapes&) {};
  mapping.lower = [&kind, wrapped = inner.class_name](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return RecurrentEmitter(kind, wrapped, a, std::move(config), emitter).run();
  };

  mapping.samples.clear();
  const std::string prefix = (form == Form::Cells ? "RNN of " : "") + kind.keras_class + ", ";
  const auto wrapped = [&](Json::Object config, const std::string& name) {
    config.set("name", name);
    return object("layers", inner.class_name, std::move(config));
  };
  const auto sample = [&](const std::string& what, Json::Object config, std::vector<Shape> inputs = {{3, 6, 5}}) {
    mapping.samples.push_back({prefix + what, std::move(config), std::move(inputs)});
  };
  for (const KerasSample& one : inner.samples)
    if (one.inputs.size() == 1 && !one.config.contains("go_backwards"))
      sample(form == Form::Cells ? one.what.substr(kind.keras_class.size() + 2) : one.what,
             {{"layer", wrapped(one.config, "inner")}});  // that needs a backward_layer
  const Json::Object plain = inner.samples.at(0).config;
  Json::Object sequences = plain, states = plain;
  sequences.set("return_sequences", true);
  states.set("return_state", true);
  for (const char* mode : {"sum", "mul", "ave"})
    sample("merged by " + std::string(mode), {{"layer", wrapped(sequences, "inner")}, {"merge_mode", mode}});
  sample("not merged", {{"layer", wrapped(states, "inner")}, {"merge_mode", nullptr}});
  Json::Object backwards = sequences;
  backwards.set("go_backwards", true);
  Json::Object backwards_by_ones = backwards;
  const Json ones = object("initializers", "Ones", {});
  if (form == Form::Cells)
    backwards_by_ones.set("cell", cell(kind, {{"units", 4}, {"bias_initializer", ones}}));
  else
    backwards_by_ones.set("bias_initializer", ones);
  sample("a backward layer of its own",
         {{"layer", wrapped(sequences, "ahead")}, {"backward_layer", wrapped(backwards_by_ones, "behind")}});
  sample("backwards first", {{"layer", wrapped(backwards, "ahead")}, {"backward_layer", wrapped(sequences, "behind")}});
  std::vector<Shape> with_states(1 + 2 * kind.states, Shape{3, 4});
  with_states[0] = {3, 6, 5};
  sample("initial states", {{"layer", wrapped(sequences, "inner")}}, with_states);
  return mapping;
}

// A single step is a sequence of length 1.
KerasMapping single_step(const Kind& kind) {
  KerasMapping mapping{.type = kind.type + "Cell", .class_name = kind.keras_class};
  mapping.attributes = cell_rows(kind);
  mapping.written_only = true;  // Keras's layer is a sequence's
  mapping.weights = [&kind](const Attributes& a, const Shapes&) {
    WeightRules rules;
    add_cell_rules(rules, kind, a, "", "", {"", kind.keras_cell});
    return rules;
  };
  mapping.unsaid = {summed_biases(kind)};
  mapping.lower = [&kind](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    return write_step(kind, a, std::move(config), emitter);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  std::vector<KerasMapping> result;
  for (const Kind& kind : kinds()) {
    for (const Form form : {Form::Layer, Form::Cells}) {
      result.push_back(form == Form::Cells ? of_cells(kind) : one_direction(kind));
      result.push_back(two_directions(kind, form));
    }
    result.push_back(single_step(kind));
  }
  result.push_back(stacked_cells_mapping());
  return result;
}

}  // namespace h5bridge::recurrent
