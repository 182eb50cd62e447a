// An architecture's nodes as steps over numbered slots, made once and run often.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/weights.h"

namespace h5bridge {

class Program {
 public:
  using Observer = std::function<void(const std::string& node, const TorchValues& outputs)>;

  /// Throws MalformedFile for a value that nothing makes.
  Program(const Architecture& architecture, const Instances& instances);

  /// Runs all steps; a value is freed after its last use. Inputs and outputs are in the architecture's order and
  /// layout. An error of LibTorch's becomes one of ours that names the node.
  TorchValues run(TorchValues inputs, const Observer& observer) const;

 private:
  using Slot = std::size_t;
  struct Made {
    std::size_t output;
    Slot slot;
  };
  struct Step;
  static TorchValues computed(const Step& step, TorchCall& call);

  struct Step {
    std::string node;
    std::string where;  // for messages
    std::function<TorchValues(const TorchCall&)> forward;
    std::vector<Slot> inputs = {};
    std::vector<std::pair<std::string, Slot>> named_inputs = {};
    const Layer* layer = nullptr;
    Attributes attributes = {};
    std::vector<Made> outputs = {};    // those that somebody uses
    std::vector<Slot> last_used = {};  // free after this step
  };

  std::vector<SymbolicShape> input_shapes_;
  std::vector<Step> steps_;
  std::vector<Slot> outputs_;
  Slot slot_count_ = 0;
};

}  // namespace h5bridge
