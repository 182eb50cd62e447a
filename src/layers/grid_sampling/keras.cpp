#include <algorithm>
#include <optional>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"

namespace h5bridge::grid_sampling {
namespace {

using Handle = KerasEmitter::Handle;
using Operand = OpenSizes::Operand;

// One of the elements along an axis that make up a result: which it is, and how much of it counts (nothing said: all).
struct Tap {
  Operand index;
  std::optional<Handle> weight;
};

// Elements are taken out of the input as rows of channels: row n * height * width + y * width + x. So no size but that
// of the channels has to be known. Source: aten/src/ATen/native/GridSampler.h.
class Sampling {
 public:
  Sampling(const Attributes& a, KerasEmitter& emitter)
      : a_(a), emitter_(emitter), steps_(emitter), sizes_(emitter, "size_"), mode_(a.text("mode")) {}

  Handle write() {
    const bool moves = a_.text("data_format") != "channels_last";
    const std::int64_t rank = steps_.rank(emitter_.input(0));
    std::vector<std::int64_t> to_last{0}, to_first{0, rank - 1};
    for (std::int64_t axis = 2; axis < rank; ++axis) to_last.push_back(axis);
    for (std::int64_t axis = 1; axis + 1 < rank; ++axis) to_first.push_back(axis);
    to_last.push_back(1);
    const Handle x = moves ? steps_.transpose(emitter_.input(0), to_last) : emitter_.input(0);
    const SymbolicShape shape = steps_.shape(x);
    spatial_ = SymbolicShape(shape.begin() + 1, shape.end() - 1);
    const Handle rows = as_rows(x);
    std::vector<std::vector<Tap>> taps;
    for (std::size_t axis = 0; axis < spatial_.size(); ++axis) taps.push_back(taps_along(axis));
    std::optional<Handle> sum;
    add_up(sum, taps, rows, image_numbers(), {}, 0);
    if (moves) return steps_.last("Transpose", {*sum}, {{"axes", Json::array(to_first)}});
    return steps_.last("Copy", {*sum});
  }

 private:
  Handle apply(const char* operation, Operand a) { return steps_.elementwise(operation, {std::move(a)}); }
  Handle apply(const char* operation, Operand a, Operand b) {
    return steps_.elementwise(operation, {std::move(a), std::move(b)});
  }

  Handle as_rows(Handle x) {
    const SymbolicShape& shape = steps_.shape(x);
    if (!shape.back().value()) throw Unsupported("the number of its channels, " + shape.back().str() + ", is open");
    const Size count = element_count(SymbolicShape(shape.begin(), shape.end() - 1));
    return steps_.apply("Reshape", {x}, {count, shape.back()}, {{"newshape", Json::Array{-1, *shape.back().value()}}});
  }

  // The number of each place's image.
  Handle image_numbers() {
    const Handle places = steps_.positions(emitter_.input(1), 0);
    return steps_.squeeze(places, steps_.rank(places) - 1);
  }

  // A number, or a tensor of floats.
  Operand real(const Size& size, double factor = 1, double more = 0) {
    if (const auto number = size.value()) return Json(static_cast<double>(*number) * factor + more);
    Operand result = steps_.cast(std::get<Handle>(sizes_.count(size)), "float32");
    if (factor != 1) result = apply("Multiply", result, Json(factor));
    return more == 0 ? result : Operand(apply("Add", result, Json(more)));
  }

  // Where the places lie, in elements along an axis.
  Handle coordinates(std::size_t axis) {
    const Handle grid = emitter_.input(1);
    const std::int64_t last = steps_.rank(grid) - 1;
    const auto number = static_cast<std::int64_t>(spatial_.size() - 1 - axis);
    const Handle place = steps_.squeeze(steps_.cut(grid, last, {.start = number, .stop = number + 1}), last);
    const Handle from_zero = apply("Add", place, Json(1.0));
    const Size& size = spatial_[axis];
    if (a_.boolean("align_corners")) return apply("Multiply", from_zero, real(size, 0.5, -0.5));
    return apply("Subtract", apply("Multiply", from_zero, real(size, 0.5)), Json(0.5));
  }

  Handle clipped(Handle x, std::size_t axis) {
    return apply("Minimum", apply("Maximum", x, Json(0.0)), real(spatial_[axis], 1, -1));
  }

  // Thrown back at the outer elements, or at their outer edges, as often as it takes.
  Handle reflected(Handle x, std::size_t axis) {
    const bool aligned = a_.boolean("align_corners");
    // Of one element alone, what comes of any span is clipped to it.
    Operand span = real(spatial_[axis], 1, aligned ? -1 : 0);
    span = std::holds_alternative<Json>(span) ? Operand(Json(std::max(std::get<Json>(span).as_float(), 1.0)))
                                              : Operand(apply("Maximum", span, Json(1.0)));
    const Operand both_ways = std::holds_alternative<Json>(span) ? Operand(Json(2 * std::get<Json>(span).as_float()))
                                                                 : Operand(apply("Multiply", span, Json(2.0)));
    if (!aligned) x = apply("Add", x, Json(0.5));
    const Handle way = apply("Mod", apply("Absolute", x), both_ways);
    Handle back = steps_.where(apply("Greater", way, span), difference(both_ways, way), way);
    if (!aligned) back = apply("Subtract", back, Json(0.5));
    return back;
  }

  Handle difference(const Operand& a, Handle b) { return apply("Add", apply("Negative", b), a); }

  // Places that are outside brought inside, where that is what they mean.
  Handle brought_inside(Handle x, std::size_t axis) {
    const std::string& padding = a_.text("padding_mode");
    if (padding == "zeros") return x;
    return clipped(padding == "reflection" ? reflected(x, axis) : x, axis);
  }

  // An element by its number, a float, which may lie outside: it counts for nothing then.
  Tap tap(Handle number, std::optional<Handle> weight, std::size_t axis) {
    if (mode_ == "bicubic") number = brought_inside(number, axis);
    const Handle inside = clipped(number, axis);
    if (a_.text("padding_mode") == "zeros") {
      const Handle is_inside = apply("Equal", inside, number);
      weight = weight ? steps_.where(is_inside, *weight, Json(0.0)) : steps_.cast(is_inside, "float32");
    }
    return {steps_.cast(inside, "int32"), weight};
  }

  std::vector<Tap> taps_along(std::size_t axis) {
    Handle place = coordinates(axis);
    if (mode_ != "bicubic") place = brought_inside(place, axis);
    if (mode_ == "nearest") return {tap(apply("Round", place), std::nullopt, axis)};
    const Handle first = apply("Floor", place);
    const Handle rest = apply("Subtract", place, first);
    const Handle other_rest = apply("Add", apply("Negative", rest), Json(1.0));
    const auto beside = [&](double by) { return apply("Add", first, Json(by)); };
    if (mode_ == "bilinear") return {tap(first, other_rest, axis), tap(beside(1), rest, axis)};
    return {tap(beside(-1), cubic_outside(apply("Add", rest, Json(1.0))), axis), tap(first, cubic_inside(rest), axis),
            tap(beside(1), cubic_inside(other_rest), axis),
            tap(beside(2), cubic_outside(apply("Add", other_rest, Json(1.0))), axis)};
  }

  // Keys's cubic in two pieces, up to a distance of 1 and from there to 2, by Horner's scheme.
  Handle polynomial(Handle x, const std::vector<double>& coefficients) {
    Handle value = apply("Add", apply("Multiply", x, Json(coefficients.at(0))), Json(coefficients.at(1)));
    for (std::size_t i = 2; i < coefficients.size(); ++i)
      value = apply("Add", apply("Multiply", value, x), Json(coefficients[i]));
    return value;
  }
  static constexpr double kKeys = -0.75;
  Handle cubic_inside(Handle x) { return polynomial(x, {kKeys + 2, -(kKeys + 3), 0, 1}); }
  Handle cubic_outside(Handle x) { return polynomial(x, {kKeys, -5 * kKeys, 8 * kKeys, -4 * kKeys}); }

  // Each combination of elements along the axes from `axis` on: `row` counts those that are chosen.
  void add_up(std::optional<Handle>& sum, const std::vector<std::vector<Tap>>& taps, Handle rows, Handle row,
              std::optional<Handle> weight, std::size_t axis) {
    if (axis == taps.size()) {
      SymbolicShape shape = steps_.shape(row);
      shape.push_back(steps_.shape(rows).back());
      Handle taken = steps_.apply("Take", {rows, row}, std::move(shape), {{"axis", 0}});
      if (weight) taken = apply("Multiply", taken, steps_.expand(*weight, -1));
      sum = sum ? apply("Add", *sum, taken) : taken;
      return;
    }
    const Handle before = apply("Multiply", row, sizes_.count(spatial_[axis]));
    for (const Tap& one : taps[axis]) {
      std::optional<Handle> both = weight ? weight : one.weight;
      if (weight && one.weight) both = apply("Multiply", *weight, *one.weight);
      add_up(sum, taps, rows, apply("Add", before, one.index), both, axis + 1);
    }
  }

  const Attributes& a_;
  KerasEmitter& emitter_;
  Composition steps_;
  OpenSizes sizes_;
  const std::string& mode_;
  SymbolicShape spatial_;
};

// Places are sums: a matrix's last column, and each other one times where an element lies along an axis. Source:
// aten/src/ATen/native/AffineGridGenerator.cpp.
class Places {
 public:
  Places(const Attributes& a, KerasEmitter& emitter)
      : size_(a.sizes("size")),
        is_aligned_(a.boolean("align_corners")),
        emitter_(emitter),
        steps_(emitter),
        sizes_(emitter, "size_") {}

  Handle write() {
    const std::int64_t axes = rank() - 2;
    Handle sum = column(axes);
    for (std::int64_t i = 0; i < axes; ++i) {
      const std::int64_t axis = axes - i;  // of the result: the first column is for the last axis
      const Handle along = sizes_.along(places(size_.at(static_cast<std::size_t>(axis) + 1)), axis, rank());
      const Handle moved = steps_.elementwise("Multiply", {column(i), along});
      sum = i + 1 < axes ? steps_.elementwise("Add", {sum, moved}) : steps_.last("Add", {sum, moved});
    }
    return sum;
  }

 private:
  std::int64_t rank() const { return static_cast<std::int64_t>(size_.size()); }

  // A column of each matrix, as what belongs to every place.
  Handle column(std::int64_t i) {
    Handle result = steps_.squeeze(steps_.cut(emitter_.input(0), 2, {.start = i, .stop = i + 1}), 2);
    for (std::int64_t axis = 1; axis < rank() - 1; ++axis) result = steps_.expand(result, 1);
    return result;
  }

  // From -1 to 1, of the elements' middles or of their outer edges; 0 where there is one element.
  Handle places(const Size& size) {
    const Handle numbers = steps_.cast(sizes_.range(size), "float32");
    if (const auto count = size.value()) {
      const double n = static_cast<double>(*count);
      if (!is_aligned_) return linear(numbers, 2 / n, 1 / n - 1);
      return n > 1 ? linear(numbers, 2 / (n - 1), -1) : numbers;
    }
    const Handle count = steps_.cast(std::get<Handle>(sizes_.count(size)), "float32");
    if (!is_aligned_)
      return steps_.elementwise("Subtract", {steps_.elementwise("Divide", {linear(numbers, 2, 1), count}), Json(1.0)});
    const Handle span = steps_.elementwise("Subtract", {count, Json(1.0)});
    const Handle part =
        steps_.elementwise("Divide", {linear(numbers, 2, 0), steps_.elementwise("Maximum", {span, Json(1.0)})});
    return steps_.elementwise("Subtract", {part, steps_.elementwise("Minimum", {span, Json(1.0)})});
  }

  Handle linear(Handle x, double factor, double more) {
    const Handle product = steps_.scaled(x, factor);
    return more == 0 ? product : steps_.elementwise("Add", {product, Json(more)});
  }

  const SymbolicShape& size_;
  const bool is_aligned_;
  KerasEmitter& emitter_;
  Composition steps_;
  OpenSizes sizes_;
};

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  KerasMapping mapping = write_only(operation("grid_sample", "Take"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    return Sampling(a, emitter).write();
  };
  KerasMapping places = write_only(operation("affine_grid", "Add", {}, {"x1", "x2"}));
  places.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    return Places(a, emitter).write();
  };
  return {mapping, places};
}

}  // namespace h5bridge::grid_sampling
