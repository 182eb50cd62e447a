// PyTorch's optimizers as LibTorch has them: hyperparameters and state by the names that torch.optim gives them.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "h5bridge/json.h"
#include "h5bridge/tensor.h"

namespace h5bridge {

struct Hyperparameter {
  std::string name;
  std::function<void(torch::optim::OptimizerOptions&, const Json&)> set;
  std::function<Json(const torch::optim::OptimizerOptions&)> get;
};

/// An entry of a parameter's state.
struct OptimizerSlot {
  std::string name;
  /// Throws MalformedFile if the tensor does not fit the parameter.
  std::function<void(torch::optim::OptimizerParamState&, const Tensor&, const torch::Tensor& parameter)> set;
  /// nullopt if there is none yet.
  std::function<std::optional<Tensor>(const torch::optim::OptimizerParamState&)> get;
  /// Whether a state is of no use without it.
  std::function<bool(const torch::optim::OptimizerOptions&)> needed;
};

struct OptimizerKind {
  std::string name;  // a class of torch.optim
  std::vector<Hyperparameter> hyperparameters;
  Json::Object fixed;  // the hyperparameters that only PyTorch has, at the value which means what LibTorch does
  std::vector<OptimizerSlot> slots;
  std::function<bool(const torch::optim::Optimizer&)> matches;
  std::function<std::unique_ptr<torch::optim::OptimizerOptions>()> make_options;
  std::function<std::unique_ptr<torch::optim::OptimizerParamState>()> make_state;
  std::function<std::unique_ptr<torch::optim::Optimizer>(const std::vector<torch::optim::OptimizerParamGroup>&)> make;

  const Hyperparameter* find_hyperparameter(std::string_view hyperparameter) const;
  const OptimizerSlot* find_slot(std::string_view slot) const;
};

const std::vector<OptimizerKind>& optimizer_kinds();

}  // namespace h5bridge
