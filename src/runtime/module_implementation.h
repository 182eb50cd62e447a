// What a Module is made of.
#pragma once

#include "h5bridge/torch.h"
#include "passes/presentation.h"
#include "runtime/program.h"
#include "runtime/ties.h"
#include "runtime/weights.h"

namespace h5bridge {

class Module::Implementation {
 public:
  /// Builds the layers of `model`; their tensors are still to be loaded.
  Implementation(const Model& model, Framework layout);
  Implementation(const Implementation&) = delete;

  /// Inputs and outputs as they are presented. Throws UsageError for inputs that the model does not take.
  TorchValues run(const TorchValues& inputs) const;
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

 private:
  void check(const TorchValues& inputs) const;
  std::string wrong_devices(const TorchValues& inputs) const;
  std::string wrong_types(const TorchValues& inputs) const;
};

}  // namespace h5bridge
