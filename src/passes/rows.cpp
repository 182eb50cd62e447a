#include "passes/rows.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "facets/registry.h"
#include "model/architecture_index.h"
#include "passes/infer_shapes.h"

namespace h5bridge {
namespace {

class Rows {
 public:
  explicit Rows(const Size& batch) : batch_(batch), symbols_(batch.symbols()) {}

  bool are_in(const SymbolicShape& shape) const {
    return std::ranges::any_of(shape, [&](const Size& size) { return mentions(size); });
  }
  /// And along the first axis alone.
  bool are_first(const SymbolicShape& shape) const {
    return !shape.empty() && shape[0] == batch_ &&
           std::none_of(shape.begin() + 1, shape.end(), [&](const Size& size) { return mentions(size); });
  }

 private:
  bool mentions(const Size& size) const {
    return std::ranges::any_of(size.symbols(),
                               [&](const std::string& symbol) { return std::ranges::count(symbols_, symbol) > 0; });
  }

  const Size& batch_;
  const std::vector<std::string> symbols_;
};

// A tensor of fewer axes would be stretched along the rows.
bool are_alike(const std::vector<SymbolicShape>& shapes) {
  return std::ranges::all_of(shapes, [&](const SymbolicShape& shape) { return shape.size() == shapes[0].size(); });
}

}  // namespace

bool keeps_rows_apart(const Architecture& architecture, const Size& batch) {
  const Rows rows(batch);
  const Shapes shapes = infer_shapes(architecture);
  const ArchitectureIndex index(architecture);
  return std::ranges::all_of(architecture.nodes, [&](const Node& node) {
    std::vector<SymbolicShape> with_rows;
    for (const Value& value : node.values())
      if (rows.are_in(shapes.of(value))) with_rows.push_back(shapes.of(value));
    for (const SymbolicShape& output : shapes.outputs_of(node.name))
      if (with_rows.empty() ? rows.are_in(output) : !rows.are_first(output)) return false;
    const Layer layer = as_called(index.layer_of(node), node);
    const LayerType& type = Registry::instance().type_of(layer);
    if (!open_integers(type, layer.attributes).empty()) return false;  // how many rows there are may be one of them
    return with_rows.empty() ||
           (std::ranges::all_of(with_rows, [&](const SymbolicShape& shape) { return rows.are_first(shape); }) &&
            are_alike(with_rows) && type.keeps_rows_apart(layer.attributes));
  });
}

}  // namespace h5bridge
