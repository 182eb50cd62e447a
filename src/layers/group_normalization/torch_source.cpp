#include "facets/torch_source/signature.h"

namespace h5bridge::group_normalization {
namespace {

constexpr PythonHelper kAxis{"GroupNormOver",
                             R"py(class GroupNormOver(nn.GroupNorm):
    """Group normalization along any axis, with a weight or a bias alone if so asked."""

    def __init__(
        self, num_groups, num_channels, eps=1e-5, axis=1, scale=True, bias=True
    ):
        super().__init__(num_groups, num_channels, eps, affine=scale or bias)
        self.axis = axis
        if not scale:
            self.weight = None
        if not bias:
            self.bias = None

    def forward(self, x):
        return super().forward(x.movedim(self.axis, 1)).movedim(1, self.axis))py",
                             {},
                             R"ts(def forward(self, x: Tensor) -> Tensor:
  y = torch.group_norm(x.movedim({axis}, 1), {num_groups}, self.weight, self.bias, {eps})
  return y.movedim(1, {axis})
)ts"};

TorchSource over_axis() {
  return with_axis_1_by_default(of_helper(kAxis, "GroupNorm(num_groups, num_channels, *, eps, axis, scale, bias)"));
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {torch_module("nn.GroupNorm(num_groups, num_channels, *, eps, affine)"), over_axis(),
          torch_function("F.group_norm(input, num_groups, weight, bias, *, eps)")};
}

}  // namespace h5bridge::group_normalization
