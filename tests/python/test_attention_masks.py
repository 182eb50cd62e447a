"""Keras's attention layers with the masks of queries and values, in one model of all of them: LibTorch gives what Keras does."""

import numpy as np
import pytest

from keras_helpers import assert_close, by_name, keras
from program import h5bridge, needs_libtorch, needs_program, run_keras_model

pytestmark = [needs_program, needs_libtorch]
layers = keras.layers


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    words, others = (keras.Input((None,), dtype="int32", name=name) for name in ("words", "others"))
    plain = keras.Input((6, 4), name="plain")
    asked = layers.Embedding(9, 4, mask_zero=True, name="asked")(words)
    known = layers.Embedding(9, 4, mask_zero=True, name="known")(others)
    outputs = [
        layers.Attention(name="both")([asked, known]),
        layers.Attention(use_scale=True, name="of_values")([plain, known]),  # [None, mask]
        layers.Attention(score_mode="concat", name="of_queries")([asked, plain]),  # [mask, None]
        layers.AdditiveAttention(name="keys")([asked, known, known]),  # of which the third mask takes no part
        layers.AdditiveAttention(name="causal")([known, known], use_causal_mask=True),
        *layers.Attention(name="scores")([known, plain], return_attention_scores=True, use_causal_mask=True),
        layers.LSTM(3, name="behind")(layers.Attention(name="handed_on")([asked, known])),
    ]
    model = keras.Model([words, others, plain], outputs, name="attention")
    for variable in model.weights:
        variable.assign(np.random.default_rng(len(variable.path)).normal(size=variable.shape))
    return model


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(3)
    words, others = (rng.integers(1, 9, (4, steps)).astype("int32") for steps in (5, 6))
    words[1, 3:] = words[2, :2] = others[1, 4:] = others[3, 1:3] = 0
    return {"words": words, "others": others, "plain": rng.normal(size=(4, 6, 4)).astype("float32")}


@pytest.fixture(scope="module")
def expected(model, inputs):
    return by_name(model(list(inputs.values()), training=False))


@pytest.mark.parametrize("by_pytorch", [False, True], ids=["h5", "pth"])
def test_libtorch_gives_what_keras_does(model, inputs, expected, by_pytorch, tmp_path):
    found = run_keras_model(model, inputs, tmp_path, by_pytorch)
    assert len(found) == len(expected) == 8
    for value, answer in zip(found.values(), expected.values()):
        assert_close(value, answer, 1e-5)


def test_keras_gives_the_same_of_what_comes_home(model, inputs, expected, tmp_path):
    model.save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "back.h5")
    back = keras.models.load_model(tmp_path / "back.h5", compile=False)
    found = by_name(back(list(inputs.values()), training=False))
    for value, answer in zip(found.values(), expected.values(), strict=True):
        assert_close(value, answer, 1e-6)
