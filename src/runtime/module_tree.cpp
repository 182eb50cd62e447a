#include "runtime/module_tree.h"

#include <map>

#include "facets/libtorch/own_tensor.h"
#include "h5bridge/error.h"
#include "model/model_itself.h"

namespace h5bridge {
namespace {

using ModulesByPath = std::map<std::string, TorchModulePtr>;

void check_name(const std::string& name) {
  const bool empty_part =
      name.empty() || name.front() == '.' || name.back() == '.' || name.find("..") != std::string::npos;
  if (empty_part) throw Unsupported("layer \"" + name + "\": its name has an empty part");
}

/// The module at `path`: a layer's own, or a container made on the way.
const TorchModulePtr& module_at(const std::string& path, const ModulesByPath& layers, ModulesByPath& containers) {
  if (const auto layer = layers.find(path); layer != layers.end()) return layer->second;
  TorchModulePtr& container = containers[path];
  if (!container) container = std::make_shared<torch::nn::Module>();
  return container;
}

// The tensor that `holder` holds, under `name`. Where a layer has one of that name (an embedding's weight, which the
// decoder uses as well), it is the same (runtime/shared_parameters.h).
void register_tensor(torch::nn::Module& parent, const std::string& name, const OwnTensor& holder) {
  if (parent.named_parameters(false).contains(name) || parent.named_buffers(false).contains(name)) return;
  if (holder.is_parameter())
    parent.register_parameter(name, holder.value(), holder.value().requires_grad());
  else
    parent.register_buffer(name, holder.value());
}

/// Registers in `root` all that the module of a layer holds which is the model itself. The result is `root`, owned by
/// whoever owns it now.
TorchModulePtr become(torch::nn::Module& root, const torch::nn::Module& module) {
  const auto is_new = [&](const std::string& name) {
    return !root.named_parameters(false).contains(name) && !root.named_buffers(false).contains(name);
  };
  for (const auto& parameter : module.named_parameters(false))
    if (is_new(parameter.key()))
      root.register_parameter(parameter.key(), parameter.value(), parameter.value().requires_grad());
  for (const auto& buffer : module.named_buffers(false))
    if (is_new(buffer.key())) root.register_buffer(buffer.key(), buffer.value());
  for (const auto& child : module.named_children()) root.register_module(child.key(), child.value());
  return {TorchModulePtr(), &root};
}

}  // namespace

std::vector<StandIn> plant(torch::nn::Module& root, const Instances& instances) {
  ModulesByPath layers;
  for (const auto& [layer, instance] : instances) {
    if (instance.module && !instance.is_tensor && is_model_itself(layer->name)) continue;
    check_name(layer->name);
    if (instance.module && !instance.is_tensor && !layers.emplace(layer->name, instance.module).second)
      throw MalformedFile("two layers are called \"" + layer->name + "\"");
  }

  std::vector<StandIn> result;
  ModulesByPath containers;
  for (const auto& [layer, instance] : instances) {
    if (!instance.module) continue;
    if (is_model_itself(layer->name)) {
      result.push_back({instance.module, become(root, *instance.module)});
      continue;
    }
    torch::nn::Module* parent = &root;
    for (std::size_t begin = 0; begin < layer->name.size();) {
      const std::size_t end = std::min(layer->name.find('.', begin), layer->name.size());
      const std::string part = layer->name.substr(begin, end - begin);
      if (instance.is_tensor && end == layer->name.size()) {
        register_tensor(*parent, part, dynamic_cast<OwnTensor&>(*instance.module));
        break;
      }
      const auto children = parent->named_children();
      const TorchModulePtr* known = children.find(part);
      const TorchModulePtr child = known ? *known : module_at(layer->name.substr(0, end), layers, containers);
      if (!known) parent->register_module(part, child);
      parent = child.get();
      begin = end + 1;
      if (end == layer->name.size() && instance.module != child) result.push_back({instance.module, child});
    }
  }
  return result;
}

}  // namespace h5bridge
