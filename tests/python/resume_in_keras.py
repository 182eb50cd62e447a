"""Trains Keras models on JAX: resume_in_keras.py begin|"go on" FOLDER.

"begin" makes a folder for each model and optimizer, saves the model in it after three steps (k.keras), and its variables after five
further ones (uninterrupted.npz). "go on" trains each straight.keras and home.keras there for five steps, and saves their variables.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
# What is compiled runs a few times: to optimise it takes longer than it runs.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import keras  # noqa: E402
import numpy as np  # noqa: E402

L = keras.layers


def recurrent():
    x = keras.Input((5, 4), name="x")
    y = L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(x)
    y = L.BatchNormalization(name="norm")(y)
    return keras.Model(x, L.Dense(2, name="head")(L.GRU(3, name="last")(y)), name="recurrent")


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, activation="tanh"), L.BatchNormalization()], name="inner")
    x = keras.Input((4,), name="x")
    return keras.Model(x, L.Dense(2, name="head")(inner(L.Dense(4, name="first")(inner(x)))), name="nested")


def convolutional():
    layers = [L.Conv2D(4, 3, padding="same", activation="relu"), L.MaxPooling2D(), L.SeparableConv2D(6, 3), L.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, L.Dense(2)], name="convolutional")


MODELS = {"recurrent": (recurrent, (6, 5, 4)), "nested": (nested, (6, 4)), "convolutional": (convolutional, (6, 8, 8, 3))}
CASES = [("recurrent", "adam"), ("recurrent", "sgd"), ("recurrent", "adamw"), ("nested", "adam"), ("convolutional", "adam")]
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "sgd": lambda: keras.optimizers.SGD(1e-2, momentum=0.9),
    "adamw": lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.01),
}


def train(model, shape, steps):
    """The steps of these numbers, each on a batch of its own."""
    for step in steps:
        rng = np.random.default_rng(step)
        model.train_on_batch(rng.normal(size=shape).astype("float32"), rng.normal(size=(shape[0], 2)).astype("float32"))


def save_variables(model, path):
    weights = {f"w{i}": v.numpy() for i, v in enumerate(model.variables) if v.name != "seed_generator_state"}
    np.savez(path, **weights, **{f"o{i}": v.numpy() for i, v in enumerate(model.optimizer.variables)})


def begin(root):
    for name, optimizer in CASES:
        build, shape = MODELS[name]
        folder = root / f"{name} {optimizer}"
        folder.mkdir()
        keras.utils.set_random_seed(5)
        model = build()
        model.compile(OPTIMIZERS[optimizer](), "mse")
        train(model, shape, range(3))
        model.save(folder / "k.keras")
        train(model, shape, range(3, 8))
        save_variables(model, folder / "uninterrupted.npz")


def go_on(root):
    for folder in (path for path in root.iterdir() if path.is_dir()):
        for name in ("straight", "home"):
            model = keras.models.load_model(folder / f"{name}.keras")
            train(model, MODELS[folder.name.split()[0]][1], range(3, 8))
            save_variables(model, folder / f"{name}.npz")


if __name__ == "__main__":
    {"begin": begin, "go on": go_on}[sys.argv[1]](Path(sys.argv[2]))
