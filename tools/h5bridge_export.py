#!/usr/bin/env python3
"""Writes the architecture JSON (docs/architecture.md) of a PyTorch module.

    from h5bridge_export import export_architecture
    export_architecture(model, torch.zeros(2, 3, 32, 32), "model.json")
    torch.save(model.state_dict(), "model.pth")

    python tools/h5bridge_export.py package.module:Class -o model.json --input-shape 2,3,32,32

How it works: the module is first run on inputs of other sizes, to learn which axes are open (`find_symbols`). Then its
forward runs once on tensors without data whose open sizes are symbols (`trace`). What it calls is recorded as it was
written: a module of torch.nn is one entry under its own name, whatever happens inside it; other modules are entered;
between modules, functions and methods of tensors are recorded under PyTorch's names. The module is not changed.
"""

from __future__ import annotations

import argparse
import base64
import builtins
import contextlib
import copy
import ctypes
import functools
import importlib
import importlib.util
import inspect
import itertools
import json
import os
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator
from unittest import mock

import sympy
import torch
from sympy.logic.boolalg import BooleanAtom
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode
from torch.utils._sympy.functions import FloorDiv, Max, Min
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

MOST_NUMBERS = 65536  # elements of a constant tensor that stand in the JSON as a list
MOST_CONDITIONS = 10  # on open sizes that are noted one by one
FACTORS = (2, 4, 8, 16, 32, 64)  # that a size may have to be a multiple of


class ExportError(Exception):
    """The module has something that the architecture JSON cannot say. One line a problem; each names the place."""


# --- Tables: what PyTorch's own definitions don't tell -----------------------------------------------------------------------

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
FACTORIES = {"arange", "linspace", "eye", "ones", "full"}

# Types that are one number in a shape of their own.
FILLED = {"zeros", "ones", "full"}

# Functions that make tensors of zeros.
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


def _module_forms() -> dict[str, ModuleForm]:
    same_arguments = """relu ReLU, relu6 ReLU6, sigmoid Sigmoid, tanh Tanh, softmax Softmax, log_softmax LogSoftmax, softmin Softmin,
        gelu GELU, leaky_relu LeakyReLU, elu ELU, selu SELU, celu CELU, silu SiLU, mish Mish, softplus Softplus, softsign Softsign,
        hardtanh Hardtanh, hardswish Hardswish, hardsigmoid Hardsigmoid, log_sigmoid LogSigmoid, tanhshrink Tanhshrink,
        hardshrink Hardshrink, softshrink Softshrink, threshold Threshold, glu GLU, rrelu RReLU, dropout Dropout,
        dropout1d Dropout1d, dropout2d Dropout2d, dropout3d Dropout3d, alpha_dropout AlphaDropout,
        feature_alpha_dropout FeatureAlphaDropout, flatten Flatten, pixel_shuffle PixelShuffle, pixel_unshuffle PixelUnshuffle,
        channel_shuffle ChannelShuffle, local_response_norm LocalResponseNorm, fold Fold"""
    forms = {name: ModuleForm(type) for name, type in (pair.split() for pair in same_arguments.split(","))}
    forms |= {"cosine_similarity": ModuleForm("CosineSimilarity"), "pairwise_distance": ModuleForm("PairwiseDistance")}
    forms["softshrink"] = ModuleForm("Softshrink", {"lambda": "lambd"})
    forms["interpolate"] = ModuleForm("Upsample", own=frozenset({"antialias"}))
    forms["unflatten"] = ModuleForm("Unflatten", {"sizes": "unflattened_size"})
    forms["layer_norm"] = ModuleForm("LayerNorm", fixed={"elementwise_affine": False})
    forms["rms_norm"] = ModuleForm("RMSNorm", fixed={"elementwise_affine": False})
    for n in "123":
        forms |= {f"{kind}_pool{n}d": ModuleForm(f"{type}Pool{n}d") for kind, type in
                  (("max", "Max"), ("avg", "Avg"), ("lp", "LP"), ("adaptive_avg", "AdaptiveAvg"), ("adaptive_max", "AdaptiveMax"))}  # fmt: skip
        for kind in ("max", "adaptive_max"):
            forms[f"{kind}_pool{n}d_with_indices"] = ModuleForm(forms[f"{kind}_pool{n}d"].type, fixed={"return_indices": True})
        forms[f"max_unpool{n}d"] = ModuleForm(f"MaxUnpool{n}d", own=frozenset({"output_size"}))
    return forms


MODULE_FORMS = _module_forms()

# Functions that do what a module does with its parameters as inputs, and what these are called, in the function's order. They
# are written under their own names.
OPERANDS = {name: ("weight", "bias") for name in "linear bilinear layer_norm group_norm".split()}
OPERANDS |= {f"{kind}{n}d": ("weight", "bias") for kind in ("conv", "conv_transpose") for n in "123"}
OPERANDS |= {name: ("weight",) for name in ("rms_norm", "embedding", "prelu")}
OPERANDS |= {name: ("running_mean", "running_var", "weight", "bias") for name in ("batch_norm", "instance_norm")}
# Of these, what says whether the input's own statistics are used.
OWN_STATISTICS = {"batch_norm": "training", "instance_norm": "use_input_stats"}

# How open sizes are named, by the number of axes.
AXIS_NAMES = {2: ("length", "length"), 3: ("length", "length", "length"), 4: ("size", "channels", "height", "width"),
              5: ("size", "channels", "depth", "height", "width")}  # fmt: skip


def _vector_norm(attributes: dict[str, Any], x: Tensor, y: Tensor) -> tuple[str, dict[str, Any]]:
    p = attributes.pop("p", attributes.pop("ord", None))
    if p not in (None, "fro"):
        if isinstance(p, str):
            raise ValueError(f"its norm {p} is one of matrices")
        attributes["p"] = p
    return "norm", attributes


def _linalg_norm(attributes: dict[str, Any], x: Tensor, y: Tensor) -> tuple[str, dict[str, Any]]:
    dim = attributes.get("dim")
    if "ord" in attributes and not isinstance(dim, int) and not (dim is None and x.dim() == 1):
        raise ValueError("it is a norm of matrices")
    return _vector_norm(attributes, x, y)


def _moment(kind: str) -> Callable:
    def rewrite(attributes: dict[str, Any], x: Tensor, y: Tensor) -> tuple[str, dict[str, Any]]:
        if "unbiased" in attributes:
            attributes["correction"] = int(attributes.pop("unbiased"))
        return kind, attributes

    return rewrite


def _arange(attributes: dict[str, Any], x: None, y: Tensor) -> tuple[str, dict[str, Any]]:
    """PyTorch takes floats for the numbers, too, and its result tells the dtype."""
    result = {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in attributes.items()}
    for name in ("start", "end", "step"):
        if isinstance(result.get(name, 0), float) or name == "step" and isinstance(result.get(name), str):
            raise ValueError(f"its {name} {result[name]} is no integer" + (" that is known" if name == "step" else ""))
    return "arange", result | ({} if y.dtype == torch.int64 else {"dtype": y.dtype})


def _filled(name: str) -> Callable:
    """What is one number everywhere; the dtype follows from a setting, from a tensor or from the number, and its result tells it."""

    def rewrite(attributes: dict[str, Any], x: Tensor | None, y: Tensor) -> tuple[str, dict[str, Any]]:
        result = {key: int(value) if isinstance(value, bool) else value for key, value in attributes.items() if key != "dtype"}
        if isinstance(result.get("fill_value"), (torch.SymInt, torch.SymFloat)):
            raise ValueError(f"its fill_value {result['fill_value']} is no number that is known")
        return name, result | ({} if y.dtype == torch.float32 else {"dtype": y.dtype})

    return rewrite


# Functions that are others in other words: from the attributes, the first tensor and the result, the type and its attributes.
REWRITES: dict[str, Callable[[dict[str, Any], Tensor | None, Any], tuple[str, dict[str, Any]]]] = {
    "arange": _arange,
    **{prefix + name: _filled(name) for prefix in ("", "new_") for name in FILLED},
    "clamp_min": lambda a, x, y: ("clamp", a),
    "clamp_max": lambda a, x, y: ("clamp", a),
    "norm": _vector_norm,
    "linalg_vector_norm": _vector_norm,
    "linalg_norm": _linalg_norm,
    "std": _moment("std"),
    "var": _moment("var"),
    "msort": lambda a, x, y: ("sort", {"dim": 0}),
    "hstack": lambda a, x, y: ("cat", {"dim": min(x.dim() - 1, 1)}),
    "vstack": lambda a, x, y: ("cat", {"dim": 0} if x.dim() > 1 else {}),
    "fliplr": lambda a, x, y: ("flip", {"dims": [1]}),
    "flipud": lambda a, x, y: ("flip", {"dims": [0]}),
    "t": lambda a, x, y: ("transpose", {"dim0": 0, "dim1": 1}),
    "ravel": lambda a, x, y: ("Flatten", {"start_dim": 0}),
    "view_as": lambda a, x, y: ("reshape", {"shape": list(y.shape)}),
    "reshape_as": lambda a, x, y: ("reshape", {"shape": list(y.shape)}),
}

def _in_bounds(func: Callable, x: Tensor, min: Any = None, max: Any = None) -> Any:
    """clamp by tensors."""
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        return NotImplemented
    x = x if min is None else torch.maximum(x, min)
    return x if max is None else torch.minimum(x, max)


def _cast_first(func: Callable, *args: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
    """A function of elements of another type."""
    dtype = next((value for value in args if isinstance(value, torch.dtype)), dtype)
    if dtype is None or not args:
        return NotImplemented
    others = [value for value in args[1:] if not isinstance(value, torch.dtype)]
    return func(args[0].to(dtype), *others, **kwargs)


def _diff(func: Callable, x: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Any:
    if prepend is None and append is None:
        return NotImplemented
    return torch.diff(torch.cat([part for part in (prepend, x, append) if part is not None], dim), n, dim)


def _weight_normed(func: Callable, v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """g v / |v|, the norm along all axes but `dim`, or along all of them."""
    others = [axis for axis in range(v.dim()) if axis != dim] if dim != -1 else None
    return v * g / torch.norm(v, 2, dim=others, keepdim=True)


# What computes a module's weights before each of its calls (torch.nn.utils.weight_norm; parametrizations are no hooks).
WEIGHT_HOOKS = (WeightNorm, SpectralNorm)

# Functions that call others instead, which are recorded; or give NotImplemented, and are recorded themselves.
IN_OTHER_WORDS: dict[str, Callable[..., Any]] = {
    "clamp": _in_bounds,
    "clip": _in_bounds,
    "clamp_min": _in_bounds,
    "clamp_max": lambda func, x, max: _in_bounds(func, x, None, max),
    "diff": _diff,
    "_weight_norm": _weight_normed,
    "aminmax": lambda func, x, dim=None, keepdim=False: (torch.amin(x, () if dim is None else dim, keepdim), torch.amax(x, () if dim is None else dim, keepdim)),
} | dict.fromkeys("sum mean prod cumsum cumprod nansum nanmean softmax log_softmax softmin".split(), _cast_first)  # fmt: skip

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


# --- Sizes --------------------------------------------------------------------------------------------------------------


class _Environment(ShapeEnv):
    """PyTorch's account of symbolic sizes, which tells what is asked of them, also where it knows the answer."""

    told: Callable[[sympy.Basic, sympy.Basic], None] | None = None

    def evaluate_expr(self, orig_expr: sympy.Basic, *args: Any, **kwargs: Any) -> sympy.Basic:
        answer = super().evaluate_expr(orig_expr, *args, **kwargs)
        if self.told:
            self.told(orig_expr, answer)
        return answer


class OpenText(str):
    """An open size as the form has it, and no word."""


class Sizes:
    """The open sizes of one trace, what Python asks of them, and how an expression on them is written."""

    def __init__(self, hints: dict[str, int]):
        self.environment = _Environment(duck_shape=False)
        # What Python asks stands apart from what PyTorch's kernels ask, and there a size is any number from 1 on: PyTorch's
        # own account takes sizes to be 2 at least.
        self._asked = ShapeEnv(duck_shape=False, specialize_zero_one=False)
        self.symbols: dict[str, sympy.Symbol] = {}
        self.ints: dict[str, torch.SymInt] = {}
        for name, hint in hints.items():
            source = ConstantSource(name)
            self.symbols[name] = self.environment.create_symbol(hint, source=source, dynamic_dim=DimDynamic.DYNAMIC)
            self.ints[name] = self.environment.create_symintnode(self.symbols[name], hint=hint, source=source)
            same = self._asked.create_symbol(hint, source=source, dynamic_dim=DimDynamic.DYNAMIC)
            assert same == self.symbols[name]
            self._asked.var_to_range[same] = ValueRanges(1, int_oo)
        self._names = {symbol: name for name, symbol in self.symbols.items()}
        self._hints = hints
        self._ignored: Callable[[sympy.Basic], bool] = lambda answer: False
        self.on_condition: Callable[[Condition], None] = lambda condition: None
        self.environment.told = self._told

    def _told(self, expression: sympy.Basic, answer: sympy.Basic) -> None:
        if not self._ignored(answer) and expression.free_symbols and expression.free_symbols <= self._names.keys():
            self._note(expression, answer)

    def _note(self, expression: sympy.Basic, answer: sympy.Basic, size: str = "") -> None:
        known = len(self._asked.guards)
        self._asked.evaluate_expr(expression)
        if len(self._asked.guards) > known:  # it follows from nothing before
            self.on_condition(Condition(self, expression, answer, size))

    def ask(self, expression: sympy.Basic, size: str = "") -> sympy.Basic:
        """The answer that the trace goes on with, a truth value or a number. It is a condition, as Python's own are."""
        answer = self.at(expression, self._hints)
        if expression.free_symbols:
            self._note(expression, answer, size)
        return answer

    def asks_whether(self, a: int | torch.SymInt, relation: str, b: int | torch.SymInt) -> bool:
        compared = {text: kind for kind, text in RELATIONS.items()}[relation]
        return self.ask(compared(_expression(a), sympy.expand(_expression(b)))) == sympy.true

    def of_symbol(self, symbol: sympy.Symbol) -> torch.SymInt:
        return self.ints[self._names[symbol]]

    def expression(self, size: torch.SymInt) -> sympy.Expr:
        """The size as an expression on the symbols, or a number."""
        return sympy.expand(size.node.expr)

    def hint(self, size: torch.SymInt) -> sympy.Basic:
        """What the size is in this trace, without asking."""
        return self.at(sympy.expand(size.node.expr), self._hints)

    def number(self, size: int | torch.SymInt) -> int:
        return int(self.ask(sympy.expand(_expression(size))))

    # Where PyTorch's own trace would decide by the example which of two sizes is the smaller one, these leave it open.

    def smaller(self, a: int | torch.SymInt, b: int | torch.SymInt) -> int | torch.SymInt:
        return a if self.is_known(a, b) else b if self.is_known(b, a) else torch.sym_min(a, b)

    def larger(self, a: int | torch.SymInt, b: int | torch.SymInt) -> int | torch.SymInt:
        return b if self.is_known(a, b) else a if self.is_known(b, a) else torch.sym_max(a, b)

    def is_known(self, a: int | torch.SymInt, b: int | torch.SymInt) -> bool:
        """That a <= b, whatever the sizes."""
        difference = sympy.expand(_expression(a) - _expression(b))
        ranges = {symbol: ValueRanges(1, int_oo) for symbol in difference.free_symbols}
        while quotients := [q for q in difference.atoms(FloorDiv) if q.args[1].is_Integer and q.args[1] > 0 and not q.args[0].has(FloorDiv)]:
            dividend, divisor = quotients[0].args  # a//d is (a - r)/d with a rest r
            rest = sympy.Dummy("rest", integer=True)
            ranges[rest] = ValueRanges(0, divisor - 1)
            difference = sympy.expand(difference.xreplace({quotients[0]: (dividend - rest) / divisor}))
        return bool(bound_sympy(sympy.expand(difference * sympy.denom(sympy.together(difference))), ranges).upper <= 0)

    def part(self, extent: int | torch.SymInt, start: int | torch.SymInt | None, end: int | torch.SymInt | None, step: int = 1) -> int | torch.SymInt:
        """How many elements x[start:end:step] has of `extent`, which may be fewer than start or end."""

        def place(wanted: int | torch.SymInt) -> int | torch.SymInt:
            negative = self.at(_expression(wanted), self._hints) < 0  # where a symbol changes this, smaller and larger ask
            return self.larger(extent + self.smaller(wanted, 0), 0) if negative else self.larger(self.smaller(wanted, extent), 0)

        if end is None:
            begin = 0 if start is None else start
            from_end = self.at(_expression(begin), self._hints) < 0
            length = self.smaller(-self.smaller(begin, 0), extent) if from_end else self.larger(extent - self.larger(begin, 0), 0)
        elif start is None:
            length = place(end)
        else:
            ordered = all(isinstance(v, int) for v in (start, end)) and start <= end and (start < 0) == (end < 0)
            length = place(end) - place(start) if ordered else self.larger(place(end) - place(start), 0)
        return length if step == 1 else (length + step - 1) // step

    def fixed_by_trace(self) -> set[str]:
        """Symbols that Python code turned into a number, or set equal to each other."""
        return {name for name, symbol in self.symbols.items() if self.environment.replace(symbol) != symbol}

    def decided_by(self, sizes: dict[str, int]) -> set[str]:
        """Symbols in a condition (an `if` on a size, an assert) that would come out otherwise at `sizes`."""
        guards = [guard.expr for guard in self._asked.guards]
        false = [guard for guard in guards if self.at(guard, sizes) == sympy.false]
        return {self._names[symbol] for guard in false for symbol in guard.free_symbols if symbol in self._names}

    def at(self, expression: sympy.Basic, sizes: dict[str, int]) -> sympy.Basic:
        return expression.xreplace({self.symbols[name]: sympy.Integer(size) for name, size in sizes.items()})

    @contextlib.contextmanager
    def ignoring_conditions(self, but_numbers: bool = False) -> Iterator[None]:
        """What PyTorch asks of sizes inside its own functions is no property of the graph. `but_numbers`: a size that one
        takes as a number is."""
        before = self._ignored
        self._ignored = lambda answer: before(answer) or not but_numbers or isinstance(answer, BooleanAtom)
        try:
            yield
        finally:
            self._ignored = before

    def written(self, size: int | torch.SymInt | torch.SymFloat) -> int | float | str:
        """A number, or arithmetic such as "2*length + 1". Raises ValueError where + - * // don't suffice."""
        if not isinstance(size, (torch.SymInt, torch.SymFloat, torch.SymBool)):
            return size
        expression = _rounded_up(self.environment.simplify(self._without_choices(size.node.expr)))
        if expression.is_Integer and isinstance(size, torch.SymInt):
            return int(expression)
        if expression.is_number:
            return float(expression)
        return OpenText(self._print(expression, 0))

    def _without_choices(self, e: sympy.Expr) -> sympy.Expr:
        """Of the smallest or largest of sizes, the one that it is; which it is, is asked."""
        size = self.printed(e)
        while choices := [choice for choice in e.atoms(Min, Max) if not any(arg.has(Min, Max) for arg in choice.args)]:
            choice = min(choices, key=str)
            # Numbers come last, so that the question is one on open sizes.
            chosen, *others = sorted(choice.args, key=lambda arg: (arg.is_number, str(arg)))
            for other in others:
                constant, open_part = sympy.expand(chosen - other).as_coeff_Add()
                relation = sympy.Gt if choice.func is Min else sympy.Lt
                chosen = other if self.ask(relation(open_part, -constant), size) == sympy.true else chosen
            e = sympy.expand(e.xreplace({choice: chosen}))
        return e

    def _print(self, e: sympy.Expr, strength: int) -> str:
        kind = type(e).__name__
        if e.is_Integer:
            text, own = str(e), 2 if e < 0 else 3
        elif e.is_Symbol and e in self._names:
            text, own = self._names[e], 3
        elif e.is_Add:
            terms = sorted(e.args, key=lambda term: (term.is_number, self._print(term, 0)))
            text, own = " + ".join(self._print(term, 1) for term in terms).replace(" + -", " - "), 1
        elif e.is_Mul:
            text, own = "*".join(self._print(factor, 2) for factor in e.args), 2
            text = re.sub(r"^-1\*", "-", text)
        elif e.is_Pow and e.exp.is_Integer and e.exp > 0:
            text, own = "*".join([self._print(e.base, 2)] * int(e.exp)), 2
        elif kind in ("FloorDiv", "CleanDiv"):
            text, own = f"{self._print(e.args[0], 3)}//{self._print(e.args[1], 3)}", 1.5
        elif kind in ("CeilToInt", "FloorToInt") and type(e.args[0]).__name__ == "IntTrueDiv" and e.args[0].args[1].is_Integer and e.args[0].args[1] > 0:
            a, b = e.args[0].args  # math.ceil(length / 2)
            return self._print(FloorDiv(a + b - 1 if kind == "CeilToInt" else a, b), strength)
        elif kind in ("Mod", "PythonMod"):
            a, b = e.args
            text, own = f"{self._print(a, 1)} - {self._print(b, 2)}*({self._print(a, 3)}//{self._print(b, 3)})", 1
        elif kind in ("Min", "Max"):  # for people alone
            args = sorted((self._print(arg, 0) for arg in e.args), key=lambda arg: (arg.lstrip("-").isdigit(), arg))
            text, own = f"{kind.lower()}({', '.join(args)})", 3
        else:
            raise ValueError(f"it depends on an open size in a way other than + - * //: {self._renamed(e)}; int() of the size fixes it")
        return text if own >= strength else f"({text})"

    def printed(self, e: sympy.Basic) -> str:
        """A condition or a number for people, also where no architecture can say it."""
        try:
            if relation := RELATIONS.get(type(e)):
                left, right = e.args
                if left.is_number:
                    left, right, relation = right, left, MIRRORED.get(relation, relation)
                return f"{self._print(left, 0)} {relation} {self._print(right, 0)}"
            return self._print(e, 0)
        except ValueError:
            return str(self._renamed(e))

    def _renamed(self, e: sympy.Expr) -> sympy.Expr:
        return e.xreplace({symbol: sympy.Symbol(name) for symbol, name in self._names.items()})


def _rounded_up(e: sympy.Expr) -> sympy.Expr:
    """-(-a // b), which is how Python rounds up, as (a + b - 1) // b."""
    downwards = lambda q: type(q).__name__ == "FloorDiv" and q.args[1].is_Integer and q.args[1] > 0 and q.args[0].could_extract_minus_sign()  # noqa: E731
    return sympy.expand(e.replace(downwards, lambda q: -FloorDiv(q.args[1] - 1 - q.args[0], q.args[1])))


def _expression(size: int | torch.SymInt) -> sympy.Expr:
    return size.node.expr if isinstance(size, torch.SymInt) else sympy.Integer(size)


RELATIONS = {sympy.Gt: ">", sympy.Ge: ">=", sympy.Lt: "<", sympy.Le: "<=", sympy.Eq: "==", sympy.Ne: "!="}
MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


@dataclass(frozen=True)
class Condition:
    """What Python asked of open sizes (in an `if`, an assert, a min), and what it was told: no other sizes get another answer."""

    sizes: Sizes
    expression: sympy.Basic
    answer: sympy.Basic
    size: str = ""  # that hangs on it, where no Python asked
    where: str = ""

    @property
    def question(self) -> str:
        asked = self.sizes.printed(self.expression)
        what = f"asks whether {asked}" if isinstance(self.answer, BooleanAtom) else f"takes {asked} for a number"
        return f"{self.where}: " + (f"the size {self.size} " if self.size else "") + what

    def is_on(self, name: str) -> bool:
        return self.sizes.symbols[name] in self.expression.free_symbols

    def written(self, example: dict[str, int]) -> str:
        """`example`: the example's own sizes, which the trace need not have been run at."""
        as_example = self.sizes.at(self.expression, example) == self.answer
        like = "for the example" if as_example else "for sizes other than the example's"
        answer = {sympy.true: "yes", sympy.false: "no"}.get(self.answer, self.answer)
        return f"{self.question}, and goes on as {like}: {answer}"


# --- Naming a call, and binding its arguments to their names ------------------------------------------------------------------


def function_name(name: str) -> str:
    """The one name that a function's, a method's or an operator's entries carry: add for add_, __add__ and __iadd__."""
    if name.startswith("__"):
        name = name.strip("_")
        if name.startswith("i") and name not in ("invert",):
            name = name[1:]
        return OPERATORS.get(name, name)
    name = name.rstrip("_")
    return SYNONYMS.get(name, name)


@dataclass
class Argument:
    name: str
    value: Any
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def bind_signature(signature: inspect.Signature, args: tuple, kwargs: dict) -> list[Argument]:
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return [Argument(name, value, signature.parameters[name].default) for name, value in bound.arguments.items()]


_KINDS: list[tuple[str, Callable[[Any], bool]]] = [
    ("Tensor", lambda v: isinstance(v, Tensor)),
    ("bool", lambda v: isinstance(v, (bool, torch.SymBool))),
    ("int", lambda v: isinstance(v, (int, torch.SymInt, torch.dtype, torch.layout, torch.memory_format)) and not isinstance(v, bool)),
    ("float", lambda v: isinstance(v, (int, float, torch.SymFloat, torch.SymInt)) and not isinstance(v, bool)),
    ("number", lambda v: isinstance(v, (int, float, complex, torch.SymInt, torch.SymFloat))),
    ("str", lambda v: isinstance(v, str)),
    ("Device", lambda v: isinstance(v, (str, int, torch.device))),
]


def _fits(value: Any, kind: str) -> bool:
    if match := re.fullmatch(r"Optional\[(.*)\]", kind):
        return value is None or _fits(value, match[1])
    if match := re.fullmatch(r"List\[(.*)\]", kind):
        return isinstance(value, (list, tuple)) and all(_fits(item, match[1]) for item in value)
    return next((test(value) for name, test in _KINDS if name == kind), False)


def bind_schema(schema: Any, args: tuple, kwargs: dict) -> list[Argument] | None:
    """The arguments by the names of an ATen operator's overload; None where the call is not one of it."""
    parameters = [p for p in schema.arguments if not p.is_out]
    if len(parameters) != len(schema.arguments):
        return None
    positional = [p for p in parameters if not p.kwarg_only]
    # x.view(2, 3) and x.view((2, 3)), einsum("ab,bc", x, y): the last list may come as separate arguments.
    for i, p in enumerate(positional):
        spread = args[i:]
        if str(p.type).startswith("List[") and p is positional[-1] and spread and not isinstance(spread[0], (list, tuple)):
            args = args if p.N is not None and len(spread) == 1 else (*args[:i], list(spread))
    names = {p.name for p in parameters}
    given = dict(zip((p.name for p in positional), args))
    if len(args) > len(positional):
        return None
    for name, value in kwargs.items():
        name = name if name in names else ARGUMENT_SYNONYMS.get(name, name)
        name = "dims" if name == "dim" and name not in names else name
        if name in given or name not in names:
            if value is None:
                continue
            return None
        given[name] = value
    bound = []
    for p in parameters:
        default = p.default_value if p.has_default_value() else inspect.Parameter.empty
        value = given.get(p.name, default)
        if value is inspect.Parameter.empty:
            return None
        if value is None and p.has_default_value():
            value = default
        takes_number = p.N is not None and _fits(value, "int")  # int[1] is a list or a number
        if p.name in given and not takes_number and not _fits(value, str(p.type)):
            return None
        bound.append(Argument(p.name, value, default))
    return bound


@functools.cache
def _schemas(name: str) -> list[Any]:
    try:
        return torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    except RuntimeError:
        return []


def _python_signature(function: Callable) -> inspect.Signature | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        # F.max_pool2d and its like choose between two functions by `return_indices`.
        choice = inspect.getclosurevars(function).nonlocals.get("if_true") if inspect.isfunction(function) else None
        return inspect.signature(choice) if choice else None
    return signature


def bind(function: Callable, name: str, args: tuple, kwargs: dict) -> list[Argument]:
    """The arguments of a call by name. Raises ValueError."""
    if signature := _python_signature(function):
        with contextlib.suppress(TypeError):
            return bind_signature(signature, args, kwargs)
    for schema in _schemas(name):
        if (bound := bind_schema(schema, args, kwargs)) is not None:
            return bound
    raise ValueError("it is not known how to write its arguments")


# --- Modules --------------------------------------------------------------------------------------------------------------


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
    if windows and isinstance(value, (list, tuple)) and value and all(_is_same(item, value[0]) for item in value):
        return value[0]
    return value


def _is_same(a: Any, b: Any) -> bool:
    """Whether two are equal; open sizes, whatever they come to."""
    if isinstance(a, torch.SymInt) or isinstance(b, torch.SymInt):
        return sympy.expand(_expression(a) - _expression(b)) == 0
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


def _max_pool1d(x: Tensor, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False) -> Any:
    """By way of the 2-d pooling: PyTorch's trace of the 1-d one fixes the length."""
    number = lambda v: v[0] if isinstance(v, (list, tuple)) else v  # noqa: E731
    stride = kernel_size if stride is None or stride == [] else stride
    y = nn.functional.max_pool2d(x.unsqueeze(-2), (1, number(kernel_size)), (1, number(stride)), (0, number(padding)),
                                 (1, number(dilation)), ceil_mode, return_indices)  # fmt: skip
    return tuple(v.squeeze(-2) for v in y) if return_indices else y.squeeze(-2)


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


def _output_padding(module: nn.Module, input: Tensor, output_size: Any = None) -> dict[str, Any]:
    """What a call of a transposed convolution adds, so that its output has the size that it wants."""
    if output_size is None:
        return {}
    axes = len(module.kernel_size)
    window = zip(input.shape[-axes:], output_size[-axes:], module.stride, module.padding, module.dilation, module.kernel_size)
    return {"output_padding": [size - ((own - 1) * s - 2 * p + d * (k - 1) + 1) for own, size, s, p, d, k in window]}


def run_leaf(module: nn.Module, args: tuple, kwargs: dict) -> Any:
    if isinstance(module, nn.RNNBase):
        x = args[0] if args else kwargs["input"]
        if not isinstance(x, Tensor):
            raise ValueError("its input is a packed sequence")
        return _recurrent_outputs(module, x)
    if isinstance(module, nn.MaxPool1d):
        return _max_pool1d(*args, *kwargs.values(), module.kernel_size, module.stride, module.padding, module.dilation,
                           module.ceil_mode, module.return_indices)  # fmt: skip
    return module.forward(*args, **kwargs)


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


@contextlib.contextmanager
def left_as_it_was(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards the attributes, buffers and modes are those from before."""
    modules = list(module.modules())
    attributes = [dict(vars(m)) for m in modules]
    tables = [{name: dict(table) for name, table in vars(m).items() if name in ("_parameters", "_buffers", "_modules")} for m in modules]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers() if not buffer.is_meta]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    random = torch.get_rng_state()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        module.eval()
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        torch.set_rng_state(random)
        for m, before, table in zip(modules, attributes, tables):
            vars(m).clear()
            vars(m).update(before)
            for name, entries in table.items():
                vars(m)[name].clear()
                vars(m)[name].update(entries)
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


# --- Which axes are open ------------------------------------------------------------------------------------------------------

Axis = tuple[str, int]  # an input's name, an axis of it


@dataclass
class Symbol:
    name: str
    axes: tuple[Axis, ...]
    factor: int = 1  # the axes are this many times the symbol
    hint: int = 0    # the symbol's value to trace with
    check: int = 0   # another one, at which Python's conditions must come out alike

    def sizes(self, value: int) -> dict[Axis, int]:
        return dict.fromkeys(self.axes, self.factor * value)


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


class Probe:
    """Runs the real module on inputs of other sizes, made by repeating the examples' values."""

    def __init__(self, call: "Call"):
        self.call = call
        self._leading: dict[tuple, list[int] | None] = {}
        self.notes: list[str] = []  # on sizes that are fixed although the module takes others

    def run(self, sizes: dict[Axis, int]) -> list[torch.Size]:
        inputs = dict(self.call.tensors)
        for (name, axis), size in sizes.items():
            x = inputs[name]
            inputs[name] = x.index_select(axis, torch.arange(size, device=x.device) % x.shape[axis])
        return [y.shape for y in tensors_in(self.call({name: x.clone() for name, x in inputs.items()}))]

    def leading(self, sizes: dict[Axis, int]) -> list[int] | None:
        """The outputs' first sizes; None where the module refuses the input."""
        key = tuple(sorted(sizes.items()))
        if key not in self._leading:
            try:
                self._leading[key] = [shape[0] if shape else 0 for shape in self.run(sizes)]
            except Exception:  # whatever a stranger's forward raises means no
                self._leading[key] = None
        return self._leading[key]


def _axes(axes: tuple[Axis, ...]) -> str:
    return " and ".join(f"axis {axis} of {name}" for name, axis in axes)


def _other_sizes(size: int) -> tuple[int, int]:
    """So much more that no pooling hides it, and a little more."""
    return size + size // 2 + 1, size + 3


def _follow(found: list[int] | None, expected: list[int], changed: dict[int, int]) -> bool:
    """Whether the outputs' first sizes are the expected ones, or those that became others: a batch need not stand first."""
    return found is not None and all(f in (e, changed.get(e)) for f, e in zip(found, expected))


def find_symbols(probe: Probe, tensors: dict[str, Tensor]) -> list[Symbol]:
    """The open axes: those whose size the module lets change while its outputs keep their batch size. Some may only be
    multiples, as where a U-Net halves and doubles them."""
    size_of = {(name, axis): size for name, x in tensors.items() for axis, size in enumerate(x.shape)}
    probe.run({})  # the example must work
    groups: list[tuple[Axis, ...]] = []
    base: dict[Axis, int] = {}

    # The batch: the first axis of all inputs, or of as many as agree. From then on the batch is 2, to be quick.
    firsts = [axis for axis in size_of if axis[1] == 0]
    if firsts:
        alike = [axis for axis in firsts if size_of[axis] == size_of[firsts[0]]]
        subsets = [alike] + [list(c) for n in range(len(alike) - 1, 0, -1) for c in itertools.combinations(alike, n) if firsts[0] in c][:32]
        for subset in subsets:
            if all(probe.leading(dict.fromkeys(subset, size)) is not None for size in (2, 3)):
                groups.append(tuple(subset))
                base = dict.fromkeys(subset, 2)
                break
    expected = probe.leading(base)

    def takes(group: tuple[Axis, ...], size: int) -> bool:
        return _follow(probe.leading(base | dict.fromkeys(group, size)), expected, {size_of[group[0]]: size})

    def is_open(group: tuple[Axis, ...]) -> bool:
        return takes(group, _other_sizes(size_of[group[0]])[0])

    # Then every other axis by itself, and those that refuse together with others of their size.
    closed = []
    for axis in size_of:
        if axis not in base and size_of[axis] > 0:
            if is_open((axis,)):
                groups.append((axis,))
            else:
                closed.append(axis)
    for key in (lambda axis: size_of[axis], lambda axis: (size_of[axis], axis[1])):
        for _, members in itertools.groupby(sorted(closed, key=key), key=key):
            group = tuple(axis for axis in members if axis in closed)
            if len(group) > 1 and is_open(group):
                groups.append(group)
                closed = [axis for axis in closed if axis not in group]
    for pair in itertools.combinations(closed, 2):
        if size_of[pair[0]] == size_of[pair[1]] and all(axis in closed for axis in pair) and is_open(pair):
            groups.append(pair)
            closed = [axis for axis in closed if axis not in pair]
    factors = dict.fromkeys(groups, 1)
    for axis in closed:
        size = size_of[axis]
        if axis[1] < 2:
            continue  # features, which are what they are
        if factor := next((f for f in FACTORS if size % f == 0 and takes((axis,), size + f)), 0):
            groups.append((axis,))
            factors[(axis,)] = factor

    # What stays closed although smaller sizes are taken has a limit, as of a table of positions.
    for group in _closed_groups(closed, set(groups), size_of):
        size = size_of[group[0]]
        if all(index == 1 and probe.call.tensors[name].ndim > 3 for name, index in group):
            continue  # channels of pictures: that one is stretched to three is no size that anybody meant to leave open
        if size > 1 and takes(group, size // 2):
            probe.notes.append(f"in forward: the size {size} of {_axes(group)} is fixed: it may be {size // 2}, but not "
                               f"{_other_sizes(size)[0]}; an example of a smaller size may leave it open")  # fmt: skip

    # All together, at two sizes each that tell them apart.
    symbols: list[Symbol] = []
    for group in groups:
        is_batch = bool(base) and group[0] in base
        factor = factors[group]
        symbol = Symbol(_symbol_name(group[0], tensors, is_batch, {s.name for s in symbols}, factor), group, factor)
        symbol.hint, symbol.check = (3, 2) if is_batch else _other_sizes(size_of[group[0]] // factor)
        while symbol.hint in {s.hint for s in symbols}:
            symbol.hint += 1
        while symbol.check in {s.check for s in symbols} | {symbol.hint}:
            symbol.check += 1
        symbols.append(symbol)

    def together(chosen: list[Symbol]) -> bool:
        for attribute in ("hint", "check"):
            sizes = {axis: size for symbol in chosen for axis, size in symbol.sizes(getattr(symbol, attribute)).items()}
            alone = probe.leading({axis: size for axis, size in sizes.items() if axis in base})
            changed = {size_of[axis]: size for axis, size in sizes.items() if axis not in base}
            if alone is None or not _follow(probe.leading(sizes), alone, changed):
                return False
        return True

    if together(symbols):
        return symbols
    chosen: list[Symbol] = []
    for symbol in symbols:
        size = size_of[symbol.axes[0]]
        if together(chosen + [symbol]):
            chosen.append(symbol)
        elif (joined := _joined(symbol, [s for s in chosen if s.axes[0] not in base and size_of[s.axes[0]] == size], chosen, together)) is not None:
            chosen = joined
        elif symbol.factor == 1 and size > 1:  # pooling hides how much more a multiple is; what is 1 is stretched to the others
            probe.notes.append(f"in forward: the size {size} of {_axes(symbol.axes)} is fixed: it may be "
                               "another by itself, but not together with the other open sizes")  # fmt: skip
    return chosen


def _joined(symbol: Symbol, alike: list[Symbol], chosen: list[Symbol], together: Callable[[list[Symbol]], bool]) -> list[Symbol] | None:
    """The chosen symbols with `symbol` being the same as one of those that are alike, where it can be; each was open by itself, as
    a size of 1 is that is stretched to any other."""
    for other in alike:
        if other.factor == symbol.factor:
            both = replace(other, axes=other.axes + symbol.axes)
            if together(changed := [both if s is other else s for s in chosen]):
                return changed
    return None


def _closed_groups(closed: list[Axis], opened: set[tuple[Axis, ...]], size_of: dict[Axis, int]) -> Iterator[tuple[Axis, ...]]:
    """The axes by themselves, and those of one size."""
    axes = [axis for axis in closed if (axis,) not in opened]
    yield from ((axis,) for axis in axes)
    for _, members in itertools.groupby(sorted(axes, key=lambda axis: size_of[axis]), key=lambda axis: size_of[axis]):
        if len(group := tuple(members)) > 1:
            yield group


def _symbol_name(axis: Axis, tensors: dict[str, Tensor], is_batch: bool, taken: set[str], factor: int) -> str:
    name, number = axis
    names = AXIS_NAMES.get(tensors[name].dim(), ())
    wanted = "batch" if is_batch else names[number] if number < len(names) else "length"
    if factor > 1:
        wanted += f"_by_{factor}"
    if wanted in taken and len(tensors) > 1:
        wanted = f"{name}_{wanted}"
    return unique(wanted, taken)


def unique(wanted: str, taken: set[str]) -> str:
    return next(name for name in itertools.chain([wanted], (f"{wanted}_{i}" for i in itertools.count(1))) if name not in taken)


def _constant_index(part: Any) -> Any:
    """An index, where it is lists of lists or an array of NumPy's as the tensor that it means."""
    numpy = sys.modules.get("numpy")
    is_nested = isinstance(part, list) and any(isinstance(item, (list, tuple)) for item in part)
    if not is_nested and (numpy is None or not isinstance(part, numpy.ndarray)):
        return part
    with unset_fake_temporarily():
        return torch.tensor(part)


def _are_numbers(index: Any) -> bool:
    """Whether it is a tensor of whole numbers, or a list of them."""
    if isinstance(index, list):
        return bool(index) and all(type(item) is int for item in index)
    return isinstance(index, Tensor) and index.dtype in (torch.int64, torch.int32)


def with_size(x: Tensor, axis: int, size: int | torch.SymInt) -> Tensor:
    """A part of a tensor without data, with the size that it has for all open ones, and not for the traced ones alone."""
    if not isinstance(size, torch.SymInt) or isinstance(x.shape[axis], torch.SymInt) and x.shape[axis].node.expr == size.node.expr:
        return x
    return x.as_strided([size if i == axis % x.dim() else other for i, other in enumerate(x.shape)], x.stride())


def _with_sizes(value: Any, sizes: dict[int, int | torch.SymInt]) -> Any:
    """Tensors without data, of all of which axes have these sizes, and strides that know no numbers either."""
    if isinstance(value, (list, tuple)):
        return tuple(_with_sizes(item, sizes) for item in value)
    return value.new_empty([sizes.get(axis - value.dim(), size) for axis, size in enumerate(value.shape)])


# --- Recording ----------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Entry:
    """A call. `wanted` is the name it gets if that is free; a module's path is."""

    wanted: str
    type: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    call: "Entry | None" = None
    module: bool = False
    inputs: list["Value"] = field(default_factory=list)
    named_inputs: dict[str, "Value"] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Value:
    entry: Entry
    output: int = 0

    def written(self) -> str:
        return f"{self.entry.name}:{self.output}" if self.output else self.entry.name


def _truth_of_mask(mask: Any) -> Any:
    """A constant mask of attention whose numbers are 0 and -inf, as the truth values that PyTorch makes such numbers of."""
    if not isinstance(mask, Tensor) or isinstance(mask, (FakeTensor, nn.Parameter)) or not mask.is_floating_point():
        return mask
    with unset_fake_temporarily(), torch._C.DisableTorchFunction():
        left_out = mask == -torch.inf
        return left_out if bool((left_out | (mask == 0)).all()) else mask


def is_causal_mask(value: "Value | None") -> bool:
    """Whether a mask of PyTorch's attention is true, or -inf, above the diagonal, and false, or 0, elsewhere."""
    entry = value and value.entry
    if not entry:
        return False
    if entry.type == "new_tensor" and isinstance(data := entry.attributes["data"], list):
        rows, columns = (*entry.attributes["shape"], 0, 0)[:2]
        wanted = [int(column > row) for row in range(rows) for column in range(columns)]
        return entry.attributes.get("dtype") == "bool" and len(entry.attributes["shape"]) == 2 and data == wanted
    is_truth = False
    while entry.type == "to" and entry.attributes == {"dtype": "bool"}:
        entry, is_truth = entry.inputs[0].entry, True
    if entry.type != "triu" or entry.attributes.get("diagonal") != 1:
        return False
    made = entry.inputs[0].entry
    if made.type == "full" and not is_truth:
        return made.attributes.get("fill_value") == -torch.inf
    return made.type == "ones" and (is_truth or made.attributes.get("dtype") == "bool")


class Stop(Exception):
    """Tracing cannot go on; the problems are noted."""


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


class Recorder(TorchFunctionMode):
    """Notes what a forward calls: functions through PyTorch's mode, modules through `call_module`."""

    def __init__(self, model: nn.Module, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        self.paths = {id(m): path for path, m in model.named_modules()}
        self.held = {id(t): ("Buffer", name) for name, t in model.named_buffers()}
        self.held |= {id(t): ("Parameter", name) for name, t in model.named_parameters()}
        self._kept = set(model.state_dict())
        self._values: dict[int, Value | None] = {}  # by a tensor's id; None after a problem
        self.first: Value | None = None             # the first input
        self._alive: list[Tensor] = []              # so that no id is used again
        self._stale: set[int] = set()
        self._counts: dict[sympy.Expr, Tensor] = {}  # sizes as tensors
        self._defined: dict[int, tuple[Entry, dict]] = {}
        self._stack: list[nn.Module] = []
        self._inside_leaf = False
        self.notes: list[str] = []  # what no entry says
        self.conditions: list[Condition] = []
        sizes.on_condition = lambda condition: self.conditions.append(replace(condition, where=self.where()))

    # Values

    def track(self, tensor: Tensor, value: Value | None) -> None:
        self.first = self.first or value
        self._values[id(tensor)] = value
        self._stale.discard(id(tensor))
        self._alive.append(tensor)

    def value_of(self, tensor: Tensor) -> Value | None:
        """The value a tensor is; raises ValueError where none is known."""
        if id(tensor) in self._stale:
            raise ValueError("it takes a tensor whose memory was changed in place through another tensor")
        if id(tensor) in self._values:
            return self._values[id(tensor)]
        if id(tensor) in self.held:
            return self._own_tensor(tensor, *self.held[id(tensor)])
        if isinstance(tensor, nn.Parameter):
            raise ValueError("it takes a parameter that is not the model's")
        return self._constant(tensor)

    def _own_tensor(self, tensor: Tensor, kind: str, name: str) -> Value:
        """A parameter or buffer that a module uses itself is an entry of its own, which has the tensor's name."""
        if name not in self._kept:
            return self._constant(tensor)  # a buffer that is not persistent
        attributes = {"shape": list(tensor.shape)}
        if not tensor.is_floating_point():
            attributes |= {"dtype": self.json(tensor.dtype), "data": self._elements(tensor, f"it takes the {kind.lower()} {name}")}
        entry = Entry(name, kind, attributes, module=True)
        self.entries.append(entry)
        self.track(tensor, Value(entry))
        return Value(entry)

    def _constant(self, tensor: Tensor) -> Value:
        """A tensor that is no input and in no state_dict: an entry that has its elements, on the device of the first input."""
        attributes = {"data": self._elements(tensor, "it takes a constant tensor"), "shape": list(tensor.shape), "dtype": self.json(tensor.dtype)}
        entry = Entry("constant", "new_tensor", {k: v for k, v in attributes.items() if v != "float32"}, inputs=[self.first])
        self.entries.append(entry)
        self.track(tensor, Value(entry))
        return Value(entry)

    def _elements(self, tensor: Tensor, what: str) -> list[int | float] | dict[str, str]:
        """A list of numbers, or bytes where there are many, or integers that JSON's readers would round."""
        what += f" of shape {tuple(tensor.shape)} and dtype {self.json(tensor.dtype)}"
        if isinstance(tensor, FakeTensor) or tensor.dtype not in (torch.float32, torch.float64, torch.int32, torch.int64, torch.bool):
            raise ValueError(what)
        with unset_fake_temporarily(), torch._C.DisableTorchFunction():  # also where a module takes it, outside of any function
            tensor = tensor.detach().resolve_neg().cpu().contiguous().flatten()
            if tensor.numel() <= MOST_NUMBERS:
                elements = (tensor.int() if tensor.dtype == torch.bool else tensor).tolist()
                if all(abs(element) < 2**53 for element in elements if isinstance(element, int)):
                    return elements
            data = ctypes.string_at(tensor.data_ptr(), tensor.nbytes)  # as tensor.numpy().tobytes(), which needs NumPy
        return {"dtype": self.json(tensor.dtype), "base64": base64.b64encode(data).decode()}

    def _mark_changed(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()._cdata
        self._stale |= {id(t) for t in self._alive if t is not tensor and t.untyped_storage()._cdata == storage}

    # Places and problems

    def where(self) -> str:
        for module in reversed(self._stack):
            if path := self.paths.get(id(module)):
                return f"in {path} ({type(module).__name__})"
        return "in forward"

    def problem(self, what: str) -> None:
        if what not in self.problems:
            self.problems.append(what)

    def note(self, what: str) -> None:
        line = f"{self.where()}: {what}"
        if not self._inside_leaf and line not in self.notes:
            self.notes.append(line)

    def stop(self, what: str) -> None:
        self.problem(what)
        raise Stop

    # Functions

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        args, kwargs = self._without_numpy(args), self._without_numpy(kwargs or {})
        with self.sizes.ignoring_conditions(but_numbers=not list(tensors_in([args, kwargs]))):
            return self._call_function(func, args, kwargs)

    def _without_numpy(self, value: Any) -> Any:
        """NumPy's scalars as the numbers that PyTorch takes them for."""
        numpy = sys.modules.get("numpy")
        if numpy is None or self._inside_leaf:
            return value
        if isinstance(value, numpy.generic):
            return value.item()
        if isinstance(value, slice):
            return slice(*map(self._without_numpy, (value.start, value.stop, value.step)))
        if isinstance(value, dict):
            return {key: self._without_numpy(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(map(self._without_numpy, value))
        return value

    def _call_function(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if self._inside_leaf:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        if name in ("__get__", "__set__", "__delete__"):
            if name == "__set__":
                self.problem(f"{self.where()}: assigns to a tensor's {func.__self__.__name__}")
            name = func.__self__.__name__
        if name in READS_DATA:
            advice = "; beside a tensor, torch.from_numpy(array) can be written, and an array cannot" if name == "__array__" else ""
            self.stop(f"{self.where()}: {name} makes the graph depend on a tensor's values{advice}")
        if name in COMPOSED and hasattr(func, "__wrapped__"):
            with self:
                return func.__wrapped__(*args, **kwargs)
        if function_name(name) in ARITHMETIC and any(isinstance(value, torch.SymInt) for value in args):
            with self:
                return func(*(self._count(self.sizes.expression(v)) if isinstance(v, torch.SymInt) else v for v in args), **kwargs)
        if name in IN_OTHER_WORDS:
            with self:
                result = IN_OTHER_WORDS[name](func, *args, **kwargs)
            if result is not NotImplemented:
                return result
        if function_name(name) in CUTS:
            with self:
                result = self._cut(function_name(name), bind(func, function_name(name), args, kwargs))
            if result is not NotImplemented:
                return result
        if name == "__iter__":
            with self:
                return iter(torch.unbind(args[0]))
        if name in ("tensor", "as_tensor", "asarray", "new_tensor") and not list(tensors_in([args[name == "new_tensor" :], kwargs])):
            dtype = kwargs.get("dtype", args[0].dtype if name == "new_tensor" else None)
            with unset_fake_temporarily():
                return torch.tensor(args[-1], dtype=dtype)  # noted where it is used
        if name in FACTORIES and not any(isinstance(v, (torch.SymInt, torch.SymFloat)) for v in _leaves([args, kwargs])):
            with unset_fake_temporarily():
                return func(*args, **kwargs)  # likewise
        before = [(t, t._version) for t in tensors_in([args, kwargs])]
        result = self._run(name, func, args, kwargs)
        changed = [t for t, version in before if t._version != version]
        made = list(tensors_in(result))
        if not made and not changed:
            return result
        if any(not any(t is y for y in made) for t in changed):
            self.problem(f"{self.where()}: {name} changes a tensor in place")
            for t in changed:
                self.track(t, None)
            return result
        try:
            if name == "__getitem__" and isinstance(args[0], Tensor):
                return self._index(args[0], args[1])
            if name in STOPS_GRADIENTS and made[0].is_floating_point():
                return self._detach(args[0], result)
            if name in SAME_VALUE or name in CASTS and made[0].dtype == args[0].dtype:
                if made[0] is not args[0]:
                    self.track(made[0], self.value_of(args[0]))
                return result
            entry = self._function_entry(name, func, args, kwargs, made)
        except ValueError as error:
            self.problem(f"{self.where()}: {name}: {error}")
            entry = None
        return self._add(entry, result, changed, before)

    def _run(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        plain = name.removesuffix("_with_indices")
        if plain in TRACED_WITH_NUMBERS and any(isinstance(v, torch.SymInt) for v in _leaves([args, kwargs])):
            return self._run_with_numbers(name, func, args, kwargs)
        if plain == "max_pool1d":
            func = functools.partial(_max_pool1d, return_indices=name.endswith("indices"))
        try:
            result = func(*args, **kwargs)
            return self._evenly_cut(result, *args, **kwargs) if name == "tensor_split" else result
        except (Stop, ExportError):
            raise
        except Exception as error:
            kind = type(error).__name__
            if kind in ("DataDependentOutputException", "DynamicOutputShapeException", "GuardOnDataDependentSymNode"):
                self.stop(f"{self.where()}: {name} makes the graph depend on a tensor's values")
            raise

    def _run_with_numbers(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        given = {argument.name: argument.value for argument in bind(func, function_name(name), args, kwargs)}
        self._refuse_open_ceil_mode(name, given)
        result = self._run(name, func, tuple(map(self._hinted, args)), self._hinted(kwargs))
        return _with_sizes(result, TRACED_WITH_NUMBERS[name.removesuffix("_with_indices")](args[0], given))

    def _refuse_open_ceil_mode(self, name: str, given: dict[str, Any]) -> None:
        if given.get("ceil_mode"):
            self.stop(f"{self.where()}: {name}: ceil_mode with windows of open sizes is not known; int() of the size fixes it")

    def _hinted(self, value: Any) -> Any:
        """With the numbers that this trace has for open sizes."""
        if isinstance(value, torch.SymInt):
            return int(self.sizes.hint(value))
        if isinstance(value, (list, tuple)):
            return [self._hinted(item) for item in value]
        return {key: self._hinted(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _add(self, entry: Entry | None, result: Any, changed: list[Tensor], before: list[tuple[Tensor, int]]) -> Any:
        """Notes the entry, and the tensors of its result as its outputs. None stands for an entry that could not be made."""
        if entry and any(value is None for value in [*entry.inputs, *entry.named_inputs.values()]):
            entry = None  # a problem before this one, already noted
        if entry:
            self.entries.append(entry)
        if isinstance(result, Tensor) and not changed and any(result is t for t, _ in before):
            with torch._C.DisableTorchFunction():  # it is no detach of the network's
                result = result.detach()  # Dropout in evaluation gives its input itself, but is another value
        for tensor in changed:
            self._mark_changed(tensor)
        for i, tensor in enumerate(tensors_in(result)):
            self.track(tensor, Value(entry, i) if entry else None)
        return result

    def _detach(self, tensor: Tensor, result: Tensor) -> Tensor:
        """A constant has no gradient anyhow. In place, the tensor itself has none from there on."""
        value = self.value_of(tensor)
        if value and not (value.entry and value.entry.type == "new_tensor"):
            entry = Entry("detach", "detach", inputs=[value])
            self.entries.append(entry)
            value = Value(entry)
        self.track(result, value)
        return result

    def _count(self, e: sympy.Expr) -> Tensor | int:
        """A size as a tensor that the network computes: of a symbol, the sum of so many ones."""
        if e.is_Integer:
            return int(e)
        if e not in self._counts:
            self._counts[e] = self._counted(e)
        return self._counts[e]

    def _counted(self, e: sympy.Expr) -> Tensor:
        if e.is_Symbol:
            return torch.ones(self.sizes.of_symbol(e), dtype=torch.int64).sum()
        kind = type(e).__name__
        if e.is_Pow and e.exp.is_Integer and e.exp > 0:
            return functools.reduce(torch.mul, [self._count(e.base)] * int(e.exp))
        known = {"Add": torch.add, "Mul": torch.mul, "FloorDiv": torch.floor_divide, "CleanDiv": torch.floor_divide,
                 "Mod": torch.remainder, "PythonMod": torch.remainder}  # fmt: skip
        if kind not in {*known, "Min", "Max"}:
            self.stop(f"{self.where()}: it depends on an open size in a way other than + - * //: {self.sizes.printed(e)}; int() of the size fixes it")
        # A number stands last, as clamp has it and a function of tensors needs it.
        in_any_order = kind in ("Add", "Mul", "Min", "Max")
        args = sorted(e.args, key=lambda arg: (arg.is_number, str(arg))) if in_any_order else e.args
        result = self._count(args[0])
        for arg in args[1:]:
            other = self._count(arg)
            if kind in known:
                result = known[kind](result, other)
            elif isinstance(other, int):
                result = result.clamp(**{"max" if kind == "Min" else "min": other})
            else:
                result = (torch.minimum if kind == "Min" else torch.maximum)(result, other)
        return result

    def _cut(self, name: str, bound: list[Argument]) -> Any:
        """What cuts an axis into parts whose number or lengths hang on open sizes: the number is one that Python takes. The
        parts of split are written one by one."""
        x, size, dim = (argument.value for argument in bound[:3])
        extent = x.shape[dim]
        sizes = list(size) if isinstance(size, (list, tuple)) else [size]
        if not any(isinstance(n, torch.SymInt) for n in [extent, *sizes]):
            return NotImplemented
        if name == "chunk":  # into two, Python's own unpacking asks
            length = (extent + size - 1) // size
            if size > 2 and not self.sizes.asks_whether(extent, ">", (size - 1) * length):
                self.sizes.number((extent + length - 1) // length)
            return NotImplemented
        if not isinstance(size, (list, tuple)):
            count = self.sizes.number((extent + size - 1) // size)
            sizes = [size] * (count - 1) + [extent - (count - 1) * size]
        starts = itertools.accumulate(sizes, initial=0)
        return tuple(x.narrow(dim, start, length) for start, length in zip(starts, sizes))

    def _evenly_cut(self, parts: tuple[Tensor, ...], x: Tensor, at: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """The parts of tensor_split with the lengths that they have of every size of the axis."""
        extent = x.shape[dim]
        if isinstance(at, (list, tuple)):
            lengths = [self.sizes.part(extent, start, end) for start, end in zip([None, *at], [*at, None])]
        else:
            lengths = [(extent + at - 1 - i) // at for i in range(len(parts))]
        return tuple(with_size(part, dim, length) for part, length in zip(parts, lengths))

    def _function_entry(self, name: str, func: Callable, args: tuple, kwargs: dict, made: list[Tensor]) -> Entry:
        if name in CASTS:
            return Entry("to", "to", {"dtype": self.json(made[0].dtype)}, inputs=[self.value_of(args[0])])
        if name in ("T", "mT"):
            order = list(range(args[0].dim()))
            order = order[::-1] if name == "T" else order[:-2] + [order[-1], order[-2]]
            return Entry("permute", "permute", {"dims": order}, inputs=[self.value_of(args[0])])
        plain = function_name(name)
        bound = bind(func, plain, args, kwargs)
        given = {argument.name: argument.value for argument in bound}
        if given.get("out") is not None:
            raise ValueError("it writes into `out`")
        if plain.endswith("dropout") and (given.get("training") or given.get("train")):
            raise ValueError("it stays active in evaluation mode (training=True)")
        if given.get("dropout_p"):
            raise ValueError("it drops scores in evaluation, too (dropout_p)")
        entry = Entry(plain, plain)
        form = MODULE_FORMS.get(plain)
        if plain in OPERANDS and not self._is_without_operands(form, given):
            return self._operand_entry(plain, bound, given)
        if plain == "unfold" and func is nn.functional.unfold:
            form = ModuleForm("Unfold")
        if form and form.type in ("Softmax", "LogSoftmax", "Softmin") and given.get("dim") is None:
            dim = nn.functional._get_softmax_dim(plain, args[0].dim(), 3)
            bound = [Argument("dim", dim) if a.name == "dim" else a for a in bound]
        for argument in bound:
            self._bind_argument(entry, argument, form, args)
        if plain in ("max", "min") and len(entry.inputs) == 2:
            entry.type += "imum"
        if rewrite := REWRITES.get(plain):
            entry.type, attributes = rewrite(entry.attributes, next(tensors_in(args), None), made[0])
            entry.attributes = {name: self.json(value) for name, value in attributes.items()}
            if entry.type in ("std", "var"):
                self._fix_counted_sizes(entry, next(tensors_in(args)))
            if entry.type == "reshape":
                entry.inputs = entry.inputs[:1]
            elif entry.type in FILLED:
                entry.inputs = []
        if form:
            entry.type = form.type
            kind = getattr(nn, form.type)
            entry.attributes = {name: simplified(kind, name, value) for name, value in entry.attributes.items()} | form.fixed
            defaults = constructor(kind) | dict.fromkeys(form.own, inspect.Parameter.empty)
            if unknown := [n for n in entry.attributes if n not in defaults]:
                raise ValueError(f"{form.type} has no argument {unknown[0]}")
            entry.attributes = {n: entry.attributes[n] for n in defaults
                                if n in entry.attributes and not is_default(entry.attributes[n], defaults[n])}  # fmt: skip
        return entry

    def _fix_counted_sizes(self, entry: Entry, x: Tensor) -> None:
        """How many elements a moment is of stands in what Keras computes, unless nothing is taken off: it has to be one size, and not the
        smaller of two."""
        if entry.attributes.get("correction", 1) == 0:
            return
        dims = entry.attributes.get("dim")
        for dim in range(x.dim()) if dims is None else [dims] if isinstance(dims, int) else dims:
            self.json(x.shape[dim])

    def _is_without_operands(self, form: ModuleForm | None, given: dict[str, Any]) -> bool:
        """Whether a module of torch.nn says the call, which gives no parameters and, of normalised sizes, no open ones."""
        open_sizes = any(isinstance(self.json(size), str) for size in given.get("normalized_shape", ()))
        return form is not None and given.get("weight") is None and given.get("bias") is None and not open_sizes

    def _operand_entry(self, kind: str, bound: list[Argument], given: dict[str, Any]) -> Entry:
        """A function with its parameters as inputs: by position as long as none is left out, the others by name."""
        if statistics := OWN_STATISTICS.get(kind):
            if given.get("running_mean") is not None and given[statistics]:
                raise ValueError(f"it changes its running statistics in evaluation, too ({statistics}=True)")
        if given.get("max_norm") is not None:
            raise ValueError("it changes its table in place (max_norm)")
        entry = Entry(kind, kind)
        missing = False
        for argument in bound:
            name, value = argument.name, argument.value
            if name in OPERANDS[kind]:
                if value is None:
                    missing = True
                elif missing:
                    entry.named_inputs[name] = self.value_of(value)
                else:
                    entry.inputs.append(self.value_of(value))
            elif isinstance(value, Tensor):
                entry.inputs.append(self.value_of(value))
            elif name not in NO_ATTRIBUTES | {"use_input_stats", "cudnn_enabled", "max_norm", "norm_type"} and (argument.required or isinstance(value, str) or not is_default(value, argument.default)):
                entry.attributes[name] = self.json(value)
        return entry

    def _bind_argument(self, entry: Entry, argument: Argument, form: ModuleForm | None, args: tuple) -> None:
        name, value = argument.name, argument.value
        found = list(tensors_in(value))
        if found:
            if isinstance(value, (list, tuple)) and len(found) != len(value):
                raise ValueError(f"its argument {name} mixes tensors and others")
            if argument.required or isinstance(value, (list, tuple)):
                entry.inputs += [self.value_of(t) for t in found]
            else:
                entry.named_inputs[name] = self.value_of(value)
        elif name in NO_ATTRIBUTES or name in ("out", "generator") and value is None:
            pass
        elif form:
            # The function's default may differ from the module's: all are looked at, and the module's decides.
            name = form.rename.get(name, name)
            if name in constructor(getattr(nn, form.type)):
                if value == [] and argument.default == []:
                    value = None  # a stride that is the kernel's size
                entry.attributes[name] = self.json(value)
            elif name in form.own:
                entry.attributes |= {} if is_default(value, argument.default) else {name: self.json(value)}
            elif not is_default(value, argument.default):
                raise ValueError(f"its argument {name} has no place in {form.type}")
        elif argument.required or not is_default(value, argument.default):
            entry.attributes[DOCUMENTED_ARGUMENT.get((entry.type, name), name)] = self.json(value)

    def _index(self, x: Tensor, index: Any) -> Tensor:
        """x[...] as select, slice, unsqueeze and index_select."""
        parts = [_constant_index(part) for part in (index if isinstance(index, tuple) else [index])]
        used = sum(part is not None and part is not Ellipsis for part in parts)
        if not any(part is Ellipsis for part in parts):
            parts.append(Ellipsis)
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (x.dim() - used)
        axis, y = 0, x
        lists = [i for i, part in enumerate(parts) if isinstance(part, (list, Tensor))]
        if len(lists) > 1 and lists == list(range(lists[0], lists[-1] + 1)) and self._may_be_joined(x, parts, lists):
            y, parts = self._joined(x, lists[0], parts, lists)
        by_tensors: dict[int, Tensor] = {}  # those that are indexed together, when all else is done
        alone = sum(isinstance(part, (list, Tensor)) for part in parts) == 1
        for part in parts:
            full = (slice(None),) * axis
            before = y
            if isinstance(part, slice):
                start, end, step = part.start, part.stop, part.step
                attributes = {"dim": axis, "start": start, "end": end, "step": step}
                attributes = {k: self.json(v) for k, v in attributes.items() if v is not None}
                size = self.sizes.part(y.shape[axis], start, end, 1 if step is None else step)
                y, entry = with_size(y[(*full, part)], axis, size), Entry("slice", "slice", attributes)
                axis += 1
                if part == slice(None):
                    y = before
                    continue
            elif part is None:
                y, entry = y.unsqueeze(axis), Entry("unsqueeze", "unsqueeze", {"dim": axis})
                axis += 1
            elif isinstance(part, (int, torch.SymInt)) and not isinstance(part, bool):
                y, entry = y.select(axis, part), Entry("select", "select", {"dim": axis, "index": self.json(part)})
            elif _are_numbers(part) and not (alone and (isinstance(part, list) or part.dim() == 1)):
                by_tensors[axis] = torch.tensor(part, device=y.device) if isinstance(part, list) else part
                axis += 1
                continue
            elif isinstance(part, Tensor) and part.dim() == 1 and part.dtype in (torch.int64, torch.int32):
                y, entry = y.index_select(axis, part), Entry("index_select", "index_select", {"dim": axis})
                entry.inputs = [self.value_of(part)]
                axis += 1
            elif isinstance(part, list) and part and all(type(item) is int for item in part) and sum(isinstance(p, (list, Tensor)) for p in parts) == 1:
                y = y.index_select(axis, torch.tensor(part, device=y.device) % y.shape[axis])
                entry = Entry("index_select", "index_select", {"dim": axis, "index": part})
                axis += 1
            else:
                what = f"a tensor of {part.dim()} axes and dtype {self.json(part.dtype)}" if isinstance(part, Tensor) else f"a {type(part).__name__}"
                raise ValueError(f"indexing by {what} cannot be written")
            entry.inputs = [self.value_of(before), *entry.inputs]
            y = self._add(entry, y, [], [])
        if by_tensors:
            entry = Entry("index", "index_by_tensors", {"dims": list(by_tensors)})
            entry.inputs = [self.value_of(y), *map(self.value_of, by_tensors.values())]
            return self._add(entry, y[tuple(by_tensors.get(i, slice(None)) for i in range(y.dim()))], [], [])
        if y is x:  # x[:]
            y = x.detach()
            self.track(y, self.value_of(x))
        return y

    def _may_be_joined(self, x: Tensor, parts: list, lists: list[int]) -> bool:
        indices = [parts[i] for i in lists]
        are_constant = not any(isinstance(index, FakeTensor) or torch.as_tensor(index).dim() != 1 or torch.as_tensor(index).dtype == torch.bool for index in indices)
        return are_constant and all(isinstance(x.shape[i], int) for i in lists) and not any(part is None or isinstance(part, int) for part in parts)

    def _joined(self, x: Tensor, axis: int, parts: list, lists: list[int]) -> tuple[Tensor, list]:
        """Axes that are indexed together, by constant lists of equal length, as one."""
        sizes = [x.shape[axis + i] for i in range(len(lists))]
        indices = [parts[i] for i in lists]
        with unset_fake_temporarily():
            joined = torch.zeros((), dtype=torch.int64)
            for size, index in zip(sizes, indices):
                joined = joined * size + torch.as_tensor(index).cpu() % size
        y = x.flatten(axis, axis + len(lists) - 1)
        self._add(Entry("flatten", "Flatten", {"start_dim": axis, "end_dim": axis + len(lists) - 1}, inputs=[self.value_of(x)]), y, [], [])
        return y, parts[: lists[0]] + [joined.tolist()] + parts[lists[-1] + 1 :]

    def json(self, value: Any) -> Any:
        """An attribute as JSON has it. Raises ValueError."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (torch.SymInt, torch.SymFloat)):
            return self.sizes.written(value)
        if isinstance(value, torch.dtype):
            return str(value).removeprefix("torch.")
        if isinstance(value, (list, tuple)):
            return [self.json(item) for item in value]
        if hasattr(value, "item") and not isinstance(value, Tensor):
            return self.json(value.item())  # a number of NumPy's
        raise ValueError(f"an argument of type {type(value).__name__} cannot be written")

    # Modules

    def call_module(self, call: Callable, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        if self._inside_leaf:
            return call(module, *args, **kwargs)
        if (inner := unwrapped(module)) is not module:
            return inner(*args, **kwargs)
        if isinstance(module, torch.jit.ScriptModule):
            self.stop(f"{self._module_name(module)}: is TorchScript; export the class it was made from")
        self._stack.append(module)
        try:
            kind = leaf_type(module)
            # The model itself, whose parameters have no module's name, is the function of them that its forward calls.
            is_model = self.paths.get(id(module)) == "" and not isinstance(module, (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention))
            if kind is None or makes_its_weights(module) or is_model and any(True for _ in module.parameters()):
                return call(module, *args, **kwargs)
            with self.sizes.ignoring_conditions():
                return self._call_leaf(kind, module, args, kwargs)
        finally:
            self._stack.pop()

    def _module_name(self, module: nn.Module) -> str:
        return f"{self.paths.get(id(module)) or 'an unregistered module'} ({type(module).__name__})"

    def _call_leaf(self, kind: type | None, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        before = [(t, t._version) for t in tensors_in([args, kwargs])]
        self._inside_leaf = True
        try:
            result = self._run_leaf(kind, module, args, kwargs)
        except ValueError as error:
            self.stop(f"{self._module_name(module)}: {error}")
        finally:
            self._inside_leaf = False
        changed = [t for t, version in before if t._version != version]
        try:
            entry = self._leaf_entry(kind, module, args, kwargs)
        except ValueError as error:
            self.problem(f"{self._module_name(module)}: {error}")
            entry = None
        return self._add(entry, result, changed, before)

    def _run_leaf(self, kind: type, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        function = next((name for name, form in MODULE_FORMS.items() if form.type == kind.__name__ and name in TRACED_WITH_NUMBERS), None)
        own = {name: getattr(module, name) for name in constructor(kind) if hasattr(module, name)} if function else {}
        if not any(isinstance(value, torch.SymInt) for value in _leaves(own)):
            return run_leaf(module, args, kwargs)
        self._refuse_open_ceil_mode(function, own)
        module = copy.copy(module)
        for name, value in own.items():
            setattr(module, name, self._hinted(value))
        x = args[0] if args else kwargs["input"]
        return _with_sizes(run_leaf(module, args, kwargs), TRACED_WITH_NUMBERS[function](x, own))

    def _leaf_entry(self, kind: type | None, module: nn.Module, args: tuple, kwargs: dict) -> Entry:
        if parametrize.is_parametrized(module):
            raise ValueError("has a parametrization, which only modules of one weight may have; torch.nn.utils.parametrize.remove_parametrizations makes it plain")
        hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        if hooks:
            hook = type(hooks[0]).__name__
            raise ValueError(f"has a forward hook ({hook}), which would be lost" + (
                f"; torch.nn.utils.remove_{'weight' if hook == 'WeightNorm' else 'spectral'}_norm makes it plain"
                if hook in ("WeightNorm", "SpectralNorm") else ""))  # fmt: skip
        path = self.paths.get(id(module))
        if path == "" and any(True for _ in module.parameters()):
            raise ValueError("is the model itself, so that its parameters have no module's name, and no function takes them; wrap it in nn.Sequential")
        if path is None and any(True for _ in module.parameters()):
            raise ValueError("has parameters that are not in the model's state_dict")
        arguments = {name: self.json(value) for name, value in module_arguments(kind, module).items()}
        entry = Entry(path or kind.__name__.lower(), kind.__name__, module=bool(path))
        call_arguments, defaults = {}, {}
        for argument in bind_signature(inspect.signature(module.forward), args, kwargs):
            if kind is nn.MultiheadAttention and argument.name in ("attn_mask", "key_padding_mask"):
                argument.value = _truth_of_mask(argument.value)
            found = list(tensors_in(argument.value))
            if found and argument.name == "hx":  # of recurrent modules: h_0 and c_0, which are zeros where they are left out
                states = [self.value_of(t) for t in found]
                if not all(state and state.entry.type in ZEROS for state in states):
                    entry.inputs += states
            elif argument.required or found and (isinstance(argument.value, (list, tuple)) or argument.name in INPUTS_BY_PLACE.get(kind, ())):
                entry.inputs += [self.value_of(t) for t in found]
            elif found:
                entry.named_inputs[argument.name] = self.value_of(argument.value)
            elif not is_default(argument.value, argument.default):
                call_arguments[argument.name] = self.json(argument.value)
            if not found and not argument.required:
                defaults[argument.name] = argument.default
        if kind is nn.MultiheadAttention:
            call_arguments |= self._without_causal_mask(entry)
        if kind in UPWARDS:
            defaults = {"output_padding": arguments.pop("output_padding", 0)}
            call_arguments = {name: simplified(kind, name, self.json(value)) for name, value in _output_padding(module, *args, **kwargs).items()}
            call_arguments = {name: value for name, value in (defaults | call_arguments).items() if value != 0}
        entry.attributes = arguments | call_arguments
        if path is not None:
            first, its_arguments = self._defined.setdefault(id(module), (entry, call_arguments))
            if first is not entry:
                entry.call, entry.wanted = first, path
                entry.attributes = {name: call_arguments.get(name, defaults.get(name, False))
                                    for name in its_arguments | call_arguments if its_arguments.get(name) != call_arguments.get(name)}  # fmt: skip
                if entry.attributes and kind not in SET_BY_CALLS:
                    raise ValueError("is called twice with different settings")
        return entry

    def _without_causal_mask(self, entry: Entry) -> dict[str, Any]:
        """A mask that lets each query attend to no later step than its own is a setting, which leaves lengths open."""
        if not is_causal_mask(entry.named_inputs.get("attn_mask")):
            return {}
        del entry.named_inputs["attn_mask"]
        return {"use_causal_mask": True}


def _noted(enter: Callable, what: str, recorder: Recorder) -> Callable:
    """`enter` of a context manager; that a forward enters it is noted, but not what PyTorch itself does."""

    def noted_enter(self: Any) -> Any:
        frame = sys._getframe(1)
        decorated = frame.f_locals.get("func") if frame.f_code.co_filename.endswith("_contextlib.py") else None
        user = decorated.__module__ if decorated else frame.f_globals.get("__name__", "")
        if not (user or "").startswith("torch."):
            recorder.note(what)
        return enter(self)

    return noted_enter


def _outside_of_leaves(function: Callable, plain: Callable, recorder: Recorder) -> Callable:
    """`plain` where a forward calls `function`, which makes other numbers of masks, or looks at them, before attention does."""
    return lambda *args, **kwargs: (function if recorder._inside_leaf else plain)(*args, **kwargs)


def _of_number(name: str, number: type) -> Callable:
    return lambda size: getattr(sys.modules["numpy"], name)(number(size))


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Every module's call goes through the recorder; len(tensor) is a size and not a number."""
    call, length = nn.Module.__call__, builtins.len

    def patched_call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_module(nn.Module._call_impl, self, args, kwargs)

    def patched_len(value: Any) -> Any:
        return value.shape[0] if isinstance(value, Tensor) and value.dim() else length(value)

    nn.Module.__call__, builtins.len = patched_call, patched_len
    try:
        with contextlib.ExitStack() as patches:
            for name in OF_OBJECTS:
                for kind, number in ((torch.SymInt, int), (torch.SymFloat, float)):
                    patches.enter_context(mock.patch.object(kind, name, _of_number(name, number), create=True))
            for place, name, plain in ((nn.functional, "_canonical_mask", lambda mask, *args, **kwargs: mask),
                                       (nn.modules.transformer, "_detect_is_causal_mask", lambda mask, is_causal, size: is_causal is True)):  # fmt: skip
                patches.enter_context(mock.patch.object(place, name, _outside_of_leaves(getattr(place, name), plain, recorder)))
            for context, what in CONTEXTS.items():
                patches.enter_context(mock.patch.object(context, "__enter__", _noted(context.__enter__, what, recorder)))
            with recorder:
                yield
    finally:
        nn.Module.__call__, builtins.len = call, length


# --- The architecture ---------------------------------------------------------------------------------------------------------


class Call:
    """A module with its example inputs: the tensors among them, wherever they stand in lists and dicts, have names."""

    def __init__(self, module: nn.Module, example_inputs: Any):
        signature = inspect.signature(module.forward)
        if isinstance(example_inputs, Tensor):
            example_inputs = (example_inputs,)
        args, kwargs = ((), example_inputs) if isinstance(example_inputs, dict) else (tuple(example_inputs), {})
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ExportError(f"the example inputs don't fit {type(module).__name__}.forward{signature}: {error}") from None
        self.module = module
        self.tensors: dict[str, Tensor] = {}
        self.kept: list[str] = []  # notes on what forward keeps
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._named(value, name)
        self._bound = bound
        if not self.tensors:
            raise ExportError("there is no tensor among the example inputs")

    @dataclass(frozen=True)
    class Place:
        name: str

    def _named(self, value: Any, name: str) -> Any:
        """`value` with places for its tensors. Those in a dict are called by their keys, those in a list are numbered."""
        if isinstance(value, Tensor):
            name = unique(name, set(self.tensors))
            self.tensors[name] = value
            return Call.Place(name)
        if isinstance(value, dict):
            return {key: self._named(item, str(key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            items = [self._named(item, name if len(value) == 1 else f"{name}_{i}") for i, item in enumerate(value)]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        return value

    def __call__(self, tensors: dict[str, Tensor]) -> Any:
        with self._each_call_anew():
            return self._call(tensors)

    def heeds_earlier_calls(self) -> bool:
        """Whether what forward keeps makes the example's second call another than its first."""
        first, second = (list(tensors_in(self._call(self.tensors))) for _ in range(2))
        return len(first) != len(second) or any(a.shape != b.shape or not torch.allclose(a, b, equal_nan=True) for a, b in zip(first, second))

    def _call(self, tensors: dict[str, Tensor]) -> Any:
        def filled(value: Any) -> Any:
            if isinstance(value, Call.Place):
                return tensors[value.name]
            if isinstance(value, dict):
                return {key: filled(item) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                items = [filled(item) for item in value]
                return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
            return value

        return self.module(*map(filled, self._bound.args), **{name: filled(value) for name, value in self._bound.kwargs.items()})

    @contextlib.contextmanager
    def _each_call_anew(self) -> Iterator[None]:
        """What forward keeps of one call for the next one is forgotten, and noted."""
        named = list(self.module.named_modules())
        before = [(vars(module).copy(), module._buffers.copy()) for _, module in named]
        versions = [(name, buffer, buffer._version) for name, buffer in self.module.named_buffers() if not buffer.is_inference()]
        try:
            yield
        finally:
            for (path, module), (attributes, buffers) in zip(named, before):
                kept = [] if makes_its_weights(module) else [
                    name for name, value in vars(module).items()
                    if value is not attributes.get(name) and not name.startswith("_") and any(True for _ in tensors_in(value))]  # fmt: skip
                kept += [name for name, buffer in module._buffers.items() if buffer is not buffers.get(name)]
                self._note_kept(f"{path}.{name}" if path else name for name in kept)
                vars(module).clear()
                vars(module).update(attributes)
                module._buffers.clear()
                module._buffers.update(buffers)
            self._note_kept(name for name, buffer, version in versions if buffer._version != version)

    def _note_kept(self, names: Iterable[str]) -> None:
        for name in names:
            line = f"in forward: keeps {name} for its next call, and here each call begins as the first one does"
            if line not in self.kept:
                self.kept.append(line)


def _shape(name: str, example: Tensor, symbols: list[Symbol], size_of: Callable[[Symbol], Any]) -> list[Any]:
    """The example's sizes, with `size_of` their symbol where they are open."""
    open_axes = {axis: size_of(symbol) for symbol in symbols for axis in symbol.axes}
    return [open_axes.get((name, axis), size) for axis, size in enumerate(example.shape)]


class _WithoutData(FakeTensorMode):
    """Tensors without data, but for those that are made of data: torch.from_numpy(array), torch.Tensor([1, 2])."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is torch.ops.aten.lift_fresh.default and not isinstance(args[0], FakeTensor):
            return args[0]
        return super().__torch_dispatch__(func, types, args, kwargs or {})


def trace(call: Call, symbols: list[Symbol]) -> tuple[Recorder, dict[str, Entry], Any]:
    """Runs forward on tensors without data. The recorder, the inputs' entries, and what forward returned."""
    module = call.module
    sizes = Sizes({symbol.name: symbol.hint for symbol in symbols})
    recorder = Recorder(module, sizes)
    entries = {name: Entry(name) for name in call.tensors}
    in_given_order = mock.patch.object(torch.backends.opt_einsum, "enabled", False)  # else sizes choose the order of products
    with in_given_order, enable_python_dispatcher(), _WithoutData(shape_env=sizes.environment, allow_non_fake_inputs=True):
        fake = {}
        for name, x in call.tensors.items():
            shape = _shape(name, x, symbols, lambda symbol: symbol.factor * sizes.ints[symbol.name])
            with sizes.ignoring_conditions(but_numbers=False):
                fake[name] = torch.empty(shape, dtype=x.dtype, device=x.device)
            recorder.track(fake[name], Value(entries[name]))
        try:
            with recording(recorder):
                result = call(fake)
        except Stop:
            result = None
        except Exception as error:
            if not recorder.problems:
                numpy = isinstance(error, TypeError) and re.search(r"Sym(Int|Float)|numpy\.object_", str(error))
                advice = "; NumPy knows no open sizes: torch's own functions do, and int() of a size fixes it" if numpy else ""
                what = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
                raise ExportError(f"tracing {type(module).__name__} failed: {what}{advice}") from error
    if recorder.problems:
        raise ExportError("\n".join(f"{type(module).__name__}: {problem}" for problem in recorder.problems))
    return recorder, entries, result


def _traced(call: Call, symbols: list[Symbol]) -> tuple[Recorder, dict[str, Entry], Any, list[Symbol]]:
    """Traces with fewer open sizes until Python's own decisions no longer depend on them."""
    fixed: list[str] = []
    while True:
        recorder, entries, result = trace(call, symbols)
        example = {s.name: call.tensors[s.axes[0][0]].shape[s.axes[0][1]] // s.factor for s in symbols}
        decided = recorder.sizes.fixed_by_trace()
        for sizes in ({s.name: s.check for s in symbols}, {name: max(2, size) for name, size in example.items()}):
            decided = decided or recorder.sizes.decided_by(sizes)
        if "batch" in decided:
            raise ExportError(f"{type(call.module).__name__}: forward depends on the batch size in Python (a range, an int(), an if)")
        if not decided:
            recorder.notes += fixed + _conditions([condition.written(example) for condition in recorder.conditions])
            return recorder, entries, result, symbols
        fixed += [_why_fixed(symbol, call, recorder) for symbol in symbols if symbol.name in decided]
        symbols = [symbol for symbol in symbols if symbol.name not in decided]


def _why_fixed(symbol: Symbol, call: Call, recorder: Recorder) -> str:
    """The condition on the symbol that its other size answers otherwise, or a number that was made of it."""
    name, axis = symbol.axes[0]
    what = f"the size {call.tensors[name].shape[axis]} of {_axes(symbol.axes)} is fixed"
    on = [condition for condition in recorder.conditions if condition.is_on(symbol.name)]
    numbers = [condition for condition in on if not isinstance(condition.answer, BooleanAtom)]
    others = [condition for condition in on if condition.sizes.at(condition.expression, {symbol.name: symbol.check}) != condition.answer]
    if reasons := numbers or others or on:
        return f"{reasons[0].question}, and so {what}"
    return f"in forward: PyTorch's own functions take {symbol.name} for a number, and so {what}"


def _conditions(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_CONDITIONS
    return lines if more <= 0 else [*lines[:MOST_CONDITIONS], f"in forward: asks {more} more such questions of open sizes"]


def _outputs(recorder: Recorder, result: Any, where: str = "") -> Any:
    """The values forward returned: a list, or a flat object where it is a dict."""
    if isinstance(result, dict):
        keyed: dict[str, Value] = {}
        for key, item in result.items():
            values = _outputs(recorder, item)
            nested = values.items() if isinstance(values, dict) else enumerate(values)
            keyed |= {str(key): values[0]} if isinstance(item, Tensor) else {f"{key}.{k}": v for k, v in nested}
        return keyed
    if isinstance(result, Tensor):
        return [recorder.value_of(result)]
    if isinstance(result, (list, tuple)):
        values = [_outputs(recorder, item) for item in result]
        return [v for item in values for v in (item.values() if isinstance(item, dict) else item)]
    if result is None:
        return []
    raise ValueError(f"forward returns a {type(result).__name__}")


def _values(outputs: list[Value] | dict[str, Value]) -> list[Value]:
    return list(outputs.values() if isinstance(outputs, dict) else outputs)


def _used(entries: list[Entry], outputs: list[Value]) -> list[Entry]:
    """Without functions whose result nobody takes."""
    wanted = {id(value.entry) for value in outputs}
    kept = []
    for entry in reversed(entries):
        if entry.module or id(entry) in wanted:
            wanted |= {id(value.entry) for value in [*entry.inputs, *entry.named_inputs.values()]}
            kept.append(entry)
    return kept[::-1]


# Attributes that version 1 of the form has as sizes, which may be open; other integers may be since version 2.
SIZES = set("""view.shape reshape.shape Unflatten.unflattened_size expand.size broadcast_to.size repeat.repeats tile.dims pad.pad
    arange.start arange.end zeros.size ones.size full.size Upsample.size layer_norm.normalized_shape rms_norm.normalized_shape
    select.index slice.start slice.end narrow.start narrow.length MaxUnpool1d.output_size MaxUnpool2d.output_size
    MaxUnpool3d.output_size""".split())  # fmt: skip


def _needs_version_2(layer: dict) -> bool:
    """It has settings of a call, bytes, or an open integer."""
    attributes = layer.get("attributes", {})
    if "call" in layer and attributes or any(isinstance(value, dict) for value in attributes.values()):
        return True
    return any(isinstance(value, OpenText) for name, value in attributes.items() if f"{layer['type']}.{name}" not in SIZES for value in _leaves(value))


def _version(layers: list[dict]) -> int:
    """The lowest version of the form that can say the layers."""
    return 2 if any(map(_needs_version_2, layers)) else 1


def describe(module: nn.Module, example_inputs: Any) -> dict[str, Any]:
    """The architecture of a module as the JSON's object. Raises ExportError."""
    module = unwrapped(module)
    refuse_without_python(module)
    call = Call(module, example_inputs)
    with left_as_it_was(module):
        try:
            probe = Probe(call)
            symbols = find_symbols(probe, call.tensors)
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(f"{type(module).__name__} fails on the example inputs: {type(error).__name__}: {str(error).splitlines()[0]}") from error
        recorder, inputs, result, symbols = _traced(call, symbols)
        recorder.notes += probe.notes + (call.kept if call.kept and call.heeds_earlier_calls() else [])
        try:
            outputs = _outputs(recorder, result)
        except ValueError as error:
            raise ExportError(f"{type(module).__name__}: forward's result: {error}") from None
    if not outputs:
        raise ExportError(f"{type(module).__name__}: forward returns no tensor")
    entries = _used(recorder.entries, _values(outputs))

    paths = set(recorder.paths.values())
    taken: set[str] = set()
    for entry in [*inputs.values(), *entries]:
        own_path = entry.module and entry.call is None
        entry.name = entry.wanted if own_path else unique(entry.wanted, taken | paths)
        taken.add(entry.name)
    previous = next(iter(inputs.values()))
    layers = []
    for entry in entries:
        layer: dict[str, Any] = {"name": entry.name}
        if entry.call:
            layer["call"] = entry.call.name
        else:
            layer["type"] = entry.type
        if entry.attributes:
            layer["attributes"] = entry.attributes
        if entry.inputs != [Value(previous)]:
            layer["inputs"] = [value.written() for value in entry.inputs]
        if entry.named_inputs:
            layer["named_inputs"] = {name: value.written() for name, value in entry.named_inputs.items()}
        layers.append(layer)
        previous = entry

    def written(symbol: Symbol) -> str:
        return symbol.name if symbol.factor == 1 else f"{symbol.factor}*{symbol.name}"

    aliases, unused = other_names(module, entries)
    return {
        "h5bridge": _version(layers),
        "name": type(module).__name__,
        "inputs": [{"name": entry.name, "shape": _shape(name, call.tensors[name], symbols, written), "dtype": recorder.json(call.tensors[name].dtype)}
                   for name, entry in inputs.items()],
        "layers": layers,
        "outputs": {key: value.written() for key, value in outputs.items()} if isinstance(outputs, dict)
                   else [value.written() for value in outputs],
    } | {key: value for key, value in ({"aliases": aliases, "unused": unused} | registered(module, aliases) | {"notes": recorder.notes}).items() if value}  # fmt: skip


def other_names(module: nn.Module, entries: list[Entry]) -> tuple[dict[str, str], list[str]]:
    """The names in the state_dict that are no layer's: further names of tensors that have one, and tensors that nothing takes."""
    modules = dict(module.named_modules())
    tensors = {name: tensor for name, tensor in module.state_dict(keep_vars=True).items() if isinstance(tensor, Tensor)}
    own = set()
    for entry in entries:
        if entry.module and entry.call is None:
            held = modules.get(entry.name)
            own |= {entry.name} if held is None else {f"{entry.name}.{name}" for name in held.state_dict()}
    first = {id(tensors[name]): name for name in tensors if name in own}
    others = [name for name in tensors if name not in own]
    aliases = {name: first[id(tensors[name])] for name in others if id(tensors[name]) in first}
    return aliases, [name for name in others if name not in aliases]


def registered(module: nn.Module, aliases: dict[str, str]) -> dict[str, Any]:
    """What the order of registration and the identity of parameters say: an optimizer counts by it."""
    tensors = {name: tensor for name, tensor in module.state_dict(keep_vars=True).items() if isinstance(tensor, Tensor)}
    parameters = {name: tensor for name, tensor in tensors.items() if isinstance(tensor, nn.Parameter)}
    ties: dict[int, list[str]] = {}
    for name, parameter in parameters.items():
        if name not in aliases:
            ties.setdefault(id(parameter), []).append(name)
    return {
        "state_dict": list(tensors),
        "buffers": [name for name in tensors if name not in parameters],
        "frozen": [name for name, parameter in parameters.items() if not parameter.requires_grad],
        "tied": [names for names in ties.values() if len(names) > 1],
    }


def dumps(architecture: dict[str, Any]) -> str:
    """The JSON with a line for every input and layer."""
    members = []
    for key, value in architecture.items():
        if key in ("inputs", "layers") and value:
            lines = ",\n".join(f"    {json.dumps(item)}" for item in value)
            members.append(f"  {json.dumps(key)}: [\n{lines}\n  ]")
        else:
            members.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def export_architecture(module: nn.Module, example_inputs: Any, path: str | os.PathLike) -> list[str]:
    """Writes the architecture JSON of `module`: `example_inputs` is a tensor, a tuple of tensors, or a dict of them by
    the names of forward's parameters. Their batch size, and other sizes the module leaves open, become symbols. Returns
    notes, which the JSON has, too: what forward does and no layer says. Raises ExportError, and then leaves `path` as it
    was."""
    description = describe(module, example_inputs)
    text = dumps(description)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return description.get("notes", [])


# --- The program --------------------------------------------------------------------------------------------------------------


def load_model(where: str, arguments: dict[str, Any]) -> nn.Module:
    """`package.module:Class` or `path/to/file.py:Class`: a class or a function to be called, or a module itself."""
    source, _, name = where.rpartition(":")
    if not source or not name:
        raise ValueError(f"{where}: expected package.module:Class or file.py:Class")
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise ValueError(f"{source}: no such file")
        sys.path.insert(0, str(Path(source).resolve().parent))
        spec = importlib.util.spec_from_file_location(Path(source).stem, source)
        python = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = python
        spec.loader.exec_module(python)
    else:
        sys.path.insert(0, os.getcwd())
        python = importlib.import_module(source)
    try:
        found = functools.reduce(getattr, name.split("."), python)
    except AttributeError:
        raise ValueError(f"{source} has no {name}") from None
    model = found if isinstance(found, nn.Module) else found(**arguments)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{where} is not an nn.Module")
    return model


def parse_input(text: str) -> tuple[str | None, Tensor]:
    """`2,3,32,32`, `ids=2,128:int64`: an example of that shape."""
    match = re.fullmatch(r"(?:(\w+)=)?([0-9]+(?:,[0-9]+)*)?(?::(\w+))?", text.replace(" ", ""))
    dtype = getattr(torch, match[3] or "float32", None) if match else None
    if not isinstance(dtype, torch.dtype):
        raise argparse.ArgumentTypeError(f"{text!r}: expected sizes as in 2,3,32,32 or ids=2,128:int64")
    shape = [int(size) for size in (match[2] or "").split(",") if size]
    return match[1], torch.rand(shape).to(dtype) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype)


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the architecture JSON of a PyTorch module.")
    parser.add_argument("model", help="package.module:Class or path/to/file.py:Class")
    parser.add_argument("-o", "--output", required=True, help="the JSON file to write")
    parser.add_argument("--input-shape", required=True, action="append", type=parse_input, metavar="[NAME=]SIZES[:DTYPE]",
                        help="an input, such as 2,3,32,32 or ids=2,128:int64; once for each")  # fmt: skip
    parser.add_argument("--arguments", default={}, type=json.loads, help="the constructor's arguments as a JSON object")
    options = parser.parse_args()
    names = [name for name, _ in options.input_shape]
    if any(names) and not all(names):
        parser.error("--input-shape: name all inputs or none")
    if any(names):
        inputs = dict(options.input_shape)
    else:
        inputs = tuple(x for _, x in options.input_shape)
    try:
        model = load_model(options.model, options.arguments)
    except Exception as error:  # whatever a stranger's constructor raises
        print(f"h5bridge_export: {options.model}: {str(error) or type(error).__name__}", file=sys.stderr)
        return 2
    try:
        for note in export_architecture(model, inputs, options.output):
            print(f"h5bridge_export: note: {note}", file=sys.stderr)
    except ExportError as error:
        for line in str(error).splitlines():
            print(f"h5bridge_export: {line}", file=sys.stderr)
        return 4
    except OSError as error:
        print(f"h5bridge_export: {options.output}: {error.strerror}", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
