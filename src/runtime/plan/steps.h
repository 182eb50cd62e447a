// What an inference plan does, one after the other.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/plan/graph.h"

namespace h5bridge::plan {

/// What one call of a plan works on.
struct Frame {
  TorchValues values;  // by slot
  TorchCall call;      // for layers that are called as they are: device and symbols are set
};

class Step {
 public:
  virtual ~Step() = default;
  virtual void run(Frame& frame) const = 0;

  std::string where;            // for messages
  std::vector<Slot> last_used;  // free after this step
};

/// Copies of tensors, one of each, so that those which share memory still do.
class Copies {
 public:
  /// Undefined of an undefined one.
  torch::Tensor of(const torch::Tensor& tensor);

 private:
  std::multimap<const void*, std::pair<torch::Tensor, torch::Tensor>> known_;  // original and copy by their place
};

/// The step that computes a node, with copies of its weights. What it calls as it is (calls_layer) still has the
/// module's.
std::unique_ptr<Step> make_step(const Node& node, const Graph& graph, Copies& copies);

/// Whether the step of the node calls the layer itself.
bool calls_layer(const Node& node);

}  // namespace h5bridge::plan
