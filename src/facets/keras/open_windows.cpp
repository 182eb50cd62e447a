#include "facets/keras/open_windows.h"

#include <limits>

#include "facets/keras/composition.h"

namespace h5bridge {

using Handle = KerasEmitter::Handle;

// Source: torch/aten/src/ATen/native/AdaptivePooling.h, start_index and end_index.
OpenWindows adaptive_windows(OpenSizes& sizes, const Size& input, const Size& output) {
  const auto outputs = sizes.count(output);
  const Handle before = sizes.elementwise("Multiply", {sizes.range(output), sizes.count(input)});
  const Handle starts = sizes.elementwise("FloorDivide", {before, outputs});
  const Handle behind = sizes.elementwise("Add", {before, sizes.count(input + output - Size(1))});
  return {starts, sizes.elementwise("FloorDivide", {behind, outputs})};
}

Handle membership(OpenSizes& sizes, const OpenWindows& windows, const Size& input) {
  const Handle elements = sizes.range(input);
  const Handle begun = sizes.elementwise("GreaterEqual", {elements, sizes.expand(windows.starts, -1)});
  return sizes.elementwise("LogicalAnd",
                           {begun, sizes.elementwise("Less", {elements, sizes.expand(windows.ends, -1)})});
}

Handle window_means(KerasEmitter& emitter, OpenSizes& sizes, Handle x, std::int64_t axis, const Size& output,
                    const std::string& suffix) {
  const Size input = emitter.shape(x)[axis];
  const OpenWindows windows = adaptive_windows(sizes, input, output);
  const Handle inside = sizes.cast(membership(sizes, windows, input), "float32");
  const Handle lengths = sizes.cast(sizes.elementwise("Subtract", {windows.ends, windows.starts}), "float32");
  return weighted_sums(emitter, x, axis, sizes.elementwise("Divide", {inside, sizes.expand(lengths, -1)}), suffix);
}

Handle window_maxima(KerasEmitter& emitter, OpenSizes& sizes, Handle x, std::int64_t axis, const Size& output,
                     const std::string& suffix) {
  const SymbolicShape shape = emitter.shape(x);
  Handle inside = membership(sizes, adaptive_windows(sizes, shape[axis], output), shape[axis]);
  for (std::size_t other = axis + 1; other < shape.size(); ++other) inside = sizes.expand(inside, -1);
  SymbolicShape apart = shape;
  apart.insert(apart.begin() + axis, output);
  const Handle lowest =
      named(emitter, "inside")
          .elementwise("Where", {inside, sizes.expand(x, axis), Json(-std::numeric_limits<double>::infinity())});
  SymbolicShape result = shape;
  result[axis] = output;
  return named(emitter, suffix)
      .apply("Max", {lowest}, result, {{"axis", Json::Array{axis + 1}}, {"keepdims", false}, {"initial", nullptr}});
}

Handle weighted_sums(KerasEmitter& emitter, Handle x, std::int64_t axis, Handle weights, const std::string& suffix) {
  SymbolicShape shape = emitter.shape(x);
  std::string letters;
  for (std::size_t i = 0; i < shape.size(); ++i) letters += static_cast<char>('a' + i);
  std::string result = letters;
  result[axis] = 'z';
  shape[axis] = emitter.shape(weights).at(0);
  return named(emitter, suffix)
      .apply("Einsum", {x, weights}, shape, {{"subscripts", letters + ",z" + letters[axis] + "->" + result}});
}

}  // namespace h5bridge
