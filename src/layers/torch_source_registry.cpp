#include <unordered_map>

#include "facets/registry.h"
#include "facets/torch_source/source.h"

namespace h5bridge {

#define H5BRIDGE_FAMILY(name)               \
  namespace name {                          \
  std::vector<TorchSource> torch_sources(); \
  }
#include "layers/families.def"
#undef H5BRIDGE_FAMILY

namespace {

using Facets = std::unordered_map<std::string, std::vector<TorchSource>>;

void collect(Facets& facets, std::vector<TorchSource> family) {
  for (TorchSource& source : family) facets[source.type].push_back(std::move(source));
}

Facets all_facets() {
  Facets result;
#define H5BRIDGE_FAMILY(name) collect(result, name::torch_sources());
#include "layers/families.def"
#undef H5BRIDGE_FAMILY
  return result;
}

}  // namespace

const TorchSource& torch_source_of(const Layer& layer, const std::set<std::string>& given) {
  static const Facets facets = all_facets();
  const auto found = facets.find(layer.type);
  if (found == facets.end()) throw Unsupported(describe(layer) + ": there is no Python source for it");
  std::string misfit;
  for (const TorchSource& source : found->second) {
    std::string why = source.misfit(layer);
    for (const std::string& operand : source.takes_no)
      if (why.empty() && given.contains(operand)) why = operand;
    if (why.empty()) return source;
    if (misfit.empty()) misfit = why;
  }
  throw Unsupported(describe(layer) + ": there is no Python source for its \"" + misfit + "\"");
}

}  // namespace h5bridge
