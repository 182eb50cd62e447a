#include "facets/spec/kernel.h"
#include "facets/torch_source/padding.h"
#include "facets/torch_source/signature.h"

namespace h5bridge::convolution {
namespace {

constexpr const char* kSettings =
    "(in_channels, out_channels, kernel_size, *, stride, padding, dilation, groups, bias, padding_mode)";

// nn.ConvNd has no "causal", and "same" for strides of 1 only.
bool pads_before(const Attributes& a) {
  return has_padding_word(a, "causal") || (has_padding_word(a, "same") && has_strides(a));
}

TorchSource module(const std::string& name) {
  TorchSource result = torch_module("nn." + name + kSettings);
  result.misfit = [inner = result.misfit](const Layer& layer) {
    return pads_before(layer.attributes) ? std::string("padding") : inner(layer);
  };
  result.constructor = [inner = result.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    for (ConstructorArgument& argument : made.arguments)
      if (argument.name == "padding" && has_padding_word(layer.attributes, "valid")) {  // what none is called in Keras
        argument.text = "0";
        argument.is_default = true;
      }
    return made;
  };
  return result;
}

Python padded(const SourceCall& call, const Python& x) {
  const Attributes& a = call.attributes();
  const std::string mode = a.text("padding_mode") == "zeros" ? "constant" : a.text("padding_mode");
  if (has_padding_word(a, "same")) return padded_same(call, x, mode, "0");
  std::vector<std::string> margins;
  for (const std::int64_t margin : flat_from(margins_of(a))) margins.push_back(std::to_string(margin));
  return "F.pad(" + x.text + ", " + python_tuple(margins) +
         (mode == "constant" ? "" : ", mode=" + python_string(mode)) + ")";
}

// Its input is padded before, and the module has no padding.
TorchSource padded_module(const std::string& name) {
  TorchSource result =
      torch_module("nn." + name + "(in_channels, out_channels, kernel_size, *, stride, dilation, groups, bias)");
  result.misfit = [](const Layer& layer) {
    return pads_before(layer.attributes) ? std::string() : std::string("padding");
  };
  result.call = [](const SourceCall& call) {
    return wrapped(call, [](const SourceCall& inner) -> Python {
      return inner.self + "(" + padded(inner, inner.input()).text + ")";
    });
  };
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result;
  for (const char* axes : {"1d", "2d", "3d"}) {
    const std::string end = axes;
    result.push_back(module("Conv" + end));
    result.push_back(padded_module("Conv" + end));
    result.push_back(torch_function("F.conv" + end + "(input, weight, bias, *, stride, padding, dilation, groups)"));
  }
  return result;
}

}  // namespace h5bridge::convolution
