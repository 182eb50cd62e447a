"""What a live Keras model knows and no file of it says."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any


def unsaid_when_saved(keras: ModuleType, model: Any) -> list[str]:
    """A line for each thing that is lost when the `keras.Model` is saved: what is frozen in a layer that is not, and
    the variables that its optimizer does not decay."""
    return [*_frozen_parts(keras, model), *_spared_by_decay(model)]


def _frozen_parts(keras: ModuleType, model: Any) -> Iterator[str]:
    """A layer's configuration says whether its parts are trained where it holds theirs (a Bidirectional's); of
    attention's projections it has none."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.Model) or not layer.trainable:
            continue
        said: set[str] = set()
        for part in layer._layers:
            frozen = [variable.path for variable in part._trainable_variables if not variable.trainable]
            if not frozen:
                continue
            said = said or set(_named_with_trainable(keras.saving.serialize_keras_object(layer)["config"]))
            if part.name not in said:
                yield (
                    f'layer "{layer.name}" is not frozen, and its part "{part.name}" is ({", ".join(frozen)}), '
                    "which Keras does not save: it is trained in what is read"
                )


def _named_with_trainable(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if "name" in config and "trainable" in config:
            yield config["name"]
        for value in config.values():
            yield from _named_with_trainable(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _named_with_trainable(value)


def _spared_by_decay(model: Any) -> Iterator[str]:
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not getattr(optimizer, "weight_decay", None):
        return
    spared = [variable.path for variable in model.trainable_variables if not optimizer._use_weight_decay(variable)]
    if spared:
        yield (
            f"the optimizer's exclude_from_weight_decay spares {', '.join(spared)}, which Keras does not save: "
            "what is read of it decays all parameters"
        )
