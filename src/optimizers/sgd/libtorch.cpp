#include "facets/libtorch/optimizer.h"

namespace h5bridge::optimizers::sgd {

std::vector<OptimizerKind> libtorch_kinds() {
  using namespace torch::optim;
  return {KindRow<SGD, SGDOptions, SGDParamState>("SGD", SGDOptions(1e-3))
              .number("lr", &SGDOptions::lr)
              .number("momentum", &SGDOptions::momentum)
              .number("dampening", &SGDOptions::dampening)
              .number("weight_decay", &SGDOptions::weight_decay)
              .boolean("nesterov", &SGDOptions::nesterov)
              .fixed({{"maximize", false}, {"foreach", nullptr}, {"differentiable", false}, {"fused", nullptr}})
              .slot("momentum_buffer", &SGDParamState::momentum_buffer)
              .kind()};
}

}  // namespace h5bridge::optimizers::sgd
