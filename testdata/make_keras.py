#!/usr/bin/env python3
"""Makes the Keras half of testdata/: KERAS_BACKEND=torch .venv/bin/python testdata/make_keras.py

Each folder holds model.h5, and inputs.npz with real Keras's answers in outputs.npz, by the names that h5bridge uses.
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import absl.logging  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

HERE = Path(__file__).parent


def randomise(model, random):
    """Random weights all over: statistics, scales and biases, too, so that none can be mixed up or left out unnoticed."""
    for variable in model.weights:
        if "variance" in variable.path:
            variable.assign(random.uniform(0.5, 2, variable.shape))
        else:
            variable.assign(variable + random.normal(0, 0.1, variable.shape))


def layer_of(tensor):
    return tensor._keras_history.operation.name


def write(name, model, inputs):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    outputs = model(inputs, training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    model.save(folder / "model.h5")
    arrays = {layer_of(y): keras.ops.convert_to_numpy(value) for y, value in zip(model.outputs, outputs)}
    np.savez(folder / "inputs.npz", **{layer_of(model.inputs[0]): inputs})
    np.savez(folder / "outputs.npz", **arrays)


def make_my_keras_model(random):
    """The Keras tutorial's: two dense layers, compiled, fitted, saved."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(10, activation="relu"), layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    x = random.normal(size=(64, 5)).astype("float32")
    model.fit(x, (x.sum(1) > 0).astype("float32"), epochs=3, batch_size=16, verbose=0)
    write("my_keras_model", model, random.normal(size=(16, 5)).astype("float32"))


def make_mosaic(random):
    """A graph that forks and joins, channels last, whose strided `same` windows are padded unevenly; two outputs."""
    image = keras.Input((19, 22, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(image)
    x = layers.BatchNormalization(name="stem_norm")(x)
    left = layers.ReLU(name="stem_relu")(x)
    left = layers.ZeroPadding2D(((1, 0), (0, 1)), name="pad")(left)
    left = layers.Conv2D(8, 2, use_bias=False, name="left")(left)
    left = layers.BatchNormalization(scale=False, epsilon=1e-5, name="left_norm")(left)
    right = layers.PReLU(shared_axes=[1, 2], name="right_prelu")(x)
    right = layers.Conv2D(8, 3, padding="same", activation="tanh", name="right")(right)
    x = layers.Add(name="sum")([left, right])
    x = layers.Concatenate(name="both")([layers.MaxPooling2D(3, 2, padding="same", name="most")(x),
                                         layers.AveragePooling2D(2, padding="same", name="mean")(x)])  # fmt: skip
    flat = layers.Flatten(name="flatten")(x)
    dense = layers.Dense(16, name="dense")(flat)
    dense = layers.PReLU(name="dense_prelu")(dense)
    label = layers.Dense(4, activation="softmax", name="label")(dense)
    heat = layers.Conv2D(1, 1, activation="sigmoid", name="heat")(x)
    model = keras.Model(image, [label, heat], name="mosaic")
    randomise(model, random)
    write("mosaic", model, random.normal(size=(3, 19, 22, 3)).astype("float32"))


def main():
    absl.logging.set_verbosity(absl.logging.ERROR)  # Keras finds .h5 old; it is what we are here for
    for seed, make in enumerate([make_my_keras_model, make_mosaic]):
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        make(np.random.default_rng(seed))


if __name__ == "__main__":
    main()
