#include "keras/shared_uses.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/registry.h"
#include "keras/parse_tree.h"
#include "keras/plan.h"
#include "model/quoted.h"

namespace h5bridge {
namespace {

struct Use {
  const KerasMapping* host;
  const SharedUse* use;
};

std::optional<Use> use_of(const KerasLayer& layer) {
  for (const Family& family : Registry::instance().families())
    for (const KerasMapping& mapping : family.keras)
      for (const SharedUse& use : mapping.shared_uses)
        if (layer.class_name == use.class_name) return Use{&mapping, &use};
  return std::nullopt;
}

// Whether each of `settings` is what `said` gives for its name.
template <typename Said>
bool has_all(const Json::Object& settings, Said&& said) {
  return std::ranges::all_of(settings, [&](const Json::Member& setting) {
    const Json* value = said(setting.first);
    return value && *value == setting.second;
  });
}

class Splitter {
 public:
  SharedPairs run(KerasModel& model, std::vector<ExpandedCall>& inner) {
    for (const KerasLayer& layer : model.layers) names_.insert(layer.name);
    std::vector<KerasLayer> split;
    for (KerasLayer& layer : model.layers) add(std::move(layer), split);
    model.layers = std::move(split);
    if (moved_.empty()) return std::move(pairs_);
    const auto follow = [this](const History& before) { return after(before); };
    for (KerasLayer& layer : model.layers)
      for (KerasCall& call : layer.calls) change_tensors(call, follow);
    for (ExpandedCall& call : inner) change_tensors(call, follow);
    change_outputs(model, follow);
    return std::move(pairs_);
  }

 private:
  static const Json* keyword(const KerasCall& call, const std::string& name) {
    const auto found = std::ranges::find(call.keywords, name, &std::pair<std::string, KerasArgument>::first);
    return found == call.keywords.end() ? nullptr : found->second.constant();
  }

  void add(KerasLayer layer, std::vector<KerasLayer>& split) {
    const std::optional<Use> use = use_of(layer);
    if (!use || !has_all(use->use->config, [&](const std::string& name) { return layer.find(name); }))
      return split.push_back(std::move(layer));
    const std::string other = unique_name(layer.name + "_" + use->use->call.begin()->first,
                                          [&](const std::string& taken) { return names_.contains(taken); });
    std::vector<KerasCall> own_calls, other_calls;
    std::vector<History> calls;  // what each call becomes
    for (const KerasCall& call : layer.calls) {
      const bool is_other = has_all(use->use->call, [&](const std::string& name) { return keyword(call, name); });
      std::vector<KerasCall>& kept = is_other ? other_calls : own_calls;
      calls.push_back({is_other ? other : layer.name, static_cast<std::int64_t>(kept.size()), 0});
      kept.push_back(call);
      std::erase_if(kept.back().keywords, [&](const auto& said) { return use->use->call.contains(said.first); });
    }
    if (own_calls.empty()) return split.push_back(std::move(layer));
    layer.class_name = use->host->class_name;
    for (const auto& [key, value] : use->use->config) layer.config.erase(key);
    if (!other_calls.empty()) {
      names_.insert(other);
      pairs_.emplace_back(layer.name, other);
      split.push_back(other_layer(*use->use, layer.config, other, std::move(other_calls)));
    }
    layer.calls = std::move(own_calls);
    moved_[layer.name] = std::move(calls);
    split.push_back(std::move(layer));
  }

  static KerasLayer other_layer(const SharedUse& use, const Json::Object& host, const std::string& name,
                                std::vector<KerasCall> calls) {
    Json::Object config{{"name", name}};
    for (const char* key : {"trainable", "dtype"})
      if (const Json* said = host.find(key)) config.set(key, *said);
    for (const auto& [key, value] : use.other_config(host)) config.set(key, value);
    return {.name = name,
            .module = "keras.layers",
            .class_name = use.other_class,
            .config = std::move(config),
            .calls = std::move(calls),
            .keras_name = name};
  }

  History after(const History& before) const {
    const auto calls = moved_.find(before.layer);
    if (calls == moved_.end() || before.call < 0 || static_cast<std::size_t>(before.call) >= calls->second.size())
      return before;
    const History& made = calls->second[static_cast<std::size_t>(before.call)];
    return {made.layer, made.call, before.tensor};
  }

  std::set<std::string> names_;
  std::map<std::string, std::vector<History>> moved_;  // by the layer's name: what its calls are now
  SharedPairs pairs_;
};

bool has_use(const Layer& host, const Layer& other) {
  return std::ranges::any_of(Registry::instance().keras_of(host.type), [&](const KerasMapping* mapping) {
    return std::ranges::any_of(mapping->shared_uses, [&](const SharedUse& use) {
      return use.type == other.type && use.fits(host.attributes, other.attributes);
    });
  });
}

std::vector<ParameterSpec> parameters_of(const Layer& layer) {
  return Registry::instance().type_of(layer).parameters(layer.attributes);
}

}  // namespace

SharedPairs split_shared_uses(KerasModel& model, std::vector<ExpandedCall>& inner) {
  return Splitter().run(model, inner);
}

std::string why_not_shared(const KerasLayer& layer) {
  const std::optional<Use> use = use_of(layer);
  if (!use) return "";
  for (const auto& [key, known] : use->use->config)
    if (const Json* value = layer.find(key); !value || *value != known)
      return "with " + key + "=" + (value ? quoted(*value) : "nothing") + ", there is no layer type for it; with " +
             key + "=" + known.dump() + ", there is";
  return "it is called with " + use->use->call.begin()->first + "=" + use->use->call.begin()->second.dump() +
         " alone, for which there is no layer type yet";
}

void tie_pairs(const SharedPairs& pairs, Architecture& architecture) {
  for (const auto& [one, other] : pairs) {
    const Layer* first = architecture.find_layer(one);
    const Layer* second = architecture.find_layer(other);
    if (!first || !second) continue;
    const std::vector<ParameterSpec> a = parameters_of(*first), b = parameters_of(*second);
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
      architecture.ties.push_back({tensor_name(one, a[i].name), tensor_name(other, b[i].name)});
  }
}

void learn_ties(const Json& model_config, const KerasModel& stated, Architecture& architecture) {
  if (!architecture.ties.empty() || !architecture.state_dict.empty()) return;
  if (std::ranges::none_of(stated.layers, [](const KerasLayer& layer) { return use_of(layer).has_value(); })) return;
  KerasModel model = parse_model(model_config);
  std::vector<ExpandedCall> no_calls;
  const SharedPairs pairs = split_shared_uses(model, no_calls);
  std::set<std::string> in_file;
  for (const KerasLayer& layer : stated.layers) in_file.insert(layer.keras_name);
  SharedPairs found;
  for (const auto& [host_name, name] : pairs)
    for (const Layer& host : architecture.layers)
      for (const Layer& layer : architecture.layers)
        if (keras_name(host.name) == host_name && !in_file.contains(keras_name(layer.name)) && has_use(host, layer))
          found.emplace_back(host.name, layer.name);
  tie_pairs(found, architecture);
}

}  // namespace h5bridge
