// Parameters that are one: a decoder's weight that is the embedding's.
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/weights.h"

namespace h5bridge {

/// A layer's parameter that is another layer's: it has that one's memory, and hands its gradients on to it.
class Tie {
 public:
  struct NamedParameter {
    std::string name;
    torch::Tensor tensor;
  };
  Tie(NamedParameter shared, NamedParameter own) : shared_(std::move(shared)), own_(std::move(own)) {}
  /// Before each forward: to() gives the shared tensor other memory, and requires_grad_() another meaning.
  void renew();
  const std::string& shared_name() const { return shared_.name; }
  const std::string& own_name() const { return own_.name; }

 private:
  NamedParameter shared_;
  NamedParameter own_;
  // Adds up the shared one's gradients; a tensor does not keep it alive. LibTorch has changed its kind of pointer.
  decltype(torch::autograd::impl::grad_accumulator(std::declval<const torch::Tensor&>())) gradients_;
};

/// Makes one tensor of those that several layers have under one name, as where the model uses a layer's weight itself.
/// It is the outermost module's, where the model's tree has its place; before the tensors are loaded.
std::vector<Tie> tie_same_names(const Instances& instances);

/// Ties the parameters of each group to its first one, under whose name alone `root` lists them afterwards, as PyTorch
/// does: an optimizer must not step twice. Names that `root` does not have are passed by.
std::vector<Tie> tie_parameters(torch::nn::Module& root, const std::vector<std::vector<std::string>>& groups);

}  // namespace h5bridge
