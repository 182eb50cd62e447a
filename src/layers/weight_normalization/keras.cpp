#include "facets/keras/composition.h"

namespace h5bridge::weight_normalization {
namespace {

using Handle = KerasEmitter::Handle;

KerasEmitter::Results lower(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  Composition steps(emitter);
  const Handle v = emitter.input(0);
  Json::Array others;
  SymbolicShape shape(steps.shape(v).size(), Size(1));
  for (std::int64_t axis = 0; axis < steps.rank(v); ++axis)
    if (axis != a.integer("dim"))
      others.push_back(axis);
    else
      shape[static_cast<std::size_t>(axis)] = steps.shape(v)[static_cast<std::size_t>(axis)];
  const Handle squares = steps.elementwise("Square", {v});
  const Handle norm = steps.elementwise(
      "Sqrt", {steps.apply("Sum", {squares}, std::move(shape), {{"axis", std::move(others)}, {"keepdims", true}})});
  const Handle scaled = steps.elementwise("Multiply", {v, emitter.input(1)});
  return steps.last("Divide", {scaled, norm});
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  KerasMapping mapping = write_only(operation("_weight_norm", "Divide"));
  mapping.lower = lower;
  return {mapping};
}

}  // namespace h5bridge::weight_normalization
