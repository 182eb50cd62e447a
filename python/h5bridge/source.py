"""PyTorch source that is executed in memory."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .arguments import wrong_type
from .errors import MalformedFile, SystemFailure, UsageError, turned

if TYPE_CHECKING:
    import torch

_numbers = itertools.count(1)


def module_from_source(
    torch: ModuleType, source: str, state: Mapping[str, torch.Tensor], frozen: Iterable[str], device: Any
) -> torch.nn.Module:
    """The network of a file that h5bridge wrote, its last class, with the tensors of `state` for its own: they are handed
    over, and copied only where they lie otherwise than PyTorch's own, which its kernels' last bits depend on. Raises
    UsageError where there are none or `device` is no device, SystemFailure where there is none such, MalformedFile
    where names or shapes are not the same."""
    device = _device(torch, device)
    state = _aligned(state)
    # Made without memory of its own; what is one parameter stays one.
    with torch.device("meta"):
        module = _last_class(source)()
    if not state and module.state_dict():
        raise UsageError("the PyTorch module: needs weights; give them beside the architecture")
    tied: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        tied.setdefault(id(parameter), []).append(name)
    with turned("the tensors do not fit the PyTorch source", MalformedFile):
        module.load_state_dict(state, strict=True, assign=True)
    for first, *others in tied.values():
        for name in others:
            holder, _, own = name.rpartition(".")
            setattr(module.get_submodule(holder), own, module.get_parameter(first))
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for name in parameters.keys() & set(frozen):
        parameters[name].requires_grad_(False)
    with turned(f"the device {device}", SystemFailure):
        return module.to(device)


def _device(torch: ModuleType, device: Any) -> torch.device:
    try:
        return torch.device(device)
    except TypeError:
        raise wrong_type("device", device, "a torch.device or the name of one") from None
    except RuntimeError as error:
        raise UsageError(f"device is {device!r}: {str(error).splitlines()[0]}") from None


def _aligned(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors that share their memory still do."""
    copies: dict[Any, torch.Tensor] = {}
    return {
        name: tensor
        if tensor.data_ptr() % 64 == 0
        else copies.setdefault((tensor.data_ptr(), tensor.shape, tensor.dtype), tensor.clone())
        for name, tensor in state.items()
    }


def _last_class(source: str) -> type:
    """Tracebacks show the lines of the source, as if it stood in a file."""
    name = f"<h5bridge.to_torch {next(_numbers)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "h5bridge.to_torch"}
    exec(compile(source, name, "exec"), space)
    own = [each for each in space.values() if isinstance(each, type) and each.__module__ == "h5bridge.to_torch"]
    return own[-1]
