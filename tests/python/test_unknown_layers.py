"""Models with layers of classes that h5bridge does not know: named all at once, and their weights can still be had."""

import json
import subprocess

import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import PROGRAM, needs_program, run_program

pytestmark = needs_program
L = keras.layers


@keras.saving.register_keras_serializable(package="mine")
class Scaled(L.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), name="scale", initializer="random_normal")

    def call(self, x):
        return x * self.scale


def unknown():
    keras.backend.clear_session()
    x = keras.Input((4,), name="x")
    h = L.Lambda(lambda t: t * 2, output_shape=(3,), name="twice")(L.Dense(3, name="first")(x))
    inner = keras.Sequential([keras.Input((3,)), Scaled(name="deep"), L.Dense(2, name="last")], name="inner")
    model = keras.Model(x, inner(Scaled(name="outer")(h)), name="unknown")
    model.compile(keras.optimizers.Adam(), "mse")
    return model


H5_NAMES = ["first/kernel", "first/bias", "outer/scale", "inner/deep/scale", "inner/last/kernel", "inner/last/bias"]
OBJECT_NAMES = [
    "layers/dense/vars/0",
    "layers/dense/vars/1",
    "layers/scaled/vars/0",
    "layers/sequential/layers/dense/vars/0",
    "layers/sequential/layers/dense/vars/1",
    "layers/sequential/layers/scaled/vars/0",
]
KNOWN_AS = {"keras": dict(zip(OBJECT_NAMES, (0, 1, 2, 4, 5, 3))), "h5": dict(zip(H5_NAMES, range(6)))}


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_weights_have_the_files_own_names(suffix, tmp_path):
    model = unknown()
    model.save(tmp_path / f"k.{suffix}")
    printed = json.loads(run_program("convert", tmp_path / f"k.{suffix}", "-o", tmp_path / "k.pth", "--json"))
    found = torch.load(tmp_path / "k.pth", weights_only=True)
    weights = model.get_weights()
    assert set(found) == set(KNOWN_AS[suffix])
    for name, place in KNOWN_AS[suffix].items():
        assert np.array_equal(found[name].numpy(), weights[place]), name
    (said,) = [note for note in printed["notes"] if "own names" in note]
    for layer in ('layer "twice" (Lambda)', 'layer "outer" (mine>Scaled)', 'layer "inner.deep" (mine>Scaled)'):
        assert layer in said
    assert any("training state is left out" in note for note in printed["notes"])


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_where_an_architecture_is_needed_all_are_refused_by_name(suffix, tmp_path):
    unknown().save(tmp_path / f"k.{suffix}")
    for destinations in (["-o", tmp_path / "x.json"], ["-o", tmp_path / "x.pth", "-o", tmp_path / "x.json"], ["-o", tmp_path / "y.h5"]):
        error = run_program("convert", tmp_path / f"k.{suffix}", *destinations, status=4)
        for layer in ('"twice" (Lambda)', '"outer" (mine>Scaled)', '"inner.deep" (mine>Scaled)'):
            assert layer in error, error
    checkpoint = ["-o", tmp_path / "x.pth", "--checkpoint", "--epoch", "1", "--loss", "0"]
    assert '"twice" (Lambda)' in run_program("convert", tmp_path / f"k.{suffix}", *checkpoint, status=4)
    assert "own names" in run_program("convert", tmp_path / f"k.{suffix}", "-o", tmp_path / "x.pth", "--lossless", status=4)
    assert not list(tmp_path.glob("x.*"))


def test_inspect_says_first_what_is_not_known(tmp_path):
    unknown().save(tmp_path / "k.h5")
    import subprocess

    from program import PROGRAM

    done = subprocess.run([PROGRAM, "inspect", tmp_path / "k.h5"], capture_output=True, text=True)
    assert done.returncode == 4
    assert done.stdout.startswith("cannot be converted: ") and "(mine>Scaled)" in done.stdout.splitlines()[0]


def test_a_class_that_was_not_registered_says_its_module(tmp_path):
    class Odd(L.Layer):
        def call(self, x):
            return x

    Odd.__module__ = "models.layers"
    keras.Sequential([keras.Input((4,)), L.Dense(2), Odd(name="odd")]).save(tmp_path / "k.keras")
    assert 'layer "odd" (Odd of models.layers)' in run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "x.json", status=4)


@keras.saving.register_keras_serializable(package="mine")
def odd(x):
    return x * 2


def plain(x):
    return x * 3


ACTIVATED = {
    "mine>odd": lambda: L.Dense(2, activation=odd),
    "plain": lambda: L.Dense(2, activation=plain),
    "sin": lambda: L.Conv1D(2, 1, activation=keras.ops.sin),
    "odd": lambda: L.LSTM(2, recurrent_activation=odd),
    "cos": lambda: L.TimeDistributed(L.Dense(2, activation=keras.ops.cos)),
}


@pytest.mark.parametrize("name", ACTIVATED)
def test_an_activation_that_is_none_of_keras_s_is_refused(name, tmp_path):
    keras.Sequential([keras.Input((4, 3)), ACTIVATED[name]()]).save(tmp_path / "k.keras")
    error = run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", status=4)
    assert f'{name}" is none of keras.activations' in error, error


@pytest.mark.parametrize("setting", [{"mask_zero": True}, {"tie_weights": False}, {"logit_soft_cap": 3.0}, {"reverse_dtype": "float16"}], ids=list)
def test_the_setting_of_a_layer_that_stands_for_two_is_named(setting, tmp_path):
    x = keras.Input((4,), dtype="int32")
    layer = L.ReversibleEmbedding(9, 3, **setting)
    keras.Model(x, layer(layer(x), reverse=True)).save(tmp_path / "k.keras")
    error = run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", status=4)
    assert f"with {next(iter(setting))}=" in error and "there is" in error, error


def preset(folder):
    """A folder as keras-hub saves it: the settings of a backbone, which no layers are told of, beside its weights."""
    model = unknown()
    folder.mkdir()
    model.save_weights(folder / "model.weights.h5")
    config = {"name": "backbone", "trainable": True, "vocabulary_size": 10, "hidden_dim": 4}
    config = {"module": "keras_hub.src.models.bert.bert_backbone", "class_name": "BertBackbone", "config": config,
              "registered_name": "keras_hub>BertBackbone"}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metadata.json").write_text(json.dumps({"keras_version": "3.5.0", "keras_hub_version": "0.17.0"}))
    return model.get_weights()


def test_a_preset_is_inspected_and_its_weights_can_be_had(tmp_path):
    weights = preset(tmp_path / "preset")
    done = subprocess.run([PROGRAM, "inspect", tmp_path / "preset", "--json"], capture_output=True, text=True)
    assert done.returncode == 4 and "BertBackbone" in done.stderr
    shown = json.loads(done.stdout)
    assert {tensor["name"] for tensor in shown["tensors"]} == set(OBJECT_NAMES)
    printed = json.loads(run_program("convert", tmp_path / "preset", "-o", tmp_path / "x.pth", "--json"))
    found = torch.load(tmp_path / "x.pth", weights_only=True)
    assert set(found) == set(OBJECT_NAMES)
    for name, place in KNOWN_AS["keras"].items():
        assert np.array_equal(found[name].numpy(), weights[place]), name
    (said,) = [note for note in printed["notes"] if "own names" in note]
    assert "BertBackbone" in said
    assert "BertBackbone" in run_program("convert", tmp_path / "preset", "-o", tmp_path / "x.h5", status=4)
