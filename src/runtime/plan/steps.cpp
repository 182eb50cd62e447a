#include "runtime/plan/steps.h"

#include <algorithm>

#include "h5bridge/error.h"
#include "runtime/plan/convolution_step.h"
#include "runtime/plan/linear_step.h"
#include "runtime/plan/reuse.h"

namespace h5bridge::plan {
namespace {

// A layer, called as it is, or in a way that it has prepared.
class LayerStep : public Step {
 public:
  LayerStep(const Node& node, const Graph& graph) : node_(node) {
    if (const auto* prepared = std::get_if<Prepared>(&node.operation))
      prepared_ = prepared->prepare(graph.values[node.inputs[0]].sizes);
    node_.operation = Opaque{};
  }

  void run(Frame& frame) const override {
    frame.call.inputs.clear();
    for (const Slot slot : node_.inputs) frame.call.inputs.push_back(frame.values[slot]);
    frame.call.named.clear();
    for (const auto& [name, slot] : node_.named_inputs) frame.call.named.emplace(name, frame.values[slot]);
    for (const Slot slot : last_used) frame.values[slot].reset();
    if (prepared_) frame.call.attributes = {};
    const TorchValues made = prepared_ ? prepared_(frame.call) : Program::computed(*node_.step, frame.call);
    for (const auto& [output, slot] : node_.outputs) {
      if (output >= made.size()) throw MalformedFile(where + " has no output " + std::to_string(output));
      frame.values[slot] = made[output];
    }
  }

 private:
  Node node_;
  Prepared::Forward prepared_;
};

class ActivationStep : public Step {
 public:
  ActivationStep(const Node& node, const Activation& activation)
      : activation_(activation), input_(node.inputs[0]), output_(node.output()) {}

  void run(Frame& frame) const override {
    torch::Tensor& input = frame.values[input_];
    const bool reuses = std::ranges::find(last_used, input_) != last_used.end() && is_free(input);
    torch::Tensor result = reuses ? input : input.clone();
    activation_.in_place(result);
    frame.values[output_] = result;
  }

 private:
  Activation activation_;
  Slot input_;
  Slot output_;
};

class SumStep : public Step {
 public:
  explicit SumStep(const Node& node) : left_(node.inputs[0]), right_(node.inputs[1]), output_(node.output()) {}

  void run(Frame& frame) const override {
    torch::Tensor& left = frame.values[left_];
    torch::Tensor& right = frame.values[right_];
    const bool is_even = left.sizes() == right.sizes() && left.scalar_type() == right.scalar_type();
    const auto reuses = [&](Slot slot) {
      return is_even && std::ranges::find(last_used, slot) != last_used.end() && is_free(frame.values[slot]);
    };
    if (reuses(left_))
      frame.values[output_] = left.add_(right);
    else if (reuses(right_))
      frame.values[output_] = right.add_(left);
    else
      frame.values[output_] = at::add(left, right);
  }

 private:
  Slot left_;
  Slot right_;
  Slot output_;
};

}  // namespace

torch::Tensor Copies::of(const torch::Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  const auto [begin, end] = known_.equal_range(tensor.const_data_ptr());
  for (auto known = begin; known != end; ++known) {
    const auto& [original, copy] = known->second;
    if (original.sizes() == tensor.sizes() && original.strides() == tensor.strides() &&
        original.scalar_type() == tensor.scalar_type())
      return copy;
  }
  return known_.emplace(tensor.const_data_ptr(), std::pair(tensor, tensor.detach().clone()))->second.second;
}

bool calls_layer(const Node& node) {
  return !std::holds_alternative<Convolution>(node.operation) && !std::holds_alternative<Linear>(node.operation) &&
         !std::holds_alternative<Activation>(node.operation) && !std::holds_alternative<Sum>(node.operation);
}

std::unique_ptr<Step> make_step(const Node& node, const Graph& graph, Copies& copies) {
  std::unique_ptr<Step> result;
  if (std::holds_alternative<Convolution>(node.operation))
    result = convolution_step(node, graph, copies);
  else if (std::holds_alternative<Linear>(node.operation))
    result = linear_step(node, copies);
  else if (const auto* activation = std::get_if<Activation>(&node.operation))
    result = std::make_unique<ActivationStep>(node, *activation);
  else if (std::holds_alternative<Sum>(node.operation))
    result = std::make_unique<SumStep>(node);
  else
    result = std::make_unique<LayerStep>(node, graph);
  result->where = node.step->where;
  return result;
}

}  // namespace h5bridge::plan
