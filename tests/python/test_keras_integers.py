"""Integers and truth values in Keras's models become floats where something computes with floats, wherever they come from."""

import json

import h5py
import numpy as np
import pytest

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
