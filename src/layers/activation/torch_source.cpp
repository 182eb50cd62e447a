#include "facets/torch_source/signature.h"

namespace h5bridge::activation {
namespace {

constexpr PythonHelper kGeneralRelu{"general_relu",
                                    R"py(def general_relu(x, negative_slope=0.0, threshold=0.0, max_value=None):
    """Keras's ReLU: with a slope below the threshold, and a limit."""
    y = F.relu(x) if threshold == 0 else torch.where(x > threshold, x, 0.0)
    if max_value is not None:
        y = torch.clamp(y, 0, max_value)
    return y if negative_slope == 0 else y - negative_slope * F.relu(threshold - x))py",
                                    {},
                                    R"ts(def general_relu(x: Tensor, negative_slope: float=0.0, threshold: float=0.0,
    max_value: Optional[float]=None) -> Tensor:
  if threshold == 0.0:
    y = torch.relu(x)
  else:
    y = torch.where(x > threshold, x, 0.0)
  if max_value is not None:
    y = torch.clamp(y, 0, max_value)
  if negative_slope == 0.0:
    return y
  return y - negative_slope * torch.relu(threshold - x)
)ts"};

constexpr PythonHelper kSquareplus{"squareplus",
                                   R"py(def squareplus(x, b=4.0):
    return (x + torch.sqrt(x**2 + b)) / 2)py",
                                   {},
                                   R"ts(def squareplus(x: Tensor, b: float=4.0) -> Tensor:
  return (x + torch.sqrt(x**2 + b)) / 2
)ts"};

constexpr PythonHelper kSparsePlus{"sparse_plus", R"py(def sparse_plus(x):
    y = torch.where(x < 1, 0.25 * (x + 1) ** 2, x)
    return torch.where(x <= -1, 0.0, y))py"};

constexpr PythonHelper kSparseSigmoid{"sparse_sigmoid", R"py(def sparse_sigmoid(x):
    y = torch.where(x >= 1, 1.0, 0.5 * (x + 1))
    return torch.where(x <= -1, 0.0, y))py"};

constexpr PythonHelper kSparsemax{"sparsemax",
                                  R"py(def sparsemax(x, dim=-1):
    """As Keras has it: the threshold adds up all partial sums of the support."""
    ordered = x.sort(dim, descending=True).values
    sums = ordered.cumsum(dim)
    shape = [1] * x.ndim
    shape[dim] = -1
    ranks = torch.arange(1, x.shape[dim] + 1, dtype=x.dtype, device=x.device)
    support = ordered - (sums - 1) / ranks.view(shape) > 0
    total = torch.where(support, sums, 0.0).sum(dim, keepdim=True)
    threshold = (total - 1) / support.sum(dim, keepdim=True)
    return torch.clamp_min(x - threshold, 0))py",
                                  {},
                                  R"ts(def sparsemax(x: Tensor, dim: int=-1) -> Tensor:
  ordered = torch.sort(x, dim=dim, descending=True)[0]
  sums = ordered.cumsum(dim)
  shape = [1 for i in range(x.ndim)]
  shape[dim] = -1
  ranks = torch.arange(1, x.shape[dim] + 1, dtype=x.dtype, device=x.device)
  support = ordered - (sums - 1) / ranks.view(shape) > 0
  total = torch.where(support, sums, 0.0).sum(dim, keepdim=True)
  threshold = (total - 1) / support.sum(dim, keepdim=True)
  return torch.clamp_min(x - threshold, 0)
)ts"};

constexpr PythonHelper kSoftmaxOver{"softmax_over",
                                    R"py(def softmax_over(x, dims):
    """A softmax over several axes."""
    return torch.exp(x - torch.logsumexp(x, dims, keepdim=True)))py",
                                    {},
                                    R"ts(def softmax_over(x: Tensor, dims: List[int]) -> Tensor:
  return torch.exp(x - torch.logsumexp(x, dims, keepdim=True))
)ts"};

// A module without settings and the function that does the same.
TorchSource plain(const std::string& module, const std::string& function) {
  return torch_module("nn." + module + "()", function + "(input)");
}

std::string slope_alone(const Layer& layer) {
  const Attributes& a = layer.attributes;
  return a.number("threshold") != 0 ? "threshold" : !a.is_none("max_value") ? "max_value" : "";
}

// What Keras's mask hides is a large negative number before the softmax, and nothing behind it.
constexpr PythonHelper kMasked{"masked_softmax",
                               R"py(def masked_softmax(x, mask, dim):
    """Keras's: what the mask leaves out gets nothing."""
    mask = mask if mask.dtype == torch.bool else mask > 0.5
    hidden = torch.where(mask, x, -3e4 if x.dtype == torch.half else -1e9)
    if isinstance(dim, int):
        shares = torch.softmax(hidden, dim)
    else:
        shares = torch.exp(hidden - torch.logsumexp(hidden, dim, keepdim=True))
    return torch.where(mask, shares, 0.0))py",
                               {},
                               R"ts(def masked_softmax(x: Tensor, mask: Tensor, dim: BroadcastingList1[int]) -> Tensor:
  kept = mask
  if mask.dtype != torch.bool:
    kept = mask > 0.5
  least = -1e9
  if x.dtype == torch.half:
    least = -3e4
  hidden = torch.where(kept, x, least)
  if len(dim) == 1:
    shares = torch.softmax(hidden, dim[0])
  else:
    shares = torch.exp(hidden - torch.logsumexp(hidden, dim, keepdim=True))
  return torch.where(kept, shares, 0.0)
)ts"};

TorchSource without_mask(TorchSource source) {
  source.takes_no = {"mask"};
  return source;
}

TorchSource shaped_prelu() {
  static constexpr PythonHelper kClass{"ShapedPReLU",
                                       R"py(class ShapedPReLU(nn.Module):
    """Keras's PReLU, whose slopes have a shape without the batch."""

    def __init__(self, shape, init=0.25):
        super().__init__()
        self.weight = nn.Parameter(torch.full(shape, init))

    def forward(self, x):
        return torch.where(x > 0, x, self.weight * x))py",
                                       {},
                                       R"ts(def forward(self, x: Tensor) -> Tensor:
  return torch.where(x > 0, x, self.weight * x)
)ts"};
  return of_helper(kClass, "PReLU(weight_shape, *, init)", {"num_parameters"});
}

// Keras's wrappers leave some, which are nothing in a forward.
TorchSource identity() {
  TorchSource result = torch_module("nn.Identity()");
  result.function = [](const SourceCall& call) { return call.input(); };
  result.function_name = "identity";
  return result;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {
      plain("ReLU", "F.relu"),
      torch_code("ReLU", slope_alone,
                 [](const SourceCall& call) -> Python {
                   return "F.leaky_relu(" + call.input().text + ", " +
                          python_value(call.type, call.attributes(), "negative_slope").text + ")";
                 }),
      calling(kGeneralRelu, "ReLU(input, *, negative_slope, threshold, max_value)"),
      plain("ReLU6", "F.relu6"),
      torch_module("nn.LeakyReLU(negative_slope)", "F.leaky_relu(input, negative_slope)"),
      torch_module("nn.PReLU(num_parameters, *, init)"),
      shaped_prelu(),
      torch_function("F.prelu(input, weight)"),
      torch_module("nn.ELU(alpha)", "F.elu(input, alpha)"),
      plain("SELU", "F.selu"),
      torch_module("nn.CELU(alpha)", "F.celu(input, alpha)"),
      torch_module("nn.GELU(*, approximate)", "F.gelu(input, *, approximate)"),
      plain("SiLU", "F.silu"),
      plain("Mish", "F.mish"),
      plain("Sigmoid", "torch.sigmoid"),
      plain("LogSigmoid", "F.logsigmoid"),
      plain("Hardsigmoid", "F.hardsigmoid"),
      plain("Hardswish", "F.hardswish"),
      plain("Tanh", "torch.tanh"),
      torch_module("nn.Hardtanh(min_val, max_val)", "F.hardtanh(input, min_val, max_val)"),
      plain("Tanhshrink", "F.tanhshrink"),
      torch_module("nn.Softplus(beta, threshold)", "F.softplus(input, beta, threshold)"),
      plain("Softsign", "F.softsign"),
      torch_module("nn.Softshrink(lambd)", "F.softshrink(input, lambd)"),
      torch_module("nn.Hardshrink(lambd)", "F.hardshrink(input, lambd)"),
      identity(),
      torch_module("nn.Threshold(threshold, value)", "F.threshold(input, threshold, value)"),
      torch_module("nn.RReLU(lower, upper)"),
      calling(kSquareplus, "Squareplus(input, b)"),
      calling(kSparsePlus, "SparsePlus(input)"),
      calling(kSparseSigmoid, "SparseSigmoid(input)"),
      calling(kSparsemax, "Sparsemax(input, dim)"),
      torch_module("nn.GLU(dim)", "F.glu(input, dim)"),
      torch_module("nn.Softmax2d()"),
      without_mask(calling(kSoftmaxOver, "SoftmaxOverAxes(input, dim)")),
      calling(kMasked, "SoftmaxOverAxes(input, mask, dim)"),
      torch_module("nn.Softmin(*, dim)", "F.softmin(input, *, dim)"),
      without_mask(torch_module("nn.Softmax(*, dim)", "F.softmax(input, *, dim)")),
      calling(kMasked, "Softmax(input, mask, dim)"),
      torch_module("nn.LogSoftmax(*, dim)", "F.log_softmax(input, *, dim)"),
  };
}

}  // namespace h5bridge::activation
