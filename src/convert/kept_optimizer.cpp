#include "convert/kept_optimizer.h"

#include <algorithm>
#include <map>
#include <set>

#include "convert/keras_extra.h"
#include "files/digest.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

// State that Keras has no variables for.
std::vector<NamedTensor> kept_slots(const std::vector<NamedTensor>& kept, const std::string& parameter) {
  const std::string folder = kOptimizerFolder + parameter + "/";
  std::vector<NamedTensor> result;
  for (const NamedTensor& tensor : kept)
    if (tensor.name.starts_with(folder)) result.push_back({tensor.name.substr(folder.size()), tensor.tensor});
  return result;
}

// Those that PyTorch had; and what it had as one and is untied now, as Keras has it.
std::set<std::string> parameters_with_state(const Json& settings, const Ties& untied) {
  std::set<std::string> result;
  for (const Json& name : settings.at("parameters_with_state").as_array()) result.insert(name.as_string());
  for (const std::vector<std::string>& group : untied)
    if (std::ranges::any_of(group, [&](const std::string& name) { return result.contains(name); }))
      result.insert(group.begin(), group.end());
  return result;
}

}  // namespace

void restore_optimizer(const Json& settings, const std::vector<NamedTensor>& extra, const Ties& untied,
                       Optimizer& optimizer) {
  optimizer.kind = settings.at("kind").as_string();
  optimizer.hyperparameters = settings.at("hyperparameters").as_object();
  optimizer.groups.clear();
  for (const Json& group : settings.at("groups").as_array()) optimizer.groups.push_back(group.as_object());
  optimizer.keras = {};
  const std::vector<NamedTensor> variables = std::move(optimizer.keras_variables);
  optimizer.keras_variables.clear();
  // Slots that PyTorch never made are zeros in Keras.
  std::map<std::string, std::vector<NamedTensor>> slots;
  for (const std::string& name : parameters_with_state(settings, untied))
    if (auto found = optimizer.slots.find(name); found != optimizer.slots.end())
      slots.insert(std::move(*found));
    else if (std::vector<NamedTensor> kept = kept_slots(extra, name); !kept.empty())
      slots.emplace(name, std::move(kept));
  optimizer.slots = std::move(slots);
  for (auto& [parameter, kept] : optimizer.slots)
    for (NamedTensor& slot : kept) {
      const std::string name = parameter + "/" + slot.name;
      const NamedTensor* exact = find_tensor(extra, kOptimizerFolder + name);
      if (!exact) continue;
      if (exact->tensor.shape() != slot.tensor.shape())
        throw MalformedFile("/h5bridge/tensors: " + exact->name + " has shape " + to_string(exact->tensor.shape()) +
                            ", expected " + to_string(slot.tensor.shape()));
      const Json* recorded = settings.at("digests").find(name);
      const NamedTensor* variable = recorded ? find_tensor(variables, recorded->at("variable").as_string()) : nullptr;
      if (!recorded || (variable && has_digest(variable->tensor, recorded->at("digest").as_string())))
        slot.tensor = exact->tensor;
    }
}

}  // namespace h5bridge
