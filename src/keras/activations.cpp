#include "keras/activations.h"

#include <algorithm>
#include <optional>
#include <set>

#include "facets/registry.h"
#include "h5bridge/architecture.h"
#include "keras/parse_tree.h"

namespace h5bridge {
namespace {

// Whether the class applies its activation to its output, as a recurrent one does not.
bool applies_to_output(const std::string& class_name) {
  return std::ranges::any_of(Registry::instance().keras_class(class_name), [](const KerasMapping* mapping) {
    const AttributeSpec* activation = Registry::instance().find(mapping->type)->find_attribute("activation");
    return mapping->fixed.contains("activation") || (activation && activation->fallback == AttributeValue("linear"));
  });
}

class Apart {
 public:
  std::map<std::string, ActivationApart> run(KerasModel& model, std::vector<ExpandedCall>& inner) {
    for (const KerasLayer& layer : model.layers) names_.insert(layer.name);
    std::vector<KerasLayer> all;
    for (KerasLayer& layer : model.layers) {
      std::optional<KerasLayer> activation;
      if (applies_to_output(layer.class_name)) activation = parse_activation(layer);
      if (activation) {
        put_behind(layer, *activation);
        layer.config.set("activation", "linear");
      }
      all.push_back(std::move(layer));
      if (activation) all.push_back(*std::move(activation));
    }
    model.layers = std::move(all);
    // What takes a layer's output now takes that of its activation.
    const auto redirect = [this](History history) {
      if (const auto found = hosts_.find(history.layer); found != hosts_.end()) history.layer = found->second;
      return history;
    };
    for (KerasLayer& layer : model.layers)
      if (!apart_.contains(layer.name))
        for (KerasCall& call : layer.calls) change_tensors(call, redirect);
    for (ExpandedCall& call : inner) change_tensors(call, redirect);
    change_outputs(model, redirect);
    return std::move(apart_);
  }

 private:
  void put_behind(const KerasLayer& host, KerasLayer& activation) {
    const std::string own_name = activation.keras_name;
    const std::string name =
        unique_name(own_name, [&](const std::string& candidate) { return names_.contains(candidate); });
    names_.insert(name);
    hosts_[host.name] = name;
    apart_[name] = {host.name, own_name};
    activation.name = activation.keras_name = name;
    activation.config.set("name", name);
    for (std::size_t call = 0; call < host.calls.size(); ++call)
      activation.calls.push_back({.arguments = {History{host.name, static_cast<std::int64_t>(call), 0}},
                                  .within_call = host.calls[call].within_call});
  }

  std::set<std::string> names_;
  std::map<std::string, std::string> hosts_;  // a layer's name to that of its activation
  std::map<std::string, ActivationApart> apart_;
};

}  // namespace

std::map<std::string, ActivationApart> take_activations_apart(KerasModel& model, std::vector<ExpandedCall>& inner) {
  return Apart().run(model, inner);
}

}  // namespace h5bridge
