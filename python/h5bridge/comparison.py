"""Two models beside each other."""

from __future__ import annotations

from numbers import Real
from typing import Any

from . import _core
from .arguments import expect, flag
from .errors import UsageError, with_keywords
from .model import Model, load
from .options import Paths, paths_of


def compare(
    a: Model | Paths, b: Model | Paths, *, atol: float = 1e-5, rtol: float = 1e-4, equal_nan: bool = False
) -> dict[str, Any]:
    """Compares the weights of two models and, where both have one, their optimizers, as `h5bridge compare` does. Each is
    a `Model`, or the file or files that make one. Tensors are matched by their PyTorch names, also where Keras has
    renamed them, and brought to PyTorch's layout. `atol`, `rtol` and `equal_nan` are those of `numpy.allclose`.

    Gives what `h5bridge compare --json` prints: `{"agrees": bool, "only_in_a": [name], "only_in_b": [name], "tensors":
    [{"name", "agrees", "largest_absolute", ...}], "training": [what differs, a line each], "notes": [what was not
    compared], "run": None}`. Outputs are not compared: the program does that, `h5bridge compare A B --random-inputs 4`.

    Raises what `load` raises, and UsageError for a tolerance that is negative or no number."""
    tolerances = [float(expect(name, value, Real, "a number")) for name, value in (("atol", atol), ("rtol", rtol))]
    for name, value in zip(("atol", "rtol"), tolerances):
        if not value >= 0:
            raise UsageError(f"{name} is {value}, expected a number that is not negative")
    given = {"a": a, "b": b}
    models = [model if isinstance(model, Model) else load(paths_of(model, name)) for name, model in given.items()]
    found = _core.compare(*(model._core for model in models), *tolerances, flag("equal_nan", equal_nan))
    for lines in (found["training"], found["notes"]):
        lines[:] = map(with_keywords, lines)
    return found
