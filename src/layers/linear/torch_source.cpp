#include "facets/torch_source/signature.h"

namespace h5bridge::linear {
namespace {

constexpr PythonHelper kEinsumDense{"EinsumDense",
                                    R"py(class EinsumDense(nn.Module):
    """An einsum of the input and a weight, plus a bias, as Keras has it."""

    def __init__(self, equation, weight_shape, bias_shape=None):
        super().__init__()
        self.equation = equation
        self.weight = nn.Parameter(torch.empty(weight_shape))
        self.bias = None
        if bias_shape is not None:
            self.bias = nn.Parameter(torch.empty(bias_shape))

    def forward(self, x):
        x = torch.einsum(self.equation, x, self.weight)
        return x if self.bias is None else x + self.bias)py",
                                    {},
                                    R"ts(def forward(self, x: Tensor) -> Tensor:
  y = torch.einsum({equation}, [x, self.weight])
  if self.bias is not None:
    y = y + self.bias
  return y
)ts"};

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_module("nn.Linear(in_features, out_features, *, bias)"),
          torch_module("nn.Bilinear(in1_features, in2_features, out_features, *, bias)"),
          torch_function("F.linear(input, weight, bias)"), torch_function("F.bilinear(input1, input2, weight, bias)"),
          of_helper(kEinsumDense, "EinsumDense(equation, weight_shape, *, bias_shape)", {"bias_axes"})};
}

}  // namespace h5bridge::linear
