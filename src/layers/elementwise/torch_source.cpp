#include "facets/torch_source/signature.h"

namespace h5bridge::elementwise {
namespace {

constexpr PythonHelper kCbrt{"cbrt",
                             R"py(def cbrt(x):
    return torch.copysign(torch.abs(x) ** (1 / 3), x))py",
                             {},
                             R"ts(def cbrt(x: Tensor) -> Tensor:
  return torch.copysign(torch.abs(x) ** (1 / 3), x)
)ts"};

Python clamp(const SourceCall& call) {
  const Attributes& a = call.attributes();
  if (a.is_none("min") && a.is_none("max")) return call.input();
  return call_of("input.clamp(*, min, max)", call);
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return all_of({
      torch_functions("torch",
                      "abs exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin cos tan asin acos "
                      "atan sinh cosh asinh acosh atanh sinc erf erfc erfinv i0 deg2rad rad2deg floor ceil trunc frac "
                      "sign isnan isinf isfinite isposinf isneginf signbit logical_not",
                      "input"),
      {torch_code(
           "neg",
           [](const SourceCall& call) -> Python { return {"-" + call.input().within(Binding::Sign), Binding::Sign}; }),
       torch_code(
           "bitwise_not",
           [](const SourceCall& call) -> Python { return {"~" + call.input().within(Binding::Sign), Binding::Sign}; }),
       torch_code("detach", [](const SourceCall& call) -> Python { return call.input().receiver() + ".detach()"; }),
       calling(kCbrt, "Cbrt(input)"), torch_function("torch.round(input, *, decimals)"),
       torch_function("torch.nan_to_num(input, *, nan, posinf, neginf)"), torch_code("clamp", clamp),
       torch_function("torch.logit(input, *, eps)"), torch_function("torch.zeros_like(input, *, dtype)"),
       torch_function("torch.ones_like(input, *, dtype)"),
       torch_code("full_like",
                  [](const SourceCall& call) -> Python {
                    const Attributes& a = call.attributes();
                    return "torch.full_like(" + call.input().text + ", " + python_value(a.at("fill_value")).text +
                           (a.is_none("dtype") ? "" : ", dtype=" + python_value(a.at("dtype")).text) + ")";
                  }),
       torch_code("to",
                  [](const SourceCall& call) -> Python {
                    const Attributes& a = call.attributes();
                    return call.input().receiver() + ".to(" + python_value(a.at("dtype")).text + ")";
                  })},
  });
}

}  // namespace h5bridge::elementwise
