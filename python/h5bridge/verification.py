"""A model beside the outputs that are expected of it."""

from __future__ import annotations

from typing import Any

from . import _core
from .arguments import flag
from .comparison import tolerances
from .errors import UsageError
from .model import Model, load
from .options import Paths, paths_of
from .outputs import Arrays, Ports, named, tensors


def verify(
    model: Model | Paths,
    inputs: Arrays | None = None,
    expected: Arrays | None = None,
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

    Without inputs and expected outputs, those that the model keeps are replayed (`Model.reference`).

    >>> import numpy
    >>> x, y = (dict(numpy.load(name)) for name in ("inputs.npz", "outputs.npz"))
    >>> h5bridge.verify(["digits.json", "digits.pth"], x, y)["agrees"]
    True

    Gives `{"agrees": bool, "outputs": [{"name", "agrees", "largest_absolute", ...}], "likely_cause": None or {"kind",
    "what", "layer", "all_outputs_agree"}}`; of a replay, "reference_by", and "first_layer", the first that differs, too.
    The causes that are tried are those of docs/when_numbers_differ.md.

    Raises what `load` raises; SystemFailure without PyTorch; UsageError for inputs that the model does not have, and where
    there are none and it keeps none;
    Unsupported naming the layers that have no PyTorch source."""
    limits = tolerances(atol, rtol)
    opened = model if isinstance(model, Model) else load(paths_of(model, "model"))
    if (inputs is None) != (expected is None):
        raise UsageError("verify takes inputs and expected together, or neither to replay what the model keeps")
    tolerated = (*limits, flag("equal_nan", equal_nan))
    if inputs is None or expected is None:
        if opened.reference is None:
            raise UsageError("the model keeps no reference to replay; give inputs and expected")
        return _core.replay(opened._core, device, *tolerated)
    ports = Ports(opened, layout)
    given = tensors(named(inputs, ports.inputs, "input")), tensors(named(expected, ports.outputs, "output"))
    return _core.verify(opened._core, ports.layout, device, *given, *tolerated)
