#include "keras/wrapper_kinds.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "keras/from_older/inserted.h"
#include "keras/from_older/nodes.h"
#include "keras/inline_models.h"
#include "keras/wrappers.h"
#include "model/promotion.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

using Wrapped = std::vector<const PlannedLayer*>;

Json history(const std::string& layer, std::int64_t tensor = 0) { return Json::Array{layer, 0, tensor}; }

Json tensor(const std::string& layer) { return keras_tensor(history(layer)); }

Json called(Json layer, Json::Array arguments) {
  Json::Array nodes;
  if (!arguments.empty()) nodes.push_back(Json::Object{{"args", std::move(arguments)}, {"kwargs", Json::Object{}}});
  layer.as_object().set("name", entry_name(layer));
  layer.as_object().set("inbound_nodes", std::move(nodes));
  return layer;
}

Json entry(const std::string& class_name, const std::string& name, Json::Array arguments, Json::Object config = {}) {
  return called(inserted_layer(class_name, std::move(config), name), std::move(arguments));
}

bool is(const Json::Object& config, const char* key, const Json& value) {
  const Json* found = config.find(key);
  return found && *found == value;
}

// As Keras freezes what it wraps with the wrapper.
Json frozen_with(const Json::Object& wrapper, Json wrapped) {
  if (is(wrapper, "trainable", false)) wrapped.as_object().find("config")->as_object().set("trainable", false);
  return wrapped;
}

// A name for what the wrapper does, which none of the wrapped layers has.
std::string own_name(std::string wanted, const std::vector<std::string>& wrapped) {
  while (std::ranges::find(wrapped, wanted) != wrapped.end()) wanted += "_";
  return wanted;
}

bool takes(const PlannedLayer& layer, const std::vector<const PlannedLayer*>& sources) {
  return layer.calls.size() == 1 && layer.calls[0].keywords.empty() &&
         std::ranges::equal(layer.calls[0].tensors(), sources,
                            [](const KerasTensor& value, const PlannedLayer* source) {
                              return value.layer == source->name && value.tensor == 0;
                            });
}

const PlannedLayer* maker_of(const KerasTensor& value, const PlannedModel& model) {
  const auto found = std::ranges::find(model.layers, value.layer, &PlannedLayer::name);
  return found == model.layers.end() ? nullptr : &*found;
}

// The only one of a class, not counting the input.
const PlannedLayer* find_class(const PlannedModel& model, std::string_view class_name) {
  const auto found = std::ranges::find(model.layers, class_name, &PlannedLayer::class_name);
  return found == model.layers.end() ? nullptr : &*found;
}

// --- TimeDistributed (keras/src/layers/rnn/time_distributed.py): the layer sees each step as a batch of its own; all
// steps as one batch are the same to it. ---

bool always(const Json::Object&) { return true; }

Json::Object steps_graph(const Json::Object& config) {
  const Json wrapped = frozen_with(config, config.at("layer"));
  const std::string& name = entry_name(wrapped);
  const std::string given = own_name("given", {name});
  const std::string merged = own_name("merged", {name});
  const std::string apart = own_name("apart", {name});
  return {{"layers",
           Json::Array{entry(kWrapperInput, given, {}), entry(kStepsMerged, merged, {tensor(given)}),
                       called(wrapped, {tensor(merged)}), entry(kStepsApart, apart, {tensor(name), tensor(given)})}},
          {"input_layers", history(given)},
          {"output_layers", history(apart)}};
}

Wrapped wrapped_by_steps(const PlannedModel& model) {
  const PlannedLayer* given = maker_of(model.inputs.at(0), model);
  const PlannedLayer* merged = find_class(model, kMergesSteps);
  const PlannedLayer* apart = find_class(model, kTakesStepsApart);
  if (model.layers.size() != 4 || !given || !merged || !apart || model.outputs.size() != 1) return {};
  const auto wrapped = std::ranges::find_if(
      model.layers, [&](const PlannedLayer& layer) { return &layer != given && &layer != merged && &layer != apart; });
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

std::size_t states_of(const Json& layer) {
  const Json& class_name = layer.at("class_name");
  for (const char* one : {"GRU", "SimpleRNN", "GRUCell", "SimpleRNNCell"})
    if (class_name == Json(one)) return 1;
  for (const char* two : {"LSTM", "LSTMCell"})
    if (class_name == Json(two)) return 2;
  if (class_name == Json("RNN")) return states_of(layer.at("config").at("cell"));
  if (class_name != Json("StackedRNNCells"))
    throw Unsupported("how many states its " + shortened(class_name.as_string()) + " gives is not known yet");
  std::size_t states = 0;
  for (const Json& cell : layer.at("config").at("cells").as_array()) states += states_of(cell);
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

Json::Object halves_graph(const Json::Object& config) {
  std::array<Json, 2> halves{frozen_with(config, config.at("layer")), frozen_with(config, config.at("backward_layer"))};
  std::vector<std::string> names;
  for (Json& half : halves) {
    Json::Object& own = half.as_object().find("config")->as_object();
    own.set("zero_output_for_mask", is(own, "return_sequences", true));  // as Bidirectional sets it
    names.push_back(entry_name(half));
  }
  if (names[0] == names[1]) throw MalformedFile("both of its layers are called \"" + shortened(names[0]) + "\"");
  const Json::Object& forward = halves[0].at("config").as_object();
  const std::string given = own_name("given", names);
  Json::Array layers{entry(kWrapperInput, given, {}), called(halves[0], {tensor(given)}),
                     called(halves[1], {tensor(given)})};
  std::array<std::string, 2> sides{names[0], names[1]};
  if (is(forward, "return_sequences", true)) {
    sides[1] = own_name("flip", names);
    Json flip = entry("Flip", sides[1], {tensor(names[1])}, {{"axis", 1}});
    flip.as_object().set("module", "keras.src.ops.numpy");
    layers.push_back(std::move(flip));
  }
  Json::Array outputs;
  const auto give = [&](const std::string& layer) {  // with the mask of what was given
    const std::string name = own_name("result_" + std::to_string(outputs.size()), names);
    layers.push_back(entry(kWrapperResult, name, {tensor(layer), tensor(given)}));
    outputs.push_back(history(name));
  };
  const Json* mode = config.find("merge_mode");
  if (mode && !mode->is_null()) {
    auto [class_name, settings] = merging(*mode);
    const std::string merge = own_name("merge", names);
    settings.set("trainable", true);
    layers.push_back(entry(class_name, merge, {Json::Array{tensor(sides[0]), tensor(sides[1])}}, settings));
    give(merge);
  } else {
    for (const std::string& side : sides) give(side);
  }
  if (is(forward, "return_state", true))
    for (std::size_t i = 0; i < halves.size(); ++i)
      for (std::size_t state = 1; state <= states_of(halves[i]); ++state)
        outputs.push_back(history(names[i], static_cast<std::int64_t>(state)));
  return {{"layers", std::move(layers)},
          {"input_layers", history(given)},
          {"output_layers", outputs.size() == 1 ? outputs[0] : Json(std::move(outputs))}};
}

Wrapped wrapped_halves(const PlannedModel& model) {
  const PlannedLayer* given = maker_of(model.inputs.at(0), model);
  if (!given || model.outputs.empty()) return {};
  const PlannedLayer* first = maker_of(model.outputs[0], model);  // merges, or is the forward one
  const Json* mode = model.said.config.find("merge_mode");
  const bool merges = mode && !mode->is_null();
  const PlannedLayer* flip = find_class(model, "Flip");
  const auto takes_given = [&](const PlannedLayer& layer) { return !layer.is_operation() && takes(layer, {given}); };
  std::vector<const PlannedLayer*> halves;
  for (const PlannedLayer& layer : model.layers)
    if (takes_given(layer)) halves.push_back(&layer);
  if (halves.size() != 2 || model.layers.size() != 3u + (merges ? 1 : 0) + (flip ? 1 : 0)) return {};
  const PlannedLayer* forward =
      merges && !first->calls[0].tensors().empty() ? maker_of(first->calls[0].tensors()[0], model) : first;
  if (forward == halves[1]) std::swap(halves[0], halves[1]);
  if (forward != halves[0] || (flip && !takes(*flip, {halves[1]}))) return {};
  const PlannedLayer* behind = flip ? flip : halves[1];
  if (merges && (first->class_name != merging(*mode).first || !takes(*first, {forward, behind}))) return {};
  return halves;
}

// --- SpectralNormalization (keras/src/layers/normalization/spectral_normalization.py): in training it writes what its
// kernel is divided by the largest singular value over the kernel; elsewhere it calls its layer. ---

Json::Object called_alone_graph(const Json::Object& config) {
  const Json wrapped = frozen_with(config, config.at("layer"));
  const std::string& name = entry_name(wrapped);
  const std::string given = own_name("given", {name});
  const std::string result = own_name("result", {name});
  Json::Array layers{entry(kWrapperInput, given, {}), called(wrapped, {tensor(given)})};
  const bool is_typed = !config.contains(kGivesFloats);
  if (is_typed) layers.push_back(entry(kWrapperTyped, result, {tensor(name), tensor(given)}));
  return {{"layers", std::move(layers)},
          {"input_layers", history(given)},
          {"output_layers", history(is_typed ? result : name)}};
}

Wrapped wrapped_alone(const PlannedModel& model) {
  const PlannedLayer* given = maker_of(model.inputs.at(0), model);
  if (model.layers.size() != 2 || !given || model.outputs.size() != 1) return {};
  if (model.said.config.contains(kGivesFloats) && is_integral(model.inputs[0].dtype)) return {};  // Keras 3 cuts off
  const PlannedLayer& wrapped = model.layers[0].name == given->name ? model.layers[1] : model.layers[0];
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
