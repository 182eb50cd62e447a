"""Models of the frameworks as they are in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .arguments import flag, wrong_type
from .errors import Unsupported, UsageError, calling, temporary_folder, turned
from .model import Model, installed, load
from .options import Path, sizes_of
from .outputs import keep_reference
from .unsaid import unsaid_when_saved
from .users_classes import refuse_users_classes

if TYPE_CHECKING:
    import keras
    import torch


def from_torch(
    module: torch.nn.Module,
    example_inputs: Any,
    *,
    fix_size: Mapping[str, int] | None = None,
    reference: bool = False,
) -> Model:
    """A live PyTorch module and its weights as they are now. `example_inputs` is a tensor, a tuple of them, or a dict by
    the names of forward's parameters; their batch, and other sizes that the module leaves open, stay open, but for
    those that `fix_size` binds to numbers, `{"length": 128}`. The module is not changed. `reference`: the model keeps
    the example and what the module makes of it in evaluation mode (`Model.reference`), and so do the files that are
    written of it: a test of whoever reads them later.

    >>> module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    >>> h5bridge.from_torch(module, torch.rand(2, 3)).to_keras().output_shape
    (None, 4)

    Raises UsageError where no size has a name of `fix_size`, Unsupported naming what the module does that has no layer,
    or what PyTorch cannot do with it, SystemFailure without PyTorch, or where there is no room for a temporary file."""
    torch = installed("torch", "PyTorch")
    if not isinstance(module, torch.nn.Module):
        raise wrong_type("module", module, "a torch.nn.Module")
    if not isinstance(example_inputs, (torch.Tensor, tuple, list, Mapping)):
        raise wrong_type("example_inputs", example_inputs, "a tensor, a tuple or list of them, or a dict")
    sizes = sizes_of(fix_size)
    with torch.inference_mode(False):
        return _of_module(torch, module, example_inputs, sizes, flag("reference", reference))


def _of_module(torch: ModuleType, module: torch.nn.Module, example_inputs: Any, sizes: dict[str, int], reference: bool) -> Model:
    example_inputs = _out_of_inference_mode(torch, example_inputs)
    from .exporter import ExportError, SizeError, export_architecture

    with temporary_folder() as folder:
        architecture, weights = (os.path.join(folder, name) for name in ("model.json", "model.pth"))
        with turned("PyTorch cannot trace the module", Unsupported):
            try:
                export_architecture(module, example_inputs, architecture, fix_size=sizes)
            except SizeError as error:
                raise UsageError(str(error)) from error
            except ExportError as error:
                raise Unsupported("; ".join(str(error).splitlines())) from error
        with turned("PyTorch cannot save the module's weights", Unsupported):
            torch.save(module.state_dict(), weights)
        with calling({architecture: "the module's architecture", weights: "the module's state_dict"}):
            model = load([architecture, weights])
    if reference:
        with turned("PyTorch cannot run the module", Unsupported):
            inputs, outputs = _run_module(torch, module, example_inputs)
        keep_reference(model, inputs, outputs, f"PyTorch {torch.__version__}", "torch")
    return model


def _out_of_inference_mode(torch: ModuleType, inputs: Any) -> Any:
    """Tensors that were made in inference_mode have no version, which tells what forward changes: copies of them have."""
    from torch.utils._pytree import tree_map_only

    return tree_map_only(torch.Tensor, lambda tensor: tensor.clone() if tensor.is_inference() else tensor, inputs)


def _run_module(torch: ModuleType, module: torch.nn.Module, example: Any) -> list[Any]:
    """The tensors of the example, and those that the module makes of them in evaluation mode: by name where there are
    names, else in order."""
    from torch.utils._pytree import tree_leaves

    def arrays(tree: Any) -> Any:
        if isinstance(tree, Mapping) and all(isinstance(each, torch.Tensor) for each in tree.values()):
            return {name: each.detach().cpu().numpy() for name, each in tree.items()}
        return [leaf.detach().cpu().numpy() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]

    modes = [(each, each.training) for each in module.modules()]
    try:
        module.eval()
        with torch.no_grad():
            if isinstance(example, Mapping):
                made = module(**example)
            else:
                made = module(*example) if isinstance(example, (tuple, list)) else module(example)
    finally:
        for each, mode in modes:
            each.training = mode
    return [arrays(example), arrays(made)]


def from_keras(
    model: keras.Model,
    architecture: Path | Mapping[str, Any] | None = None,
    *,
    param_order: Sequence[str] | Sequence[Sequence[str]] = (),
    untie: bool = False,
    reference: Any = None,
) -> Model:
    """A live Keras model, its weights and, if it was compiled, its training state as they are now.

    `reference`: inputs (an array, a list of them in order) that the model keeps with what Keras makes of them
    (`Model.reference`), and so do the files that are written of it.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="out")])
    >>> list(h5bridge.from_keras(model).state_dict())
    ['out.weight', 'out.bias']

    Keras keeps neither PyTorch's names nor all that a network of PyTorch's is made of: for one that goes home from
    Keras, `architecture` is its architecture JSON, a path or what `Model.architecture` gives; it counts, as it does for
    `load`, which has the other options, too.

    Raises Unsupported naming a layer that is not known, or of a class that is not Keras's own, or what Keras itself cannot
    save, MalformedFile where the architecture is that of another network, UsageError for what is no model of Keras 3's,
    SystemFailure without Keras, or where there is no room for a temporary file."""
    keras = installed("keras", "Keras")
    if not isinstance(model, keras.Model):
        raise wrong_type("model", model, "a keras.Model")
    if not isinstance(architecture, (str, os.PathLike, Mapping, type(None))):
        raise wrong_type("architecture", architecture, "the path of an architecture JSON, a dict or None")
    if architecture is None:
        refuse_users_classes(model)
    with temporary_folder() as folder:
        path, described = (os.path.join(folder, name) for name in ("model.keras", "model.json"))
        if isinstance(architecture, Mapping):
            with open(described, "w", encoding="utf-8") as file:
                json.dump(dict(architecture), file)
            architecture = described
        _refuse_repeated_layers(keras, model)
        # As .keras: to save one as .h5 takes the optimizer out of what the live model was compiled with
        # (keras/src/legacy/saving/saving_utils.py), and a .h5 has no place for two variables of one name.
        with turned("Keras cannot save the model", Unsupported):
            model.save(path)
        beside = [] if architecture is None else [architecture]
        with calling({path: "the Keras model", described: "the architecture"}):
            loaded = load([*beside, path], param_order=param_order, untie=untie)
    if reference is not None:
        inputs = list(reference) if isinstance(reference, (list, tuple)) else [reference]
        with turned("Keras cannot run the model", Unsupported):
            made = model(inputs if len(inputs) > 1 else inputs[0], training=False)
            outputs = keras.tree.map_structure(keras.ops.convert_to_numpy, made)
        keep_reference(loaded, inputs, outputs, f"Keras {keras.__version__} on {keras.backend.backend()}", "keras")
    return Model(loaded._core, unsaid_when_saved(keras, model))


def _refuse_repeated_layers(keras: ModuleType, model: keras.Model) -> None:
    """Of a Sequential, at any depth: its configuration has each layer once (keras/src/models/sequential.py, get_config),
    so that what Keras saves, and loads again, is another network."""
    waiting: list[Any] = [model]
    seen = {id(model)}
    while waiting:
        layer = waiting.pop()
        inner = [*getattr(layer, "layers", ()), *filter(None, [getattr(layer, "layer", None)])]
        here: set[int] = set()
        for each in inner:
            if id(each) in here and isinstance(layer, keras.Sequential):
                raise Unsupported(
                    f'the Sequential model "{layer.name}" has the layer "{each.name}" several times, of which Keras '
                    "saves one; as a Functional model it can be kept"
                )
            here.add(id(each))
            if id(each) not in seen:
                seen.add(id(each))
                waiting.append(each)
