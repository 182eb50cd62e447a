"""Whole PyTorch networks through the program: real Keras predicts what PyTorch does, LibTorch gives PyTorch's very bits,
and every tensor comes home bit for bit, also from a file that Keras trained further."""

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, h5py, input_names, keras, keras_layout, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state, export_architecture
from torch_networks import NETWORKS, inputs_of, outputs_by_name

pytestmark = needs_program


class Converted:
    """A network, its files, and what PyTorch says it gives."""

    def __init__(self, network, folder):
        self.network = network
        self.folder = folder
        self.module = network.module()
        self.inputs = inputs_of(network.shapes)
        torch.save(self.module.state_dict(), folder / "m.pth")
        export_architecture(self.module, self.inputs, folder / "m.json")
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
        self.keras = keras.models.load_model(folder / "m.h5", compile=False)
        self.expected = self.run(self.inputs)
        np.savez(folder / "keras_inputs.npz", **dict(zip(input_names(self.keras), self.keras_inputs())))
        np.savez(folder / "torch_inputs.npz", **{name: x.numpy() for name, x in zip(input_names(self.keras), self.inputs)})

    def keras_inputs(self):
        return [keras_layout(x.numpy()) for x in self.inputs]

    def run(self, inputs):
        with torch.no_grad():
            return {name: y.numpy() for name, y in outputs_by_name(self.module(*inputs)).items()}

    def assert_keras_agrees(self, found, expected):
        """`found` by Keras's names and layout; without names the order tells."""
        assert len(found) == len(expected)
        for i, (name, y) in enumerate(expected.items()):
            assert_close(found[name] if name in found else list(found.values())[i], keras_layout(y), self.network.tolerance, name)


@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    """Converts a network when it is first asked for."""
    return functools.cache(lambda network: Converted(network, tmp_path_factory.mktemp(network.name)))


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: network.name)
def converted(request, conversions):
    return conversions(request.param)


def test_keras_predicts_what_pytorch_does(converted):
    converted.assert_keras_agrees(predict(converted.keras, converted.keras_inputs()), converted.expected)


def test_open_sizes_stay_open(converted):
    for shapes in converted.network.more_shapes:
        inputs = inputs_of(shapes)
        found = predict(converted.keras, [keras_layout(x.numpy()) for x in inputs])
        converted.assert_keras_agrees(found, converted.run(inputs))


def test_the_outputs_depend_on_every_weight(converted):
    """Otherwise the comparisons above would not notice a wrong one."""
    one = [x[:1] for x in converted.inputs]
    expected = converted.run(one)
    for name, tensor in converted.module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        kept = tensor.clone()
        with torch.no_grad():
            tensor.mul_(1.1).add_(0.05)
        changed = converted.run(one)
        tensor.copy_(kept)
        assert any(not np.allclose(changed[key], y, rtol=1e-4, atol=0) for key, y in expected.items()), name


def test_no_permutes_in_keras(converted):
    """Flattens are folded into the layer behind them, and everything else runs in Keras's own layout."""
    kinds = [type(operation).__name__ for operation in converted.keras.operations]
    assert kinds.count("Permute") == converted.network.permutes
    assert not {"Lambda", "Transpose", "Moveaxis", "Swapaxes"} & set(kinds)


def test_every_tensor_comes_home(converted):
    folder = converted.folder
    h5bridge("convert", folder / "m.h5", "-o", folder / "back.pth", "-o", folder / "back.json")
    assert_same_state(torch.load(folder / "back.pth"), torch.load(folder / "m.pth"))
    h5bridge("convert", folder / "back.json", folder / "back.pth", "-o", folder / "again.h5")
    assert_same_h5(folder / "again.h5", folder / "m.h5")


def assert_same_h5(found, expected):
    with h5py.File(found) as a, h5py.File(expected) as b:
        assert a.attrs["model_config"] == b.attrs["model_config"]
        paths = []
        b["model_weights"].visit(paths.append)
        for path in paths:
            if isinstance(b["model_weights"][path], h5py.Dataset):
                assert a["model_weights"][path][()].tobytes() == b["model_weights"][path][()].tobytes(), path


@needs_libtorch
@pytest.mark.parametrize("sources, inputs", [(["m.h5"], "keras_inputs.npz"), (["m.json", "m.pth"], "torch_inputs.npz")], ids=["h5", "pth"])
def test_libtorch_gives_pytorchs_bits(converted, sources, inputs):
    out = converted.folder / "out.npz"
    h5bridge("run", *[converted.folder / source for source in sources], "--input", converted.folder / inputs, "-o", out)
    found = np.load(out)
    as_keras = sources == ["m.h5"]
    assert as_keras or list(found) == list(converted.expected)
    assert len(found) == len(converted.expected)
    for array, y in zip(found.values(), converted.expected.values()):
        y = keras_layout(y) if as_keras else y
        assert array.shape == y.shape and array.tobytes() == np.ascontiguousarray(y).tobytes()


def train_a_little(model, inputs):
    targets = [y + 0.5 for y in predict(model, inputs).values()]
    if isinstance(model.output, dict):
        targets = dict(zip(predict(model, inputs), targets))
    model.compile(keras.optimizers.SGD(0.01), loss=keras.tree.map_structure(lambda _: "mse", targets), run_eagerly=True)
    for _ in range(2):
        model.train_on_batch(inputs, targets)


def test_what_keras_trained_goes_home(converted):
    """Keras drops all groups of ours when it saves. The architecture JSON beside the file brings it home."""
    folder = converted.folder
    model = keras.models.load_model(folder / "m.h5", compile=False)
    before = model.get_weights()
    inputs = converted.keras_inputs()
    train_a_little(model, inputs)
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    model.save(folder / "finetuned.h5")
    h5bridge("convert", folder / "m.json", folder / "finetuned.h5", "-o", folder / "home.pth")

    home = torch.load(folder / "home.pth")
    assert set(home) == set(converted.module.state_dict())
    module = converted.network.module()
    module.load_state_dict(home, strict=True)
    with torch.no_grad():
        expected = {name: y.numpy() for name, y in outputs_by_name(module.eval()(*converted.inputs)).items()}
    converted.assert_keras_agrees(predict(model, inputs), expected)


def test_jax_predicts_what_pytorch_does(conversions):
    names = ("pnet", "two_in_two_out", "mobile")
    networks = [conversions(network) for network in NETWORKS if network.name in names]
    script = Path(__file__).with_name("jax_predictions.py")
    subprocess.run([sys.executable, script, *[network.folder for network in networks]], check=True)
    for network in networks:
        found = dict(np.load(network.folder / "jax.npz"))
        network.assert_keras_agrees(found, network.expected)
