"""Running a module once on tensors without data."""

from __future__ import annotations

import contextlib
import inspect
import re
from dataclasses import dataclass
from typing import Any, Callable, ContextManager, Iterable, Iterator
from unittest import mock

import torch
from sympy.logic.boolalg import BooleanAtom
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from .branches import call_chosen, calling
from .entries import Entry, Stop, Value
from .errors import ExportError
from .modules import makes_its_weights
from .open_axes import Symbol, axes_text, unique
from .recorder import Recorder
from .recording import recording
from .sizes import Sizes
from .tables import MOST_CONDITIONS
from .tensors import tensors_in


class Call:
    """A module with its example inputs: the tensors among them, wherever they stand in lists and dicts, have names."""

    def __init__(self, module: nn.Module, example_inputs: Any):
        signature = inspect.signature(module.forward)
        if isinstance(example_inputs, Tensor):
            example_inputs = (example_inputs,)
        args, kwargs = ((), example_inputs) if isinstance(example_inputs, dict) else (tuple(example_inputs), {})
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ExportError(f"the example inputs don't fit {type(module).__name__}.forward{signature}: {error}") from None
        self.module = module
        self.keeping: ContextManager = contextlib.nullcontext()  # around calls that compute
        self.tensors: dict[str, Tensor] = {}
        self.kept: list[str] = []  # notes on what forward keeps
        for name, value in bound.arguments.items():
            bound.arguments[name] = self._named(value, name)
        self._bound = bound
        if not self.tensors:
            raise ExportError("there is no tensor among the example inputs")

    @dataclass(frozen=True)
    class Place:
        name: str

    def _named(self, value: Any, name: str) -> Any:
        """`value` with places for its tensors. Those in a dict are called by their keys, those in a list are numbered."""
        if isinstance(value, Tensor):
            name = unique(name, set(self.tensors))
            self.tensors[name] = value
            return Call.Place(name)
        if isinstance(value, dict):
            return {key: self._named(item, str(key)) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            items = [self._named(item, name if len(value) == 1 else f"{name}_{i}") for i, item in enumerate(value)]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        return value

    def __call__(self, tensors: dict[str, Tensor]) -> Any:
        with self._each_call_anew():
            return self._call(tensors)

    def heeds_earlier_calls(self) -> bool:
        """Whether what forward keeps makes the example's second call another than its first."""
        with self.keeping:
            first, second = (list(tensors_in(self._call(self.tensors))) for _ in range(2))
        return len(first) != len(second) or any(a.shape != b.shape or not torch.allclose(a, b, equal_nan=True) for a, b in zip(first, second))

    def _call(self, tensors: dict[str, Tensor]) -> Any:
        def filled(value: Any) -> Any:
            if isinstance(value, Call.Place):
                return tensors[value.name]
            if isinstance(value, dict):
                return {key: filled(item) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                items = [filled(item) for item in value]
                return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
            return value

        with calling(call_chosen):
            return self.module(*map(filled, self._bound.args), **{name: filled(value) for name, value in self._bound.kwargs.items()})

    @contextlib.contextmanager
    def _each_call_anew(self) -> Iterator[None]:
        """What forward keeps of one call for the next one is forgotten, and noted."""
        named = list(self.module.named_modules())
        before = [(vars(module).copy(), module._buffers.copy()) for _, module in named]
        versions = [(name, buffer, buffer._version) for name, buffer in self.module.named_buffers() if not buffer.is_inference()]
        try:
            yield
        finally:
            for (path, module), (attributes, buffers) in zip(named, before):
                kept = [] if makes_its_weights(module) else [
                    name for name, value in vars(module).items()
                    if value is not attributes.get(name) and not name.startswith("_") and any(True for _ in tensors_in(value))]  # fmt: skip
                kept += [name for name, buffer in module._buffers.items() if buffer is not buffers.get(name)]
                self._note_kept(f"{path}.{name}" if path else name for name in kept)
                vars(module).clear()
                vars(module).update(attributes)
                module._buffers.clear()
                module._buffers.update(buffers)
            self._note_kept(name for name, buffer, version in versions if buffer._version != version)

    def _note_kept(self, names: Iterable[str]) -> None:
        for name in names:
            line = f"in forward: keeps {name} for its next call, and here each call begins as the first one does"
            if line not in self.kept:
                self.kept.append(line)


def shape_of_input(name: str, example: Tensor, symbols: list[Symbol], size_of: Callable[[Symbol], Any]) -> list[Any]:
    """The example's sizes, with `size_of` their symbol where they are open."""
    open_axes = {axis: size_of(symbol) for symbol in symbols for axis in symbol.axes}
    return [open_axes.get((name, axis), size) for axis, size in enumerate(example.shape)]


class _WithoutData(FakeTensorMode):
    """Tensors without data, but for those that are made of data: torch.from_numpy(array), torch.Tensor([1, 2])."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is torch.ops.aten.lift_fresh.default and not isinstance(args[0], FakeTensor):
            return args[0]
        return super().__torch_dispatch__(func, types, args, kwargs or {})


def trace(
    call: Call, symbols: list[Symbol], new_recorder: Callable[[nn.Module, Sizes], Recorder] = Recorder
) -> tuple[Recorder, dict[str, Entry], Any]:
    """Runs forward on tensors without data. The recorder, the inputs' entries, and what forward returned."""
    module = call.module
    sizes = Sizes({symbol.name: symbol.hint for symbol in symbols})
    recorder = new_recorder(module, sizes)
    entries = {name: Entry(name) for name in call.tensors}
    in_given_order = mock.patch.object(torch.backends.opt_einsum, "enabled", False)  # else sizes choose the order of products
    with in_given_order, enable_python_dispatcher(), _WithoutData(shape_env=sizes.environment, allow_non_fake_inputs=True):
        fake = {}
        for name, x in call.tensors.items():
            shape = shape_of_input(name, x, symbols, lambda symbol: symbol.factor * sizes.ints[symbol.name])
            with sizes.ignoring_conditions(but_numbers=False):
                fake[name] = torch.empty(shape, dtype=x.dtype, device=x.device)
            recorder.track(fake[name], Value(entries[name]))
        try:
            with recording(recorder):
                result = call(fake)
        except Stop:
            result = None
        except Exception as error:
            if not recorder.problems:
                numpy = isinstance(error, TypeError) and re.search(r"Sym(Int|Float)|numpy\.object_", str(error))
                advice = "; NumPy knows no open sizes: torch's own functions do, and int() of a size fixes it" if numpy else ""
                what = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
                raise ExportError(f"tracing {type(module).__name__} failed: {what}{advice}") from error
    if recorder.problems:
        raise ExportError("\n".join(f"{type(module).__name__}: {problem}" for problem in recorder.problems))
    return recorder, entries, result


def trace_again(call: Call, symbols: list[Symbol]) -> tuple[Recorder, dict[str, Entry], Any, list[Symbol]]:
    """Traces with fewer open sizes until Python's own decisions no longer depend on them."""
    fixed: list[str] = []
    while True:
        recorder, entries, result = trace(call, symbols)
        example = {s.name: call.tensors[s.axes[0][0]].shape[s.axes[0][1]] // s.factor for s in symbols}
        decided = recorder.sizes.fixed_by_trace()
        for sizes in ({s.name: s.check for s in symbols}, {name: max(2, size) for name, size in example.items()}):
            decided = decided or recorder.sizes.decided_by(sizes)
        if "batch" in decided:
            raise ExportError(f"{type(call.module).__name__}: forward depends on the batch size in Python (a range, an int(), an if)")
        if not decided:
            recorder.notes += fixed + _conditions([condition.written(example) for condition in recorder.conditions])
            return recorder, entries, result, symbols
        fixed += [_why_fixed(symbol, call, recorder) for symbol in symbols if symbol.name in decided]
        symbols = [symbol for symbol in symbols if symbol.name not in decided]


def _why_fixed(symbol: Symbol, call: Call, recorder: Recorder) -> str:
    """The condition on the symbol that its other size answers otherwise, or a number that was made of it."""
    name, axis = symbol.axes[0]
    what = f"the size {call.tensors[name].shape[axis]} of {axes_text(symbol.axes)} is fixed"
    on = [condition for condition in recorder.conditions if condition.is_on(symbol.name)]
    numbers = [condition for condition in on if not isinstance(condition.answer, BooleanAtom)]
    others = [condition for condition in on if condition.sizes.at(condition.expression, {symbol.name: symbol.check}) != condition.answer]
    if reasons := numbers or others or on:
        return f"{reasons[0].question}, and so {what}"
    return f"in forward: PyTorch's own functions take {symbol.name} for a number, and so {what}"


def _conditions(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_CONDITIONS
    return lines if more <= 0 else [*lines[:MOST_CONDITIONS], f"in forward: asks {more} more such questions of open sizes"]
