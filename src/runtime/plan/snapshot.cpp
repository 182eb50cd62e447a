#include "runtime/plan/snapshot.h"

#include <algorithm>
#include <set>

#include "runner/runner.h"
#include "runtime/plan/fuse.h"
#include "runtime/torch_error.h"

namespace h5bridge::plan {
namespace {

constexpr std::size_t kKnownSizes = 8;

// What is made has memory as usual, whatever the caller's mode.
struct Building {
  c10::InferenceMode as_usual{false};
  torch::NoGradGuard no_grad;
};

// Sizes and types have been checked, as those of a program have been.
void compute(const Step& step, Frame& frame) {
  try {
    torch_call(step.where, [&] { step.run(frame); });
  } catch (const UsageError& error) {
    throw RefusedInputs(error.what());
  }
}

}  // namespace

Snapshot::Snapshot(const Module::Implementation& of, const std::vector<Seen>& values) {
  const Building building;
  source_ = of.alias();
  Graph graph = graph_of(source_->program, values);
  fuse(graph);
  Copies copies;
  for (const Node& node : graph.nodes) steps_.push_back(make_step(node, graph, copies));
  free_after_last_use(graph);
  keep_weights(graph, copies);
  outputs_ = graph.outputs;
}

TorchValues Snapshot::run(const TorchValues& inputs) {
  Frame frame;
  frame.call.symbols = symbols_for(inputs);
  frame.values = source_->kept(inputs);
  if (!inputs.empty()) frame.call.device = inputs[0].device();
  frame.values.resize(source_->program.slot_count());
  for (const auto& step : steps_) {
    compute(*step, frame);
    for (const Slot slot : step->last_used) frame.values[slot].reset();
  }
  TorchValues outputs;
  for (const Slot slot : outputs_) outputs.push_back(frame.values[slot]);
  outputs = source_->presented(std::move(outputs));
  for (torch::Tensor& output : outputs) output = output.contiguous();  // whose channels may be last in memory
  return outputs;
}

void Snapshot::free_after_last_use(const Graph& graph) {
  std::vector<std::size_t> last(graph.values.size(), graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const Slot slot : graph.nodes[i].inputs) last[slot] = i;
    for (const auto& [name, slot] : graph.nodes[i].named_inputs) last[slot] = i;
    if (graph.nodes[i].addend) last[*graph.nodes[i].addend] = i;
  }
  for (const Slot slot : graph.outputs) last[slot] = graph.nodes.size();
  for (Slot slot = 0; slot < last.size(); ++slot)
    if (last[slot] < graph.nodes.size()) steps_[last[slot]]->last_used.push_back(slot);
}

// Of the layers that are called, copies; of all others, nothing.
void Snapshot::keep_weights(const Graph& graph, Copies& copies) const {
  std::set<const torch::nn::Module*> called;
  for (const Node& node : graph.nodes)
    if (calls_layer(node)) called.insert(node.step->module);
  for (const auto& [layer, instance] : source_->instances) {
    if (!instance.module) continue;
    instance.module->eval();
    const bool is_called = called.contains(instance.module.get());
    for (const auto& tensors : {instance.module->parameters(), instance.module->buffers()})
      for (const torch::Tensor& tensor : tensors)
        tensor.set_data(is_called ? copies.of(tensor) : torch::empty({0}, tensor.options()));
  }
}

Symbols Snapshot::symbols_for(const TorchValues& inputs) {
  const std::lock_guard lock(guard_);
  for (auto known = known_sizes_.begin(); known != known_sizes_.end(); ++known)
    if (std::ranges::equal(inputs, known->sizes, [](const torch::Tensor& input, const auto& sizes) {
          return input.sizes() == at::IntArrayRef(sizes);
        })) {
      known_sizes_.splice(known_sizes_.begin(), known_sizes_, known);
      return known->symbols;
    }
  source_->check(inputs);
  KnownSizes found{{}, source_->program.symbols_of(source_->kept(inputs))};
  for (const torch::Tensor& input : inputs) found.sizes.push_back(input.sizes().vec());
  known_sizes_.push_front(found);
  if (known_sizes_.size() > kKnownSizes) known_sizes_.pop_back();
  return found.symbols;
}

}  // namespace h5bridge::plan
