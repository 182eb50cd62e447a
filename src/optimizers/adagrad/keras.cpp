// keras/src/optimizers/adagrad.py, torch/optim/adagrad.py.
#include "optimizers/optimizer_mapping.h"

namespace h5bridge::optimizers::adagrad {

std::vector<OptimizerMapping> keras_mappings() {
  return {{.kind = "Adagrad",
           .told_by = {.has = {"lr_decay", "initial_accumulator_value"}},
           .class_name = "Adagrad",
           .name = "adagrad",
           .hyperparameters = {{"lr", "learning_rate", spelling::number()},
                               {"eps", "epsilon", spelling::number()},
                               {"initial_accumulator_value", "initial_accumulator_value", spelling::number()}},
           .slots = {{.torch = "sum", .keras = "accumulator", .initial = "initial_accumulator_value"}},
           .epsilon = {"sqrt(sum) + eps", "sqrt(accumulator + epsilon)", 1e-12},
           .torch_defaults = {{"lr", 0.001},
                              {"lr_decay", 0},
                              {"eps", 1e-10},
                              {"weight_decay", 0},
                              {"initial_accumulator_value", 0},
                              {"foreach", nullptr},
                              {"maximize", false},
                              {"differentiable", false},
                              {"fused", nullptr}},
           .starts_with_state = true}};
}

}  // namespace h5bridge::optimizers::adagrad
