"""Classes of users that are called as classes of Keras's are: what they compute is in their code alone, so that they are
refused by name, from every file that tells, and live."""

import json
import zipfile

import numpy as np
import pytest

from keras_helpers import keras
from program import h5bridge, needs_program, package, run_program

pytestmark = needs_program
L = keras.layers
register = keras.saving.register_keras_serializable("mine")


@register
class Dense(L.Dense):
    def call(self, x):
        return super().call(x) * 2


class Dropout(L.Layer):
    """One that is registered nowhere."""

    def __init__(self, rate, **others):
        super().__init__(**others)
        self.rate = rate

    def call(self, x):
        return x * 7

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@register
class Attention(L.Layer):
    def call(self, x):
        return x


@register
class Sequential(keras.Sequential):
    def call(self, x, **others):
        return super().call(x, **others) * 3


@register
class GRUCell(L.GRUCell):
    pass


@register
class Adam(keras.optimizers.Adam):
    pass


@register
class Trained(keras.Model):
    def train_step(self, data):
        return {}


def of(layer, shape=(5,)):
    return keras.Sequential([keras.Input(shape), layer], name="net")


def functional(layer, shape):
    x = keras.Input(shape)
    return keras.Model(x, layer(x))


MODELS = {
    "registered": ("(mine>Dense)", lambda: of(Dense(2))),
    "registered nowhere": ("Dropout", lambda: of(Dropout(0.2))),
    "taking other inputs": ("(mine>Attention)", lambda: functional(Attention(), (4, 5))),
    "wrapped": ("(mine>Dense)", lambda: functional(L.TimeDistributed(Dense(2)), (4, 5))),
    "within a model": ("(mine>Dense)", lambda: functional(of(Dense(2)), (5,))),
    "a model within": ("(mine>Sequential)", lambda: functional(Sequential([keras.Input((5,)), L.Dense(2)]), (5,))),
    "a cell": ("(RNN)", lambda: functional(L.RNN(GRUCell(3)), (4, 5))),
    "the model": ("a model of class mine>Sequential", lambda: Sequential([keras.Input((5,)), L.Dense(2)])),
    "trained otherwise": ("a model of class mine>Trained", lambda: Trained(*(lambda x: (x, L.Dense(2)(x)))(keras.Input((5,))))),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_archive_is_refused_by_the_class(name, tmp_path):
    said, model = MODELS[name]
    model().save(tmp_path / "k.keras")
    assert said in run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.h5", status=4)
    (tmp_path / "model.json").write_bytes(zipfile.ZipFile(tmp_path / "k.keras").read("config.json"))
    assert said in run_program("convert", tmp_path / "model.json", "-o", tmp_path / "k.json", status=4)


@pytest.mark.skipif(package is None, reason="the Python package is not built")
@pytest.mark.parametrize("name", [name for name in MODELS if name != "a cell"])
def test_a_live_model_is_refused(name):
    with pytest.raises(package.Unsupported, match=r'layer ".*" \((Dense|Dropout|Attention|Sequential|Trained) of '):
        package.from_keras(MODELS[name][1]())


def test_their_optimizer_is_none_of_keras_s(tmp_path):
    model = of(L.Dense(2))
    model.compile(Adam(0.1), "mse")
    model.train_on_batch(np.ones((3, 5), "float32"), np.ones((3, 2), "float32"))
    model.save(tmp_path / "k.keras")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "k.pth")
    assert "mine>Adam" in run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "k.pth", "--checkpoint", status=4)


def test_other_objects_of_theirs_ride_along(tmp_path):
    """A class that computes nothing of what a network gives comes back as it was, whatever it is called."""
    model = of(L.Dense(2))
    model.save(tmp_path / "k.keras")
    with zipfile.ZipFile(tmp_path / "k.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    zeros = {"module": "my.zeros", "class_name": "Identity", "config": {}, "registered_name": "my>Identity"}
    config["config"]["layers"][1]["config"]["bias_initializer"] = zeros
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(tmp_path / "theirs.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    h5bridge("convert", tmp_path / "theirs.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "home.keras")
    home = json.loads(zipfile.ZipFile(tmp_path / "home.keras").read("config.json"))
    assert home["config"]["layers"][1]["config"]["bias_initializer"] == zeros
