#include "pytorch/whole_module/architecture.h"

#include "pytorch/tensor.h"
#include "pytorch/whole_module/graph.h"
#include "pytorch/whole_module/input.h"
#include "pytorch/whole_module/pickled_module.h"

namespace h5bridge {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

/// What the state_dict's names say beside the graph.
void add_names(const pickle::Value& root, Architecture& architecture) {
  std::map<pickle::Ref, std::string> modules;                  // to the first name of each
  std::map<pickle::Ref, std::vector<std::string>> parameters;  // to the first names of those who have it
  std::vector<pickle::Ref> order;
  for (const auto& [name, module] : modules_in(root)) {
    const auto [first, is_new] = modules.emplace(module, name);
    const auto add = [&](const NamedRefs& tensors, auto&& when_new) {
      for (const auto& [tensor, value] : tensors) {
        const std::string path = joined(name, tensor);
        architecture.state_dict.push_back(path);
        if (is_new)
          when_new(path, value);
        else
          architecture.aliases.emplace_back(path, joined(first->second, tensor));
      }
    };
    add(own_parameters(*module), [&](const std::string& path, pickle::Ref value) {
      if (parameters[value].empty()) order.push_back(value);
      parameters[value].push_back(path);
      if (!requires_grad(*value)) architecture.frozen.push_back(path);
    });
    add(own_buffers(*module), [&](const std::string& path, pickle::Ref) { architecture.buffers.push_back(path); });
  }
  for (const pickle::Ref parameter : order)
    if (parameters[parameter].size() > 1) architecture.ties.push_back(parameters[parameter]);
}

}  // namespace

Architecture architecture_of_module(const TorchFile& file, const pickle::Value& module,
                                    const std::map<std::string, std::int64_t>& sizes) {
  const ModuleOperands operands = operands_of_module(module);
  ModuleGraph graph(file);
  std::vector<Value> given;
  for (const std::string& operand : operands.names) given.push_back({operand, 0});
  const Value last = graph.call(module, "", given);
  Architecture architecture = std::move(graph.architecture());
  architecture.inputs = inputs_of_graph(architecture, operands, sizes);
  const std::size_t outputs = outputs_of_node(architecture, last.node, sizes);
  for (std::size_t i = 0; i < outputs; ++i)
    architecture.outputs.push_back({"", {last.node, static_cast<std::int64_t>(i)}});
  const std::string own_class = module_class(module);
  architecture.name = own_class.substr(own_class.rfind('.') + 1);
  add_names(module, architecture);
  return architecture;
}

}  // namespace h5bridge
