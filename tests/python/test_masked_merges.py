"""Keras's merging layers with masked inputs, in one model of many: an element that does not count is no part of a product
or a maximum. LibTorch, PyTorch and what comes home give what Keras does."""

import json

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, by_name, keras
from program import h5bridge, needs_libtorch, needs_program, package

pytestmark = [needs_program, needs_libtorch]
L = keras.layers


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(5)
    words, others = (keras.Input((None,), dtype="int32", name=name) for name in ("words", "others"))
    steps = keras.Input((4, 3), name="steps")
    one, two = (L.Embedding(9, 3, mask_zero=True, name=name)(ids) for name, ids in (("one", words), ("two", others)))
    three = L.Masking(name="three")(steps)
    free = L.Dense(3, name="free")(steps)  # of no mask
    inner_in = [keras.Input((None, 3)), keras.Input((None, 3))]
    inner = keras.Model(inner_in, L.Minimum(name="least")(inner_in), name="inner")
    flat, window = L.Dense(2, name="flat"), L.Conv1D(2, 2, name="window")  # whose channels PyTorch has elsewhere
    outputs = []
    for kind in (L.Multiply, L.Maximum, L.Minimum):
        name = kind.__name__.lower()
        for case, inputs in {
            "first": [one, free],
            "second": [free, one],
            "both": [one, two],
            "same": [one, L.Dense(3, activation="sigmoid", name=f"{name}_gate")(one)],
            "three": [one, two, three],
            "some": [one, two, free, three],
            "single": [one, L.Dense(3, name=f"{name}_row")(L.Flatten(name=f"{name}_row_of")(steps))],  # of fewer axes
        }.items():
            merged = kind(name=f"{name}_{case}")(inputs)
            outputs += [merged, flat(merged), window(merged)]
        outputs += [L.MaxPooling1D(2, name=f"{name}_pool")(kind(name=f"{name}_pooled")([one, free]))]
    outputs += [L.LSTM(2, name="behind")(L.Multiply(name="product")([one, two])), inner([one, two]), inner([free, two])]
    attention = L.MultiHeadAttention(1, 2, name="attention")
    outputs += [attention(L.Maximum(name="either")([one, two]), free)]
    outputs += [attention(L.Add(name="sum")([L.Embedding(9, 3, mask_zero=True, name="four")(words), two]), free)]
    model = keras.Model([words, others, steps], outputs, name="merges")
    for variable in model.weights:
        variable.assign(np.random.default_rng(len(variable.path)).normal(size=variable.shape))
    return model


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(3)
    words, others = (rng.integers(1, 9, (3, 4)).astype("int32") for _ in range(2))
    steps = rng.normal(size=(3, 4, 3)).astype("float32")
    words[0, 2:] = words[2, 1] = others[0, 1:3] = others[1, 0] = steps[0, 2] = steps[1, :2] = 0
    return {"words": words, "others": others, "steps": steps}


@pytest.fixture(scope="module")
def expected(model, inputs):
    return by_name(model(list(inputs.values()), training=False))


@pytest.fixture(scope="module")
def files(model, inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("merges")
    model.save(folder / "k.keras")
    np.savez(folder / "x.npz", **inputs)
    h5bridge("convert", folder / "k.keras", "-o", folder / "k.json", "-o", folder / "k.pth", "-o", folder / "k.py")
    h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "home.keras")
    return folder


@pytest.mark.parametrize("sources", [["k.keras"], ["k.json", "k.pth"]], ids=["keras", "pth"])
def test_libtorch_gives_what_keras_does(files, expected, sources):
    h5bridge("run", *[files / name for name in sources], "--input", files / "x.npz", "--input-layout", "keras", "-o", files / "y.npz")
    for value, answer in zip(np.load(files / "y.npz").values(), expected.values(), strict=True):
        assert_close(value, answer, 1e-5)


@pytest.mark.skipif(package is None, reason="the Python package is not built")
def test_pytorch_gives_what_keras_does(files, model, inputs, expected):
    module = package.load(files / "k.keras").to_torch().eval()
    with torch.no_grad():
        found = keras.tree.flatten(module(*map(torch.from_numpy, inputs.values())))
    for value, answer, name in zip(found, expected.values(), model.output_names, strict=True):
        is_moved = name.startswith("window") or name.endswith("pool")  # PyTorch has channels first
        assert_close(value.numpy().swapaxes(1, 2) if is_moved else value.numpy(), answer, 1e-5)


def test_what_comes_home_has_no_more_layers_and_gives_the_same(files, model, inputs, expected):
    back = keras.saving.load_model(files / "home.keras")
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    found = by_name(back(list(inputs.values()), training=False))
    for value, answer in zip(found.values(), expected.values(), strict=True):
        assert np.array_equal(value, answer)


def test_the_graph_says_where_elements_count(files):
    layers = json.loads((files / "k.json").read_text())["layers"]
    added = [layer for layer in layers if layer.get("type") == "where"]
    assert added and all(layer["keras"]["implied"] for layer in added)


def test_keras_2_merges_otherwise(files):
    error = h5bridge("convert", files / "k.json", files / "k.pth", "-o", files / "old.h5", "--keras", "2", status=4)
    assert '"multiply_first" (mul)' in error and "as Keras 3 does and Keras 2 does not" in error
