"""Recurrent layers with masks: LibTorch gives what Keras does, step by step, in one model of all of them."""

import numpy as np
import pytest

from keras_helpers import assert_close, by_name, differences, keras
from program import h5bridge, needs_libtorch, needs_program, run_keras_model

pytestmark = [needs_program, needs_libtorch]
layers = keras.layers

LAYERS = {
    "lstm": lambda: layers.LSTM(4, return_sequences=True, return_state=True),
    "gru": lambda: layers.GRU(4, return_sequences=True, return_state=True),
    "simple": lambda: layers.SimpleRNN(4, return_sequences=True),
    "last": lambda: layers.LSTM(4),
    "backwards": lambda: layers.GRU(4, return_sequences=True, go_backwards=True),
    "reset_before": lambda: layers.GRU(4, reset_after=False, return_state=True),
    "zeros": lambda: layers.LSTM(4, return_sequences=True, zero_output_for_mask=True),
    "last_zeros": lambda: layers.GRU(4, zero_output_for_mask=True),
    "both": lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
    "both_last": lambda: layers.Bidirectional(layers.GRU(4, return_state=True), merge_mode="sum"),
    "cells": lambda: layers.RNN([layers.LSTMCell(4), layers.LSTMCell(4)], return_sequences=True),
    "both_cells": lambda: layers.Bidirectional(layers.RNN([layers.GRUCell(4), layers.GRUCell(4)], return_sequences=True)),
}
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1], [1, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], dtype=bool)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    x = keras.Input((None, 3), name="x")
    states = [keras.Input((4,), name=name) for name in ("h", "c")]
    masked = layers.Masking()(x)
    outputs = [output for name, make in LAYERS.items() for output in keras.tree.flatten(make()(masked))]
    begun = layers.LSTM(4)(masked, initial_state=states)  # to which Keras hands no mask
    outputs += layers.GRU(4, return_state=True)(masked, initial_state=states[0], mask=layers.Masking().compute_mask(x))
    model = keras.Model([x, *states], [*outputs, begun], name="masks")
    for variable in model.weights:
        variable.assign(0.5 * np.random.default_rng(len(variable.path)).normal(size=variable.shape))
    return model


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 6, 3)).astype("float32") * MASK[..., None]
    return {"x": x, "h": rng.normal(size=(5, 4)).astype("float32"), "c": rng.normal(size=(5, 4)).astype("float32")}


@pytest.mark.parametrize("by_pytorch", [False, True], ids=["h5", "pth"])
def test_libtorch_follows_the_mask(model, inputs, by_pytorch, tmp_path):
    expected = list(by_name(model(list(inputs.values()), training=False)).values())
    found = list(run_keras_model(model, inputs, tmp_path, by_pytorch).values())
    assert len(found) == len(expected)
    for i, (one, wanted) in enumerate(zip(found, expected)):
        assert_close(one, wanted, 1e-5, f"output {i}")
    whole = model([inputs["x"] + 1e-3, inputs["h"], inputs["c"]], training=False)
    assert np.abs(keras.ops.convert_to_numpy(whole[0]) - expected[0]).max() > 0.01  # the mask matters


def test_the_model_comes_back(model, tmp_path):
    model.save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "back.h5")
    back = keras.models.load_model(tmp_path / "back.h5", compile=False)
    configs = [{layer.name: layer.get_config() for layer in each.layers if isinstance(layer, (layers.RNN, layers.Bidirectional))} for each in (back, model)]
    assert len(configs[0]) == len(LAYERS) + 2 and differences(*configs) == []
    for one, other in zip(back.weights, model.weights):
        assert one.path == other.path and np.array_equal(one.numpy(), other.numpy())
