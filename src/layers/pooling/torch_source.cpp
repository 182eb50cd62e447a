#include <algorithm>
#include <cmath>

#include "facets/torch_source/integers.h"
#include "facets/torch_source/padding.h"
#include "facets/torch_source/signature.h"

namespace h5bridge::pooling {
namespace {

// The word "valid" is a padding of 0.
std::string word(const Layer& layer) {
  return has_padding_word(layer.attributes, "same") || has_padding_word(layer.attributes, "valid") ? "padding" : "";
}

TorchSource numbers_alone(TorchSource source) {
  source.misfit = [inner = source.misfit](const Layer& layer) {
    const std::string why = word(layer);
    return why.empty() ? inner(layer) : why;
  };
  return source;
}

// Windows one beside the other, as they are by default.
TorchSource side_by_side(TorchSource source) {
  source.constructor = [inner = source.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    const auto kernel = std::ranges::find(made.arguments, "kernel_size", &ConstructorArgument::name);
    const auto stride = std::ranges::find(made.arguments, "stride", &ConstructorArgument::name);
    if (stride->text == kernel->text) {
      stride->text = "None";
      stride->is_default = true;
    }
    return made;
  };
  return source;
}

constexpr PythonHelper kMeanOverSame{
    "avg_pool_same",
    R"py(def avg_pool_same(x, kernel_size, stride):
    """The mean of the elements that are there, as Keras's average pooling has it."""
    pool = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][x.ndim - 3]
    dilation = [1] * len(kernel_size)
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    present = pool(pad_same(ones, kernel_size, stride, dilation), kernel_size, stride)
    total = pool(pad_same(x, kernel_size, stride, dilation), kernel_size, stride)
    return total / present)py",
    {&kPadSame},
    R"ts(def avg_pool_same(x: Tensor, kernel_size: List[int], stride: List[int]) -> Tensor:
  dilation = [1 for i in range(len(kernel_size))]
  ones = torch.ones([1, 1] + x.shape[2:], dtype=x.dtype, device=x.device)
  present = pad_same(ones, kernel_size, stride, dilation)
  padded = pad_same(x, kernel_size, stride, dilation)
  if len(stride) == 1:
    return torch.avg_pool1d(padded, kernel_size, stride) / torch.avg_pool1d(present, kernel_size, stride)
  if len(stride) == 2:
    return torch.avg_pool2d(padded, kernel_size, stride) / torch.avg_pool2d(present, kernel_size, stride)
  return torch.avg_pool3d(padded, kernel_size, stride) / torch.avg_pool3d(present, kernel_size, stride)
)ts"};

// The function of a module's row, for settings that are open until it is called.
TorchSource by_function(TorchSource module, const std::string& signature) {
  module.misfit = [signature](const Layer& layer) { return unnamed_settings(signature, layer); };
  module.call = std::move(module.function);
  module.constructor = {};
  module.function = {};
  module.calls_module_plainly = false;
  return module;
}

// The module, and its function alone.
std::vector<TorchSource> both_ways(const std::string& module, const std::string& function) {
  const TorchSource source = torch_module(module, function);
  const bool has_windows = module.find("kernel_size") != std::string::npos;
  return {has_windows ? side_by_side(source) : source, by_function(source, function)};
}

std::string windows(const SourceCall& call) {
  std::vector<std::string> kernel, stride;
  for (const Window& window : windows_of(call.attributes())) {
    kernel.push_back(std::to_string(window.kernel));
    stride.push_back(std::to_string(window.stride));
  }
  return python_tuple(kernel) + ", " + python_tuple(stride);
}

// By a word, which the module does not know: its input is padded before.
TorchSource by_word(const std::string& signature, std::function<Python(const SourceCall&)> of_same) {
  TorchSource result = side_by_side(torch_module(signature));
  result.misfit = [](const Layer& layer) {
    const Attributes& a = layer.attributes;
    return word(layer).empty() ? "padding" : a.boolean("ceil_mode") ? "ceil_mode" : "";
  };
  result.call = [of_same](const SourceCall& call) {
    return wrapped(call, [&](const SourceCall& inner) -> Python {
      if (has_padding_word(inner.attributes(), "same")) return of_same(inner);
      return inner.self + "(" + inner.input().text + ")";
    });
  };
  result.calls_module_plainly = false;
  return result;
}

Python max_same(const SourceCall& call) {
  return call.self + "(" + padded_same(call, call.input(), "constant", "float(\"-inf\")").text + ")";
}

Python mean_same(const SourceCall& call) {
  return call.helper(kMeanOverSame) + "(" + call.input().text + ", " + windows(call) + ")";
}

std::string not_same(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return !has_padding_word(a, "same") ? "padding" : a.boolean("ceil_mode") ? "ceil_mode" : "";
}

// Without the axes of size 1 that are left.
TorchSource without_axes(const std::string& name) {
  TorchSource result = torch_module("nn." + name + "(output_size)");
  result.misfit = [](const Layer& layer) { return layer.attributes.boolean("keepdims") ? "keepdims" : std::string(); };
  result.call = [](const SourceCall& call) {
    return wrapped(
        call, [](const SourceCall& inner) -> Python { return inner.self + "(" + inner.input().text + ").flatten(1)"; });
  };
  result.calls_module_plainly = false;
  return result;
}

// Keras's mean over the steps that a mask lets count.
constexpr PythonHelper kMaskedMean{"masked_mean",
                                   R"py(def masked_mean(x, mask, keepdim=False):
    """The mean over the steps, (batch, channels, steps), that a mask lets count."""
    mask = mask.bool().unsqueeze(1)
    total = torch.where(mask, x, 0).sum(2, keepdim=keepdim)
    return total / mask.to(total.dtype).sum(2, keepdim=keepdim))py",
                                   {},
                                   R"ts(def masked_mean(x: Tensor, mask: Tensor, keepdim: bool=False) -> Tensor:
  kept = mask.bool().unsqueeze(1)
  total = torch.where(kept, x, 0).sum(2, keepdim=keepdim)
  return total / kept.to(total.dtype).sum(2, keepdim=keepdim)
)ts"};

TorchSource masked_mean() {
  return torch_code(
      "AdaptiveAvgPool1d",
      [](const Layer& layer) {
        return layer.attributes.integers("output_size") == std::vector<std::int64_t>{1} ? std::string()
                                                                                        : std::string("output_size");
      },
      [](const SourceCall& call) -> Python {
        const bool keeps = call.attributes().boolean("keepdims");
        return call.helper(kMaskedMean) + "(" + call.input().text + ", " + call.operand("mask").value().text +
               (keeps ? ", keepdim=True)" : ")");
      });
}

TorchSource unmasked(TorchSource source) {
  source.takes_no = {"mask"};
  return source;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result;
  for (const char* axes : {"1d", "2d", "3d"}) {
    const std::string end = axes;
    const std::string override = end == "1d" ? "" : ", divisor_override";
    const std::string max = "(kernel_size, stride, *, padding, dilation, return_indices, ceil_mode)";
    const std::string mean = "(kernel_size, stride, *, padding, ceil_mode, count_include_pad" + override + ")";
    const std::string given = "(input, kernel_size, stride, *, padding, ceil_mode";
    for (const TorchSource& source : both_ways(
             "nn.MaxPool" + end + max,
             "F.max_pool" + end + "(input, kernel_size, stride, *, padding, dilation, ceil_mode, return_indices)"))
      result.push_back(of_integers_too(numbers_alone(source)));
    result.push_back(of_integers_too(by_word("nn.MaxPool" + end + "(kernel_size, stride, *, dilation)", max_same)));
    for (const TorchSource& source :
         both_ways("nn.AvgPool" + end + mean, "F.avg_pool" + end + given + ", count_include_pad" + override + ")"))
      result.push_back(numbers_alone(source));
    result.push_back(torch_code("AvgPool" + end, not_same, mean_same));
    result.push_back(by_word("nn.AvgPool" + end + "(kernel_size, stride)", mean_same));
    for (const TorchSource& source :
         both_ways("nn.LPPool" + end + "(norm_type, kernel_size, stride, *, ceil_mode)",
                   "F.lp_pool" + end + "(input, norm_type, kernel_size, stride, *, ceil_mode)"))
      result.push_back(source);
    for (const char* kind : {"Avg", "Max"}) {
      const bool is_mean = kind == std::string("Avg");
      const std::string name = "Adaptive" + std::string(kind) + "Pool" + end;
      const std::string indices = is_mean ? "" : ", *, return_indices";
      const std::string function = "F.adaptive_" + std::string(is_mean ? "avg" : "max") + "_pool" + end;
      const std::string settings = "output_size" + indices + ")";
      std::vector<TorchSource> sources = both_ways("nn." + name + "(" + settings, function + "(input, " + settings);
      sources.push_back(without_axes(name));
      for (const TorchSource& source : sources) result.push_back(is_mean ? unmasked(source) : of_integers_too(source));
    }
  }
  result.push_back(masked_mean());
  return result;
}

}  // namespace h5bridge::pooling
