"""Keras models of models: optimizer state, what a trained one keeps, and random ones. test_keras_networks.py has more of them by hand."""

import json

import numpy as np
import pytest
import torch

import keras_nested_networks as nested
from keras_helpers import assert_close, keras, optimizer_of, predict
from program import h5bridge, needs_libtorch, needs_program
from random_nested_models import fault_of, fault_of_model

pytestmark = [needs_program, needs_libtorch]
SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_model_of_models_gives_the_same_and_comes_home(seed, tmp_path):
    assert (fault := fault_of(seed, tmp_path)) is None, fault


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_model_of_twenty_levels_gives_the_same_and_comes_home(suffix, tmp_path):
    keras.utils.set_random_seed(1)
    assert (fault := fault_of_model(nested.of_levels(20), 1, tmp_path, suffix)) is None, fault


def trained(build, shapes, path):
    keras.utils.set_random_seed(3)
    model = build()
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    rng = np.random.default_rng(4)
    x = [rng.normal(size=shape).astype("float32") for shape in shapes]
    y = [rng.normal(size=output.shape).astype("float32") for output in predict(model, x).values()]
    for _ in range(3):
        model.train_on_batch(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])
    model.save(path)
    return model


@pytest.mark.parametrize(
    "build, shapes",
    [
        (nested.passed_on_twice, [(4, 6), (4, 6)]),
        (nested.three_deep, [(4, 4)]),
        (nested.chain_of_models, [(4, 4)]),
        (nested.frozen_backbone, [(4, 13, 11, 3)]),
        (nested.pictures_in_time, [(4, 4, 9, 7, 3)]),
        (nested.tagged_steps, [(4, 6, 5)]),
        (nested.layer_of_two_levels, [(4, 4)]),
        (nested.layer_of_two_chains, [(4, 4)]),
    ],
)
def test_the_optimizer_s_state_comes_home_from_a_checkpoint(build, shapes, tmp_path):
    trained(build, shapes, tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.ckpt.pth", "--checkpoint")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.ckpt.pth", "-o", tmp_path / "home.h5")
    found, expected = optimizer_of(tmp_path / "home.h5"), optimizer_of(tmp_path / "k.h5")
    assert sorted(found) == sorted(expected)
    for name, variable in expected.items():
        assert np.array_equal(found[name], variable), name


def test_state_is_that_of_its_own_parameter(tmp_path):
    """A frozen layer stands before a trained one of the same shape, in a model whose trained variables are saved first."""

    def build():
        inner = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(4, name=name) for name in "abc")], name="inner")
        inner.layers[0].trainable = False
        x = keras.Input((4,), name="x")
        return keras.Model(x, inner(keras.layers.Dense(4, name="first")(x)), name="m")

    model = trained(build, [(5, 4)], tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.ckpt.pth", "--checkpoint")
    checkpoint = torch.load(tmp_path / "k.ckpt.pth", weights_only=True)
    weights = checkpoint["model_state_dict"]
    for layer in model.get_layer("inner").layers:
        assert np.array_equal(weights[f"inner.{layer.name}.weight"].numpy(), layer.kernel.numpy().T)
    state = checkpoint["optimizer_state_dict"]["state"]
    found = {name: state[index] for index, name in enumerate(weights) if index in state}
    assert "inner.a.weight" not in found
    for variable, momentum in zip(model.optimizer._trainable_variables, model.optimizer._momentums):
        *_, layer, kind = variable.path.split("/")
        name = ("first" if layer == "first" else f"inner.{layer}") + (".weight" if kind == "kernel" else ".bias")
        assert np.array_equal(found[name]["exp_avg"].numpy(), momentum.numpy().T), name


def test_a_backbone_that_was_tuned_in_keras_goes_home_by_its_architecture(tmp_path):
    """The JSON holds the scopes, so that what Keras saves without our part fits it again."""
    model = nested.frozen_backbone()
    model.save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "ours.h5")
    tuned = keras.models.load_model(tmp_path / "ours.h5", compile=False)
    for variable in tuned.weights:
        variable.assign(2 * variable + 0.01)
    tuned.save(tmp_path / "tuned.h5")
    h5bridge("convert", tmp_path / "tuned.h5", tmp_path / "k.json", "-o", tmp_path / "tuned.pth")
    before, after = (torch.load(tmp_path / name, weights_only=True) for name in ("k.pth", "tuned.pth"))
    assert list(before) == list(after)
    for name, tensor in before.items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_allclose(after[name].numpy(), 2 * tensor.numpy() + 0.01, rtol=1e-6, err_msg=name)


def test_the_other_layout_keeps_the_models(tmp_path):
    """Channels first and last: the same models, with the pictures' axes moved where they are called."""
    model = nested.frozen_backbone()
    model.save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "first.h5", "--data-format", "channels_first")
    first = keras.models.load_model(tmp_path / "first.h5", compile=False)
    assert [layer.name for layer in first.layers] == [layer.name for layer in model.layers]
    assert first.get_layer("backbone").inputs[0].shape == (None, 3, None, None)
    x = np.random.default_rng(1).normal(size=(2, 13, 11, 3)).astype("float32")
    assert_close(predict(first, [np.moveaxis(x, -1, 1)])[0], predict(model, [x])[0], 1e-5)


def test_layers_of_a_frozen_model_may_be_trained_again(tmp_path):
    """The usual way to fine-tune: all of the backbone is frozen, and then its last layer is not."""
    x = keras.Input((4,), name="x")
    h = keras.layers.BatchNormalization(name="bn")(keras.layers.Dense(4, name="d0")(x))
    base = keras.Model(x, keras.layers.Dense(3, name="d1")(h), name="base")
    base.trainable = False
    base.layers[-1].trainable = True

    def build():
        u = keras.Input((4,), name="u")
        return keras.Model(u, keras.layers.Dense(2, name="head")(base(u)), name="tuned")

    trained(build, [(5, 4)], tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.ckpt.pth", "--checkpoint")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.ckpt.pth", "-o", tmp_path / "home.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "direct.h5")
    expected = optimizer_of(tmp_path / "k.h5")
    assert any("d1" in name for name in expected) and not any("d0" in name for name in expected)
    for path in (tmp_path / "home.h5", tmp_path / "direct.h5"):
        found = keras.models.load_model(path, compile=False)
        assert [(layer.name, layer.trainable) for layer in found.get_layer("base").layers[1:]] == [("d0", False), ("bn", False), ("d1", True)]
        assert sorted(optimizer_of(path)) == sorted(expected)


def test_masks_that_are_joined_behind_models_are_refused(tmp_path):
    """No configuration says that they are there, as it would in a model without models."""
    ids, steps = keras.Input((5,), dtype="int32"), keras.Input((5, 4))
    h = keras.layers.LSTM(3, return_sequences=True)(keras.layers.Embedding(9, 4, mask_zero=True)(ids))
    inner = keras.Model([ids, steps], [h, keras.layers.GRU(3, return_sequences=True)(keras.layers.Masking()(steps))], name="inner")
    a, b = keras.Input((5,), dtype="int32", name="a"), keras.Input((5, 4), name="b")
    joined = keras.layers.Concatenate(name="cat")(inner([a, b]))
    keras.Model([a, b], keras.layers.LSTM(2, name="last")(joined)).save(tmp_path / "k.h5")
    message = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", status=4)
    assert 'layer "last" (LSTM): takes the mask of "cat"' in message
    keras.Model([a, b], keras.layers.Dense(2, name="last")(joined)).save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")


SHARED = {nested.layer_of_two_levels: ("inner.shared", "shared"), nested.layer_of_two_chains: ("a.shared", "b.shared")}


@pytest.mark.parametrize("build", SHARED)
def test_a_layer_that_models_share_is_tied(build, tmp_path):
    """Keras's file has a copy of it for each model, and one state of its optimizer."""
    names = [[f"{layer}.{kind}" for layer in SHARED[build]] for kind in ("weight", "bias")]
    model = trained(build, [(4, 4)], tmp_path / "k.h5")
    convert = ["convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "--checkpoint", "--json"]
    notes = json.loads(h5bridge(*convert))["notes"]
    keras_names = [layer.replace(".", "/") for layer in SHARED[build]]
    assert any(f'"{keras_names[0]}" and "{keras_names[1]}" were one when Keras saved them' in note for note in notes)
    assert json.loads((tmp_path / "k.json").read_text())["tied"] == names
    checkpoint = torch.load(tmp_path / "k.pth", weights_only=True)
    weights, optimizer = checkpoint["model_state_dict"], checkpoint["optimizer_state_dict"]
    assert all(weights[one].data_ptr() == weights[other].data_ptr() for one, other in names)
    assert len(optimizer["param_groups"][0]["params"]) == len(model.trainable_variables)
    np.savez(tmp_path / "x.npz", u=(x := np.random.default_rng(1).normal(size=(5, 4)).astype("float32")))
    h5bridge("run", tmp_path / "k.json", tmp_path / "k.pth", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npy")
    assert_close(np.load(tmp_path / "y.npy"), predict(model, [x])[0], 1e-5)
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "home.h5")
    assert_close(predict(keras.models.load_model(tmp_path / "home.h5", compile=False), [x])[0], predict(model, [x])[0], 1e-5)
    h5bridge("convert", tmp_path / "home.h5", "-o", tmp_path / "again.json", "-o", tmp_path / "again.pth", "--checkpoint")
    assert json.loads((tmp_path / "again.json").read_text())["tied"] == names
    h5bridge("convert", tmp_path / "k.h5", tmp_path / "k.json", "-o", tmp_path / "beside.pth", "--checkpoint")
    for path in ("again.pth", "beside.pth"):
        found = torch.load(tmp_path / path, weights_only=True)["optimizer_state_dict"]["state"]
        for number, state in optimizer["state"].items():
            assert all(torch.equal(found[number][slot], tensor) for slot, tensor in state.items())


def test_layers_of_one_name_in_two_models_are_two(tmp_path):
    """Their numbers differ, or are those that every such layer starts with."""

    def build(layer):
        x, u = keras.Input((4,)), keras.Input((4,))
        return keras.Model(u, layer()(keras.Model(x, layer()(x), name="inner")(u)))

    for layer in (keras.layers.Dense, keras.layers.BatchNormalization):
        build(lambda: layer(4, name="same") if layer is keras.layers.Dense else layer(name="same")).save(tmp_path / "k.h5")
        h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
        assert "tied" not in json.loads((tmp_path / "k.json").read_text())
