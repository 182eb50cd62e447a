"""Whole Keras models through the program: a PyTorch class written by hand loads the .pth and predicts the same, LibTorch
runs the .h5, and every weight comes back bit for bit under the same layer names."""

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, assert_same_weights, by_name, differences, h5py, input_names, keras, predict, weights_of
from keras_networks import KERAS_NETWORKS
from program import h5bridge, needs_libtorch, needs_program

pytestmark = needs_program

TOLERANCE = 1e-5


class Converted:
    def __init__(self, network, folder):
        self.network = network
        self.folder = folder
        self.model = network.model()
        self.model.save(folder / "k.h5")
        self.inputs = network.inputs()
        self.input_names = input_names(self.model)
        self.expected = self.predict(self.model)
        np.savez(folder / "inputs.npz", **dict(zip(self.input_names, self.inputs)))
        h5bridge("convert", folder / "k.h5", "-o", folder / "k.pth", "-o", folder / "k.json")

    def predict(self, model, inputs=None):
        inputs = inputs or self.inputs
        if len(inputs) > 1:
            return by_name(model(dict(zip(self.input_names, inputs)), training=False))
        return predict(model, inputs)

    def is_channels_first(self):
        return self.network.name.endswith("_first")


@pytest.fixture(scope="module", params=KERAS_NETWORKS, ids=lambda network: network.name)
def converted(request, tmp_path_factory):
    return Converted(request.param, tmp_path_factory.mktemp(request.param.name))


def assert_all_close(found, expected):
    assert len(found) == len(expected)
    for i, (name, y) in enumerate(expected.items()):
        assert_close(found[name] if name in found else list(found.values())[i], y, TOLERANCE, name)


@pytest.mark.parametrize("sources", [["k.h5"], ["k.json", "k.pth"]], ids=["h5", "pth"])
def test_everything_comes_back(converted, sources):
    folder = converted.folder
    h5bridge("convert", *[folder / source for source in sources], "-o", folder / "back.h5")
    assert_same_weights(weights_of(folder / "back.h5"), weights_of(folder / "k.h5"))
    with h5py.File(folder / "back.h5") as found, h5py.File(folder / "k.h5") as expected:
        assert found.attrs["keras_version"] == expected.attrs["keras_version"]
    back = keras.models.load_model(folder / "back.h5", compile=False)
    assert type(back) is type(converted.model) and back.name == converted.model.name
    assert [(layer.name, layer.trainable) for layer in back.layers] == [(layer.name, layer.trainable) for layer in converted.model.layers]
    assert differences(back.get_config(), converted.model.get_config()) == []
    found = converted.predict(back)
    assert list(found) == list(converted.expected)
    for name, y in converted.expected.items():
        assert np.array_equal(found[name], y), name


def test_keras_s_own_json_is_an_architecture(converted):
    folder = converted.folder
    (folder / "theirs.json").write_text(converted.model.to_json())
    h5bridge("convert", folder / "theirs.json", folder / "k.pth", "-o", folder / "mine.h5")
    assert_same_weights(in_pytorch(weights_of(folder / "mine.h5")), in_pytorch(weights_of(folder / "k.h5")))


# What only Keras's training works with: no .pth holds it, and no output depends on it.
def of_training(path):
    return path.endswith("/vector_u")


def in_pytorch(weights):
    return {layer: {path: array for path, array in own.items() if not of_training(path)} for layer, own in weights.items()}


def test_the_outputs_depend_on_every_weight(converted):
    for variable in converted.model.weights:
        if of_training(variable.path):
            continue
        kept = variable.numpy().copy()
        variable.assign(kept * 1.1 + 0.05)
        changed = converted.predict(converted.model)
        variable.assign(kept)
        assert any(not np.allclose(changed[name], y, rtol=1e-4, atol=0) for name, y in converted.expected.items()), variable.path


@pytest.mark.parametrize("converted", [n for n in KERAS_NETWORKS if n.torch_class], ids=lambda network: network.name, indirect=True)
def test_a_class_written_by_hand_loads_the_pth(converted):
    module = converted.network.torch_class().eval()
    state = torch.load(converted.folder / "k.pth", weights_only=True)
    module.load_state_dict(state, strict=True)
    x = converted.inputs[0]
    if x.ndim == 4 and not converted.is_channels_first():
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    with torch.no_grad():
        assert_close(module(torch.tensor(x)).numpy(), converted.expected[0], TOLERANCE)


@pytest.mark.parametrize("converted", [n for n in KERAS_NETWORKS if n.has_data_format], ids=lambda network: network.name, indirect=True)
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_either_data_format_predicts_the_same(converted, data_format):
    """Only the layout of pictures differs, and the flattened features are put in order in the weights."""
    folder = converted.folder
    h5bridge("convert", folder / "k.h5", "-o", folder / "other.h5", "--data-format", data_format)
    other = keras.models.load_model(folder / "other.h5", compile=False)
    inputs, expected = converted.inputs, converted.expected
    if converted.is_channels_first() != (data_format == "channels_first"):
        source, target = (1, -1) if converted.is_channels_first() else (-1, 1)
        inputs = [np.moveaxis(x, source, target) if x.ndim > 2 else x for x in inputs]
        expected = {name: np.moveaxis(y, source, target) if y.ndim > 2 else y for name, y in expected.items()}
    assert_all_close(converted.predict(other, inputs), expected)


@needs_libtorch
@pytest.mark.parametrize("converted", [n for n in KERAS_NETWORKS if n.has_data_format], ids=lambda network: network.name, indirect=True)
def test_the_other_data_format_passes_the_check(converted):
    """Each file is run in its own layout."""
    other = "channels_last" if converted.is_channels_first() else "channels_first"
    h5bridge("convert", converted.folder / "k.h5", "-o", converted.folder / "checked.h5", "--data-format", other, "--check")


@needs_libtorch
@pytest.mark.parametrize("sources, layout", [(["k.h5"], []), (["k.json", "k.pth"], ["--input-layout", "keras"])], ids=["h5", "pth"])
def test_libtorch_predicts_the_same(converted, sources, layout):
    folder = converted.folder
    h5bridge("run", *[folder / source for source in sources], *layout, "--input", folder / "inputs.npz", "-o", folder / "out.npz")
    assert_all_close(dict(np.load(folder / "out.npz")), converted.expected)


def test_what_is_not_known_is_named_whatever_takes_its_outputs(tmp_path):
    inputs = keras.Input((4, 6))
    mean, variance = keras.ops.moments(inputs, axes=[1])
    keras.Model(inputs, [mean, keras.layers.Dense(2)(variance)]).save(tmp_path / "k.h5")
    message = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", status=4)
    assert 'layer "moments" (Moments)' in message
