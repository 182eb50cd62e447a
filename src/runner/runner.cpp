#include "runner/runner.h"

#include "runner/library.h"

namespace h5bridge {

std::unique_ptr<Runner> make_runner(const Model& model, const RunOptions& options) {
  using Entry = Runner* (*)(const Model&, const RunOptions&);
  static const Entry entry = reinterpret_cast<Entry>(torch_function_named("h5bridge_make_runner"));
  return std::unique_ptr<Runner>(entry(model, options));
}

}  // namespace h5bridge
