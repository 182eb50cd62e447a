"""Two models beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from . import _core
from .arguments import count, expect, flag
from .errors import UsageError, with_keywords
from .model import Model, load
from .options import Paths, paths_of
from .outputs import Arrays, Ports, named, tensors


def tolerances(atol: Any, rtol: Any) -> list[float]:
    """Those of numpy.allclose. Raises UsageError for one that is negative or no number."""
    limits = [float(expect(name, value, Real, "a number")) for name, value in (("atol", atol), ("rtol", rtol))]
    for name, value in zip(("atol", "rtol"), limits):
        if not value >= 0:
            raise UsageError(f"{name} is {value}, expected a number that is not negative")
    return limits


def compare(
    a: Model | Paths,
    b: Model | Paths,
    *,
    inputs: Arrays | None = None,
    random_inputs: int | None = None,
    seed: int = 0,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    layout: str | None = None,
    atol: float = 1e-5,
    rtol: float = 1e-4,
    equal_nan: bool = False,
) -> dict[str, Any]:
    """Compares the weights of two models and, where both have one, their optimizers, as `h5bridge compare` does. Each is
    a `Model`, or the file or files that make one. Tensors are matched by their PyTorch names, also where Keras has
    renamed them, and brought to PyTorch's layout. `atol`, `rtol` and `equal_nan` are those of `numpy.allclose`.

    With `inputs` (an array, a list in order, a dict by the names of `a`'s inputs), or with `random_inputs` rows of random
    ones, both are run, too, by `Model.to_torch()`, and their outputs compared in order. Inputs look as `a`'s framework
    has them, or as `layout`, "keras" or "torch", says; `input_shapes` are shapes of random ones by name.

    >>> h5bridge.compare("digits.pth", "digits.pth")["agrees"]
    True

    Gives what `h5bridge compare --json` prints: `{"agrees": bool, "only_in_a": [name], "only_in_b": [name], "tensors":
    [{"name", "agrees", "largest_absolute", ...}], "training": [what differs, a line each], "notes": [what was not
    compared], "run": None or {"agrees": bool, "outputs": [...], "first_layer", "likely_cause"}}`: of outputs that differ, the
    first layer that does and why, where that is found.

    Raises what `load` raises, and UsageError for a tolerance that is negative or no number; where outputs are compared,
    SystemFailure without PyTorch and Unsupported naming the layers that have no PyTorch source."""
    limits = tolerances(atol, rtol)
    if inputs is not None and random_inputs is not None:
        raise UsageError("inputs and random_inputs exclude each other")
    given = {"a": a, "b": b}
    models = [model if isinstance(model, Model) else load(paths_of(model, name)) for name, model in given.items()]
    found = _core.compare(*(model._core for model in models), *limits, flag("equal_nan", equal_nan))
    for lines in (found["training"], found["notes"]):
        lines[:] = map(with_keywords, lines)
    if inputs is not None or random_inputs is not None:
        rows = None if random_inputs is None else count("random_inputs", random_inputs)
        found["run"] = _outputs(models, inputs, rows, count("seed", seed), input_shapes or {}, layout, limits, equal_nan)
        found["agrees"] = found["agrees"] and found["run"]["agrees"]
    return found


def _outputs(
    models: list[Model],
    inputs: Arrays | None,
    rows: int | None,
    seed: int,
    shapes: Mapping[str, Sequence[int]],
    layout: str | None,
    limits: list[float],
    equal_nan: bool,
) -> dict[str, Any]:
    ports = Ports(models[0], layout)
    given = ports.random(rows, seed, shapes) if rows is not None else tensors(named(inputs, ports.inputs, "input"))
    return _core.compare_outputs(*(model._core for model in models), ports.layout, given, *limits, equal_nan)
