"""While a module runs: what is noted, and what PyTorch does otherwise then."""

from __future__ import annotations

import builtins
import contextlib
import functools
import sys
from typing import Any, Callable, Iterator
from unittest import mock

import torch
from torch import Tensor, nn

from .branches import calling
from .recorder import Recorder
from .tables import CONTEXTS, OF_OBJECTS, WHOLE


def _noted(enter: Callable, what: str, recorder: Recorder) -> Callable:
    """`enter` of a context manager; that a forward enters it is noted, but not what PyTorch itself does."""

    def noted_enter(self: Any) -> Any:
        frame = sys._getframe(1)
        decorated = frame.f_locals.get("func") if frame.f_code.co_filename.endswith("_contextlib.py") else None
        user = decorated.__module__ if decorated else frame.f_globals.get("__name__", "")
        if not (user or "").startswith("torch."):
            recorder.note(what)
        return enter(self)

    return noted_enter


def _outside_of_leaves(function: Callable, plain: Callable, recorder: Recorder) -> Callable:
    """`plain` where a forward calls `function`, which makes other numbers of masks, or looks at them, before attention does."""
    return lambda *args, **kwargs: (function if recorder._inside_leaf else plain)(*args, **kwargs)


def _of_number(name: str, number: type) -> Callable:
    return lambda size: getattr(sys.modules["numpy"], name)(number(size))


def _of_base(kind: type, forward: Callable, recorder: Recorder) -> Callable:
    """The forward of a class of torch.nn, called by the forward of a class that is derived from it."""

    @functools.wraps(forward)
    def patched_forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_base(kind, forward, self, args, kwargs)

    return patched_forward


class _Training:
    """nn.Module.training as it is, and who asks for it."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder

    def __get__(self, module: nn.Module | None, kind: type) -> bool:
        if module is None or "training" not in vars(module):
            raise AttributeError("training")
        self._recorder.note_question(module)
        return vars(module)["training"]

    def __set__(self, module: nn.Module, value: bool) -> None:
        vars(module)["training"] = value


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Every module's call goes through the recorder; len(tensor) is a size and not a number."""
    call, length = nn.Module.__call__, builtins.len

    def patched_call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return recorder.call_module(nn.Module._call_impl, self, args, kwargs)

    def patched_len(value: Any) -> Any:
        return value.shape[0] if isinstance(value, Tensor) and value.dim() else length(value)

    nn.Module.__call__, builtins.len = patched_call, patched_len
    try:
        with contextlib.ExitStack() as patches:
            for name in OF_OBJECTS:
                for kind, number in ((torch.SymInt, int), (torch.SymFloat, float)):
                    patches.enter_context(mock.patch.object(kind, name, _of_number(name, number), create=True))
            for place, name, plain in ((nn.functional, "_canonical_mask", lambda mask, *args, **kwargs: mask),
                                       (nn.modules.transformer, "_detect_is_causal_mask", lambda mask, is_causal, size: is_causal is True)):  # fmt: skip
                patches.enter_context(mock.patch.object(place, name, _outside_of_leaves(getattr(place, name), plain, recorder)))
            for kind in WHOLE:
                patches.enter_context(mock.patch.object(kind, "forward", _of_base(kind, kind.forward, recorder)))
            for context, what in CONTEXTS.items():
                patches.enter_context(mock.patch.object(context, "__enter__", _noted(context.__enter__, what, recorder)))
            patches.enter_context(mock.patch.object(nn.Module, "training", _Training(recorder), create=True))
            patches.enter_context(calling(recorder.call_higher_order))
            with recorder:
                yield
    finally:
        nn.Module.__call__, builtins.len = call, length
