// keras/src/optimizers/adamax.py, torch/optim/adamax.py.
#include "optimizers/optimizer_mapping.h"

namespace h5bridge::optimizers::adamax {

std::vector<OptimizerMapping> keras_mappings() {
  return {{.kind = "Adamax",
           // It states nothing of its own, but keeps an infinity norm.
           .told_by = {.has = {"betas", "eps", "weight_decay"},
                       .has_not = {"amsgrad", "momentum_decay"},
                       .slot = "exp_inf"},
           .class_name = "Adamax",
           .name = "adamax",
           .hyperparameters = {{"lr", "learning_rate", spelling::number()}, {"eps", "epsilon", spelling::number()}},
           .slots = {{"exp_avg", "momentum"}, {"exp_inf", "norm"}},
           .epsilon = {"max(beta_2 * u, abs(gradient) + eps)", "max(beta_2 * u, abs(gradient)) + epsilon", 1e-6},
           .torch_defaults = {{"lr", 0.002},
                              {"betas", Json::Array{0.9, 0.999}},
                              {"eps", 1e-8},
                              {"weight_decay", 0},
                              {"foreach", nullptr},
                              {"maximize", false},
                              {"differentiable", false},
                              {"capturable", false}}}};
}

}  // namespace h5bridge::optimizers::adamax
