#include "convert/object_weights.h"

#include <algorithm>
#include <map>
#include <set>

#include "convert/shared_layers.h"
#include "keras/object_paths.h"

namespace h5bridge {

std::vector<std::vector<std::optional<ObjectPlace>>> object_places(const KerasBindings& bound,
                                                                   const KerasModel& model) {
  const ObjectPaths paths = object_paths(model);
  const std::map<std::string, std::string> by_layer(paths.begin(), paths.end());
  std::map<std::string, std::size_t> counts;
  std::vector<std::vector<std::optional<ObjectPlace>>> result;
  for (const KerasBinding& binding : bound.bindings) {
    auto& places = result.emplace_back();
    const auto layer = by_layer.find(binding.layer);
    for (std::size_t i = 0; i < binding.variables.size(); ++i) {
      if (layer == by_layer.end()) {
        places.emplace_back();
        continue;
      }
      const std::string& within = binding.objects.empty() ? binding.object : binding.objects[i];
      const std::string object = layer->second + (within.empty() ? "" : "/" + within);
      // Behind the kernel, which it has once more.
      if (binding.is_wrappers_own) counts.try_emplace(object, 1);
      places.emplace_back(ObjectPlace{object, counts[object]++});
    }
  }
  return result;
}

namespace {

// A layer that models within the model share stands at its first place alone. The others get its variables, by its
// paths, which tell that it is one.
void add_shared(const KerasModel& model, std::vector<KerasLayerWeights>& weights) {
  const auto name_of = [](const std::string& layer) { return layer.substr(layer.rfind('/') + 1); };
  const ConfiguredLayers configured(model);
  for (KerasLayerWeights& layer : weights) {
    if (!layer.variables.empty()) continue;
    const auto first = std::ranges::find_if(weights, [&](const KerasLayerWeights& other) {
      return !other.variables.empty() && name_of(other.layer) == name_of(layer.layer) &&
             configured.are_alike(other.layer, layer.layer);
    });
    if (first != weights.end()) layer.variables = first->variables;
  }
}

}  // namespace

std::vector<KerasLayerWeights> weights_of_objects(const KerasFile& file, const KerasBindings& bound,
                                                  const KerasModel& model) {
  std::map<std::string, const KerasObject*> objects;
  for (const KerasObject& object : file.objects) objects.emplace(object.path, &object);
  const auto places = object_places(bound, model);
  std::map<std::string, std::size_t> made;
  std::set<const Tensor*> taken;
  std::vector<KerasLayerWeights> result;
  for (std::size_t b = 0; b < places.size(); ++b) {
    const KerasBinding& binding = bound.bindings[b];
    const auto [group, is_new] = made.emplace(binding.layer, result.size());
    if (is_new) result.push_back({binding.layer, {}});
    for (std::size_t i = 0; i < places[b].size(); ++i) {
      const auto object = places[b][i] ? objects.find(places[b][i]->object) : objects.end();
      if (object == objects.end() || places[b][i]->number >= object->second->variables.size()) continue;
      const Tensor& tensor = object->second->variables[places[b][i]->number];
      taken.insert(&tensor);
      if (binding.is_wrappers_own) taken.insert(&object->second->variables[0]);
      result[group->second].variables.push_back({binding.path + binding.variables[i], tensor});
    }
  }
  add_shared(model, result);
  for (const KerasObject& object : file.objects)
    for (std::size_t i = 0; i < object.variables.size(); ++i)
      if (!taken.contains(&object.variables[i])) {
        const std::string path = object.path.empty() ? "vars" : object.path + "/vars";
        result.push_back({path, {{path + "/" + std::to_string(i), object.variables[i]}}});
      }
  return result;
}

std::vector<std::string> layers_with_objects(const KerasModel& model) {
  std::vector<std::string> result;
  for (const auto& [layer, path] : object_paths(model)) result.push_back(layer);
  return result;
}

std::vector<KerasObject> objects_of(const KerasPlan& plan, const KerasModel& model) {
  std::vector<KerasObject> result{{"", model.name, {}}};
  std::set<std::string> known{""};
  for (const auto& [layer, path] : object_paths(model)) {
    result.push_back({path, layer.substr(layer.rfind('/') + 1), {}});
    known.insert(path);
  }
  const auto places = object_places(plan, model);
  for (std::size_t i = 0; i < places.size(); ++i)
    for (std::size_t j = 0; j < places[i].size(); ++j)
      if (const std::string& object = places[i][j].value().object; known.insert(object).second) {
        // It is called as the variable's path has it: "lstm/lstm_cell/kernel".
        const std::string path = "/" + plan.bindings[i].path + plan.bindings[i].variables[j];
        const std::string owner = path.substr(0, path.rfind('/'));
        result.push_back({object, owner.substr(owner.rfind('/') + 1), {}});
      }
  return result;
}

}  // namespace h5bridge
