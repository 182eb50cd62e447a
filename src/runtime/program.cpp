#include "runtime/program.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "passes/bind_symbols.h"
#include "passes/branches.h"
#include "runner/runner.h"
#include "runtime/open_layer.h"
#include "runtime/torch_error.h"

namespace h5bridge {

Program::Program(const Architecture& architecture, const Instances& instances) {
  std::map<std::string_view, const Instances::value_type*> instance_of;
  for (const auto& instance : instances) instance_of.emplace(instance.first->name, &instance);

  // Every value that somebody uses gets a slot; the inputs have the first ones.
  std::map<Value, Slot> slots;
  for (const Input& input : architecture.inputs) {
    slots.emplace(Value{input.name}, slot_count_++);
    input_shapes_.push_back(input.shape);
  }
  std::map<std::string, std::set<std::int64_t>> used;
  for (const Node& node : architecture.nodes)
    for (const Value& value : node.values()) used[value.node].insert(value.output);
  for (const Output& output : architecture.outputs) used[output.value.node].insert(output.value.output);

  const auto slot_of = [&](const Value& value, const std::string& where) {
    if (const auto found = slots.find(value); found != slots.end()) return found->second;
    throw MalformedFile(where + " uses output " + std::to_string(value.output) + " of \"" + value.node +
                        "\", which is not made before");
  };

  const Branches branches(architecture);
  std::map<Slot, std::size_t> last_step;
  for (const Node& node : architecture.nodes) {
    const auto& [layer, instance] = *instance_of.at(node.layer);
    const std::string where = "node \"" + node.name + "\" (" + layer->type + ")";
    Step step{.node = node.name,
              .where = where,
              .forward = instance.forward,
              .layer = layer,
              .module = instance.module.get(),
              .attributes = node.attributes,
              .is_open = !open_integers(Registry::instance().type_of(*layer), node.attributes).empty()};
    const PlainCall call = plain_call(*layer, node);
    for (const Value& value : call.inputs) step.inputs.push_back(slot_of(value, where));
    for (const auto& [name, value] : call.named) step.named_inputs.emplace_back(name, slot_of(value, where));
    for (const Value& value : node.values()) last_step[slot_of(value, where)] = steps_.size();
    for (const Branch& branch : branches.around(steps_.size()))
      step.only_where.emplace_back(slot_of(branch.predicate, where), branch.when);
    for (const std::int64_t output : used[node.name]) {
      if (output < 0) throw MalformedFile(step.where + " has no output " + std::to_string(output));
      step.outputs.push_back({static_cast<std::size_t>(output), slot_count_});
      slots.emplace(Value{node.name, output}, slot_count_++);
    }
    steps_.push_back(std::move(step));
  }

  for (const Output& output : architecture.outputs) {
    outputs_.push_back(slot_of(output.value, "an output"));
    last_step.erase(outputs_.back());
  }
  for (const auto& [slot, step] : last_step) steps_[step].last_used.push_back(slot);
}

// Shapes and types of the inputs have been checked, so that it is for their values or open sizes if a layer refuses
// them.
TorchValues Program::computed(const Step& step, TorchCall& call) {
  try {
    return torch_call(step.where, [&] {
      call.attributes = step.is_open ? settings_in_call(*step.layer, step.attributes, call.symbols) : step.attributes;
      return step.forward(call);
    });
  } catch (const UsageError& error) {
    throw RefusedInputs(error.what());
  }
}

Symbols Program::symbols_of(const TorchValues& inputs) const {
  Symbols result;
  for (std::size_t i = 0; i < inputs.size(); ++i) bind_symbols(input_shapes_[i], inputs[i].sizes(), result);
  return result;
}

bool Program::has_branches() const {
  return std::ranges::any_of(steps_, [](const Step& step) { return !step.only_where.empty(); });
}

TorchValues Program::run(TorchValues inputs, const Observer& observer) const {
  TorchCall call;
  if (!inputs.empty()) call.device = inputs[0].device();
  call.symbols = symbols_of(inputs);
  TorchValues values = std::move(inputs);
  values.resize(slot_count_);
  std::map<Slot, bool> decided;
  const auto is_so = [&](const Step& step, const std::pair<Slot, bool>& condition) {
    const auto found = decided.find(condition.first);
    if (found != decided.end()) return found->second == condition.second;
    const bool is = torch_call(step.where, [&] { return values[condition.first].is_nonzero(); });
    decided.emplace(condition.first, is);
    return is == condition.second;
  };
  for (const Step& step : steps_) {
    if (!std::ranges::all_of(step.only_where, [&](const auto& condition) { return is_so(step, condition); })) continue;
    call.inputs.clear();
    for (const Slot slot : step.inputs) call.inputs.push_back(values[slot]);
    call.named.clear();
    for (const auto& [name, slot] : step.named_inputs) call.named.emplace(name, values[slot]);
    for (const Slot slot : step.last_used) values[slot].reset();
    const TorchValues made = computed(step, call);
    for (const auto& [output, slot] : step.outputs) {
      if (output >= made.size()) throw MalformedFile(step.where + " has no output " + std::to_string(output));
      values[slot] = made[output];
    }
    if (observer) observer(step.node, made);
  }
  TorchValues results;
  for (const Slot slot : outputs_) results.push_back(values[slot]);
  return results;
}

}  // namespace h5bridge
