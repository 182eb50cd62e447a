#include "facets/torch_source/signature.h"

namespace h5bridge::layer_normalization {
namespace {

constexpr PythonHelper kAxes{"LayerNormOver",
                             R"py(class LayerNormOver(nn.LayerNorm):
    """Layer normalization over any axes, with a weight or a bias alone if so asked."""

    def __init__(self, normalized_shape, axes=None, eps=1e-5, scale=True, bias=True):
        super().__init__(normalized_shape, eps, elementwise_affine=scale or bias)
        self.axes = axes
        if not scale:
            self.weight = None
        if not bias:
            self.bias = None

    def forward(self, x):
        if self.axes is None:
            return super().forward(x)
        last = tuple(range(-len(self.axes), 0))
        return super().forward(x.movedim(self.axes, last)).movedim(last, self.axes))py",
                             {},
                             R"ts(def forward(self, x: Tensor) -> Tensor:
  axes: Optional[List[int]] = {[axes]}
  if axes is None:
    return torch.layer_norm(x, {normalized_shape}, self.weight, self.bias, {eps})
  last = [i - len(axes) for i in range(len(axes))]
  y = torch.layer_norm(x.movedim(axes, last), {normalized_shape}, self.weight, self.bias, {eps})
  return y.movedim(last, axes)
)ts"};

constexpr PythonHelper kRmsScaling{"DeviationNorm",
                                   R"py(class DeviationNorm(nn.Module):
    """Keras's rms_scaling: divided by the deviation, but without taking the mean off."""

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True):
        super().__init__()
        self.eps = eps
        self.dims = tuple(range(-len(normalized_shape), 0))
        self.register_parameter("weight", nn.Parameter(torch.ones(normalized_shape)) if elementwise_affine else None)

    def forward(self, x):
        variance = x.var(self.dims, correction=0, keepdim=True)
        scaled = x * torch.rsqrt(variance + self.eps)
        return scaled if self.weight is None else scaled * self.weight)py",
                                   {},
                                   R"ts(def forward(self, x: Tensor) -> Tensor:
  sizes: List[int] = {[normalized_shape]}
  dims = [i - len(sizes) for i in range(len(sizes))]
  variance = x.var(dims, correction=0, keepdim=True)
  scaled = x * torch.rsqrt(variance + {eps})
  weight = self.weight
  if weight is None:
    return scaled
  return scaled * weight
)ts"};

// Of a list of sizes, which the attribute states even where there is one.
Constructor with_list(Constructor made, const Layer& layer) {
  made.arguments.at(0).text = python_value(layer.attributes.at("normalized_shape")).text;
  return made;
}

TorchSource one_size(TorchSource source) {
  source.constructor = [inner = source.constructor](const Layer& layer) {
    Constructor made = inner(layer);
    if (const auto& sizes = layer.attributes.integers("normalized_shape"); sizes.size() == 1)
      made.arguments.at(0).text = std::to_string(sizes[0]);
    return made;
  };
  return source;
}

TorchSource scaled_by_deviation() {
  TorchSource result =
      of_helper(kRmsScaling, "LayerNorm(normalized_shape, *, eps, elementwise_affine)", {"rms_scaling", "bias"});
  const auto axes = result.misfit;
  result.misfit = [axes](const Layer& layer) {
    return layer.attributes.boolean("rms_scaling") ? axes(layer) : std::string("rms_scaling");
  };
  result.constructor = [inner = result.constructor](const Layer& layer) { return with_list(inner(layer), layer); };
  return result;
}

TorchSource over_axes() {
  TorchSource result = of_helper(kAxes, "LayerNorm(normalized_shape, *, axes, eps, scale, bias)");
  result.constructor = [inner = result.constructor](const Layer& layer) { return with_list(inner(layer), layer); };
  return result;
}

// By its weight's sizes, where that is a module's own.
TorchSource sized_by_weight(TorchSource source) {
  source.call = [inner = source.call](const SourceCall& call) {
    Python result = inner(call);
    const auto weight = call.operand("weight");
    if (!weight || call.place.is_script() || !weight->text.starts_with("self.")) return result;
    const std::string sizes = ", " + python_value(call.attributes().at("normalized_shape")).text + ", ";
    const std::size_t at = result.text.find(sizes + weight->text);
    if (at != std::string::npos) result.text.replace(at, sizes.size(), ", " + weight->text + ".shape, ");
    return result;
  };
  return source;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  return {
      one_size(torch_module("nn.LayerNorm(normalized_shape, *, eps, elementwise_affine, bias)")),
      over_axes(),
      scaled_by_deviation(),
      one_size(torch_module("nn.RMSNorm(normalized_shape, *, eps, elementwise_affine)")),
      sized_by_weight(torch_function("F.layer_norm(input, normalized_shape, weight, bias, *, eps)")),
      sized_by_weight(torch_function("F.rms_norm(input, normalized_shape, weight, *, eps)")),
  };
}

}  // namespace h5bridge::layer_normalization
