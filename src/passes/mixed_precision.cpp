#include "passes/mixed_precision.h"

#include <map>

#include "model/quoted.h"

namespace h5bridge {
namespace {

constexpr std::string_view kMixed = "mixed_";

// The first mixed policy among a layer's settings, those of what it wraps included.
std::string mixed_policy(const Json& settings) {
  if (settings.is_array())
    for (const Json& item : settings.as_array())
      if (std::string found = mixed_policy(item); !found.empty()) return found;
  if (!settings.is_object()) return {};
  for (const auto& [key, value] : settings.as_object()) {
    std::string found = key == "dtype" ? name_of_policy(value) : mixed_policy(value);
    if (is_mixed_policy(found) || (key != "dtype" && !found.empty())) return found;
  }
  return {};
}

}  // namespace

std::string name_of_policy(const Json& dtype) {
  const Json* config = dtype.is_object() ? dtype.find("config") : nullptr;
  const Json* name = config && config->is_object() ? config->find("name") : &dtype;
  return name && name->is_string() ? name->as_string() : std::string();
}

bool is_mixed_policy(const std::string& name) { return name.starts_with(kMixed); }

std::vector<std::string> mixed_precision_left_out(const Architecture& architecture) {
  std::map<std::string, std::vector<std::string>> layers;
  for (const Layer& layer : architecture.layers)
    if (const std::string policy = mixed_policy(layer.keras.config); !policy.empty())
      layers[policy].push_back(layer.name);
  std::vector<std::string> notes;
  for (const auto& [policy, names] : layers) {
    const bool is_one = names.size() == 1;
    notes.push_back("the dtype policy " + shortened(policy) + " of " +
                    (is_one ? "layer \"" + shortened(names.front()) + '"' : std::to_string(names.size()) + " layers") +
                    " is left out: what Keras computes in " + shortened(policy.substr(kMixed.size())) +
                    " is computed in the type of the weights; in PyTorch, torch.autocast does the like");
  }
  return notes;
}

}  // namespace h5bridge
