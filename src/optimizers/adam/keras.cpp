// keras/src/optimizers/adam.py and adamw.py, torch/optim/adam.py and adamw.py.
#include "optimizers/optimizer_mapping.h"

namespace h5bridge::optimizers::adam {
namespace {

OptimizerMapping mapping(const std::string& kind, const std::string& name, bool is_decoupled) {
  return {
      .kind = kind,
      .told_by = {.has = {"betas", "eps", "weight_decay", "amsgrad"},
                  .states = {{"decoupled_weight_decay", is_decoupled}}},
      .class_name = kind,
      .name = name,
      .hyperparameters = {{"lr", "learning_rate", spelling::number()},
                          {"eps", "epsilon", spelling::number()},
                          {"amsgrad", "amsgrad", spelling::boolean()}},
      .slots = {{"exp_avg", "momentum"},
                {"exp_avg_sq", "velocity"},
                {.torch = "max_exp_avg_sq", .keras = "velocity_hat", .needs = "amsgrad", .round = 1}},
      .weight_decay = is_decoupled ? WeightDecay::Decoupled : WeightDecay::InGradient,
      .epsilon = {"sqrt(v / (1 - beta_2^t)) + eps", "sqrt(v) + epsilon before it divides by sqrt(1 - beta_2^t)", 1e-6},
      .torch_defaults = {{"lr", 0.001},
                         {"betas", Json::Array{0.9, 0.999}},
                         {"eps", 1e-8},
                         {"weight_decay", 0},
                         {"amsgrad", false},
                         {"maximize", false},
                         {"foreach", nullptr},
                         {"capturable", false},
                         {"differentiable", false},
                         {"fused", nullptr},
                         {"decoupled_weight_decay", is_decoupled}},
      .decoupled = "AdamW"};
}

}  // namespace

std::vector<OptimizerMapping> keras_mappings() {
  return {mapping("Adam", "adam", false), mapping("AdamW", "adam_w", true)};
}

}  // namespace h5bridge::optimizers::adam
