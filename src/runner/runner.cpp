#include "runner/runner.h"

#include <utility>

#include "runner/library.h"
#include "runner/weights_ahead.h"

namespace h5bridge {
namespace {

std::unique_ptr<Runner> libtorch_runner(const Model& model, const RunOptions& options) {
  using Entry = Runner* (*)(const Model&, const RunOptions&);
  WeightsAhead weights(model);
  static const Entry entry = reinterpret_cast<Entry>(torch_function_named("h5bridge_make_runner"));
  return std::unique_ptr<Runner>(entry(weights.model(), options));
}

RunnerFactory& factory_in_use() {
  static RunnerFactory factory = libtorch_runner;
  return factory;
}

}  // namespace

std::unique_ptr<Runner> make_runner(const Model& model, const RunOptions& options) {
  return factory_in_use()(model, options);
}

void set_runner_factory(RunnerFactory factory) { factory_in_use() = std::move(factory); }

}  // namespace h5bridge
