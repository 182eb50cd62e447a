#include "keras/wrappers.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "facets/spec/attributes/tensor.h"
#include "h5bridge/error.h"
#include "keras/inline_models.h"
#include "keras/wrapper_kinds.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

const WrapperKind* find_kind(std::string_view class_name) {
  const auto found = std::ranges::find(wrapper_kinds(), class_name, &WrapperKind::class_name);
  return found == wrapper_kinds().end() ? nullptr : &*found;
}

const WrapperKind& kind_of(const Json& wrapper) { return *find_kind(wrapper.at("class_name").as_string()); }

bool is_layer(const Json* entry) {
  const Json* class_name = entry && entry->is_object() ? entry->find("class_name") : nullptr;
  const Json* config = class_name ? entry->find("config") : nullptr;
  return config && class_name->is_string() && config->is_object();
}

using Visit = std::function<void(const std::string&, const Json&, bool)>;

void visit_entry(const Json& layer, const std::string& within, bool is_in_frozen, const Visit& visit);

void visit_model(const Json& model, const std::string& within, const Visit& visit) {
  const Json* config = model.is_object() ? model.find("config") : nullptr;
  const Json* layers = config && config->is_object() ? config->find("layers") : nullptr;
  if (!layers || !layers->is_array()) return;
  for (const Json& layer : layers->as_array()) visit_entry(layer, within, false, visit);
}

void visit_entry(const Json& layer, const std::string& within, bool is_in_frozen, const Visit& visit) {
  const Json* config = layer.find("config");
  const Json* name = config && config->is_object() ? config->find("name") : nullptr;
  if (!name || !name->is_string()) return;
  const std::string path = within + name->as_string();
  if (is_model_entry(layer)) return visit_model(layer, path + "/", visit);
  if (!is_wrapper_entry(layer)) return visit(path, layer, is_in_frozen);
  const Json* trainable = config->find("trainable");
  const bool is_frozen = is_in_frozen || (trainable && *trainable == Json(false));
  for (const auto& [object, wrapped] : wrapped_objects(layer)) visit_entry(*wrapped, path + "/", is_frozen, visit);
}

}  // namespace

void for_each_entry(const Json& model_config, const Visit& visit) { visit_model(model_config, "", visit); }

bool is_wrapper(const KerasModelOrigin& origin) { return origin.class_name && find_kind(*origin.class_name); }

bool is_of_a_wrapper(const Layer& layer) {
  return layer.keras.implied && (layer.keras.variant == kMergesSteps || layer.keras.variant == kTakesStepsApart);
}

Architecture without_wrappers(Architecture architecture) {
  std::map<std::string, std::string> parents;  // of the calls that go
  std::set<std::string> wrappers;
  for (const Scope& scope : architecture.scopes)
    if (is_wrapper(scope.keras)) wrappers.insert(scope.name);
  for (const ScopeCall& call : architecture.scope_calls)
    if (wrappers.contains(call.scope)) parents[call.name] = call.parent;
  const auto leave = [&](std::string& call) {
    for (auto parent = parents.find(call); parent != parents.end(); parent = parents.find(call)) call = parent->second;
  };
  std::erase_if(architecture.scopes, [&](const Scope& scope) { return wrappers.contains(scope.name); });
  std::erase_if(architecture.scope_calls, [&](const ScopeCall& call) { return parents.contains(call.name); });
  for (ScopeCall& call : architecture.scope_calls) leave(call.parent);
  for (Node& node : architecture.nodes) leave(node.scope_call);
  for (Layer& layer : architecture.layers)
    if (is_of_a_wrapper(layer)) layer.keras = {};
  return architecture;
}

bool is_wrapper_entry(const Json& layer) {
  if (!is_layer(&layer)) return false;
  const Json::Object& config = layer.at("config").as_object();
  const WrapperKind* kind = find_kind(layer.at("class_name").as_string());
  return kind && is_layer(config.find("layer")) && kind->takes_apart(config);
}

bool is_of_a_wrapper(const Json& layer) {
  const Json& class_name = layer.at("class_name");
  return std::ranges::any_of(std::array{kWrapperInput, kWrapperResult, kWrapperTyped, kStepsMerged, kStepsApart},
                             [&](const char* own) { return class_name == Json(own); });
}

std::vector<std::pair<std::string, const Json*>> wrapped_objects(const Json& wrapper) {
  std::vector<std::pair<std::string, const Json*>> result;
  for (const WrappedMember& member : kind_of(wrapper).members)
    result.emplace_back(member.object, &wrapper.at("config").at(member.key));
  return result;
}

Json functional_of_wrapper(const Json& wrapper) {
  const WrapperKind& kind = kind_of(wrapper);
  const Json::Object& config = wrapper.at("config").as_object();
  std::set<std::string> known{"name", "trainable", "dtype", kGivesFloats};
  known.insert(kind.settings.begin(), kind.settings.end());
  Json::Object names;
  for (const WrappedMember& member : kind.members) {
    known.insert(member.key);
    names.set(entry_name(config.at(member.key)), member.name_behind);
  }
  for (const auto& [key, value] : config)
    if (!known.contains(key))
      throw Unsupported("its setting \"" + shortened(key) + "\" (" + quoted(value) + ") is not known");
  Json::Object graph = kind.graph(config);
  graph.set("wrapped", std::move(names));
  return Json::Object{{"class_name", "Functional"}, {"config", std::move(graph)}};
}

std::string own_variable(const KerasModelOrigin& origin) {
  const WrapperKind* kind = origin.class_name ? find_kind(*origin.class_name) : nullptr;
  return kind ? kind->own_variable : "";
}

std::string own_variable(const Json& wrapper) { return kind_of(wrapper).own_variable; }

std::optional<Tensor> own_value(const KerasModelOrigin& origin) {
  const std::string name = own_variable(origin);
  const Json* found = name.empty() ? nullptr : origin.config.find(name);
  if (!found) return std::nullopt;
  return in_file(name, [&] {
    const Tensor elements = elements_from_json(*found);
    return Tensor(elements.dtype(), {1, elements.element_count()}, bytes_in_memory(elements.read()));
  });
}

void set_own_value(KerasModelOrigin& origin, const Tensor& value) {
  origin.config.set(own_variable(origin), bytes_to_json(value));
}

std::string describe_wrapper(const Scope& wrapper) {
  return "layer \"" + shortened(wrapper.name) + "\" (" + shortened(wrapper.keras.class_name.value_or("")) + ")";
}

std::string only_in_training(const KerasModelOrigin& origin) {
  const WrapperKind* kind = origin.class_name ? find_kind(*origin.class_name) : nullptr;
  return kind ? kind->in_training : "";
}

KerasModelOrigin wrapper_origin(const Json& wrapper) {
  KerasModelOrigin origin = model_origin(wrapper);
  for (const std::string& key : kind_of(wrapper).settings)
    if (const Json* value = wrapper.at("config").find(key)) origin.config.set(key, *value);
  if (const Json* floats = wrapper.at("config").find(kGivesFloats)) origin.config.set(kGivesFloats, *floats);
  return origin;
}

std::vector<const PlannedLayer*> wrapped_layers(const PlannedModel& model) {
  return find_kind(*model.said.class_name)->wrapped(model);
}

Json::Object wrapper_entry(const PlannedModel& model, std::vector<Json::Object> wrapped) {
  const WrapperKind& kind = *find_kind(*model.said.class_name);
  Json::Array built = shape_config(model.inputs.at(0).shape).as_array();
  if (kind.takes_steps_apart) built.erase(built.begin() + 1);
  Json::Object config{{"name", model.name}, {"trainable", model.trainable}};
  if (const Json* dtype = model.said.config.find("dtype")) config.set("dtype", *dtype);
  for (const std::string& key : kind.settings)
    if (const Json* value = model.said.config.find(key)) config.set(key, *value);
  for (std::size_t i = 0; i < wrapped.size(); ++i) {
    wrapped[i].set("build_config", Json::Object{{"input_shape", built}});
    if (wrapped[i].at("config").find("layers")) wrapped[i].set("compile_config", Json::Object{});
    config.set(kind.members.at(i).key, std::move(wrapped[i]));
  }
  return {{"module", "keras.layers"},
          {"class_name", kind.class_name},
          {"config", std::move(config)},
          {"registered_name", nullptr}};
}

}  // namespace h5bridge
