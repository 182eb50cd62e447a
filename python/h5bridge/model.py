"""A model in memory, whose weights stay in their files until they are asked for."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import _core
from .errors import SystemFailure, Unsupported, calling, temporary_folder, turned, with_keywords
from .options import Paths, loading, paths_of, saving
from .progress import shown
from .source import module_from_source
from .summary import html_of
from .tensors import Tensors, read

if TYPE_CHECKING:
    import keras
    import torch

# Of a note that holds for a file, and not for a live model, of which to_keras() sees to it.
_THAWED = "trains what it is made of again once it has loaded the file"


class Model:
    """What `load`, `from_keras` and `from_torch` give: an architecture, its weights and its training state, or those of
    them that the sources had."""

    def __init__(self, core: _core.Model, notes: Iterable[str] = ()) -> None:
        self._core = core
        self._notes = list(notes)  # on what was not in the sources, but in the object that was saved to them

    @property
    def architecture(self) -> dict[str, Any] | None:
        """The architecture as its JSON has it (docs/architecture_json.md), or None. Shapes have the batch axis; open sizes
        are symbols. It is a copy: what is changed in it does not change the model."""
        return self._core.architecture()

    @cached_property
    def tensors(self) -> Tensors:
        """The weights by their PyTorch names, read when they are asked for. Their layout is that of `architecture`: of
        a channels_last model of Keras's, a Linear behind a Flatten has its columns in the order H, W, C. `state_dict()`
        has PyTorch's."""
        return Tensors(self._core)

    @property
    def training(self) -> dict[str, Any] | None:
        """{"epoch", "loss", "optimizer": {"name", "config", "groups", "slots"}} in PyTorch's terms, or None where the
        sources had none. "slots" lists name, shape and type of the optimizer's tensors, and the parameter that each
        belongs to."""
        return self._core.training()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the sources carried that has no place in the rest. A copy."""
        return self._core.metadata()

    @property
    def notes(self) -> list[str]:
        """What reading the sources left out or changed, and what forward does and no layer says (the architecture's
        "notes"), a line each."""
        found = [*self._notes, *(with_keywords(note) for note in self._core.notes)]
        return found + [note for note in (self.architecture or {}).get("notes", ()) if note not in found]

    @property
    def format(self) -> str:
        """The format of the weights' file, or else of the architecture's: "torch", "keras-h5", ..."""
        return self._core.format

    def save(
        self,
        path: Paths,
        *,
        to: str = "",
        data_format: str | None = None,
        keras: int = 3,
        optimizer: bool = True,
        checkpoint: bool = False,
        dtype: str | None = None,
        lossless: bool = False,
        shard_size: int | str | None = None,
    ) -> list[str]:
        """Writes one view of the model, or several together; returns notes on what they have no place for, a line each.
        The options are those of `convert`.

        >>> h5bridge.load(["digits.json", "digits.pth"]).save(["copy.keras", "copy.json"])
        []

        Raises MalformedFile naming tensors that do not fit the architecture, Unsupported naming what the destination
        cannot say, UsageError, SystemFailure. No destination is touched then."""
        options = saving(to, data_format, keras, optimizer, checkpoint, dtype, lossless, shard_size)
        with shown("save"):
            notes = _core.save(self._core, paths_of(path, "path"), options)
        return [with_keywords(note) for note in notes]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The weights as PyTorch has them, for `module.load_state_dict()`: names, order, layout and bits are those of
        the .pth that `save` writes. The tensors are the caller's own, on the CPU; each call reads them anew.

        >>> list(h5bridge.load("digits.pth").state_dict())[:2]
        ['conv1.weight', 'conv1.bias']

        Raises SystemFailure without PyTorch, and what `save` raises for a graph that PyTorch's layout cannot say."""
        torch = installed("torch", "PyTorch")
        model = _core.in_torch_layout(self._core)
        return {name: torch_tensor(torch, model.tensor(name), name) for name in model.tensor_names()}

    def to_keras(self, *, dtype: str | None = None) -> keras.Model:
        """The model in Keras, on the backend in use, with its weights and without its training state (`compile=False`).
        It takes and gives Keras's layout. What Keras has no place for is a warning, as it is a note of `save`.
        `dtype`: floating-point weights are rounded to "float32" (which rounds no bfloat16) or "float16".

        >>> h5bridge.load(["digits.json", "digits.pth"]).to_keras().input_shape
        (None, 8, 8, 1)

        Raises SystemFailure without Keras 3, Unsupported naming a layer that Keras cannot say, UsageError without an
        architecture or weights."""
        keras = installed("keras", "Keras")
        with temporary_folder() as folder:
            path = os.path.join(folder, "model.h5")
            with calling({path: "the Keras model"}):
                notes = self.save(path, optimizer=False, dtype=dtype)
            for note in notes:
                if _THAWED not in note:
                    warnings.warn(note.removeprefix(path + ": "), stacklevel=2)
            with turned("Keras cannot load the model", Unsupported), _outside_inference_mode():
                model = keras.saving.load_model(path, compile=False)
        # What a layer makes when it is built does not know that the layer is frozen.
        for layer in model._flatten_layers(include_self=False):
            if not layer.trainable and not isinstance(layer, keras.Model):
                layer.trainable = False
        return model

    def to_torch(self, device: str | torch.device = "cpu") -> torch.nn.Module:
        """The model as a torch.nn.Module with its weights on `device`: the class that `save("model.py")` writes, executed
        in memory. Names are those of `state_dict()`, inputs and outputs are laid out as PyTorch has them (channels
        first). It is in train() mode, as PyTorch's modules start; what was frozen asks for no gradients. A batch
        normalisation that Keras froze follows the batch in train() all the same, until eval() of it is called. What
        torch.save(module) writes has the source in it, and needs h5bridge, and weights_only=False, to be loaded.

        >>> module = h5bridge.load(["digits.json", "digits.pth"]).to_torch()
        >>> module.eval()(torch.rand(2, 1, 8, 8)).shape
        torch.Size([2, 10])

        Raises SystemFailure without PyTorch or such a device, Unsupported naming the layers that have no PyTorch source,
        UsageError without an architecture or weights, or for what is no device."""
        torch = installed("torch", "PyTorch")
        with temporary_folder() as folder:
            path = os.path.join(folder, "model.py")
            with calling({path: "the PyTorch source"}):
                self.save(path, optimizer=False)
            with open(path, encoding="ascii") as file:
                source = file.read()
        with _outside_inference_mode():
            return module_from_source(torch, source, self.state_dict(), self._core.frozen(), device)

    @property
    def reference(self) -> dict[str, Any] | None:
        """{"by", "inputs", "outputs"}: inputs, and what was made of them by whoever is named, as `h5bridge verify` replays
        them; arrays by name, laid out as the framework has them that the model came from. None where the sources keep
        none."""
        kept = _core.reference(self._core, "keras" if self.format.startswith("keras") else "torch")
        if kept is None:
            return None
        by, *arrays = kept
        inputs, outputs = ({name: read(tensor, name) for name, tensor in each} for each in arrays)
        return {"by": by, "inputs": inputs, "outputs": outputs}

    def _repr_html_(self) -> str:
        return html_of(self)

    def __repr__(self) -> str:
        name = (self.architecture or {}).get("name")
        return f"<h5bridge.Model{f' {name!r}' if name else ''} from {self.format}, {len(self.tensors)} tensors>"


def load(
    paths: Paths,
    *,
    key: str = "",
    allow_unexpected: bool = False,
    fix_size: Mapping[str, int] | None = None,
    optimizer: bool = True,
    param_order: Sequence[str] | Sequence[Sequence[str]] = (),
    untie: bool = False,
    match: str | None = None,
    written_by: str | None = None,
    map: Mapping[str, str] | None = None,
    rename: Sequence[str] = (),
    optimizer_key: str = "",
    trust_torchscript: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Model:
    """Reads the files that together make one model, in any order, each recognised by its content. Weights stay in their
    files until they are asked for. The options are those of `convert`.

    >>> h5bridge.load(["digits.json", "digits.pth"]).tensors["conv1.weight"].shape
    (16, 1, 3, 3)

    Raises MalformedFile where a file is damaged or its tensors do not fit the architecture, Unsupported for what has no
    equivalent, UsageError where two files state the same half of a model, SystemFailure."""
    options = loading(
        key, allow_unexpected, fix_size, optimizer, param_order, untie, match, written_by, map, rename, optimizer_key, trust_torchscript, input_shapes
    )
    return Model(_core.load(paths_of(paths, "paths"), options))


def installed(name: str, called: str) -> ModuleType:
    try:
        return __import__(name)
    except ImportError as error:
        raise SystemFailure(f"{called} is not installed ({error}); pip install {name}") from None


def _outside_inference_mode() -> AbstractContextManager[Any]:
    """What is made within it can be trained, wherever it is asked for."""
    torch = sys.modules.get("torch")
    return torch.inference_mode(False) if torch else nullcontext()


def torch_tensor(torch: ModuleType, tensor: _core.Tensor, name: str) -> torch.Tensor:
    dtype = getattr(torch, tensor.dtype, None)
    if dtype is None:
        raise Unsupported(f'tensor "{name}": this PyTorch has no {tensor.dtype}')
    # By its bytes: NumPy does not know all types.
    return torch.from_numpy(tensor.read()).view(dtype).reshape(tensor.shape)
