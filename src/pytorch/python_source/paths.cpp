#include "pytorch/python_source/paths.h"

#include <algorithm>
#include <memory>

namespace h5bridge::torch_source {
namespace {

// nn.Module has something of this name itself, so that it takes no child of it by add_module.
bool is_reserved(const std::string& name) { return is_python_name(name) && !is_attribute_name(name); }

std::string table_of(const SourceModule& child) {
  return !child.tensor ? "_modules" : child.tensor->is_parameter ? "_parameters" : "_buffers";
}

// Its parts are called 0, 1, 2, ... in order.
bool is_numbered(const SourceModule& module) {
  if (module.children.empty() || module.is_leaf()) return false;
  for (std::size_t i = 0; i < module.children.size(); ++i)
    if (module.children[i]->name != std::to_string(i)) return false;
  return true;
}

bool is_tensor(const std::unique_ptr<SourceModule>& child) { return child->tensor.has_value(); }

}  // namespace

bool is_list(const SourceModule& module) {
  return is_numbered(module) && std::ranges::none_of(module.children, is_tensor);
}

bool is_parameter_list(const SourceModule& module) {
  return is_numbered(module) && std::ranges::all_of(module.children, [](const auto& child) {
           return is_tensor(child) && child->tensor->is_parameter && is_floating_point(child->tensor->dtype);
         });
}

bool is_dict(const SourceModule& module) {
  if (module.children.empty() || module.is_leaf() || is_numbered(module)) return false;
  return std::ranges::all_of(module.children, [](const auto& child) {
    return !is_tensor(child) && !child->name.empty() &&
           child->name.find_first_not_of("0123456789") == std::string::npos;
  });
}

std::string child_of(const std::string& holder, const SourceModule& child, Language language) {
  if (child.is_base()) return language == Language::TorchScript ? holder : "super()";
  if (language == Language::TorchScript)  // which has no lists of modules
    return is_python_name(child.name) ? holder + "." + child.name
                                      : "getattr(" + holder + ", " + python_string(child.name) + ")";
  const SourceModule* parent =
      child.parent && child.parent->parent && !child.parent->is_called ? child.parent : nullptr;
  if (child.parent && child.parent->parent && is_list(*child.parent)) return holder + "[" + child.name + "]";
  if (parent && is_parameter_list(*parent)) return holder + "[" + child.name + "]";
  if (parent && is_dict(*parent)) return holder + "[" + python_string(child.name) + "]";
  if (is_attribute_name(child.name)) return holder + "." + child.name;
  if (is_reserved(child.name)) return holder + "." + table_of(child) + "[" + python_string(child.name) + "]";
  return "getattr(" + holder + ", " + python_string(child.name) + ")";
}

std::string path_from(const SourceModule& from, const SourceModule& module, Language language) {
  if (&from == &module) return "self";
  return child_of(path_from(from, *module.parent, language), module, language);
}

std::pair<std::string, std::string> around_assignment(const std::string& holder, const SourceModule& child) {
  const std::string name = python_string(child.name);
  if (is_reserved(child.name)) return {holder + "." + table_of(child) + "[" + name + "] = ", ""};
  if (child.tensor && !child.tensor->is_parameter) return {holder + ".register_buffer(" + name + ", ", ")"};
  if (is_attribute_name(child.name)) return {holder + "." + child.name + " = ", ""};
  if (child.tensor) return {holder + ".register_parameter(" + name + ", ", ")"};
  return {holder + ".add_module(" + name + ", ", ")"};
}

std::string assignment(const std::string& holder, const SourceModule& child, const std::string& value) {
  const auto [before, behind] = around_assignment(holder, child);
  return before + value + behind;
}

}  // namespace h5bridge::torch_source
