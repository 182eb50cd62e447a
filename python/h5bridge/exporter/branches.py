"""torch.cond, both of whose branches are noted: which of them is needed is for the condition to say when the network runs."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, ContextManager
from unittest import mock

import torch
from torch import Tensor
from torch._higher_order_ops import utils as higher_order
from torch.utils import _pytree as pytree

from .entries import Entry, Value
from .places import line_of_the_user
from .tensors import tensors_in
from .values import Values

# By the names of the functions that are compiled.
_KINDS = {"_cond_op_wrapper": "cond", "_while_loop_op_wrapper": "while_loop"}
_KINDS |= {f"run_flattened_{name}": name for name in ("map", "scan", "associative_scan")}

# PyTorch's own, which runs such a call by way of its compiler.
_COMPILES = "_hop_compile_and_call"
_compile_and_call = getattr(higher_order, _COMPILES, None)


def calling(instead: Callable) -> ContextManager:
    """Has `instead` called with what PyTorch would compile; within another one that stays."""
    if _compile_and_call is None or getattr(higher_order, _COMPILES) is not _compile_and_call:
        return contextlib.nullcontext()
    return mock.patch.object(higher_order, _COMPILES, instead)


def call_chosen(func: Callable, args: tuple, kwargs: dict | None = None) -> Any:
    """The branch that torch.cond chooses, as Python's `if` has it: compiling it takes seconds, for each size anew."""
    if _KINDS.get(getattr(func, "__name__", "")) != "cond":
        return _compile_and_call(func, args, kwargs)  # type: ignore[misc]
    pred, true_fn, false_fn, operands = args
    return (true_fn if pred else false_fn)(*operands)


class Branches(Values):
    """Calls of PyTorch's functions that take functions."""

    def call_higher_order(self, func: Callable, args: tuple, kwargs: dict | None = None) -> Any:
        """In place of what compiles such a call: torch.cond(pred, true_fn, false_fn, operands), and the loops."""
        kind = _KINDS.get(getattr(func, "__name__", ""))
        if self._inside_leaf or kind is None:
            return call_chosen(func, args, kwargs)
        if kind != "cond":
            self.stop(f"{self.where()}: {kind} calls a function over and over, which no layer does{line_of_the_user()}")
        pred, true_fn, false_fn, operands = args
        if not isinstance(pred, Tensor):  # a condition on a size, which the trace decides as it does those of Python's
            return (true_fn if pred else false_fn)(*operands)
        outside = [*self._alive, *tensors_in([operands, *map(_closure, (true_fn, false_fn))])]
        versions = [tensor._version for tensor in outside]
        if_true, if_false = (pytree.tree_flatten(branch(*operands)) for branch in (true_fn, false_fn))
        where = f"{self.where()}: torch.cond"
        if [tensor._version for tensor in outside] != versions:
            self.problem(f"{where}: a branch changes a tensor in place that it has not made itself{line_of_the_user()}")
        if if_true[1] != if_false[1]:
            self.stop(f"{where}: its branches give results of two forms{line_of_the_user()}")
        return pytree.tree_unflatten([self._one_of(where, pred, *pair) for pair in zip(if_true[0], if_false[0])], if_true[1])

    def _one_of(self, where: str, pred: Tensor, one: Any, other: Any) -> Any:
        if one is None and other is None:
            return None
        if not (isinstance(one, Tensor) and isinstance(other, Tensor)) or one.dtype != other.dtype or one.dim() != other.dim():
            self.stop(f"{where}: its branches give results of two kinds{line_of_the_user()}")
        with torch._C.DisableTorchFunction():
            made = torch.empty_strided(one.shape, one.stride(), dtype=one.dtype, device=one.device)
        try:
            inputs: list[Value | None] = [self.value_of(tensor) for tensor in (pred, one, other)]
        except ValueError as error:
            self.problem(f"{where}: {error}")
            return self._add(None, made, [], [])
        return self._add(Entry("cond", "cond", inputs=inputs), made, [], [])  # type: ignore[arg-type]


def _closure(function: Callable) -> list[Any]:
    """What a function has of those around it."""
    found = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # nothing is in it yet
            pass
    return found
