#include "facets/torch_source/padding.h"

namespace h5bridge {
namespace {

std::vector<std::string> numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> result;
  for (const std::int64_t value : values) result.push_back(std::to_string(value));
  return result;
}

// The margins of F.pad, the last axis first; none where a size is open and the margins depend on it.
std::optional<std::vector<std::int64_t>> known_margins(const SourceCall& call, const std::vector<Window>& windows) {
  const SymbolicShape& shape = call.input_shape();
  const bool channels_last =
      call.attributes().contains("data_format") && call.attributes().text("data_format") == "channels_last";
  std::vector<Margins> margins;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const std::optional<std::int64_t> size = shape.at(i + (channels_last ? 1 : 2)).value();
    if (!size && windows[i].stride != 1) return std::nullopt;
    margins.push_back(same_margins(windows[i], size.value_or(windows[i].extent())));
  }
  return flat_from(margins);
}

std::string settings(const std::string& mode, const std::string& value) {
  return (mode == "constant" ? "" : ", mode=" + python_string(mode)) + (value == "0" ? "" : ", value=" + value);
}

}  // namespace

const PythonHelper kPadSame{
    "pad_same",
    R"py(def pad_same(x, kernel_size, stride, dilation, mode="constant", value=0):
    """Spatial dimensions lengthened as Keras and TensorFlow do: the odd one at the end."""
    pad = []
    for n, k, s, d in zip(x.shape[2:], kernel_size, stride, dilation):
        total = max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
        pad = [total // 2, total - total // 2] + pad
    return F.pad(x, pad, mode, value if mode == "constant" else None))py",
    {},
    R"ts(def pad_same(x: Tensor, kernel_size: List[int], stride: List[int], dilation: List[int], mode: str="constant",
    value: float=0.0) -> Tensor:
  pad: List[int] = []
  sizes = x.shape
  for i in range(len(kernel_size)):
    n = sizes[i + 2]
    steps = (n + stride[i] - 1) // stride[i]
    total = max(0, (steps - 1) * stride[i] + dilation[i] * (kernel_size[i] - 1) + 1 - n)
    pad = [total // 2, total - total // 2] + pad
  if mode == "constant":
    return torch.pad(x, pad, mode, value)
  return torch.pad(x, pad, mode)
)ts"};

Python padded_same(const SourceCall& call, const Python& x, const std::string& mode, const std::string& value) {
  const std::vector<Window> windows = windows_of(call.attributes());
  if (const auto margins = known_margins(call, windows)) {
    bool any = false;
    for (const std::int64_t margin : *margins) any = any || margin != 0;
    return any ? "F.pad(" + x.text + ", " + python_tuple(numbers(*margins)) + settings(mode, value) + ")" : x.text;
  }
  std::vector<std::int64_t> kernel, stride, dilation;
  for (const Window& window : windows) {
    kernel.push_back(window.kernel);
    stride.push_back(window.stride);
    dilation.push_back(window.dilation);
  }
  return call.helper(kPadSame) + "(" + x.text + ", " + python_tuple(numbers(kernel)) + ", " +
         python_tuple(numbers(stride)) + ", " + python_tuple(numbers(dilation)) + settings(mode, value) + ")";
}

}  // namespace h5bridge
