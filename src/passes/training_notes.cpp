#include "passes/training_notes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <string_view>

#include "facets/keras/mapping.h"
#include "facets/registry.h"
#include "model/quoted.h"
#include "passes/frozen.h"

namespace h5bridge {
namespace {

bool is_trained(const Layer& layer, const std::map<std::string, bool>& trainable) {
  if (is_frozen_in_keras(layer)) return false;
  return std::ranges::any_of(parameter_names(layer), [&](const std::string& name) {
    const auto said = trainable.find(name);
    return said == trainable.end() || said->second;
  });
}

constexpr std::array<std::string_view, 2> kRegularising{"_regularizer", "_constraint"};
constexpr std::string_view kOfOutputs = "activity_regularizer";

void collect(const Json::Object& config, const std::string& prefix, std::map<std::string, Json>& found) {
  for (const auto& [key, value] : config) {
    if (std::ranges::any_of(kRegularising, [&](std::string_view suffix) { return key.ends_with(suffix); })) {
      if (!value.is_null()) found.emplace(prefix + key, value);
    } else if (value.is_object()) {
      collect(value.as_object(), prefix + key + "/", found);
    } else if (value.is_array()) {
      for (const Json& item : value.as_array())
        if (item.is_object()) collect(item.as_object(), prefix + key + "/", found);
    }
  }
}

// Keras calls what it wraps for each step by itself (keras/src/layers/rnn/time_distributed.py).
constexpr const char* kStepByStep = "TimeDistributed";

// The layers that are called so and keep what they have seen in training: means, variances.
std::vector<std::string> unlike_step_by_step(const Architecture& architecture) {
  std::set<std::string_view> scopes, calls;
  for (const Scope& scope : architecture.scopes)
    if (scope.keras.class_name == kStepByStep) scopes.insert(scope.name);
  for (bool is_new = true; is_new;) {
    is_new = false;
    for (const ScopeCall& call : architecture.scope_calls)
      if (scopes.contains(call.scope) || calls.contains(call.parent)) is_new |= calls.insert(call.name).second;
  }
  std::set<std::string_view> within;
  for (const Node& node : architecture.nodes)
    if (calls.contains(node.scope_call)) within.insert(node.layer);
  std::vector<std::string> notes;
  for (const Layer& layer : architecture.layers) {
    if (!within.contains(layer.name) || is_frozen_in_keras(layer)) continue;
    const std::vector<ParameterSpec> tensors = Registry::instance().type_of(layer).parameters(layer.attributes);
    if (std::ranges::find(tensors, Role::Buffer, &ParameterSpec::role) == tensors.end()) continue;
    notes.push_back("layer \"" + shortened(layer.name) + "\" (" + layer.type +
                    "), which Keras's TimeDistributed wraps: in training, Keras calls it for each step by itself, with "
                    "statistics of that step, and PyTorch once for all steps together");
  }
  return notes;
}

}  // namespace

std::map<std::string, Json> regularisation_of(const Layer& layer) {
  std::map<std::string, Json> found;
  collect(layer.keras.config, "", found);
  return found;
}

bool is_same_regularisation(const Json& a, const Json& b) {
  // Some have written numbers that went through float32.
  if (a.is_number() && b.is_number()) {
    const double x = a.as_float(), y = b.as_float();
    return x == y || std::abs(x - y) <= 1e-6 * std::max(std::abs(x), std::abs(y));
  }
  if (a.is_object() && b.is_object()) {
    // Keras's own .h5 leaves out where a class is defined.
    const bool are_objects = a.find("class_name") && b.find("class_name");
    const auto fits = [&](const Json& one, const Json& other) {
      return std::ranges::all_of(one.as_object(), [&](const auto& member) {
        if (are_objects && member.first != "class_name" && member.first != "config") return true;
        const Json* twin = other.find(member.first);
        return twin && is_same_regularisation(member.second, *twin);
      });
    };
    return fits(a, b) && fits(b, a);
  }
  if (a.is_array() && b.is_array()) return std::ranges::equal(a.as_array(), b.as_array(), is_same_regularisation);
  return a == b;
}

std::optional<std::string> regularisation_left_out(const Architecture& architecture,
                                                   const std::map<std::string, bool>& trainable) {
  std::map<std::string, std::string> layers;
  for (const Layer& layer : architecture.layers)
    for (const auto& [path, value] : regularisation_of(layer)) {
      const std::string key = path.substr(path.rfind('/') + 1);
      if (key != kOfOutputs && !is_trained(layer, trainable)) continue;
      std::string& names = layers[key];
      const std::string name = '"' + shortened(layer.name) + '"';
      if (names.find(name) == std::string::npos) names += (names.empty() ? "" : ", ") + name;
    }
  std::string all;
  for (const auto& [key, names] : layers) all += (all.empty() ? "" : ", ") + key + " of " + names;
  if (all.empty()) return std::nullopt;
  return "what Keras's layers add to the loss or do after a step is left out: " + all +
         "; in PyTorch, a regularizer is a term of the loss, a constraint what is done to a weight after step()";
}

std::vector<std::string> unlike_in_training(const Architecture& architecture,
                                            const std::map<std::string, bool>& trainable) {
  std::vector<std::string> notes = unlike_step_by_step(architecture);
  for (const Layer& layer : architecture.layers)
    if (is_trained(layer, trainable))
      std::ranges::move(unsaid_settings(layer, Matters::ToATrainingRun), std::back_inserter(notes));
  return notes;
}

std::vector<std::string> unlike_run_of_keras(const Model& model) {
  const bool is_keras_run = model.training && model.training->optimizer && !model.training->optimizer->keras.empty();
  if (!is_keras_run || !model.architecture) return {};
  std::vector<std::string> notes = unlike_in_training(*model.architecture, model.trainable);
  for (const Layer& layer : model.architecture->layers)
    std::ranges::move(unsaid_settings(layer, Matters::InPyTorch), std::back_inserter(notes));
  if (auto left_out = regularisation_left_out(*model.architecture, model.trainable))
    notes.push_back(*std::move(left_out));
  if (const std::vector<std::string>& masked = model.architecture->keras.masked_outputs; !masked.empty())
    notes.push_back("Keras's loss and metrics pass by what is masked in the outputs of " + joined(masked) +
                    ", and PyTorch's do not: there, take the mean of the loss of the other places alone");
  return notes;
}

}  // namespace h5bridge
