"""Arguments of the package's functions as the library takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Union

from . import _core
from .arguments import expect, flag, listed, text, text_or_none, wrong_type
from .errors import UsageError

Path = Union[str, "os.PathLike[str]"]
Paths = Union[Path, Iterable[Path]]


def paths_of(paths: Paths, name: str) -> list[str]:
    """One path or many; `name`: of the argument that they are."""
    one = isinstance(paths, (str, os.PathLike))
    return [_path(path, name) for path in ([paths] if one else listed(name, paths, "a path or a list of them"))]


def _path(path: Any, name: str) -> str:
    spelled = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if not isinstance(spelled, str):
        raise wrong_type(name, path, "a path (str or os.PathLike)")
    return spelled


def sizes_of(fix_size: Any) -> dict[str, int]:
    """Open sizes bound to numbers."""
    expected = 'None or a dict of names and numbers, {"length": 128}'
    sizes = {} if fix_size is None else expect("fix_size", fix_size, Mapping, expected)
    for name, size in sizes.items():
        expect("fix_size", name, str, expected)
        expect(f"fix_size[{name!r}]", size, Integral, "a whole number")
    return {name: int(size) for name, size in sizes.items()}


def _shapes(input_shapes: Any) -> dict[str, list[int]]:
    expected = 'None or a dict of names and shapes, {"input": (1, 3, 32, 32)}'
    given = {} if input_shapes is None else expect("input_shapes", input_shapes, Mapping, expected)
    return {expect("input_shapes", name, str, expected): _shape(f"input_shapes[{name!r}]", shape) for name, shape in given.items()}


def _shape(name: str, shape: Any) -> list[int]:
    expected = "a list of whole numbers, none of them negative"
    sizes = [int(expect(name, size, Integral, expected)) for size in listed(name, shape, expected)]
    if any(not 0 <= size < 2**63 for size in sizes):
        raise UsageError(f"{name} is {shape!r}, expected {expected}")
    return sizes


def _names(names: Any) -> dict[str, str]:
    expected = 'None or a dict of names, {"theirs": "ours"}'
    given = {} if names is None else expect("map", names, Mapping, expected)
    return {expect("map", theirs, str, expected): expect("map", ours, str, expected) for theirs, ours in given.items()}


def _renames(renames: Any) -> list[str]:
    expected = 'a list of "OLD=NEW"'
    return [expect("rename", text, str, expected) for text in listed("rename", renames, expected)]


def _groups(param_order: Any) -> list[list[str]]:
    expected = "a list of names, or of such lists, one a group"
    groups = listed("param_order", param_order, expected)
    if groups and all(isinstance(name, str) for name in groups):  # the one group that there is
        return [groups]
    return [[expect("param_order", name, str, expected) for name in listed("param_order", group, expected)] for group in groups]


def epoch_of(epoch: Any) -> int | None:
    """The number of an epoch."""
    return None if epoch is None else int(expect("epoch", epoch, Integral, "a whole number or None"))


def loss_of(loss: Any) -> float | None:
    """A loss."""
    return None if loss is None else float(expect("loss", loss, Real, "a number or None"))


UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def bytes_of(name: str, size: Any) -> int:
    """A number of bytes, or a text that has one: "5GB"."""
    expected = 'a number of bytes, or a text as "5GB" and "512MiB"'
    given = str(size) if isinstance(size, Integral) and not isinstance(size, bool) else expect(name, size, str, expected)
    digits = given[: len(given) - len(given.lstrip("0123456789"))]
    bytes_in = int(digits or 0) * UNITS.get(given[len(digits) :], 0)
    if not 0 < bytes_in < 2**64:
        raise UsageError(f"{name} is {size!r}, expected {expected}")
    return bytes_in


def loading(
    key: str = "",
    allow_unexpected: bool = False,
    fix_size: Mapping[str, int] | None = None,
    optimizer: bool = True,
    param_order: Sequence[str] | Sequence[Sequence[str]] = (),
    untie: bool = False,
    match: str | None = None,
    written_by: str | None = None,
    map: Mapping[str, str] | None = None,
    rename: Sequence[str] = (),
    optimizer_key: str = "",
    trust_torchscript: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> _core.LoadOptions:
    """How sources are read."""
    options = _core.LoadOptions()
    options.key = text("key", key)
    options.allow_unexpected = flag("allow_unexpected", allow_unexpected)
    options.fix_size = sizes_of(fix_size)
    options.optimizer = flag("optimizer", optimizer)
    options.param_order = _groups(param_order)
    options.untie = flag("untie", untie)
    options.match = text_or_none("match", match)
    options.written_by = text_or_none("written_by", written_by)
    options.map = _names(map)
    options.rename = _renames(rename)
    options.optimizer_key = text("optimizer_key", optimizer_key)
    options.trust_torchscript = flag("trust_torchscript", trust_torchscript)
    options.input_shapes = _shapes(input_shapes)
    return options


def saving(
    to: str = "",
    data_format: str | None = None,
    keras: int = 3,
    optimizer: bool = True,
    checkpoint: bool = False,
    dtype: str | None = None,
    lossless: bool = False,
    shard_size: int | str | None = None,
) -> _core.SaveOptions:
    """How destinations are written."""
    options = _core.SaveOptions()
    options.to = text("to", to)
    options.data_format = text_or_none("data_format", data_format)
    options.keras = int(expect("keras", keras, Integral, "2 or 3"))
    options.optimizer = flag("optimizer", optimizer)
    options.checkpoint = flag("checkpoint", checkpoint)
    options.dtype = text_or_none("dtype", dtype)
    options.lossless = flag("lossless", lossless)
    options.shard_size = 0 if shard_size is None else bytes_of("shard_size", shard_size)
    return options
