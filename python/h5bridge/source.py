"""PyTorch source that is executed in memory."""

from __future__ import annotations

import hashlib
import itertools
import linecache
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .arguments import wrong_type
from .errors import MalformedFile, SystemFailure, UsageError, turned

if TYPE_CHECKING:
    import torch

_PREFIX = "h5bridge.to_torch_"
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
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    return _classes(_executed(source, f"{_PREFIX}{digest}_{next(_numbers)}"))[-1]


def _executed(source: str, name: str) -> ModuleType:
    """The source as a module. Tracebacks show its lines, as if it stood in a file. Python finds it under its name, but
    no other process does, so that a pickle of its classes has the source."""
    module = ModuleType(name)
    module.__file__ = f"<{name}>"
    linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)
    exec(compile(source, module.__file__, "exec"), vars(module))
    for each in _classes(module):
        each.__reduce_ex__ = _reduced(each, source)
    sys.modules[name] = module
    return module


def _classes(module: ModuleType) -> list[type]:
    return [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]


def _reduced(own: type, source: str) -> Callable[[Any, Any], Any]:
    plain = own.__reduce_ex__

    def reduce_ex(self: Any, protocol: Any) -> Any:
        if type(self) is not own:  # of a class that is derived from it, which others can import
            return plain(self, protocol)
        state = self.__getstate__() if hasattr(self, "__getstate__") else self.__dict__
        return instance_of, (source, own.__module__, own.__name__), state

    return reduce_ex


def instance_of(source: str, module: str, name: str) -> Any:
    """What a pickle of a module of `to_torch()` is made of: an instance of the class `name` of that source, without its
    state. Its functions are found under the name of `module` from then on."""
    found = sys.modules.get(module)
    kind = getattr(found or _executed(source, module), name)
    return kind.__new__(kind)
