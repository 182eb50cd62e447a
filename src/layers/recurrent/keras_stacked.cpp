#include <algorithm>

#include "h5bridge/error.h"
#include "layers/recurrent/keras_cells.h"
#include "layers/recurrent/keras_weights.h"
#include "layers/recurrent/stacked_cells.h"

namespace h5bridge::recurrent {
namespace {

using Handle = KerasEmitter::Handle;

WeightRules weights_of_cells(const Attributes& a, const std::vector<SymbolicShape>&) {
  WeightRules rules;
  const std::vector<Layer>& cells = a.layers("cells");
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = "{cell/cells/" + std::to_string(i) + "}";
    add_cell_rules(rules, kind_of(cells[i].type), cells[i].attributes, cell_prefix(i), "", {"", cell, cell});
  }
  return rules;
}

bool any_cell_adds_biases(const Attributes& a) {
  return std::ranges::any_of(a.layers("cells"), [](const Layer& cell) {
    return cell.attributes.boolean("bias") && adds_biases(kind_of(cell.type), cell.attributes);
  });
}

void read_cells(Json::Object& config, Attributes& attributes, const std::vector<SymbolicShape>& inputs) {
  const Json stack = config.at("cell");
  const auto features = inputs.at(0).empty() ? std::nullopt : inputs[0].back().value();
  if (!features) throw MalformedFile("the last size of its input is open");
  std::vector<Layer> cells = take_different_cells(stack, *features);
  if (cells.empty()) throw MalformedFile("it stacks no cells");
  attributes.set("cells", std::move(cells));
  config.set("cell", kept_of_stack(stack));
}

bool all_have_one_state(const Attributes& a) { return states_of_cells(a) == a.layers("cells").size(); }

KerasEmitter::Results write_stack(const Attributes& a, Json::Object config, KerasEmitter& emitter) {
  config.set("cell", whole_stack(a.layers("cells"), Json(config.at("cell"))));
  config.erase("training");
  KerasEmitter::Call call{.class_name = kRnn,
                          .config = std::move(config),
                          .arguments = {emitter.input(0)},
                          .outputs = emitter.output_shapes()};
  std::vector<Handle> states = emitter.inputs();
  states.erase(states.begin());
  if (!states.empty() && !all_have_one_state(a))
    throw Unsupported("it is given initial states, which Keras nests where a stacked cell has two");
  if (!states.empty()) call.keywords.emplace_back("initial_state", std::move(states));
  call.keywords.insert(call.keywords.end(), emitter.named_inputs().begin(), emitter.named_inputs().end());
  if (a.boolean("training")) call.keywords.emplace_back("training", Json(true));
  return emitter.call(std::move(call));
}

Json described(const char* class_name, Json::Object config) {
  return Json::Object{{"module", "keras.layers"},
                      {"class_name", class_name},
                      {"config", std::move(config)},
                      {"registered_name", nullptr}};
}

Json stack_of(Json::Array cells) {
  return described("StackedRNNCells", {{"cells", std::move(cells)}, {"name", "mixed"}});
}

void add_stack_samples(KerasMapping& mapping) {
  const Json ones = Json::Object{{"module", "keras.initializers"},
                                 {"class_name", "Ones"},
                                 {"config", Json::Object{}},
                                 {"registered_name", nullptr}};
  const Json three = stack_of({described("LSTMCell", {{"units", 4}, {"name", "first"}}),
                               described("GRUCell", {{"units", 3}, {"name", "second"}, {"bias_initializer", ones}}),
                               described("SimpleRNNCell", {{"units", 2}, {"name", "third"}})});
  const Json sizes = stack_of({described("GRUCell", {{"units", 4}, {"name", "a"}}),
                               described("GRUCell", {{"units", 3}, {"name", "b"}, {"reset_after", false}})});
  const Json settings = stack_of({described("LSTMCell", {{"units", 3}, {"activation", "softsign"}, {"dropout", 0.3}}),
                                  described("LSTMCell", {{"units", 3}, {"use_bias", false}})});
  const Json simple = stack_of({described("GRUCell", {{"units", 4}}), described("SimpleRNNCell", {{"units", 3}})});
  const std::vector<Shape> sequence{{3, 6, 5}};
  mapping.samples = {
      {"three kinds", {{"cell", three}}, sequence},
      {"three kinds, sequences and states",
       {{"cell", three}, {"return_sequences", true}, {"return_state", true}},
       sequence},
      {"sizes, backwards", {{"cell", sizes}, {"go_backwards", true}, {"return_sequences", true}}, sequence},
      {"settings", {{"cell", settings}, {"unroll", true}, {"zero_output_for_mask", true}}, sequence},
      {"different cells, stateful", {{"cell", sizes}, {"stateful", true}}, sequence},
      {"different cells, initial states", {{"cell", simple}}, {{3, 6, 5}, {3, 4}, {3, 3}}},
  };
}

}  // namespace

KerasMapping stacked_cells_mapping() {
  KerasMapping mapping = sequence_mapping(kStackedCells, kRnn);
  mapping.carried.set("cell", nullptr);
  mapping.reads = [](const Json::Object& config) {
    const Json& cell = config.at("cell");
    return is_stack(cell) && std::ranges::none_of(kinds(), [&](const Kind& kind) { return is_cell_of(kind, cell); });
  };
  mapping.lift = read_cells;
  mapping.weights = weights_of_cells;
  mapping.lower = write_stack;
  mapping.unsaid = {{.attribute = "cells",
                     .is_on = any_cell_adds_biases,
                     .becomes = kSummedBiases,
                     .matters = Matters::ToATrainingRun}};
  add_stack_samples(mapping);
  return mapping;
}

}  // namespace h5bridge::recurrent
