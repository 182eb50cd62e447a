#include <algorithm>

#include "facets/torch_source/signature.h"

namespace h5bridge::padding {
namespace {

constexpr PythonHelper kSymmetric{"pad_symmetric",
                                  R"py(def pad_symmetric(x, pad):
    """As numpy.pad: the border is repeated, too. The last axis comes first in pad."""
    for i, (before, after) in enumerate(zip(pad[::2], pad[1::2])):
        dim, size = x.ndim - 1 - i, x.shape[x.ndim - 1 - i]
        first = x.narrow(dim, 0, max(before, 0)).flip(dim)
        last = x.narrow(dim, size - max(after, 0), max(after, 0)).flip(dim)
        begin, end = max(-before, 0), size - max(-after, 0)
        x = torch.cat([first, x.narrow(dim, begin, end - begin), last], dim)
    return x)py",
                                  {},
                                  R"ts(def pad_symmetric(x: Tensor, pad: List[int]) -> Tensor:
  for i in range(len(pad) // 2):
    before = pad[2 * i]
    after = pad[2 * i + 1]
    dim = x.ndim - 1 - i
    size = x.shape[dim]
    first = x.narrow(dim, 0, max(before, 0)).flip(dim)
    last = x.narrow(dim, size - max(after, 0), max(after, 0)).flip(dim)
    begin = max(-before, 0)
    end = size - max(-after, 0)
    x = torch.cat([first, x.narrow(dim, begin, end - begin), last], dim)
  return x
)ts"};

constexpr PythonHelper kBorders{"pad_borders",
                                R"py(def pad_borders(x, pad, mode):
    """F.pad of any axes by what is at the border. The last axis comes first in pad."""
    behind = 0
    while len(pad) > 2 and pad[:2] == (0, 0):
        pad, behind = pad[2:], behind + 1
    order = [(i - behind) % x.ndim for i in range(x.ndim)]
    back = [order.index(i) for i in range(x.ndim)]
    x = x.permute(order)
    kept = x.ndim - len(pad) // 2
    padded = F.pad(x.reshape(-1, *x.shape[kept:]), pad, mode)
    return padded.reshape(*x.shape[:kept], *padded.shape[1:]).permute(back))py",
                                {},
                                R"ts(def pad_borders(x: Tensor, pad: List[int], mode: str) -> Tensor:
  behind = 0
  while len(pad) > 2 and pad[0] == 0 and pad[1] == 0:
    pad = pad[2:]
    behind = behind + 1
  order = [(i - behind) % x.ndim for i in range(x.ndim)]
  back = [(i + behind) % x.ndim for i in range(x.ndim)]
  y = x.permute(order)
  kept = y.ndim - len(pad) // 2
  sizes = y.shape
  padded = torch.pad(y.reshape([-1] + sizes[kept:]), pad, mode)
  return padded.reshape(sizes[:kept] + padded.shape[1:]).permute(back)
)ts"};

Python pad(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const std::string& mode = a.text("mode");
  const std::string arguments = "(" + call.input().text + ", " + python_value(call, "pad").text;
  if (mode == "symmetric") return call.helper(kSymmetric) + arguments + ")";
  if (mode == "constant") {
    const bool is_zero = a.is_none("value") || a.number("value") == 0;
    return "F.pad" + arguments + (is_zero ? "" : ", value=" + python_float(a.number("value"))) + ")";
  }
  const std::size_t padded = a.sizes("pad").size() / 2, rank = call.input_shape().size();
  if (padded <= 3 && (rank == padded + 1 || rank == padded + 2))
    return "F.pad" + arguments + ", mode=" + python_string(mode) + ")";
  return call.helper(kBorders) + arguments + ", " + python_string(mode) + ")";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  const std::string kinds =
      "ZeroPad1d ZeroPad2d ZeroPad3d ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d "
      "ReplicationPad2d ReplicationPad3d CircularPad1d CircularPad2d CircularPad3d";
  return all_of({torch_modules(kinds, "padding"),
                 torch_modules("ConstantPad1d ConstantPad2d ConstantPad3d", "padding, value"),
                 {torch_code("pad", pad)}});
}

}  // namespace h5bridge::padding
