"""What a notebook shows of a model."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Model

_MOST_ROWS = 200


def _table(head: Iterable[str], rows: list[tuple[Any, ...]], what: str) -> str:
    lines = ["".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in row) for row in rows[:_MOST_ROWS]]
    more = f"<p>and {len(rows) - _MOST_ROWS} {what} more</p>" if len(rows) > _MOST_ROWS else ""
    titles = "".join(f"<th style='text-align:left'>{escape(title)}</th>" for title in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>{more}"


def html_of(model: Model) -> str:
    """A line, and a table of layers with their tensors or, without an architecture, of tensors alone. Names are a
    stranger's, and escaped."""
    architecture = model.architecture or {}
    core = model._core
    shapes = {name: core.tensor(name).shape for name in core.tensor_names()}
    if "layers" in architecture:
        rows = []
        for layer in architecture["layers"]:
            name = layer.get("layer", layer["name"])
            own = [f"{tensor[len(name) + 1 :]} {tuple(shape)}" for tensor, shape in shapes.items() if tensor.startswith(name + ".")]
            rows.append((name, layer.get("type", f"calls {layer.get('call', '')}"), ", ".join(own)))
        table = _table(("layer", "type", "tensors"), rows, "layers")
    else:
        table = _table(("tensor", "shape"), [(name, tuple(shape)) for name, shape in shapes.items()], "tensors")
    title = escape(str(architecture.get("name") or "Model"))
    return f"<p><b>{title}</b>, from {escape(model.format)}, {len(shapes)} tensors</p>{table}"
