// TorchScript archives as LibTorch loads them, as data.
#include <torch/script.h>

#include <map>

#include "facets/aten/script.h"
#include "facets/libtorch/tensors.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "runtime/torch_error.h"

namespace h5bridge {
namespace {

using aten::ScriptArgument;
using aten::ScriptBlock;
using aten::ScriptGraph;
using aten::ScriptNode;
using torch::jit::Module;

constexpr std::size_t kDeepest = 64;           // calls within calls
constexpr std::size_t kMostNodes = 1'000'000;  // of all calls
constexpr std::string_view kMangle = "___torch_mangle_";

/// "torch.nn.modules.linear.Linear" of "__torch__.torch.nn.modules.linear.___torch_mangle_0.Linear".
std::string class_of(const Module& module) {
  std::string name = module.type()->name() ? module.type()->name()->qualifiedName() : "";
  if (constexpr std::string_view root = "__torch__."; name.starts_with(root)) name.erase(0, root.size());
  for (std::size_t at = 0; (at = name.find(kMangle, at)) != std::string::npos;) {
    const std::size_t dot = name.find('.', at);
    name.erase(at, dot == std::string::npos ? std::string::npos : dot + 1 - at);
  }
  return name;
}

/// A constant that attributes can be; nothing for others.
std::optional<Json> json_of(const c10::IValue& value) {
  if (value.isNone()) return Json();
  if (value.isBool()) return Json(value.toBool());
  if (value.isInt()) return Json(value.toInt());
  if (value.isDouble()) return Json(value.toDouble());
  if (value.isString()) return Json(value.toStringRef());
  if (value.isDevice()) return Json(value.toDevice().str());
  const bool is_list = value.isList(), is_tuple = value.isTuple();
  if (!is_list && !is_tuple) return std::nullopt;
  Json::Array elements;
  const auto add = [&](const c10::IValue& element) {
    const auto json = json_of(element);
    if (json) elements.push_back(*json);
    return json.has_value();
  };
  if (is_list) {
    for (const c10::IValue& element : value.toListRef())
      if (!add(element)) return std::nullopt;
  } else {
    for (const c10::IValue& element : value.toTupleRef().elements())
      if (!add(element)) return std::nullopt;
  }
  return Json(std::move(elements));
}

/// A module that a value is, and where it stands.
struct Held {
  std::string path;
  Module module;
};

std::string within(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

class GraphReader {
 public:
  ScriptGraph read(Module module) {
    module.eval();
    ScriptGraph result;
    result.type = class_of(module);
    add_paths("", module, result.modules, 0);
    for (const auto& parameter : module.named_parameters()) {
      result.parameters.emplace(parameter.name, parameter.value.requires_grad());
      known_.emplace_back(parameter.value, parameter.name);
    }
    for (const auto& buffer : module.named_buffers()) known_.emplace_back(buffer.value, buffer.name);
    const auto method = module.find_method("forward");
    if (!method) throw Unsupported("its module has no forward");
    const auto graph = method->graph();
    Frame frame;
    frame.held.emplace(graph->inputs().at(0), Held{"", module});
    for (std::size_t i = 1; i < graph->inputs().size(); ++i) {
      result.forward.inputs.push_back(frame.number(graph->inputs()[i], next_));
      result.input_names.push_back(graph->inputs()[i]->debugName());
    }
    read_block(*graph->block(), frame, result.forward, 0);
    result.constants = std::move(constants_);
    return result;
  }

 private:
  /// What is known of the values of one function that is read.
  struct Frame {
    std::map<const torch::jit::Value*, std::size_t> numbers;
    std::map<const torch::jit::Value*, Held> held;
    std::map<const torch::jit::Value*, torch::jit::Function*> functions;

    std::size_t number(const torch::jit::Value* value, std::size_t& next) {
      const auto [at, is_new] = numbers.emplace(value, next);
      if (is_new) ++next;
      return at->second;
    }
  };

  static void add_paths(const std::string& path, const Module& module, std::vector<std::string>& paths,
                        std::size_t depth) {
    if (depth > kDeepest) throw Unsupported("its modules are nested more than 64 deep");
    paths.push_back(path);
    for (const auto& child : module.named_children())
      add_paths(within(path, child.name), child.value, paths, depth + 1);
  }

  void read_block(const torch::jit::Block& block, Frame& frame, ScriptBlock& into, std::size_t depth) {
    for (const torch::jit::Node* node : block.nodes()) read_node(*node, frame, into, depth);
    for (const torch::jit::Value* output : block.outputs()) into.outputs.push_back(frame.number(output, next_));
  }

  ScriptNode started(const torch::jit::Node& node, Frame& frame, std::string kind) {
    if (++nodes_ > kMostNodes) throw Unsupported("its graph has more than 1000000 nodes");
    ScriptNode result;
    result.kind = std::move(kind);
    for (const torch::jit::Value* output : node.outputs()) {
      result.outputs.push_back(frame.number(output, next_));
      result.is_used.push_back(output->hasUses());
    }
    return result;
  }

  void read_node(const torch::jit::Node& node, Frame& frame, ScriptBlock& into, std::size_t depth) {
    if (depth > kDeepest) throw Unsupported("its calls are nested more than 64 deep");
    if (node.kind() == c10::prim::Constant) return read_constant(node, frame, into);
    if (node.kind() == c10::prim::GetAttr) return read_attribute(node, frame, into);
    if (node.kind() == c10::prim::CallMethod || node.kind() == c10::prim::CallFunction)
      return read_call(node, frame, into, depth);
    ScriptNode result = started(node, frame, node.kind().toQualString());
    for (const torch::jit::Value* input : node.inputs()) result.inputs.push_back(frame.number(input, next_));
    if (const auto* schema = node.maybeSchema())
      for (const c10::Argument& argument : schema->arguments()) result.arguments.push_back(argument_of(argument));
    if (node.outputs().size() == 1)
      if (const auto list = node.output()->type()->cast<c10::ListType>())
        result.gives_list = list->getElementType()->isSubtypeOf(*c10::TensorType::get());
    for (const torch::jit::Block* inner : node.blocks()) {
      ScriptBlock block;
      for (const torch::jit::Value* input : inner->inputs()) block.inputs.push_back(frame.number(input, next_));
      read_block(*inner, frame, block, depth);
      result.blocks.push_back(std::move(block));
    }
    into.nodes.push_back(std::move(result));
  }

  static ScriptArgument argument_of(const c10::Argument& argument) {
    const auto is_dtype = [](c10::TypePtr type) {
      if (const auto optional = type->cast<c10::OptionalType>()) type = optional->getElementType();
      return type->kind() == c10::TypeKind::ScalarTypeType;
    };
    ScriptArgument result{argument.name(), is_dtype(argument.real_type()), {}};
    if (argument.default_value()) result.fallback = json_of(*argument.default_value());
    return result;
  }

  void read_constant(const torch::jit::Node& node, Frame& frame, ScriptBlock& into) {
    const torch::jit::Value* output = node.output();
    if (const auto function = output->type()->cast<c10::FunctionType>()) {
      frame.functions.emplace(output, function->function());
      return;
    }
    ScriptNode result = started(node, frame, "constant");
    const auto value = torch::jit::toIValue(output);
    set_value(result, value ? *value : c10::IValue(), "");
    into.nodes.push_back(std::move(result));
  }

  /// `name`: of a tensor in the state_dict; empty for a constant.
  void set_value(ScriptNode& node, const c10::IValue& value, const std::string& name) {
    if (value.isTensor()) {
      node.kind = "tensor";
      node.text = name.empty() ? name_of(value.toTensor()) : name;
    } else if (value.isTensorList() && !value.toTensorList().empty()) {
      node.kind = "tensors";
      Json::Array names;
      for (const torch::Tensor& tensor : value.toTensorVector()) names.emplace_back(name_of(tensor));
      node.constant = std::move(names);
    } else if (const auto json = json_of(value)) {
      node.kind = "constant";
      node.constant = *json;
    } else {
      node.kind = "unknown";
      node.text = "a value of type " + shortened(value.type()->str());
    }
  }

  /// In the state_dict, or as a constant.
  std::string name_of(const torch::Tensor& tensor) {
    for (const auto& [known, name] : known_)
      if (known.is_same(tensor) ||
          (known.has_storage() && tensor.has_storage() && tensor.numel() > 0 && known.data_ptr() == tensor.data_ptr() &&
           known.sizes() == tensor.sizes() && known.strides() == tensor.strides() && known.dtype() == tensor.dtype()))
        return name;
    const std::string name = ":constant_" + std::to_string(constants_.size());
    constants_.push_back({name, from_torch(tensor.detach())});
    known_.emplace_back(tensor, name);
    return name;
  }

  void read_attribute(const torch::jit::Node& node, Frame& frame, ScriptBlock& into) {
    const auto holder = frame.held.find(node.input());
    const std::string& name = node.s(c10::attr::name);
    if (holder == frame.held.end()) {
      ScriptNode result = started(node, frame, "unknown");
      result.text = "the attribute " + shortened(name) + " of what is no module of its own";
      into.nodes.push_back(std::move(result));
      return;
    }
    const Module& module = holder->second.module;
    const c10::IValue value = module.attr(name);
    const std::string path = within(holder->second.path, name);
    if (value.isModule()) {
      frame.held.emplace(node.output(), Held{path, value.toModule()});
      return;
    }
    ScriptNode result = started(node, frame, "constant");
    const auto& type = module.type();
    const std::size_t slot = type->getAttributeSlot(name);
    set_value(result, value, type->is_parameter(slot) || type->is_buffer(slot) ? path : "");
    into.nodes.push_back(std::move(result));
  }

  void read_call(const torch::jit::Node& node, Frame& frame, ScriptBlock& into, std::size_t depth) {
    ScriptNode result = started(node, frame, "call");
    std::shared_ptr<torch::jit::Graph> graph;
    Frame inner;
    if (node.kind() == c10::prim::CallMethod) {
      const auto holder = frame.held.find(node.input(0));
      const std::string& name = node.s(c10::attr::name);
      const auto method = holder == frame.held.end() ? std::nullopt : holder->second.module.find_method(name);
      if (!method) throw Unsupported("calls the method " + shortened(name) + " of what is no module");
      graph = method->graph();
      result.text = holder->second.path;
      result.type = class_of(holder->second.module);
      inner.held.emplace(graph->inputs().at(0), holder->second);
    } else {
      const auto function = frame.functions.find(node.input(0));
      if (function == frame.functions.end()) throw Unsupported("calls a function that is not known");
      graph = torch::jit::toGraphFunction(*function->second).graph();
    }
    const bool is_method = node.kind() == c10::prim::CallMethod;
    ScriptBlock block;
    for (std::size_t i = 1; i < node.inputs().size(); ++i) {
      const torch::jit::Value* parameter = graph->inputs().at(is_method ? i : i - 1);
      if (const auto held = frame.held.find(node.inputs()[i]); held != frame.held.end()) {
        inner.held.emplace(parameter, held->second);
        continue;
      }
      result.inputs.push_back(frame.number(node.inputs()[i], next_));
      block.inputs.push_back(inner.number(parameter, next_));
    }
    read_block(*graph->block(), inner, block, depth + 1);
    result.blocks.push_back(std::move(block));
    into.nodes.push_back(std::move(result));
  }

  std::size_t next_ = 0;
  std::size_t nodes_ = 0;
  std::vector<NamedTensor> constants_;
  std::vector<std::pair<torch::Tensor, std::string>> known_;
};

ScriptGraph read_script(const std::string& path) {
  std::optional<Module> module;
  try {
    module = torch::jit::load(path, torch::kCPU);
  } catch (const c10::Error& error) {
    throw MalformedFile("LibTorch cannot load it: " + shortened(error.what_without_backtrace()));
  }
  return with_torch_errors([&] { return GraphReader().read(*module); });
}

}  // namespace
}  // namespace h5bridge

/// What runner/script.cpp looks up in this library. The caller owns the result.
extern "C" h5bridge::aten::ScriptGraph* h5bridge_script_graph(const std::string& path) {
  return new h5bridge::aten::ScriptGraph(h5bridge::read_script(path));
}
