"""What the package does not do yet: an error that names it, and what does it meanwhile."""

from __future__ import annotations

from typing import Any, NoReturn

from .errors import Unsupported


def verify(*sources: Any, **options: Any) -> NoReturn:
    """Not there yet: raises Unsupported. `h5bridge verify` of the program compares a model with given outputs."""
    raise Unsupported(
        "verify: not in the Python package yet; the program does it: h5bridge verify SOURCE... --input X --expect Y"
    )
