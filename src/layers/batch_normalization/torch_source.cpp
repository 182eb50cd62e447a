#include "facets/torch_source/signature.h"

namespace h5bridge::batch_normalization {
namespace {

// What its statistics are: those that it is given, or its input's own.
TorchSource function(const std::string& name, const std::string& own) {
  return torch_code(name, [name, own](const SourceCall& call) {
    if (call.operand("running_mean"))
      return call_of("F." + name + "(input, running_mean, running_var, weight, bias, *, momentum, eps)", call);
    Python result = call_of("F." + name + "(input, *, weight, bias, momentum, eps)", call);
    result.text.insert(result.text.size() - 1, own);
    return result;
  });
}

TorchSource given_statistics() {
  TorchSource result = function("instance_norm", "");
  result.call = [plain = result.call](const SourceCall& call) {
    Python made = plain(call);
    if (call.operand("running_mean")) made.text.insert(made.text.size() - 1, ", use_input_stats=False");
    return made;
  };
  return result;
}

// One of weight and bias alone, channels on another axis.
constexpr PythonHelper kPartialBatchNorm{"PartialBatchNorm",
                                         R"py(class PartialBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization along any axis, with a weight or a bias alone if so asked."""

    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        axis=1,
        scale=True,
        bias=True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats)
        self.axis = axis
        if not scale:
            self.weight = None
        if not bias:
            self.bias = None

    def _check_input_dim(self, x):
        pass

    def forward(self, x):
        return super().forward(x.movedim(self.axis, 1)).movedim(1, self.axis))py",
                                         {},
                                         R"ts(def normalized(self, x: Tensor) -> Tensor:
  y = x.movedim({axis}, 1)
  if self.training and self.num_batches_tracked is not None:
    added = self.num_batches_tracked.add_(1)
  share = 0.0
  if {momentum} is not None:
    share = {momentum}
  elif self.training and self.num_batches_tracked is not None:
    share = 1.0 / float(self.num_batches_tracked)
  own = self.training
  if self.running_mean is None:
    own = True
  y = F.batch_norm(y, self.running_mean, self.running_var, self.weight, self.bias, own, share, {eps})
  return y.movedim(1, {axis})
def forward(self, x: Tensor) -> Tensor:
  return self.normalized(x)
)ts"};

constexpr PythonHelper kMaskedBatchNorm{"MaskedBatchNorm",
                                        R"py(class MaskedBatchNorm(PartialBatchNorm):
    """Keras's with a mask: in training, steps that it leaves out do not count."""

    def forward(self, x, mask):
        if not self.training:
            return super().forward(x)
        x = x.movedim(self.axis, 1)
        shares = mask.to(x.dtype).unsqueeze(1)
        shares = shares / shares.sum()
        dims = (0, *range(2, x.ndim))
        mean = (x * shares).sum(dims, keepdim=True)
        variance = ((x - mean) ** 2 * shares).sum(dims, keepdim=True)
        with torch.no_grad():
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(variance.flatten(), self.momentum)
        y = ((x - mean) * torch.rsqrt(variance + self.eps)).movedim(1, -1)
        y = y if self.weight is None else y * self.weight
        y = y if self.bias is None else y + self.bias
        return y.movedim(-1, self.axis))py",
                                        {&kPartialBatchNorm},
                                        R"ts(def forward(self, x: Tensor, mask: Tensor) -> Tensor:
  if not self.training:
    return self.normalized(x)
  a = x.movedim({axis}, 1)
  shares = mask.to(x.dtype).unsqueeze(1)
  shares = shares / shares.sum()
  dims = [0] + [i + 2 for i in range(a.ndim - 2)]
  mean = (a * shares).sum(dims, keepdim=True)
  variance = ((a - mean) ** 2 * shares).sum(dims, keepdim=True)
  kept = self.running_mean.lerp_(mean.flatten().detach(), {momentum})
  kept = self.running_var.lerp_(variance.flatten().detach(), {momentum})
  y = ((a - mean) * torch.rsqrt(variance + {eps})).movedim(1, -1)
  if self.weight is not None:
    y = y * self.weight
  if self.bias is not None:
    y = y + self.bias
  return y.movedim(-1, {axis})
)ts"};

TorchSource partial(const PythonHelper& helper, const std::string& type) {
  return with_axis_1_by_default(
      of_helper(helper, type + "(num_features, *, eps, momentum, affine, track_running_stats, axis, scale, bias)"));
}

constexpr PythonHelper kPartialInstanceNorm{"WeightedInstanceNorm",
                                            R"py(class WeightedInstanceNorm(nn.modules.instancenorm._InstanceNorm):
    """Instance normalization with a weight, but without a bias."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1, track_running_stats=False):
        super().__init__(num_features, eps, momentum, True, track_running_stats)
        self.bias = None

    def forward(self, x):
        return self._apply_instance_norm(x))py",
                                            {},
                                            R"ts(def forward(self, x: Tensor) -> Tensor:
  own = True
  if self.running_mean is not None:
    own = self.training
  return F.instance_norm(x, self.running_mean, self.running_var, self.weight, None, own, {momentum}, {eps})
)ts"};

TorchSource without_bias(const std::string& type) {
  return of_helper(kPartialInstanceNorm, type + "(num_features, *, eps, momentum, track_running_stats)",
                   {"affine", "bias"});
}

TorchSource masked(TorchSource source) {
  source.misfit = [inner = source.misfit](const Layer& layer) {
    return layer.attributes.is_none("momentum") ? std::string("momentum") : inner(layer);
  };
  source.call = [](const SourceCall& call) -> Python {
    return call.self + "(" + call.input().text + ", " + call.operand("mask").value().text + ")";
  };
  source.calls_module_plainly = false;
  return source;
}

}  // namespace

std::vector<TorchSource> torch_sources() {
  std::vector<TorchSource> result =
      torch_modules("BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d",
                    "num_features, *, eps, momentum, affine, track_running_stats");
  for (TorchSource& source : result) source.takes_no = {"mask"};
  for (const char* type : {"BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"}) {
    result.push_back(partial(kPartialBatchNorm, type));
    result.back().takes_no = {"mask"};
    result.push_back(masked(partial(kMaskedBatchNorm, type)));
  }
  for (const char* type : {"InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"}) result.push_back(without_bias(type));
  result.push_back(function("batch_norm", ", running_mean=None, running_var=None, training=True"));
  result.push_back(given_statistics());
  return result;
}

}  // namespace h5bridge::batch_normalization
