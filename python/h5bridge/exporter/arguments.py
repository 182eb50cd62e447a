"""Naming a call, and binding its arguments to their names."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor

from .tables import ARGUMENT_SYNONYMS, OPERATORS, SYNONYMS


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
def schemas(name: str) -> list[Any]:
    try:
        return torch._C._jit_get_schemas_for_operator(f"aten::{name}")
    except RuntimeError:
        return []


def python_signature(function: Callable) -> inspect.Signature | None:
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
    if signature := python_signature(function):
        with contextlib.suppress(TypeError):
            return bind_signature(signature, args, kwargs)
    for schema in schemas(name):
        if (bound := bind_schema(schema, args, kwargs)) is not None:
            return bound
    raise ValueError("it is not known how to write its arguments")
