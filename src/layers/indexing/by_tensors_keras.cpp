#include <algorithm>
#include <numeric>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "layers/indexing/by_tensors.h"

namespace h5bridge::indexing {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

// x with the axes that are indexed beside each other, from `place` on.
Handle gathered(Composition& steps, Handle x, const std::vector<std::int64_t>& axes, std::int64_t place) {
  if (place == axes.front()) return x;
  std::vector<std::int64_t> order = axes;
  for (std::int64_t axis = 0; axis < steps.rank(x); ++axis)
    if (std::ranges::find(axes, axis) == axes.end()) order.push_back(axis);
  return steps.transpose(x, order);
}

// With `count` axes from `place` on as one.
Handle merged(Composition& steps, Handle x, std::int64_t place, std::int64_t count) {
  const SymbolicShape before = steps.shape(x);
  SymbolicShape shape(before.begin(), before.begin() + place);
  shape.push_back(element_count(SymbolicShape(before.begin() + place, before.begin() + place + count)));
  shape.insert(shape.end(), before.begin() + place + count, before.end());
  if (std::ranges::count_if(shape, &Size::is_open) > 1)
    throw Unsupported("of its input " + to_string(before) +
                      ", several sizes are open besides the axes that are indexed together; LoadOptions::fix_sizes "
                      "may help");
  Json::Array sizes;
  for (const Size& size : shape) sizes.push_back(size.value().value_or(-1));
  return steps.apply("Reshape", {x}, shape, {{"newshape", std::move(sizes)}});
}

KerasEmitter::Results lower(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  Composition steps(emitter);
  OpenSizes sizes(emitter, "size_");
  Handle x = emitter.input(0);
  const std::vector<std::int64_t> axes = axes_in(a, "dims", steps.rank(x));
  const std::int64_t place = place_of_indices(axes);
  const SymbolicShape shape = steps.shape(x);
  // Keras itself counts one axis from its end, too.
  const auto from_start = [&](std::size_t i) {
    const Handle index = emitter.input(i + 1);
    const Handle is_negative = steps.elementwise("Less", {index, Json(0)});
    return steps.where(is_negative, steps.elementwise("Add", {index, sizes.count(shape[axes[i]])}), index);
  };
  Handle places = emitter.input(1);
  if (axes.size() > 1) {
    x = merged(steps, gathered(steps, x, axes, place), place, static_cast<std::int64_t>(axes.size()));
    places = from_start(0);
    for (std::size_t i = 1; i < axes.size(); ++i) {
      const Handle whole = steps.elementwise("Multiply", {places, sizes.count(shape[axes[i]])});
      places = steps.elementwise("Add", {whole, from_start(i)});
    }
  }
  return steps.last("Take", {x, places}, {{"axis", place}});
}

}  // namespace

KerasMapping index_by_tensors_in_keras() {
  const Spelling axis = taken_axis();
  const Spelling axes{spelling::axes().to_keras, [axis](const Json& json) -> AttributeValue {
                        return std::vector{std::get<std::int64_t>(axis.from_keras(json))};
                      }};
  KerasMapping mapping = operation("index_by_tensors", "Take", {{"dims", "axis", axes}}, {"x", "indices"});
  mapping.accepts = [](const Shapes& inputs) { return inputs.size() == 2 && inputs[1].size() != 1; };
  mapping.lower = lower;
  return mapping;
}

}  // namespace h5bridge::indexing
