"""Arrays and numbers among the arguments of operations in Keras's files: LibTorch computes with them, and so does Keras when they come back."""

import numpy as np
import pytest

from keras_helpers import assert_close, keras, predict
from program import h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]

ROW = np.array([0.5, -1.25, 3.0, 2.0], "float32")
TABLE = np.arange(12, dtype="float32").reshape(4, 3) / 7
OPERATIONS = {
    "a row added": lambda x: keras.ops.add(x, ROW),
    "a row from which it is subtracted": lambda x: keras.ops.subtract(ROW, x),
    "a table multiplied by": lambda x: keras.ops.matmul(x, TABLE),
    "numbers of elements": lambda x: keras.ops.take(x, np.array([2, 0, 3], "int32"), axis=-1),
    "a tensor": lambda x: keras.ops.maximum(x, keras.ops.convert_to_tensor(ROW)),
    "truth values": lambda x: keras.ops.logical_and(keras.ops.greater(x, 0), np.array([True, False, True, True])),
    "a truth value": lambda x: keras.ops.logical_and(keras.ops.greater(x, 0), True),
    "a truth value before a tensor": lambda x: keras.ops.logical_xor(True, keras.ops.greater(x, 0)),
    "a truth value as a number": lambda x: keras.ops.multiply(keras.ops.subtract(x, True), keras.ops.add(True, x)),
    "truth values subtracted": lambda x: keras.ops.subtract(x, keras.ops.greater(x, 0)),
    "one that is chosen": lambda x: keras.ops.where(keras.ops.greater(x, 0), True, keras.ops.less(x, -1)),
    "a number before a tensor": lambda x: keras.ops.maximum(0.25, x),
    "a number in place of a tensor": lambda x: keras.ops.arctan2(x, 2),
    "a number and integers": lambda x: keras.ops.logaddexp(keras.ops.cast(x * 3, "int32"), 2),
    "none in place of a tensor": lambda x: keras.ops.rms_normalization(x),
    "two arrays": lambda x: keras.ops.where(keras.ops.greater(x, ROW), x, ROW),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_arrays_among_arguments_are_values(operation, tmp_path):
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, operation(inputs))
    x = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    (expected,) = predict(model, [x]).values()
    model.save(tmp_path / "k.h5")
    np.save(tmp_path / "x.npy", x)
    h5bridge("run", tmp_path / "k.h5", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert_close(np.load(tmp_path / "y.npy"), expected, 1e-6)

    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "back.h5")
    (found,) = predict(keras.models.load_model(tmp_path / "back.h5", compile=False), [x]).values()
    assert_close(found, expected, 1e-6)


def test_a_number_that_no_layer_type_takes_is_named(tmp_path):
    inputs = keras.Input((3, 4))
    keras.Model(inputs, keras.ops.outer(inputs, 2)).save(tmp_path / "k.h5")
    error = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", status=4)
    assert "(Outer): " in error and "a number among its arguments has no layer type" in error
    keras.Model(inputs, keras.ops.take(inputs, 2)).save(tmp_path / "k.h5")
    assert "axis=None" in h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", status=4)
