"""Classes of users in a live Keras model. A file may have nothing of them but a name, which may be that of Keras's."""

from __future__ import annotations

from typing import Any

from .errors import Unsupported


def refuse_users_classes(model: Any) -> None:
    """Raises Unsupported naming the layers, operations and models within a `keras.Model`, or itself, that are of no
    class of Keras's own: what they compute is in their code alone."""
    parts = {id(part): part for part in [*model._flatten_layers(), *_operations_in(model)]}
    found = [part for part in parts.values() if not type(part).__module__.startswith("keras.")]
    if not found:
        return
    remedy = ""
    if any(part is model for part in found):
        remedy = (
            "; if it computes what its layers do, give keras.Model(model.inputs, model.outputs) instead"
            if getattr(model, "outputs", None)
            else "; only Sequential and Functional models describe their layers, so build it as one of them: "
            "keras.Model(x, y), where y is what its layers make of x = keras.Input(...)"
        )
    described = "; ".join(map(_described, found))
    raise Unsupported(f"{described}: of no class of Keras's own: what it computes is in its code alone{remedy}")


def _operations_in(model: Any) -> list[Any]:
    found = []
    for layer in model._flatten_layers():
        found += getattr(layer, "operations", [])
    return found


def _described(part: Any) -> str:
    cls = type(part)
    return f'layer "{part.name}" ({cls.__name__} of {cls.__module__})'
