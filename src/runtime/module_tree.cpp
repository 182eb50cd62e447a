#include "runtime/module_tree.h"

#include <map>

#include "facets/libtorch/own_tensor.h"
#include "h5bridge/error.h"

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

}  // namespace

std::vector<StandIn> plant(torch::nn::Module& root, const Instances& instances) {
  ModulesByPath layers;
  for (const auto& [layer, instance] : instances) {
    check_name(layer->name);
    if (instance.module && !instance.is_tensor && !layers.emplace(layer->name, instance.module).second)
      throw MalformedFile("two layers are called \"" + layer->name + "\"");
  }

  std::vector<StandIn> result;
  ModulesByPath containers;
  for (const auto& [layer, instance] : instances) {
    if (!instance.module) continue;
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
