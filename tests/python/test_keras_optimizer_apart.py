"""What stands apart in Keras's files, or beside its slots: an optimizer whose class is in another file than its variables,
gradients that are summed up, variables by number; and live models that a .h5 cannot hold."""


import h5py
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


def trained(optimizer, steps=1):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((5,)), L.Dense(3, name="a"), L.Dense(2, name="b")], name="m")
    model.compile(optimizer, "mse")
    for _ in range(steps):
        model.train_on_batch(random(3, 5), random(3, 2))
    return model


def notes(sources, *destinations, **options):
    return "\n".join(package.convert(sources, destinations, **options))


def state_of(path):
    return torch.load(path, weights_only=True)["optimizer_state_dict"]["state"]


def assert_same_optimizer(path, model):
    found = keras.saving.load_model(path)
    assert found.compiled and type(found.optimizer) is type(model.optimizer)
    for variable, other in zip(found.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(variable.numpy(), other.numpy()), other.path


# --- in two files -------------------------------------------------------------------------------------------------------------


def test_the_optimizer_of_to_json_and_save_weights(tmp_path):
    model = trained(keras.optimizers.Adam(0.01), 2)
    model.save(tmp_path / "k.keras")
    model.save_weights(tmp_path / "k.weights.h5")
    (tmp_path / "k.json").write_text(model.to_json())
    apart = [tmp_path / "k.json", tmp_path / "k.weights.h5"]
    notes(apart, tmp_path / "apart.pth", checkpoint=True)
    notes(tmp_path / "k.keras", tmp_path / "whole.pth", checkpoint=True)
    found, expected = state_of(tmp_path / "apart.pth"), state_of(tmp_path / "whole.pth")
    assert found.keys() == expected.keys() and len(found) == 4
    for parameter, slots in expected.items():
        assert all(torch.equal(found[parameter][name], slot) for name, slot in slots.items())
    notes(apart, tmp_path / "home.keras", lossless=True)
    assert_same_optimizer(tmp_path / "home.keras", model)
    with pytest.raises(package.Unsupported, match="checkpoint"):
        notes(apart, tmp_path / "lossless.pth", lossless=True)


def test_our_file_of_weights_says_which_optimizer_it_has(tmp_path):
    model = trained(keras.optimizers.RMSprop(0.01))
    model.save(tmp_path / "k.keras")
    ours, theirs = tmp_path / "ours.weights.h5", tmp_path / "theirs.weights.h5"
    notes(tmp_path / "k.keras", ours, tmp_path / "k.json")
    notes([tmp_path / "k.json", ours], tmp_path / "home.keras", lossless=True)
    assert_same_optimizer(tmp_path / "home.keras", model)
    # Keras keeps the variables alone.
    model.save_weights(theirs)
    assert "nothing says which optimizer" in notes([tmp_path / "k.json", theirs], tmp_path / "k.pth")
    with pytest.raises(package.Unsupported, match="nothing says which optimizer"):
        notes([tmp_path / "k.json", theirs], tmp_path / "c.pth", checkpoint=True)
    assert notes([tmp_path / "k.json", theirs], tmp_path / "k.pth", optimizer=False) == ""


# --- what is summed up --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "said"), [(3, True), (4, False)])
def test_gradients_that_are_summed_up_are_said(steps, said, tmp_path):
    trained(keras.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2), steps).save(tmp_path / "k.keras")
    files = [tmp_path / "k.json", tmp_path / "k.pth"]
    there = notes(tmp_path / "k.keras", *files, checkpoint=True)
    assert "gradient_accumulation_steps = 2" in there and ("summed up for its next step" in there) == said
    home = notes(files, tmp_path / "home.keras")
    assert ("starts again at 0" in home) == said


def test_random_changes_of_pictures_are_said_where_training_goes_on(tmp_path):
    model = keras.Sequential([keras.Input((6, 7, 3)), L.RandomFlip(name="flip"), L.Flatten(), L.Dense(2)])
    model.compile("adam", "mse")
    model.train_on_batch(random(2, 6, 7, 3), random(2, 2))
    model.save(tmp_path / "k.keras")
    message = notes(tmp_path / "k.keras", tmp_path / "k.pth", tmp_path / "k.json", checkpoint=True)
    assert 'layer "flip" (RandomFlip): Keras mirrors pictures at random' in message
    # Source is to be trained, too.
    assert 'layer "flip" (RandomFlip): Keras mirrors pictures at random' in notes(tmp_path / "k.keras", tmp_path / "k.py")


# --- by number ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["Lion", "Lamb", "Ftrl"])
def test_variables_by_number_have_keras_s_names_in_an_h5(optimizer, tmp_path):
    model = trained(getattr(keras.optimizers, optimizer)(0.01))
    model.save(tmp_path / "k.keras")
    notes(tmp_path / "k.keras", tmp_path / "k.h5")
    with h5py.File(tmp_path / "k.h5") as file:
        for variable in model.optimizer.variables:
            assert np.array_equal(file["optimizer_weights"][variable.path][()], variable.numpy())
    for source in ("k.keras", "k.h5"):
        notes(tmp_path / source, tmp_path / "back.keras")
        assert_same_optimizer(tmp_path / "back.keras", model)


def test_variables_that_have_no_names_are_said(tmp_path):
    trained(keras.optimizers.Nadam(0.01)).save(tmp_path / "k.keras")
    assert "of the optimizer Nadam have no names" in notes(tmp_path / "k.keras", tmp_path / "k.h5")


# --- live models that a .h5 cannot hold -----------------------------------------------------------------------------------------


def test_a_live_model_that_keras_cannot_save_as_h5(tmp_path):
    model = trained("adafactor")
    package.from_keras(model).save(tmp_path / "home.keras")
    assert_same_optimizer(tmp_path / "home.keras", model)
    model.save(tmp_path / "later.keras")
    assert_same_optimizer(tmp_path / "later.keras", model)  # the live model is as it was


@pytest.mark.parametrize("within", [False, True])
def test_a_layer_twice_in_a_sequential_is_refused(within):
    """Keras itself saves, and loads, it once."""
    layer = L.Dense(5, name="d")
    model = keras.Sequential([keras.Input((5,)), layer, layer], name="twice")
    if within:
        x = keras.Input((3, 5))
        model = keras.Model(x, L.TimeDistributed(model)(x))
    with pytest.raises(package.Unsupported, match='"twice" has the layer "d" several times'):
        package.from_keras(model)
    x = keras.Input((5,))
    assert list(package.from_keras(keras.Model(x, layer(layer(x)))).tensors) == ["d.weight", "d.bias"]


class Secret(L.Layer):
    def call(self, x):
        return x

    def get_config(self):
        raise ValueError("says nothing\nof itself")


def test_what_keras_cannot_save_is_unsupported():
    with pytest.raises(package.Unsupported, match="of no class of Keras's own: what it computes is in its code alone"):
        package.from_keras(keras.Sequential([keras.Input((5,)), Secret()]))
