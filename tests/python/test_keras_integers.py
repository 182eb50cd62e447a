"""Integers and truth values in Keras's models become floats where something computes with floats, wherever they come from."""

import json

import h5py
import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]
layers, ops = keras.layers, keras.ops

# What is computed of an input of that type.
FUNCTIONS = {
    "places": ("float32", lambda x: layers.Dense(2)(ops.argmax(x, axis=-1))),
    "a comparison": ("float32", lambda x: layers.Dense(2)(ops.greater(x, 0.5))),
    "a comparison of integers": ("int32", lambda x: layers.Dense(2)(ops.equal(x, 1))),
    "Boolean inputs": ("bool", lambda x: layers.Dense(2)(x)),
    "a sum": ("int32", lambda x: layers.Dense(2)(ops.sum(x, axis=1))),
    "a quotient": ("int32", lambda x: layers.Dense(2)(ops.true_divide(x, 3))),
    "what is cast": ("int32", lambda x: layers.Dense(2)(ops.cast(x, "float32"))),
    "mean": ("int32", lambda x: ops.mean(x, axis=-1)),
    "mean of truth values": ("bool", lambda x: ops.mean(x, axis=-1)),
    "standard deviation": ("int32", lambda x: ops.std(x, axis=1)),
    "variance": ("int32", lambda x: ops.var(x, axis=[1, 2])),
    "logarithm of a sum": ("int32", lambda x: ops.logaddexp(x, ops.negative(x))),
    "hypotenuse": ("int32", lambda x: ops.hypot(x, ops.add(x, 1))),
}  # fmt: skip


@pytest.mark.parametrize("what", FUNCTIONS)
def test_integers_become_floats(what, tmp_path):
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    dtype, function = FUNCTIONS[what]
    x = keras.Input((4, 3), dtype=dtype, name="x")
    model = keras.Model(x, function(x))
    model.save(tmp_path / "model.h5")
    numbers = np.random.default_rng(5).normal(size=(2, 4, 3)) if dtype == "float32" else np.arange(24).reshape(2, 4, 3) % 5
    numbers = numbers.astype(dtype)
    np.save(tmp_path / "x.npy", numbers)
    h5bridge("run", "model.h5", "--input", "x.npy", "-o", "y.npy", folder=tmp_path)
    expected = model.predict(numbers, verbose=0)
    found = np.load(tmp_path / "y.npy")
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    # A cast that Keras makes by itself is not written for it.
    h5bridge("convert", "model.h5", "-o", "model.json", "-o", "model.pth", folder=tmp_path)
    h5bridge("convert", "model.json", "model.pth", "-o", "again.h5", folder=tmp_path)
    configs = []
    for name in ("model.h5", "again.h5"):
        with h5py.File(tmp_path / name) as file:
            configs.append(json.loads(file.attrs["model_config"]))
    assert [layer["class_name"] for layer in configs[1]["config"]["layers"]] == [layer["class_name"] for layer in configs[0]["config"]["layers"]]


# Sums and products that leave the type that Keras has for them, which PyTorch's int64 does not.
OVERFLOWING = {
    "a sum": ("int32", lambda x: ops.sum(x, axis=1)),
    "a sum of all": ("int32", lambda x: ops.sum(x)),
    "a sum that is summed": ("int32", lambda x: ops.sum(ops.sum(x, axis=1), axis=0)),
    "a product": ("int32", lambda x: ops.prod(x, axis=1)),
    "a product of small ones": ("int8", lambda x: ops.prod(x, axis=1)),
    "sums so far": ("int32", lambda x: ops.cumsum(x, axis=1)),
    "sums of small ones so far": ("int8", lambda x: ops.cumsum(x, axis=1)),
    "products of small ones so far": ("uint8", lambda x: ops.cumprod(x, axis=1)),
    "sums of truth values so far": ("bool", lambda x: ops.cumsum(x, axis=1)),
    "a sum and a half": ("int32", lambda x: ops.multiply(ops.cast(ops.sum(x, axis=1), "float32"), 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("what", OVERFLOWING)
def test_sums_and_products_of_keras_overflow_as_there(what, tmp_path):
    keras.backend.clear_session()
    dtype, function = OVERFLOWING[what]
    x = keras.Input((6,), dtype=dtype, name="x")
    model = keras.Model(x, function(x))
    model.save(tmp_path / "model.h5")
    numbers = (np.arange(1, 13).reshape(2, 6) * (300_000_000 if dtype == "int32" else 17)).astype(dtype)
    np.save(tmp_path / "x.npy", numbers)
    h5bridge("run", "model.h5", "--input", "x.npy", "-o", "y.npy", folder=tmp_path)
    expected, found = keras.ops.convert_to_numpy(model(numbers)), np.load(tmp_path / "y.npy")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    h5bridge("convert", "model.h5", "-o", "model.json", "-o", "model.pth", folder=tmp_path)
    h5bridge("convert", "model.json", "model.pth", "-o", "again.h5", folder=tmp_path)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(keras.models.load_model(tmp_path / "again.h5", compile=False)(numbers)), expected)
    classes = [[layer["class_name"] for layer in json.loads(h5py.File(tmp_path / name).attrs["model_config"])["config"]["layers"]] for name in ("model.h5", "again.h5")]
    assert classes[0] == classes[1]


@pytest.mark.parametrize("kind, dtype", [("sum", "int32"), ("sum", "int8"), ("cumsum", "int8"), ("prod", "int8"), ("cumsum", "uint8")])
def test_sums_and_products_of_pytorch_do_not_overflow_in_keras(kind, dtype, tmp_path):
    """As far as Keras has a type for them: int64 for sums, int32 for others."""
    network = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3], "dtype": dtype}], "outputs": ["y"],
               "layers": [{"name": "y", "type": kind, "attributes": {"dim": 1}}]}  # fmt: skip
    (tmp_path / "net.json").write_text(json.dumps(network))
    torch.save({}, tmp_path / "net.pth")
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", folder=tmp_path)
    numbers = np.array([[90, 100, 110], [1, 2, 3]], dtype) * np.array(1 if dtype != "int32" else 20_000_000, dtype)
    expected = getattr(torch, kind)(torch.from_numpy(numbers), 1).numpy()
    model = keras.models.load_model(tmp_path / "net.h5", compile=False)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(numbers)), expected)
    h5bridge("convert", "net.h5", "-o", "back.json", folder=tmp_path)
    assert [layer["type"] for layer in json.loads((tmp_path / "back.json").read_text())["layers"]] == [kind]
