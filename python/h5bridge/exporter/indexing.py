"""From an index to entries: select, slice, unsqueeze, index_select, index_by_tensors."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

from .entries import Entry
from .modules import is_same
from .tensors import with_size
from .values import Values


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


def _takes_all(part: slice, size: int | torch.SymInt) -> bool:
    """Whether a slice leaves nothing out of an axis, by what is known of its size."""
    is_whole = lambda value, wanted: value is None or type(value) is int and value == wanted  # noqa: E731
    if not (is_whole(part.start, 0) and is_whole(part.step, 1)):
        return False
    end = part.stop
    known = type(end) is int and (end == sys.maxsize or type(size) is int and end >= size)
    return end is None or known or isinstance(end, torch.SymInt) and is_same(end, size)


class Indexing(Values):
    """x[...] as entries."""

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
        if len(lists) == 1 and self._is_constant_list(parts[lists[0]]):
            parts[lists[0]] = parts[lists[0]].tolist()
        if len(lists) > 1 and lists == list(range(lists[0], lists[-1] + 1)) and self._may_be_joined(x, parts, lists):
            y, parts = self._joined(x, lists[0], parts, lists)
        by_tensors: dict[int, Tensor] = {}  # those that are indexed together, when all else is done
        alone = sum(isinstance(part, (list, Tensor)) for part in parts) == 1
        for part in parts:
            full = (slice(None),) * axis
            before = y
            if isinstance(part, slice):
                if _takes_all(part, y.shape[axis]):
                    axis += 1
                    continue
                start, end, step = part.start, part.stop, part.step
                attributes = {"dim": axis, "start": start, "end": end, "step": step}
                attributes = {k: self.json(v) for k, v in attributes.items() if v is not None}
                size = self.sizes.part(y.shape[axis], start, end, 1 if step is None else step)
                y, entry = with_size(y[(*full, part)], axis, size), Entry("slice", "slice", attributes)
                axis += 1
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

    def _is_constant_list(self, part: Any) -> bool:
        """Whether an index is a tensor of whole numbers, one after the other, that are known and no module's."""
        is_list = isinstance(part, Tensor) and _are_numbers(part) and part.dim() == 1 and part.numel() > 0
        return is_list and id(part) not in self.held and self._is_constant(part)

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
