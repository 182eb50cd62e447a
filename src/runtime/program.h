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

  using Slot = std::size_t;
  struct Made {
    std::size_t output;
    Slot slot;
  };
  struct Step {
    std::string node;
    std::string where;  // for messages
    std::function<TorchValues(const TorchCall&)> forward;
    std::vector<Slot> inputs = {};
    std::vector<std::pair<std::string, Slot>> named_inputs = {};
    const Layer* layer = nullptr;
    const torch::nn::Module* module = nullptr;  // of the layer's instance
    Attributes attributes = {};                 // of this call
    bool is_open = false;                       // some of them hang on open sizes
    std::vector<Made> outputs = {};             // those that somebody uses
    std::vector<Slot> last_used = {};           // free after this step
    /// Only where each of these truth values is so, the outermost first, is the step needed.
    std::vector<std::pair<Slot, bool>> only_where = {};
  };

  /// The inputs have the first slots.
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Slot>& outputs() const { return outputs_; }
  std::size_t slot_count() const { return slot_count_; }
  /// What the symbols of the inputs' shapes stand for in a call with these.
  Symbols symbols_of(const TorchValues& inputs) const;
  /// Whether which steps are needed is for values to say.
  bool has_branches() const;
  /// One step; `call` has its operands.
  static TorchValues computed(const Step& step, TorchCall& call);

 private:
  std::vector<SymbolicShape> input_shapes_;
  std::vector<Step> steps_;
  std::vector<Slot> outputs_;
  Slot slot_count_ = 0;
};

}  // namespace h5bridge
