#include <algorithm>

#include "facets/keras/composition.h"
#include "facets/keras/open_sizes.h"
#include "facets/spec/axes.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::sorting {
namespace {

using Handle = KerasEmitter::Handle;
using Results = KerasEmitter::Results;
using Shapes = std::vector<SymbolicShape>;

std::int64_t axis_of(const Attributes& a, const SymbolicShape& input) {
  return resolve_axis(a.integer("dim"), static_cast<std::int64_t>(input.size()));
}

// The places of the elements of an axis in order, those of equal elements in their own.
Handle emit_order(Composition& steps, Handle x, std::int64_t axis, bool descending) {
  if (descending) x = steps.elementwise("Negative", {x});
  return steps.apply("Argsort", {x}, steps.shape(x), {{"axis", axis}});
}

// Elements at places that a sort gave, and the places themselves.
Results emit_elements(Composition& steps, Handle x, Handle places, std::int64_t axis, bool keepdim = true) {
  Handle values = steps.take_along(x, places, axis);
  if (keepdim) return std::vector<Handle>{values, places};
  return std::vector<Handle>{steps.squeeze(values, axis), steps.squeeze(places, axis)};
}

// So many of the places from `start` on.
Handle part_of(Composition& steps, Handle places, std::int64_t axis, const Size& start, const Size& length) {
  const auto first = start.value(), count = length.value();
  if (first && count) return steps.cut(places, axis, {.start = *first, .stop = *first + *count});
  return OpenSizes(steps.emitter(), "size_").part("part", places, axis, start, length);
}

const std::vector<Correspondence>& axis_row() {
  static const std::vector<Correspondence> rows{{"dim", "axis", spelling::integer()}};
  return rows;
}

KerasMapping sort() {
  KerasMapping mapping = operation("sort", "Sort", axis_row());
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    if (!a.boolean("descending") && !emitter.is_used(1))
      return emitter.main(std::move(config), emitter.inputs()).first();
    Composition steps(emitter);
    const std::int64_t axis = axis_of(a, emitter.input_shapes()[0]);
    return emit_elements(steps, emitter.input(0), emit_order(steps, emitter.input(0), axis, a.boolean("descending")),
                         axis);
  };
  return mapping;
}

KerasMapping argsort() {
  KerasMapping mapping = operation("argsort", "Argsort", axis_row());
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    Handle x = emitter.input(0);
    if (a.boolean("descending")) x = named(emitter, "negative").elementwise("Negative", {x});
    return emitter.main(std::move(config), {x});
  };
  return mapping;
}

// Keras has the largest ones of the last axis.
KerasMapping topk() {
  KerasMapping mapping = operation(
      "topk", "TopK", {{"k", "k", spelling::integer()}, {"sorted", "sorted", spelling::boolean()}}, {"x"}, kMath);
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    const SymbolicShape& input = emitter.input_shapes()[0];
    const std::int64_t axis = axis_of(a, input);
    const bool is_last = axis == static_cast<std::int64_t>(input.size()) - 1;
    const Size count = a.open_integer("k");
    if (a.boolean("largest") && is_last && count.value()) return emitter.main(std::move(config), emitter.inputs());
    Composition steps(emitter);
    const Handle order = emit_order(steps, emitter.input(0), axis, a.boolean("largest"));
    return emit_elements(steps, emitter.input(0), part_of(steps, order, axis, 0, count), axis);
  };
  mapping.open = {"k"};
  return mapping;
}

KerasMapping kthvalue() {
  KerasMapping mapping = write_only(operation("kthvalue", "Sort"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
    Composition steps(emitter);
    const std::int64_t axis = axis_of(a, emitter.input_shapes()[0]);
    const Handle order = emit_order(steps, emitter.input(0), axis, false);
    const Handle place = part_of(steps, order, axis, a.open_integer("k") - Size(1), 1);
    return emit_elements(steps, emitter.input(0), place, axis, a.boolean("keepdim"));
  };
  mapping.open = {"k"};
  return mapping;
}

// The place in the middle of as many elements as there are, or as are numbers: sorted, what is no number comes last.
KerasMapping median(const std::string& type, bool of_numbers) {
  KerasMapping mapping = write_only(operation(type, "Sort"));
  mapping.lower = [of_numbers](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
    Composition steps(emitter);
    Handle x = emitter.input(0);
    const bool of_all = a.is_none("dim");
    if (of_all)
      x = steps.apply("Reshape", {x}, {element_count(emitter.input_shapes()[0])}, {{"newshape", Json::Array{-1}}});
    const std::int64_t axis = of_all ? 0 : axis_of(a, emitter.input_shapes()[0]);
    const Handle counted = of_numbers ? steps.elementwise("LogicalNot", {steps.elementwise("Isnan", {x})})
                                      : steps.elementwise("OnesLike", {x}, {{"dtype", "int32"}});
    const Handle count = steps.reduce("Sum", of_numbers ? steps.cast(counted, "int32") : counted, axis, true);
    const Handle middle = steps.elementwise("FloorDivide", {steps.elementwise("Subtract", {count, Json(1)}), Json(2)});
    const Handle place = steps.take_along(emit_order(steps, x, axis, false), middle, axis);
    if (of_all) return steps.squeeze(steps.take_along(x, place, axis), axis);
    return emit_elements(steps, x, place, axis, a.boolean("keepdim"));
  };
  return mapping;
}

// Over the last 2, 4, 8, ... elements, each time the later one of two where it is not behind the other.
KerasMapping extreme_so_far(const std::string& type, const std::string& comparison) {
  KerasMapping mapping = write_only(operation(type, "Where"));
  mapping.lower = [comparison](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
    const std::int64_t axis = axis_of(a, emitter.input_shapes()[0]);
    const Size& extent = emitter.input_shapes()[0][axis];
    if (!extent.value())
      throw Unsupported("extremes so far along the open size " + extent.str() +
                        " have no Keras operation; LoadOptions::fix_sizes may help");
    Composition steps(emitter);
    Handle values = emitter.input(0);
    Handle places = steps.elementwise(
        "Add", {steps.positions(values, axis), steps.elementwise("ZerosLike", {values}, {{"dtype", "int32"}})});
    for (std::int64_t distance = 1; distance < *extent.value(); distance *= 2) {
      // Those before, or the same ones where there are none.
      const auto earlier = [&](Handle x) {
        return steps.concatenate({steps.cut(x, axis, {.stop = distance}), steps.cut(x, axis, {.stop = -distance})},
                                 axis);
      };
      const Handle before = earlier(values);
      const Handle is_later = steps.elementwise(comparison, {values, before});
      places = steps.where(is_later, places, earlier(places));
      values = steps.where(is_later, values, before);
    }
    return std::vector<Handle>{values, places};
  };
  return mapping;
}

bool goes_behind(const Attributes& a) {
  return a.boolean("right") || (a.contains("side") && !a.is_none("side") && a.text("side") == "right");
}

// The number of elements before, which stand along the last axis of `sorted`.
Handle emit_number_before(const Attributes& a, Composition& steps, Handle sorted, Handle values) {
  if (steps.rank(sorted) > 1) sorted = steps.expand(sorted, -2);
  const Handle before = steps.elementwise(goes_behind(a) ? "LessEqual" : "Less", {sorted, steps.expand(values, -1)});
  return steps.reduce("Sum", steps.cast(before, "int32"), steps.rank(before) - 1, false);
}

Spelling side() {
  return {[](const AttributeValue& value) { return Json(std::get<bool>(value) ? "right" : "left"); },
          [](const Json& json) { return AttributeValue(json.as_string() == "right"); }};
}

KerasMapping searchsorted() {
  KerasMapping mapping =
      operation("searchsorted", "SearchSorted", {{"right", "side", side()}}, {"sorted_sequence", "values"});
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> Results {
    if (emitter.input_shapes()[0].size() == 1) {
      config.set("side", goes_behind(a) ? "right" : "left");
      return emitter.main(std::move(config), emitter.inputs());
    }
    Composition steps(emitter);
    return emit_number_before(a, steps, emitter.input(0), emitter.input(1));
  };
  // A sequence of one element is sorted, whatever it is.
  mapping.samples = {{"before equal ones", {}, {{1}, {3, 7}}},
                     {"behind equal ones", {{"side", "right"}}, {{1}, {2, 3, 4}}}};
  return mapping;
}

// An array among the constants of a call.
Spelling array() {
  return {[](const AttributeValue& value) {
            const auto* numbers = std::get_if<std::vector<double>>(&value);
            return numbers ? keras_ops::constant({static_cast<std::int64_t>(numbers->size())}, *numbers) : Json();
          },
          [](const Json& json) -> AttributeValue {
            std::vector<double> result;
            for (const Json& number : (json.is_object() ? json.at("config").at("value") : json).as_array())
              result.push_back(number.as_float());
            return result;
          }};
}

// Keras's bins are closed at their lower end.
KerasMapping digitize() {
  KerasMapping mapping = operation("bucketize", "Digitize", {{"boundaries", "bins", array()}}, {"x", "bins"});
  mapping.fits = [](const Attributes& a, const Shapes&) { return a.boolean("right") && !a.is_none("boundaries"); };
  mapping.derive = [](Attributes& a, const Shapes&) { a.set("right", true); };
  return mapping;
}

KerasMapping bucketize() {
  KerasMapping mapping = write_only(operation("bucketize", "SearchSorted"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> Results {
    if (emitter.input_shapes().size() == 2)
      return Composition(emitter).last("SearchSorted", {emitter.input(1), emitter.input(0)},
                                       {{"side", goes_behind(a) ? "right" : "left"}});
    Composition steps(emitter);
    const Handle x = steps.expand(emitter.input(0), -1);
    SymbolicShape shape = emitter.input_shapes()[0];
    const auto& boundaries = a.numbers("boundaries");
    const auto count = static_cast<std::int64_t>(boundaries.size());
    shape.push_back(count);
    const Handle before =
        steps.apply(goes_behind(a) ? "GreaterEqual" : "Greater", {x, keras_ops::constant({count}, boundaries)}, shape);
    return steps.reduce("Sum", steps.cast(before, "int32"), steps.rank(before) - 1, false);
  };
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  const DTypeRule places = gives(DType::Int32);
  const DTypeRules with_places{keeps(), places};
  return {
      giving(with_places, sort()),
      giving(places, argsort()),
      topk(),
      giving(with_places, kthvalue()),
      giving(with_places, median("median", false)),
      giving(with_places, median("nanmedian", true)),
      giving(with_places, extreme_so_far("cummax", "GreaterEqual")),
      giving(with_places, extreme_so_far("cummin", "LessEqual")),
      giving(places, searchsorted()),
      giving(places, digitize()),
      giving(places, bucketize()),
  };
}

}  // namespace h5bridge::sorting
