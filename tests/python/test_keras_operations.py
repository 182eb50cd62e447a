"""Operations of keras.ops that are read as another one's word here: what Keras computes, PyTorch does, and so does what
comes home."""

import json

import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import h5bridge, needs_program, package

pytestmark = [needs_program, pytest.mark.skipif(package is None, reason="the Python package is not built")]


def inputs(*shape, seed=5):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


OPS = keras.ops


def of_operations():
    """Operations that are no layer's, one output each, of a sequence and a picture."""
    x, image = keras.Input((4, 6), name="x"), keras.Input((9, 7, 3), name="image")
    gamma, beta, matrix = inputs(6), inputs(6, seed=6), inputs(6, 5)
    return keras.Model(
        [x, image],
        [
            OPS.expand_dims(x, (1, -1)),
            OPS.average(x, axis=1),
            OPS.average(x, axis=-1),
            OPS.hstack([x, x * 2.0]),
            OPS.dstack([x, x * 3.0]),
            OPS.vstack([x, x * 4.0]),
            OPS.ravel(x),
            OPS.fliplr(x),
            OPS.flipud(image),
            OPS.tensordot(x, matrix, axes=1),
            OPS.tensordot(x, x, axes=[[1, 2], [1, 2]]),
            OPS.inner(x, matrix.T),
            OPS.max_pool(image, 2),
            OPS.average_pool(image, 3, strides=2, padding="same"),  # of sizes about which backends agree
            OPS.image.resize(image, (4, 5)),
            OPS.layer_normalization(x),
            OPS.layer_normalization(x, gamma, beta, epsilon=0.01),
            OPS.layer_normalization(x, gamma, axis=-1),
            OPS.rms_normalization(x, gamma),
            OPS.rms_normalization(x, gamma, epsilon=0.01),
        ],
    )


def test_operations_that_are_no_layers(tmp_path):
    model = of_operations()
    model.save(tmp_path / "net.keras")
    h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "net.json", "-o", tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.keras")
    module = package.load([tmp_path / "net.json", tmp_path / "net.pth"]).to_torch().eval()
    back = keras.saving.load_model(tmp_path / "back.keras")
    for batch in (1, 3):
        x, image = inputs(batch, 4, 6), inputs(batch, 9, 7, 3)
        expected = [keras.ops.convert_to_numpy(each) for each in model([x, image])]
        again = [keras.ops.convert_to_numpy(each) for each in back([x, image])]
        moved = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 1)))
        made = [each.detach().numpy() for each in module(torch.from_numpy(x), moved)]
        for number, (ours, home, theirs) in enumerate(zip(made, again, expected, strict=True)):
            np.testing.assert_allclose(home, theirs, rtol=1e-5, atol=1e-5, err_msg=str(number))
            if ours.shape != theirs.shape:  # a picture, whose channels are first here
                ours = np.moveaxis(ours, 1, -1)
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=str(number))


def test_an_average_of_one_tensor_in_an_h5(tmp_path):
    x = keras.Input((4, 6))
    model = keras.Model(x, OPS.average(x, axis=1))
    model.save(tmp_path / "net.h5")
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "net.json")
    (layer,) = json.loads((tmp_path / "net.json").read_text())["layers"]
    assert layer["type"] == "mean"


UNKNOWN = {
    "Average": lambda x: OPS.average(x, axis=1, weights=inputs(4)),
    "RMSNorm": lambda x: OPS.rms_normalization(x, inputs(4), axis=1),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_operations_with_more_than_is_known(what, tmp_path):
    x = keras.Input((4, 4))
    keras.Model(x, UNKNOWN[what](x)).save(tmp_path / "net.keras")
    assert f"({what})" in h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "net.json", status=4)
