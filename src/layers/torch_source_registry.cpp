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

// A call cannot change what the module was made with.
std::string misfit_of_call(const TorchSource& source, const Layer& layer, const Layer& called) {
  const std::string misfit = source.misfit(called);
  if (!misfit.empty() || !source.constructor) return misfit;
  const Constructor made = source.constructor(layer), wanted = source.constructor(called);
  for (std::size_t i = 0; i < made.arguments.size(); ++i)
    if (made.arguments[i].text != wanted.arguments[i].text) return made.arguments[i].name;
  return "";
}

}  // namespace

const TorchSource& torch_source_of(const Layer& layer, const std::set<std::string>& given,
                                   const std::vector<Layer>& as_called, bool from_keras) {
  static const Facets facets = all_facets();
  const auto found = facets.find(layer.type);
  if (found == facets.end()) throw Unsupported(describe(layer) + ": there is no Python source for it");
  std::string misfit;
  for (const TorchSource& source : found->second) {
    if (source.is_pytorchs_alone && from_keras) continue;
    std::string why = source.misfit(layer);
    for (const Layer& called : as_called)
      if (why.empty()) why = misfit_of_call(source, layer, called);
    for (const std::string& operand : source.takes_no)
      if (why.empty() && given.contains(operand)) why = operand;
    if (why.empty()) return source;
    if (misfit.empty()) misfit = why;
  }
  throw Unsupported(describe(layer) + ": there is no Python source for its \"" + misfit + "\"");
}

}  // namespace h5bridge
