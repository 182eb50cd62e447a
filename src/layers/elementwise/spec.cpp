#include <limits>

#include "facets/spec/layer_type.h"

namespace h5bridge::elementwise {
namespace {

using Range = std::pair<double, double>;

constexpr Range kAll{-3, 3};
constexpr Range kPositive{0.1, 3};
constexpr Range kUnit{-0.95, 0.95};

LayerType function(const std::string& name, const std::string& summary, Range domain = kAll,
                   std::vector<AttributeSpec> attributes = {}, std::vector<Json::Object> settings = {}) {
  LayerType type;
  type.name = name;
  type.keeps_rows_apart = LayerType::always;
  type.summary = summary;
  type.source = "torch/_torch_docs.py; keras/src/ops/numpy.py";
  type.attributes = std::move(attributes);
  type.layout = any_layout();
  type.samples = {{"features", {}, {{3, 7}}}, {"image", {}, {{1, 3, 4, 5}}}};
  for (std::size_t i = 0; i < settings.size(); ++i)
    type.samples.push_back({"settings " + std::to_string(i + 1), std::move(settings[i]), {{3, 7}}});
  for (Sample& sample : type.samples) sample.between = domain;
  return type;
}

// Functions whose results are no integers, whatever their arguments are.
LayerType of_floats(LayerType type) {
  type.dtypes = promotes().at_least_float();
  return type;
}

LayerType truth(LayerType type) {
  type.dtypes = gives(DType::Bool);
  return type;
}

LayerType of_integers(const std::string& name, const std::string& summary, std::int64_t below) {
  LayerType type = function(name, summary);
  for (Sample& sample : type.samples) {
    sample.between.reset();
    sample.ids_below = below;
  }
  return type;
}

AttributeSpec optional_number(const std::string& name, const std::string& meaning) {
  return or_none(number(name, 0, meaning));
}

AttributeSpec optional_scalar(const std::string& name, const std::string& meaning) {
  return or_none(scalar(name, std::int64_t{0}, meaning));
}

AttributeSpec dtype(const std::string& meaning) {
  return dtype_attribute(DType::Float32,
                         {DType::Float64, DType::Float32, DType::Float16, DType::BFloat16, DType::Int64, DType::Int32,
                          DType::Int16, DType::Int8, DType::UInt8, DType::Bool},
                         meaning);
}

// In the shape of the input.
LayerType constant(const std::string& name, const std::string& summary, std::vector<AttributeSpec> attributes = {},
                   std::vector<Json::Object> settings = {}) {
  attributes.push_back(or_none(dtype("the element type; None: the input's")));
  settings.push_back({{"dtype", "int32"}});
  LayerType type = function(name, summary, kAll, std::move(attributes), std::move(settings));
  type.dtypes = of_attribute("dtype");
  return type;
}

LayerType cast() {
  LayerType type = function("to", "the same values in another element type");
  type.attributes = {dtype("the type")};
  type.dtypes = of_attribute("dtype");
  type.samples[1].attributes = {{"dtype", "int32"}};
  type.samples[0].attributes = {{"dtype", "float16"}};
  return type;
}

}  // namespace

std::vector<LayerType> layer_types() {
  LayerType clamp =
      function("clamp", "x cut to [min, max]", kAll,
               {optional_scalar("min", "the smallest output"), optional_scalar("max", "the largest output")},
               {{{"min", 0.25}}, {{"max", 0.75}}});
  clamp.dtypes = promotes().with_numbers({"min", "max"});
  LayerType square = function("square", "x x");
  square.dtypes = promotes().with_integer();
  clamp.samples[0].attributes = {{"min", -0.5}, {"max", 1.25}};
  clamp.samples[1].attributes = {{"min", -1}, {"max", 1}};
  std::vector<LayerType> types{
      function("abs", "|x|"),
      function("neg", "-x"),
      function("detach", "x, without a gradient"),
      of_floats(function("exp", "exp(x)")),
      of_floats(function("exp2", "2 to the power of x")),
      of_floats(function("expm1", "exp(x) - 1")),
      of_floats(function("log", "logarithm", kPositive)),
      of_floats(function("log2", "logarithm to base 2", kPositive)),
      of_floats(function("log10", "logarithm to base 10", kPositive)),
      of_floats(function("log1p", "log(1 + x)", kPositive)),
      of_floats(function("sqrt", "square root", kPositive)),
      of_floats(function("rsqrt", "1 / sqrt(x)", kPositive)),
      std::move(square),
      of_floats(function("reciprocal", "1 / x", kPositive)),
      of_floats(function("sin", "sine")),
      of_floats(function("cos", "cosine")),
      of_floats(function("tan", "tangent", kUnit)),
      of_floats(function("asin", "inverse of sine", kUnit)),
      of_floats(function("acos", "inverse of cosine", kUnit)),
      of_floats(function("atan", "inverse of tangent")),
      of_floats(function("sinh", "hyperbolic sine")),
      of_floats(function("cosh", "hyperbolic cosine")),
      of_floats(function("asinh", "inverse of hyperbolic sine")),
      of_floats(function("acosh", "inverse of hyperbolic cosine", {1.1, 3})),
      of_floats(function("atanh", "inverse of hyperbolic tangent", kUnit)),
      of_floats(function("sinc", "sin(pi x) / (pi x)")),
      of_floats(function("erf", "error function")),
      of_floats(function("erfc", "1 - erf(x)")),
      of_floats(function("erfinv", "inverse of the error function", kUnit)),
      of_floats(function("i0", "modified Bessel function of the first kind, order 0")),
      of_floats(function("deg2rad", "degrees to radians")),
      of_floats(function("rad2deg", "radians to degrees")),
      function("floor", "the largest integer not above x"),
      function("ceil", "the smallest integer not below x"),
      function("trunc", "x without its fraction"),
      function("frac", "x minus trunc(x)"),
      function("round", "the nearest integer, or decimal", kAll, {integer("decimals", 0, "how many decimals stay")},
               {{{"decimals", 2}}}),
      function("sign", "-1, 0 or 1"),
      of_floats(function("Cbrt", "cube root (Keras's)")),
      truth(function("isnan", "whether it is no number", {-1, 1})),
      truth(function("isinf", "whether it is infinite", {-1, 1})),
      truth(function("isfinite", "whether it is a finite number", {-1, 1})),
      truth(function("isposinf", "whether it is plus infinity", {-1, 1})),
      truth(function("isneginf", "whether it is minus infinity", {-1, 1})),
      truth(function("signbit", "whether its sign is minus")),
      truth(of_integers("logical_not", "whether it is 0", 2)),
      of_integers("bitwise_not", "the other bits", 9),
      function("nan_to_num", "x, with numbers in place of NaN and infinities", kAll,
               {number("nan", 0, "in place of NaN"),
                optional_number("posinf", "in place of infinity; None: the largest number"),
                optional_number("neginf", "in place of minus infinity; None: the smallest number")},
               {{{"nan", 0.5}, {"posinf", 2.5}, {"neginf", -1.5}}}),
      std::move(clamp),
      of_floats(function("logit", "log(x / (1 - x))", {0.05, 0.95},
                         {or_none(number("eps", 0, "x is cut to [eps, 1 - eps] before"))}, {{{"eps", 0.2}}})),
      constant("zeros_like", "zeros"),
      constant("ones_like", "ones"),
      constant("full_like", "one number everywhere", {scalar("fill_value", std::int64_t{0}, "the number")},
               {{{"fill_value", 1.5}}}),
  };
  for (LayerType& type : types) type.choice = {"function", type.name};
  types.push_back(cast());
  return types;
}

}  // namespace h5bridge::elementwise
