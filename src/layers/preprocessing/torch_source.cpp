#include "facets/torch_source/signature.h"

namespace h5bridge::preprocessing {
namespace {

// Numbers as code that broadcasts along an axis of x.
std::string along(const SourceCall& call, const std::vector<double>& values, std::int64_t axis) {
  if (values.size() == 1) return python_float(values[0]);
  std::vector<std::string> numbers;
  for (const double value : values) numbers.push_back(python_float(value));
  const DType dtype = call.outputs.at(0).dtype;
  std::string result = "torch.tensor(" + python_list(numbers) +
                       (dtype == DType::Float32 ? "" : ", dtype=" + python_value(AttributeValue(dtype)).text) +
                       ", device=" + call.place.device() + ")";
  const auto rank = static_cast<std::int64_t>(call.input_shape().size());
  const std::int64_t behind = rank - 1 - resolve_axis(axis, rank);
  if (behind == 0) return result;
  result += ".view(-1";
  for (std::int64_t i = 0; i < behind; ++i) result += ", 1";
  return result + ")";
}

Python rescaling(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const std::string product =
      call.input().within(Binding::Product) + " * " + along(call, a.numbers("scale"), a.integer("axis"));
  return {product + " + " + along(call, a.numbers("offset"), a.integer("axis")), Binding::Sum};
}

constexpr PythonHelper kNormalization{"Normalization",
                                      R"py(class Normalization(nn.Module):
    """Keras's: with the mean and the variance of the data it was adapted to."""

    def __init__(self, dims, sizes, invert=False):
        super().__init__()
        self.dims = dims
        self.invert = invert
        self.register_buffer("mean", torch.zeros(sizes))
        self.register_buffer("variance", torch.ones(sizes))
        self.register_buffer("count", torch.zeros((), dtype=torch.int32))

    def along(self, values, x):
        if values.numel() == 1:
            return values.reshape(())
        kept = [dim % x.ndim for dim in self.dims]
        return values.reshape([x.shape[i] if i in kept else 1 for i in range(x.ndim)])

    def forward(self, x):
        mean = self.along(self.mean, x)
        deviation = self.along(self.variance, x).sqrt().clamp_min(1e-7)
        return mean + x * deviation if self.invert else (x - mean) / deviation)py",
                                      {},
                                      R"ts(def along(self, values: Tensor, x: Tensor) -> Tensor:
  shape = [1 for i in range(x.ndim)]
  if values.numel() == 1:
    return values.reshape(shape[:0])
  sizes = x.shape
  for dim in {dims}:
    shape[dim] = sizes[dim]
  return values.reshape(shape)
def forward(self, x: Tensor) -> Tensor:
  mean = self.along(self.mean, x)
  deviation = self.along(self.variance, x).sqrt().clamp_min(1e-7)
  if {invert}:
    return mean + x * deviation
  return (x - mean) / deviation
)ts"};

// Numbers of its own, which are in no state_dict.
constexpr PythonHelper kNormalized{
    "normalized",
    R"py(def normalized(x, dims, sizes, mean, variance, invert=False):
    """Keras's Normalization, with these numbers along some dimensions."""
    kept = [dim % x.ndim for dim in dims]
    shape = [x.shape[i] if i in kept else 1 for i in range(x.ndim)]
    shape = shape if len(mean) > 1 else ()
    dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    options = {"dtype": dtype, "device": x.device}
    mean = torch.tensor(mean, **options).reshape(shape)
    deviation = torch.tensor(variance, **options).reshape(shape).sqrt().clamp_min(1e-7)
    return mean + x * deviation if invert else (x - mean) / deviation)py",
    {},
    R"ts(def normalized(x: Tensor, dims: List[int], sizes: List[int], mean: List[float], variance: List[float],
    invert: bool=False) -> Tensor:
  shape = [1 for i in range(x.ndim)]
  all = x.shape
  for dim in dims:
    shape[dim] = all[dim]
  if len(mean) == 1:
    shape = shape[:0]
  dtype = x.dtype
  if not x.is_floating_point():
    dtype = torch.float32
  center = torch.tensor(mean, dtype=dtype, device=x.device).reshape(shape)
  deviation = torch.tensor(variance, dtype=dtype, device=x.device).reshape(shape).sqrt().clamp_min(1e-7)
  if invert:
    return center + x * deviation
  return (x - center) / deviation
)ts"};

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_code("Rescaling", rescaling), of_helper(kNormalization, "Normalization(dims=axes, sizes, *, invert)"),
          calling(kNormalized, "Normalization(input, axes, sizes, mean, variance, *, invert)")};
}

}  // namespace h5bridge::preprocessing
