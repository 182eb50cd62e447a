"""What forward returned, as the form has it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor

from .entries import Value
from .recorder import Recorder

MOST_LETTERS = 120  # of a result's form in a note


def outputs_of(recorder: Recorder, result: Any) -> list[Value] | dict[str, Value]:
    """The values forward returned: a list, or a flat object where it is a dict. Raises ValueError."""
    if isinstance(result, dict):
        keyed: dict[str, Value] = {}
        for key, item in result.items():
            values = outputs_of(recorder, item)
            nested = values.items() if isinstance(values, dict) else enumerate(values)
            keyed |= {str(key): values[0]} if isinstance(item, Tensor) else {f"{key}.{k}": v for k, v in nested}
        return keyed
    if isinstance(result, Tensor):
        return [recorder.value_of(result)]
    if isinstance(result, (list, tuple)):
        values = [outputs_of(recorder, item) for item in result]
        return [v for item in values for v in (item.values() if isinstance(item, dict) else item)]
    if result is None:
        return []
    raise ValueError(f"forward returns a {type(result).__name__}")


def notes_on_form(result: Any, outputs: list[Value] | dict[str, Value]) -> list[str]:
    """A line where forward's result is nested, has None in it or is of another class than the one tensor, the tuple or
    the dict that the form means by its outputs."""
    if isinstance(outputs, dict):
        kept = "{" + ", ".join(f"{key!r}: Tensor" for key in outputs) + "}"
    else:
        kept = "Tensor" if len(outputs) == 1 else f"({', '.join(['Tensor'] * len(outputs))})"
    given = _form(result)
    return [] if given == kept else [f"in forward: gives {_shortened(given)}, which here is {_shortened(kept)}"]


def _form(value: Any) -> str:
    """As Python writes it, with Tensor for each tensor."""
    kind = type(value)
    if isinstance(value, Tensor):
        return "Tensor"
    if isinstance(value, dict):
        name = "" if kind in (dict, OrderedDict) else kind.__name__
        return name + "{" + ", ".join(f"{key!r}: {_form(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, (list, tuple)):
        return repr(value)
    items = [_form(item) for item in value]
    if fields := getattr(value, "_fields", ()):
        return f"{kind.__name__}({', '.join(f'{field}={item}' for field, item in zip(fields, items))})"
    name = "" if kind in (list, tuple) else kind.__name__
    if isinstance(value, list):
        return f"{name}[{', '.join(items)}]"
    return f"{name}({items[0]},)" if len(items) == 1 else f"{name}({', '.join(items)})"


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."
