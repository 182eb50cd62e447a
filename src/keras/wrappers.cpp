#include "keras/wrappers.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "facets/spec/attributes/tensor.h"
#include "h5bridge/error.h"
#include "keras/parse_tree.h"
#include "keras/print_tree.h"
#include "keras/wrapper_kinds.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

const WrapperKind* find_kind(std::string_view class_name) {
  const auto found = std::ranges::find(wrapper_kinds(), class_name, &WrapperKind::class_name);
  return found == wrapper_kinds().end() ? nullptr : &*found;
}

const WrapperKind& kind_of(const KerasLayer& wrapper) { return *find_kind(wrapper.class_name); }

bool is_layer(const Json* entry) {
  const Json* class_name = entry && entry->is_object() ? entry->find("class_name") : nullptr;
  const Json* config = class_name ? entry->find("config") : nullptr;
  return config && class_name->is_string() && config->is_object();
}

}  // namespace

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

bool is_of_a_wrapper(const KerasLayer& layer) {
  return std::ranges::any_of(std::array{kWrapperInput, kWrapperResult, kWrapperTyped, kStepsMerged, kStepsApart},
                             [&](const char* own) { return layer.class_name == own; });
}

std::vector<std::pair<std::string, const Json*>> wrapped_members(const std::string& class_name,
                                                                 const Json::Object& config) {
  const WrapperKind* kind = find_kind(class_name);
  if (!kind || !is_layer(config.find("layer")) || !kind->takes_apart(config)) return {};
  std::vector<std::pair<std::string, const Json*>> result;
  for (const WrappedMember& member : kind->members) result.emplace_back(member.object, &config.at(member.key));
  return result;
}

KerasModel graph_of_wrapper(const KerasLayer& wrapper) {
  const WrapperKind& kind = kind_of(wrapper);
  std::set<std::string> known{"name", "trainable", "dtype", kGivesFloats};
  known.insert(kind.settings.begin(), kind.settings.end());
  for (const WrappedMember& member : kind.members) known.insert(member.key);
  for (const auto& [key, value] : wrapper.config)
    if (!known.contains(key))
      throw Unsupported("its setting \"" + shortened(key) + "\" (" + quoted(value) + ") is not known");
  return kind.graph(wrapper);
}

std::map<std::string, std::string> names_behind(const KerasLayer& wrapper) {
  std::map<std::string, std::string> result;
  const std::vector<WrappedMember>& members = kind_of(wrapper).members;
  for (std::size_t i = 0; i < members.size(); ++i) result[wrapper.wrapped.at(i).second.name] = members[i].name_behind;
  return result;
}

std::string own_variable(const KerasModelOrigin& origin) {
  const WrapperKind* kind = origin.class_name ? find_kind(*origin.class_name) : nullptr;
  return kind ? kind->own_variable : "";
}

std::string own_variable(const KerasLayer& wrapper) { return kind_of(wrapper).own_variable; }

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

KerasModelOrigin wrapper_origin(const KerasLayer& wrapper) {
  KerasModelOrigin origin = parse_origin(wrapper.class_name, wrapper.config);
  for (const std::string& key : kind_of(wrapper).settings)
    if (const Json* value = wrapper.find(key)) origin.config.set(key, *value);
  if (const Json* floats = wrapper.find(kGivesFloats)) origin.config.set(kGivesFloats, *floats);
  return origin;
}

std::vector<const KerasLayer*> wrapped_layers(const KerasModel& model) {
  return find_kind(*model.said.class_name)->wrapped(model);
}

Json::Object print_wrapper(const KerasModel& model, std::vector<Json::Object> wrapped) {
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
