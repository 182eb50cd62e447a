#include "pytorch/whole_module/graph.h"

#include <algorithm>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/whole_module/layer.h"
#include "pytorch/whole_module/pickled_module.h"
#include "pytorch/whole_module/transformer.h"

namespace h5bridge {
namespace {

/// Containers that hand on what they are given, part by part.
bool is_chain(const pickle::Value& module) {
  return torch_nn_class(module) == "Sequential" ||
         module_class(module) == "torch.nn.parallel.data_parallel.DataParallel";
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// The network itself is called by its class; with the tensors of one, that have no layer's name (model_itself.h).
std::string name_of_layer(const Layer& layer, const std::string& path) {
  if (!path.empty()) return path;
  const bool has_tensors = !Registry::instance().type_of(layer).parameters(layer.attributes).empty();
  return (has_tensors ? "." : "") + lower(layer.type);
}

}  // namespace

ModuleOperands operands_of_module(const pickle::Value& module) {
  if (is_chain(module)) return {{"input"}};
  const std::string type_name = torch_nn_class(module);
  if (const auto* transformer = transformer_named(type_name))
    return {transformer->operands, transformer->operands.size() > 1};
  const LayerType* type = type_name.empty() ? nullptr : Registry::instance().find(type_name);
  if (!type)
    throw Unsupported("the forward of " + shortened(module_class(module)) + " is code, which is not in the file");
  ModuleOperands result;
  for (const Operand& operand : type->operands)
    if (operand.kind == Operand::Kind::Required) result.names.push_back(operand.name);
  return result;
}

Value ModuleGraph::call(const pickle::Value& module, const std::string& path, const std::vector<Value>& given) {
  const auto within = [&](const std::string& child) { return path.empty() ? child : path + "." + child; };
  const auto* transformer = transformer_named(torch_nn_class(module));
  if (!transformer && !is_chain(module)) return call_layer(module, path, given, {});
  refuse_own_code(module, path);
  if (transformer) {
    if (given.size() != transformer->operands.size())
      throw Unsupported(describe_module(module, path) + " takes " + joined(transformer->operands) +
                        ", and is handed one value");
    return transformer->call(*this, module, path, given);
  }
  if (children_of(module).empty()) throw Unsupported(describe_module(module, path) + " has nothing in it");
  std::vector<Value> values = given;
  for (const auto& [child, inner] : children_of(module)) values = {call(*inner, within(child), values)};
  return values.front();
}

Value ModuleGraph::call_part(const pickle::Value& module, const std::string& path, const std::string& part,
                             const std::vector<Value>& given, const Json::Object& settings) {
  const std::string inner = path.empty() ? part : path + "." + part;
  for (const auto& [name, child] : children_of(module))
    if (name == part) return settings.empty() ? call(*child, inner, given) : call_layer(*child, inner, given, settings);
  throw Unsupported(describe_module(module, path) + " has no \"" + part + "\" in it");
}

Value ModuleGraph::call_function(const std::string& type, const std::string& name, const std::vector<Value>& given) {
  const std::string layer = unique_name(name, [&](const std::string& taken) { return places_.contains(taken); });
  add_layer({layer, type, Registry::instance().find(type)->defaults(), {}});
  return add_call(layer, given);
}

Value ModuleGraph::call_layer(const pickle::Value& module, const std::string& path, const std::vector<Value>& given,
                              const Json::Object& settings) {
  auto known = layers_.find(&module);
  if (known == layers_.end()) {
    Layer layer = layer_of_module(file_, module, path, settings);
    layer.name = name_of_layer(layer, path);
    const auto& operands = Registry::instance().type_of(layer).operands;
    const bool takes_list = !operands.empty() && operands.front().is_list();
    const auto needed = std::ranges::count(operands, Operand::Kind::Required, &Operand::kind);
    if (takes_list || static_cast<std::size_t>(needed) != given.size())
      throw Unsupported(describe(layer) + " takes " + to_string(operands) + ", and is handed one value");
    known = layers_.emplace(&module, layer.name).first;
    add_layer(std::move(layer));
  }
  return add_call(known->second, given);
}

void ModuleGraph::add_layer(Layer layer) {
  places_.emplace(layer.name, result_.layers.size());
  result_.layers.push_back(std::move(layer));
}

Value ModuleGraph::add_call(const std::string& layer, const std::vector<Value>& given) {
  const std::string name = node_names_.unique(layer);
  result_.nodes.push_back(node_of(name, result_.layers[places_.at(layer)], {given}));
  return {name, 0};
}

}  // namespace h5bridge
