"""Layers that a Keras model calls more than once, against real Keras: whatever they are called, and whatever their calls have in
common."""

import numpy as np
import pytest

from keras_helpers import assert_close, assert_same_weights, by_name, keras, weights_of
from program import h5bridge, needs_libtorch, needs_program, run_keras_model

pytestmark = needs_program
layers = keras.layers


def twins():
    """The second call of `dense` looks like `dense_1`, which is another layer, as does `dense_1_1`."""
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    dense, named_alike = layers.Dense(3, activation="relu", name="dense"), layers.Dense(2, name="dense_1")
    after = layers.Dense(2, name="dense_1_1")
    difference = layers.Subtract(name="difference")([after(named_alike(dense(x))) for x in (left, right)])
    return keras.Model([left, right], difference, name="twins")


def in_a_row():
    x = keras.Input((4,), name="x")
    layer = layers.Dense(4, activation="tanh", name="again")
    return keras.Model(x, [layer(layer(layer(x))), layers.Dense(2, name="again_2")(layer(x))], name="in_a_row")


def waiting():
    """Keras lists `shared` before `first`, which its first call waits for: it stands by its call that is furthest from the end."""
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    shared = layers.Dense(4, name="shared")
    a = shared(layers.Dense(4, name="first")(x))
    b = shared(y)
    for i in range(3):
        b = layers.Dense(4, activation="tanh", name=f"more_{i}")(b)
    return keras.Model([x, y], layers.Concatenate(name="both")([a, b]), name="waiting")


def named_as_its_masks():
    """Names that this program makes up (`words_mask`, `shared_mask`) belong to layers."""
    words = keras.Input((5,), dtype="int32", name="words")
    embedded = layers.Embedding(7, 4, mask_zero=True, name="embedded")(words)
    shared = layers.Dense(4, name="embedded_mask")
    return keras.Model(words, layers.LSTM(3, name="embedded_mask_1")(shared(shared(embedded))), name="masks")


def inputs_of(model):
    rng = np.random.default_rng(0)
    shapes = {x.name: (3, *x.shape[1:]) for x in model.inputs}
    return {name: rng.integers(0, 7, shape).astype("int32") if name == "words" else rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


@pytest.mark.parametrize("make", [twins, in_a_row, waiting, named_as_its_masks])
@needs_libtorch
def test_a_layer_that_is_called_again(make, tmp_path):
    keras.utils.set_random_seed(7)
    model = make()
    model.save(tmp_path / "m.h5")
    arrays = inputs_of(model)
    np.savez(tmp_path / "in.npz", **arrays)
    expected = list(by_name(model(list(arrays.values()) if len(arrays) > 1 else next(iter(arrays.values())), training=False)).values())

    h5bridge("convert", "m.h5", "-o", "m.json", "-o", "m.pth", folder=tmp_path)
    h5bridge("convert", "m.json", "m.pth", "-o", "back.h5", folder=tmp_path)
    assert_same_weights(weights_of(tmp_path / "back.h5"), weights_of(tmp_path / "m.h5"))
    for sources in (["m.h5"], ["m.json", "m.pth"], ["back.h5"]):
        h5bridge("run", *sources, "--input", "in.npz", "--input-layout", "keras", "-o", "out.npz", folder=tmp_path)
        found = list(np.load(tmp_path / "out.npz").values())
        assert len(found) == len(expected)
        for array, wanted in zip(found, expected):
            assert_close(array, wanted, 1e-6)
    again = keras.models.load_model(tmp_path / "back.h5", compile=False)
    for array, wanted in zip(by_name(again(list(arrays.values()) if len(arrays) > 1 else next(iter(arrays.values())), training=False)).values(), expected):
        assert_close(array, wanted, 1e-6)


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_layers_of_models_in_models_are_refused_by_their_names(calls, tmp_path):
    xs = [keras.Input((4,), name=f"x{i}") for i in range(calls)]
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="known"), layers.Lambda(lambda x: 2 * x, name="own")], name="inner")
    keras.Model(xs, [layers.Dense(3, name=f"behind_{i}")(inner(x)) for i, x in enumerate(xs)]).save(tmp_path / "m.h5")
    for command in (["convert", "m.h5", "-o", "m.json"], ["inspect", "m.h5"], ["validate", "m.h5"], ["run", "m.h5", "--input", "none.npz"]):
        message = h5bridge(*command, status=4, folder=tmp_path)
        assert message.count('"inner.own" (Lambda)') == 1, message


def test_a_dot_operation_is_refused_with_the_sizes_of_its_inputs(tmp_path):
    x, y = keras.Input((3, 4), name="x"), keras.Input((4, 5), name="y")
    keras.Model([x, y], keras.ops.dot(x, y)).save(tmp_path / "m.h5")
    message = h5bridge("convert", "m.h5", "-o", "m.pth", status=4, folder=tmp_path)
    assert "keras.ops.dot of inputs of shapes (batch, 3, 4) and (batch, 4, 5) has no layer type" in message
