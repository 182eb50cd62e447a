"""Leaving a module as it was."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, Iterator

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .tensors import tensors_in


def _memory(tensor: Tensor) -> int | None:
    """What tells one memory from another; None for tensors that have none of their own."""
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return None


class KeptParameters(TorchDispatchMode):
    """Copies parameters before an operator changes them in place, as an Embedding with max_norm does in each call: only
    those, as a copy of all would take their memory once more."""

    supports_higher_order_operators = True  # flex_attention, which PyTorch else refuses to run

    def __init__(self, module: nn.Module):
        super().__init__()
        self._parameters: dict[int, list[nn.Parameter]] = {}  # by their memory, which those of an RNN on a GPU share
        for parameter in module.parameters():
            if not parameter.is_meta and (memory := _memory(parameter)) is not None:
                self._parameters.setdefault(memory, []).append(parameter)
        self._data = [(p, p.data) for ps in self._parameters.values() for p in ps]  # forward may give one other memory
        self._before: dict[int, list[Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        schema = getattr(func, "_schema", None)
        if schema and schema.is_mutable:
            for i, argument in enumerate(schema.arguments):
                if argument.alias_info and argument.alias_info.is_write:
                    self._keep(args[i] if i < len(args) else kwargs.get(argument.name))
        return func(*args, **kwargs)

    def _keep(self, changed: Any) -> None:
        for tensor in tensors_in(changed):
            memory = _memory(tensor)
            if memory in self._parameters and memory not in self._before:
                self._before[memory] = [parameter.detach().clone() for parameter in self._parameters[memory]]

    def restore(self) -> None:
        """The values and the memory from before."""
        for parameter, data in self._data:
            if parameter.data_ptr() != data.data_ptr():
                parameter.data = data
        for memory, values in self._before.items():
            for parameter, before in zip(self._parameters[memory], values):
                with torch.inference_mode(parameter.is_inference()), torch.no_grad():
                    parameter.copy_(before)


@contextlib.contextmanager
def with_its_attributes(module: nn.Module) -> Iterator[None]:
    """Afterwards the attributes of the module and of those in it are those from before."""
    modules = list(module.modules())
    attributes = [dict(vars(m)) for m in modules]
    names = ("_parameters", "_buffers", "_modules")
    tables = [{name: dict(table) for name, table in vars(m).items() if name in names} for m in modules]
    try:
        yield
    finally:
        for m, before, table in zip(modules, attributes, tables):
            vars(m).clear()
            vars(m).update(before)
            for name, entries in table.items():
                vars(m)[name].clear()
                vars(m)[name].update(entries)


@contextlib.contextmanager
def left_as_it_was(module: nn.Module) -> Iterator[KeptParameters]:
    """Evaluation mode inside; afterwards the attributes, buffers, parameters and modes are those from before. Calls
    that compute are to run within what it gives."""
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers() if not buffer.is_meta]
    parameters = KeptParameters(module)
    fast_path = torch.backends.mha.get_fastpath_enabled()
    random = torch.get_rng_state()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with with_its_attributes(module):
            module.eval()
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield parameters
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        torch.set_rng_state(random)
        parameters.restore()
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)
