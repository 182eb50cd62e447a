"""Finding tensors and sizes in what Python passes on."""

from __future__ import annotations

from typing import Any, Iterator

import torch
from torch import Tensor


def tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def with_size(x: Tensor, axis: int, size: int | torch.SymInt) -> Tensor:
    """A part of a tensor without data, with the size that it has for all open ones, and not for the traced ones alone."""
    if not isinstance(size, torch.SymInt) or isinstance(x.shape[axis], torch.SymInt) and x.shape[axis].node.expr == size.node.expr:
        return x
    return x.as_strided([size if i == axis % x.dim() else other for i, other in enumerate(x.shape)], x.stride())


def with_sizes(value: Any, sizes: dict[int, int | torch.SymInt]) -> Any:
    """Tensors without data, of all of which axes have these sizes, and strides that know no numbers either."""
    if isinstance(value, (list, tuple)):
        return tuple(with_sizes(item, sizes) for item in value)
    return value.new_empty([sizes.get(axis - value.dim(), size) for axis, size in enumerate(value.shape)])


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def puts_in_order(name: str, args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether a call has elements lie in memory in the order of the axes that did not before."""
    if name not in ("contiguous", "clone") or not args or not isinstance(args[0], Tensor):
        return False
    wanted = kwargs.get("memory_format", args[1] if len(args) > 1 else torch.contiguous_format if name == "contiguous" else None)
    return wanted is torch.contiguous_format and not args[0].is_contiguous()
