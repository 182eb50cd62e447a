"""What a recorder knows of tensors, places and problems."""

from __future__ import annotations

import base64
import ctypes
from dataclasses import replace
from typing import Any

import sympy
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily
from torch.overrides import TorchFunctionMode

from .conditions import Condition
from .entries import Entry, Stop, Value
from .sizes import Sizes
from .tables import AXES_OF_NUMBERS, CONTAINERS, MOST_NUMBERS
from .tensors import tensors_in


class Values(TorchFunctionMode):
    """What is known of the tensors that a forward has made, and the entries that made them."""

    def __init__(self, model: nn.Module, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.entries: list[Entry] = []
        self.problems: list[str] = []
        self.paths = {id(m): path for path, m in model.named_modules()}
        self.held = {id(t): ("Buffer", name) for name, t in model.named_buffers()}
        self.held |= {id(t): ("Parameter", name) for name, t in model.named_parameters()}
        self._kept = set(model.state_dict())
        self._values: dict[int, Value | None] = {}  # by a tensor's id; None after a problem
        self.first: Value | None = None             # the first input
        self._alive: list[Tensor] = []              # so that no id is used again
        self._stale: set[int] = set()
        self._counts: dict[sympy.Expr, Tensor] = {}  # sizes as tensors
        self._defined: dict[int, Entry] = {}  # by a module's id, its first call
        self._stack: list[nn.Module] = []
        self._inside_leaf = False
        self.in_training = False  # a module that asks for it is told so, to be compared
        self.asking: dict[int, set[int]] = {}  # in whose forward which modules are asked whether they are training
        self.notes: list[str] = []  # what no entry says
        self.conditions: list[Condition] = []
        sizes.on_condition = lambda condition: self.conditions.append(replace(condition, where=self.where()))

    def track(self, tensor: Tensor, value: Value | None) -> None:
        self.first = self.first or value
        self._values[id(tensor)] = value
        self._stale.discard(id(tensor))
        self._alive.append(tensor)

    def value_of(self, tensor: Tensor) -> Value | None:
        """The value a tensor is; raises ValueError where none is known."""
        if id(tensor) in self._stale:
            raise ValueError("it takes a tensor whose memory was changed in place through another tensor")
        if id(tensor) in self._values:
            return self._values[id(tensor)]
        if id(tensor) in self.held:
            return self._own_tensor(tensor, *self.held[id(tensor)])
        if isinstance(tensor, nn.Parameter):
            raise ValueError("it takes a parameter that is not the model's")
        return self._constant(tensor)

    def _own_tensor(self, tensor: Tensor, kind: str, name: str) -> Value:
        """A parameter or buffer that a module uses itself is an entry of its own, which has the tensor's name."""
        if name not in self._kept:
            return self._constant(tensor)  # a buffer that is not persistent
        attributes = {"shape": list(tensor.shape)}
        if not tensor.is_floating_point():  # also a parameter, which has no gradient then
            kind = "Buffer"
            attributes |= {"dtype": self.json(tensor.dtype), "data": self._elements(tensor, f"it takes the {kind.lower()} {name}")}
        entry = Entry(name, kind, attributes, module=True)
        self.entries.append(entry)
        self.track(tensor, Value(entry))
        return Value(entry)

    def _constant(self, tensor: Tensor) -> Value:
        """A tensor that is no input and in no state_dict: an entry that has its elements, on the device of the first input. Where
        floats lie in another order of axes, on which the last bits of a product depend, a permute comes behind."""
        axes = _axes_in_memory(tensor)
        with unset_fake_temporarily(), torch._C.DisableTorchFunction():
            kept = tensor if axes is None else tensor.permute(axes)
        attributes = {"data": self._elements(kept, "it takes a constant tensor"), "shape": list(kept.shape), "dtype": self.json(kept.dtype)}
        entry = Entry("constant", "new_tensor", {k: v for k, v in attributes.items() if v != "float32"}, inputs=[self.first])
        self.entries.append(entry)
        if axes is not None:
            entry = Entry("permute", "permute", {"dims": [axes.index(axis) for axis in range(tensor.dim())]}, inputs=[Value(entry)])
            self.entries.append(entry)
        self.track(tensor, Value(entry))
        return Value(entry)

    def _elements(self, tensor: Tensor, what: str) -> list[int | float] | dict[str, str]:
        """A list of numbers, or bytes where there are many, or integers that JSON's readers would round."""
        what += f" of shape {tuple(tensor.shape)} and dtype {self.json(tensor.dtype)}"
        if isinstance(tensor, FakeTensor) or tensor.dtype not in (torch.float32, torch.float64, torch.int32, torch.int64, torch.bool):
            raise ValueError(what)
        with unset_fake_temporarily(), torch._C.DisableTorchFunction():  # also where a module takes it, outside of any function
            tensor = tensor.detach().resolve_neg().cpu().contiguous().flatten()
            if tensor.numel() <= MOST_NUMBERS:
                elements = (tensor.int() if tensor.dtype == torch.bool else tensor).tolist()
                if all(abs(element) < 2**53 for element in elements if isinstance(element, int)):
                    return elements
            data = ctypes.string_at(tensor.data_ptr(), tensor.nbytes)  # as tensor.numpy().tobytes(), which needs NumPy
        return {"dtype": self.json(tensor.dtype), "base64": base64.b64encode(data).decode()}

    def _mark_changed(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()._cdata
        self._stale |= {id(t) for t in self._alive if t is not tensor and t.untyped_storage()._cdata == storage}

    def _add(self, entry: Entry | None, result: Any, changed: list[Tensor], before: list[tuple[Tensor, int]]) -> Any:
        """Notes the entry, and the tensors of its result as its outputs. None stands for an entry that could not be made."""
        if entry and any(value is None for value in [*entry.inputs, *entry.named_inputs.values()]):
            entry = None  # a problem before this one, already noted
        if entry:
            self.entries.append(entry)
        if isinstance(result, Tensor) and not changed and any(result is t for t, _ in before):
            with torch._C.DisableTorchFunction():  # it is no detach of the network's
                result = result.detach()  # Dropout in evaluation gives its input itself, but is another value
        for tensor in changed:
            self._mark_changed(tensor)
        for i, tensor in enumerate(tensors_in(result)):
            self.track(tensor, Value(entry, i) if entry else None)
        return result

    def _detach(self, tensor: Tensor, result: Tensor) -> Tensor:
        """A constant has no gradient anyhow. In place, the tensor itself has none from there on."""
        value = self.value_of(tensor)
        if value and not (value.entry and value.entry.type == "new_tensor"):
            entry = Entry("detach", "detach", inputs=[value])
            self.entries.append(entry)
            value = Value(entry)
        self.track(result, value)
        return result

    def where(self) -> str:
        for module in reversed(self._stack):
            if path := self.paths.get(id(module)):
                return f"in {path} ({type(module).__name__})"
        return "in forward"

    def problem(self, what: str) -> None:
        if what not in self.problems:
            self.problems.append(what)

    def note(self, what: str) -> None:
        line = f"{self.where()}: {what}"
        if not self._inside_leaf and line not in self.notes:
            self.notes.append(line)

    def note_question(self, asked: nn.Module) -> None:
        """That a forward asks whether a module is training."""
        asking = self._stack[-1] if self._stack and not self._inside_leaf else None
        if asking and type(asking) not in CONTAINERS and {id(asking), id(asked)} <= self.paths.keys():
            self.asking.setdefault(id(asking), set()).add(id(asked))

    def stop(self, what: str) -> None:
        self.problem(what)
        raise Stop

    def json(self, value: Any) -> Any:
        """An attribute as JSON has it. Raises ValueError."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (torch.SymInt, torch.SymFloat)):
            return self.sizes.written(value)
        if isinstance(value, torch.dtype):
            return str(value).removeprefix("torch.")
        if isinstance(value, (list, tuple)):
            return [self.json(item) for item in value]
        if hasattr(value, "item") and not isinstance(value, Tensor):
            return self.json(value.item())  # a number of NumPy's
        raise ValueError(f"an argument of type {type(value).__name__} cannot be written")

    def _hinted(self, value: Any) -> Any:
        """With the numbers that this trace has for open sizes."""
        if isinstance(value, torch.SymInt):
            return int(self.sizes.hint(value))
        if isinstance(value, (list, tuple)):
            return [self._hinted(item) for item in value]
        return {key: self._hinted(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _fix_sizes_of_numbers(self, entry: Entry, x: Any) -> None:
        """A layer that takes some sizes for numbers makes them fixed ones."""
        if isinstance(x, Tensor) and entry.type in AXES_OF_NUMBERS:
            for axis in AXES_OF_NUMBERS[entry.type](entry, x.dim()):
                self.sizes.number(x.shape[axis])

    def _refuse_open_ceil_mode(self, name: str, given: dict[str, Any]) -> None:
        if given.get("ceil_mode"):
            self.stop(f"{self.where()}: {name}: ceil_mode with windows of open sizes is not known; int() of the size fixes it")


def _axes_in_memory(tensor: Tensor) -> list[int] | None:
    """The axes of floats that lie in another order of them, the outermost first; None for other tensors."""
    with unset_fake_temporarily(), torch._C.DisableTorchFunction():
        if isinstance(tensor, FakeTensor) or not tensor.is_floating_point() or tensor.is_contiguous():
            return None
        axes = sorted(range(tensor.dim()), key=lambda axis: -tensor.stride(axis))
        return axes if tensor.permute(axes).is_contiguous() else None
