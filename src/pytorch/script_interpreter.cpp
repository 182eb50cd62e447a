#include "pytorch/script_interpreter.h"

#include <algorithm>
#include <map>

#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "passes/infer_types.h"
#include "pytorch/exported_layers.h"
#include "pytorch/script_values.h"

namespace h5bridge::script {
namespace {

using aten::ScriptBlock;
using aten::ScriptNode;
using Given = std::vector<ScriptValue>;

constexpr std::size_t kMostSteps = 1'000'000;

/// c10's numbers of element types, as names.
const std::map<std::int64_t, const char*>& dtype_names() {
  static const std::map<std::int64_t, const char*> names{
      {0, "uint8"},   {1, "int8"},    {2, "int16"},     {3, "int32"},       {4, "int64"}, {5, "float16"},
      {6, "float32"}, {7, "float64"}, {9, "complex64"}, {10, "complex128"}, {11, "bool"}, {15, "bfloat16"}};
  return names;
}

class Interpreter {
 public:
  Interpreter(const aten::ScriptGraph& script, const Pt2Model& state) : script_(script), state_(state) {}

  Passage run(const std::vector<Input>& inputs) {
    result_.graph.module = script_.type.substr(script_.type.rfind('.') + 1);
    result_.graph.modules = script_.modules;
    for (const Pt2Tensor& tensor : state_.weights) add_own(tensor.name, tensor, true);
    for (const Pt2Tensor& tensor : state_.constants) add_own(tensor.name, tensor, false);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::string& name = inputs[i].name;
      result_.graph.inputs.push_back(name);
      result_.graph.values[name] = {inputs[i].dtype, inputs[i].shape};
      values_[script_.forward.inputs[i]] = TensorName{name};
    }
    modules_.push_back({"", script_.type, "0"});
    try {
      run_block(script_.forward);
      for (const std::size_t output : script_.forward.outputs) add_outputs(values_.at(output), "");
    } catch (const Error& error) {
      result_.problem = error.what();
      if (result_.problem.empty()) result_.problem = "it cannot be followed";
      if (!result_.problem.starts_with("operator ") && !modules_.back().path.empty())  // the one that was entered last
        result_.problem = "in " + described(modules_.back()) + ": " + result_.problem;
    }
    note_uses();
    return std::move(result_);
  }

 private:
  void add_own(const std::string& name, const Pt2Tensor& tensor, bool in_state) {
    SymbolicShape shape(tensor.tensor.shape().begin(), tensor.tensor.shape().end());
    result_.graph.values[name] = {tensor.tensor.dtype(), std::move(shape)};
    result_.graph.own.push_back({name, name, in_state});
    own_.emplace(name, &tensor);
  }

  void run_block(const ScriptBlock& block) {
    for (const ScriptNode& node : block.nodes) run_node(node);
  }

  Given given_to(const ScriptNode& node) const {
    Given result;
    for (const std::size_t input : node.inputs) {
      const auto found = values_.find(input);
      result.push_back(found == values_.end() ? ScriptValue(Unknown{"a value that nothing makes"}) : found->second);
    }
    return result;
  }

  void give(const ScriptNode& node, std::size_t output, ScriptValue value) {
    if (output < node.outputs.size()) values_[node.outputs[output]] = std::move(value);
  }

  void run_node(const ScriptNode& node) {
    if (++steps_ > kMostSteps) throw Unsupported("its forward takes more than 1000000 steps");
    const std::string& kind = node.kind;
    if (kind == "constant") return give(node, 0, node.constant);
    if (kind == "unknown") return give(node, 0, Unknown{node.text});
    if (kind == "tensor") {
      ScriptValue value = tensor(node.text);
      if (!value.tensor() && !value.size()) doubles_.insert(node.outputs.at(0));
      return give(node, 0, std::move(value));
    }
    if (kind == "tensors") {
      ScriptList all;
      for (const Json& name : node.constant.as_array()) all.push_back(tensor(name.as_string()));
      return give(node, 0, std::move(all));
    }
    if (kind == "call") return call(node);
    if (kind == "prim::If") return choose(node);
    if (kind == "prim::Loop") return repeat(node);
    Given given = given_to(node);
    if (kind == "prim::ListConstruct" || kind == "prim::TupleConstruct") return give(node, 0, std::move(given));
    if (kind == "prim::ListUnpack" || kind == "prim::TupleUnpack") return unpack(node, given.at(0));
    if (kind == "prim::DictConstruct") return dict(node, given);
    if (kind == "prim::RaiseException") throw Unsupported("its forward raises an exception for such inputs");
    if (kind == "prim::unchecked_cast" || kind == "prim::unchecked_unwrap_optional" || kind == "aten::_unwrap_optional")
      return give(node, 0, given.at(0));
    if (kind == "prim::Uninitialized") return give(node, 0, Unknown{"a value that is never set"});
    if (kind == "prim::Print" || kind == "aten::warn" || kind == "prim::profile") return;
    if (kind == "aten::is_grad_enabled") return give(node, 0, Json(true));  // no shorter ways for evaluation alone
    if (kind == "aten::is_autocast_enabled" || kind == "aten::is_autocast_cpu_enabled")
      return give(node, 0, Json(false));
    if (kind == "aten::format") return give(node, 0, Unknown{"a text"});
    if (kind == "aten::__is__" || kind == "aten::__isnot__") return compare_identity(node, given);
    if (kind == "aten::append") return append(node, given);
    if (auto value = of_type(kind, given)) return give(node, 0, *std::move(value));
    if (std::ranges::none_of(given, has_tensor) || kind.starts_with("prim::"))
      if (auto value = computed(kind, given)) return give(node, 0, *std::move(value));
    if ((kind == "aten::__getitem__" || kind == "aten::add" || kind == "aten::slice" || kind == "aten::len") &&
        given.at(0).list())
      if (auto value = computed(kind, given)) return give(node, 0, *std::move(value));
    static const std::set<std::string> kValues{"aten::Bool",        "aten::Int",           "aten::Float",
                                               "aten::IntImplicit", "aten::item",          "aten::FloatImplicit",
                                               "aten::is_nonzero",  "aten::ScalarImplicit"};
    if (kValues.contains(kind)) refuse(kind, "makes the graph depend on a tensor's values");
    operate(node, given);
  }

  /// A constant of one number is that number.
  ScriptValue tensor(const std::string& name) const {
    const auto own = own_.find(name);
    if (own == own_.end()) throw MalformedFile("holds no tensor \"" + shortened(name) + "\", which its code reads");
    const Tensor& tensor = own->second->tensor;
    if (name.starts_with(':') && tensor.rank() == 0) {
      if (tensor.dtype() == DType::Int64) return Json(tensor.values<std::int64_t>().at(0));
      if (tensor.dtype() == DType::Float64) return Json(tensor.values<double>().at(0));
    }
    return TensorName{name};
  }

  void call(const ScriptNode& node) {
    const ScriptBlock& body = node.blocks.at(0);
    const Given given = given_to(node);
    for (std::size_t i = 0; i < given.size(); ++i) values_[body.inputs.at(i)] = given[i];
    const bool is_module = !node.type.empty() && node.text != modules_.back().path;
    if (is_module) modules_.push_back({node.text, node.type, std::to_string(++calls_)});
    run_block(body);
    if (is_module) modules_.pop_back();
    for (std::size_t i = 0; i < node.outputs.size(); ++i) give(node, i, values_.at(body.outputs.at(i)));
  }

  void choose(const ScriptNode& node) {
    const ScriptBlock& taken = node.blocks.at(given_to(node).at(0).truth() ? 0 : 1);
    run_block(taken);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) give(node, i, value_of(taken.outputs.at(i)));
  }

  ScriptValue value_of(std::size_t number) const {
    const auto found = values_.find(number);
    return found == values_.end() ? ScriptValue(Unknown{"a value that nothing makes"}) : found->second;
  }

  /// prim::Loop: how often at most, whether at all, and what goes from turn to turn.
  void repeat(const ScriptNode& node) {
    Given given = given_to(node);
    const std::int64_t most = given.at(0).integer();
    bool goes_on = given.at(1).truth();
    std::vector<ScriptValue> carried(given.begin() + 2, given.end());
    const ScriptBlock& body = node.blocks.at(0);
    for (std::int64_t turn = 0; turn < most && goes_on; ++turn) {
      values_[body.inputs.at(0)] = Json(turn);
      for (std::size_t i = 0; i < carried.size(); ++i) values_[body.inputs.at(i + 1)] = carried[i];
      run_block(body);
      goes_on = value_of(body.outputs.at(0)).truth();
      for (std::size_t i = 0; i < carried.size(); ++i) carried[i] = value_of(body.outputs.at(i + 1));
      if (++steps_ > kMostSteps) throw Unsupported("its forward takes more than 1000000 steps");
    }
    for (std::size_t i = 0; i < carried.size(); ++i) give(node, i, carried[i]);
  }

  void unpack(const ScriptNode& node, const ScriptValue& value) {
    const ScriptList* list = value.list();
    if (!list || list->size() < node.outputs.size()) throw Unsupported("takes apart what is no list of that length");
    for (std::size_t i = 0; i < node.outputs.size(); ++i) give(node, i, (*list)[i]);
  }

  void dict(const ScriptNode& node, const Given& given) {
    ScriptList pairs{Json(":dict")};
    pairs.insert(pairs.end(), given.begin(), given.end());
    give(node, 0, std::move(pairs));
  }

  void append(const ScriptNode& node, const Given& given) {
    ScriptList* list = given.at(0).list();
    if (!list) throw Unsupported("appends to what is no list");
    list->push_back(given.at(1));
    give(node, 0, given.at(0));
  }

  void compare_identity(const ScriptNode& node, const Given& given) {
    const bool is_none = given.at(0).is_none() || given.at(1).is_none();
    const std::string *a = given.at(0).tensor(), *b = given.at(1).tensor();
    bool is_same = given.at(0).is_none() && given.at(1).is_none();
    if (!is_none) {
      if (!a || !b) throw Unsupported("asks whether two values are one object");
      is_same = *a == *b;
    }
    give(node, 0, Json(is_same == (node.kind == "aten::__is__")));
  }

  const aten::ValueType& type_of(const std::string& tensor) const { return result_.graph.values.at(tensor); }

  const SymbolicShape& shape_of(const std::string& tensor) const {
    const auto& type = type_of(tensor);
    if (!type.shape) throw Unsupported("asks for a size that is not known");
    return *type.shape;
  }

  /// What is asked of a tensor's type.
  std::optional<ScriptValue> of_type(const std::string& kind, const Given& given) const {
    const std::string* tensor = given.empty() ? nullptr : given[0].tensor();
    if (!tensor) return std::nullopt;
    if (kind == "aten::size" && given.size() == 1) {
      ScriptList sizes;
      for (const Size& size : shape_of(*tensor)) sizes.emplace_back(size);
      return sizes;
    }
    if (kind == "aten::size") {
      const SymbolicShape& shape = shape_of(*tensor);
      std::int64_t axis = given[1].integer();
      if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
      if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size()))
        throw MalformedFile("asks for the size of an axis that its tensor does not have");
      return shape[static_cast<std::size_t>(axis)];
    }
    if (kind == "aten::dim") return Json(static_cast<std::int64_t>(shape_of(*tensor).size()));
    if (kind == "aten::len") return shape_of(*tensor).at(0);
    if (kind == "aten::numel") {
      Size count = 1;
      for (const Size& size : shape_of(*tensor)) count = count * size;
      return count;
    }
    if (kind == "aten::is_floating_point") return Json(is_floating_point(type_of(*tensor).dtype.value()));
    if (kind == "prim::dtype") {
      const std::string name(name_of(type_of(*tensor).dtype.value()));
      for (const auto& [number, own] : dtype_names())
        if (name == own) return Json(number);
    }
    if (kind == "prim::device") return Json("cpu");
    if (kind == "prim::is_cuda" || kind == "prim::is_nested" || kind == "aten::is_complex") return Json(false);
    if (kind == "prim::requires_grad") return Json(own_.contains(*tensor));
    return std::nullopt;
  }

  aten::Argument argument_of(const aten::ScriptArgument& schema, const ScriptValue& value) const {
    aten::Argument result{schema.name, Json()};
    if (const std::string* name = value.tensor()) {
      result.value = *name;
    } else if (const ScriptList* list = value.list()) {
      if (has_tensor(value))
        result.value = names_in(*list);
      else
        result.value = json_of(value);
    } else if (const auto* unknown = std::get_if<Unknown>(&value.held)) {
      result.value = aten::Unsayable{"is " + unknown->why};
    } else {
      result.value = json_of(value);
      const Json& json = std::get<Json>(result.value);
      if (schema.is_dtype && json.is_integer()) {
        const auto dtype = dtype_names().find(json.as_integer());
        if (dtype == dtype_names().end()) throw Unsupported("its dtype is one that no file holds");
        result.value = Json(dtype->second);
      }
    }
    return result;
  }

  static aten::Names names_in(const ScriptList& list) {
    aten::Names names;
    for (const ScriptValue& element : list) {
      if (!element.tensor() && !element.is_none()) throw Unsupported("takes a list of tensors and of others");
      names.push_back(element.tensor() ? std::optional(*element.tensor()) : std::nullopt);
    }
    return names;
  }

  static Json json_of(const ScriptValue& value) {
    if (const Size* size = std::get_if<Size>(&value.held)) return Json(size->str());
    if (const Json* json = std::get_if<Json>(&value.held)) return *json;
    const ScriptList* list = value.list();
    if (!list) throw Unsupported("takes a value that is not known");
    Json::Array elements;
    for (const ScriptValue& element : *list) elements.push_back(json_of(element));
    return elements;
  }

  static bool is_fallback(const aten::ScriptArgument& schema, const aten::Argument& argument) {
    const Json* json = std::get_if<Json>(&argument.value);
    if (!json || !schema.fallback) return false;
    return *json == *schema.fallback ||
           (json->is_number() && schema.fallback->is_number() && json->as_float() == schema.fallback->as_float());
  }

  static std::string described(const aten::ModuleCall& module) {
    return shortened(module.path) + " (" + shortened(module.type.substr(module.type.rfind('.') + 1)) + ")";
  }

  [[noreturn]] void refuse(const std::string& target, const std::string& why) const {
    const aten::ModuleCall& module = modules_.back();
    throw Unsupported("operator " + shortened(target) + (module.path.empty() ? "" : " in " + described(module)) + ": " +
                      why);
  }

  void operate(const ScriptNode& node, const Given& given) {
    constexpr std::string_view kAten = "aten::";
    if (!node.kind.starts_with(kAten)) refuse(node.kind, "no layer is known that it is");
    aten::Operation operation;
    operation.target = "aten." + node.kind.substr(kAten.size()) + ".default";
    // Of padding that is a word; what it is called of ATen's tells its axes.
    if (const ScriptList* stride = node.kind == "aten::_convolution_mode" ? given.at(3).list() : nullptr)
      operation.target = "aten.conv" + std::to_string(stride->size()) + "d.padding";
    try {
      for (std::size_t i = 0; i < given.size() && i < node.arguments.size(); ++i) {
        aten::Argument argument = argument_of(node.arguments[i], given[i]);
        if (!is_fallback(node.arguments[i], argument)) operation.arguments.push_back(std::move(argument));
      }
    } catch (const Unsupported& error) {
      refuse(operation.target, error.what());
    }
    refuse_promotion(node, given, operation.target);
    name_constants(operation);
    note_numbers(operation);
    operation.modules = modules_;
    const std::size_t count = node.gives_list ? count_of_outputs(operation) : node.outputs.size();
    for (std::size_t i = 0; i < count; ++i) {
      operation.outputs.emplace_back("value:" + std::to_string(++made_));
      result_.graph.values[*operation.outputs.back()] = guessed(operation);
      if (node.gives_list || node.is_used.at(i)) used_.insert(*operation.outputs.back());
    }
    operation.name = count ? *operation.outputs[0] : operation.target;
    if (aten::is_in_place(operation.plain_name()) && changes_counter(operation)) {
      give(node, 0, given.at(0));
      return;
    }
    find_types(operation);
    ScriptList all;
    for (const auto& output : operation.outputs) all.emplace_back(TensorName{*output});
    result_.graph.operations.push_back(std::move(operation));
    ++result_.steps;
    result_.numbers.clear();
    if (node.gives_list) return give(node, 0, std::move(all));
    for (std::size_t i = 0; i < all.size(); ++i) give(node, i, all[i]);
  }

  /// A tensor of one float64 makes float64 of integers, as the number that it is here would not.
  void refuse_promotion(const ScriptNode& node, const Given& given, const std::string& target) const {
    const bool has_double =
        std::ranges::any_of(node.inputs, [&](std::size_t input) { return doubles_.contains(input); });
    for (const ScriptValue& value : given)
      if (const std::string* name = value.tensor();
          has_double && name && type_of(*name).dtype && !is_floating_point(*type_of(*name).dtype))
        refuse(target, "takes a float64 constant with integers");
  }

  /// Batches are not counted in evaluation.
  bool changes_counter(const aten::Operation& operation) const {
    const auto* target = std::get_if<std::string>(&operation.arguments.at(0).value);
    return target && target->ends_with("num_batches_tracked") && own_.contains(*target);
  }

  /// A frozen module has its parameters as constants: they are called as a module's of that operator would be.
  void name_constants(aten::Operation& operation) {
    const aten::Row* row = aten::find_row(operation.plain_name());
    if (!row || row->parameters.empty()) return;
    const auto is_parameter = [&](const aten::Argument& argument) {
      return std::ranges::count(row->parameters, argument.name) > 0;
    };
    std::string path;
    for (aten::Argument& argument : operation.arguments) {
      if (!is_parameter(argument)) continue;
      const auto call_it = [&](std::string& name, const std::string& as) {
        if (!name.starts_with(':')) return;
        if (path.empty()) path = unique_path(std::string(operation.plain_name()));
        const std::string wanted = path + "." + as;
        result_.named.emplace_back(name, wanted);
        add_own(wanted, *own_.at(name), true);
        name = wanted;
      };
      if (auto* name = std::get_if<std::string>(&argument.value)) call_it(*name, argument.name);
      auto* list = std::get_if<aten::Names>(&argument.value);
      if (!list || !row->listed) continue;
      const std::vector<std::string> names = row->listed(as_call(operation));
      for (std::size_t i = 0; i < std::min(names.size(), list->size()); ++i)
        if ((*list)[i]) call_it(*(*list)[i], names[i]);
    }
    if (!path.empty()) frozen_.push_back({path, "", std::to_string(++calls_)});
  }

  /// As rows ask of its arguments.
  aten::Call as_call(const aten::Operation& operation) const {
    aten::Call call(result_.graph, operation);
    for (const aten::Argument& argument : operation.arguments) {
      if (const Json* json = std::get_if<Json>(&argument.value)) call.attributes.set(argument.name, *json);
      if (const auto* name = std::get_if<std::string>(&argument.value))
        call.operands.push_back({argument.name, {*name}, false});
      if (const auto* names = std::get_if<aten::Names>(&argument.value))
        call.operands.push_back({argument.name, *names, true});
    }
    return call;
  }

  std::string unique_path(std::string name) {
    while (name.starts_with('_')) name.erase(0, 1);
    std::string path = name;
    for (int number = 1; !paths_.insert(path).second; ++number) path = name + "_" + std::to_string(number);
    return path;
  }

  void note_numbers(const aten::Operation& operation) {
    result_.numbers.clear();
    const auto add = [&](std::int64_t number) {
      if (number > 0) result_.numbers.insert(number);
    };
    std::int64_t groups = 1;
    if (const aten::Argument* argument = operation.find("groups"))
      if (const Json* json = std::get_if<Json>(&argument->value); json && json->is_integer())
        groups = json->as_integer();
    for (const aten::Argument& argument : operation.arguments) {
      if (const Json* json = std::get_if<Json>(&argument.value); json && json->is_integer()) add(json->as_integer());
      const auto add_sizes = [&](const std::string& name) {
        const auto own = own_.find(name);
        if (own == own_.end()) return;
        for (const std::int64_t size : own->second->tensor.shape()) {
          add(size);
          add(size * groups);
        }
      };
      if (const auto* name = std::get_if<std::string>(&argument.value)) add_sizes(*name);
      if (const auto* names = std::get_if<aten::Names>(&argument.value))
        for (const auto& name : *names)
          if (name) add_sizes(*name);
    }
  }

  /// What an operation gives by its arguments alone, for rows that ask for it.
  aten::ValueType guessed(const aten::Operation& operation) const {
    aten::ValueType result;
    const auto* first = operation.arguments.empty() ? nullptr : std::get_if<std::string>(&operation.arguments[0].value);
    if (first) result.dtype = type_of(*first).dtype;
    if (const aten::Argument* dtype = operation.find("dtype"))
      if (const Json* name = std::get_if<Json>(&dtype->value); name && name->is_string())
        result.dtype = dtype_named(name->as_string());
    if (const aten::Argument* other = operation.find("other"); operation.plain_name() == "to" && other)
      if (const auto* tensor = std::get_if<std::string>(&other->value)) result.dtype = type_of(*tensor).dtype;
    const std::string_view name = operation.plain_name();
    const bool is_view = name == "view" || name == "reshape" || name == "_unsafe_view";
    if (is_view && first && type_of(*first).shape && operation.arguments.size() > 1)
      if (const Json* sizes = std::get_if<Json>(&operation.arguments[1].value); sizes && sizes->is_array())
        result.shape = viewed(*type_of(*first).shape, sizes->as_array());
    const bool makes = name == "zeros" || name == "ones" || name == "full" || name == "empty" || name == "new_zeros";
    for (const aten::Argument& argument : operation.arguments)
      if (const Json* sizes = std::get_if<Json>(&argument.value);
          makes && argument.name == "size" && sizes && sizes->is_array())
        result.shape = viewed({}, sizes->as_array());
    if (makes && !result.dtype) result.dtype = DType::Float32;
    return result;
  }

  static SymbolicShape viewed(const SymbolicShape& from, const Json::Array& sizes) {
    SymbolicShape result;
    Size all = 1, others = 1;
    for (const Size& size : from) all = all * size;
    std::optional<std::size_t> open;
    for (const Json& json : sizes) {
      const Size size = json.is_string() ? Size::parse(json.as_string()) : Size(json.as_integer());
      if (size == Size(-1))
        open = result.size();
      else
        others = others * size;
      result.push_back(size);
    }
    if (open) result[*open] = all.floor_divide(others);
    return result;
  }

  /// The one operation with what it takes as inputs.
  aten::Graph alone(const aten::Operation& operation) const {
    aten::Graph graph;
    std::set<std::string> taken;
    const auto take = [&](const std::string& name) {
      if (!taken.insert(name).second) return;
      graph.values[name] = type_of(name);
      if (const auto own = own_.find(name); own == own_.end()) graph.inputs.push_back(name);
    };
    for (const aten::Argument& argument : operation.arguments) {
      if (const auto* name = std::get_if<std::string>(&argument.value)) take(*name);
      if (const auto* names = std::get_if<aten::Names>(&argument.value))
        for (const auto& name : *names)
          if (name) take(*name);
    }
    for (const aten::OwnTensor& own : result_.graph.own)
      if (taken.contains(own.name) || own.in_state) graph.own.push_back(own);
    for (const auto& output : operation.outputs) {
      graph.values[*output] = type_of(*output);
      graph.outputs.push_back({"", *output});
      graph.makers[*output] = 0;
      if (used_.contains(*output)) graph.last_uses[*output] = 1;
    }
    if (graph.inputs.empty()) {  // what makes tensors of numbers: any input does
      graph.inputs.push_back("input");
      graph.values["input"] = {DType::Float32, SymbolicShape{1}};
    }
    graph.operations.push_back(operation);
    return graph;
  }

  void find_types(aten::Operation& operation) {
    if (!frozen_.empty()) operation.modules.push_back(frozen_.back());
    frozen_.clear();
    const Architecture made = architecture_of_graph(alone(operation), state());
    const Types types = infer_types(made);
    for (std::size_t i = 0; i < operation.outputs.size(); ++i) {
      const TensorType& type = types.of(made.outputs.at(i).value);
      result_.graph.values[*operation.outputs[i]] = {type.dtype, type.shape};
    }
  }

  std::size_t count_of_outputs(aten::Operation operation) {
    const std::string name = "value:list";
    result_.graph.values[name] = guessed(operation);
    operation.outputs.emplace_back(name);
    const Architecture made = architecture_of_graph(alone(operation), state());
    return infer_types(made).outputs_of(made.outputs.at(0).value.node).size();
  }

  /// With the constants that have names by now.
  Pt2Model state() const {
    Pt2Model result = state_;
    for (const auto& [constant, name] : result_.named) {
      Pt2Tensor tensor = *own_.at(constant);
      tensor.name = name;
      tensor.is_parameter = !name.ends_with("running_mean") && !name.ends_with("running_var");
      result.weights.push_back(std::move(tensor));
    }
    return result;
  }

  void add_outputs(const ScriptValue& value, const std::string& key) {
    if (const std::string* tensor = value.tensor()) {
      result_.graph.outputs.push_back({key, *tensor});
      return;
    }
    const ScriptList* list = value.list();
    if (value.is_none()) return;
    if (!list) throw Unsupported("forward returns what is no tensor");
    if (!list->empty() && std::get_if<Json>(&list->front().held) && (*list)[0].size() == std::nullopt &&
        std::get<Json>(list->front().held) == Json(":dict")) {
      for (std::size_t i = 1; i + 1 < list->size(); i += 2)
        add_outputs((*list)[i + 1], json_of((*list)[i]).as_string());
      return;
    }
    for (const ScriptValue& element : *list) add_outputs(element, key);
  }

  void note_uses() {
    aten::Graph& graph = result_.graph;
    for (std::size_t i = 0; i < graph.operations.size(); ++i) {
      for (const auto& name : graph.operations[i].outputs)
        if (name) graph.makers.emplace(*name, i);
      for (const aten::Argument& argument : graph.operations[i].arguments) {
        if (const auto* name = std::get_if<std::string>(&argument.value)) graph.last_uses[*name] = i;
        if (const auto* names = std::get_if<aten::Names>(&argument.value))
          for (const auto& name : *names)
            if (name) graph.last_uses[*name] = i;
      }
    }
    for (const aten::GraphOutput& output : graph.outputs) graph.last_uses[output.name] = graph.operations.size();
    for (const aten::OwnTensor& own : graph.own)
      if (own.in_state) graph.own_keys.emplace(own.name, own.key);
  }

  const aten::ScriptGraph& script_;
  const Pt2Model& state_;
  Passage result_;
  std::map<std::size_t, ScriptValue> values_;
  std::map<std::string, const Pt2Tensor*> own_;
  std::vector<aten::ModuleCall> modules_, frozen_;
  std::set<std::string> used_, paths_;
  std::set<std::size_t> doubles_;  // constants of one float64 that are numbers here
  std::size_t steps_ = 0, calls_ = 0, made_ = 0;
};

}  // namespace

Passage follow(const aten::ScriptGraph& script, const Pt2Model& state, const std::vector<Input>& inputs) {
  Passage passage = Interpreter(script, state).run(inputs);
  passage.inputs = inputs;
  return passage;
}

}  // namespace h5bridge::script
