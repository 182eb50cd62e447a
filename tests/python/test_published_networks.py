"""Small networks of torchvision, timm and transformers, one a family, as torch.export.save wrote them (testdata/published_networks,
made by tools/published_networks/small.py): Keras gives what PyTorch does, LibTorch PyTorch's bits, and every tensor comes home.
docs/published_networks.md has what came of the networks themselves."""

import functools
import re
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from keras_helpers import as_keras_has_it, assert_close, keras, keras_layout, predict
from program import ROOT, h5bridge, needs_libtorch, needs_program
from sampled import turn

pytestmark = needs_program
FILES = sorted((ROOT / "testdata" / "published_networks").glob("*.pt2"))
MOVES = {"Permute", "Transpose", "Moveaxis", "Swapaxes"}
# Of Keras's nodes, those that move axes.
MOST_MOVES = {"timm_vit": 1, "transformers_vit": 1, "timm_convnext": 0, "transformers_convnext": 0, "transformers_bert": 0, "transformers_roberta": 0, "transformers_electra": 0, "transformers_distilbert": 0, "transformers_albert": 0}
BATCH = 3

each = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
some = pytest.mark.parametrize("file", FILES[turn(3) :: 3], ids=lambda file: file.stem)


def by_key(result, keys=()):
    """The tensors of a result, those in a dict in a dict behind its own key: "text_model_output.pooler_output"."""
    if isinstance(result, torch.Tensor):
        return {".".join(keys): result.numpy()}
    items = result.items() if isinstance(result, Mapping) else ((str(i), one) for i, one in enumerate(result))
    return {name: y for key, one in items for name, y in by_key(one, (*keys, key)).items()}


def loaded(file, folder):
    """PyTorch's program. It wants the classes of transformers for the results, which are dicts with a name: dicts do."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(folder / "plain.pt2", "w") as plain:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("models/model.json"):
                content = re.sub(rb'(type\\": \\")transformers\.[\w.]+', rb"\1builtins.dict", content)
            plain.writestr(name, content)
    return torch.export.load(folder / "plain.pt2")


class Network:
    """With its example's rows, in another order and number than the example had."""

    def __init__(self, file, folder):
        self.file, self.folder = file, folder
        program = loaded(file, folder)
        args, kwargs = program.example_inputs
        more = lambda x: x.index_select(0, torch.arange(BATCH, 0, -1) % len(x))  # noqa: E731
        args, kwargs = [more(x) for x in args], {name: more(x) for name, x in kwargs.items()}
        self.inputs = {name: x.numpy() for name, x in zip(program.graph_signature.user_inputs, [*args, *kwargs.values()])}
        self.state = program.state_dict
        with torch.no_grad():
            self.expected = by_key(program.module()(*args, **kwargs))
        h5bridge("convert", file, "-o", folder / "m.h5", "-o", folder / "m.json")


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Converts a network when it is first asked for."""
    return functools.cache(lambda file: Network(file, tmp_path_factory.mktemp(file.stem)))


@each
def test_keras_predicts_what_pytorch_does(file, networks):
    network = networks(file)
    model = keras.models.load_model(network.folder / "m.h5", compile=False)
    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    found = predict(model, [as_keras_has_it(network.inputs[name], tensor.shape) for name, tensor in zip(names, model.inputs)])
    assert len(found) == len(network.expected)
    for (name, expected), y in zip(network.expected.items(), [found.get(name) for name in network.expected] if isinstance(model.output, dict) else found.values()):
        assert_close(y, expected if y.shape == expected.shape else keras_layout(expected), 1e-4, name)
    moves = [type(operation).__name__ for operation in model.operations if type(operation).__name__ in MOVES]
    assert len(moves) <= MOST_MOVES.get(file.stem, len(moves)), moves


@each
def test_every_tensor_comes_home(file, networks):
    network = networks(file)
    h5bridge("convert", network.folder / "m.h5", "-o", network.folder / "home.pth")
    found = torch.load(network.folder / "home.pth")
    assert sorted(found) == sorted(network.state)
    for name, tensor in network.state.items():
        assert found[name].dtype == tensor.dtype and np.array_equal(found[name].numpy(), tensor.detach().numpy()), name


@needs_libtorch
@some
def test_libtorch_gives_the_bits_of_pytorch(file, networks):
    network = networks(file)
    np.savez(network.folder / "x.npz", **network.inputs)
    h5bridge("run", file, "--exact", "--input", network.folder / "x.npz", "-o", network.folder / "y.npz")
    for found, expected in zip(np.load(network.folder / "y.npz").values(), network.expected.values(), strict=True):
        assert found.dtype == expected.dtype and found.tobytes() == np.ascontiguousarray(expected).tobytes()
