"""How far a long work is, on a terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import _core

_PATIENCE = 1.0  # seconds: what is done sooner says nothing
_PAUSE = 0.2
_ERASE = "\r\x1b[K"


def _text(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.4g} {unit}"
        count /= 1000
    raise AssertionError("a unit is the last")


def _show(doing: str, is_over: threading.Event) -> None:
    begin, pause, shown = time.monotonic(), _PATIENCE, False
    while not is_over.wait(pause):
        seconds, written, pause, shown = time.monotonic() - begin, _core.bytes_written(), _PAUSE, True
        done = f", {_text(written)} at {_text(written / seconds)}/s" if written else ""
        sys.stderr.write(f"{_ERASE}h5bridge: {doing}, {seconds:.0f} s{done}")
        sys.stderr.flush()
    if shown:
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


@contextmanager
def shown(doing: str) -> Iterator[None]:
    """A line on standard error for as long as the work within takes, from the second second on; nothing where that is no
    terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    is_over = threading.Event()
    thread = threading.Thread(target=_show, args=(doing, is_over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
