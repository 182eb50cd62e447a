#include <algorithm>

#include "facets/spec/kernel.h"
#include "facets/torch_source/signature.h"

namespace h5bridge::transposed_convolution {
namespace {

bool has_word(const Attributes& a) { return has_padding_word(a, "same") || has_padding_word(a, "valid"); }

std::string word(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return has_word(a) ? "padding" : a.is_none("output_padding") ? "output_padding" : "";
}

TorchSource numbers_alone(TorchSource source) {
  source.misfit = [inner = source.misfit](const Layer& layer) {
    const std::string why = word(layer);
    return why.empty() ? inner(layer) : why;
  };
  return source;
}

// "1:-2": what is left of an axis.
std::string kept(const Margins& crop) {
  return (crop.before ? std::to_string(crop.before) : "") + ":" + (crop.after > 0 ? std::to_string(-crop.after) : "");
}

// Keras's crops are uneven, which PyTorch's padding cannot be: the module makes all elements, and these are taken out
// of them.
Python cropped(const SourceCall& call) {
  std::vector<std::string> items{":", ":"};
  bool any = false;
  for (const Margins& crop : crops_of(call.attributes())) {
    items.push_back(kept(crop));
    any = any || items.back() != ":";
  }
  const std::string all = call.self + "(" + call.input().text + ")";
  return any ? all + "[" + joined(items) + "]" : all;
}

TorchSource by_word(const std::string& name) {
  TorchSource result =
      torch_module("nn." + name + "(in_channels, out_channels, kernel_size, *, stride, groups, bias, dilation)");
  result.misfit = [](const Layer& layer) {
    return has_word(layer.attributes) ? std::string() : std::string("padding");
  };
  result.constructor = [inner = result.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    std::vector<std::string> added;
    bool any = false;
    for (const Margins& crop : crops_of(layer.attributes)) {
      added.push_back(std::to_string(std::max(-crop.after, std::int64_t{0})));
      any = any || added.back() != "0";
    }
    const bool is_one = std::ranges::all_of(added, [&](const std::string& n) { return n == added[0]; });
    made.arguments.push_back({"output_padding", is_one ? added[0] : python_tuple(added), true, !any});
    return made;
  };
  result.call = [](const SourceCall& call) { return wrapped(call, cropped); };
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result;
  for (const char* axes : {"1d", "2d", "3d"}) {
    const std::string end = axes;
    result.push_back(numbers_alone(torch_module(
        "nn.ConvTranspose" + end +
        "(in_channels, out_channels, kernel_size, *, stride, padding, output_padding, groups, bias, dilation)")));
    result.push_back(by_word("ConvTranspose" + end));
    result.push_back(numbers_alone(torch_function(
        "F.conv_transpose" + end + "(input, weight, bias, *, stride, padding, output_padding, groups, dilation)")));
  }
  return result;
}

}  // namespace h5bridge::transposed_convolution
