"""Models of Keras's as PyTorch modules (`to_torch()`, and the source that it executes): what is frozen, inputs of every
floating-point type, sizes that no tensor has any more, names that nn.Module has for itself."""

import json
import zipfile

import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import needs_program, package

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)

L = keras.layers
pytestmark = needs_program


def random(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def as_module(model, folder):
    model.save(folder / "k.keras")
    return package.load(folder / "k.keras").to_torch()


def assert_alike(model, folder, *inputs):
    """In evaluation, of any batch."""
    module = as_module(model, folder).eval()
    for batch in (1, 3):
        given = [each[:batch] for each in inputs]
        expected = keras.ops.convert_to_numpy(model(given if len(given) > 1 else given[0], training=False))
        found = module(*map(torch.from_numpy, given)).detach().numpy()
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    return module


# --- what is frozen -----------------------------------------------------------------------------------------------------------


def frozen_layers():
    """A layer, a batch normalisation, a model that is frozen with its layers, and one whose layers Keras trains."""
    keras.utils.set_random_seed(3)
    x = keras.Input((5,), name="x")
    backbone = keras.Sequential([keras.Input((4,)), L.Dense(4, name="a"), L.Dense(3, name="b")], name="backbone")
    backbone.trainable = False
    silent = keras.Sequential([keras.Input((3,)), L.Dense(3, name="c")], trainable=False, name="silent")
    y = L.Dense(4, trainable=False, name="first")(x)
    y = L.BatchNormalization(trainable=False, name="norm")(L.Dense(4, name="second")(y))
    return keras.Model(x, L.Dense(2, name="last")(silent(backbone(y))))


def test_what_keras_froze_asks_for_no_gradients(tmp_path):
    model = frozen_layers()
    assert {weight.path.split("/")[-2] for weight in model.trainable_weights} == {"second", "c", "last"}
    module = as_module(model, tmp_path)
    package.convert(tmp_path / "k.keras", [tmp_path / "k.json", tmp_path / "k.pth"])
    for each in (module, package.from_keras(model).to_torch(), package.load([tmp_path / "k.json", tmp_path / "k.pth"]).to_torch()):
        trained = {name for name, parameter in each.named_parameters() if parameter.requires_grad}
        assert trained == {"second.weight", "second.bias", "silent.c.weight", "silent.c.bias", "last.weight", "last.bias"}


@pytest.mark.parametrize("functional", [True, False])
def test_a_model_that_is_frozen_as_a_whole(functional, tmp_path):
    """Whose layers say that they are trained."""
    x, layers = keras.Input((5,)), [L.Dense(4, name="a"), L.Dense(2, name="b")]
    model = keras.Model(x, layers[1](layers[0](x)), trainable=False) if functional else keras.Sequential([x, *layers], trainable=False)
    assert not model.trainable_weights and all(layer.trainable for layer in layers)
    assert not any(parameter.requires_grad for parameter in as_module(model, tmp_path).parameters())
    package.convert(tmp_path / "k.keras", [tmp_path / "k.json", tmp_path / "k.pth"])
    again = package.load([tmp_path / "k.json", tmp_path / "k.pth"])
    assert not any(parameter.requires_grad for parameter in again.to_torch().parameters())
    again.save(tmp_path / "home.keras")
    configs = [json.loads(zipfile.ZipFile(tmp_path / name).read("config.json"))["config"] for name in ("k.keras", "home.keras")]
    for config in configs:
        assert config["trainable"] is False
        assert all(layer["config"].get("trainable", True) for layer in config["layers"])


def test_source_says_that_it_does_not_freeze(tmp_path):
    frozen_layers().save(tmp_path / "k.keras")
    code, described, weights = (tmp_path / name for name in ("k.py", "k.json", "k.pth"))
    for destinations in ([code, weights], [code]):
        notes = package.convert(tmp_path / "k.keras", destinations)
        assert len(notes) == len(destinations) and all("requires_grad=False of" in note and "first.weight" in note for note in notes)
    assert package.convert(tmp_path / "k.keras", [code, described, weights]) == []


def test_a_frozen_batch_normalisation_trains_otherwise(tmp_path):
    model = frozen_layers()
    model.compile("adam", "mse")
    model.train_on_batch(random(3, 5), random(3, 2))
    model.save(tmp_path / "k.keras")
    notes = package.convert(tmp_path / "k.keras", [tmp_path / "k.json", tmp_path / "k.pth"], checkpoint=True)
    assert [note for note in notes if "running statistics" in note and '"norm"' in note]


# --- inputs of another type ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_an_input_of_another_floating_point_type_is_cast(dtype, tmp_path):
    x, y = keras.Input((7, 6, 3), dtype=dtype, name="x"), keras.Input((4,), dtype=dtype, name="y")
    joined = L.Concatenate()([L.Flatten()(L.Conv2D(2, 3, padding="same")(x)), L.Dense(3)(y)])
    images, numbers = random(3, 7, 6, 3).astype(dtype), random(3, 4).astype(dtype)
    model = keras.Model([x, y], L.Dense(2)(joined))
    module = as_module(model, tmp_path).eval()
    expected = keras.ops.convert_to_numpy(model([images, numbers], training=False))
    found = module(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(numbers)).detach().numpy()
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# --- sizes --------------------------------------------------------------------------------------------------------------------


def over_open_time():
    x = keras.Input((None, 5), name="x")
    return keras.Model(x, L.TimeDistributed(L.Dense(3))(x)), (3, 4, 5)


def over_open_time_and_called_like_a_size():
    x = keras.Input((None, 5), name="batch")
    return keras.Model(x, L.TimeDistributed(L.Dense(3, activation="tanh"))(L.Dense(5)(x))), (3, 4, 5)


def within_another():
    x = keras.Input((4, 3, 5, 2), name="x")
    return keras.Model(x, L.TimeDistributed(L.TimeDistributed(L.Dense(3)))(x)), (3, 4, 3, 5, 2)


def within_another_over_open_time():
    x = keras.Input((None, 3, 5), name="x")
    return keras.Model(x, L.TimeDistributed(L.TimeDistributed(L.Dense(3)))(x)), (3, 4, 3, 5)


def a_model_over_open_time():
    inner = keras.Sequential([keras.Input((6, 2)), L.Conv1D(3, 2), L.Flatten(), L.Dense(4)], name="inner")
    x = keras.Input((None, 6, 2), name="x")
    return keras.Model(x, L.GRU(3)(L.TimeDistributed(inner)(x))), (3, 5, 6, 2)


@pytest.mark.parametrize("build", [over_open_time, over_open_time_and_called_like_a_size, within_another, within_another_over_open_time, a_model_over_open_time])
def test_sizes_that_no_tensor_at_hand_has(build, tmp_path):
    keras.utils.set_random_seed(3)
    model, shape = build()
    assert_alike(model, tmp_path, random(*shape))


# --- names --------------------------------------------------------------------------------------------------------------------


def test_a_layer_that_is_called_training(tmp_path):
    """By the model, and by a model within it."""
    keras.utils.set_random_seed(3)
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="training"), L.Dropout(0.5), L.Dense(3, name="b")], name="inner")
    x = keras.Input((5,), name="x")
    model = keras.Model(x, inner(L.Dense(4, name="training")(x)))
    module = assert_alike(model, tmp_path, random(3, 5))
    assert {"training.weight", "inner.training.weight"} <= module.state_dict().keys()
    assert not any(each.training for each in module.modules())
    assert module.train() is module and all(each.training for each in module.modules())
