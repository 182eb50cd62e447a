#include <map>
#include <stdexcept>

#include "facets/libtorch/registry.h"
#include "h5bridge/error.h"

namespace h5bridge {

#define H5BRIDGE_FAMILY(name)             \
  namespace name {                        \
  std::vector<TorchLayer> torch_layers(); \
  }
#include "layers/families.def"
#undef H5BRIDGE_FAMILY

namespace {

using Facets = std::map<std::string, TorchLayer, std::less<>>;

void collect(Facets& facets, std::vector<TorchLayer> family) {
  for (TorchLayer& layer : family)
    if (!facets.emplace(layer.type, layer).second) throw std::logic_error("two LibTorch facets for " + layer.type);
}

Facets all_facets() {
  Facets result;
#define H5BRIDGE_FAMILY(name) collect(result, name::torch_layers());
#include "layers/families.def"
#undef H5BRIDGE_FAMILY
  return result;
}

}  // namespace

const TorchLayer* find_torch_layer(std::string_view type) {
  static const Facets facets = all_facets();
  const auto found = facets.find(type);
  return found == facets.end() ? nullptr : &found->second;
}

TorchInstance build_layer(const Layer& layer) {
  const std::string where = "layer \"" + layer.name + "\"";
  const TorchLayer* facet = find_torch_layer(layer.type);
  if (!facet) throw Unsupported(where + ": LibTorch has nothing that runs " + layer.type);
  return in_file(where, [&] { return facet->build(layer); });
}

plan::Operation operation_of(const Layer& layer, const torch::nn::Module* module) {
  constexpr const char* kStateful = "stateful";
  if (layer.attributes.contains(kStateful) && layer.attributes.boolean(kStateful)) return plan::Remembers{};
  const TorchLayer* facet = find_torch_layer(layer.type);
  return facet && facet->operation ? facet->operation(layer, module) : plan::Opaque{};
}

}  // namespace h5bridge
