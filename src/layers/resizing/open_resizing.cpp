#include "layers/resizing/open_resizing.h"

#include <algorithm>
#include <concepts>

#include "facets/keras/composition.h"
#include "facets/keras/open_windows.h"
#include "h5bridge/error.h"
#include "layers/resizing/interpolation.h"

namespace h5bridge::resizing {
namespace {

using Handle = KerasEmitter::Handle;
using Operand = OpenSizes::Operand;

class OpenAxis {
 public:
  OpenAxis(const Attributes& attributes, KerasEmitter& emitter, OpenSizes& sizes, Handle x, std::int64_t axis,
           const SymbolicShape& output, std::size_t i, const std::string& suffix)
      : attributes_(attributes),
        emitter_(emitter),
        sizes_(sizes),
        x_(x),
        axis_(axis),
        input_(emitter.shape(x)[axis]),
        output_(output.at(i)),
        suffix_(suffix) {
    aligned_ = aligns_corners(attributes);
    scale_ = scale_of(stated_scale(attributes, i), shortcuts_of(attributes, output));
  }

  Handle emit() {
    const std::string& mode = attributes_.text("mode");
    if (mode == "area") return window_means(emitter_, sizes_, x_, axis_, output_, suffix_);
    const bool antialias = attributes_.contains("antialias") && attributes_.boolean("antialias");
    if (antialias || mode == "cubic") return filtered(mode, antialias);
    if (mode == "nearest")
      return named(sizes_.emitter(), suffix_).take(x_, axis_, index(apply("Multiply", places(), scale_)));
    if (mode == "nearest-exact")
      return named(sizes_.emitter(), suffix_)
          .take(x_, axis_, index(apply("Multiply", apply("Add", places(), 0.5), scale_)));
    return mode == "bicubic" ? cubic() : linear();
  }

 private:
  template <typename... Operands>
  Handle apply(const std::string& operation, const Operands&... operands) {
    return sizes_.elementwise(operation, {operand(operands)...});
  }
  static Operand operand(const Operand& value) { return value; }
  static Operand operand(std::same_as<double> auto number) { return Json(number); }

  Operand real(const Size& size) {
    if (const auto number = size.value()) return Json(static_cast<double>(*number));
    return sizes_.cast(std::get<Handle>(sizes_.count(size)), "float32");
  }

  // Elements of the input for one of the output; computed in floats, as PyTorch does.
  Operand scale_of(std::optional<double> stated, const Shortcuts& shortcuts) {
    if (stated && !aligned_) {
      Operand scale = Json(static_cast<double>(static_cast<float>(1.0 / *stated)));
      // Rounded down, a size times 1.x may be the size itself, and times 2.x its double.
      if (shortcuts.equal && *stated > 1 && *stated < 2) scale = unless_sizes_fit(1, shortcuts, scale);
      if (shortcuts.doubled && *stated > 2 && *stated < 3) scale = unless_sizes_fit(2, shortcuts, scale);
      return scale;
    }
    const auto ratio = [&](const Size& in, const Size& out) -> Operand {
      const auto a = in.value(), b = out.value();
      if (a && b) return Json(static_cast<double>(static_cast<float>(*a) / static_cast<float>(*b)));
      return apply("Divide", real(in), real(out));
    };
    if (!aligned_) return ratio(input_, output_);
    if (output_ == Size(1)) return Json(0.0);
    if (output_.value()) return ratio(input_ - Size(1), output_ - Size(1));
    // One element alone is the first.
    return apply("Multiply", apply("Divide", real(input_ - Size(1)), apply("Maximum", real(output_ - Size(1)), 1.0)),
                 sizes_.cast(apply("Greater", sizes_.count(output_), Json(1)), "float32"));
  }

  Handle unless_sizes_fit(std::int64_t times, const Shortcuts& shortcuts, const Operand& scale) {
    Handle fits = apply("Equal", sizes_.count(output_), sizes_.count(input_ * Size(times)));
    if (shortcuts.few)
      fits = apply("LogicalAnd", fits, apply("LessEqual", sizes_.count(*shortcuts.few), Json(Shortcuts::kFew)));
    return apply("Where", fits, 1.0 / static_cast<double>(times), scale);
  }

  Handle places() { return sizes_.cast(sizes_.range(output_), "float32"); }

  // Where the output's elements lie between the input's.
  Handle positions() {
    if (aligned_) return apply("Multiply", places(), scale_);
    return apply("Subtract", apply("Multiply", apply("Add", places(), 0.5), scale_), 0.5);
  }

  Handle index(Handle real_place) { return sizes_.clamped(sizes_.cast(apply("Floor", real_place), "int32"), input_); }
  Handle shifted(Handle indices, std::int64_t by) {
    return by == 0 ? indices : sizes_.clamped(apply("Add", indices, Json(by)), input_);
  }

  // `weight`, one for each element of the output, times the input's elements of that index.
  Handle weighted(Handle weight, Handle indices, const std::string& name) {
    const Handle taken = named(sizes_.emitter(), name).take(x_, axis_, indices);
    return apply("Multiply", taken, sizes_.along(weight, axis_, static_cast<std::int64_t>(emitter_.shape(x_).size())));
  }

  Handle total(const std::vector<Handle>& parts) {
    Handle sum = parts.at(0);
    for (std::size_t i = 1; i < parts.size(); ++i)
      sum = named(emitter_, i + 1 == parts.size() ? suffix_ : "sum").elementwise("Add", {sum, parts[i]});
    return sum;
  }

  Handle linear() {
    const Handle position = apply("Maximum", positions(), 0.0);
    const Handle first = index(position);
    const Handle second_weight = apply("Minimum", apply("Subtract", position, sizes_.cast(first, "float32")), 1.0);
    const Handle first_weight = apply("Add", apply("Negative", second_weight), 1.0);
    return total({weighted(first_weight, first, "first"), weighted(second_weight, shifted(first, 1), "second")});
  }

  // Horner's scheme.
  Handle polynomial(Handle x, const std::vector<double>& coefficients) {
    Handle value = apply("Add", apply("Multiply", x, coefficients.at(0)), coefficients.at(1));
    for (std::size_t i = 2; i < coefficients.size(); ++i)
      value = apply("Add", apply("Multiply", value, x), coefficients[i]);
    return value;
  }
  // The two pieces of Keys's cubic with the parameter `a`: up to a distance of 1, and from there to 2.
  Handle cubic_inside(Handle x, double a) { return polynomial(x, {a + 2, -(a + 3), 0, 1}); }
  Handle cubic_outside(Handle x, double a) { return polynomial(x, {a, -5 * a, 8 * a, -4 * a}); }

  Handle cubic() {
    constexpr double a = -0.75;
    const Handle position = positions();
    const Handle below = apply("Floor", position);
    const Handle t = apply("Subtract", position, below);
    const Handle rest = apply("Add", apply("Negative", t), 1.0);
    const Handle first = sizes_.cast(below, "int32");
    const auto at = [&](std::int64_t by) {
      return sizes_.clamped(by == 0 ? first : apply("Add", first, Json(by)), input_);
    };
    return total({weighted(cubic_outside(apply("Add", t, 1.0), a), at(-1), "first"),
                  weighted(cubic_inside(t, a), at(0), "second"), weighted(cubic_inside(rest, a), at(1), "third"),
                  weighted(cubic_outside(apply("Add", rest, 1.0), a), at(2), "fourth")});
  }

  // A filter over the range of the input that it reaches; to lose no element, it widens with the scale.
  Handle filtered(const std::string& mode, bool antialias) {
    if (mode == "lanczos")
      throw Unsupported("antialiasing of open sizes by Lanczos's filter is not known; LoadOptions::fix_sizes may help");
    const bool is_cubic = mode == "bicubic" || mode == "cubic";
    const double width = is_cubic ? 4 : 2;
    const Operand widening = !antialias ? Operand(Json(1.0))
                             : std::holds_alternative<Json>(scale_)
                                 ? Operand(Json(std::max(std::get<Json>(scale_).as_float(), 1.0)))
                                 : apply("Maximum", scale_, 1.0);
    const Handle centre = apply("Multiply", apply("Add", places(), 0.5), scale_);
    const Operand support = std::holds_alternative<Json>(widening)
                                ? Operand(Json(std::get<Json>(widening).as_float() * width / 2))
                                : apply("Multiply", widening, width / 2);
    const auto bound = [&](const std::string& operation) {
      return sizes_.cast(apply("Add", apply(operation, centre, support), 0.5), "int32");
    };
    const OpenWindows window{apply("Maximum", bound("Subtract"), Json(0)),
                             apply("Minimum", bound("Add"), sizes_.count(input_))};
    const Handle elements = sizes_.cast(sizes_.range(input_), "float32");
    const Handle distance =
        apply("Absolute",
              apply("Divide", apply("Add", apply("Subtract", elements, sizes_.expand(centre, -1)), 0.5), widening));
    const Handle inside = sizes_.cast(membership(sizes_, window, input_), "float32");
    const Handle weight = apply(
        "Multiply", is_cubic ? keys(distance) : apply("Maximum", apply("Add", apply("Negative", distance), 1.0), 0.0),
        inside);
    const Handle sum =
        named(emitter_, "weights").apply("Sum", {weight}, {output_, 1}, {{"axis", Json::Array{1}}, {"keepdims", true}});
    return weighted_sums(emitter_, x_, axis_, apply("Divide", weight, sum), suffix_);
  }

  Handle keys(Handle distance) {
    constexpr double a = -0.5;
    const auto where = [&](Handle condition, Handle yes, const Operand& no) {
      return named(emitter_, "piece").elementwise("Where", {condition, yes, no});
    };
    const Handle outside = where(apply("Less", distance, 2.0), cubic_outside(distance, a), Json(0.0));
    return where(apply("Less", distance, 1.0), cubic_inside(distance, a), outside);
  }

  const Attributes& attributes_;
  KerasEmitter& emitter_;
  OpenSizes& sizes_;
  Handle x_;
  std::int64_t axis_;
  Size input_;
  Size output_;
  std::string suffix_;
  bool aligned_ = false;
  Operand scale_;
};

}  // namespace

Handle emit_open_axis(const Attributes& attributes, KerasEmitter& emitter, OpenSizes& sizes, Handle x,
                      std::int64_t axis, const SymbolicShape& output, std::size_t i, const std::string& suffix) {
  return OpenAxis(attributes, emitter, sizes, x, axis, output, i, suffix).emit();
}

}  // namespace h5bridge::resizing
