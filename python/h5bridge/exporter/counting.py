"""Sizes as tensors, and tensors cut at open sizes."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import sympy
import torch
from torch import Tensor

from .arguments import Argument
from .sizes import Sizes
from .tensors import with_size
from .values import Values


class Counting(Values):
    """Sizes that the network computes with, and cuts at sizes that are open."""

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
