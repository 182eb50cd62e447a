#include "passes/fix_sizes.h"

#include <set>

#include "facets/registry.h"
#include "h5bridge/error.h"
#include "model/architecture_index.h"
#include "model/did_you_mean.h"
#include "model/quoted.h"
#include "passes/infer_shapes.h"

namespace h5bridge {

Architecture fix_sizes(Architecture architecture, const std::map<std::string, std::int64_t>& sizes) {
  std::set<std::string> known;
  for (const Input& input : architecture.inputs)
    for (const Size& size : input.shape)
      for (const std::string& symbol : size.symbols()) known.insert(symbol);
  for (const auto& [name, size] : sizes) {
    if (!known.contains(name))
      throw UsageError("no size is called \"" + name +
                       "\"; the open sizes are: " + (known.empty() ? "none" : joined({known.begin(), known.end()})) +
                       did_you_mean(name, {known.begin(), known.end()}));
    if (size < 1) throw UsageError("the size \"" + name + "\" is " + std::to_string(size) + ", expected at least 1");
  }
  for (Input& input : architecture.inputs)
    for (Size& size : input.shape) size = size.bind(sizes);
  for (Layer& layer : architecture.layers)
    layer.attributes = with_sizes(Registry::instance().type_of(layer), std::move(layer.attributes), sizes);
  const ArchitectureIndex index(architecture);
  for (Node& node : architecture.nodes)
    node.attributes = with_sizes(Registry::instance().type_of(index.layer_of(node)), std::move(node.attributes), sizes);
  // What was open has not been checked yet.
  return with_all_attributes(std::move(architecture));
}

}  // namespace h5bridge
