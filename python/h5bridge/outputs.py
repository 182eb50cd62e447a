"""What a model makes of inputs, computed by PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Union

from . import _core
from .arguments import expect, text_or_none
from .errors import UsageError
from .model import Model, installed
from .tensors import read

if TYPE_CHECKING:
    import numpy

Array = Any  # what numpy.asarray takes
Arrays = Union[Array, Sequence[Array], Mapping[str, Array]]


class Ports:
    """How a model's inputs and outputs look from outside: as a framework has them, whatever PyTorch computes with."""

    def __init__(self, model: Model, layout: str | None) -> None:
        self.model = _core.in_torch_layout(model._core)
        own = "keras" if model.format.startswith("keras") else "torch"
        self.layout = text_or_none("layout", layout) or own
        described = _core.ports(self.model, self.layout)
        self.inputs, self.outputs = described["inputs"], described["outputs"]

    def random(self, rows: int, seed: int, shapes: Mapping[str, Sequence[int]]) -> dict[str, numpy.ndarray]:
        given = {name: [int(size) for size in shape] for name, shape in shapes.items()}
        made = _core.random_inputs(self.model, self.layout, rows, seed, given)
        return {name: read(tensor, name) for name, tensor in made}


def named(given: Arrays, ports: list[dict[str, Any]], what: str) -> dict[str, numpy.ndarray]:
    """Arrays by the names of `ports`; without names they are meant in order."""
    import numpy

    names = [port["name"] for port in ports]
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            raise UsageError(f"there is no {what} {unknown[0]!r}; the model has {', '.join(map(repr, names))}")
        return {name: numpy.asarray(array) for name, array in given.items()}
    arrays = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(arrays) > len(names):
        raise UsageError(f"{len(arrays)} arrays are given, and the model has {len(names)} {what}s")
    return {name: numpy.asarray(array) for name, array in zip(names, arrays)}


def computed(model: Model, ports: Ports, inputs: Mapping[str, numpy.ndarray], device: str) -> dict[str, numpy.ndarray]:
    """The outputs by name, in evaluation mode. Raises SystemFailure without PyTorch, UsageError for missing inputs."""
    import numpy

    torch = installed("torch", "PyTorch")
    given = []
    for port in ports.inputs:
        if port["name"] not in inputs:
            raise UsageError(f"input {port['name']!r} is missing")
        array = inputs[port["name"]]
        if array.ndim != len(port["axes"]):
            raise UsageError(f"input {port['name']!r} has {array.ndim} axes, expected {len(port['axes'])}")
        kept = numpy.ascontiguousarray(array.transpose(numpy.argsort(port["axes"])))
        given.append(torch.from_numpy(kept).to(device=device, dtype=getattr(torch, port["dtype"])))
    with torch.no_grad():
        made = model.to_torch(device).eval()(*given)
    values = list(made.values()) if isinstance(made, dict) else list(made) if isinstance(made, tuple) else [made]
    outputs = {}
    for port, value in zip(ports.outputs, values):
        value = value.float() if value.dtype == torch.bfloat16 else value  # which NumPy lacks
        outputs[port["name"]] = value.cpu().numpy().transpose(port["axes"])
    return outputs


def keep_reference(model: Model, inputs: Arrays, outputs: Arrays, by: str, layout: str) -> None:
    """The model keeps them as what `by` made. Raises UsageError where they are not those that the model takes and gives."""
    ports = Ports(model, layout)
    kept = []
    for arrays, known, what in ((inputs, ports.inputs, "input"), (outputs, ports.outputs, "output")):
        by_name = named(arrays, known, what)
        missing = [port["name"] for port in known if port["name"] not in by_name]
        if missing:
            raise UsageError(f"{what} {missing[0]!r} of the reference is missing")
        kept.append([tensor_of(by_name[port["name"]]) for port in known])
    _core.keep_reference(model._core, layout, *kept, by)


def tensor_of(array: numpy.ndarray) -> _core.Tensor:
    return _core.tensor_of(array.tobytes(), array.dtype.name, list(array.shape))


def agreements(
    found: Mapping[str, numpy.ndarray], expected: Mapping[str, numpy.ndarray], atol: float, rtol: float, equal_nan: bool
) -> list[dict[str, Any]]:
    """A line for each output, as `h5bridge verify --json` has them."""
    result = []
    for name, array in found.items():
        if name in expected:
            pair = (tensor_of(array), tensor_of(expected[name]))
            result.append(_core.compare_outputs(name, *pair, atol, rtol, equal_nan))
        else:
            result.append({"name": name, "agrees": False, "problem": "is not among the expected arrays"})
    return result


def count(name: str, value: Any) -> int:
    return int(expect(name, value, Integral, "a whole number"))
