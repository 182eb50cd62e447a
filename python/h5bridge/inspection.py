"""What is in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _core
from .options import Paths, loading, paths_of


def inspect(
    sources: Paths,
    *,
    key: str = "",
    allow_unexpected: bool = False,
    fix_size: Mapping[str, int] | None = None,
    param_order: Sequence[str] | Sequence[Sequence[str]] = (),
    untie: bool = False,
    match: str | None = None,
    written_by: str | None = None,
    map: Mapping[str, str] | None = None,
    rename: Sequence[str] = (),
    optimizer_key: str = "",
    trust_torchscript: bool = False,
) -> dict[str, Any]:
    """What is in a model's files, in their own terms: also of those that cannot be converted.

    Gives what `h5bridge inspect --json` prints: `{"format", "architecture": the architecture JSON or None, "tensors":
    [{"name", "shape", "dtype", "trainable"}], "training": {"epoch", "loss", "optimizer": {"name", "config", "slots"},
    ...} or None, "metadata"}`. Names and shapes are the files' own. Where they state an architecture that cannot be
    read, "error" says why, and the rest is there.

    >>> h5bridge.inspect("digits.pth")["tensors"][0]["name"]
    'conv1.weight'

    Raises MalformedFile where a file is damaged, Unsupported for a format that is not read, UsageError where the files
    make no one model or have no `key`, or for an argument of a wrong type, and SystemFailure. The arguments are those of `load`.
    """
    options = loading(key, allow_unexpected, fix_size, True, param_order, untie, match, written_by, map, rename, optimizer_key, trust_torchscript)
    return _core.inspect(paths_of(sources, "sources"), options)
