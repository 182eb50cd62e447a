#include "keras/bindings.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "facets/registry.h"
#include "h5bridge/error.h"

namespace h5bridge {
namespace {

const Json* find_at(const Json& list, std::size_t place) {
  return place < list.as_array().size() ? &list.as_array()[place] : nullptr;
}

// "{layer/cell}/kernel" is "forward_rnn/lstm_cell/kernel" where the configuration's member "layer" is a layer of that
// name, and "cell" in its own is another. What is not there has no name.
std::string path_of(const std::string& variable, const Json::Object& config) {
  const std::size_t end = variable.find('}');
  if (!variable.starts_with('{') || end == std::string::npos) return variable;
  std::string path;
  const Json* place = nullptr;
  std::istringstream members(variable.substr(1, end - 1));
  for (std::string member; std::getline(members, member, '/');) {
    const Json* next = place && place->is_array() ? find_at(*place, std::stoul(member))
                       : place                    ? place->find(member)
                                                  : config.find(member);
    if (!next) break;
    const Json* own = next->is_object() ? next->find("config") : nullptr;
    if (own) path += (path.empty() ? "" : "/") + own->at("name").as_string();
    place = own ? own : next;
  }
  return path + variable.substr(end + 1);
}

// Those that have one name and the same parameters as an earlier one of another group, by that one's name.
template <typename PlaceOf>
std::map<std::string, std::string> layers_shared(const std::vector<KerasBinding>& bindings,
                                                 const std::vector<std::vector<std::string>>& ties,
                                                 PlaceOf&& place_of) {
  std::map<std::string, std::string> first_names;
  for (const auto& group : ties)
    for (const std::string& name : group) first_names.emplace(name, group.front());
  std::map<std::string, std::vector<std::string>> tensors;
  std::vector<std::string> order;
  for (const KerasBinding& binding : bindings) {
    if (!tensors.contains(binding.layer)) order.push_back(binding.layer);
    for (const KerasBinding::Source& source : binding.torch)
      if (const auto tied = first_names.find(source.name); tied != first_names.end() && binding.trainable)
        tensors[binding.layer].push_back(tied->second);
      else if (binding.trainable)
        tensors[binding.layer].push_back(source.name);
  }
  std::map<std::pair<std::string, std::vector<std::string>>, std::string> first;
  std::map<std::string, std::string> result;
  for (const std::string& layer : order) {
    const auto& [group, name] = place_of(layer);
    if (tensors[layer].empty()) continue;
    const auto [known, is_new] = first.emplace(std::pair(name, tensors[layer]), layer);
    if (!is_new && place_of(known->second).first != group) result.emplace(layer, known->second);
  }
  return result;
}

}  // namespace

const KerasMapping& mapping_of(const Layer& layer, const std::vector<SymbolicShape>& inputs) {
  const auto mappings = Registry::instance().keras_of(layer.type);
  if (mappings.empty()) throw Unsupported("there is no Keras layer for it");
  if (const KerasOrigin& said = layer.keras; said.class_name) {
    const auto is_that = [&](const KerasMapping& mapping) {
      if (said.variant && !said.variant->empty()) return mapping.variant == *said.variant;
      return mapping.variant.empty() == !said.variant;
    };
    const KerasMapping* same_class = nullptr;
    for (const KerasMapping* mapping : mappings) {
      if (mapping->class_name != *said.class_name || mapping->module != said.module.value_or("keras.layers")) continue;
      const bool is_the_one = is_that(*mapping);
      const bool fits = said.unfit || can_write(*mapping, layer.attributes, inputs);
      if ((is_the_one || !same_class) && fits) same_class = mapping;
      if (is_the_one && same_class) break;
    }
    if (same_class) return *same_class;
  }
  const auto found = std::find_if(mappings.begin(), mappings.end(), [&](const KerasMapping* mapping) {
    return can_write(*mapping, layer.attributes, inputs);
  });
  return found == mappings.end() ? *mappings[0] : **found;
}

void BindingMaker::bind(const Layer& layer, const std::string& suffix, const Made& made, const WeightRules& rules,
                        KerasBindings& result) {
  const Json::Object& config = made.config;
  std::vector<std::vector<std::string>> tensors;
  for (const WeightRule& rule : rules.rules)
    if (rule.part == suffix) tensors.push_back(rule.torch);
  if (const auto [known, is_new] = bound_.emplace(std::pair(layer.name, suffix), tensors); !is_new) {
    if (known->second != tensors) throw Unsupported("it is called twice in ways that one Keras layer cannot serve");
    return;
  }
  for (const WeightRule& rule : rules.rules) {
    if (rule.part != suffix) continue;
    KerasBinding binding;
    binding.layer = made.layer;
    binding.steps = rule.steps;
    binding.trainable = rule.trainable;
    binding.object = object_within(rule.object, config);
    for (const std::string& object : rule.objects) binding.objects.push_back(object_within(object, config));
    binding.frozen = said_of(binding, made.class_name, config) == Said::Frozen;
    binding.in_frozen_group = trained_within(made.class_name, config, "") == Said::Frozen;
    for (const std::string& variable : rule.keras) binding.variables.push_back(path_of(variable, config));
    const auto source = [&](const std::string& tensor) {
      const std::string name = tensor_name(layer.name, tensor);
      const auto steps = weight_steps_.find(name);
      // Several layers may have a tensor (a decoder that uses its embedding's), but then all as it is.
      const bool is_shared = owners_.emplace(name, layer.name).first->second != layer.name;
      if (is_shared && steps != weight_steps_.end())
        throw Unsupported("its tensor " + name + ", which another layer has as well, would need another layout");
      return KerasBinding::Source{name, steps == weight_steps_.end() ? std::vector<WeightStep>{} : steps->second};
    };
    std::ranges::transform(rule.torch, std::back_inserter(binding.torch), source);
    std::ranges::transform(rule.given, std::back_inserter(binding.given), source);
    result.bindings.push_back(std::move(binding));
  }
}

void BindingMaker::add_residuals(const Layer& layer, const WeightRules& rules, KerasBindings& result) const {
  for (const ResidualRule& residual : rules.residuals) {
    const std::string name = tensor_name(layer.name, residual.torch);
    const auto steps = weight_steps_.find(name);
    result.residuals[name] =
        steps == weight_steps_.end() ? residual.fallback : to_torch(steps->second, {residual.fallback}).at(0);
    if (residual.is_constant) result.constants.insert(name);
  }
}

Said said_of(const KerasBinding& binding, const std::string& class_name, const Json::Object& config) {
  return trained_within(class_name, config, binding.objects.empty() ? binding.object : binding.objects.front());
}

KerasBinding wrappers_binding(const std::string& layer, const std::string& variable) {
  KerasBinding binding;
  binding.layer = layer;
  binding.variables = {variable};
  binding.trainable = false;
  binding.is_wrappers_own = true;
  return binding;
}

void place(std::vector<KerasBinding>& bindings, const std::map<std::string, KerasPlace>& places,
           const std::vector<std::vector<std::string>>& ties) {
  std::ranges::stable_sort(bindings, {}, [&](const KerasBinding& binding) {
    return std::pair(places.at(binding.layer).number, !binding.trainable);
  });
  // Names may repeat from model to model, which Keras itself cannot save: such have the whole path. But one layer of
  // several models has one path in all of them.
  const std::map<std::string, std::string> shared = layers_shared(bindings, ties, [&](const std::string& layer) {
    return std::pair(places.at(layer).group, places.at(layer).keras_name);
  });
  std::map<std::string, std::string> in_group, in_all;  // the layers that have each path
  for (KerasBinding& binding : bindings) {
    KerasPlace place = places.at(binding.layer);
    if (const auto first = shared.find(binding.layer); first != shared.end()) {
      place.path = places.at(first->second).path;
      in_all.insert_or_assign(place.path, place.layer);
    }
    binding.group = place.group;
    binding.scope = place.scope;
    // A layer that is made of others is a group of its own.
    binding.in_frozen_group = place.in_frozen_group || (binding.in_frozen_group && binding.group == binding.layer);
    binding.layer = place.layer;
    const bool is_first_in_group =
        in_group.emplace(place.group + "/" + place.path, place.layer).first->second == place.layer;
    const bool is_first_in_all = in_all.emplace(place.path, place.layer).first->second == place.layer;
    binding.path = is_first_in_group ? place.path : place.layer + "/";
    binding.slot_path = is_first_in_all ? place.path : place.layer + "/";
  }
}

}  // namespace h5bridge
