"""Networks whose parts compute in several floating-point types: each layer of Keras's has the policy of its own."""

import json

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import keras
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program
layers, ops = keras.layers, keras.ops


class Doubled(nn.Module):
    """float64 within float32, its function a module that has no weights."""

    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(4, 4).double(), nn.Tanh(), nn.Linear(4, 2)

    def forward(self, x):
        y = self.act(self.a(x.double()))
        return self.b(y.float()), y


class Halved(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4).half(), nn.Linear(4, 2).double()

    def forward(self, x):
        y = self.b(self.a(x).half())
        return self.c(y.double()), torch.relu(y)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)
        self.register_buffer("scale", torch.tensor([1 / 3, 2 / 3, 1.1], dtype=torch.float64))

    def forward(self, x):
        return self.a(x) * self.scale


class NoneDoubled(nn.Module):
    """One type of weights, and another that is computed in."""

    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)

    def forward(self, x):
        y = self.act(self.a(x).double())
        return self.b(y.float()), y


class Floated(nn.Module):
    """Weights of float64, and a step that is told to compute in float32."""

    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(4, 4).double(), nn.Tanh(), nn.Linear(4, 2).double()

    def forward(self, x):
        y = self.act(self.a(x).float())
        return self.b(y.double()), y


NETWORKS = {
    Doubled: {"a": "float64", "act": "float64", "b": "float32"},
    Halved: {"a": "float32", "b": "float16", "c": "float64"},
    Scaled: {"a": "float32"},
    NoneDoubled: {"a": "float32", "act": "float64", "b": "float32"},
    Floated: {"a": "float64", "act": "float32", "b": "float64"},
}
# What LibTorch may be off from PyTorch. Keras's own matmul computes in float32 what is float64 on the backends of PyTorch and JAX, and Dense
# without a bias gives that.
TOLERANCE = {np.dtype("float16"): 1e-3, np.dtype("float32"): 1e-6, np.dtype("float64"): 1e-14}
KERAS_TOLERANCE = 1e-6


def assert_close(found, expected, tolerance=0):
    for array, wanted in zip(found, expected, strict=True):
        off = np.abs(array.astype("float64") - wanted.astype("float64")).max()
        assert off <= max(tolerance, TOLERANCE[wanted.dtype]), off


def assert_same_types(found, expected):
    assert [array.dtype for array in found] == [array.dtype for array in expected]


def as_list(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


@pytest.fixture(params=NETWORKS, ids=lambda network: network.__name__)
def written(request, tmp_path):
    """The network, its input, its outputs and its files."""
    torch.manual_seed(1)
    module = request.param().eval()
    x = torch.randn(3, 4, dtype=torch.float64 if request.param is Floated else torch.float32)
    torch.save(module.state_dict(), tmp_path / "m.pth")
    np.save(tmp_path / "x.npy", x.numpy())
    export_architecture(module, [x], tmp_path / "m.json")
    h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", "--lossless", folder=tmp_path)
    with torch.no_grad():
        return module, x, [y.numpy() for y in as_list(module(x))], tmp_path


def assert_home(folder, sources, module):
    h5bridge("convert", *sources, "-o", "back.pth", "--lossless", folder=folder)
    back = torch.load(folder / "back.pth")
    expected = module.state_dict()
    assert list(back) == list(expected)
    assert all(back[name].dtype == tensor.dtype and torch.equal(back[name], tensor) for name, tensor in expected.items())


def test_keras_computes_in_the_types_that_pytorch_does(written):
    module, x, expected, folder = written
    model = keras.models.load_model(folder / "m.h5", compile=False)
    for name, policy in NETWORKS[type(module)].items():
        assert model.get_layer(name).dtype_policy.name == policy
    kept = {np.asarray(v.numpy()).tobytes(): v.dtype for v in model.variables}
    for tensor in module.state_dict().values():
        array = np.ascontiguousarray(tensor.numpy().T)
        assert kept[array.tobytes()] == array.dtype
    found = as_list(model.predict(x.numpy(), verbose=0))
    assert_close(found, expected, 2e-3 if type(module) is Halved else KERAS_TOLERANCE)
    if type(module) is not Scaled:
        assert_same_types(found, expected)
    assert_home(folder, ["m.h5"], module)


@needs_libtorch
def test_what_keras_saves_runs_and_comes_home(written):
    module, x, expected, folder = written
    keras.models.load_model(folder / "m.h5", compile=False).save(folder / "saved.h5")
    assert_home(folder, ["saved.h5", "m.json"], module)
    for sources in (["m.json", "m.pth"], ["m.h5"], ["saved.h5"]):
        h5bridge("run", *sources, "--input", "x.npy", "-o", "y.npz", folder=folder)
        found = list(np.load(folder / "y.npz").values())
        assert_close(found, expected)
        assert_same_types(found, expected)


def test_a_layer_whose_tensors_differ_is_said(tmp_path):
    module = nn.Sequential(nn.BatchNorm1d(4)).eval()
    export_architecture(module, [torch.randn(2, 4)], tmp_path / "m.json")
    state = module.state_dict()
    state["0.weight"] = torch.tensor([1 / 3, 1.5, 0.1, 2], dtype=torch.float64)
    torch.save(state, tmp_path / "m.pth")
    h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", folder=tmp_path)
    (layer,) = [each for each in keras.models.load_model(tmp_path / "m.h5", compile=False).layers if each.variables]
    assert layer.dtype_policy.name == "float64" and np.array_equal(layer.gamma.numpy(), state["0.weight"].numpy())
    refused = h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", "--lossless", folder=tmp_path, status=4)
    assert "its tensors are float64 and float32" in refused and "loads them as float64" in refused


def a_chain():
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, dtype="float64", name="a")(x)
    y = layers.Dense(3, name="b")(layers.Activation("tanh", dtype="float64")(y))
    return keras.Model(x, [layers.ReLU(name="c")(y), layers.Dense(2, dtype="float16", name="d")(y)])


def places():
    x = keras.Input((4,), name="x")
    return keras.Model(x, [layers.Dense(2, dtype="float64")(ops.cast(ops.greater(x, 0.1), "int32")), layers.Dense(2)(x)])


def two_calls():
    x = keras.Input((4,), name="x")
    shared = layers.Dense(4, dtype="float64", name="shared")
    return keras.Model(x, layers.Dense(2)(shared(shared(x))))


def masked():
    x = keras.Input((4,), dtype="int32", name="x")
    y = layers.Embedding(5, 3, mask_zero=True)(x)
    return keras.Model(x, layers.Dense(2)(layers.LSTM(4, dtype="float64")(y)))


def in_a_row():
    return keras.Sequential([keras.Input((4,), name="x"), layers.Dense(4, dtype="float64"), layers.BatchNormalization(), layers.Dense(2)])


@needs_libtorch
@pytest.mark.parametrize("network", [a_chain, places, two_calls, masked, in_a_row], ids=lambda network: network.__name__)
def test_several_policies_of_keras(network, tmp_path):
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    model = network()
    model.save(tmp_path / "m.h5")
    generator = np.random.default_rng(2)
    x = generator.integers(0, 3, (3, 4)).astype("int32") if network is masked else generator.normal(size=(3, 4)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    expected = as_list(model.predict(x, verbose=0))
    h5bridge("convert", "m.h5", "-o", "m.json", "-o", "m.pth", "--lossless", folder=tmp_path)
    h5bridge("convert", "m.json", "m.pth", "-o", "again.h5", "--lossless", folder=tmp_path)
    for sources in (["m.h5"], ["m.json", "m.pth"], ["again.h5"]):
        h5bridge("run", *sources, "--input", "x.npy", "-o", "y.npz", folder=tmp_path)
        found = list(np.load(tmp_path / "y.npz").values())
        assert_close(found, expected, KERAS_TOLERANCE)
        assert_same_types(found, expected)
    # Casts that Keras makes by itself are not written for it.
    configs = []
    for name in ("m.h5", "again.h5"):
        with h5py.File(tmp_path / name) as file:
            configs.append(json.loads(file.attrs["model_config"])["config"]["layers"])
    of_layers = [[(each["class_name"], each["config"].get("dtype")) for each in config] for config in configs]
    assert of_layers[0] == of_layers[1]
    again = keras.models.load_model(tmp_path / "again.h5", compile=False)
    for found, original in zip(again.get_weights(), model.get_weights(), strict=True):
        assert found.dtype == original.dtype and np.array_equal(found, original)


@needs_libtorch
def test_a_network_of_one_policy_is_read_without_casts(tmp_path):
    keras.Sequential([keras.Input((4,)), layers.Dense(3, dtype="float64"), layers.Dense(2, dtype="float64")]).save(tmp_path / "m.h5")
    h5bridge("convert", "m.h5", "-o", "m.json", folder=tmp_path)
    assert [each["type"] for each in json.loads((tmp_path / "m.json").read_text())["layers"]] == ["Linear", "Linear"]


def test_a_network_of_float64_takes_and_gives_it_in_keras(tmp_path):
    """Also as a model, whose own policy is float32: a Functional one goes by its inputs."""
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double().eval()
    x = torch.randn(3, 4, dtype=torch.float64)
    export_architecture(module, [x], tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", "--lossless", folder=tmp_path)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert [tensor.dtype for tensor in (*model.inputs, *model.outputs, model(x))] == ["float64", "float64", torch.float64]
    taken = keras.Model(model.inputs, model.layers[0].output)(x)
    assert torch.equal(taken, x)
    assert (model(x) - module(x)).abs().max() < KERAS_TOLERANCE
