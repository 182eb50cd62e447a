// keras/src/optimizers/rmsprop.py, torch/optim/rmsprop.py.
#include "optimizers/optimizer_mapping.h"

namespace h5bridge::optimizers::rmsprop {

std::vector<OptimizerMapping> keras_mappings() {
  return {{.kind = "RMSprop",
           .told_by = {.has = {"alpha", "centered"}},
           .class_name = "RMSprop",
           .name = "rm_sprop",
           .hyperparameters = {{"lr", "learning_rate", spelling::number()},
                               {"momentum", "momentum", spelling::number()},
                               {"alpha", "rho", spelling::number()},
                               {"eps", "epsilon", spelling::number()},
                               {"centered", "centered", spelling::boolean()}},
           .slots = {{"square_avg", "velocity"},
                     {.torch = "momentum_buffer", .keras = "momentum", .needs = "momentum", .times_lr = 1, .round = 1},
                     {.torch = "grad_avg", .keras = "average_gradient", .needs = "centered", .round = 2}},
           .epsilon = {"sqrt(v) + eps", "sqrt(v + epsilon)", 1e-12},
           .torch_defaults = {{"lr", 0.001},
                              {"momentum", 0},
                              {"alpha", 0.99},
                              {"eps", 1e-8},
                              {"centered", false},
                              {"weight_decay", 0},
                              {"capturable", false},
                              {"foreach", nullptr},
                              {"maximize", false},
                              {"differentiable", false}}}};
}

}  // namespace h5bridge::optimizers::rmsprop
