"""Arguments of the package's functions as the library takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Union

from . import _core

Path = Union[str, "os.PathLike[str]"]
Paths = Union[Path, Iterable[Path]]


def paths_of(paths: Paths) -> list[str]:
    """One path or many."""
    return [os.fspath(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]


def loading(
    key: str = "",
    allow_unexpected: bool = False,
    fix_size: Mapping[str, int] | None = None,
    optimizer: bool = True,
    param_order: Sequence[str] | Sequence[Sequence[str]] = (),
    untie: bool = False,
    match: str | None = None,
    written_by: str | None = None,
) -> _core.LoadOptions:
    """How sources are read."""
    options = _core.LoadOptions()
    options.key = key
    options.allow_unexpected = allow_unexpected
    options.fix_size = dict(fix_size or {})
    options.optimizer = optimizer
    # A list of names is the one group that there is.
    groups = [param_order] if param_order and isinstance(param_order[0], str) else param_order
    options.param_order = [list(group) for group in groups]
    options.untie = untie
    options.match = match
    options.written_by = written_by
    return options


def saving(
    to: str = "",
    data_format: str | None = None,
    optimizer: bool = True,
    checkpoint: bool = False,
    dtype: str | None = None,
    lossless: bool = False,
) -> _core.SaveOptions:
    """How destinations are written."""
    options = _core.SaveOptions()
    options.to = to
    options.data_format = data_format
    options.optimizer = optimizer
    options.checkpoint = checkpoint
    options.dtype = dtype
    options.lossless = lossless
    return options
