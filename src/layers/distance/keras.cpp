#include <cmath>

#include "facets/keras/composition.h"
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::distance {
namespace {

using Handle = KerasEmitter::Handle;

// Keras's squares, sums and roots, or extremes, along an axis.
Handle emit_norm(Composition& steps, Handle x, double p, std::int64_t axis, bool keepdims) {
  if (p == 2) return steps.elementwise("Sqrt", {steps.reduce("Sum", steps.elementwise("Square", {x}), axis, keepdims)});
  if (p == 0)
    return steps.reduce("Sum", steps.cast(steps.elementwise("NotEqual", {x, Json(0)}), "float32"), axis, keepdims);
  const Handle sizes = steps.elementwise("Absolute", {x});
  if (std::isinf(p)) return steps.reduce(p > 0 ? "Max" : "Min", sizes, axis, keepdims);
  if (p == 1) return steps.reduce("Sum", sizes, axis, keepdims);
  return steps.elementwise(
      "Power", {steps.reduce("Sum", steps.elementwise("Power", {sizes, Json(p)}), axis, keepdims), Json(1 / p)});
}

KerasMapping composed(const std::string& type, decltype(KerasMapping::lower) lower) {
  KerasMapping mapping = write_only(operation(type, "Subtract"));
  mapping.lower = std::move(lower);
  return mapping;
}

// Each input divided by its norm, or by eps where that is less.
KerasEmitter::Results lower_cosine_similarity(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  Composition steps(emitter);
  const std::int64_t rank = static_cast<std::int64_t>(emitter.output_shape().size()) + 1;
  const std::int64_t axis = resolve_axis(a.integer("dim"), rank);
  const auto of_rank = [&](Handle x) {
    while (steps.rank(x) < rank) x = steps.expand(x, 0);
    return x;
  };
  const Handle first = of_rank(emitter.input(0)), second = of_rank(emitter.input(1));
  const auto along = [&](Handle x) { return steps.shape(x).at(static_cast<std::size_t>(axis)); };
  const auto directed = [&](Handle x, Handle other) {
    Handle norm = emit_norm(steps, x, 2, axis, true);
    // One element stands for as many as the other has.
    if (along(x) == Size(1) && along(other) != Size(1)) {
      const auto count = along(other).value();
      if (!count) throw Unsupported("one element along axis " + std::to_string(axis) + " stands for an open number");
      norm = steps.elementwise("Multiply", {norm, Json(std::sqrt(static_cast<double>(*count)))});
    }
    return steps.elementwise("Divide", {x, steps.elementwise("Maximum", {norm, Json(a.number("eps"))})});
  };
  const Handle product = steps.elementwise("Multiply", {directed(first, second), directed(second, first)});
  return steps.last("Sum", {product}, {{"axis", axis}, {"keepdims", false}});
}

KerasEmitter::Results lower_pairwise_distance(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  Composition steps(emitter);
  Handle difference = steps.elementwise("Subtract", {emitter.input(0), emitter.input(1)});
  if (a.number("eps") != 0) difference = steps.elementwise("Add", {difference, Json(a.number("eps"))});
  return emit_norm(steps, difference, a.number("p"), steps.rank(difference) - 1, a.boolean("keepdim"));
}

KerasEmitter::Results lower_distances(const Attributes& a, Json::Object, KerasEmitter& emitter) {
  Composition steps(emitter);
  const Handle difference =
      steps.elementwise("Subtract", {steps.expand(emitter.input(0), -2), steps.expand(emitter.input(1), -3)});
  return emit_norm(steps, difference, a.number("p"), steps.rank(difference) - 1, false);
}

KerasMapping cdist() {
  KerasMapping mapping = operation("cdist", "CDist", {}, {"x", "y"}, kMath);
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) { return a.number("p") == 2; };
  mapping.derive = [](Attributes& a, const std::vector<SymbolicShape>&) {
    a.set("compute_mode", std::string("donot_use_mm_for_euclid_dist"));
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {composed("CosineSimilarity", lower_cosine_similarity), composed("PairwiseDistance", lower_pairwise_distance),
          cdist(), composed("cdist", lower_distances)};
}

}  // namespace h5bridge::distance
