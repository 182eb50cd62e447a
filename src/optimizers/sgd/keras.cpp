// keras/src/optimizers/sgd.py, torch/optim/sgd.py.
#include "optimizers/optimizer_mapping.h"

namespace h5bridge::optimizers::sgd {

std::vector<OptimizerMapping> keras_mappings() {
  return {{.kind = "SGD",
           .told_by = {.has = {"momentum", "dampening", "nesterov"}},
           .class_name = "SGD",
           .name = "sgd",
           .hyperparameters = {{"lr", "learning_rate", spelling::number()},
                               {"momentum", "momentum", spelling::number()},
                               {"nesterov", "nesterov", spelling::boolean()}},
           .slots = {{"momentum_buffer", "momentum", "momentum", -1}},
           .weight_decay = WeightDecay::InPlainGradient,
           .torch_defaults = {{"lr", 0.001},
                              {"momentum", 0},
                              {"dampening", 0},
                              {"weight_decay", 0},
                              {"nesterov", false},
                              {"maximize", false},
                              {"foreach", nullptr},
                              {"differentiable", false},
                              {"fused", nullptr}},
           .counts_steps = false}};
}

}  // namespace h5bridge::optimizers::sgd
