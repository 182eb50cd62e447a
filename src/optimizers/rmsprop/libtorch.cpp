#include "facets/libtorch/optimizer.h"

namespace h5bridge::optimizers::rmsprop {

std::vector<OptimizerKind> libtorch_kinds() {
  using namespace torch::optim;
  return {KindRow<RMSprop, RMSpropOptions, RMSpropParamState>("RMSprop")
              .number("lr", &RMSpropOptions::lr)
              .number("momentum", &RMSpropOptions::momentum)
              .number("alpha", &RMSpropOptions::alpha)
              .number("eps", &RMSpropOptions::eps)
              .boolean("centered", &RMSpropOptions::centered)
              .number("weight_decay", &RMSpropOptions::weight_decay)
              .fixed({{"capturable", false}, {"foreach", nullptr}, {"maximize", false}, {"differentiable", false}})
              .step(&RMSpropParamState::step)
              .slot("square_avg", &RMSpropParamState::square_avg)
              .slot("momentum_buffer", &RMSpropParamState::momentum_buffer,
                    [](const RMSpropOptions& options) { return options.momentum() > 0; })
              .slot("grad_avg", &RMSpropParamState::grad_avg,
                    [](const RMSpropOptions& options) { return options.centered(); })
              .kind()};
}

}  // namespace h5bridge::optimizers::rmsprop
