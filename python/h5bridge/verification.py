"""A model beside the outputs that are expected of it."""

from __future__ import annotations

from typing import Any

from .arguments import flag
from .comparison import tolerances
from .model import Model, load
from .options import Paths, paths_of
from .outputs import Arrays, Ports, agreements, computed, named


def verify(
    model: Model | Paths,
    inputs: Arrays,
    expected: Arrays,
    *,
    layout: str | None = None,
    device: str = "cpu",
    atol: float = 1e-5,
    rtol: float = 1e-4,
    equal_nan: bool = False,
) -> dict[str, Any]:
    """Runs a model, by `Model.to_torch()`, and compares its outputs with those that are expected, as `h5bridge verify`
    does. `model` is a `Model`, or the file or files that make one. `inputs` and `expected`: an array, a list of them in
    order, or a dict by name. They are laid out as the framework has them that the model came from (images of a Keras
    model NHWC), or as `layout`, "keras" or "torch", says.

    Gives `{"agrees": bool, "outputs": [{"name", "agrees", "largest_absolute", ...}]}`.

    Raises what `load` raises; SystemFailure without PyTorch; UsageError for inputs that the model does not have;
    Unsupported naming the layers that have no PyTorch source."""
    limits = tolerances(atol, rtol)
    opened = model if isinstance(model, Model) else load(paths_of(model, "model"))
    ports = Ports(opened, layout)
    wanted = named(expected, ports.outputs, "output")
    found = computed(opened, ports, named(inputs, ports.inputs, "input"), device)
    outputs = agreements(found, wanted, *limits, flag("equal_nan", equal_nan))
    return {"agrees": all(output["agrees"] for output in outputs), "outputs": outputs}
