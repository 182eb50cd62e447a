#!/usr/bin/env python3
"""Makes the archives beside it (.keras), each with the Keras of one TensorFlow, with random weights and a trained step:

    python -m venv OTHER
    OTHER/bin/pip install tensorflow-cpu==2.12.1    # or tf_keras tensorflow-cpu
    OTHER/bin/python testdata/tf_keras_archives/make.py

NAME.npz has inputs, and what that Keras predicts of them.
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402

try:
    import tf_keras as keras
except ImportError:  # TensorFlow before 2.16 has it
    import tensorflow

    keras = tensorflow.keras

L = keras.layers
HERE = Path(__file__).resolve().parent


def network():
    """Layers of one class in numbers, with weights and without, on two levels."""
    x = keras.Input((6, 5), name="x")
    h = L.LSTM(4, return_sequences=True, name="first")(x)
    h = L.Bidirectional(L.GRU(3, name="g"), name="both")(h)
    h = L.Dropout(0.1, name="drop")(L.Dense(7, activation="relu", name="a")(h))
    inner = [keras.Input((7,)), L.Dense(5, name="c"), L.BatchNormalization(name="n"), L.Dense(6, name="d"), L.Dense(4, name="e")]
    h = keras.Sequential(inner, name="inner")(h)
    return keras.Model(x, L.Dense(2, name="z")(L.Dropout(0.1, name="drop_again")(L.Dense(3, name="b")(h))), name="archived")


def main():
    number = "_".join(keras.__version__.split(".")[:2])
    keras.utils.set_random_seed(7)
    model = network()
    model.compile("adam", "mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(4, 6, 5)).astype("float32")
    model.train_on_batch(x, np.ones((4, 2), "float32"))
    path = HERE / f"tf_keras_{number}.keras"
    model.save(path, **({"save_format": "keras_v3"} if number == "2_12" else {}))
    np.savez(HERE / f"tf_keras_{number}.npz", x=x, y=model.predict(x, verbose=0))


if __name__ == "__main__":
    main()
