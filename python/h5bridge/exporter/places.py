"""Where in the user's own code something is called."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import torch

# Neither is the user's: what he calls goes through these.
_NOT_THE_USERS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


def line_of_the_user() -> str:
    """` (net.py, line 12)`: the innermost line outside of PyTorch and the exporter; empty where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if Path(file).is_file() and not file.startswith(_NOT_THE_USERS):
            return f" ({Path(file).name}, line {frame.f_lineno})"
        frame = frame.f_back
    return ""
