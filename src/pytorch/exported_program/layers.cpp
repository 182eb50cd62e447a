#include "pytorch/exported_program/layers.h"

#include <algorithm>
#include <map>
#include <set>

#include "facets/aten/folding.h"
#include "facets/aten/write_back.h"
#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/memory_order.h"
#include "model/quoted.h"
#include "model/unique_names.h"
#include "passes/infer_shapes.h"
#include "pytorch/exported_program/call.h"
#include "pytorch/exported_program/memory.h"

namespace h5bridge {
namespace {

using aten::Given;
using aten::Names;
using aten::Operation;

std::string place_of(const Operation& operation) {
  std::string result = "operator " + shortened(operation.target);
  if (!operation.modules.empty() && !operation.modules.back().path.empty()) {
    const aten::ModuleCall& module = operation.modules.back();
    result += " in " + shortened(module.path) + " (" + shortened(module.type.substr(module.type.rfind('.') + 1)) + ")";
  }
  return result;
}

std::string class_of(const aten::ModuleCall& module) {
  constexpr std::string_view torchs = "torch.nn.modules.";
  return module.type.starts_with(torchs) ? module.type.substr(module.type.rfind('.') + 1) : "";
}

std::string in_lower_case(std::string text) {
  for (char& letter : text) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return text;
}

bool is_assertion(const Operation& operation) {
  const std::string_view name = operation.plain_name();
  return operation.outputs.empty() && (name.starts_with("_assert") || name.starts_with("sym_constrain_range"));
}

void note_known_tensors(aten::Graph& graph, const ExportedState& state) {
  for (const aten::OwnTensor& own : graph.own) {
    const Pt2Tensor& tensor = *state.own(own.name);
    if (!own.in_state)
      graph.constants.emplace(own.name, tensor.tensor);
    else if (!tensor.is_parameter)
      graph.buffers.emplace(own.name, tensor.tensor);
  }
}

// How a tensor that is a view was made, and of what.
struct View {
  const Operation* operation;  // never null
  std::string base;
};

class LayerMaker {
 public:
  LayerMaker(const aten::Graph& graph, const Pt2Model& model) : graph_(graph), state_(graph, model) {
    taken_.insert(graph.modules.begin(), graph.modules.end());
    for (const Pt2Tensor& tensor : model.weights) taken_.insert(tensor.name);
  }

  Architecture make() {
    result_.name = graph_.module;
    if (graph_.inputs.empty()) throw Unsupported("its forward takes no tensor");
    for (const std::string& name : graph_.inputs) add_input(name);
    for (std::size_t i = 0; i < graph_.operations.size();) {
      const std::size_t behind = add_module(i);
      if (behind == i && !graph_.folded.contains(i)) add_or_note(graph_.operations[i]);
      i = std::max(behind, i + 1);
    }
    for (const aten::GraphOutput& output : graph_.outputs) add_output(output);
    if (!problems_.empty()) throw Unsupported(joined(problems_, "; "));
    if (result_.outputs.empty()) throw Unsupported("its forward returns no tensor");
    drop_unused();
    return std::move(result_);
  }

 private:
  void add_input(const std::string& name) {
    const auto& type = graph_.values.at(name);
    if (!type.dtype) throw Unsupported("input \"" + shortened(name) + "\" has a dtype that is not known here");
    if (!type.shape) throw Unsupported("input \"" + shortened(name) + "\" has a size that no architecture can say");
    result_.inputs.push_back({name, *type.shape, *type.dtype});
    taken_.insert(name);
    values_[name] = Value{name, 0};
  }

  void add_output(const aten::GraphOutput& output) {
    try {
      if (const auto value = value_of(output.name)) result_.outputs.push_back({output.key, *value});
    } catch (const Error& error) {
      note_problem("the result \"" + shortened(output.name) + "\": " + error.what());
    }
  }

  void note_problem(const std::string& problem) {
    if (std::ranges::find(problems_, problem) == problems_.end()) problems_.push_back(problem);
  }

  // What cannot be said is told with all others; what hangs on it is not told again.
  void add_or_note(const Operation& operation) {
    try {
      add(operation);
    } catch (const Unsupported& error) {
      note_problem(place_of(operation) + ": " + error.what());
      forget_outputs(operation);
    } catch (const MalformedFile& error) {
      rethrow_in_file(error, place_of(operation));
    }
  }

  // Operations from one on that are a module's call as a whole; gives the first behind them, or `begin` where they are
  // not.
  std::size_t add_module(std::size_t begin) {
    const std::vector<aten::ModuleCall>& modules = graph_.operations[begin].modules;
    for (std::size_t depth = 0; depth < modules.size(); ++depth) {
      const aten::Row* row = modules[depth].path.empty() ? nullptr : aten::find_module_row(class_of(modules[depth]));
      if (!row || !aten::is_first_of_module(graph_, begin, depth)) continue;
      const aten::ModuleGroup group(graph_, begin, depth);
      try {
        if (const auto form = row->whole(group); form && add_whole(group, *form)) return group.end();
      } catch (const Unsupported&) {  // its operations may be sayable all the same
      }
    }
    return begin;
  }

  bool add_whole(const aten::ModuleGroup& group, const aten::ModuleForm& form) {
    for (const std::string& result : group.results())
      if (std::ranges::find(form.outputs, result) == form.outputs.end()) return false;
    for (const Operation* operation : group.operations())
      if (aten::is_in_place(operation->plain_name()) && !changes_what_it_made(group, *operation)) return false;
    const LayerType& type = *Registry::instance().find(form.type);
    const Attributes settings = settings_of_type(type, form.attributes);
    if (!holds_parameters(state_, type, settings, group.path())) return false;
    for (const auto& [name, tensor] : form.constants)
      if (!values_.contains(name)) values_[name] = constant(tensor);
    for (const Given& given : form.operands)
      if (!value_of(*given.tensors.at(0))) return false;
    const Layer layer = layer_of_module({group.path(), form.type, settings, {}});
    const Value value = add_node(layer, node_name_, arguments_of(type, form.attributes, form.operands));
    for (std::size_t i = 0; i < form.outputs.size(); ++i)
      if (form.outputs[i]) values_[*form.outputs[i]] = Value{value.node, static_cast<std::int64_t>(i)};
    return true;
  }

  static bool changes_what_it_made(const aten::ModuleGroup& group, const Operation& operation) {
    const std::string* target = aten::tensor_of(operation, "self");
    const Operation* maker = target ? group.maker_of(*target) : nullptr;
    return maker && maker->plain_name() == "zeros_like";
  }

  void forget_outputs(const Operation& operation) {
    for (const auto& name : operation.outputs)
      if (name) values_[*name] = std::nullopt;
  }

  void add(const Operation& operation) {
    if (operation.takes_values) throw Unsupported("makes the graph depend on a tensor's values");
    if (operation.gives_sizes) return;
    const aten::Row* row = aten::find_row(operation.plain_name());
    if (!row && is_assertion(operation)) return;
    // What run_decompositions() makes of what a module changes while it is trained.
    if (!row && operation.plain_name().ends_with("_functional"))
      throw Unsupported("was exported in training mode; export module.eval()");
    if (!row) throw Unsupported("no layer is known that it is");
    const bool in_place = aten::is_in_place(operation.plain_name()) && !row->type.empty();
    if (in_place && changes_own(operation)) return;
    ExportedCall made = call_by_row(graph_, operation, *row, state_);
    for (const std::string& note : made.call.notes) add_note(operation, note);
    const std::vector<std::string> taken = tensors_of(made.call);
    if (!std::ranges::all_of(taken, [&](const auto& name) { return value_of(name).has_value(); }))
      return forget_outputs(operation);
    if (made.call.is_same_value)
      set_value(operation, 0, *value_of(taken.at(0)));
    else
      add_layer(operation, made);
    if (in_place)
      change_in_place(operation);
    else if (row->is_view && !taken.empty())
      note_views(operation, taken[0]);
  }

  // All that the call takes of the graph's.
  static std::vector<std::string> tensors_of(const aten::Call& call) {
    std::vector<std::string> result;
    std::set<std::string> steps;
    const auto add = [&](const std::vector<Given>& operands) {
      for (const Given& given : operands)
        for (const auto& name : given.tensors)
          if (name && !steps.contains(*name)) result.push_back(*name);
    };
    for (const aten::Step& step : call.before) {
      add(step.operands);
      steps.insert(step.result);
    }
    add(call.operands);
    return result;
  }

  void add_note(const Operation& operation, const std::string& note) {
    std::string line = place_of(operation) + ": " + note;
    if (std::ranges::find(result_.notes, line) == result_.notes.end()) result_.notes.push_back(std::move(line));
  }

  // A counter of batches, which evaluation leaves as it is.
  bool changes_own(const Operation& operation) {
    const auto* target =
        operation.arguments.empty() ? nullptr : std::get_if<std::string>(&operation.arguments[0].value);
    const Pt2Tensor* own = target ? state_.own(*target) : nullptr;
    if (!own) return false;
    if (!own->name.ends_with("num_batches_tracked"))
      throw Unsupported("changes the module's own tensor " + own->name + " in place");
    return true;
  }

  void change_in_place(const Operation& operation) {
    const auto* target = std::get_if<std::string>(&operation.arguments.at(0).value);
    if (!target || operation.outputs.empty() || !operation.outputs[0])
      throw Unsupported("changes a tensor in place that it does not give");
    const std::string& result = *operation.outputs[0];
    const std::vector<View> views = views_around(*target);
    memory_.change(*target, result);
    values_[*target] = values_[result];
    if (const auto view = views_.find(*target); result != *target && view != views_.end())
      views_.insert_or_assign(result, view->second);
    std::string changed = *target;
    for (const View& view : views) {
      const auto made = aten::written_back(graph_, *view.operation, view.base, changed);
      if (!made) return;
      memory_.renew(changed = view.base);  // what it held is still known, and part of what it holds now
      write_back(*made, view.base);
    }
  }

  void note_views(const Operation& operation, const std::string& base) {
    for (const auto& name : operation.outputs)
      if (name) memory_.share(*name, base);
    if (operation.outputs.size() == 1 && operation.outputs[0])
      views_.insert_or_assign(*operation.outputs[0], View{&operation, base});
  }

  // What a tensor is a view of, from the innermost on, as far as it is known what these hold.
  std::vector<View> views_around(std::string name) const {
    std::vector<View> result;
    for (auto view = views_.find(name); view != views_.end(); view = views_.find(name)) {
      name = view->second.base;
      if (state_.is_in_state(name))
        throw Unsupported("changes the module's own tensor " + state_.own(name)->name + " in place");
      if (memory_.is_stale(name)) break;
      result.push_back(view->second);
    }
    return result;
  }

  void write_back(const aten::Call& call, const std::string& base) {
    add_steps(call);
    if (call.is_same_value) {
      values_[base] = value_of(*call.operands.at(0).tensors.at(0));
      return;
    }
    const LayerType& type = *Registry::instance().find(call.type);
    const std::string name = unique(in_lower_case(call.type));
    values_[base] = add_node({name, type.name, settings_of_type(type, call.attributes), {}}, name,
                             arguments_of(type, call.attributes, call.operands));
  }

  void set_value(const Operation& operation, std::size_t output, Value value) {
    if (output < operation.outputs.size() && operation.outputs[output])
      values_[*operation.outputs[output]] = std::move(value);
  }

  // None where it is the result of what could not be said.
  std::optional<Value> value_of(const std::string& name) {
    if (memory_.is_stale(name))
      throw Unsupported("takes a tensor whose memory was changed in place through another tensor");
    if (const auto found = values_.find(name); found != values_.end()) return found->second;
    if (const auto known = graph_.elements.find(name); known != graph_.elements.end() && !state_.own(name))
      return values_[name] = constant(known->second.tensor());
    const Pt2Tensor* own = state_.own(name);
    if (!own) throw MalformedFile("takes \"" + shortened(name) + "\", which nothing makes");
    return values_[name] = state_.is_in_state(name) ? own_layer(*own) : constant(own->tensor);
  }

  // A parameter or buffer that a module uses itself is a layer of its own, which has the tensor's name.
  Value own_layer(const Pt2Tensor& own) {
    Attributes attributes;
    attributes.set("shape", own.tensor.shape());
    const bool is_real = is_floating_point(own.tensor.dtype());
    if (!is_real) add_elements(attributes, own.tensor);
    const char* type = own.is_parameter && is_real ? "Parameter" : "Buffer";
    return add_node(tensor_layer(own.name, type, attributes), unless_an_input(own.name), {});
  }

  // Where floats lie in another order of axes, on which the last bits of a product depend, a permute comes behind.
  Value constant(const Tensor& tensor) {
    const std::vector<std::int64_t> axes = axes_in_memory(tensor);
    const Tensor kept = axes.empty() ? tensor : tensor.permute(axes);
    Attributes attributes;
    attributes.set("shape", kept.shape());
    add_elements(attributes, kept);
    const std::string name = unique("constant");
    const Value value =
        add_node(tensor_layer(name, "new_tensor", attributes), name, {Value{result_.inputs[0].name, 0}});
    if (axes.empty()) return value;
    Attributes order;
    order.set("dims", inverse_order(axes));
    const std::string permute = unique("permute");
    return add_node({permute, "permute", order, {}}, permute, {value});
  }

  // Of floats that lie in another order of their axes, the outermost first; none for other tensors.
  static std::vector<std::int64_t> axes_in_memory(const Tensor& tensor) {
    if (!is_floating_point(tensor.dtype()) || tensor.is_contiguous()) return {};
    return memory_order(tensor.shape(), tensor.strides()).value_or(std::vector<std::int64_t>());
  }

  static void add_elements(Attributes& attributes, const Tensor& tensor) {
    attributes.set("data", tensor.contiguous());
    attributes.set("dtype", tensor.dtype());
  }

  static Layer tensor_layer(const std::string& name, const char* type, const Attributes& attributes) {
    try {
      return {name, type, complete_attributes(*Registry::instance().find(type), attributes, name), {}};
    } catch (const UsageError& error) {
      throw Unsupported(std::string("takes the tensor ") + error.what());
    }
  }

  void add_steps(const aten::Call& call) {
    for (const aten::Step& step : call.before) {
      const LayerType& type = *Registry::instance().find(step.type);
      const std::string name = unique(in_lower_case(step.type));
      values_[step.result] = add_node({name, type.name, settings_of_type(type, step.attributes), {}}, name,
                                      arguments_of(type, step.attributes, step.operands));
    }
  }

  void add_layer(const Operation& operation, const ExportedCall& made) {
    add_steps(made.call);
    const LayerType& type = *Registry::instance().find(made.call.type);
    std::vector<Node::Argument> arguments = arguments_of(type, made.call.attributes, made.call.operands);
    Layer layer = layer_of(operation, made);
    const Value value = add_node(std::move(layer), node_name_, std::move(arguments));
    for (std::size_t i = 0; i < operation.outputs.size(); ++i)
      set_value(operation, i, {value.node, static_cast<std::int64_t>(i)});
  }

  // The layer that the operation defines or calls; `node_name_` is that of its call.
  Layer layer_of(const Operation& operation, const ExportedCall& made) {
    std::string wanted = made.module;
    if (wanted.empty()) {
      wanted = operation.plain_name();
      while (wanted.ends_with('_')) wanted.pop_back();
      while (wanted.starts_with('_')) wanted.erase(0, 1);
      node_name_ = unique(wanted);
      return {node_name_, made.call.type, made.attributes, {}};
    }
    return layer_of_module({wanted, made.call.type, made.attributes, {}});
  }

  // The module that the operation defines or calls; `node_name_` is that of its call.
  Layer layer_of_module(Layer wanted) {
    const auto known = modules_.find(wanted.name);
    if (known == modules_.end()) {
      modules_.emplace(wanted.name, result_.layers.size());
      node_name_ = unless_an_input(wanted.name);
      return wanted;
    }
    const Layer& layer = result_.layers[known->second];
    const bool is_it = layer.type == wanted.type && layer.attributes == wanted.attributes;
    if (!is_it && !Registry::instance().type_of(layer).parameters(layer.attributes).empty())
      throw Unsupported("the module's layer is another one (" + layer.type + ") in an earlier call");
    node_name_ = unique(wanted.name);
    if (!is_it) wanted.name = node_name_;
    return wanted;
  }

  // By the operands' names, and what has none of these in their order.
  std::vector<Node::Argument> arguments_of(const LayerType& type, const Json::Object& attributes,
                                           const std::vector<Given>& given) {
    const std::vector<Operand>& operands = type.operands;
    std::vector<Node::Argument> result(operands.size());
    std::vector<bool> filled(operands.size());
    for (std::size_t i = 0; i < operands.size(); ++i)
      filled[i] = !operands[i].attribute.empty() && attributes.contains(operands[i].attribute);
    const auto give = [&](std::size_t at, const Given& one) {
      result[at] = argument_of(operands[at], one);
      filled[at] = true;
    };
    std::vector<const Given*> rest;
    for (const Given& one : given) {
      const auto found = std::ranges::find(operands, one.name, &Operand::name);
      if (found == operands.end())
        rest.push_back(&one);
      else
        give(static_cast<std::size_t>(found - operands.begin()), one);
    }
    for (const Given* one : rest) {
      const auto at = static_cast<std::size_t>(std::ranges::find(filled, false) - filled.begin());
      if (at == filled.size() || operands[at].by_name)
        throw Unsupported("its tensor " + one->name + " has no place in " + type.name);
      give(at, *one);
    }
    while (!result.empty() && std::holds_alternative<std::monostate>(result.back())) result.pop_back();
    return result;
  }

  Node::Argument argument_of(const Operand& operand, const Given& given) {
    Node::List list;
    for (const auto& name : given.tensors) list.push_back(name ? value_of(*name) : std::nullopt);
    if (operand.is_list()) return list;
    if (list.size() != 1 || !list[0]) throw Unsupported("its " + given.name + " is a list");
    return *list[0];
  }

  // The layer is new unless an earlier node has it.
  Value add_node(Layer layer, const std::string& name, std::vector<Node::Argument> arguments) {
    taken_.insert(name);
    Node node{name, layer.name, std::move(arguments)};
    if (defined_.insert(layer.name).second) result_.layers.push_back(std::move(layer));
    result_.nodes.push_back(std::move(node));
    return {name, 0};
  }

  std::string unique(const std::string& wanted) { return taken_.unique(wanted); }

  // What the value of a layer of this name is called: inputs keep their names.
  std::string unless_an_input(const std::string& layer) { return result_.find_input(layer) ? unique(layer) : layer; }

  // Functions whose results nobody takes.
  void drop_unused() {
    std::set<std::string> wanted;
    for (const Output& output : result_.outputs) wanted.insert(output.value.node);
    std::vector<Node> kept;
    std::set<std::string> layers;
    for (auto node = result_.nodes.rbegin(); node != result_.nodes.rend(); ++node) {
      if (!wanted.contains(node->name)) continue;
      for (const Value& value : node->values()) wanted.insert(value.node);
      layers.insert(node->layer);
      kept.push_back(std::move(*node));
    }
    std::ranges::reverse(kept);
    result_.nodes = std::move(kept);
    std::erase_if(result_.layers, [&](const Layer& layer) { return !layers.contains(layer.name); });
  }

  const aten::Graph& graph_;
  ExportedState state_;
  Architecture result_;
  std::map<std::string, std::optional<Value>> values_;
  std::map<std::string, std::size_t> modules_;  // places among the layers
  std::set<std::string> defined_;               // the layers' names
  UniqueNames taken_;
  std::vector<std::string> problems_;
  ExportedMemory memory_;
  std::map<std::string, View> views_;
  std::string node_name_;
};

}  // namespace

Architecture architecture_of_graph(const aten::Graph& graph, const Pt2Model& model) {
  return LayerMaker(graph, model).make();
}

void fold_constants(aten::Graph& graph, const Pt2Model& model) {
  note_known_tensors(graph, ExportedState(graph, model));
  aten::fold_constants(graph);
}

}  // namespace h5bridge
