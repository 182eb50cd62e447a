"""What h5bridge raises: one class for each exit status of the program. A message is one line: the file, what is wrong
in it and where, what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory

# Messages of the library name its own options, most of which are keywords here by the same name.
OPTION = re.compile(r"(?:LoadOptions|SaveOptions|Tolerance)::(\w+)( = false)?")
KEYWORDS = {"fix_sizes": "fix_size", "format": "to", "names": "map", "renames": "rename"}


def with_keywords(message: str) -> str:
    """The message with options as this package's functions have them."""
    return OPTION.sub(lambda found: KEYWORDS.get(found[1], found[1]) + ("=False" if found[2] else ""), message)


class Error(Exception):
    """Base of whatever h5bridge raises. `status` is the exit status that the program ends with on such an error."""

    status: int

    def __init__(self, message: str = "") -> None:
        super().__init__(with_keywords(message))


class Disagreement(Error):
    """Two things that should agree do not."""

    status = 1


class UsageError(Error):
    """The caller asked for what makes no sense: a format that there is not, two architectures for one model."""

    status = 2


class MalformedFile(Error):
    """A source is malformed, truncated or unsafe, or its tensors do not fit its architecture."""

    status = 3


class Unsupported(Error):
    """A source is well formed but holds something that has no equivalent (yet), or h5bridge cannot do it yet; the
    message names it."""

    status = 4


class SystemFailure(Error):
    """The system said no: no such file, no permission, disk full, not enough memory, a package not installed."""

    status = 5


BY_STATUS: dict[int, type[Error]] = {each.status: each for each in Error.__subclasses__()}


@contextmanager
def turned(what: str, into: type[Error]) -> Iterator[None]:
    """Within it, what another package raises becomes an error of h5bridge's: `what` failed, and the first line of why.
    Where the system said no, that is a SystemFailure."""
    try:
        yield
    except Error:
        raise
    except Exception as error:
        kind = SystemFailure if isinstance(error, (OSError, MemoryError)) else into
        why = [type(error).__name__, *str(error).strip().splitlines()[:1]]
        raise kind(f"{what}: {': '.join(why)}") from error


@contextmanager
def temporary_folder() -> Iterator[str]:
    """The path of a folder that is there within it."""
    with turned("no temporary folder", SystemFailure):
        folder = TemporaryDirectory(prefix="h5bridge-")
    with folder as path:
        yield path


@contextmanager
def calling(names: Mapping[str, str]) -> Iterator[None]:
    """Within it, errors call temporary files by what they stand for: `names`, by their paths."""
    try:
        yield
    except Error as error:
        message = str(error)
        for path, name in names.items():
            message = message.replace(path, name)
        raise type(error)(message) from None
