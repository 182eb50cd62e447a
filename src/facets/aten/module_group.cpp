#include "facets/aten/module_group.h"

#include <algorithm>

namespace h5bridge::aten {
namespace {

template <typename Visit>
void each_tensor(const Operation& operation, const Visit& visit) {
  for (const Argument& argument : operation.arguments) {
    if (const auto* name = std::get_if<std::string>(&argument.value)) visit(*name);
    if (const auto* names = std::get_if<Names>(&argument.value))
      for (const auto& name : *names)
        if (name) visit(*name);
  }
}

bool is_below(const Operation& operation, std::size_t depth, const ModuleCall& module) {
  return operation.modules.size() > depth && operation.modules[depth].path == module.path &&
         operation.modules[depth].key == module.key;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

}  // namespace

ModuleGroup::ModuleGroup(const Graph& graph, std::size_t begin, std::size_t depth) : graph_(graph) {
  const ModuleCall& module = graph.operations.at(begin).modules.at(depth);
  path_ = module.path;
  for (std::size_t i = begin; i < graph.operations.size(); ++i) {
    const Operation& operation = graph.operations[i];
    if (operation.gives_sizes) continue;
    if (!is_below(operation, depth, module)) break;
    if (!operation.outputs.empty()) operations_.push_back(&operation);
    end_ = i + 1;
  }
}

std::vector<const Operation*> ModuleGroup::all(std::string_view name) const {
  std::vector<const Operation*> result;
  for (const Operation* operation : operations_)
    if (operation->plain_name() == name) result.push_back(operation);
  return result;
}

bool ModuleGroup::are(const std::vector<std::string>& names) const {
  return std::ranges::equal(operations_, names, {}, &Operation::plain_name);
}

const Operation* ModuleGroup::maker_of(const std::string& tensor) const {
  const Operation* operation = maker_anywhere(tensor);
  return std::ranges::count(operations_, operation) ? operation : nullptr;
}

const Operation* ModuleGroup::maker_anywhere(const std::string& tensor) const {
  const auto found = graph_.makers.find(tensor);
  return found == graph_.makers.end() ? nullptr : &graph_.operations[found->second];
}

std::string ModuleGroup::own_name(const std::string& tensor) const {
  const auto found = graph_.own_keys.find(tensor);
  if (found == graph_.own_keys.end() || !found->second.starts_with(path_ + ".")) return {};
  return found->second.substr(path_.size() + 1);
}

std::vector<std::string> ModuleGroup::given() const {
  std::vector<std::string> result;
  for (const Operation* operation : operations_)
    each_tensor(*operation, [&](const std::string& name) {
      if (!maker_of(name) && own_name(name).empty()) add_once(result, name);
    });
  return result;
}

std::vector<std::string> ModuleGroup::results() const {
  std::vector<std::string> result;
  for (const Operation* operation : operations_)
    for (const auto& name : operation->outputs) {
      const auto use = name ? graph_.last_uses.find(*name) : graph_.last_uses.end();
      if (use != graph_.last_uses.end() && use->second >= end_) result.push_back(*name);
    }
  return result;
}

std::optional<Shape> ModuleGroup::sizes(const std::string& tensor) const {
  const auto found = graph_.values.find(tensor);
  return found != graph_.values.end() && found->second.shape ? fixed(*found->second.shape) : std::nullopt;
}

std::optional<KnownNumbers> ModuleGroup::elements(const std::string& tensor) const {
  constexpr std::int64_t kFew = std::int64_t{1} << 20;
  if (const auto found = graph_.elements.find(tensor); found != graph_.elements.end()) return found->second;
  for (const auto* tensors : {&graph_.constants, &graph_.buffers})
    if (const auto found = tensors->find(tensor); found != tensors->end())
      if (is_foldable(found->second.dtype()) && found->second.element_count() <= kFew)
        return KnownNumbers::of(found->second, 0);
  return std::nullopt;
}

std::optional<std::int64_t> ModuleGroup::last_size(const std::string& tensor) const {
  const auto found = graph_.values.find(tensor);
  if (found == graph_.values.end() || !found->second.shape || found->second.shape->empty()) return {};
  return found->second.shape->back().value();
}

bool is_first_of_module(const Graph& graph, std::size_t operation, std::size_t depth) {
  const ModuleCall& module = graph.operations.at(operation).modules.at(depth);
  for (std::size_t i = operation; i-- > 0;)
    if (!graph.operations[i].gives_sizes) return !is_below(graph.operations[i], depth, module);
  return true;
}

const std::string* tensor_of(const Operation& operation, std::string_view argument) {
  const Argument* found = operation.find(argument);
  return found ? std::get_if<std::string>(&found->value) : nullptr;
}

Json value_of(const Operation& operation, std::string_view argument) {
  const Argument* found = operation.find(argument);
  const Json* value = found ? std::get_if<Json>(&found->value) : nullptr;
  return value ? *value : Json();
}

}  // namespace h5bridge::aten
