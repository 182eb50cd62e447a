"""keras.ops.take with an array of numbers: one axis of them is a list, and comes home as one operation; a JSON or weights that differ in
a bias are told apart by layer and setting."""

import json
import zipfile

import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import h5bridge, needs_program

pytestmark = needs_program


def operations(path):
    with zipfile.ZipFile(path) as archive:
        return [layer["class_name"] for layer in json.loads(archive.read("config.json"))["config"]["layers"]]


@pytest.mark.parametrize("indices", [np.array([0, 2]), np.array([3, -1], np.int32), keras.ops.convert_to_tensor([1, 1, 0])], ids=str)
def test_taking_by_an_array_comes_home_as_it_went(indices, tmp_path):
    x = keras.Input((5, 4))
    model = keras.Model(x, keras.ops.take(x, indices, axis=1))
    model.save(tmp_path / "theirs.keras")
    h5bridge("convert", tmp_path / "theirs.keras", "-o", tmp_path / "home.json")
    h5bridge("convert", tmp_path / "home.json", "-o", tmp_path / "back.keras")
    assert operations(tmp_path / "back.keras") == operations(tmp_path / "theirs.keras")
    values = np.arange(40, dtype=np.float32).reshape(2, 5, 4)
    again = keras.models.load_model(tmp_path / "back.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(values)), keras.ops.convert_to_numpy(model(values)))


@pytest.mark.parametrize("layer", [keras.layers.LSTM, keras.layers.Dense])
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_bias_that_one_side_lacks_is_named_with_its_layer_and_the_way_out(layer, use_bias, tmp_path):
    for name, bias in ((tmp_path / "one", use_bias), (tmp_path / "other", not use_bias)):
        keras.Sequential([keras.Input((5, 3)), layer(4, use_bias=bias, name="r")]).save(name.with_suffix(".keras"))
        h5bridge("convert", name.with_suffix(".keras"), "-o", name.with_suffix(".json"), "-o", name.with_suffix(".pth"))
    said = h5bridge("convert", tmp_path / "one.json", tmp_path / "other.pth", "-o", tmp_path / "no.keras", status=3)
    states, holds = ("true", "none") if use_bias else ("false", "one")
    assert f'bias = {states} of layer "r"' in said and f"the weights have {holds}" in said and '"use_bias"' in said
    described = json.loads((tmp_path / "one.json").read_text())
    described["layers"][0]["attributes"]["bias"] = not use_bias
    (tmp_path / "mended.json").write_text(json.dumps(described))
    h5bridge("convert", tmp_path / "mended.json", tmp_path / "other.pth", "-o", tmp_path / "yes.pth")
    theirs, ours = torch.load(tmp_path / "other.pth"), torch.load(tmp_path / "yes.pth")
    assert list(theirs) == list(ours) and all(torch.equal(theirs[name], ours[name]) for name in theirs)
