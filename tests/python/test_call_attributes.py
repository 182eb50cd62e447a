"""Keras's calls of one layer that differ in their arguments (a causal mask, scores, training=True), both ways and to the letter."""

import json

import h5py
import numpy as np
import pytest

from keras_helpers import assert_close, by_name, jax_outputs, keras, run_jax
from program import h5bridge, needs_libtorch, needs_program, run_keras_model

pytestmark = needs_program
layers = keras.layers


def attention():
    """One layer, called in each of its ways, of which the first is the plain one; Keras takes the scores of a first call alone."""
    x, y = keras.Input((5, 4), name="x"), keras.Input((5, 4), name="y")
    shared = layers.Attention(use_scale=True, score_mode="concat", name="shared")
    plain = shared([x, y])
    causal = shared([x, y], use_causal_mask=True)
    both, _ = shared([causal, y], use_causal_mask=True, return_attention_scores=True)
    return keras.Model([x, y], [plain, causal, both, shared([both, x])], name="attention")


def causal_first():
    """What the first call has, the second has not."""
    x, y = keras.Input((5, 4), name="x"), keras.Input((5, 4), name="y")
    shared = layers.AdditiveAttention(name="shared")
    causal, scores = shared([x, y], use_causal_mask=True, return_attention_scores=True)
    return keras.Model([x, y], [causal, scores, shared([causal, y])], name="causal_first")


def masked():
    """The masks of a call are its own, too."""
    x, y = keras.Input((5,), dtype="int32", name="x"), keras.Input((5, 4), name="y")
    words = layers.Embedding(9, 4, mask_zero=True, name="words")(x)
    shared = layers.Attention(use_scale=True, name="shared")
    return keras.Model([x, y], [shared([words, y]), shared([y, words], use_causal_mask=True)], name="masked")


def training():
    """Dropout, noise, statistics of the batch and recurrent dropout, each as usual, and in a call with training=True."""
    x = keras.Input((5, 4), name="x")
    of_each = [
        layers.Dropout(0.5, name="dropout"),
        layers.AlphaDropout(0.5, name="alpha"),
        layers.GaussianDropout(0.5, name="gaussian"),
        layers.GaussianNoise(0.5, name="noise"),
        layers.LSTM(4, dropout=0.5, return_sequences=True, name="lstm"),
        layers.RNN(layers.GRUCell(4, recurrent_dropout=0.5), return_sequences=True, name="cells"),
        layers.Bidirectional(layers.SimpleRNN(2, dropout=0.5, return_sequences=True), name="both_ways"),
    ]
    value = x
    for layer in of_each:
        value = layer(layer(value), training=True)
    value = layers.Dropout(0.5, name="at_once")(value, training=True)
    value = layers.Attention(dropout=0.5, name="attention")([value, value], training=True)
    norm = layers.BatchNormalization(name="norm")  # of features, which both frameworks have in one layout
    return keras.Model(x, norm(norm(layers.LSTM(4, name="last")(value)), training=True), name="training")


def arrays_of(model):
    rng = np.random.default_rng(3)
    whole = {x.name: x.dtype == "int32" for x in model.inputs}
    shapes = {x.name: (3, *x.shape[1:]) for x in model.inputs}
    return {name: rng.integers(0, 9, shape).astype("int32") if whole[name] else rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def made(make):
    keras.utils.set_random_seed(7)
    model = make()
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(np.random.default_rng(len(variable.path)).uniform(0.2, 1.0, size=variable.shape))
    arrays = arrays_of(model)
    inputs = list(arrays.values())
    return model, arrays, by_name(model(inputs if len(inputs) > 1 else inputs[0], training=False))


MODELS = [attention, causal_first, masked, training]


def calls_in(path):
    """What the layers of a file are called with, but for tensors' shapes, which Keras's own reader does not look at, and a mask
    of None, which Keras writes for some first calls alone."""
    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])["config"]

    def plain(value):
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return value["config"]["keras_history"]
        if isinstance(value, dict):
            return {name: plain(member) for name, member in value.items() if member is not None}
        return [plain(member) for member in value] if isinstance(value, list) else value

    return {layer["name"]: plain(layer["inbound_nodes"]) for layer in config["layers"]}


@pytest.mark.parametrize("by_pytorch", [False, True], ids=["h5", "pth"])
@pytest.mark.parametrize("make", MODELS)
@needs_libtorch
def test_libtorch_gives_what_keras_does(make, by_pytorch, tmp_path):
    model, arrays, expected = made(make)
    found = run_keras_model(model, arrays, tmp_path, by_pytorch)
    assert len(found) == len(expected)
    for value, answer in zip(found.values(), expected.values()):
        assert_close(value, answer, 1e-5)


@pytest.fixture(scope="module")
def at_home(tmp_path_factory):
    """For each model the folder of its files, with what JAX makes of the one that came home, its inputs and what Keras computes."""
    result = {}
    for make in MODELS:
        folder = tmp_path_factory.mktemp(make.__name__)
        model, arrays, expected = made(make)
        model.save(folder / "k.h5")
        h5bridge("convert", folder / "k.h5", "-o", folder / "k.json", "-o", folder / "k.pth")
        h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "m.h5")
        np.savez(folder / "keras_inputs.npz", **arrays)
        result[make] = folder, arrays, expected
    # JAX draws random numbers for calls with training=True, which is no part of a compiled call.
    run_jax([folder for make, (folder, _, _) in result.items() if make is not training])
    return result


@pytest.mark.parametrize("make", MODELS)
def test_calls_come_home_to_the_letter(make, at_home):
    folder, arrays, expected = at_home[make]
    own = calls_in(folder / "k.h5")
    assert calls_in(folder / "m.h5") == own
    assert any(len(calls) > 1 and calls[0]["kwargs"] != calls[1]["kwargs"] for calls in own.values())
    assert json.loads((folder / "k.json").read_text())["h5bridge"] == 2
    inputs = list(arrays.values())
    found = by_name(keras.models.load_model(folder / "m.h5", compile=False)(inputs if len(inputs) > 1 else inputs[0], training=False))
    for value, answer in zip(found.values(), expected.values(), strict=True):
        assert_close(value, answer, 1e-6)
    if make is not training:
        for value, answer in zip(jax_outputs(folder).values(), expected.values(), strict=True):
            assert_close(value, answer, 1e-5)


def test_what_a_call_has_of_its_own_stands_beside_it(tmp_path):
    made(attention)[0].save(tmp_path / "k.h5")
    h5bridge("convert", "k.h5", "-o", "k.json", folder=tmp_path)
    entries = {entry["name"]: entry for entry in json.loads((tmp_path / "k.json").read_text())["layers"]}
    assert entries["shared"]["attributes"] == {"use_scale": True, "score_mode": "concat"}
    of_calls = [entry.get("attributes") for entry in entries.values() if entry.get("call") == "shared"]
    assert of_calls == [{"use_causal_mask": True}, {"use_causal_mask": True, "return_attention_scores": True}, None]


def test_what_training_does_in_a_call_is_said(tmp_path):
    """Keras's model(x) drops, where predict() and PyTorch do not."""
    x = keras.Input((1000,), name="x")
    drop = layers.Dropout(0.5, name="drop")
    model = keras.Model(x, drop(drop(x), training=True))
    ones = np.ones((1, 1000), "float32")
    assert 300 < (keras.ops.convert_to_numpy(model(ones)) == 0).sum() < 700
    assert (model.predict(ones, verbose=0) == 1).all()
    model.save(tmp_path / "k.h5")
    notes = json.loads(h5bridge("convert", "k.h5", "-o", "k.json", "-o", "k.pth", "--json", folder=tmp_path))["notes"]
    assert notes == ['k.pth: training=True of calls of "drop" is left out: Keras\'s model(x) heeds it, its predict() and PyTorch\'s eval() do not']
    h5bridge("convert", "k.json", "k.pth", "-o", "m.h5", folder=tmp_path)
    back = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert 300 < (keras.ops.convert_to_numpy(back(ones)) == 0).sum() < 700


def test_training_of_a_call_of_a_model_is_kept_and_said(tmp_path):
    """It is that of all layers within the model."""
    u, x = keras.Input((1000,), name="u"), keras.Input((1000,), name="x")
    inner = keras.Model(u, layers.Dropout(0.5, name="drop")(u), name="inner")
    model = keras.Model(x, inner(inner(x), training=True))
    model.save(tmp_path / "k.h5")
    notes = json.loads(h5bridge("convert", "k.h5", "-o", "k.json", "-o", "k.pth", "--json", folder=tmp_path))["notes"]
    assert len(notes) == 1 and 'k.pth: training=True of calls of the model "inner" is left out' in notes[0]
    h5bridge("convert", "k.json", "k.pth", "-o", "m.h5", folder=tmp_path)
    assert calls_in(tmp_path / "m.h5") == calls_in(tmp_path / "k.h5")
    back, ones = keras.models.load_model(tmp_path / "m.h5", compile=False), np.ones((1, 1000), "float32")
    assert 300 < (keras.ops.convert_to_numpy(back(ones)) == 0).sum() < 700
    assert (back.predict(ones, verbose=0) == 1).all()


def test_training_of_a_model_s_call_in_keras_2_is_refused(tmp_path):
    """There predict() heeds it."""
    u, x = keras.Input((4,), name="u"), keras.Input((4,), name="x")
    keras.Model(x, keras.Model(u, layers.Dropout(0.5, name="drop")(u), name="inner")(x, training=True)).save(tmp_path / "k.h5")
    with h5py.File(tmp_path / "k.h5", "r+") as file:
        file.attrs["keras_version"] = "2.15.0"
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["inbound_nodes"] = [[["x", 0, 0, {"training": True}]]]
        file.attrs["model_config"] = json.dumps(config)
    said = h5bridge("convert", "k.h5", "-o", "k.json", folder=tmp_path, status=4)
    assert 'layer "inner"' in said and "training=true, which Keras 2 heeds in predict(), too" in said


def test_a_call_of_an_exported_network_that_is_changed(tmp_path):
    """Files where another call has another setting are said to be of another network."""
    made(attention)[0].save(tmp_path / "k.h5")
    h5bridge("convert", "k.h5", "-o", "k.json", folder=tmp_path)
    document = json.loads((tmp_path / "k.json").read_text())
    second = next(entry for entry in document["layers"] if entry.get("call") == "shared")
    del second["attributes"]
    (tmp_path / "other.json").write_text(json.dumps(document))
    said = h5bridge("convert", "k.h5", "other.json", "-o", "m.pth", folder=tmp_path, status=3)
    assert 'layer "shared" has use_causal_mask' in said
