#include "runtime/plan/graph.h"

#include <algorithm>

#include "facets/libtorch/registry.h"

namespace h5bridge::plan {
namespace {

// How many axes the operation's input may have; 0: any number.
std::size_t rank_of(const Operation& operation) {
  if (const auto* convolution = std::get_if<Convolution>(&operation)) return convolution->stride.size() + 2;
  if (const auto* padding = std::get_if<ZeroPadding>(&operation)) return padding->margins.size() + 2;
  return 0;
}

bool is_float(const Seen& value) { return value.is_plain && value.type == torch::kFloat; }

Operation operation_in(const Program::Step& step, const Graph& graph) {
  const auto is_seen = [&](Slot slot) { return is_float(graph.values[slot]); };
  const bool is_plain_call = step.attributes.empty() && step.named_inputs.empty() && !step.inputs.empty() &&
                             std::ranges::all_of(step.inputs, is_seen);
  if (!is_plain_call) return Opaque{};
  for (const Program::Made& made : step.outputs)
    if (!is_seen(made.slot)) return Opaque{};
  Operation operation = operation_of(*step.layer, step.module);
  if (std::holds_alternative<Prepared>(operation)) return operation;
  const bool is_sum = std::holds_alternative<Sum>(operation);
  const bool has_one_output = step.outputs.size() == 1 && step.outputs[0].output == 0;
  if (!has_one_output || step.inputs.size() != (is_sum ? 2U : 1U)) return Opaque{};
  const std::size_t rank = rank_of(operation);
  return rank == 0 || graph.values[step.inputs[0]].sizes.size() == rank ? operation : Opaque{};
}

// An activation that is a setting of the layer is one that was joined.
void take_activation(Node& node, Afterwards& afterwards) {
  node.activation = std::exchange(afterwards.activation, std::nullopt);
}

}  // namespace

std::vector<std::size_t> Graph::uses() const {
  std::vector<std::size_t> result(values.size());
  for (const Node& node : nodes) {
    for (const Slot slot : node.inputs) ++result[slot];
    for (const auto& [name, slot] : node.named_inputs) ++result[slot];
    if (node.addend) ++result[*node.addend];
  }
  for (const Slot slot : outputs) ++result[slot];
  return result;
}

std::vector<std::size_t> Graph::makers() const {
  std::vector<std::size_t> result(values.size(), nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (const Program::Made& made : nodes[i].outputs) result[made.slot] = i;
  return result;
}

Graph graph_of(const Program& program, const std::vector<Seen>& values) {
  Graph result{.nodes = {}, .outputs = program.outputs(), .values = values};
  for (const Program::Step& step : program.steps()) {
    Node node{.step = &step,
              .operation = operation_in(step, result),
              .inputs = step.inputs,
              .named_inputs = step.named_inputs,
              .outputs = step.outputs};
    if (auto* convolution = std::get_if<Convolution>(&node.operation)) take_activation(node, convolution->afterwards);
    if (auto* linear = std::get_if<Linear>(&node.operation)) take_activation(node, linear->afterwards);
    result.nodes.push_back(std::move(node));
  }
  return result;
}

}  // namespace h5bridge::plan
