#include <cmath>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/axes.h"
#include "h5bridge/error.h"
#include "model/quoted.h"

namespace h5bridge::reduction {
namespace {

using Handle = KerasEmitter::Handle;

// Keras's functions over one axis, several or all; `axis` spells the axes.
KerasMapping over(const std::string& type, const std::string& class_name, const Spelling& axis,
                  const char* module = kNumpy) {
  return operation(type, class_name, {{"dim", "axis", axis}, {"keepdim", "keepdims", spelling::boolean()}}, {"x"},
                   module);
}

// Keras's own, with PyTorch as its backend, gives several axes in the reverse order. It is read.
KerasMapping count_nonzero() {
  KerasMapping mapping = read_only(operation("count_nonzero", "CountNonzero", {{"dim", "axis", spelling::axes()}}));
  mapping.samples = {{.what = "all axes", .config = {}, .inputs = {{2, 3, 4}}, .ids_below = 3},
                     {.what = "one axis", .config = {{"axis", 1}}, .inputs = {{3, 7}}, .ids_below = 3}};
  return mapping;
}

KerasMapping count() {
  KerasMapping mapping = write_only(operation("count_nonzero", "Sum", {{"dim", "axis", spelling::axes()}}));
  mapping.lower = [](const Attributes&, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle some = named(emitter, "some").elementwise("NotEqual", {emitter.input(0), Json(0)});
    config.set("keepdims", false);
    return Composition(emitter).last(
        "Sum", {named(emitter, "cast").elementwise("Cast", {some}, {{"dtype", "int32"}}, kCore)}, std::move(config));
  };
  return mapping;
}

// Keras's of one tensor; its layer of that name is of several.
KerasMapping average() {
  KerasMapping mapping = read_only(operation("mean", "Average", {{"dim", "axis", spelling::axes()}}, {"x", "weights"}));
  mapping.lift = [](Json::Object& config, Attributes&, const std::vector<SymbolicShape>&) {
    if (config.contains("trainable")) throw Unsupported("it is a layer, not an operation");
    if (const Json* weights = config.find("weights"); weights && !weights->is_null())
      throw Unsupported("its weights have no layer type");
    config.erase("weights");
  };
  mapping.samples = {{.what = "one axis", .config = {{"axis", 1}}, .inputs = {{2, 3, 4}}}};
  return mapping;
}

KerasMapping bounded(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = over(type, class_name, spelling::axes());
  mapping.attributes.push_back({"initial", "initial", spelling::number()});
  return mapping;
}

// An axis alone, which Keras may have as a list of one.
Spelling one_axis() {
  Spelling result = spelling::integer();
  result.from_keras = [from = result.from_keras](const Json& json) {
    const bool is_list_of_one = json.is_array() && json.as_array().size() == 1;
    if (json.is_array() && !is_list_of_one)
      throw Unsupported("over several axes (" + quoted(json) + ") it has no layer type");
    return from(is_list_of_one ? json.as_array()[0] : json);
  };
  return result;
}

// The largest elements and their places are two operations.
KerasMapping extreme(const std::string& type, const std::string& values, const std::string& places) {
  KerasMapping mapping = write_only(over(type, values, one_axis()));
  mapping.lower = [values, places](const Attributes& a, Json::Object config,
                                   KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle x = emitter.input(0);
    if (a.is_none("dim")) return Composition(emitter).last(values, {x}, std::move(config));
    const Handle where = named(emitter, "places")
                             .apply(places, {x}, emitter.output_shape(),
                                    {{"axis", config.at("axis")}, {"keepdims", config.at("keepdims")}});
    return std::vector<Handle>{Composition(emitter).last(values, {x}, std::move(config)), where};
  };
  return mapping;
}

// What a moment over `count` elements is multiplied by, so that it was divided by so many less.
KerasEmitter::Argument bessel_factor(KerasEmitter& emitter, const Size& count, double correction, bool root) {
  if (const auto known = count.value()) {
    const auto number = static_cast<double>(*known);
    const double factor = number / std::max(0.0, number - correction);
    return Json(root ? std::sqrt(factor) : factor);
  }
  OpenSizes sizes(emitter, "count_");
  const Handle number = sizes.cast(std::get<Handle>(sizes.count(count)), "float32");
  const Handle factor = sizes.elementwise(
      "Divide",
      {number, sizes.elementwise("Maximum", {sizes.elementwise("Subtract", {number, Json(correction)}), Json(0.0)})});
  return root ? sizes.elementwise("Sqrt", {factor}) : factor;
}

// Keras divides by the number of elements; another divisor is a factor.
KerasMapping moment(const std::string& type, const std::string& class_name) {
  KerasMapping mapping = over(type, class_name, spelling::axes());
  mapping.derive = [](Attributes& a, const std::vector<SymbolicShape>&) { a.set("correction", 0.0); };
  mapping.lower = [type, class_name](const Attributes& a, Json::Object config,
                                     KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle x = emitter.input(0);
    if (a.number("correction") == 0) return KerasMapping::emit_main(a, std::move(config), emitter);
    const SymbolicShape& input = emitter.input_shapes()[0];
    Size count(1);
    for (const std::int64_t axis : axes_in(a, "dim", static_cast<std::int64_t>(input.size())))
      count = count * input[axis];
    const Handle plain = named(emitter, type)
                             .apply(class_name, {x}, emitter.output_shape(),
                                    {{"axis", config.at("axis")}, {"keepdims", config.at("keepdims")}});
    return Composition(emitter).last("Multiply",
                                     {plain, bessel_factor(emitter, count, a.number("correction"), type == "std")});
  };
  return mapping;
}

// Norms as Keras has them: sums of powers, or extremes of absolute values.
Handle emit_norm(KerasEmitter& emitter, double p, const Json& axis, bool keepdims, const SymbolicShape& shape,
                 const std::string& last_suffix) {
  const Handle x = emitter.input(0);
  const Json::Object over{{"axis", axis}, {"keepdims", keepdims}};
  const auto end = [&](const std::string& class_name, std::vector<KerasEmitter::Argument> arguments,
                       Json::Object config) {
    return named(emitter, last_suffix).apply(class_name, std::move(arguments), shape, std::move(config));
  };
  if (p == 2)
    return end("Sqrt",
               {named(emitter, "sum").apply("Sum", {named(emitter, "square").elementwise("Square", {x})}, shape, over)},
               {});
  if (p == 0) {
    const Handle some = named(emitter, "some").elementwise("NotEqual", {x, Json(0)});
    return end("Sum", {named(emitter, "cast").elementwise("Cast", {some}, {{"dtype", "float32"}}, kCore)}, over);
  }
  const Handle absolute = named(emitter, "abs").elementwise("Absolute", {x});
  if (std::isinf(p)) return end(p > 0 ? "Max" : "Min", {absolute}, over);
  if (p == 1) return end("Sum", {absolute}, over);
  const Handle sum =
      named(emitter, "sum")
          .apply("Sum", {named(emitter, "power").elementwise("Power", {absolute, Json(p)})}, shape, over);
  return end("Power", {sum, Json(1 / p)}, {});
}

KerasMapping norm() {
  KerasMapping mapping = write_only(over("norm", "Sqrt", spelling::axes()));
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    return emit_norm(emitter, a.number("p"), config.at("axis"), a.boolean("keepdim"), emitter.output_shape(), "");
  };
  return mapping;
}

KerasMapping along(const std::string& type, const std::string& class_name) {
  return operation(type, class_name, {{"dim", "axis", spelling::integer()}});
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  const DTypeRule places = gives(DType::Int32);  // and numbers of them
  return {
      over("mean", "Mean", spelling::axes()),
      average(),
      giving(keeps().at_least_int32(), over("sum", "Sum", spelling::axes())),
      over("nanmean", "Nanmean", spelling::axes()),
      giving(keeps().at_least_int32(), over("nansum", "Nansum", spelling::axes())),
      giving(keeps().at_least_int32().at_most_int32(), over("prod", "Prod", spelling::axes())),
      bounded("amax", "Max"),
      over("amax", "Amax", spelling::axes()),
      bounded("amin", "Min"),
      over("amin", "Amin", spelling::axes()),
      giving({keeps(), places}, extreme("max", "Max", "Argmax")),
      giving({keeps(), places}, extreme("min", "Min", "Argmin")),
      moment("std", "Std"),
      moment("var", "Var"),
      giving(places, over("argmax", "Argmax", one_axis())),
      giving(places, over("argmin", "Argmin", one_axis())),
      giving(gives(DType::Bool), over("all", "All", spelling::axes())),
      giving(gives(DType::Bool), over("any", "Any", spelling::axes())),
      over("logsumexp", "Logsumexp", spelling::axes(), kMath),
      norm(),
      giving(places, count()),
      giving(places, count_nonzero()),
      operation("diff", "Diff", {{"dim", "axis", spelling::integer()}, {"n", "n", spelling::integer()}}, {"a"}),
      giving(keeps().counting_truth().at_most_int32(), along("cumsum", "Cumsum")),
      giving(keeps().counting_truth().at_most_int32(), along("cumprod", "Cumprod")),
  };
}

}  // namespace h5bridge::reduction
