#include "keras/configuration_difference.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "h5bridge/error.h"
#include "keras/parse_tree.h"
#include "keras/print_tree.h"
#include "model/quoted.h"
#include "model/same_value.h"

namespace h5bridge {
namespace {

// What says nothing of the computation, and what only says how the network is trained.
constexpr std::array<std::string_view, 5> kSilent{"name", "dtype", "trainable", "seed", "data_format"};
constexpr std::array<std::string_view, 4> kOfTraining{"rate", "momentum", "dropout", "recurrent_dropout"};

bool is_plain(const Json& value) {
  return value.is_bool() || value.is_number() || value.is_string() ||
         (value.is_array() && std::ranges::all_of(value.as_array(), &Json::is_number));
}

// [3] is 3, and an axis counted from the end may be the one counted from the beginning.
bool may_be_same(const Json& a, const Json& b) {
  const auto alone = [](const Json& value) -> const Json& {
    return value.is_array() && value.as_array().size() == 1 ? value.as_array()[0] : value;
  };
  const Json& x = alone(a);
  const Json& y = alone(b);
  if (x.is_array() && y.is_array()) return std::ranges::equal(x.as_array(), y.as_array(), may_be_same);
  return same_value(x, y) || (x.is_integer() && y.is_integer() && (x.as_integer() < 0) != (y.as_integer() < 0));
}

// A Sequential model says no calls.
KerasModel tree_of(const Json& model_config) {
  KerasModel layers = parse_layers(model_config);
  if (layers.said.class_name == "Sequential") return layers;
  try {
    return parse_model(model_config);
  } catch (const Error&) {  // something is to be said of what cannot be read, too
    return layers;
  }
}

std::map<std::string, const KerasLayer*> layers_of(const KerasModel& model) {
  std::map<std::string, const KerasLayer*> result;
  for (const KerasLayer& layer : model.layers) result.emplace(layer.keras_name, &layer);
  return result;
}

// All tensors among the arguments of a layer's calls.
std::vector<std::string> taken_by(const KerasLayer& layer) {
  std::vector<std::string> taken;
  for (const KerasCall& call : layer.calls)
    for (const KerasTensor& tensor : call.tensors()) taken.push_back(print_history(tensor).dump());
  std::ranges::sort(taken);
  return taken;
}

void add(std::vector<NetworkDifference>& differences, Certainty certainty, const std::string& text) {
  if (std::ranges::find(differences, certainty, &NetworkDifference::certainty) == differences.end())
    differences.push_back({certainty, text});
}

void compare_layers(const std::string& name, const KerasLayer& there, const KerasLayer& here, const NetworkNames& names,
                    std::vector<NetworkDifference>& differences) {
  const std::string layer = "layer \"" + shortened(name) + "\" ";
  if (there.class_name != here.class_name)
    return add(differences, Certainty::Certain,
               layer + "is " + quoted(Json(here.class_name)) + " " + names.here + ", " +
                   quoted(Json(there.class_name)) + " " + names.there);
  for (const auto& [key, value] : there.config) {
    const Json* other = here.find(key);
    if (!other || std::ranges::count(kSilent, key) > 0 || !is_plain(value) || !is_plain(*other)) continue;
    if (may_be_same(value, *other)) continue;
    const bool is_of_training = std::ranges::count(kOfTraining, key) > 0;
    add(differences, is_of_training ? Certainty::InTraining : Certainty::Certain,
        layer + "has " + key + " " + quoted(*other) + " " + names.here + ", " + quoted(value) + " " + names.there);
  }
  if (taken_by(there) != taken_by(here))
    add(differences, Certainty::Certain, layer + "takes other layers' outputs " + names.here + " than " + names.there);
}

}  // namespace

std::vector<NetworkDifference> configuration_differences(const Json& there, const Json& here,
                                                         const NetworkNames& names) {
  const KerasModel tree_there = tree_of(there), tree_here = tree_of(here);
  const auto layers_there = layers_of(tree_there);
  const auto layers_here = layers_of(tree_here);
  std::vector<NetworkDifference> differences;
  for (const auto& [name, layer] : layers_there) {
    const auto twin = layers_here.find(name);
    if (twin == layers_here.end())
      add(differences, Certainty::Possible, "layer \"" + shortened(name) + "\" is only " + names.there);
    else
      compare_layers(name, *layer, *twin->second, names, differences);
  }
  for (const auto& [name, layer] : layers_here)
    if (!layers_there.contains(name))
      add(differences, Certainty::Possible, "layer \"" + shortened(name) + "\" is only " + names.here);
  std::ranges::stable_sort(differences, {}, &NetworkDifference::certainty);
  return differences;
}

}  // namespace h5bridge
