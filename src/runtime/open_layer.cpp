#include "runtime/open_layer.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "facets/libtorch/registry.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "runtime/shared_parameters.h"

namespace h5bridge {
namespace {

// Holds tensors, and computes nothing.
class HolderImpl : public torch::nn::Module {};

// A dotted name is that of a module within the module.
void add_tensor(torch::nn::Module& holder, const std::string& name, Role role) {
  if (const std::size_t dot = name.find('.'); dot != std::string::npos) {
    const std::string child = name.substr(0, dot);
    const auto children = holder.named_children();
    const auto* known = children.find(child);
    add_tensor(known ? **known : *holder.register_module(child, std::make_shared<HolderImpl>()), name.substr(dot + 1),
               role);
  } else if (role == Role::Parameter) {
    holder.register_parameter(name.empty() ? kOwnTensor : name, torch::empty({0}));
  } else {
    holder.register_buffer(name.empty() ? kOwnTensor : name, torch::empty({0}));
  }
}

TorchModulePtr holder_of(const Layer& layer) {
  auto holder = std::make_shared<HolderImpl>();
  for (const ParameterSpec& tensor : Registry::instance().type_of(layer).parameters(layer.attributes))
    add_tensor(*holder, tensor.name, tensor.role);
  return holder;
}

using NamedTensors = std::map<std::string, torch::Tensor>;

NamedTensors tensors_in(const torch::nn::Module& module) {
  NamedTensors result;
  for (const auto& tensors : {module.named_parameters(), module.named_buffers()})
    for (const auto& tensor : tensors) result.emplace(tensor.key(), tensor.value());
  return result;
}

// Gives the module those tensors, by name, and the mode. They hand gradients on as long as the ties live.
std::vector<Tie> lend(const NamedTensors& held, bool training, torch::nn::Module& module) {
  std::vector<Tie> result;
  module.train(training);
  for (const auto& [name, tensor] : tensors_in(module)) {
    const auto found = held.find(name);
    if (found == held.end()) throw std::logic_error("nothing loads the tensor \"" + name + "\"");
    result.emplace_back(Tie::NamedParameter{name, found->second}, Tie::NamedParameter{name, tensor});
  }
  for (Tie& tie : result) tie.renew();
  return result;
}

}  // namespace

std::set<std::string> layers_told_by_calls(const Architecture& architecture) {
  std::set<std::string> result;
  for (const Layer& layer : architecture.layers)
    if (!open_integers(Registry::instance().type_of(layer), layer.attributes).empty()) result.insert(layer.name);
  for (const Node& node : architecture.nodes)
    if (std::any_of(node.attributes.begin(), node.attributes.end(),
                    [](const auto& set) { return !std::holds_alternative<bool>(set.second); }))
      result.insert(node.layer);
  return result;
}

Attributes settings_in_call(const Layer& layer, const Attributes& settings, const Symbols& symbols) {
  const LayerType& type = Registry::instance().type_of(layer);
  Attributes known = with_sizes(type, settings, symbols);
  if (const auto open = open_integers(type, known); !open.empty())
    throw UsageError("its \"" + open[0] + "\" (" + attribute_to_json(known.at(open[0])).dump() +
                     ") does not follow from the model's inputs");
  return known;
}

TorchInstance build_open_layer(const Layer& layer) {
  const TorchModulePtr holder = holder_of(layer);
  // Its tables lose those that are tied to others' (runtime/shared_parameters.h).
  return {holder, [layer, holder, held = tensors_in(*holder)](const TorchCall& call) {
            Layer known = layer;
            for (const auto& [name, value] : call.attributes) known.attributes.set(name, value);
            known.attributes =
                complete_attributes(Registry::instance().type_of(layer),
                                    settings_in_call(layer, known.attributes, call.symbols), describe(layer));
            TorchInstance instance;
            std::vector<Tie> lent;
            {
              const c10::InferenceMode as_usual(false);  // what is made in it takes no other memory
              instance = build_layer(known);
              if (instance.module) lent = lend(held, holder->is_training(), *instance.module);
            }
            return instance.forward(call);
          }};
}

}  // namespace h5bridge
