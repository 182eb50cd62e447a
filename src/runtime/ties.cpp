#include "runtime/ties.h"

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
