#include "facets/torch_source/operators.h"
#include "facets/torch_source/signature.h"
#include "layers/products/equation.h"

namespace h5bridge::products {
namespace {

constexpr PythonHelper kNormalize{"l2_normalized",
                                  R"py(def l2_normalized(x, dim):
    """As Keras normalizes."""
    return x * torch.clamp_max(torch.rsqrt(torch.sum(torch.square(x), dim, True)), 1e7))py",
                                  {},
                                  R"ts(def l2_normalized(x: Tensor, dim: int) -> Tensor:
  return x * torch.clamp_max(torch.rsqrt(torch.sum(torch.square(x), dim, True)), 1e7)
)ts"};

constexpr PythonHelper kDot{"batch_dot",
                            R"py(def batch_dot(x, y, dims):
    """Keras's Dot: sums of products along a dimension of each, element by element of the batch."""
    x, y = x.movedim(dims[0], -1), y.movedim(dims[1], 1)
    shape = [*x.shape[:-1], *y.shape[2:]]
    x = x.reshape(x.shape[0], -1, x.shape[-1])
    y = y.reshape(*y.shape[:2], -1)
    return torch.bmm(x, y).reshape(shape if len(shape) > 1 else [*shape, 1]))py",
                            {},
                            R"ts(def batch_dot(x: Tensor, y: Tensor, dims: List[int]) -> Tensor:
  a = x.movedim(dims[0], -1)
  b = y.movedim(dims[1], 1)
  shape = a.shape[:-1] + b.shape[2:]
  if len(shape) == 1:
    shape = shape + [1]
  product = torch.bmm(a.reshape([a.shape[0], -1, a.shape[-1]]), b.reshape([b.shape[0], b.shape[1], -1]))
  return product.reshape(shape)
)ts"};

Python dot(const SourceCall& call) {
  const Attributes& a = call.attributes();
  const auto [first, second] = dot_axes(a, static_cast<std::int64_t>(call.input_shape(0).size()),
                                        static_cast<std::int64_t>(call.input_shape(1).size()));
  const auto operand = [&](std::size_t index, std::int64_t axis) {
    if (!a.boolean("normalize")) return call.input(index).text;
    return call.helper(kNormalize) + "(" + call.input(index).text + ", " + std::to_string(axis) + ")";
  };
  return call.helper(kDot) + "(" + operand(0, first) + ", " + operand(1, second) + ", (" + std::to_string(first) +
         ", " + std::to_string(second) + "))";
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {operator_of("matmul", "@", Binding::Product),
          torch_function("torch.bmm(input, other)"),
          torch_function("torch.outer(input, other)"),
          torch_function("torch.cross(input, other, *, dim)"),
          torch_function_as("linalg_cross", "torch.linalg.cross(input, other, *, dim)"),
          torch_function("torch.addmm(input, mat1, mat2, *, beta, alpha)"),
          torch_function("torch.addmv(input, mat, vec, *, beta, alpha)"),
          torch_function("torch.addr(input, vec1, vec2, *, beta, alpha)"),
          torch_function("torch.baddbmm(input, batch1, batch2, *, beta, alpha)"),
          torch_function("torch.addbmm(input, batch1, batch2, *, beta, alpha)"),
          torch_function("torch.einsum(equation, *operands)"),
          torch_code("Dot", dot)};
}

}  // namespace h5bridge::products
