"""ops.take by one number, by a list and by tables of them, ops.where by a list, and a Flatten of numbers, in one Keras
model of all: the axes that they leave, in LibTorch, in PyTorch and at home."""

import numpy as np
import pytest
import torch

from keras_helpers import by_name, keras
from program import h5bridge, needs_libtorch, needs_program, package

pytestmark = needs_program
L, ops = keras.layers, keras.ops


@pytest.fixture(scope="module")
def model():
    x, places, number = keras.Input((4, 6), name="x"), keras.Input((2, 3), dtype="int32", name="places"), keras.Input((), name="number")
    outputs = [
        ops.take(x, -1, axis=1),
        ops.take(x, np.int64(1), axis=2),
        ops.take(x, np.array(2), axis=-1),
        ops.take(x, indices=0, axis=1),
        ops.take(x, True, axis=1),
        ops.take(x, [1], axis=1),
        ops.take(x, (0, -2), axis=-1),
        ops.take(x, np.array([[5, -6]]), axis=-1),
        ops.take(x, [[0, 2, 1], [-1, 3, 3]], axis=1),
        ops.take(x, (((5,), (0,)),), axis=-1),
        ops.where([[True], [False], [False], [True]], x, 0.0),
        ops.where([True, False, False, True, True, False], x, -1.0),
        ops.take(x, ops.sum(places, axis=0) % 4, axis=1),  # a tensor of two axes
        L.Flatten()(number),
        L.Dense(2)(L.Flatten()(number)),
    ]
    return keras.Model([x, places, number], outputs, name="taken")


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taken")
    model.save(folder / "k.keras")
    h5bridge("convert", folder / "k.keras", "-o", folder / "k.json", "-o", folder / "k.pth")
    h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "home.keras")
    return folder


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(3)
    inputs = {"x": rng.normal(size=(3, 4, 6)), "places": rng.integers(0, 4, (3, 2, 3)), "number": rng.normal(size=3)}
    return {name: value.astype("int32" if name == "places" else "float32") for name, value in inputs.items()}


@pytest.fixture(scope="module")
def expected(model, inputs):
    return by_name(model(list(inputs.values())))


def assert_same(found, expected):
    for value, answer in zip(found, expected.values(), strict=True):
        assert value.shape == answer.shape
        np.testing.assert_allclose(value, answer, atol=1e-6)


@needs_libtorch
def test_libtorch_takes_what_keras_does(files, inputs, expected):
    np.savez(files / "x.npz", **inputs)
    h5bridge("run", files / "k.keras", "--input", files / "x.npz", "-o", files / "y.npz")
    assert_same(np.load(files / "y.npz").values(), expected)


@pytest.mark.skipif(package is None, reason="the Python package is not built")
def test_pytorch_takes_what_keras_does(files, inputs, expected):
    module = package.load(files / "k.keras").to_torch().eval()
    with torch.no_grad():
        assert_same([value.numpy() for value in module(*map(torch.from_numpy, inputs.values()))], expected)


def test_what_comes_home_takes_the_same(files, inputs, expected):
    back = keras.saving.load_model(files / "home.keras")
    assert_same(by_name(back(list(inputs.values()))).values(), expected)
