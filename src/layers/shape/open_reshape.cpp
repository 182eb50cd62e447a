#include "layers/shape/open_reshape.h"

#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/axes.h"

namespace h5bridge::shape {

// Rows of the last axes, whose sizes are known, stand in one row; an element of the other axes' grid takes the row of
// its number.
KerasEmitter::Handle emit_open_reshape(KerasEmitter& emitter) {
  using Handle = KerasEmitter::Handle;
  const SymbolicShape& output = emitter.output_shape();
  const auto grid_end =
      std::find_if(output.rbegin(), output.rend(), [](const Size& size) { return size.is_open(); }).base();
  SymbolicShape flat{element_count(SymbolicShape(output.begin(), grid_end))};
  flat.insert(flat.end(), grid_end, output.end());

  Handle rows = emitter.input(0);
  if (emitter.shape(rows) != flat) {
    Json::Array sizes{-1};
    for (auto size = grid_end; size != output.end(); ++size) sizes.push_back(*size->value());
    rows = named(emitter, "rows").apply("Reshape", {rows}, flat, {{"newshape", std::move(sizes)}});
  }
  OpenSizes sizes(emitter, "row_");
  Handle numbers = sizes.range(output[0]);
  for (auto size = output.begin() + 1; size != grid_end; ++size)
    numbers = sizes.elementwise(
        "Add", {sizes.elementwise("Multiply", {sizes.expand(numbers, -1), sizes.count(*size)}), sizes.range(*size)});
  return named(sizes.emitter(), "").take(rows, 0, numbers);
}

}  // namespace h5bridge::shape
