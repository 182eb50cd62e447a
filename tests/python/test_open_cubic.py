"""Keras's bicubic between sizes that are open, which h5bridge writes as operations: Keras and LibTorch give what JAX does."""

import json

import jax
import numpy as np
import pytest

from keras_helpers import assert_close, keras
from program import h5bridge, needs_libtorch, needs_program


@needs_program
@needs_libtorch
@pytest.mark.parametrize("sizes", [["2*height", "3*width"], ["height//2", "2*width"], ["height//2", "width//3"]])
@pytest.mark.parametrize("antialias", [False, True])
def test_keras_bicubic_of_open_sizes(sizes, antialias, tmp_path):
    layer = {"name": "cubic", "type": "Upsample", "attributes": {"size": sizes, "mode": "cubic", "antialias": antialias}}
    inputs = [{"name": "x", "shape": ["batch", 2, "height", "width"]}]
    (tmp_path / "m.json").write_text(json.dumps({"h5bridge": 1, "inputs": inputs, "layers": [layer], "outputs": ["cubic"]}))
    h5bridge("convert", "m.json", "-o", "m.h5", folder=tmp_path)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    for height, width in ((8, 9), (5, 7)):
        x = np.random.default_rng(height).normal(size=(2, height, width, 2)).astype("float32")
        shape = [2, *(eval(size, {"height": height, "width": width}) for size in sizes), 2]
        expected = np.asarray(jax.image.resize(x, shape, "cubic", antialias=antialias))
        assert_close(keras.ops.convert_to_numpy(model(x)), expected, 1e-5)
        np.save(tmp_path / "x.npy", x)
        h5bridge("run", "m.h5", "--input", "x.npy", "-o", "y.npy", folder=tmp_path)
        assert_close(np.load(tmp_path / "y.npy"), expected, 1e-5)
