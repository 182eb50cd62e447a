// What makes tensors of sizes alone.
#include <algorithm>

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
  LayerType type = function_type(
      "arange", "the numbers from start on, below end, a step apart",
      {start(), required_size("end", "what they stay below, or above where the step is negative"),
       integer("step", 1, "the distance from one to the next"),
       dtype_attribute(DType::Int64, {DType::Int64, DType::Int32, DType::Float32, DType::Float64}, "their dtype")});
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

// One number everywhere.
LayerType filled(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes = {},
                 const Json::Object& settings = {}) {
  const std::vector<DType> dtypes{DType::Float32, DType::Float64, DType::Float16, DType::BFloat16, DType::Int64,
                                  DType::Int32,   DType::Int16,   DType::Int8,    DType::UInt8,    DType::Bool};
  attributes.insert(attributes.begin(), required_sizes("size", "the sizes, which may be open"));
  attributes.push_back(dtype_attribute(DType::Float32, dtypes, "their dtype"));
  LayerType type = function_type(name, summary, std::move(attributes));
  type.operands = {};
  type.dtypes = of_attribute("dtype");
  type.shapes = [](const Attributes& a, const std::vector<SymbolicShape>&) -> std::vector<SymbolicShape> {
    const SymbolicShape& sizes = a.sizes("size");
    if (std::ranges::any_of(sizes, [](const Size& size) { return size.value().value_or(0) < 0; }))
      throw MalformedFile("\"size\" is " + to_string(sizes) + ", expected no negative numbers");
    return {sizes};
  };
  const auto with = [&](Json::Object sample) {
    for (const auto& [key, value] : settings) sample.set(key, value);
    return sample;
  };
  type.samples = {
      {"an open batch", with({{"size", Json::Array{"batch", 1, 4}}}), {{3, 7}}},
      {"several open sizes", with({{"size", Json::Array{2, "batch", "2*batch + 1"}}}), {{3, 7}}},
      {"of integers", with({{"size", Json::Array{"batch"}}, {"dtype", "int32"}}), {{2, 5}}},
      {"numbers alone", with({{"size", Json::Array{2, 3}}}), {{3, 4}}},
      {"a number without axes", with({{"size", Json::Array{}}}), {{3, 4}}},
  };
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  return {
      arange(),
      filled("zeros", "zeros in a shape"),
      filled("ones", "ones in a shape"),
      filled("full", "one number everywhere in a shape", {required_scalar("fill_value", "the number")},
             {{"fill_value", 3}}),
  };
}

}  // namespace h5bridge::creation
