#include "passes/first_axis.h"

#include "model/architecture_index.h"
#include "passes/infer_shapes.h"

namespace h5bridge {

std::optional<Size> open_batch(const Architecture& architecture) {
  for (const Input& input : architecture.inputs)
    if (!input.shape.empty() && input.shape[0].is_open()) return input.shape[0];
  return std::nullopt;
}

std::optional<std::string> layer_with_time_first(const Architecture& architecture) {
  constexpr std::size_t kSequences = 3;  // axes; with two, it is one sequence without a batch
  constexpr const char* kBatchFirst = "batch_first";
  const std::optional<Size> batch = open_batch(architecture);
  if (!batch) return std::nullopt;
  const Shapes shapes = infer_shapes(architecture);
  const ArchitectureIndex index(architecture);
  for (const Node& node : architecture.nodes) {
    const Layer& layer = index.layer_of(node);
    if (!layer.attributes.contains(kBatchFirst) || layer.attributes.boolean(kBatchFirst) || node.values().empty())
      continue;
    const SymbolicShape& input = shapes.of(node.values()[0]);
    if (input.size() == kSequences && input[0] == *batch) return describe(layer);
  }
  return std::nullopt;
}

}  // namespace h5bridge
