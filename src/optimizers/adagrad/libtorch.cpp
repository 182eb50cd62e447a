#include "facets/libtorch/optimizer.h"

namespace h5bridge::optimizers::adagrad {

std::vector<OptimizerKind> libtorch_kinds() {
  using namespace torch::optim;
  return {KindRow<Adagrad, AdagradOptions, AdagradParamState>("Adagrad")
              .number("lr", &AdagradOptions::lr)
              .number("lr_decay", &AdagradOptions::lr_decay)
              .number("eps", &AdagradOptions::eps)
              .number("weight_decay", &AdagradOptions::weight_decay)
              .number("initial_accumulator_value", &AdagradOptions::initial_accumulator_value)
              .fixed({{"foreach", nullptr}, {"maximize", false}, {"differentiable", false}, {"fused", nullptr}})
              .step(&AdagradParamState::step)
              .slot("sum", &AdagradParamState::sum)
              .kind()};
}

}  // namespace h5bridge::optimizers::adagrad
