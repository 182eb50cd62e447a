"""What neither PyTorch's own definitions nor the registry of layers tell, as data."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable

import torch
from torch import nn
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from . import registry
from .registry import MODULES

MOST_NUMBERS = 65536  # elements of a constant tensor that stand in the JSON as a list
MOST_CONDITIONS = 10  # on open sizes that are noted one by one
FACTORS = (2, 4, 8, 16, 32, 64)  # that a size may have to be a multiple of

# Modules of torch.nn that are entered: their own forward says nothing that their parts don't.
CONTAINERS = {nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict,
              nn.Transformer, nn.TransformerEncoder, nn.TransformerDecoder, nn.TransformerEncoderLayer,
              nn.TransformerDecoderLayer}  # fmt: skip

# What changes no result: where tensors live, how memory is laid out, what training does.
NO_ATTRIBUTES = {"device", "dropout_p", "layout", "pin_memory", "memory_format", "requires_grad", "non_blocking", "copy", "inplace",
                 "training", "train", "_stacklevel", "sparse_grad"}  # fmt: skip

# Tensors that a module's call may go without, and which are inputs by their place all the same.
INPUTS_BY_PLACE = {nn.EmbeddingBag: {"offsets", "per_sample_weights"}}

# Functions that make tensors of numbers alone; where these are known, the result is a constant.
FACTORIES = {"arange", "linspace", "eye", "zeros", "ones", "full"}

# Of these, those that no layer is.
NUMBERS_ALONE = {"linspace", "eye"}

# Types that are one number in a shape of their own.
FILLED = {"zeros", "ones", "full"}

# Functions that make tensors of zeros.
# Modules that no function stands for, which are kept whole also where a class that is derived from one calls its forward.
WHOLE = (nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell, nn.MultiheadAttention)

ZEROS = {"zeros", "new_zeros", "zeros_like"}

# How to read a constructor's argument off a module that does not keep it as an attribute of the same name.
READ_ARGUMENT: dict[type, dict[str, Callable[[nn.Module], Any]]] = {
    nn.MultiheadAttention: {
        "bias": lambda m: m.in_proj_bias is not None,
        "add_bias_kv": lambda m: m.bias_k is not None,
        "kdim": lambda m: None if m.kdim == m.embed_dim else m.kdim,
        "vdim": lambda m: None if m.vdim == m.embed_dim else m.vdim,
    },
    nn.PairwiseDistance: {"p": lambda m: m.norm},
}

# Names of one function in PyTorch that mean the same.
SYNONYMS = {
    "concat": "cat", "concatenate": "cat", "absolute": "abs", "multiply": "mul", "divide": "div", "true_divide": "div",
    "subtract": "sub", "negative": "neg", "clip": "clamp", "greater": "gt", "greater_equal": "ge", "less": "lt",
    "less_equal": "le", "not_equal": "ne", "swapaxes": "transpose", "swapdims": "transpose", "moveaxis": "movedim",
    "upsample": "interpolate", "_threshold": "threshold", "fix": "trunc", "sgn": "sign", "mm": "matmul", "mv": "matmul",
    "dot": "matmul", "vdot": "matmul", "unsafe_chunk": "chunk", "unsafe_split": "split", "special_expit": "sigmoid",
}  # fmt: skip
SYNONYMS |= {f"arc{name}": f"a{name}" for name in ("cos", "sin", "tan", "tan2", "cosh", "sinh", "tanh")}
SYNONYMS |= {f"special_{name}": name for name in
             "erf erfc erfinv exp2 expm1 log1p round sinc i0 logit logsumexp softmax log_softmax".split()}  # fmt: skip

# Python's operators; the in-place ones (__iadd__) are their plain ones.
OPERATORS = {
    "radd": "add", "rmul": "mul", "truediv": "div", "floordiv": "floor_divide", "mod": "remainder", "invert": "bitwise_not",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "rand": "bitwise_and", "ror": "bitwise_or", "rxor": "bitwise_xor",
}  # fmt: skip

# Other spellings of an argument, which PyTorch's functions take, too.
ARGUMENT_SYNONYMS = {"input": "self", "axis": "dim", "axes": "dim", "keepdims": "keepdim", "axis0": "dim0", "axis1": "dim1",
                     "split_size_or_sections": "split_size", "shape": "size", "x1": "self", "x2": "other"}  # fmt: skip

# The one name of an argument that PyTorch names in two ways: the schema and the documentation, or a function and a method.
DOCUMENTED_ARGUMENT = {("view", "size"): "shape", ("split", "split_size_or_sections"): "split_size"}


@dataclass(frozen=True)
class ModuleForm:
    """A function that does what a module of torch.nn does is written as that module."""

    type: str
    rename: dict[str, str] = field(default_factory=dict)  # an argument of the function -> of the module's constructor
    fixed: dict[str, Any] = field(default_factory=dict)
    own: frozenset[str] = frozenset()  # arguments that the module has not, but h5bridge's layer of its name


# What h5bridge's layers say otherwise than PyTorch's functions: names of arguments.
RENAMED = {"Softshrink": {"lambda": "lambd"}, "Unflatten": {"sizes": "unflattened_size"}}

# Functions that are a module of another name, and what this is set to besides.
OTHERWISE_NAMED: dict[str, tuple[str, dict[str, Any]]] = {"interpolate": ("Upsample", {}), "log_sigmoid": ("LogSigmoid", {})}
OTHERWISE_NAMED |= {f"{kind}max_pool{n}d_with_indices": (f"{type}MaxPool{n}d", {"return_indices": True})
                    for kind, type in (("", ""), ("adaptive_", "Adaptive")) for n in "123"}  # fmt: skip

# What has the name of a module and is another function: Tensor.unfold.
HOMONYMS = {"unfold"}


def _form(type: str, fixed: dict[str, Any] | None = None) -> ModuleForm:
    attributes = MODULES[type].split()
    without_tensors = {"elementwise_affine": False} if "elementwise_affine" in attributes else {}
    own = set(attributes) - set(inspect.signature(getattr(nn, type)).parameters)
    return ModuleForm(type, RENAMED.get(type, {}), without_tensors | (fixed or {}), frozenset(own))


def _module_forms() -> dict[str, ModuleForm]:
    """By the functions' names: PyTorch calls a function as the module that does the same, but for its spelling."""
    squashed = lambda name: name.replace("_", "").lower()  # noqa: E731
    modules = {squashed(type): type for type in MODULES if hasattr(nn, type)}
    functions = {name for name in {*dir(nn.functional), *dir(torch), *dir(torch.Tensor)}
                 if name.islower() and not name.startswith("_") and not name.endswith("_")} - HOMONYMS  # fmt: skip
    forms = {name: _form(modules[squashed(name)]) for name in sorted(functions) if squashed(name) in modules}
    return forms | {name: _form(*form) for name, form in OTHERWISE_NAMED.items()}


MODULE_FORMS = _module_forms()

# Functions that do what a module does with its parameters as inputs, and what these are called, in the function's order. They
# are written under their own names.
OPERANDS = {function: tuple(names.split()) for function, names in registry.OPERANDS.items()}

# Of these, what says whether the input's own statistics are used.
OWN_STATISTICS = {"batch_norm": "training", "instance_norm": "use_input_stats"}

# Of what a layer takes for numbers, whatever it is called with: which axes, of how many there are.
CHANNELS = lambda entry, axes: [1]  # noqa: E731
AXES_OF_NUMBERS: dict[str, Callable[[Any, int], Iterable[int]]] = {
    **dict.fromkeys(["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"], CHANNELS),
    **{f"InstanceNorm{n}d": lambda entry, axes, n=n: [axes - n - 1] for n in (1, 2, 3)},
    "instance_norm": CHANNELS, "group_norm": CHANNELS, "Fold": lambda entry, axes: [axes - 2],
    "Upsample": lambda entry, axes: range(2, axes) if _is_odd_scale(entry.attributes.get("scale_factor")) else [],
}  # fmt: skip


def _is_odd_scale(scale: Any) -> bool:
    """Whether an open size times the scale, or one of them, is no expression with whole numbers."""
    scales = scale if isinstance(scale, (list, tuple)) else [scale]
    return any(isinstance(each, float) and not (each * 2**20).is_integer() for each in scales)


# How open sizes are named, by the number of axes.
AXIS_NAMES = {2: ("length", "length"), 3: ("length", "length", "length"), 4: ("size", "channels", "height", "width"),
              5: ("size", "channels", "depth", "height", "width")}  # fmt: skip

# What computes a module's weights before each of its calls (torch.nn.utils.weight_norm; parametrizations are no hooks).
WEIGHT_HOOKS = (WeightNorm, SpectralNorm)

# Functions of numbers, among which a size may stand: a tensor does as well.
ARITHMETIC = {"add", "sub", "rsub", "mul", "div", "floor_divide", "remainder", "eq", "ne", "gt", "ge", "lt", "le"}

# Functions that cut an axis into parts, where what they say need not hold for all sizes of it.
CUTS = {"split", "split_with_sizes", "chunk"}

# Methods that give the tensor itself, or a copy with the same values: no entry, but for these, of floats.
SAME_VALUE = {"contiguous", "detach", "detach_", "clone", "requires_grad_", "data", "alias"}
STOPS_GRADIENTS = {"detach", "detach_", "data"}

# Contexts that matter to training, or to precision.
CONTEXTS = {
    torch.no_grad: "torch.no_grad: what is computed there has no gradients in PyTorch, and has some in Keras",
    torch.inference_mode: "torch.inference_mode: what is computed there has no gradients in PyTorch, and has some in Keras",
    torch.autocast: "torch.autocast: PyTorch may compute in lower precision there, which the description does not say",
}

# These, too, unless the element type changes: then it is `to` with a dtype.
CASTS = {"to", "type", "type_as", "float", "double", "half", "bfloat16", "int", "long", "short", "byte", "char", "bool", "cpu", "cuda"}

# These give Python a number that depends on data.
READS_DATA = {"item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "__complex__", "__contains__", "nonzero",
              "__array__", "equal", "allclose", "is_nonzero", "masked_select", "unique", "unique_consecutive"}  # fmt: skip

# NumPy's functions that, of what is no number of NumPy's, call the method of their name. As math's, they take a size for a number.
OF_OBJECTS = ("sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh "
              "arctanh").split()  # fmt: skip

# Python-written operators that are other operators: recorded as those.
COMPOSED = {"__rdiv__", "__rtruediv__", "__rpow__", "__rfloordiv__", "__rsub__", "__rmod__", "__rmatmul__"}
