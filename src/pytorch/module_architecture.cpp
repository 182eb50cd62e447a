#include "pytorch/module_architecture.h"

#include <algorithm>
#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/quoted.h"
#include "pytorch/module.h"
#include "pytorch/module_input.h"
#include "pytorch/module_layer.h"
#include "pytorch/tensor.h"

namespace h5bridge {
namespace {

constexpr std::string_view kSequential = "Sequential";

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

void require_sequential(const pickle::Value& module) {
  const std::string type = torch_nn_class(module);
  if (type == kSequential) return;
  if (!type.empty() && Registry::instance().find(type))
    throw Unsupported("it is a single torch.nn." + type +
                      ", whose tensors have no layer's name: an nn.Sequential around it gives them one");
  throw Unsupported("the forward of " + shortened(module_class(module)) + " is code, which is not in the file");
}

/// Calls the modules one after the other.
class Chain {
 public:
  explicit Chain(const TorchFile& file) : file_(file) {}

  void enter(const pickle::Value& module, const std::string& name) {
    for (const auto& [child, inner] : children_of(module)) {
      const std::string path = joined(name, child);
      torch_nn_class(*inner) == kSequential ? enter(*inner, path) : call(*inner, path);
    }
  }

  /// With its input and its outputs.
  Architecture finish(const std::map<std::string, std::int64_t>& sizes) {
    if (result_.nodes.empty()) throw Unsupported("it is a torch.nn.Sequential of nothing");
    std::vector<const Layer*> calls;
    for (const Node& node : result_.nodes) calls.push_back(result_.find_layer(node.layer));
    result_.inputs = {input_of_chain(calls, sizes)};
    Value value{result_.inputs[0].name, 0};
    for (Node& node : result_.nodes) {
      node.arguments = {value};
      value.node = node.name;
    }
    const std::size_t outputs = outputs_of_chain(calls, result_.inputs[0], sizes);
    for (std::size_t i = 0; i < outputs; ++i)
      result_.outputs.push_back({"", {value.node, static_cast<std::int64_t>(i)}});
    return std::move(result_);
  }

 private:
  void call(const pickle::Value& module, const std::string& path) {
    auto known = layers_.find(&module);
    if (known == layers_.end()) {
      Layer layer = layer_of_module(file_, module, path);
      require_one_input(layer);
      known = layers_.emplace(&module, path).first;
      result_.layers.push_back(std::move(layer));
    }
    const std::string& layer = known->second;
    const std::string name = unique_name(layer, [&](const std::string& taken) { return result_.find_node(taken); });
    result_.nodes.push_back({name, layer, {}});
  }

  static void require_one_input(const Layer& layer) {
    const auto& operands = Registry::instance().type_of(layer).operands;
    const auto needed = std::ranges::count(operands, Operand::Kind::Required, &Operand::kind);
    if (needed != 1 || operands.front().is_list())
      throw Unsupported(describe(layer) + " takes " + to_string(operands) + ", and nn.Sequential hands it one value");
  }

  const TorchFile& file_;
  Architecture result_;
  std::map<const pickle::Value*, std::string> layers_;
};

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
  require_sequential(module);
  Chain chain(file);
  chain.enter(module, "");
  Architecture architecture = chain.finish(sizes);
  architecture.name = kSequential;
  add_names(module, architecture);
  return architecture;
}

}  // namespace h5bridge
