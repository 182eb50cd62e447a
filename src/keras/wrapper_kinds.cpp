#include "keras/wrapper_kinds.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/wrappers.h"
#include "model/promotion.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Wrapped = std::vector<const KerasLayer*>;

KerasTensor tensor(const std::string& layer, std::int64_t number = 0) { return {History{layer, 0, number}}; }

KerasLayer called(KerasLayer layer, std::vector<KerasArgument> arguments) {
  layer.calls.clear();
  if (!arguments.empty()) layer.calls.push_back({.arguments = std::move(arguments)});
  return layer;
}

KerasLayer own_layer(const std::string& class_name, const std::string& name, std::vector<KerasArgument> arguments,
                     Json::Object config = {}) {
  config.set("name", name);
  return called({.name = name,
                 .module = "keras.layers",
                 .class_name = class_name,
                 .config = std::move(config),
                 .keras_name = name},
                std::move(arguments));
}

bool is(const Json::Object& config, const char* key, const Json& value) {
  const Json* found = config.find(key);
  return found && *found == value;
}

// A name for what the wrapper does, which none of the wrapped layers has.
std::string own_name(std::string wanted, const std::vector<std::string>& wrapped) {
  while (std::ranges::find(wrapped, wanted) != wrapped.end()) wanted += "_";
  return wanted;
}

bool takes(const KerasLayer& layer, const std::vector<const KerasLayer*>& sources) {
  return layer.calls.size() == 1 && layer.calls[0].keywords.empty() &&
         std::ranges::equal(layer.calls[0].tensors(), sources, [](const KerasTensor& value, const KerasLayer* source) {
           return value.layer == source->name && value.tensor == 0;
         });
}

const KerasLayer* maker_of(const KerasTensor& value, const KerasModel& model) {
  const auto found = std::ranges::find(model.layers, value.layer, &KerasLayer::name);
  return found == model.layers.end() ? nullptr : &*found;
}

// The only one of a class, not counting the input.
const KerasLayer* find_class(const KerasModel& model, std::string_view class_name) {
  const auto found = std::ranges::find(model.layers, class_name, &KerasLayer::class_name);
  return found == model.layers.end() ? nullptr : &*found;
}

// --- TimeDistributed (keras/src/layers/rnn/time_distributed.py): the layer sees each step as a batch of its own; all
// steps as one batch are the same to it. ---

bool always(const Json::Object&) { return true; }

KerasModel steps_graph(const KerasLayer& wrapper) {
  const KerasLayer& wrapped = wrapper.wrapped.at(0).second;
  const std::string& name = wrapped.name;
  const std::string given = own_name("given", {name});
  const std::string merged = own_name("merged", {name});
  const std::string apart = own_name("apart", {name});
  return {.layers = {own_layer(kWrapperInput, given, {}), own_layer(kStepsMerged, merged, {tensor(given)}),
                     called(wrapped, {tensor(merged)}), own_layer(kStepsApart, apart, {tensor(name), tensor(given)})},
          .inputs = {tensor(given)},
          .outputs = {tensor(apart)}};
}

Wrapped wrapped_by_steps(const KerasModel& model) {
  const KerasLayer* given = maker_of(model.inputs.at(0), model);
  const KerasLayer* merged = find_class(model, kMergesSteps);
  const KerasLayer* apart = find_class(model, kTakesStepsApart);
  if (model.layers.size() != 4 || !given || !merged || !apart || model.outputs.size() != 1) return {};
  const auto wrapped = std::ranges::find_if(
      model.layers, [&](const KerasLayer& layer) { return &layer != given && &layer != merged && &layer != apart; });
  const bool is_whole = !wrapped->is_operation() && takes(*merged, {given}) && takes(*wrapped, {merged}) &&
                        takes(*apart, {&*wrapped, given}) && maker_of(model.outputs[0], model) == apart;
  return is_whole ? Wrapped{&*wrapped} : Wrapped{};
}

// --- Bidirectional (keras/src/layers/rnn/bidirectional.py) of two layers that are no one layer of PyTorch's. ---

// What may differ in one layer of two directions.
bool may_differ(const std::string& key) {
  static const std::set<std::string> keys{"name",  "go_backwards",   "unit_forget_bias",     "seed",
                                          "dtype", "implementation", "zero_output_for_mask", "trainable"};
  return keys.contains(key) || key.ends_with("_initializer") || key.ends_with("_regularizer") ||
         key.ends_with("_constraint");
}

bool same_layer(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object()) return a == b;
  const auto same_in = [](const Json::Object& one, const Json::Object& other) {
    return std::ranges::all_of(one, [&](const Json::Member& member) {
      const Json* twin = other.find(member.first);
      return may_differ(member.first) || (twin && same_layer(member.second, *twin));
    });
  };
  return same_in(a.as_object(), b.as_object()) && same_in(b.as_object(), a.as_object());
}

// Whether a row of the registry reads the wrapper as one layer of two directions.
bool is_one_layer(const Json::Object& config) {
  return std::ranges::any_of(Registry::instance().keras_class("Bidirectional"),
                             [&](const KerasMapping* mapping) { return mapping->reads(config); });
}

bool are_two_layers(const Json::Object& config) {
  const Json* backward = config.find("backward_layer");
  if (!backward || !backward->is_object() || !backward->find("class_name") || !backward->find("config")) return false;
  const Json& forward = config.at("layer");
  return backward->at("class_name") != forward.at("class_name") ||
         !same_layer(forward.at("config"), backward->at("config")) || !is_one_layer(config);
}

std::size_t states_of(const std::string& class_name, const Json::Object& config);

std::size_t states_of(const Json& cell) {
  return states_of(cell.at("class_name").as_string(), cell.at("config").as_object());
}

std::size_t states_of(const std::string& class_name, const Json::Object& config) {
  for (const char* one : {"GRU", "SimpleRNN", "GRUCell", "SimpleRNNCell"})
    if (class_name == one) return 1;
  for (const char* two : {"LSTM", "LSTMCell"})
    if (class_name == two) return 2;
  if (class_name == "RNN") return states_of(config.at("cell"));
  if (class_name != "StackedRNNCells")
    throw Unsupported("how many states its " + shortened(class_name) + " gives is not known yet");
  std::size_t states = 0;
  for (const Json& cell : config.at("cells").as_array()) states += states_of(cell);
  return states;
}

// Keras's layers that merge: class and configuration.
std::pair<std::string, Json::Object> merging(const Json& mode) {
  if (mode == Json("concat")) return {"Concatenate", {{"axis", -1}}};
  if (mode == Json("sum")) return {"Add", {}};
  if (mode == Json("mul")) return {"Multiply", {}};
  if (mode == Json("ave")) return {"Average", {}};
  throw Unsupported("its setting merge_mode (" + quoted(mode) + ") is not known");
}

KerasModel halves_graph(const KerasLayer& wrapper) {
  std::vector<KerasLayer> halves;
  std::vector<std::string> names;
  for (const auto& [object, wrapped] : wrapper.wrapped) {
    KerasLayer& half = halves.emplace_back(wrapped);
    half.config.set("zero_output_for_mask", is(half.config, "return_sequences", true));  // as Bidirectional sets it
    names.push_back(half.name);
  }
  if (names[0] == names[1]) throw MalformedFile("both of its layers are called \"" + shortened(names[0]) + "\"");
  const Json::Object& forward = halves[0].config;
  const std::string given = own_name("given", names);
  KerasModel model{.layers = {own_layer(kWrapperInput, given, {}), called(halves[0], {tensor(given)}),
                              called(halves[1], {tensor(given)})},
                   .inputs = {tensor(given)}};
  std::array<std::string, 2> sides{names[0], names[1]};
  if (is(forward, "return_sequences", true)) {
    sides[1] = own_name("flip", names);
    KerasLayer flip = own_layer("Flip", sides[1], {tensor(names[1])}, {{"axis", 1}});
    flip.module = "keras.src.ops.numpy";
    model.layers.push_back(std::move(flip));
  }
  const auto give = [&](const std::string& layer) {  // with the mask of what was given
    const std::string name = own_name("result_" + std::to_string(model.outputs.size()), names);
    model.layers.push_back(own_layer(kWrapperResult, name, {tensor(layer), tensor(given)}));
    model.outputs.push_back(tensor(name));
  };
  const Json* mode = wrapper.find("merge_mode");
  if (mode && !mode->is_null()) {
    auto [class_name, settings] = merging(*mode);
    const std::string merge = own_name("merge", names);
    settings.set("trainable", true);
    model.layers.push_back(
        own_layer(class_name, merge, {KerasArgument::List{tensor(sides[0]), tensor(sides[1])}}, settings));
    give(merge);
  } else {
    for (const std::string& side : sides) give(side);
  }
  if (is(forward, "return_state", true))
    for (const KerasLayer& half : halves)
      for (std::size_t state = 1; state <= states_of(half.class_name, half.config); ++state)
        model.outputs.push_back(tensor(half.name, static_cast<std::int64_t>(state)));
  return model;
}

Wrapped wrapped_halves(const KerasModel& model) {
  const KerasLayer* given = maker_of(model.inputs.at(0), model);
  if (!given || model.outputs.empty()) return {};
  const KerasLayer* first = maker_of(model.outputs[0], model);  // merges, or is the forward one
  const Json* mode = model.said.config.find("merge_mode");
  const bool merges = mode && !mode->is_null();
  const KerasLayer* flip = find_class(model, "Flip");
  const auto takes_given = [&](const KerasLayer& layer) { return !layer.is_operation() && takes(layer, {given}); };
  std::vector<const KerasLayer*> halves;
  for (const KerasLayer& layer : model.layers)
    if (takes_given(layer)) halves.push_back(&layer);
  if (halves.size() != 2 || model.layers.size() != 3u + (merges ? 1 : 0) + (flip ? 1 : 0)) return {};
  const KerasLayer* forward =
      merges && !first->calls[0].tensors().empty() ? maker_of(first->calls[0].tensors()[0], model) : first;
  if (forward == halves[1]) std::swap(halves[0], halves[1]);
  if (forward != halves[0] || (flip && !takes(*flip, {halves[1]}))) return {};
  const KerasLayer* behind = flip ? flip : halves[1];
  if (merges && (first->class_name != merging(*mode).first || !takes(*first, {forward, behind}))) return {};
  return halves;
}

// --- SpectralNormalization (keras/src/layers/normalization/spectral_normalization.py): in training it writes what its
// kernel is divided by the largest singular value over the kernel; elsewhere it calls its layer. ---

KerasModel called_alone_graph(const KerasLayer& wrapper) {
  const KerasLayer& wrapped = wrapper.wrapped.at(0).second;
  const std::string& name = wrapped.name;
  const std::string given = own_name("given", {name});
  const std::string result = own_name("result", {name});
  KerasModel model{.layers = {own_layer(kWrapperInput, given, {}), called(wrapped, {tensor(given)})},
                   .inputs = {tensor(given)}};
  const bool is_typed = !wrapper.config.contains(kGivesFloats);
  if (is_typed) model.layers.push_back(own_layer(kWrapperTyped, result, {tensor(name), tensor(given)}));
  model.outputs = {tensor(is_typed ? result : name)};
  return model;
}

Wrapped wrapped_alone(const KerasModel& model) {
  const KerasLayer* given = maker_of(model.inputs.at(0), model);
  if (model.layers.size() != 2 || !given || model.outputs.size() != 1) return {};
  if (model.said.config.contains(kGivesFloats) && is_integral(model.inputs[0].dtype)) return {};  // Keras 3 cuts off
  const KerasLayer& wrapped = model.layers[0].name == given->name ? model.layers[1] : model.layers[0];
  const bool is_whole =
      !wrapped.is_operation() && takes(wrapped, {given}) && maker_of(model.outputs[0], model) == &wrapped;
  return is_whole ? Wrapped{&wrapped} : Wrapped{};
}

}  // namespace

const std::vector<WrapperKind>& wrapper_kinds() {
  static const std::vector<WrapperKind> kinds{
      {.class_name = "TimeDistributed",
       .members = {{"layer", "layer", ""}},
       .settings = {},
       .takes_steps_apart = true,
       .takes_apart = always,
       .graph = steps_graph,
       .wrapped = wrapped_by_steps},
      {.class_name = "Bidirectional",
       .members = {{"layer", "forward_layer", ".forward"}, {"backward_layer", "backward_layer", ".backward"}},
       .settings = {"merge_mode"},
       .takes_apart = are_two_layers,
       .graph = halves_graph,
       .wrapped = wrapped_halves},
      {.class_name = "SpectralNormalization",
       .members = {{"layer", "layer", ""}},
       .settings = {"power_iterations"},
       .own_variable = "vector_u",
       .in_training = "divides its kernel by the largest singular value in each step of training",
       .takes_apart = always,
       .graph = called_alone_graph,
       .wrapped = wrapped_alone},
  };
  return kinds;
}

}  // namespace h5bridge
