"""Modules of torch.nn: their constructors' arguments, and calling them on tensors without data."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable

import sympy
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from .errors import ExportError
from .sizes import expression_of
from .tables import CONTAINERS, READ_ARGUMENT, WEIGHT_HOOKS


def is_public(kind: type) -> bool:
    return getattr(nn, kind.__name__, None) is kind


def leaf_type(module: nn.Module) -> type | None:
    """The class of torch.nn whose forward the module runs, or None for a module that is to be entered."""
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.modules.") and is_public(kind):
            break
        if any(name in vars(kind) for name in ("forward", "_conv_forward", "_forward_impl")) and not kind.__module__.startswith("torch.nn."):
            return None
    else:
        return None
    return None if kind in CONTAINERS else kind


def makes_its_weights(module: nn.Module) -> bool:
    """Whether it computes its weights from other parameters in each call (weight_norm, spectral_norm), so that it is written as
    the functions that do so. PyTorch's recurrent kernels take no computed weights, and its attention checks its own."""
    if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
        return False
    return parametrize.is_parametrized(module) or any(isinstance(hook, WEIGHT_HOOKS) for hook in module._forward_pre_hooks.values())


@functools.cache
def constructor(kind: type) -> dict[str, Any]:
    """The constructor's arguments and their defaults (Parameter.empty for none)."""
    parameters = inspect.signature(kind.__init__).parameters
    if issubclass(kind, nn.RNNBase):  # these take *args and hand them on
        parameters = inspect.signature(nn.RNNBase.__init__).parameters | {}
        parameters = {name: p for name, p in parameters.items() if name != "mode"}
        if kind is nn.RNN:
            parameters["nonlinearity"] = inspect.Parameter("nonlinearity", inspect.Parameter.KEYWORD_ONLY, default="tanh")
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: p.default for name, p in parameters.items()
            if p.kind in named and name != "self" and not name.startswith("_") and name not in ("device", "dtype", "inplace")}  # fmt: skip


def simplified(kind: type, name: str, value: Any) -> Any:
    """A window's (3, 3) is written as 3."""
    windows = kind.__module__.endswith((".conv", ".pooling", ".fold")) and name != "output_size"
    if windows and isinstance(value, (list, tuple)) and value and all(is_same(item, value[0]) for item in value):
        return value[0]
    return value


def is_same(a: Any, b: Any) -> bool:
    """Whether two are equal; open sizes, whatever they come to."""
    if isinstance(a, torch.SymInt) or isinstance(b, torch.SymInt):
        return sympy.expand(expression_of(a) - expression_of(b)) == 0
    return a == b


def is_default(value: Any, default: Any) -> bool:
    if default is inspect.Parameter.empty or isinstance(value, (torch.SymInt, torch.SymFloat)):
        return False
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(default, tuple):
        default = list(default)
    return type(value) is type(default) and value == default or (
        isinstance(value, (int, float)) and isinstance(default, (int, float))
        and isinstance(value, bool) == isinstance(default, bool) and value == default)  # fmt: skip


def _has_bias(module: nn.Module) -> bool:
    if isinstance(module.bias, bool):
        return module.bias
    without_affine = hasattr(module, "weight") and module.weight is None  # then the setting has no meaning
    return module.bias is not None or without_affine


def module_arguments(kind: type, module: nn.Module) -> dict[str, Any]:
    """What to construct the module with, without what is at its default. Raises ValueError."""
    read = READ_ARGUMENT.get(kind, {})
    arguments = {}
    for name, default in constructor(kind).items():
        if inspect.isfunction(default):
            default = default.__name__  # activation=F.relu
        if name in read:
            value = read[name](module)
        elif name == "bias":
            value = _has_bias(module)
        elif hasattr(module, name):
            value = simplified(kind, name, getattr(module, name))
        elif default is inspect.Parameter.empty:
            raise ValueError(f"its argument {name} cannot be read off it")
        else:
            continue
        if isinstance(value, (Tensor, nn.Module)):
            raise ValueError(f"its argument {name} is a {type(value).__name__}")
        if not is_default(value, default):
            arguments[name] = value
    return arguments


def _recurrent_outputs(rnn: nn.RNNBase, x: Tensor) -> Any:
    """Outputs of the right shapes: PyTorch's own trace of a recurrent module fixes the length."""
    directions, hidden = 2 if rnn.bidirectional else 1, rnn.proj_size or rnn.hidden_size
    batch = () if x.dim() == 2 else (x.shape[0 if rnn.batch_first else 1],)
    out = x.new_empty((*x.shape[:-1], directions * hidden))
    state = x.new_empty((directions * rnn.num_layers, *batch, hidden))
    if not isinstance(rnn, nn.LSTM):
        return out, state
    return out, (state, x.new_empty((directions * rnn.num_layers, *batch, rnn.hidden_size)))


def max_pool1d(x: Tensor, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False) -> Any:
    """By way of the 2-d pooling: PyTorch's trace of the 1-d one fixes the length."""
    number = lambda v: v[0] if isinstance(v, (list, tuple)) else v  # noqa: E731
    stride = kernel_size if stride is None or stride == [] else stride
    y = nn.functional.max_pool2d(x.unsqueeze(-2), (1, number(kernel_size)), (1, number(stride)), (0, number(padding)),
                                 (1, number(dilation)), ceil_mode, return_indices)  # fmt: skip
    return tuple(v.squeeze(-2) for v in y) if return_indices else y.squeeze(-2)


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """A tensor of the right shape: PyTorch's trace fails for one row."""
    return theta.new_empty((size[0], *size[2:], len(size) - 2))


def _window_sizes(axes: int, x: Tensor, given: dict[str, Any]) -> dict[int, int | torch.SymInt]:
    """How many windows of a pooling fit along its axes, which stand last."""
    each = lambda value: [*value] * (axes if len(value) == 1 else 1) if isinstance(value, (list, tuple)) else [value] * axes  # noqa: E731
    kernel, padding, dilation = each(given["kernel_size"]), each(given.get("padding", 0)), each(given.get("dilation", 1))
    stride = each(given["stride"]) if given.get("stride") else kernel
    return {i - axes: (x.shape[i - axes] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(axes)}


# Functions that PyTorch can trace with numbers alone, where other functions take open sizes: what sizes their results have.
TRACED_WITH_NUMBERS: dict[str, Callable[[Tensor, dict[str, Any]], dict[int, int | torch.SymInt]]] = {
    "one_hot": lambda x, given: {-1: given["num_classes"]},
} | {f"{kind}_pool{axes}d": functools.partial(_window_sizes, axes) for kind in ("avg", "max", "lp") for axes in (1, 2, 3)}

# Modules whose calls have settings of their own.
UPWARDS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SET_BY_CALLS = (nn.MultiheadAttention, nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d, *UPWARDS)


def output_padding_of(module: nn.Module, input: Tensor, output_size: Any = None) -> dict[str, Any]:
    """What a call of a transposed convolution adds, so that its output has the size that it wants."""
    if output_size is None:
        return {}
    axes = len(module.kernel_size)
    window = zip(input.shape[-axes:], output_size[-axes:], module.stride, module.padding, module.dilation, module.kernel_size)
    return {"output_padding": [size - ((own - 1) * s - 2 * p + d * (k - 1) + 1) for own, size, s, p, d, k in window]}


def forward_of(kind: type, module: nn.Module) -> Callable:
    """The module's own, or that of the class which it is called as, where its own class has another one."""
    return module.forward if leaf_type(module) is kind else kind.forward.__get__(module)


def run_leaf(kind: type, module: nn.Module, args: tuple, kwargs: dict) -> Any:
    if isinstance(module, nn.RNNBase):
        x = args[0] if args else kwargs["input"]
        if not isinstance(x, Tensor):
            raise ValueError("its input is a packed sequence")
        return _recurrent_outputs(module, x)
    if isinstance(module, nn.MaxPool1d):
        return max_pool1d(*args, *kwargs.values(), module.kernel_size, module.stride, module.padding, module.dilation,
                           module.ceil_mode, module.return_indices)  # fmt: skip
    return forward_of(kind, module)(*args, **kwargs)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch.compile's and the data-parallel wrappers."""
    while True:
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            module = module.module
        elif "_orig_mod" in module._modules:
            module = module._orig_mod
        else:
            return module


def refuse_without_python(module: nn.Module) -> None:
    """What has a graph already, and no Python that could be traced, is read from its own file."""
    name = type(module).__name__
    if isinstance(module, torch.jit.ScriptModule):
        raise ExportError(f"{name}: is TorchScript; export the class it was made from")
    for path, inner in module.named_modules():
        if "eval" in vars(inner):  # torch.export's own, which raises
            where = f"{path} ({type(inner).__name__})" if path else name
            raise ExportError(f"{where}: is of a program of torch.export; h5bridge reads what torch.export.save writes of that")


def refuse_uninitialized(module: nn.Module) -> None:
    """Lazy modules whose sizes no input has told yet."""
    for path, inner in module.named_modules():
        tensors = [*inner._parameters.values(), *inner._buffers.values()]
        if any(isinstance(tensor, nn.parameter.UninitializedTensorMixin) for tensor in tensors):
            where = f"{path} ({type(inner).__name__})" if path else type(inner).__name__
            raise ExportError(f"{where}: is not initialised: it has no weights before its first call; "
                              "call the module once with the example inputs")  # fmt: skip


def made_plain(hook: Callable) -> str:
    """What takes a hook of PyTorch's own away and leaves what it computed, for the end of a message; nothing for any other hook."""
    if isinstance(hook, prune.BasePruningMethod):
        way = f'torch.nn.utils.prune.remove(module, "{hook._tensor_name}")'
    elif (kind := type(hook).__name__) in ("WeightNorm", "SpectralNorm"):
        way = f"torch.nn.utils.remove_{'weight' if kind == 'WeightNorm' else 'spectral'}_norm"
    else:
        return ""
    return f"; {way} makes it plain"
