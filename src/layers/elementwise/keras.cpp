#include "facets/keras/composition.h"
#include "facets/spec/layer_type.h"

namespace h5bridge::elementwise {
namespace {

using Handle = KerasEmitter::Handle;

std::vector<Correspondence> row(const char* attribute, const char* keras, Spelling how) {
  return {{attribute, keras, std::move(how)}};
}

// clamp: Clip needs both bounds.
KerasMapping clip() {
  KerasMapping mapping =
      operation("clamp", "Clip", {{"min", "x_min", spelling::scalar()}, {"max", "x_max", spelling::scalar()}});
  mapping.fits = [](const Attributes& a, const std::vector<SymbolicShape>&) {
    return !a.is_none("min") && !a.is_none("max");
  };
  return giving(promotes().with_keras_numbers({"min", "max"}), std::move(mapping));
}

// clamp with one bound is the larger or the smaller of tensor and number, which in Keras are no int64.
KerasMapping one_bound(const char* bound, const char* class_name, const char* beyond) {
  KerasMapping mapping = operation("clamp", class_name, {{bound, "x2", spelling::scalar()}}, {"x1", "x2"});
  mapping.fits = [bound](const Attributes& a, const std::vector<SymbolicShape>&) { return !a.is_none(bound); };
  mapping.lower = [bound, beyond](const Attributes& a, Json::Object config,
                                  KerasEmitter& emitter) -> KerasEmitter::Results {
    if (!emitter.has_int64()) return KerasMapping::emit_main(a, std::move(config), emitter);
    const Json number = attribute_to_json(a.at(bound));
    const Handle x = emitter.input(0);
    const Handle is_beyond = named(emitter, "beyond").apply(beyond, {x, number}, emitter.output_shape());
    return Composition(emitter).last("Where", {is_beyond, number, x});
  };
  return keeping_integers(computing_in(promotes().with_keras_numbers({bound}).at_most_int32(), std::move(mapping)));
}

// Keras rounds floats, and makes floats of integers, which are what they are.
KerasMapping rounded(const char* type, const char* class_name) {
  KerasMapping mapping = operation(type, class_name);
  mapping.lower = [](const Attributes& a, Json::Object config, KerasEmitter& emitter) -> KerasEmitter::Results {
    if (!emitter.integers()) return KerasMapping::emit_main(a, std::move(config), emitter);
    return Composition(emitter).last("Copy", {emitter.input(0)});
  };
  return keeping_integers(giving(keeps().at_least_float(), std::move(mapping)));
}

KerasMapping no_bound() { return write_only(operation("clamp", "Copy")); }

KerasMapping fraction() {
  KerasMapping mapping = write_only(operation("frac", "Subtract"));
  mapping.lower = [](const Attributes&, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    const Handle x = emitter.input(0);
    return Composition(emitter).last("Subtract", {x, named(emitter, "trunc").elementwise("Trunc", {x})});
  };
  return mapping;
}

KerasMapping logit() {
  KerasMapping mapping = write_only(operation("logit", "Log"));
  mapping.lower = [](const Attributes& a, Json::Object, KerasEmitter& emitter) -> KerasEmitter::Results {
    Handle x = emitter.input(0);
    if (!a.is_none("eps"))
      x = named(emitter, "clip").elementwise("Clip", {x}, {{"x_min", a.number("eps")}, {"x_max", 1 - a.number("eps")}});
    const Handle rest = named(emitter, "rest").elementwise("Subtract", {Json(1), x});
    return Composition(emitter).last("Log", {named(emitter, "odds").elementwise("TrueDivide", {x, rest})});
  };
  return mapping;
}

// With a dtype, a conversion to a tensor is a cast.
KerasMapping to_tensor() {
  KerasMapping mapping = operation("to", "ConvertToTensor", {{"dtype", "dtype", spelling::dtype()}}, {"x"}, kCore);
  mapping.carried = {{"sparse", nullptr}, {"ragged", nullptr}};
  mapping.reads = [](const Json::Object& config) {
    const Json* dtype = config.find("dtype");
    return dtype && !dtype->is_null();
  };
  mapping.samples = {{"a cast", {{"dtype", "float16"}}, {{3, 7}}}};
  return mapping;
}

}  // namespace

std::vector<KerasMapping> keras_mappings() {
  const std::vector<Correspondence> replacements{{"nan", "nan", spelling::number()},
                                                 {"posinf", "posinf", spelling::number()},
                                                 {"neginf", "neginf", spelling::number()}};
  std::vector<KerasMapping> mappings;
  const auto plain = [&](const char* type, const char* class_name, const char* module = kNumpy) {
    mappings.push_back(operation(type, class_name, {}, {"x"}, module));
  };
  plain("abs", "Absolute");
  plain("abs", "Abs");
  mappings.push_back(giving(keeps().at_least_float(), operation("abs", "Fabs")));
  plain("neg", "Negative");
  mappings.push_back(operation("detach", "StopGradient", {}, {"variable"}, kCore));
  mappings.push_back({.type = "exp", .class_name = "Activation", .fixed = {{"activation", "exponential"}}});
  plain("exp", "Exp");
  plain("exp2", "Exp2");
  plain("expm1", "Expm1");
  plain("log", "Log");
  plain("log2", "Log2");
  plain("log10", "Log10");
  plain("log1p", "Log1p");
  plain("sqrt", "Sqrt");
  plain("rsqrt", "Rsqrt", kMath);
  mappings.push_back(giving(keeps().counting_truth(), operation("square", "Square")));
  plain("reciprocal", "Reciprocal");
  plain("sin", "Sin");
  plain("cos", "Cos");
  plain("tan", "Tan");
  plain("asin", "Arcsin");
  plain("acos", "Arccos");
  plain("atan", "Arctan");
  plain("sinh", "Sinh");
  plain("cosh", "Cosh");
  plain("asinh", "Arcsinh");
  plain("acosh", "Arccosh");
  plain("atanh", "Arctanh");
  plain("sinc", "Sinc");
  plain("erf", "Erf", kMath);
  plain("erfc", "Erfc", kMath);
  plain("erfinv", "Erfinv", kMath);
  plain("i0", "I0");
  plain("deg2rad", "Deg2rad");
  plain("rad2deg", "Rad2deg");
  mappings.push_back(rounded("floor", "Floor"));
  mappings.push_back(rounded("ceil", "Ceil"));
  plain("trunc", "Trunc");
  plain("sign", "Sign");
  plain("Cbrt", "Cbrt");
  plain("isnan", "Isnan");
  plain("isinf", "Isinf");
  plain("isfinite", "Isfinite");
  plain("isposinf", "Isposinf");
  plain("isneginf", "Isneginf");
  plain("signbit", "Signbit");
  plain("logical_not", "LogicalNot");
  plain("bitwise_not", "BitwiseNot");
  plain("bitwise_not", "BitwiseInvert");
  mappings.push_back(operation("round", "Round", row("decimals", "decimals", spelling::integer())));
  mappings.push_back(operation("nan_to_num", "NanToNum", replacements));
  const Correspondence dtype{"dtype", "dtype", spelling::or_none(spelling::dtype()), AttributeValue{}};
  mappings.push_back(operation("zeros_like", "ZerosLike", {dtype}));
  mappings.push_back(operation("ones_like", "OnesLike", {dtype}));
  mappings.push_back(operation("full_like", "FullLike", {{"fill_value", "fill_value", spelling::scalar()}, dtype},
                               {"x", "fill_value"}));
  mappings.push_back(operation("to", "Cast", row("dtype", "dtype", spelling::dtype()), {"x"}, kCore));
  mappings.push_back(to_tensor());
  mappings.push_back(clip());
  mappings.push_back(one_bound("min", "Maximum", "Less"));
  mappings.push_back(one_bound("max", "Minimum", "Greater"));
  mappings.push_back(no_bound());
  mappings.push_back(fraction());
  mappings.push_back(logit());
  return mappings;
}

}  // namespace h5bridge::elementwise
