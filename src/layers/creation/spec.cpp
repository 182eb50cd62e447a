// What makes tensors of sizes alone.
#include "facets/spec/function_type.h"
#include "facets/spec/layer_type.h"
#include "h5bridge/error.h"

namespace h5bridge::creation {
namespace {

AttributeSpec start() {
  AttributeSpec spec = required_size("start", "the first one");
  spec.fallback = SymbolicShape{0};
  return spec;
}

LayerType arange() {
  LayerType type =
      function_type("arange", "the numbers from start on, below end, a step apart",
                    {start(), required_size("end", "what they stay below, or above where the step is negative"),
                     integer("step", 1, "the distance from one to the next"),
                     text("dtype", "int64", {"int64", "int32", "float32", "float64"}, "their dtype")});
  type.operands = {};
  type.dtypes = of_attribute("dtype");
  type.check = [](const Attributes& a) {
    if (a.integer("step") == 0) throw MalformedFile("\"step\" is 0");
  };
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>&) -> std::vector<SymbolicShape> {
    const Size start = a.sizes("start").at(0), end = a.sizes("end").at(0);
    const std::int64_t step = a.integer("step");
    const Size length = step > 0 ? (end - start).ceil_divide(step) : (start - end).ceil_divide(-step);
    if (length.value().value_or(0) < 0)
      throw MalformedFile("from " + start.str() + " its step of " + std::to_string(step) + " leads away from " +
                          end.str());
    return {{length}};
  };
  // The inputs are those of the samples' models, not of the layer.
  type.samples = {
      {"an open length", {{"end", "batch"}}, {{3, 7}}},
      {"from a number on", {{"start", 2}, {"end", "batch + 4"}, {"dtype", "float32"}}, {{3, 7}}},
      {"a step that does not end at the length", {{"end", "3*batch + 1"}, {"step", 2}}, {{4, 2}}},
      {"backwards", {{"start", "2*batch"}, {"end", -1}, {"step", -3}, {"dtype", "int32"}}, {{2, 5}}},
      {"numbers alone", {{"start", -1}, {"end", 6}, {"step", 2}}, {{3, 4}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() { return {arange()}; }

}  // namespace h5bridge::creation
