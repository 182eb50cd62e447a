"""Layer types in PyTorch: what test_layers_live.py compares with.

`reference(type, attributes)` gives a module whose submodule "layer" has the layer's state_dict names, and whether PyTorch says
the layer by one module or function of its own. What only Keras says (an activation, `same` with strides, ...) is put
together here from PyTorch's functions, after Keras's documentation.
"""

from functools import reduce

import torch
import torch.nn.functional as F
from torch import nn

FUNCTIONS = {
    "Average": lambda *xs: sum(xs) / len(xs),
    "add": lambda *xs, alpha=1, other=None: torch.add(xs[0], other, alpha=alpha) if len(xs) == 1 else sum(xs[2:], torch.add(xs[0], xs[1], alpha=alpha)),
    "cat": lambda *xs, dim=0: torch.cat(xs, dim),
    "div": lambda x, *ys, other=None: torch.div(x, *ys or [other]),
    "exp": torch.exp,
    "maximum": lambda *xs: reduce(torch.maximum, xs),
    "minimum": lambda *xs: reduce(torch.minimum, xs),
    "mul": lambda *xs, other=None: torch.mul(xs[0], other) if len(xs) == 1 else reduce(torch.mul, xs),
    "permute": lambda x, dims: x.permute(dims),
    "reshape": lambda x, shape: x.reshape([len(x) if size == "batch" else size for size in shape]),
    "sub": lambda x, *ys, alpha=1, other=None: torch.sub(x, *ys or [other], alpha=alpha),
    "transpose": lambda x, dim0, dim1: x.transpose(dim0, dim1),
    "view": lambda x, shape: x.view([len(x) if size == "batch" else size for size in shape]),
}
ACTIVATIONS = {"relu": F.relu, "sigmoid": torch.sigmoid}


def spatial(value, axes):
    return [value] * axes if isinstance(value, int) else list(value)


def same_margins(x, kernel, stride, dilation):
    """F.pad's list for Keras's `same`: the odd one at the end."""
    margins = []
    for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
        total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
        margins = [total // 2, total - total // 2] + margins
    return margins


class Reference(nn.Module):
    """`layer`, with `before` and `after` around it."""

    def __init__(self, layer, before=lambda x: x, after=lambda x: x):
        super().__init__()
        self.layer, self.before, self.after = layer, before, after

    def forward(self, *inputs):
        return self.after(self.layer(self.before(inputs[0]), *inputs[1:]))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def keras_relu(max_value=None, negative_slope=0.0, threshold=0.0):
    def relu(x):
        ramp = torch.where(x >= threshold, x, negative_slope * (x - threshold))
        return ramp if max_value is None else torch.clamp(ramp, max=max_value)

    return relu


class OwnTensor(nn.Module):
    """A tensor of the model's own, "layer"; the input is what all models have."""

    def __init__(self, kind, shape):
        super().__init__()
        value = torch.empty(shape)
        self.layer = nn.Parameter(value) if kind == "Parameter" else nn.Buffer(value)

    def forward(self, x):
        return self.layer.detach()


def windowed(kind, a):
    """Convolutions and poolings; their `same` and `valid` are padding done before."""
    axes = int(kind[-2])
    pooling = "Pool" in kind
    padding = a.get("padding", 0)
    kernel = spatial(a["kernel_size"], axes)
    stride = spatial(a.get("stride") or (kernel if pooling else 1), axes)
    dilation = spatial(a.get("dilation", 1), axes)
    if padding == "valid" and pooling:
        return Reference(getattr(nn, kind)(**a | {"padding": 0})), True
    if padding != "same" or (not pooling and set(stride) == {1}):
        return Reference(getattr(nn, kind)(**a)), True
    layer = getattr(nn, kind)(**a | {"padding": 0})
    fill = float("-inf") if kind.startswith("Max") else 0.0
    reference = Reference(layer, before=lambda x: F.pad(x, same_margins(x, kernel, stride, dilation), value=fill))
    if kind.startswith("Avg"):  # what was added does not count
        return Function(lambda x: reference(x) / reference(torch.ones_like(x))), False
    return reference, False


def reference(kind, attributes):
    a = dict(attributes)
    if kind in FUNCTIONS:
        return Function(lambda *xs: FUNCTIONS[kind](*xs, **a)), kind != "Average"
    if kind in ("Parameter", "Buffer"):
        return OwnTensor(kind, **a), True
    if kind == "ReLU" and a:
        return Function(keras_relu(**a)), False
    if kind == "Flatten" and a.pop("channels_last_order", False):
        return Reference(nn.Flatten(), before=lambda x: x.movedim(1, -1)), False
    activation = a.pop("activation", None)
    keepdims = a.pop("keepdims", True)
    dropped = [name for name, key in (("weight", "scale"), ("bias", "center")) if not a.pop(key, True)]
    module, exact = windowed(kind, a) if "kernel_size" in a else (Reference(getattr(nn, kind)(**a)), True)
    for name in dropped:
        setattr(module.layer, name, None)
    if activation:
        module.after = ACTIVATIONS[activation]
    if not keepdims:
        module.after = lambda x: x.flatten(1)
    return module, exact and not activation and keepdims and not dropped


def randomised(module):
    """With all parameters and statistics drawn at random; none of them where it would do nothing."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(12345)
        else:
            tensor.normal_().mul_(0.5).add_(0.1)
    return module.eval()
