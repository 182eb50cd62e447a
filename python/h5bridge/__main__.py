"""The program `h5bridge`, as a wheel brings it: `h5bridge convert ...`, or `python -m h5bridge convert ...`. In a wheel it
has no LibTorch; `run`, `verify` and outputs of `compare` are functions of the package, which compute with PyTorch."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Becomes the program that lies beside this file, or in the build tree two folders up."""
    here = Path(__file__).resolve().parent
    program = next((path for path in (here / "bin" / "h5bridge", here.parents[1] / "h5bridge") if path.is_file()), None)
    if program is None:
        sys.exit(f"h5bridge: the program is not beside the package ({here / 'bin' / 'h5bridge'})")
    os.execv(program, ["h5bridge", *sys.argv[1:]])


if __name__ == "__main__":
    main()
