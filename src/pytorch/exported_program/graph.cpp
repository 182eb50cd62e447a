#include "pytorch/exported_program/graph.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "facets/aten/branch.h"
#include "files/pt2_archive.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/exported_program/symbols.h"
#include "pytorch/exported_program/tree.h"

namespace h5bridge {
namespace {

using aten::Argument;
using aten::Graph;
using aten::Names;
using aten::Operation;
using aten::Unsayable;

constexpr std::int64_t kSchema = 8;

// A tagged value has one member: {"as_tensor": {...}}.
const Json::Member& tagged(const Json& json) {
  const Json::Object& object = json.as_object();
  if (object.size() != 1) throw MalformedFile("a value is " + quoted(json) + ", expected one that is tagged");
  return *object.begin();
}

constexpr std::size_t kMostNested = 32;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    result.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

class GraphReader {
 public:
  explicit GraphReader(const Json& program) : module_(program.at("graph_module")), json_(&module_.at("graph")) {}

  Graph read() {
    read_own();
    for (const std::string& name : graph_.inputs)
      symbols_.add_input(name, meta(name).at("sizes").as_array(), graph_.inputs.size() == 1);
    read_operations();
    read_outputs();
    for (const Json& entry : module_.at("module_call_graph").as_array())
      graph_.modules.push_back(entry.at("fqn").as_string());
    for (const Operation& operation : graph_.operations)
      if (!operation.modules.empty() && operation.modules[0].path.empty()) {
        graph_.module = operation.modules[0].type.substr(operation.modules[0].type.rfind('.') + 1);
        break;
      }
    note_uses();
    return std::move(graph_);
  }

 private:
  const Json& meta(const std::string& tensor) const { return json_->at("tensor_values").at(tensor); }

  // Of the graph, or of one within it, whose tensors have names of their own.
  void read_operations() {
    for (const auto& [name, value] : json_->at("tensor_values").as_object())
      graph_.values.emplace(own_name(name), type_of(value));
    for (const Json& node : json_->at("nodes").as_array())
      if (const Json* graph = graph_within(node))
        inline_part(node, *graph);
      else if (is_choice(node))
        inline_choice(node);
      else
        graph_.operations.push_back(operation(node));
  }

  std::string own_name(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? prefix_ + name : found->second;
  }
  std::string tensor_name(const Json& json) const { return own_name(json.at("name").as_string()); }

  // Of a part that is only computed in another mode: torch.no_grad(), torch.autocast() that is off.
  static const Json* graph_within(const Json& node) {
    const std::string& target = node.at("target").as_string();
    const bool is_autocast = target.ends_with("higher_order.wrap_with_autocast");
    if (!is_autocast && !target.ends_with("higher_order.wrap_with_set_grad_enabled")) return nullptr;
    const Json::Array& inputs = node.at("inputs").as_array();
    const auto graph = std::ranges::find_if(inputs, [](const Json& input) { return input.at("arg").find("as_graph"); });
    if (graph == inputs.end() || (is_autocast && may_cast(inputs, graph->at("arg").at("as_graph").at("graph"))))
      return nullptr;
    return &graph->at("arg").at("as_graph").at("graph");
  }

  // Whether torch.autocast(device_type, dtype, enabled, cache_enabled) casts in `graph`: it is on, and something there
  // is on its device (torch/_higher_order_ops/wrap.py, WrapWithAutocast).
  static bool may_cast(const Json::Array& given, const Json& graph) {
    const auto setting = [&](std::size_t place, const char* kind) {
      return place < given.size() ? given[place].at("arg").find(kind) : nullptr;
    };
    const Json* device = setting(0, "as_string");
    const Json* enabled = setting(2, "as_bool");
    if (!device || !enabled) return true;
    return enabled->as_bool() && std::ranges::any_of(graph.at("tensor_values").as_object(), [&](const auto& value) {
             return value.second.at("device").at("type") == *device;
           });
  }

  void inline_part(const Json& node, const Json& graph) {
    std::vector<std::string> given;
    bool behind = false;
    for (const Json& input : node.at("inputs").as_array()) {
      const auto& [kind, value] = tagged(input.at("arg"));
      if (behind) given.push_back(kind == "as_tensor" ? tensor_name(value) : "");
      behind = behind || kind == "as_graph";
    }
    Names outer;
    add_outputs(node.at("outputs"), outer);
    const Names inner = inlined(graph, given, outer.size());
    for (std::size_t i = 0; i < inner.size(); ++i)
      if (inner[i] && outer[i])
        graph_.operations.push_back(
            {*outer[i], "aten.alias.default", {{"self", *inner[i]}}, {outer[i]}, {}, false, false});
  }

  // torch.cond(pred, true_fn, false_fn, operands): of each pair of the two graphs' results one.
  static bool is_choice(const Json& node) { return node.at("target").as_string().ends_with("higher_order.cond"); }

  void inline_choice(const Json& node) {
    std::vector<const Json*> graphs;
    std::vector<std::string> given;
    std::optional<Argument> predicate;
    for (const Json& input : node.at("inputs").as_array()) {
      const auto& [kind, value] = tagged(input.at("arg"));
      if (kind == "as_graph")
        graphs.push_back(&value.at("graph"));
      else if (!predicate)
        predicate = argument(input);
      else if (kind == "as_tensors")
        for (const Json& tensor : value.as_array()) given.push_back(tensor_name(tensor));
    }
    if (!predicate || graphs.size() != 2) throw MalformedFile("a torch.cond has no predicate and two graphs");
    predicate->name = "pred";
    Operation choice = operation(node);
    const Names chosen = std::exchange(choice.outputs, {});
    const std::size_t begin = graph_.operations.size();
    const Names if_true = inlined(*graphs[0], given, chosen.size());
    const Names if_false = inlined(*graphs[1], given, chosen.size());
    aten::refuse_changes_outside(graph_.operations, begin);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (!chosen[i]) continue;
      if (!if_true[i] || !if_false[i]) throw MalformedFile("the graphs of a torch.cond give no tensors");
      choice.name = *chosen[i];
      choice.arguments = {*predicate, {"input", *if_true[i]}, {"other", *if_false[i]}};
      choice.outputs = {chosen[i]};
      graph_.operations.push_back(choice);
    }
  }

  // Puts the operations of a graph within the graph, which is given these tensors ("" for what is none), among the
  // graph's own; gives the names of its results, of which there are so many.
  Names inlined(const Json& graph, const std::vector<std::string>& given, std::size_t results) {
    std::map<std::string, std::string> names;
    const Json::Array& inputs = graph.at("inputs").as_array();
    if (inputs.size() != given.size())
      throw MalformedFile("a graph within the graph is given other inputs than it has");
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (const auto& [kind, value] = tagged(inputs[i]); kind == "as_tensor" && !given[i].empty())
        names.emplace(value.at("name").as_string(), given[i]);
    if (depth_ == kMostNested)
      throw MalformedFile("graphs are nested more than " + std::to_string(kMostNested) + " levels");
    const auto before = std::tuple(json_, prefix_, names_);
    json_ = &graph;
    prefix_ += std::to_string(graph_.operations.size()) + "/";
    names_ = std::move(names);
    ++depth_;
    read_operations();
    Names inner;
    add_outputs(graph.at("outputs"), inner);
    --depth_;
    std::tie(json_, prefix_, names_) = before;
    if (inner.size() != results) throw MalformedFile("a graph within the graph gives other results than it has");
    return inner;
  }

  aten::ValueType type_of(const Json& value) const {
    aten::ValueType result;
    try {
      result.dtype = pt2_dtype(value.at("dtype"));
    } catch (const Unsupported&) {  // told where it is asked for
    }
    try {
      SymbolicShape shape;
      for (const Json& size : value.at("sizes").as_array()) shape.push_back(symbols_.size(size));
      result.shape = std::move(shape);
      if (const Json* strides = value.find("strides"); strides && strides->is_array())
        result.is_contiguous = lies_in_order(*result.shape, strides->as_array());
    } catch (const Unsupported&) {
    }
    return result;
  }

  // Along an axis of one element no stride matters.
  bool lies_in_order(const SymbolicShape& shape, const Json::Array& strides) const {
    if (strides.size() != shape.size()) return true;
    Size expected(1);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (shape[axis] != Size(1) && symbols_.size(strides[axis]) != expected) return false;
      expected = expected * shape[axis];
    }
    return true;
  }

  void read_own() {
    for (const Json& spec : module_.at("signature").at("input_specs").as_array()) {
      const auto& [kind, value] = tagged(spec);
      if (kind == "constant_input") continue;
      const Json* argument = value.find("arg");
      if (!argument) throw MalformedFile("an input of the graph is " + quoted(spec));
      if (kind == "user_input")
        read_input(*argument);
      else if (kind == "parameter")
        graph_.own.push_back({tensor_name(*argument), value.at("parameter_name").as_string(), true});
      else if (kind == "buffer")
        graph_.own.push_back(
            {tensor_name(*argument), value.at("buffer_name").as_string(), value.at("persistent").as_bool()});
      else if (kind == "tensor_constant")
        graph_.own.push_back({tensor_name(*argument), value.at("tensor_constant_name").as_string(), false});
      else
        throw Unsupported("the graph takes a " + shortened(kind) + ", which no layer is given");
    }
  }

  void read_input(const Json& argument) {
    const auto& [kind, value] = tagged(argument);
    if (kind == "as_tensor")
      graph_.inputs.push_back(tensor_name(value));
    else if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool")
      throw Unsupported("forward takes the number " + quoted(value) +
                        ", which no layer is given: fix it when exporting");
  }

  Operation operation(const Json& node) const {
    Operation result;
    result.target = node.at("target").as_string();
    if (constexpr std::string_view library = "torch.ops."; result.target.starts_with(library))
      result.target.erase(0, library.size());
    for (const Json& input : node.at("inputs").as_array()) result.arguments.push_back(argument(input));
    result.gives_sizes = add_outputs(node.at("outputs"), result.outputs);
    if (const Json* name = node.find("name"); name && name->is_string())
      result.name = name->as_string();
    else if (!result.outputs.empty() && result.outputs[0])
      result.name = *result.outputs[0];
    if (const Json* stack = node.at("metadata").find("nn_module_stack")) result.modules = modules(stack->as_string());
    result.takes_values = result.gives_sizes && gives_values(result);
    return result;
  }

  // What gives numbers of a tensor, but for its sizes.
  static bool gives_values(const Operation& operation) {
    const std::string_view name = operation.plain_name();
    if (name == "sym_size" || name == "sym_stride" || name == "sym_numel" || name == "sym_storage_offset") return false;
    return std::ranges::any_of(operation.arguments, [](const Argument& given) {
      return std::holds_alternative<std::string>(given.value) || std::holds_alternative<Names>(given.value);
    });
  }

  static std::vector<aten::ModuleCall> modules(const std::string& stack) {
    std::vector<aten::ModuleCall> result;
    for (const std::string& entry : split(stack, ';')) {
      const std::vector<std::string> parts = split(entry, ',');
      if (parts.size() == 3 && parts[1] != parts[0]) result.push_back({parts[1], parts[2], parts[0]});
    }
    return result;
  }

  // Whether all of them are numbers, and there are any.
  bool add_outputs(const Json& outputs, Names& names) const {
    bool are_sizes = !outputs.as_array().empty();
    for (const Json& output : outputs.as_array()) {
      const auto& [kind, value] = tagged(output);
      if (kind == "as_tensor")
        names.emplace_back(tensor_name(value));
      else if (kind == "as_tensors")
        for (const Json& tensor : value.as_array()) names.emplace_back(tensor_name(tensor));
      else if (kind == "as_none")
        names.emplace_back();
      are_sizes = are_sizes && (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool");
    }
    return are_sizes;
  }

  Argument argument(const Json& input) const {
    Argument result{input.at("name").as_string(), Json()};
    const auto& [kind, value] = tagged(input.at("arg"));
    if (kind == "as_tensor") {
      result.value = tensor_name(value);
    } else if (kind == "as_tensors" || kind == "as_optional_tensors") {
      Names names;
      for (const Json& tensor : value.as_array()) names.push_back(optional_tensor(tensor));
      result.value = std::move(names);
    } else if (kind == "as_optional_tensor") {
      if (const auto name = optional_tensor(value)) result.value = *name;
    } else {
      try {
        result.value = setting(kind, value);
      } catch (const Unsupported& error) {
        result.value = Unsayable{error.what()};
      }
    }
    return result;
  }

  std::optional<std::string> optional_tensor(const Json& json) const {
    if (json.find("name")) return tensor_name(json);
    const auto& [kind, value] = tagged(json);
    return kind == "as_none" ? std::nullopt : std::optional(tensor_name(value));
  }

  Json setting(const std::string& kind, const Json& value) const {
    if (kind == "as_none") return {};
    if (kind == "as_int" || kind == "as_ints" || kind == "as_bool" || kind == "as_bools" || kind == "as_string" ||
        kind == "as_strings" || kind == "as_memory_format" || kind == "as_layout" || kind == "as_device")
      return value;
    if (kind == "as_float") return number(value);
    if (kind == "as_floats") return each(value, number);
    if (kind == "as_scalar_type") return std::string(name_of(pt2_dtype(value)));
    if (kind == "as_sym_int") return size(value);
    if (kind == "as_sym_ints") return each(value, [&](const Json& item) { return size(item); });
    throw Unsupported("is of the kind " + shortened(kind));
  }

  template <typename Read>
  static Json each(const Json& values, Read&& read) {
    Json::Array result;
    for (const Json& value : values.as_array()) result.push_back(read(value));
    return result;
  }

  // JSON has no numbers that are none, nor infinite ones.
  static Json number(const Json& value) {
    if (!value.is_string()) return value.as_float();
    const std::string& text = value.as_string();
    if (text == "Infinity") return std::numeric_limits<double>::infinity();
    if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
    if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    throw MalformedFile("a number is " + quoted(value));
  }

  Json size(const Json& value) const {
    if (const Json* known = value.find("as_int")) return *known;
    const Size found = symbols_.size(json_->at("sym_int_values").at(value.at("as_name").as_string()));
    return found.value() ? Json(*found.value()) : Json(found.str());
  }

  void note_uses() {
    for (std::size_t i = 0; i < graph_.operations.size(); ++i) {
      for (const auto& name : graph_.operations[i].outputs)
        if (name) graph_.makers.emplace(*name, i);
      for (const Argument& argument : graph_.operations[i].arguments) {
        if (const auto* name = std::get_if<std::string>(&argument.value)) graph_.last_uses[*name] = i;
        if (const auto* names = std::get_if<Names>(&argument.value))
          for (const auto& name : *names)
            if (name) graph_.last_uses[*name] = i;
      }
    }
    for (const aten::GraphOutput& output : graph_.outputs) graph_.last_uses[output.name] = graph_.operations.size();
    for (const aten::OwnTensor& own : graph_.own)
      if (own.in_state) graph_.own_keys.emplace(own.name, own.key);
  }

  void read_outputs() {
    std::vector<std::string> keys;
    for (const Json& entry : module_.at("module_call_graph").as_array()) {
      const Json* signature = entry.find("signature");
      if (entry.at("fqn").as_string().empty() && signature && !signature->is_null())
        keys = keys_of_leaves(signature->at("out_spec").as_string());
    }
    std::size_t leaf = 0;
    for (const Json& spec : module_.at("signature").at("output_specs").as_array()) {
      const auto& [kind, value] = tagged(spec);
      if (kind == "buffer_mutation") graph_.changed.push_back(value.at("buffer_name").as_string());
      if (kind == "parameter_mutation") graph_.changed.push_back(value.at("parameter_name").as_string());
      if (kind != "user_output") continue;
      add_output(value.at("arg"), leaf < keys.size() ? keys[leaf] : "");
      ++leaf;
    }
  }

  void add_output(const Json& argument, const std::string& key) {
    const auto& [kind, value] = tagged(argument);
    if (kind == "as_none") return;
    if (kind != "as_tensor") throw Unsupported("forward returns " + quoted(argument) + ", which is no tensor");
    graph_.outputs.push_back({key, tensor_name(value)});
  }

  const Json& module_;
  const Json* json_;                          // the graph that is being read
  std::string prefix_;                        // of its tensors' names
  std::map<std::string, std::string> names_;  // of tensors that it is given
  std::size_t depth_ = 0;
  Graph graph_;
  ExportedSymbols symbols_;
};

}  // namespace

aten::Graph graph_of_program(const Json& program) {
  if (const std::int64_t version = program.at("schema_version").at("major").as_integer(); version != kSchema)
    throw Unsupported("its exported program is of version " + std::to_string(version) + ", expected " +
                      std::to_string(kSchema) + ": load it with the PyTorch that wrote it, and save it with another");
  return GraphReader(program).read();
}

}  // namespace h5bridge
