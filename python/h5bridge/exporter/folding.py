"""Functions of constants alone, which are carried out while a network is described: positions, masks, tables of distances.

They are those whose results are exact, or rounded once: src/facets/aten/folded_operators.cpp carries out the same."""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

from .arguments import function_name
from .tables import CASTS, MOST_NUMBERS
from .tensors import leaves, tensors_in
from .values import Values

EXACT = set("""add sub rsub mul div minimum maximum floor_divide remainder eq ne lt le gt ge logical_and logical_or logical_xor
    logical_not bitwise_and bitwise_or bitwise_xor bitwise_not neg abs where masked_fill tril triu zeros_like ones_like full_like
    fill zero copy clone contiguous detach view reshape flatten unflatten permute transpose t T unsqueeze squeeze expand cat stack
    index_select flip repeat getitem setitem""".split()) | CASTS  # fmt: skip

ELEMENTS = {torch.bool, torch.int32, torch.int64, torch.float32, torch.float64}

# Of floats, PyTorch rounds these more than once.
OF_INTEGERS = {"floor_divide", "remainder"}


class Folding(Values):
    """What takes constants alone is one."""

    def _folded(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """The result of a function, as a tensor with data; NotImplemented where it is one of the network's."""
        plain, given = function_name(name), list(tensors_in([args, kwargs]))
        if plain not in EXACT or not given or not all(self._is_constant(t) for t in given) or not self._is_sayable(plain, args, kwargs):
            return NotImplemented
        changed = args[0] if name.endswith("_") and not name.endswith("__") or name.startswith("__i") or plain == "setitem" else None
        if changed is not None and self._is_read(changed):
            return NotImplemented
        with unset_fake_temporarily():
            if changed is None and self._size_of_result(func, args, kwargs) > MOST_NUMBERS:
                return NotImplemented
            result = func(*args, **kwargs)
        return result

    @staticmethod
    def _is_sayable(plain: str, args: tuple, kwargs: dict) -> bool:
        """Whether all is known, and of a kind whose results are exact."""
        if any(isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)) for value in _numbers([args, kwargs])):
            return False
        if kwargs.get("rounding_mode") or kwargs.get("alpha", 1) != 1 or kwargs.get("out") is not None:
            return False
        given = list(tensors_in([args, kwargs]))
        if plain in OF_INTEGERS and any(isinstance(value, float) or isinstance(value, Tensor) and value.is_floating_point() for value in leaves([args, kwargs])):
            return False
        return plain not in ("getitem", "setitem") or len(given) <= (2 if plain == "getitem" or isinstance(args[-1], Tensor) else 1)

    @staticmethod
    def _size_of_result(func: Callable, args: tuple, kwargs: dict) -> int:
        """How many elements the result has; what has too many is not made."""
        with torch.device("meta"):
            meta = torch.utils._pytree.tree_map(lambda value: value.to("meta") if isinstance(value, Tensor) else value, (args, kwargs))
            made = func(*meta[0], **{name: value for name, value in meta[1].items() if name != "device"})
        return made.numel() if isinstance(made, Tensor) and made.dtype in ELEMENTS else MOST_NUMBERS + 1

    def _is_constant(self, tensor: Tensor) -> bool:
        if isinstance(tensor, (FakeTensor, nn.Parameter)) or id(tensor) in self._stale or tensor.dtype not in ELEMENTS:
            return False
        if id(tensor) in self._values:
            value = self._values[id(tensor)]
            return value is not None and value.entry.type == "new_tensor"
        return id(tensor) not in self.held or self.held[id(tensor)][1] not in self._kept

    def _is_read(self, tensor: Tensor) -> bool:
        """Whether something has its elements as they are, or they are the module's."""
        storage = tensor.untyped_storage()._cdata
        return id(tensor) in self.held or any(t.untyped_storage()._cdata == storage for t in self._alive)


def _numbers(value: Any) -> Any:
    for leaf in leaves(value):
        yield from (leaf.start, leaf.stop, leaf.step) if isinstance(leaf, slice) else (leaf,)
