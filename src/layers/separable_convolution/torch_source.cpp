#include <regex>
#include <string>

#include "facets/torch_source/padding.h"
#include "facets/torch_source/signature.h"

namespace h5bridge::separable_convolution {
namespace {

constexpr PythonHelper kOne{"SeparableConv1d",
                            R"py(class SeparableConv1d(nn.Module):
    """A convolution of each channel by itself, then one of kernel size 1."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        dilation=1,
        depth_multiplier=1,
        bias=True,
    ):
        super().__init__()
        channels = in_channels * depth_multiplier
        self.depthwise = nn.Conv1d(
            in_channels,
            channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=in_channels,
            bias=False,
        )
        self.pointwise = nn.Conv1d(channels, out_channels, 1, bias=bias)

    def forward(self, x):
        return self.pointwise(self.depthwise(x)))py",
                            {},
                            R"ts(def forward(self, x: Tensor) -> Tensor:
  y = torch.conv1d(x, self.depthwise.weight, None, {stride}, 0, {dilation}, {in_channels})
  return torch.conv1d(y, self.pointwise.weight, self.pointwise.bias)
)ts"};

// The same of two axes.
const PythonHelper& two() {
  static const std::string source = std::regex_replace(kOne.source, std::regex("(SeparableConv|nn\\.Conv)1d"), "$012d");
  static const std::string script = std::regex_replace(kOne.script, std::regex("conv1d"), "conv2d");
  static const PythonHelper helper{"SeparableConv2d", source.c_str(), {}, script.c_str()};
  return helper;
}

TorchSource module(const PythonHelper& helper, const std::string& type) {
  TorchSource result =
      of_helper(helper, type + "(in_channels, out_channels, kernel_size, *, stride, dilation, depth_multiplier, bias)",
                {"padding"});
  result.call = [](const SourceCall& call) {
    return wrapped(call, [](const SourceCall& inner) -> Python {
      const bool pads = inner.attributes().text("padding") == "same";
      const Python x = pads ? padded_same(inner, inner.input(), "constant", "0") : inner.input();
      return inner.self + "(" + x.text + ")";
    });
  };
  result.calls_module_plainly = false;
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() { return {module(kOne, "SeparableConv1D"), module(two(), "SeparableConv2D")}; }

}  // namespace h5bridge::separable_convolution
