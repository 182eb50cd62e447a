"""Models of the frameworks as they are in memory."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from .errors import Unsupported
from .model import Model, installed, load

if TYPE_CHECKING:
    import keras
    import torch


def from_torch(module: torch.nn.Module, example_inputs: Any) -> Model:
    """A live PyTorch module and its weights as they are now. `example_inputs` is a tensor, a tuple of them, or a dict by
    the names of forward's parameters; their batch, and other sizes that the module leaves open, stay open. The module
    is not changed.

    Raises Unsupported naming what the module does that has no layer, SystemFailure without PyTorch, or where there is
    no room for a temporary file."""
    torch = installed("torch", "PyTorch")
    from .h5bridge_export import ExportError, export_architecture

    with tempfile.TemporaryDirectory(prefix="h5bridge-") as folder:
        architecture, weights = (os.path.join(folder, name) for name in ("model.json", "model.pth"))
        try:
            export_architecture(module, example_inputs, architecture)
        except ExportError as error:
            raise Unsupported("; ".join(str(error).splitlines())) from error
        torch.save(module.state_dict(), weights)
        return load([architecture, weights])


def from_keras(model: keras.Model) -> Model:
    """A live Keras model, its weights and, if it was compiled, its training state as they are now.

    Raises Unsupported naming a layer that is not known, SystemFailure where there is no room for a temporary file."""
    with tempfile.TemporaryDirectory(prefix="h5bridge-") as folder:
        path = os.path.join(folder, "model.h5")
        model.save(path)
        return load(path)
