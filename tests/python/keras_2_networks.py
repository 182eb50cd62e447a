"""Networks whose files for Keras 2 real tf_keras has loaded: testdata/keras_2 has what was in them.

    python tests/python/keras_2_networks.py FOLDER

writes each of them to FOLDER/NAME: k2.h5, as `convert --keras 2` gives it, the inputs, and what Keras 3 computes.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np

from keras_helpers import keras, predict
from keras_networks import KERAS_NETWORKS, KerasNetwork
from program import run_program

L, ops = keras.layers, keras.ops


def attention():
    """Attention, normalised, with a cut and an operator: TensorFlow's functions as layers."""
    x = keras.Input((6, 8), name="steps")
    h = L.LayerNormalization(name="norm")(L.MultiHeadAttention(2, 4, name="attention")(x, x) + x)
    return keras.Model(x, L.Dense(3, activation="silu", name="head")(h[:, -1]), name="attention")


def pictures():
    """Layers and keys that came later than Keras 2.0, and a regulariser, a constraint and an initialiser of their own."""
    x = keras.Input((8, 8, 4), name="picture")
    h = L.Conv2D(6, 3, groups=2, kernel_regularizer=keras.regularizers.L2(0.01), kernel_constraint="max_norm", name="grouped")(x)
    h = L.GroupNormalization(3, name="normed")(L.Rescaling(0.5, offset=0.1, name="scaled")(h))
    h = L.GlobalMaxPooling2D(keepdims=True, name="pooled")(L.SpatialDropout2D(0.2, name="dropped")(h))
    return keras.Model(x, L.Dense(2, kernel_initializer="he_normal", name="classes")(L.Flatten(name="flat")(h)), name="pictures")


def written_out():
    """A block of a Transformer of operations alone: parts, products of matrices, a mask of what comes later, a shift."""
    x = keras.Input((6, 8), name="steps")
    query, key, value = ops.split(L.Dense(20, name="parts")(x), [6, 12], axis=-1)
    scores = ops.einsum("bqd,bkd->bqk", query, key) * 0.4
    earlier = ops.tril(ops.ones_like(scores)) > 0.5
    h = ops.einsum("bqk,bkd->bqd", ops.softmax(ops.where(earlier, scores, -1e30)), value)
    h = ops.flip(ops.roll(L.LayerNormalization(name="norm")(h + x), -2, axis=1), axis=1)
    return keras.Model(x, ops.take(h, [0, 2, -1], axis=1) * np.linspace(0.5, 2, 8, dtype="float32"), name="written_out")


def numbers():
    """What is counted, sorted and told of numbers."""
    x = keras.Input((5, 4), name="x")
    places = ops.argsort(x, axis=1)
    told = ops.logical_xor(ops.any(x > 1, axis=1), ops.all(x > 0, axis=1))
    signs = ops.sign(x) + ops.ceil(x) - ops.round(x) + ops.mod(x, 0.7)
    outputs = [ops.cumsum(ops.sort(x, axis=-1), axis=1), ops.repeat(signs, 2, axis=1), ops.one_hot(places, 5),
               ops.where(told, x[:, 0], ops.zeros_like(x[:, 0])), ops.stack([ops.erf(x[:, -1, ::2])], axis=1)]  # fmt: skip
    return keras.Model(x, outputs, name="numbers")


def in_parts():
    """Layers of Keras 3's that Keras 2 says by several: activations, normalisations, windows of uneven sizes, sums of products."""
    x = keras.Input((7, 9, 4), name="x")
    h = L.RMSNormalization(name="rms")(L.Activation("relu6", name="squash")(L.Dense(6, name="first")(x)))
    h = L.AdaptiveAveragePooling2D((4, 4), name="means")(h) - L.AdaptiveMaxPooling2D((4, 4), name="largest")(h)
    h = ops.max_pool(h, 2, strides=1) + ops.average_pool(h, (2, 2), 1)
    heads = ops.reshape(h, (-1, 9, 2, 3))
    scores = ops.softmax(ops.einsum("bqhd,bkhd->bhqk", heads, heads))
    h = ops.einsum("bhqk,bkhd->bqhd", scores, heads)
    mixed = ops.einsum("...d,de->e...", h, np.linspace(-1, 1, 6, dtype="float32").reshape(3, 2))
    order = ops.argsort(h, axis=1)
    told = ops.where(ops.argmax(h, axis=-1, keepdims=True), ops.celu(h), ops.squareplus(h))
    return keras.Model(x, [L.Activation("sparsemax", name="thin")(ops.moveaxis(mixed, 0, -1)), ops.take_along_axis(h, order, axis=1), told], name="in_parts")


def in_chains():
    """Sequential models and wrappers of what Keras 2 says by several layers, and activations that it lacks."""
    step = keras.Sequential([keras.Input((4,)), L.Dense(6, activation="celu", name="bent"), L.RMSNormalization(name="step_rms")], name="step")
    inner = keras.Sequential([keras.Input((6, 4)), L.Dense(4, activation="relu6", name="first"), L.Conv1D(4, 2, activation="leaky_relu", name="second")], name="inner")
    layers = [
        inner,
        L.TimeDistributed(step, name="steps"),
        L.TimeDistributed(L.RMSNormalization(name="rms"), name="each"),
        L.TimeDistributed(L.Dense(3, activation="hard_silu", name="dense"), name="dense_each"),
        L.Dense(5, activation="log_softmax", name="classes"),
    ]
    return keras.Sequential([keras.Input((6, 4), name="x"), *layers], name="in_chains")


def of_types():
    """Tensors of several types, masks of keys, rows of a length that is left open, arrays along axes, and an order of its own."""
    x, numbers = keras.Input((6, 8), name="x"), keras.Input((None,), name="numbers")
    ids = ops.cast(numbers * 3, "int32")
    places = L.Subtract(name="places")([ops.cast(ids, "int64"), ops.cast(ids * 0, "int64")])
    found = ops.take_along_axis(ids, ops.cast(places, "int32") % 2, axis=1) + places
    told = ops.bitwise_and(found > 2, ids > 0)
    counted = ops.sum(told, axis=1) / 3 + ops.mean(ids, axis=1)
    keys = x[:, :, 0] > -0.5
    h = L.MultiHeadAttention(2, 4, name="attention")(x, x, value_mask=keys, attention_mask=x[:, :, :6] > -0.7)
    picture = L.Reshape((6, 4, 2), name="picture")(h)
    weighted = ops.einsum("bhwc,hw->bhc", picture, np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4))
    deep, flat = L.Activation("celu", name="deep")(weighted), L.Dense(3, name="flat")(x)
    behind = L.Dense(3, name="behind")(deep)
    return keras.Model([x, numbers], [ops.logical_or(told, ids < 0), counted, ops.sum(flat, axis=1) + ops.sum(behind, axis=1)], name="of_types")


def parts_of_numbers():
    """Remainders, differences, diagonals, what is no number, places in a row."""
    x = keras.Input((5, 4), name="x")
    logs = ops.log(x + 1)
    outputs = [ops.fmod(x * 5, -1.5) + ops.fmod(ops.cast(x * 9, "int32"), 4), ops.diff(x, n=2, axis=1), ops.diagonal(x, offset=1, axis1=2, axis2=1),
               ops.nansum(logs, axis=1), ops.nanmean(logs, axis=(1, 2), keepdims=True), ops.searchsorted(ops.sort(x[0, :, 0]), x, side="right")]  # fmt: skip
    outputs += [ops.tril(x, k) for k in (-1, 2)] + [ops.triu(x, k) for k in (-1, 1)] + [ops.triu(x > 0, 1)]
    return keras.Model(x, outputs, name="parts_of_numbers")


OWN = [KerasNetwork("attention", attention, ((2, 6, 8),)), KerasNetwork("written_out", written_out, ((2, 6, 8),)), KerasNetwork("numbers", numbers, ((3, 5, 4),)), KerasNetwork("pictures", pictures, ((2, 8, 8, 4),)), KerasNetwork("in_parts", in_parts, ((2, 7, 9, 4),)), KerasNetwork("in_chains", in_chains, ((2, 6, 4),)), KerasNetwork("of_types", of_types, ((2, 6, 8), (2, 5))), KerasNetwork("parts_of_numbers", parts_of_numbers, ((3, 5, 4),))]
NAMES = (
    "dense cnn residual shared masked_tagger masked_classifier siamese chain_of_models frozen_backbone "
    "three_deep recurrent_parts pictures_in_time two_ways number_of_all"
).split()
NETWORKS = [network for network in KERAS_NETWORKS if network.name in NAMES] + OWN


def optimised():
    """A small network after three steps of Adam, and what it is trained on."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), L.Dense(5, activation="tanh", name="a"), L.BatchNormalization(name="n"), L.Dense(2, name="b")])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype("float32") for shape in ((16, 6), (16, 2)))
    for _ in range(3):
        model.train_on_batch(x, y)
    return model, x, y


def form_of(path):
    """What a file says beside its numbers."""
    with h5py.File(path) as file:
        weights = file["model_weights"]
        names = {name: [str(n) for n in weights[name].attrs["weight_names"]] for name in map(str, weights.attrs["layer_names"])}
        config = json.loads(file.attrs["model_config"])
        return {"keras_version": file.attrs["keras_version"], "model_config": config, "weight_names": names}


def main(folder):
    for network in NETWORKS:
        at = folder / network.name
        at.mkdir(parents=True)
        model, inputs = network.model(), network.inputs()
        model.save(at / "k.h5")
        run_program("convert", at / "k.h5", "-o", at / "k2.h5", "--keras", "2")
        np.savez(at / "inputs.npz", *inputs)
        np.savez(at / "outputs.npz", **{str(name): value for name, value in predict(model, inputs).items()})
        (at / "form.json").write_text(json.dumps(form_of(at / "k2.h5"), indent=1) + "\n")
    at = folder / "optimised"
    at.mkdir()
    model, x, y = optimised()
    model.save(at / "k.h5")
    run_program("convert", at / "k.h5", "-o", at / "k2.h5", "--keras", "2")
    for _ in range(3):
        model.train_on_batch(x, y)
    np.savez(at / "training.npz", x=x, y=y)
    np.savez(at / "trained.npz", *[weight.numpy() for weight in model.weights])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
