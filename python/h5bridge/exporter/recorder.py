"""What notes each call while a forward runs."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import unset_fake_temporarily

from .arguments import bind, function_name
from .branches import Branches
from .counting import Counting
from .entries import Entry, Stop
from .errors import ExportError
from .folding import Folding
from .function_entries import FunctionEntries
from .indexing import Indexing
from .module_entries import ModuleEntries
from .modules import TRACED_WITH_NUMBERS, affine_grid, max_pool1d
from .places import line_of_the_user
from .rewrites import IN_OTHER_WORDS
from .tables import (
    ARITHMETIC, CASTS, COMPOSED, CUTS, FACTORIES, MOST_NUMBERS, NUMBERS_ALONE, READS_DATA, SAME_VALUE, STOPS_GRADIENTS,
)  # fmt: skip
from .tensors import leaves, puts_in_order, tensors_in, with_sizes


class Recorder(Branches, Counting, Folding, FunctionEntries, Indexing, ModuleEntries):
    """Notes what a forward calls: functions through PyTorch's mode, modules through `call_module`."""

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
            instead = "; torch.cond has a condition and both of its branches in the graph" if name == "__bool__" else ""
            self.stop(f"{self.where()}: {name} makes the graph depend on a tensor's values{advice}{line_of_the_user()}{instead}")
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
        if name in FACTORIES and not any(isinstance(v, (torch.SymInt, torch.SymFloat)) for v in leaves([args, kwargs])):
            with unset_fake_temporarily():
                made = func(*args, **kwargs)  # likewise
            if name in NUMBERS_ALONE or made.numel() <= MOST_NUMBERS:
                return made
        if (folded := self._folded(name, func, args, kwargs)) is not NotImplemented:
            return folded
        before = [(t, t._version) for t in tensors_in([args, kwargs])]
        result = self._run(name, func, args, kwargs)
        changed = [t for t, version in before if t._version != version]
        made = list(tensors_in(result))
        if not made and not changed:
            return result
        if any(not any(t is y for y in made) for t in changed):
            instead = ": torch.where and torch.cat make a new one instead, or a .pt2 of torch.export.save is read with it" if name == "__setitem__" else ""
            self.problem(f"{self.where()}: {name} changes a tensor in place{instead}")
            for t in changed:
                self.track(t, None)
            return result
        try:
            if name == "__getitem__" and isinstance(args[0], Tensor):
                return self._index(args[0], args[1])
            if name in STOPS_GRADIENTS and made[0].is_floating_point():
                return self._detach(args[0], result)
            if puts_in_order(name, args, kwargs):
                return self._add(Entry("contiguous", "contiguous", inputs=[self.value_of(args[0])]), result, changed, before)
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
        if plain in TRACED_WITH_NUMBERS and any(isinstance(v, torch.SymInt) for v in leaves([args, kwargs])):
            return self._run_with_numbers(name, func, args, kwargs)
        if plain == "max_pool1d":
            func = functools.partial(max_pool1d, return_indices=name.endswith("indices"))
        if plain == "affine_grid":
            func = affine_grid
        try:
            result = func(*args, **kwargs)
            return self._evenly_cut(result, *args, **kwargs) if name == "tensor_split" else result
        except (Stop, ExportError):
            raise
        except Exception as error:
            kind = type(error).__name__
            if kind in ("DataDependentOutputException", "DynamicOutputShapeException", "GuardOnDataDependentSymNode"):
                self.stop(f"{self.where()}: {name} makes the graph depend on a tensor's values{line_of_the_user()}")
            raise

    def _run_with_numbers(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        given = {argument.name: argument.value for argument in bind(func, function_name(name), args, kwargs)}
        self._refuse_open_ceil_mode(name, given)
        result = self._run(name, func, tuple(map(self._hinted, args)), self._hinted(kwargs))
        return with_sizes(result, TRACED_WITH_NUMBERS[name.removesuffix("_with_indices")](args[0], given))
