"""Functions that are others in other words."""

from __future__ import annotations

from typing import Any, Callable

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


def _weight_normed(func: Callable, v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """g v / |v|, the norm along all axes but `dim`, or along all of them."""
    others = [axis for axis in range(v.dim()) if axis != dim] if dim != -1 else None
    return v * g / torch.norm(v, 2, dim=others, keepdim=True)


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
