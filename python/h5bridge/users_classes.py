"""Classes of users in a live Keras model. A file may have nothing of them but a name, which may be that of Keras's."""

from __future__ import annotations

from typing import Any

from .errors import Unsupported


def refuse_users_classes(model: Any) -> None:
    """Raises Unsupported naming the layers, operations and models within a `keras.Model`, or itself, that are of no
    class of Keras's own: what they compute is in their code alone."""
    parts = {id(part): part for part in [*model._flatten_layers(), *_operations_in(model)]}
    found = [_described(part) for part in parts.values() if not type(part).__module__.startswith("keras.")]
    if found:
        raise Unsupported("; ".join(found) + ": of no class of Keras's own: what it computes is in its code alone")


def _operations_in(model: Any) -> list[Any]:
    found = []
    for layer in model._flatten_layers():
        found += getattr(layer, "operations", [])
    return found


def _described(part: Any) -> str:
    cls = type(part)
    return f'layer "{part.name}" ({cls.__name__} of {cls.__module__})'
