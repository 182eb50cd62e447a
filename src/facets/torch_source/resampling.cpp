#include "facets/torch_source/resampling.h"

namespace h5bridge {
namespace {

constexpr PythonHelper kCubic{"cubic", R"py(def cubic(distance):
    """Keys's, with a = -0.5; PyTorch's has a = -0.75."""
    if distance >= 2:
        return 0.0
    if distance >= 1:
        return ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return (1.5 * distance - 2.5) * distance * distance + 1)py"};

constexpr PythonHelper kLanczos3{"lanczos3", R"py(def lanczos3(distance, radius=3):
    if distance <= 1e-3:
        return 1.0
    angle = math.pi * distance
    wave = radius * math.sin(angle) * math.sin(angle / radius)
    return 0.0 if distance > radius else wave / (angle * angle))py"};

constexpr PythonHelper kLanczos5{"lanczos5",
                                 R"py(def lanczos5(distance):
    return lanczos3(distance, 5))py",
                                 {&kLanczos3}};

constexpr PythonHelper kResample{
    "resample",
    R"py(def resample(x, size, weight, antialias=False):
    """Images of another size, by a filter that weighs elements by their distance."""
    for dim, target in zip((2, 3), size):
        source = x.shape[dim]
        if source == target:
            continue
        step = source / target
        widening = max(step, 1.0) if antialias else 1.0
        places = [(i + 0.5) * step - 0.5 for i in range(target)]
        rows = [[weight(abs(p - i) / widening) for i in range(source)] for p in places]
        weights = torch.tensor(rows, dtype=torch.float64)
        weights = (weights / weights.sum(1, keepdim=True)).to(x)
        x = weights @ x if dim == 2 else x @ weights.T
    return x)py",
    {},
    R"ts(def resample(x: Tensor, size: List[int], weight: str, antialias: bool=False) -> Tensor:
  for dim in [2, 3]:
    source = x.shape[dim]
    target = size[dim - 2]
    if source != target:
      step = source / target
      widening = 1.0
      if antialias:
        widening = max(step, 1.0)
      rows: List[float] = []
      for t in range(target):
        place = (t + 0.5) * step - 0.5
        for i in range(source):
          distance = abs(place - i) / widening
          share = 0.0
          if weight == "cubic":
            if distance < 1.0:
              share = (1.5 * distance - 2.5) * distance * distance + 1
            elif distance < 2.0:
              share = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
          elif distance <= 1e-3:
            share = 1.0
          else:
            radius = 5
            if weight == "lanczos3":
              radius = 3
            angle = math.pi * distance
            if distance <= radius:
              share = radius * math.sin(angle) * math.sin(angle / radius) / (angle * angle)
          rows.append(share)
      weights = torch.tensor(rows, dtype=torch.float64).view([target, source])
      weights = (weights / weights.sum(1, keepdim=True)).to(x)
      if dim == 2:
        x = weights @ x
      else:
        x = x @ weights.transpose(0, 1)
  return x
)ts"};

}  // namespace

Python resampled(const SourceCall& call, const std::string& x, const std::string& size, const std::string& filter) {
  const PythonHelper& weight = filter == "cubic" ? kCubic : filter == "lanczos3" ? kLanczos3 : kLanczos5;
  const std::string name = call.helper(weight);
  return call.helper(kResample) + "(" + x + ", " + size + ", " + name +
         (call.attributes().boolean("antialias") ? ", antialias=True)" : ")");
}

}  // namespace h5bridge
