"""Keras's TimeDistributed and SpectralNormalization: what keras_networks.py does not ask of every network."""

import json

import h5py
import numpy as np
import pytest
import torch

import keras_nested_networks as nested
from keras_helpers import assert_close, keras, predict
from program import h5bridge, needs_libtorch, needs_program, run_program

L = keras.layers
pytestmark = needs_program


def run(path, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    h5bridge("run", path, "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    return np.load(tmp_path / "y.npy")


def test_a_wrapped_layer_has_the_wrapper_s_name_in_pytorch(tmp_path):
    nested.pictures_in_time().save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth")
    names = list(torch.load(tmp_path / "k.pth", weights_only=True))
    assert [name for name in names if name.startswith(("first", "features"))] == ["first.weight", "first.bias", "features.weight", "features.bias"]


@needs_libtorch
@pytest.mark.parametrize("steps", [4, None])
@pytest.mark.parametrize("data_format, other", [("channels_last", "channels_first"), ("channels_first", "channels_last")])
def test_the_other_data_format_computes_the_same(data_format, other, steps, tmp_path):
    """What a film is given as stays: which of its axes are a picture's, only the wrapper knows."""
    config = nested.pictures_in_time(data_format).get_config()
    shape = config["layers"][0]["config"]["batch_shape"]
    config["layers"][0]["config"]["batch_shape"] = (None, steps, *shape[2:])
    model = keras.Model.from_config(config)
    model.save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "other.h5", "--data-format", other)
    x = np.random.default_rng(1).normal(size=(2, 4, *shape[2:])).astype("float32")
    assert_close(predict(keras.models.load_model(tmp_path / "other.h5", compile=False), [x])[0], predict(model, [x])[0], 1e-6)


@needs_libtorch
def test_a_mask_goes_past_the_wrapper(tmp_path):
    """Keras 3 says it in the configuration, and cannot load that again."""
    x = keras.Input((6, 5), name="x")
    h = L.TimeDistributed(L.Dense(4, activation="relu", name="dense"), name="td")(L.Masking(name="masking")(x))
    model = keras.Model(x, L.LSTM(3, name="lstm")(h))
    model.save(tmp_path / "k.h5")
    data = np.random.default_rng(2).normal(size=(3, 6, 5)).astype("float32")
    data[0, 3:] = data[2, :2] = 0
    assert_close(run(tmp_path / "k.h5", data, tmp_path), predict(model, [data])[0], 1e-6)
    changed = predict(keras.Model(x, model.layers[-1](model.get_layer("td")(x))), [data])[0]
    assert not np.allclose(changed, predict(model, [data])[0], atol=1e-3)


def test_a_mask_that_the_wrapped_layer_takes_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((3, 4, 5)), L.Masking(name="m"), L.TimeDistributed(L.LSTM(2, name="lstm"), name="td")])
    model.save(tmp_path / "k.h5")
    message = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", status=4)
    assert "td" in message and "TimeDistributed hands each step's part of a mask" in message


@needs_libtorch
def test_a_file_of_keras_2(tmp_path):
    """Its variables have the wrapper's name alone, and its configuration no modules (keras 2.2.4, layers/wrappers.py)."""
    rng = np.random.default_rng(5)
    kernel, bias = rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=3).astype("float32")
    dense = {"class_name": "Dense", "config": {"name": "dense_1", "trainable": True, "units": 3, "activation": "softmax", "use_bias": True}}
    wrapper = {"name": "time_distributed_1", "trainable": True, "batch_input_shape": [None, None, 4], "dtype": "float32", "layer": dense}
    config = {"name": "sequential_1", "layers": [{"class_name": "TimeDistributed", "config": wrapper}]}
    with h5py.File(tmp_path / "k.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        file.attrs["keras_version"], file.attrs["backend"] = b"2.2.4", b"tensorflow"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"time_distributed_1"]
        group = weights.create_group("time_distributed_1")
        group.attrs["weight_names"] = [b"time_distributed_1/kernel:0", b"time_distributed_1/bias:0"]
        group["time_distributed_1/kernel:0"], group["time_distributed_1/bias:0"] = kernel, bias
    x = rng.normal(size=(2, 5, 4)).astype("float32")
    scores = np.exp(x @ kernel + bias)
    assert_close(run(tmp_path / "k.h5", x, tmp_path), scores / scores.sum(-1, keepdims=True), 1e-6)
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "of_3.h5")
    assert_close(predict(keras.models.load_model(tmp_path / "of_3.h5", compile=False), [x])[0], scores / scores.sum(-1, keepdims=True), 1e-6)


def test_a_tensor_without_steps_is_malformed(tmp_path):
    keras.Sequential([keras.Input((3, 4)), L.TimeDistributed(L.Dense(2, name="d"), name="td")]).save(tmp_path / "k.h5")
    with h5py.File(tmp_path / "k.h5", "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace("[null, 3, 4]", "[null, 4]")
    assert "expected at least 3: batch, steps" in h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", status=3)


@pytest.mark.parametrize("wrapped", ["alone", "in a model", "frozen"])
def test_that_keras_normalises_each_step_by_itself_is_said(wrapped, tmp_path):
    norm = L.BatchNormalization(name="norm", trainable=wrapped != "frozen")
    inner = keras.Sequential([L.Dense(5), norm], name="inner") if wrapped == "in a model" else norm
    model = keras.Sequential([keras.Input((6, 5)), L.TimeDistributed(inner, name="td"), L.Dense(2)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(5).normal(size=(7, 6, 5)).astype("float32")
    model.train_on_batch(x, x[..., :2])
    model.save(tmp_path / "k.keras")
    destinations = ["-o", tmp_path / "k.json", "-o", tmp_path / "k.pth"]
    notes = json.loads(run_program("convert", tmp_path / "k.keras", *destinations, "--checkpoint", "--epoch", "1", "--loss", "0", "--json"))["notes"]
    assert any("TimeDistributed" in note and "step by itself" in note and "BatchNorm" in note for note in notes) == (wrapped != "frozen")


@needs_libtorch
def test_a_mask_goes_past_a_spectral_normalization(tmp_path):
    """Keras says that it ends there, and hands it on."""
    x = keras.Input((6,), dtype="int32", name="x")
    h = L.SpectralNormalization(L.Dense(4, name="dense"), name="norm")(L.Embedding(9, 5, mask_zero=True, name="table")(x))
    model = keras.Model(x, L.LSTM(3, name="lstm")(h))
    model.save(tmp_path / "k.keras")
    data = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 7, 8, 2], [3, 0, 0, 0, 0, 0]], "int32")
    assert_close(run(tmp_path / "k.keras", data, tmp_path), predict(model, [data])[0], 1e-6)


def test_the_vector_of_a_spectral_normalization_that_never_was_in_keras(tmp_path):
    """PyTorch has a plain layer, and is told what Keras's training does; training goes on in Keras from any vector but zeros."""
    model = keras.Sequential([keras.Input((6,)), L.SpectralNormalization(L.Dense(4, name="dense"), power_iterations=40, name="norm")])
    (tmp_path / "k.json").write_text(model.to_json())
    weight = np.random.default_rng(3).normal(size=(4, 6)).astype("float32")
    torch.save({"norm.weight": torch.from_numpy(weight), "norm.bias": torch.zeros(4)}, tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "home.keras", "-o", tmp_path / "home.h5")
    for suffix in ("keras", "h5"):
        home = keras.models.load_model(tmp_path / f"home.{suffix}", compile=False)
        assert np.array_equal(home.layers[0].layer.kernel.numpy(), weight.T)
        home.compile(keras.optimizers.SGD(0.0), "mse")
        home.train_on_batch(np.ones((2, 6), "float32"), np.ones((2, 4), "float32"))
        assert_close(home.layers[0].layer.kernel.numpy(), weight.T / np.linalg.norm(weight, 2), 1e-4)
    notes = json.loads(run_program("convert", tmp_path / "home.keras", "-o", tmp_path / "again.pth", "--json"))["notes"]
    assert [note for note in notes if 'layer "norm" (SpectralNormalization): Keras divides its kernel' in note]
