"""Functions that are others in other words."""

from __future__ import annotations

import math
from typing import Any, Callable, Sequence

import torch
from torch import Tensor

from .tables import FILLED


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


def _take_along_dim(func: Callable, input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather of what has the sizes of both, where one is stretched to the other."""
    if dim is None:
        flat = lambda x: x.flatten() if x.dim() else x.unsqueeze(0)  # noqa: E731
        return flat(input).gather(0, flat(indices))
    dim %= input.dim()
    is_one = lambda size: isinstance(size, int) and size == 1  # noqa: E731
    both = [b if is_one(a) else a for a, b in zip(input.shape, indices.shape)]

    def stretched(x: Tensor) -> Tensor:
        sizes = [x.shape[axis] if axis == dim else size for axis, size in enumerate(both)]
        return x.expand(sizes) if any(is_one(own) and not is_one(size) for own, size in zip(x.shape, sizes)) else x

    return stretched(input).gather(dim, stretched(indices))


def _rot90(func: Callable, x: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    first, second = dims
    if k % 4 == 2:
        return x.flip(dims)
    flipped = x if k % 4 == 0 else x.flip((second if k % 4 == 1 else first,))
    return x.clone() if k % 4 == 0 else flipped.transpose(first, second)


def _diag_embed(func: Callable, x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The elements where row and column are the same, and zeros elsewhere: chosen, as infinities times zero are NaN."""
    size = x.shape[-1]
    rows = torch.arange(size + abs(offset), device=x.device)
    columns = rows - offset if offset else rows
    wide = torch.nn.functional.pad(x, (max(offset, 0), max(-offset, 0))) if offset else x
    made = torch.where(rows.unsqueeze(1) == columns, wide.unsqueeze(-2), 0.0 if x.is_floating_point() else 0)
    stand_last = (dim1 % made.dim(), dim2 % made.dim()) == (made.dim() - 2, made.dim() - 1)
    return made if stand_last else made.movedim((-2, -1), (dim1, dim2))


def _tensordot(func: Callable, a: Tensor, b: Tensor, dims: Any = 2, out: None = None) -> Tensor:
    """One product of matrices, as PyTorch has it (aten/src/ATen/native/Linear.cpp)."""
    if isinstance(dims, Tensor):
        return NotImplemented
    first, second = (range(a.dim() - dims, a.dim()), range(dims)) if isinstance(dims, int) else dims
    first, second = ([axis % x.dim() for axis in axes] for x, axes in ((a, first), (b, second)))
    rows, columns = ([axis for axis in range(x.dim()) if axis not in axes] for x, axes in ((a, first), (b, second)))
    summed = math.prod(a.shape[axis] for axis in first)
    left = _permuted(a, rows + first).reshape(math.prod(a.shape[axis] for axis in rows), summed)
    right = _permuted(b, second + columns).reshape(summed, math.prod(b.shape[axis] for axis in columns))
    return (left @ right).reshape([*(a.shape[axis] for axis in rows), *(b.shape[axis] for axis in columns)])


def _permuted(x: Tensor, axes: list[int]) -> Tensor:
    return x if axes == list(range(x.dim())) else x.permute(axes)


def _inner(func: Callable, a: Tensor, b: Tensor) -> Tensor:
    return a * b if 0 in (a.dim(), b.dim()) else _tensordot(func, a, b, ([-1], [-1]))


def _loss(of_difference: Callable[[Tensor], Tensor]) -> Callable:
    """A loss of torch.nn.functional that looks at each difference alone."""

    def rewrite(func: Callable, input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
                reduction: str = "mean", weight: Tensor | None = None) -> Any:  # fmt: skip
        old = size_average is not None or reduce is not None
        if old or weight is not None or reduction not in ("none", "mean", "sum"):
            return NotImplemented
        each = of_difference(input - target)
        return each if reduction == "none" else getattr(each, reduction)()

    return rewrite


def _matrix_norm(func: Callable, x: Tensor, ord: Any = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False,
                 dtype: Any = None) -> Any:  # fmt: skip
    """Frobenius's norm, and the largest or smallest sum of absolute values of columns (1) or rows (inf)."""
    if dtype is not None:
        return NotImplemented
    rows, columns = (axis % x.dim() for axis in dim)
    if ord == "fro":
        return torch.norm(x, 2, dim=[rows, columns], keepdim=keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        return NotImplemented
    summed, chosen = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = torch.norm(x, 1, dim=[summed], keepdim=True)
    most = (torch.amax if ord > 0 else torch.amin)(sums, chosen, keepdim=True)
    return most if keepdim else most.squeeze(max(rows, columns)).squeeze(min(rows, columns))


def _norm_of_matrices(func: Callable, x: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *,
                      dtype: Any = None) -> Any:  # fmt: skip
    """linalg.norm, which looks at matrices where it has an order and two axes."""
    axes = (-2, -1) if dim is None and x.dim() == 2 else dim
    if ord is None or not isinstance(axes, (list, tuple)) or len(axes) != 2:
        return NotImplemented
    return _matrix_norm(func, x, ord, axes, keepdim, dtype)


# Functions that call others instead, which are recorded; or give NotImplemented, and are recorded themselves.
IN_OTHER_WORDS: dict[str, Callable[..., Any]] = {
    "clamp": _in_bounds,
    "clip": _in_bounds,
    "clamp_min": _in_bounds,
    "clamp_max": lambda func, x, max: _in_bounds(func, x, None, max),
    "diff": _diff,
    "take_along_dim": _take_along_dim,
    "rot90": _rot90,
    "diag_embed": _diag_embed,
    "tensordot": _tensordot,
    "inner": _inner,
    "mse_loss": _loss(torch.square),
    "l1_loss": _loss(torch.abs),
    "linalg_matrix_norm": _matrix_norm,
    "linalg_norm": _norm_of_matrices,
    "aminmax": lambda func, x, dim=None, keepdim=False: (torch.amin(x, () if dim is None else dim, keepdim), torch.amax(x, () if dim is None else dim, keepdim)),
} | dict.fromkeys("sum mean prod cumsum cumprod nansum nanmean softmax log_softmax softmin".split(), _cast_first)  # fmt: skip
