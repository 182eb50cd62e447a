#include "runtime/shared_parameters.h"

#include <algorithm>
#include <map>

#include "facets/libtorch/own_tensor.h"
#include "facets/registry.h"

namespace h5bridge {
namespace {

// LibTorch has no function that takes a parameter out of a module.
struct Parameters : torch::nn::Module {
  static torch::OrderedDict<std::string, torch::Tensor>& of(torch::nn::Module& module) {
    return module.*(&Parameters::parameters_);
  }
};

/// The place of a parameter in the tree's tables.
torch::Tensor* find_parameter(torch::nn::Module& root, std::string name) {
  torch::nn::Module* module = &root;
  for (std::size_t dot; (dot = name.find('.')) != std::string::npos; name.erase(0, dot + 1)) {
    const auto children = module->named_children();
    const auto* child = children.find(name.substr(0, dot));
    if (!child) return nullptr;
    module = child->get();
  }
  return Parameters::of(*module).find(name);
}

template <typename Weak, typename Pointer>
void hand_gradients_to(void (*set)(const torch::Tensor&, Weak), const torch::Tensor& tensor, const Pointer& node) {
  set(tensor, Weak(node));
}

struct Holder {
  const Layer* layer;
  const TorchInstance* instance;
  torch::Tensor tensor;
  std::string key;  // in the instance's module
};

// A module before what is a tensor alone, an outer one before those that it has within.
bool is_outer(const Holder& a, const Holder& b) {
  return std::pair(a.instance->is_tensor, a.layer->name.size()) <
         std::pair(b.instance->is_tensor, b.layer->name.size());
}

}  // namespace

void Tie::renew() {
  const torch::NoGradGuard no_grad;
  const torch::Tensor& shared = shared_.tensor;
  const torch::Tensor& own = own_.tensor;
  const bool same = own.is_alias_of(shared) && own.options().type_equal(shared.options());
  if (!same) own.set_data(shared);
  own.requires_grad_(shared.requires_grad());
  gradients_ = torch::autograd::impl::grad_accumulator(shared);
  if (gradients_) hand_gradients_to(torch::autograd::impl::set_grad_accumulator, own, gradients_);
}

std::vector<Tie> tie_same_names(const Instances& instances) {
  std::map<std::string, std::vector<Holder>> holders;
  for_each_held(instances, [&](const Layer& layer, const TorchInstance& instance, const ParameterSpec& spec,
                               const torch::Tensor& tensor) {
    holders[tensor_name(layer.name, spec.name)].push_back({&layer, &instance, tensor, spec.name});
  });
  std::vector<Tie> result;
  for (auto& [name, all] : holders) {
    std::ranges::stable_sort(all, is_outer);
    const torch::Tensor& shared = all.front().tensor;
    for (std::size_t i = 1; i < all.size(); ++i) {
      torch::nn::Module& module = *all[i].instance->module;
      if (all[i].instance->is_tensor) {
        dynamic_cast<OwnTensor&>(module).tie_to(shared);
        continue;
      }
      // A module of LibTorch's computes with a tensor that it knows without its table.
      result.emplace_back(Tie::NamedParameter{name, shared}, Tie::NamedParameter{name, all[i].tensor});
      if (torch::Tensor* place = find_parameter(module, all[i].key)) *place = torch::Tensor();
    }
  }
  return result;
}

std::vector<Tie> tie_parameters(torch::nn::Module& root, const std::vector<std::vector<std::string>>& groups) {
  std::vector<Tie> result;
  for (const std::vector<std::string>& group : groups) {
    Tie::NamedParameter shared;
    for (const std::string& name : group) {
      torch::Tensor* own = find_parameter(root, name);
      if (!own) continue;
      if (!shared.tensor.defined()) {
        shared = {name, *own};
      } else if (!own->is_same(shared.tensor)) {
        result.emplace_back(shared, Tie::NamedParameter{name, *own});
        result.back().renew();
        *own = torch::Tensor();
      }
    }
  }
  return result;
}

}  // namespace h5bridge
