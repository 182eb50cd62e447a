// The snapshot of a module that a plan computes with.
#pragma once

#include <list>
#include <mutex>

#include "runtime/module_implementation.h"
#include "runtime/plan/steps.h"

namespace h5bridge::plan {

class Snapshot {
 public:
  /// `values`, by the slots of the module's program, are those of a call with inputs of the devices and types that
  /// run() is going to take. The module is in evaluation mode.
  Snapshot(const Module::Implementation& of, const std::vector<Seen>& values);

  /// Throws UsageError for sizes that the model does not take. Calls from several threads at once are right.
  TorchValues run(const TorchValues& inputs);

 private:
  // Sizes of inputs that were found to fit, and what the symbols are with them.
  struct KnownSizes {
    std::vector<std::vector<std::int64_t>> sizes;
    Symbols symbols;
  };

  void free_after_last_use(const Graph& graph);
  void keep_weights(const Graph& graph, Copies& copies) const;
  Symbols symbols_for(const TorchValues& inputs);

  std::unique_ptr<Module::Implementation> source_;  // its layers that are called as they are have copies of weights
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<Slot> outputs_;
  std::mutex guard_;
  std::list<KnownSizes> known_sizes_;  // the one that was used last is the first
};

}  // namespace h5bridge::plan
