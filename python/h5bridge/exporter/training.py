"""What a forward does in training alone, which no layer says."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .entries import Entry, Value
from .errors import ExportError
from .open_axes import Symbol
from .recorder import Recorder
from .sizes import Sizes
from .tracing import Call, trace
from .untouched import with_its_attributes

# What a recorder knows, which changes as it records.
STATE = ("entries", "problems", "notes", "conditions", "first", "_values", "_alive", "_stale", "_counts", "_defined")


def notes_on_training(call: Call, symbols: list[Symbol], asking: dict[int, set[int]]) -> list[str]:
    """A line for each class of modules whose forward is another in training. `asking` is the recorder's own."""
    if not asking:
        return []
    compared: list[_Comparing] = []

    def comparing(module: nn.Module, sizes: Sizes) -> Recorder:
        compared.append(_Comparing(module, sizes, asking))
        return compared[-1]

    kept = list(call.kept)
    try:
        trace(call, symbols, comparing)
    except ExportError:  # of what training did to tensors; what was not compared then may be another, too
        for module in call.module.modules():
            if id(module) in asking.keys() - compared[0].known:
                compared[0].note_difference(module)
    call.kept = kept
    lines = []
    for kind, places in compared[0].differing.items():
        others = f", as {len(places) - 1} more {kind.rpartition('.')[2]} do" if len(places) > 1 else ""
        lines.append(f"{places[0]}: asks whether it is training{others}; the layers are those of evaluation")
    return lines


def notes_on_modes(module: nn.Module) -> list[str]:
    """A line where normalisations by running statistics are in eval() in a module that is in train(). Those that are
    frozen need none: so they are in Keras, which leaves a frozen one's statistics as they are."""
    kept = [
        f"in {path} ({type(inner).__name__})"
        for path, inner in module.named_modules()
        if module.training and isinstance(inner, _BatchNorm) and not inner.training and inner.track_running_stats
        and (not inner.affine or any(parameter.requires_grad for parameter in inner.parameters()))
    ]  # fmt: skip
    others = f", as {len(kept) - 1} more are" if len(kept) > 1 else ""
    return [
        f"{kept[0]}: is in eval() inside a module in train(){others}, which no layer says: in training it follows the batch; "
        "in Keras, trainable = False of the layer keeps its statistics"
    ] if kept else []  # fmt: skip


class _Comparing(Recorder):
    """Records a module that asks whether it is training twice: in training, which is forgotten, and in evaluation."""

    def __init__(self, module: nn.Module, sizes: Sizes, asking: dict[int, set[int]]):
        super().__init__(module, sizes)
        self.differing: dict[str, list[str]] = {}  # by class
        self.known: set[int] = set()  # modules that were compared
        self._asking = asking

    def call_module(self, call: Any, module: nn.Module, args: tuple, kwargs: dict) -> Any:
        if self._inside_leaf or self.in_training or id(module) not in self._asking:
            return super().call_module(call, module, args, kwargs)
        asked = [inner for inner in module.modules() if id(inner) in self._asking[id(module)]]
        start = len(self.entries)
        before = {name: copy.copy(getattr(self, name)) for name in STATE}
        stack = list(self._stack)
        self.in_training = True
        try:
            with with_its_attributes(module):
                for inner in asked:
                    inner.training = True
                result = super().call_module(call, module, args, kwargs)
                trained = None if self.problems != before["problems"] else self._account(start, result)
        except Exception:  # whatever a stranger's forward raises; it is none of evaluation's
            trained = None
        finally:
            self.in_training, self._inside_leaf, self._stack = False, False, stack
            vars(self).update(before)
        result = super().call_module(call, module, args, kwargs)
        self.known.add(id(module))
        if trained != self._account(start, result):
            self.note_difference(module)
        return result

    def note_difference(self, module: nn.Module) -> None:
        kind, path = type(module), self.paths[id(module)]
        where = f"in {path} ({kind.__name__})" if path else "in forward"
        places = self.differing.setdefault(f"{kind.__module__}.{kind.__qualname__}", [])
        places += [where] if where not in places else []

    def _account(self, start: int, result: Any) -> Any:
        """What was recorded from an entry on, and what came of it, so that it can be compared."""
        places = {id(entry): place for place, entry in enumerate(self.entries[start:])}

        def value(of: Value | None) -> Any:
            return of and (places.get(id(of.entry), of.entry), of.output)

        def form(item: Any) -> Any:
            if isinstance(item, Tensor):
                known = self._values.get(id(item), self)
                return self.held.get(id(item), str(item.shape)) if known is self else value(known)
            if isinstance(item, dict):
                return [type(item), *((key, form(each)) for key, each in item.items())]
            if isinstance(item, (list, tuple)):
                return [type(item), *map(form, item)]
            return item if isinstance(item, (bool, int, float, str)) else type(item)

        def said(entry: Entry) -> Any:
            inputs = [value(of) for of in entry.inputs], {name: value(of) for name, of in entry.named_inputs.items()}
            return entry.type, entry.wanted, repr(entry.attributes), value(entry.call and Value(entry.call)), inputs

        return [said(entry) for entry in self.entries[start:]], form(result)
