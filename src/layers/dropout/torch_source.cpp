#include "facets/torch_source/signature.h"

namespace h5bridge::dropout {
namespace {

constexpr PythonHelper kGaussianDropout{"GaussianDropout",
                                        R"py(class GaussianDropout(nn.Module):
    """Keras's: in training, the input times noise around 1."""

    def __init__(self, rate):
        super().__init__()
        self.deviation = (rate / (1 - rate)) ** 0.5

    def forward(self, x):
        if not self.training:
            return x
        return x * (1 + self.deviation * torch.randn_like(x)))py",
                                        {},
                                        R"ts(def forward(self, x: Tensor) -> Tensor:
  if not self.training:
    return x
  return x * (1 + ({rate} / (1 - {rate})) ** 0.5 * torch.randn_like(x))
)ts"};

constexpr PythonHelper kGaussianNoise{"GaussianNoise",
                                      R"py(class GaussianNoise(nn.Module):
    """Keras's: in training, the input plus noise around 0."""

    def __init__(self, stddev):
        super().__init__()
        self.stddev = stddev

    def forward(self, x):
        return x + self.stddev * torch.randn_like(x) if self.training else x)py",
                                      {},
                                      R"ts(def forward(self, x: Tensor) -> Tensor:
  if not self.training:
    return x
  return x + {stddev} * torch.randn_like(x)
)ts"};

constexpr PythonHelper kSharedDropout{"SharedDropout",
                                      R"py(class SharedDropout(nn.Module):
    """Keras's dropout with a noise_shape: what has size 1 in it is dropped together."""

    def __init__(self, p=0.5, noise_shape=()):
        super().__init__()
        self.p = p
        self.noise_shape = noise_shape

    def kept(self, x):
        sizes = zip(self.noise_shape, x.shape)
        shape = [size if own is None else own for own, size in sizes]
        return torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - self.p)

    def forward(self, x):
        if not self.training:
            return x
        return x * 0 if self.p == 1 else x * self.kept(x) / (1 - self.p))py",
                                      {},
                                      R"ts(def kept(self, x: Tensor) -> Tensor:
  noise_shape: List[Optional[int]] = {[noise_shape]}
  shape = x.shape
  for i in range(len(noise_shape)):
    own = noise_shape[i]
    if own is not None:
      shape[i] = own
  return torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1.0 - {p})
def forward(self, x: Tensor) -> Tensor:
  if not self.training:
    return x
  if {p} == 1:
    return x * 0
  return x * self.kept(x) / (1.0 - {p})
)ts"};

constexpr PythonHelper kSharedAlphaDropout{"SharedAlphaDropout",
                                           R"py(class SharedAlphaDropout(SharedDropout):
    """Likewise for self-normalizing networks."""

    def forward(self, x):
        if not self.training:
            return x
        p, kept = self.p, self.kept(x)
        lowest = -1.6732632423543772 * 1.0507009873554805
        scale = 1 / ((1 - p) * (1 + p * lowest**2)) ** 0.5
        return scale * (x * kept + lowest * (1 - kept)) - scale * lowest * p)py",
                                           {&kSharedDropout},
                                           R"ts(def forward(self, x: Tensor) -> Tensor:
  if not self.training:
    return x
  p = {p}
  kept = self.kept(x)
  lowest = -1.6732632423543772 * 1.0507009873554805
  scale = 1 / ((1 - p) * (1 + p * lowest**2)) ** 0.5
  return scale * (x * kept + lowest * (1 - kept)) - scale * lowest * p
)ts"};

}  // namespace

std::vector<TorchSource> torch_sources() {
  return all_of(
      {torch_modules("Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout", "p"),
       {of_helper(kGaussianDropout, "GaussianDropout(rate)"), of_helper(kGaussianNoise, "GaussianNoise(stddev)"),
        of_helper(kSharedDropout, "Dropout(p, noise_shape)"),
        of_helper(kSharedAlphaDropout, "AlphaDropout(p, noise_shape)"),
        torch_code("ActivityRegularization", [](const SourceCall& call) { return call.input(); })}});
}

}  // namespace h5bridge::dropout
