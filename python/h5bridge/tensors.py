"""Named tensors as NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from . import _core
from .errors import Unsupported

if TYPE_CHECKING:
    import numpy


def read(tensor: _core.Tensor, name: str) -> numpy.ndarray:
    """The tensor `name` in an array of its own, which NumPy shares with what read it: no element is copied again."""
    dtype = dtype_of(tensor, name)  # before the work
    return tensor.read().view(dtype).reshape(tensor.shape)


def dtype_of(tensor: _core.Tensor, name: str) -> numpy.dtype:
    """NumPy's type of the tensor's elements, or that of ml_dtypes."""
    import numpy

    try:
        return numpy.dtype(tensor.dtype)
    except TypeError:
        pass
    try:
        import ml_dtypes
    except ImportError:
        raise Unsupported(f'tensor "{name}": NumPy has no {tensor.dtype}; install ml_dtypes, which has') from None
    return numpy.dtype(getattr(ml_dtypes, tensor.dtype))


class Tensors(Mapping):
    """A model's weights by their names in the state_dict, in its order: `{name: numpy.ndarray}`.

    A tensor is read from its file when it is first asked for, and kept: asked for again, it is the same array. Arrays
    cannot be written to (`array.copy()` can), since a model is saved from its files. bfloat16 and the float8 types are
    those of ml_dtypes.

    Reading raises KeyError for a name that there is not, Unsupported for a type that NumPy lacks where ml_dtypes is not
    installed, MalformedFile for a file that has become shorter, and SystemFailure.
    """

    def __init__(self, model: _core.Model) -> None:
        self._model = model
        self._names = dict.fromkeys(model.tensor_names())
        self._read: dict[str, numpy.ndarray] = {}

    def __getitem__(self, name: str) -> numpy.ndarray:
        if name not in self._read:
            array = read(self._model.tensor(name), name)
            array.flags.writeable = False
            # Where another thread was faster, its array is the one.
            self._read.setdefault(name, array)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return self._model.tensor(name).shape

    def dtype(self, name: str) -> str:
        """The name of a tensor's type of elements, as PyTorch has it ("float32", "bfloat16"), without reading it."""
        return self._model.tensor(name).dtype

    def __repr__(self) -> str:
        first = [f"{name} {self.dtype(name)}{self.shape(name)}" for name in list(self)[:3]]
        return f"<{len(self)} tensors: {', '.join(first)}{', ...' if len(self) > 3 else ''}>"
