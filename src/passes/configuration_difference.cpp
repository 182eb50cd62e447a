#include "passes/configuration_difference.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

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

std::string name_of(const Json& layer) {
  const Json* config = layer.find("config");
  const Json* name = config ? config->find("name") : nullptr;
  return name && name->is_string() ? name->as_string() : std::string();
}

std::map<std::string, const Json*> layers_of(const Json& model_config) {
  std::map<std::string, const Json*> result;
  const Json* config = model_config.find("config");
  const Json* layers = config ? config->find("layers") : nullptr;
  if (layers && layers->is_array())
    for (const Json& layer : layers->as_array()) result.emplace(name_of(layer), &layer);
  return result;
}

// All [layer, call, output] among the arguments of a layer's calls.
void collect_taken(const Json& json, std::vector<std::string>& taken) {
  if (json.is_array())
    for (const Json& element : json.as_array()) collect_taken(element, taken);
  if (json.is_object())
    for (const auto& [name, member] : json.as_object()) {
      if (name == "keras_history")
        taken.push_back(member.dump());
      else
        collect_taken(member, taken);
    }
}

std::vector<std::string> taken_by(const Json& layer) {
  std::vector<std::string> taken;
  if (const Json* nodes = layer.find("inbound_nodes")) collect_taken(*nodes, taken);
  std::ranges::sort(taken);
  return taken;
}

void add(std::vector<NetworkDifference>& differences, Certainty certainty, const std::string& text) {
  if (std::ranges::find(differences, certainty, &NetworkDifference::certainty) == differences.end())
    differences.push_back({certainty, text});
}

void compare_layers(const std::string& name, const Json& there, const Json& here, const NetworkNames& names,
                    std::vector<NetworkDifference>& differences) {
  const std::string layer = "layer \"" + shortened(name) + "\" ";
  const Json* class_there = there.find("class_name");
  const Json* class_here = here.find("class_name");
  if (class_there && class_here && *class_there != *class_here)
    return add(
        differences, Certainty::Certain,
        layer + "is " + quoted(*class_here) + " " + names.here + ", " + quoted(*class_there) + " " + names.there);
  for (const auto& [key, value] : there.at("config").as_object()) {
    const Json* other = here.at("config").find(key);
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
  const auto layers_there = layers_of(there);
  const auto layers_here = layers_of(here);
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
