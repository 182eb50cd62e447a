"""Arrays that a model takes and gives, under the names that it has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from . import _core
from .arguments import text_or_none
from .errors import UsageError
from .model import Model

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

    def random(self, rows: int, seed: int, shapes: Mapping[str, Sequence[int]]) -> list[tuple[str, _core.Tensor]]:
        given = {name: [int(size) for size in shape] for name, shape in shapes.items()}
        return _core.random_inputs(self.model, self.layout, rows, seed, given)


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


def tensors(arrays: Mapping[str, numpy.ndarray]) -> list[tuple[str, _core.Tensor]]:
    return [(name, tensor_of(array)) for name, array in arrays.items()]


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
