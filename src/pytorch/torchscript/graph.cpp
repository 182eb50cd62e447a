#include "pytorch/torchscript/graph.h"

#include <algorithm>
#include <array>
#include <set>

#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"
#include "pytorch/exported_program/layers.h"
#include "pytorch/exported_program/registered.h"
#include "pytorch/torchscript/interpreter.h"

namespace h5bridge {
namespace script {
namespace {

using aten::ScriptBlock;
using aten::ScriptNode;
using Sizes = std::map<std::string, std::int64_t>;
using Shapes = std::map<std::string, Shape>;  // of inputs, by name

constexpr std::size_t kMostAxes = 5;
constexpr std::size_t kMostInputs = 3;  // whose shapes are searched for

/// An operator that takes a tensor of the module's own, and the axes of that one.
struct FirstWeight {
  std::string kind;
  std::size_t axes = 0;
};

/// Finds, of each input of a forward, the first operator with a weight that takes what is made of that input alone.
class FirstWeights {
 public:
  FirstWeights(const ScriptBlock& forward, const std::map<std::string, const Tensor*>& own) : own_(own) {
    Known known;
    for (std::size_t i = 0; i < forward.inputs.size(); ++i) known.makers[forward.inputs[i]] = {i};
    follow(forward, known);
  }

  const FirstWeight* of(std::size_t input) const {
    const auto found = found_.find(input);
    return found == found_.end() ? nullptr : &found->second;
  }

 private:
  /// Of the values that a block has, or reads of the blocks around it.
  struct Known {
    std::map<std::size_t, std::size_t> weights;           // the axes of a tensor of the module's own
    std::map<std::size_t, std::set<std::size_t>> makers;  // the inputs that a value is made of
  };

  void follow(const ScriptBlock& block, Known& known) {
    for (const ScriptNode& node : block.nodes) {
      if (node.kind == "tensors") known.weights[node.outputs.at(0)] = 1;
      if (node.kind == "tensor")
        if (const auto found = own_.find(node.text); found != own_.end() && found->second->rank() > 0)
          known.weights[node.outputs.at(0)] = static_cast<std::size_t>(found->second->rank());
      note(node, known);
      std::set<std::size_t> makers = makers_of(node.inputs, known);
      for (const ScriptBlock& inner : node.blocks) makers.merge(makers_within(node, inner, known));
      for (const std::size_t output : node.outputs) known.makers[output] = makers;
    }
  }

  // Of what the block gives. The body of a call knows what the call takes, in order; other blocks what is around them.
  std::set<std::size_t> makers_within(const ScriptNode& node, const ScriptBlock& inner, const Known& known) {
    Known within;
    if (node.kind != "call") within = known;
    for (std::size_t i = 0; i < std::min(node.inputs.size(), inner.inputs.size()); ++i) {
      if (const auto found = known.weights.find(node.inputs[i]); found != known.weights.end())
        within.weights[inner.inputs[i]] = found->second;
      if (const auto found = known.makers.find(node.inputs[i]); found != known.makers.end())
        within.makers[inner.inputs[i]] = found->second;
    }
    follow(inner, within);
    return makers_of(inner.outputs, within);
  }

  void note(const ScriptNode& node, const Known& known) {
    constexpr std::string_view kAten = "aten::";
    const aten::Row* row =
        node.kind.starts_with(kAten) ? aten::find_row(std::string_view(node.kind).substr(kAten.size())) : nullptr;
    if (!row || row->parameters.empty()) return;
    const auto is_weight = [&](std::size_t input) { return known.weights.contains(input); };
    const auto weight = std::ranges::find_if(node.inputs, is_weight);
    const std::set<std::size_t> makers = makers_of(node.inputs, known);
    if (weight != node.inputs.end() && makers.size() == 1)
      found_.try_emplace(*makers.begin(), node.kind, known.weights.at(*weight));
  }

  static std::set<std::size_t> makers_of(const std::vector<std::size_t>& values, const Known& known) {
    std::set<std::size_t> result;
    for (const std::size_t value : values)
      if (const auto found = known.makers.find(value); found != known.makers.end())
        result.insert(found->second.begin(), found->second.end());
    return result;
  }

  const std::map<std::string, const Tensor*>& own_;
  std::map<std::size_t, FirstWeight> found_;  // by input
};

/// How many axes an input may have, the likeliest number first.
std::vector<std::size_t> ranks_for(const FirstWeight* first) {
  if (first && first->kind.find("conv") != std::string::npos) return {first->axes};
  if (first && (first->kind == "aten::lstm" || first->kind == "aten::gru")) return {3, 2};
  return {2, 3, 4, 5, 1};
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
std::vector<std::vector<Input>> candidates(const aten::ScriptGraph& script, const Pt2Model& state,
                                           const Shapes& shapes) {
  std::map<std::string, const Tensor*> own;
  std::set<std::string> names;
  for (const auto* tensors : {&state.weights, &state.constants})
    for (const Pt2Tensor& tensor : *tensors) {
      own.emplace(tensor.name, &tensor.tensor);
      names.insert(tensor.name);
    }
  const std::size_t count = script.forward.inputs.size();
  if (count == 0) throw Unsupported("its forward takes no tensor");
  const FirstWeights first(script.forward, own);
  std::vector<Input> inputs;
  std::vector<std::vector<std::size_t>> ranks;
  for (std::size_t i = 0; i < count; ++i) {
    std::string name = i < script.input_names.size() ? script.input_names[i] : "input";
    name = name.substr(0, name.find('.'));
    if (name.empty()) name = "input";
    while (!names.insert(name).second) name += "_in";
    const bool is_index = first.of(i) && first.of(i)->kind.starts_with("aten::embedding");
    inputs.push_back({name, {}, is_index ? DType::Int64 : DType::Float32});
    const auto stated = shapes.find(name);
    ranks.push_back(stated == shapes.end() ? ranks_for(first.of(i)) : std::vector{stated->second.size()});
  }
  std::vector<std::vector<Input>> result;
  // As far as they are searched for; those behind are as the last of these.
  std::vector<std::size_t> places(std::min(count, kMostInputs), 0);
  for (bool more = true; more;) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = i < places.size() ? places[i] : std::min(places.back(), ranks[i].size() - 1);
      inputs[i].shape = open_shape(ranks[i][place], i);
    }
    result.push_back(inputs);
    more = false;
    for (std::size_t i = 0; i < places.size() && !more; ++i) {
      more = ++places[i] < ranks[i].size();
      if (!more) places[i] = 0;
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

/// Throws UsageError for a size that no open size of any candidate is called.
void check_names(const Sizes& sizes, const std::vector<std::vector<Input>>& all) {
  std::set<std::string> known;
  for (const std::vector<Input>& inputs : all)
    for (const Input& input : inputs)
      for (const Size& size : input.shape)
        for (const std::string& symbol : size.symbols()) known.insert(symbol);
  const std::vector<std::string> names(known.begin(), known.end());
  for (const auto& [name, size] : sizes)
    if (!known.contains(name))
      throw UsageError("no size is called \"" + name + "\"; what may be open is called: " + joined(names) +
                       did_you_mean(name, names));
}

std::string described(const std::vector<Input>& inputs) {
  std::string result;
  for (const Input& input : inputs) result += (result.empty() ? "" : ", ") + input.name + " " + to_string(input.shape);
  return result;
}

/// Throws UsageError for a shape of no input, or of more axes than any has.
void check_shapes(const Shapes& shapes, const aten::ScriptGraph& script) {
  std::vector<std::string> names;
  for (const std::string& name : script.input_names) names.push_back(name.substr(0, name.find('.')));
  for (const auto& [name, shape] : shapes) {
    if (std::ranges::count(names, name) == 0)
      throw UsageError("no input is called \"" + name + "\"; the inputs are: " + joined(names) +
                       did_you_mean(name, names));
    if (shape.empty() || shape.size() > kMostAxes)
      throw UsageError("the shape of the input \"" + name + "\" has " + std::to_string(shape.size()) +
                       " axes, expected 1 to " + std::to_string(kMostAxes));
  }
}

/// With the sizes that are stated, where any is: but for the batch, or all.
std::vector<Input> as_stated(std::vector<Input> inputs, const Shapes& shapes, bool with_batch) {
  for (Input& input : inputs)
    if (const auto stated = shapes.find(input.name); stated != shapes.end())
      for (std::size_t axis = with_batch ? 0 : 1; axis < input.shape.size(); ++axis)
        input.shape[axis] = stated->second[axis];
  return inputs;
}

std::vector<std::vector<Input>> all_candidates(const aten::ScriptGraph& script, const Pt2Model& state,
                                               const Shapes& shapes) {
  std::vector<std::vector<Input>> all = candidates(script, state, shapes);
  const std::size_t open = all.size();
  for (const bool with_batch : {false, true})
    for (std::size_t i = 0; i < open && !shapes.empty(); ++i) all.push_back(as_stated(all[i], shapes, with_batch));
  return all;
}

void check_stated(const std::vector<Input>& inputs, const Shapes& shapes) {
  for (const Input& input : inputs)
    if (const auto stated = shapes.find(input.name); stated != shapes.end())
      for (std::size_t axis = 0; axis < input.shape.size(); ++axis)
        if (const auto number = input.shape[axis].value(); number && *number != stated->second[axis])
          throw UsageError("the input \"" + input.name + "\" has shape " + to_string(input.shape) +
                           ", which does not go with " + to_string(stated->second));
}

Passage passed(const aten::ScriptGraph& script, const Pt2Model& state, const Sizes& sizes, const Shapes& shapes) {
  check_shapes(shapes, script);
  const std::vector<std::vector<Input>> all = all_candidates(script, state, shapes);
  check_names(sizes, all);
  std::optional<Passage> furthest;
  for (const std::vector<Input>& inputs : all) {
    Passage passage = fitted(script, state, inputs, sizes);
    if (passage.problem.empty()) {
      check_stated(passage.inputs, shapes);
      return passage;
    }
    if (!furthest || passage.steps > furthest->steps) furthest = std::move(passage);
  }
  throw Unsupported(furthest->problem + " (an archive does not say what its inputs are; tried was " +
                    described(bound(furthest->inputs, sizes)) +
                    "; LoadOptions::input_shapes says it, and LoadOptions::fix_sizes binds open sizes)");
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
                                const std::map<std::string, std::int64_t>& sizes,
                                const std::map<std::string, Shape>& shapes) {
  Pt2Model state = script::state_of(model, graph);
  script::Passage passage = script::passed(graph, state, sizes, shapes);
  for (const auto& [constant, name] : passage.named) {
    const auto found = std::ranges::find(state.constants, constant, &Pt2Tensor::name);
    const bool is_parameter = !name.ends_with("running_mean") && !name.ends_with("running_var");
    state.weights.push_back({name, constant, found->tensor, is_parameter, is_parameter});
    model.weights.add(name, found->tensor);
    if (is_parameter) model.trainable.emplace(name, true);
  }
  for (const auto& [name, trainable] : graph.parameters)
    if (model.weights.find(name)) model.trainable.emplace(name, trainable);
  fold_constants(passage.graph, state);
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
