// keras/src/optimizers/adadelta.py, torch/optim/adadelta.py: both have epsilon below both roots.
#include "optimizers/optimizer_mapping.h"

namespace h5bridge::optimizers::adadelta {

std::vector<OptimizerMapping> keras_mappings() {
  return {{.kind = "Adadelta",
           .told_by = {.has = {"rho", "eps"}},
           .class_name = "Adadelta",
           .name = "adadelta",
           .hyperparameters = {{"lr", "learning_rate", spelling::number()},
                               {"rho", "rho", spelling::number()},
                               {"eps", "epsilon", spelling::number()}},
           .slots = {{"square_avg", "accumulated_grad"}, {"acc_delta", "accumulated_delta_var"}},
           .torch_defaults = {{"lr", 1.0},
                              {"rho", 0.9},
                              {"eps", 1e-6},
                              {"weight_decay", 0},
                              {"maximize", false},
                              {"capturable", false},
                              {"foreach", nullptr},
                              {"differentiable", false}}}};
}

}  // namespace h5bridge::optimizers::adadelta
