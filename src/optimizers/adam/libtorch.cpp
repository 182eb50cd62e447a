#include "facets/libtorch/optimizer.h"

namespace h5bridge::optimizers::adam {
namespace {

// Adam and AdamW are two classes with the same members.
template <typename Class, typename Options, typename State>
OptimizerKind row(const std::string& name, bool decoupled_weight_decay) {
  return KindRow<Class, Options, State>(name)
      .number("lr", &Options::lr)
      .betas(&Options::betas)
      .number("eps", &Options::eps)
      .number("weight_decay", &Options::weight_decay)
      .boolean("amsgrad", &Options::amsgrad)
      .fixed({{"maximize", false},
              {"foreach", nullptr},
              {"capturable", false},
              {"differentiable", false},
              {"fused", nullptr},
              {"decoupled_weight_decay", decoupled_weight_decay}})
      .step(&State::step)
      .slot("exp_avg", &State::exp_avg)
      .slot("exp_avg_sq", &State::exp_avg_sq)
      .slot("max_exp_avg_sq", &State::max_exp_avg_sq, [](const Options& options) { return options.amsgrad(); })
      .kind();
}

}  // namespace

std::vector<OptimizerKind> libtorch_kinds() {
  using namespace torch::optim;
  return {row<Adam, AdamOptions, AdamParamState>("Adam", false),
          row<AdamW, AdamWOptions, AdamWParamState>("AdamW", true)};
}

}  // namespace h5bridge::optimizers::adam
