#include "pytorch/script_graph.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "passes/infer_shapes.h"
#include "pytorch/exported_layers.h"
#include "pytorch/exported_registered.h"
#include "pytorch/script_interpreter.h"

namespace h5bridge {
namespace script {
namespace {

using aten::ScriptBlock;
using aten::ScriptNode;
using Sizes = std::map<std::string, std::int64_t>;

constexpr std::size_t kMostAxes = 5;
constexpr std::size_t kMostInputs = 3;  // whose shapes are searched for

/// The first operator that takes a tensor of the module's own, and the axes of that one.
struct FirstWeight {
  std::string kind;
  std::size_t axes = 0;
};

std::optional<FirstWeight> first_weight(const ScriptBlock& block, const std::map<std::string, const Tensor*>& own,
                                        std::map<std::size_t, std::size_t>& weights) {
  for (const ScriptNode& node : block.nodes) {
    if (node.kind == "tensors") weights[node.outputs.at(0)] = 1;
    if (node.kind == "tensor")
      if (const auto found = own.find(node.text); found != own.end() && found->second->rank() > 0)
        weights[node.outputs.at(0)] = static_cast<std::size_t>(found->second->rank());
    constexpr std::string_view kAten = "aten::";
    const aten::Row* row =
        node.kind.starts_with(kAten) ? aten::find_row(std::string_view(node.kind).substr(kAten.size())) : nullptr;
    if (row && !row->parameters.empty())
      for (const std::size_t input : node.inputs)
        if (const auto found = weights.find(input); found != weights.end())
          return FirstWeight{node.kind, found->second};
    if (node.kind == "call")
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        if (const auto found = weights.find(node.inputs[i]); found != weights.end())
          weights[node.blocks.at(0).inputs.at(i)] = found->second;
    for (const ScriptBlock& inner : node.blocks)
      if (auto found = first_weight(inner, own, weights)) return found;
  }
  return std::nullopt;
}

/// How open sizes are called, by the number of axes; as the exporter calls them.
SymbolicShape open_shape(std::size_t rank, std::size_t input) {
  static const std::array<std::vector<const char*>, kMostAxes + 1> names{
      {{},
       {"batch"},
       {"batch", "length"},
       {"batch", "length", "length_1"},
       {"batch", "channels", "height", "width"},
       {"batch", "channels", "depth", "height", "width"}}};
  SymbolicShape shape;
  for (const std::string name : names.at(rank))
    shape.push_back(Size::symbol(name == "batch" || input == 0 ? name : name + "_in_" + std::to_string(input)));
  return shape;
}

/// What the inputs may be, the likeliest first.
std::vector<std::vector<Input>> candidates(const aten::ScriptGraph& script, const Pt2Model& state) {
  std::map<std::string, const Tensor*> own;
  for (const auto* tensors : {&state.weights, &state.constants})
    for (const Pt2Tensor& tensor : *tensors) own.emplace(tensor.name, &tensor.tensor);
  std::map<std::size_t, std::size_t> weights;
  const auto first = first_weight(script.forward, own, weights);
  const bool is_index = first && first->kind.starts_with("aten::embedding");
  std::vector<std::size_t> ranks{2, 3, 4, 5, 1};
  if (first && first->kind.find("conv") != std::string::npos) ranks = {first->axes};
  if (first && (first->kind == "aten::lstm" || first->kind == "aten::gru")) ranks = {3, 2};
  std::vector<std::vector<Input>> result;
  const std::size_t count = script.forward.inputs.size();
  if (count == 0) throw Unsupported("its forward takes no tensor");
  std::vector<std::size_t> places(std::min(count, kMostInputs), 0);
  for (bool more = true; more;) {
    std::vector<Input> inputs;
    std::set<std::string> names;
    for (const auto& [tensor, known] : own) names.insert(tensor);
    for (std::size_t i = 0; i < count; ++i) {
      std::string name = i < script.input_names.size() ? script.input_names[i] : "input";
      name = name.substr(0, name.find('.'));
      if (name.empty()) name = "input";
      while (!names.insert(name).second) name += "_in";
      const std::size_t rank = ranks[places[std::min(i, places.size() - 1)]];
      inputs.push_back({name, open_shape(rank, i), is_index ? DType::Int64 : DType::Float32});
    }
    result.push_back(std::move(inputs));
    more = false;
    for (std::size_t& place : places) {
      more = ++place < ranks.size();
      if (more) break;
      place = 0;
    }
  }
  return result;
}

std::vector<Input> bound(std::vector<Input> inputs, const Sizes& sizes) {
  for (Input& input : inputs)
    for (Size& size : input.shape) size = size.bind(sizes);
  return inputs;
}

/// The inputs with axes bound to numbers that the operators where it stops have.
Passage fitted(const aten::ScriptGraph& script, const Pt2Model& state, std::vector<Input> inputs, const Sizes& sizes) {
  Passage passage = follow(script, state, bound(inputs, sizes));
  while (!passage.problem.empty()) {
    std::optional<Passage> better;
    for (std::size_t i = 0; i < inputs.size() && !better; ++i)
      for (std::size_t axis = inputs[i].shape.size(); axis-- > 0 && !better;) {
        const std::vector<std::string> symbols = inputs[i].shape[axis].symbols();
        if (symbols.empty() || symbols[0] == "batch" || sizes.contains(symbols[0])) continue;
        for (const std::int64_t number : passage.numbers) {
          std::vector<Input> tried = bound(inputs, {{symbols[0], number}});
          Passage found = follow(script, state, bound(tried, sizes));
          if (!found.problem.empty() && found.steps <= passage.steps) continue;
          better = std::move(found);
          inputs = std::move(tried);
          break;
        }
      }
    if (!better) break;
    passage = *std::move(better);
  }
  passage.inputs = std::move(inputs);
  return passage;
}

Passage passed(const aten::ScriptGraph& script, const Pt2Model& state, const Sizes& sizes) {
  std::optional<Passage> furthest;
  for (const std::vector<Input>& inputs : candidates(script, state)) {
    Passage passage = fitted(script, state, inputs, sizes);
    if (passage.problem.empty()) return passage;
    if (!furthest || passage.steps > furthest->steps) furthest = std::move(passage);
  }
  throw Unsupported(furthest->problem +
                    " (an archive does not say what its inputs are; LoadOptions::fix_sizes binds open sizes)");
}

Pt2Model state_of(const Model& model, const aten::ScriptGraph& graph) {
  Pt2Model state;
  std::vector<std::pair<const ByteSource*, std::int64_t>> storages;
  for (const NamedTensor& named : model.weights) {
    const std::pair bytes(named.tensor.source().get(), named.tensor.offset());
    auto found = std::ranges::find(storages, bytes);
    if (found == storages.end()) found = storages.insert(storages.end(), bytes);
    const auto trainable = graph.parameters.find(named.name);
    const bool is_parameter = trainable != graph.parameters.end();
    state.weights.push_back({named.name, std::to_string(found - storages.begin()), named.tensor, is_parameter,
                             is_parameter && trainable->second});
  }
  for (const NamedTensor& constant : graph.constants)
    state.constants.push_back({constant.name, constant.name, constant.tensor, true, true});
  return state;
}

}  // namespace
}  // namespace script

void add_architecture_of_script(Model& model, const aten::ScriptGraph& graph,
                                const std::map<std::string, std::int64_t>& sizes) {
  Pt2Model state = script::state_of(model, graph);
  const script::Passage passage = script::passed(graph, state, sizes);
  for (const auto& [constant, name] : passage.named) {
    const auto found = std::ranges::find(state.constants, constant, &Pt2Tensor::name);
    const bool is_parameter = !name.ends_with("running_mean") && !name.ends_with("running_var");
    state.weights.push_back({name, constant, found->tensor, is_parameter, is_parameter});
    model.weights.add(name, found->tensor);
    if (is_parameter) model.trainable.emplace(name, true);
  }
  for (const auto& [name, trainable] : graph.parameters)
    if (model.weights.find(name)) model.trainable.emplace(name, trainable);
  Architecture architecture = architecture_of_graph(passage.graph, state);
  join_registered_twice(architecture, state.weights);
  add_registered(architecture, state.weights);
  architecture = checked(std::move(architecture));
  // What is bound stays called as it was, for those who bind it.
  for (std::size_t i = 0; i < architecture.inputs.size(); ++i)
    architecture.inputs[i].shape = passage.inputs.at(i).shape;
  model.architecture = std::move(architecture);
}

}  // namespace h5bridge
