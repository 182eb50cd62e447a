// What a Module is made of.
#pragma once

#include "h5bridge/torch.h"
#include "passes/presentation.h"
#include "runtime/module_tree.h"
#include "runtime/program.h"
#include "runtime/shared_parameters.h"
#include "runtime/weights.h"

namespace h5bridge {

class Module::Implementation {
 public:
  /// Builds the layers of `model`; their tensors are still to be loaded.
  Implementation(const Model& model, Framework layout);
  Implementation(const Implementation&) = delete;

  /// Inputs and outputs as they are presented. Throws UsageError for inputs that the model does not take.
  TorchValues run(const TorchValues& inputs) const { return run(inputs, observer); }
  TorchValues run(const TorchValues& inputs, const Observer& observing) const;
  /// Inputs by their names in the order of run()'s, and outputs by theirs. Throws UsageError for one that is missing or
  /// unknown.
  TorchValues in_order(const std::map<std::string, torch::Tensor>& inputs) const;
  std::map<std::string, torch::Tensor> by_name(const TorchValues& outputs) const;
  /// Throws UsageError for inputs that the model does not take.
  void check(const TorchValues& inputs) const;
  /// Inputs as the architecture has them, which are presented otherwise; and its outputs as they are presented.
  TorchValues kept(const TorchValues& inputs) const;
  TorchValues presented(TorchValues outputs) const;
  /// A copy whose tensors have the memory of this one's.
  std::unique_ptr<Implementation> alias() const;
  /// A copy with copies of all tensors.
  std::unique_ptr<Implementation> clone(const std::optional<torch::Device>& device) const;

  // The source without the tensors that the module holds, whose places in the order of names are kept.
  const Model model;
  const Framework layout;
  const Presentation presentation;
  const Instances instances;
  const Program program;
  Observer observer;
  mutable std::vector<Tie> ties;
  std::vector<StandIn> stand_ins;

 private:
  std::string wrong_devices(const TorchValues& inputs) const;
  std::string wrong_types(const TorchValues& inputs) const;
};

}  // namespace h5bridge
