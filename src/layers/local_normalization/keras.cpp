#include <cmath>
#include <optional>

#include "facets/keras/composition.h"
#include "facets/keras/mapping.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::local_normalization {
namespace {

using Handle = KerasEmitter::Handle;
using Shapes = std::vector<SymbolicShape>;

// The squares of neighbours are slices of one padded tensor.
KerasMapping local_response_norm() {
  KerasMapping mapping{.type = "LocalResponseNorm", .class_name = "", .written_only = true};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle x = emitter.input(0);
    SymbolicShape padded = emitter.shape(x);
    const std::int64_t channels = channel_axis(a, static_cast<std::int64_t>(padded.size()));
    const std::int64_t size = a.integer("size");
    Json::Array widths(padded.size(), Json::Array{0, 0});
    widths[channels] = Json::Array{size / 2, (size - 1) / 2};
    padded[channels] = padded[channels] + Size(size - 1);
    const Handle squares = named(emitter, "squares").elementwise("Square", {x});
    const Handle with_margin = named(emitter, "pad")
                                   .with("constant_values", 0.0)
                                   .apply("Pad", {squares}, padded, {{"pad_width", widths}, {"mode", "constant"}});
    std::optional<Handle> sum;
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t stop = i + 1 - size;
      const Handle neighbour = named(emitter, "neighbour")
                                   .cut(with_margin, {{channels, {i, stop == 0 ? std::nullopt : std::optional(stop)}}});
      sum = sum ? named(emitter, "sum").elementwise("Add", {*sum, neighbour}) : neighbour;
    }
    const Handle scaled = named(emitter, "scaled").scaled(*sum, a.number("alpha") / static_cast<double>(size));
    const Handle divisor =
        named(emitter, "divisor")
            .with("x2", a.number("beta"))
            .elementwise("Power", {named(emitter, "k").with("x2", a.number("k")).elementwise("Add", {scaled})});
    return named(emitter, "").elementwise("Divide", {x, divisor});
  };
  return mapping;
}

std::vector<std::int64_t> axes_of(const Attributes& a, const KerasEmitter& emitter) {
  std::vector<std::int64_t> result;
  for (const std::int64_t axis : a.integers("dim"))
    result.push_back(resolve_axis(axis, static_cast<std::int64_t>(emitter.input_shapes()[0].size())));
  return result;
}

KerasMapping unit_normalization() {
  KerasMapping mapping{
      .type = "normalize", .class_name = "UnitNormalization", .attributes = {{"dim", "axis", spelling::axes()}}};
  mapping.fits = [](const Attributes& a, const Shapes&) { return a.number("p") == 2 && a.number("eps") == 1e-12; };
  mapping.samples = {{"plain", {}, {{3, 7}}},
                     {"an axis", {{"axis", 1}}, {{2, 3, 4}}},
                     {"axes", {{"axis", Json::Array{1, 2}}}, {{2, 3, 4, 5}}}};
  return mapping;
}

KerasMapping operation() {
  KerasMapping mapping{.type = "normalize", .class_name = "Normalize"};
  mapping.module = "keras.src.ops.nn";
  mapping.attributes = {{"p", "order", spelling::number()},
                        {"dim", "axis", spelling::axes()},
                        {"eps", "epsilon", spelling::number(), 1e-7}};
  mapping.lift = [](Json::Object& config, Attributes&, const Shapes&) {
    if (const Json* epsilon = config.find("epsilon"); epsilon && epsilon->is_null()) config.erase("epsilon");
  };
  mapping.fits = [](const Attributes& a, const Shapes&) {
    const double p = a.number("p");
    return p == 2 || (p >= 1 && p < 1e6 && p == std::floor(p) && a.integers("dim").size() == 1);
  };
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) {
    const auto axes = axes_of(a, emitter);
    config.set("axis", axes.size() == 1 ? Json(axes[0]) : Json::array(axes));
    config.set("order", static_cast<std::int64_t>(a.number("p")));  // Keras takes integers only
    return emitter.main(std::move(config), {emitter.input(0)});
  };
  mapping.samples = {{"settings", {{"axis", 1}, {"order", 1}, {"epsilon", 0.01}}, {{2, 3, 4}}}};
  return mapping;
}

// Other norms, step by step.
KerasMapping composition() {
  KerasMapping mapping{.type = "normalize", .class_name = "", .written_only = true};
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const double p = a.number("p");
    const auto axes = axes_of(a, emitter);
    if (p == 0) throw Unsupported("the norm 0, which counts elements, has no Keras operation");
    const Handle x = emitter.input(0);
    const Handle sizes = named(emitter, "absolute").elementwise("Absolute", {x});
    const auto norm = [&] {
      if (std::isinf(p)) return named(emitter, "norm").reduce(p > 0 ? "Max" : "Min", sizes, axes);
      const Handle powers = named(emitter, "power").with("x2", p).elementwise("Power", {sizes});
      return named(emitter, "norm")
          .with("x2", 1 / p)
          .elementwise("Power", {named(emitter, "sum").reduce("Sum", powers, axes)});
    };
    return named(emitter, "")
        .elementwise("Divide", {x, named(emitter, "eps").with("x2", a.number("eps")).elementwise("Maximum", {norm()})});
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  return {local_response_norm(), unit_normalization(), operation(), composition()};
}

}  // namespace h5bridge::local_normalization
