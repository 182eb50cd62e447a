#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::scattering {
namespace {

using Handle = KerasEmitter::Handle;

KerasMapping one_hot() {
  Spelling dtype = spelling::dtype();
  dtype.from_keras = [read = dtype.from_keras](const Json& json) {
    return json.is_null() ? AttributeValue(DType::Float32) : read(json);
  };
  return operation("one_hot", "OneHot",
                   {{"num_classes", "num_classes", spelling::integer()}, {"dtype", "dtype", dtype}}, {"x"}, kNN);
}

// Each element asks which of an open number of classes is its own.
KerasMapping one_hot_openly() {
  KerasMapping mapping = write_only(operation("one_hot", "Cast", {}, {}, kCore));
  mapping.open = {"num_classes"};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    OpenSizes sizes(emitter, "size_");
    const Handle classes = sizes.range(a.open_integer("num_classes"));
    const Handle is_own = sizes.elementwise("Equal", {sizes.expand(emitter.input(0), -1), classes});
    return sizes.last("Cast", {is_own}, {{"dtype", name_of(a.dtype("dtype"))}}, kCore);
  };
  return mapping;
}

KerasMapping with_fixed(KerasMapping mapping) {
  mapping.fixed = {{"axis", -1}, {"sparse", false}};
  return mapping;
}

// Keras's own wants to know the size of the batch. Here each element asks which of the places along the axis are its
// own: there is an axis of those behind that axis.
struct Places {
  std::int64_t axis;
  Handle are_own;
};

Places emit_places(const Attributes& a, Composition& steps) {
  KerasEmitter& emitter = steps.emitter();
  const std::vector<SymbolicShape>& inputs = emitter.input_shapes();
  const std::int64_t axis = resolve_axis(a.integer("dim"), static_cast<std::int64_t>(inputs[0].size()));
  SymbolicShape wanted = inputs[0];
  wanted[axis] = inputs[1][axis];
  for (std::size_t i = 1; i < inputs.size(); ++i)
    if (inputs[i] != wanted)
      throw Unsupported("places for " + to_string(inputs[i]) + " of " + to_string(inputs[0]) +
                        " elements have no Keras operation");
  const Handle numbers = steps.expand(steps.positions(emitter.input(0), axis), axis + 1);
  return {axis, steps.elementwise("Equal", {numbers, steps.expand(emitter.input(1), axis)})};
}

// All that is put at each place, added up; nothing is 0.
Handle emit_sum(Composition& steps, const Places& places) {
  const Handle elements = steps.where(places.are_own, steps.expand(steps.emitter().input(2), places.axis), Json(0));
  return steps.reduce("Sum", elements, places.axis + 1, false);
}

KerasMapping scatter() {
  KerasMapping mapping = write_only(operation("scatter", "Where"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    const Places places = emit_places(a, steps);
    if (!a.is_none("value")) {
      const Handle is_place = steps.reduce("Any", places.are_own, places.axis + 1, false);
      return steps.last("Where", {is_place, attribute_to_json(a.at("value")), emitter.input(0)});
    }
    // Of elements for one place the last counts, as on PyTorch's CPU.
    const Handle order = steps.expand(steps.positions(emitter.input(1), places.axis), places.axis);
    const Handle last = steps.reduce("Max", steps.where(places.are_own, order, Json(-1)), places.axis + 1, false);
    const Handle elements =
        steps.take_along(emitter.input(2), steps.elementwise("Maximum", {last, Json(0)}), places.axis);
    return steps.last("Where", {steps.elementwise("GreaterEqual", {last, Json(0)}), elements, emitter.input(0)});
  };
  return mapping;
}

KerasMapping scatter_add() {
  KerasMapping mapping = write_only(operation("scatter_add", "Add"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Composition steps(emitter);
    return steps.last("Add", {emitter.input(0), emit_sum(steps, emit_places(a, steps))});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {with_fixed(one_hot()), one_hot_openly(), scatter(), scatter_add()};
}

}  // namespace h5bridge::scattering
