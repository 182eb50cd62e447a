#include "pytorch/torchscript/passage.h"

#include <algorithm>

#include "facets/aten/row.h"
#include "h5bridge/error.h"
#include "passes/infer_types.h"
#include "pytorch/exported_program/layers.h"

namespace h5bridge::script {
namespace {

/// c10's numbers of element types, as names.
const std::map<std::int64_t, const char*>& dtype_names() {
  static const std::map<std::int64_t, const char*> names{
      {0, "uint8"},   {1, "int8"},    {2, "int16"},     {3, "int32"},       {4, "int64"}, {5, "float16"},
      {6, "float32"}, {7, "float64"}, {9, "complex64"}, {10, "complex128"}, {11, "bool"}, {15, "bfloat16"}};
  return names;
}

aten::Names names_in(const ScriptList& list) {
  aten::Names names;
  for (const ScriptValue& element : list) {
    if (!element.tensor() && !element.is_none()) throw Unsupported("takes a list of tensors and of others");
    names.push_back(element.tensor() ? std::optional(*element.tensor()) : std::nullopt);
  }
  return names;
}

SymbolicShape viewed(const SymbolicShape& from, const Json::Array& sizes) {
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

}  // namespace

const char* dtype_name(std::int64_t number) {
  const auto found = dtype_names().find(number);
  return found == dtype_names().end() ? nullptr : found->second;
}

std::optional<std::int64_t> dtype_number(DType dtype) {
  for (const auto& [number, name] : dtype_names())
    if (name_of(dtype) == name) return number;
  return std::nullopt;
}

PassageBuilder::PassageBuilder(const Pt2Model& state) : state_(state) {
  for (const Pt2Tensor& tensor : state_.weights) add_own(tensor.name, tensor, true);
  for (const Pt2Tensor& tensor : state_.constants) add_own(tensor.name, tensor, false);
}

void PassageBuilder::add_own(const std::string& name, const Pt2Tensor& tensor, bool in_state) {
  SymbolicShape shape(tensor.tensor.shape().begin(), tensor.tensor.shape().end());
  passage.graph.values[name] = {tensor.tensor.dtype(), std::move(shape)};
  passage.graph.own.push_back({name, name, in_state});
  own_.emplace(name, &tensor);
}

const Pt2Tensor* PassageBuilder::find_own(const std::string& name) const {
  const auto own = own_.find(name);
  return own == own_.end() ? nullptr : own->second;
}

const SymbolicShape& PassageBuilder::shape_of(const std::string& tensor) const {
  const auto& type = type_of(tensor);
  if (!type.shape) throw Unsupported("asks for a size that is not known");
  return *type.shape;
}

aten::Argument PassageBuilder::argument_of(const aten::ScriptArgument& schema, const ScriptValue& value) {
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
      const char* dtype = dtype_name(json.as_integer());
      if (!dtype) throw Unsupported("its dtype is one that no file holds");
      result.value = Json(dtype);
    }
  }
  return result;
}

void PassageBuilder::prepare(aten::Operation& operation) {
  name_constants(operation);
  note_numbers(operation);
}

void PassageBuilder::add_output(aten::Operation& operation, bool is_used) {
  operation.outputs.emplace_back("value:" + std::to_string(++made_));
  passage.graph.values[*operation.outputs.back()] = guessed(operation);
  if (is_used) used_.insert(*operation.outputs.back());
}

void PassageBuilder::add(aten::Operation operation) {
  find_types(operation);
  passage.graph.operations.push_back(std::move(operation));
  ++passage.steps;
  passage.numbers.clear();
}

/// A frozen module has its parameters as constants: they are called as a module's of that operator would be.
void PassageBuilder::name_constants(aten::Operation& operation) {
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
      passage.named.emplace_back(name, wanted);
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
aten::Call PassageBuilder::as_call(const aten::Operation& operation) const {
  aten::Call call(passage.graph, operation);
  for (const aten::Argument& argument : operation.arguments) {
    if (const Json* json = std::get_if<Json>(&argument.value)) call.attributes.set(argument.name, *json);
    if (const auto* name = std::get_if<std::string>(&argument.value))
      call.operands.push_back({argument.name, {*name}, false});
    if (const auto* names = std::get_if<aten::Names>(&argument.value))
      call.operands.push_back({argument.name, *names, true});
  }
  return call;
}

std::string PassageBuilder::unique_path(std::string name) {
  while (name.starts_with('_')) name.erase(0, 1);
  std::string path = name;
  for (int number = 1; !paths_.insert(path).second; ++number) path = name + "_" + std::to_string(number);
  return path;
}

void PassageBuilder::note_numbers(const aten::Operation& operation) {
  passage.numbers.clear();
  const auto add = [&](std::int64_t number) {
    if (number > 0) passage.numbers.insert(number);
  };
  std::int64_t groups = 1;
  if (const aten::Argument* argument = operation.find("groups"))
    if (const Json* json = std::get_if<Json>(&argument->value); json && json->is_integer()) groups = json->as_integer();
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
aten::ValueType PassageBuilder::guessed(const aten::Operation& operation) const {
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
  if (name == "arange" && !result.dtype) {
    const bool of_floats = std::ranges::any_of(operation.arguments, [](const aten::Argument& argument) {
      const Json* number = std::get_if<Json>(&argument.value);
      return number && number->is_float();
    });
    result.dtype = of_floats ? DType::Float32 : DType::Int64;
  }
  return result;
}

/// The one operation with what it takes as inputs.
aten::Graph PassageBuilder::alone(const aten::Operation& operation) const {
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
  for (const aten::OwnTensor& own : passage.graph.own)
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

void PassageBuilder::find_types(aten::Operation& operation) {
  if (!frozen_.empty()) operation.modules.push_back(frozen_.back());
  frozen_.clear();
  const Architecture made = architecture_of_graph(alone(operation), state());
  const Types types = infer_types(made);
  for (std::size_t i = 0; i < operation.outputs.size(); ++i) {
    const TensorType& type = types.of(made.outputs.at(i).value);
    passage.graph.values[*operation.outputs[i]] = {type.dtype, type.shape};
  }
}

std::size_t PassageBuilder::count_of_outputs(aten::Operation operation) {
  const std::string name = "value:list";
  passage.graph.values[name] = guessed(operation);
  operation.outputs.emplace_back(name);
  const Architecture made = architecture_of_graph(alone(operation), state());
  return infer_types(made).outputs_of(made.outputs.at(0).value.node).size();
}

/// With the constants that have names by now.
Pt2Model PassageBuilder::state() const {
  Pt2Model result = state_;
  for (const auto& [constant, name] : passage.named) {
    Pt2Tensor tensor = *own_.at(constant);
    tensor.name = name;
    tensor.is_parameter = !name.ends_with("running_mean") && !name.ends_with("running_var");
    result.weights.push_back(std::move(tensor));
  }
  return result;
}

void PassageBuilder::note_uses() {
  aten::Graph& graph = passage.graph;
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

}  // namespace h5bridge::script
