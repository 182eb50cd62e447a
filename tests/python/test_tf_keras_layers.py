"""Layers of tf.keras and Keras 2 that Keras 3 has no more, or tells otherwise: what is locally connected, crops, stacked
cells in both directions, and old gates and kernels in models within the model. What they compute is said in NumPy."""

import json

import numpy as np
import pytest

from keras_helpers import h5py, keras, predict
from program import h5bridge, needs_libtorch, needs_program, run_program
from test_tf_keras_forms import RECURRENT, array, check, convolution, cudnn_arrays, cudnn_lstm, functional, given, sequential, write

pytestmark = [needs_program, needs_libtorch]
X = [[["x", 0, 0, {}]]]


def write_group(path, model, group, arrays, version, backend="tensorflow"):
    """As Keras 2 calls what is in a model within the model: by the inner layers' names."""
    write(path, model, {group: {}}, version, backend)
    with h5py.File(path, "r+") as file:
        own = file["model_weights"][group]
        own.attrs["weight_names"] = [f"{name}:0".encode() for name in arrays]
        for name, values in arrays.items():
            own[f"{name}:0"] = values
    return path


def variables(path, layer):
    with h5py.File(path) as file:
        group = file["model_weights"][layer]
        return [group[name][()] for name in group.attrs["weight_names"]]


# --- what is locally connected


def window_places(size, kernel, stride, padding):
    """Of each place along an axis where its window begins; "same" begins half of a window before, whatever the stride."""
    count = -(-size // stride) if padding == "same" else (size - kernel) // stride + 1
    return [i * stride - (kernel // 2 if padding == "same" else 0) for i in range(count)]


def places(shape, config):
    axes = zip(shape, config["kernel_size"], config["strides"])
    return [window_places(size, kernel, stride, config["padding"]) for size, kernel, stride in axes]


def connections(shape, channels, config):
    """(place, filter, position in the picture, channel) of each weight, in the order of implementation 3's list."""
    starts = places(shape, config)
    result = []
    for place in np.ndindex(*map(len, starts)):
        for element in np.ndindex(*config["kernel_size"]):
            at = tuple(s[p] + e for s, p, e in zip(starts, place, element))
            if all(0 <= a < size for a, size in zip(at, shape)):
                result += [(place, f, at, c) for f in range(config["filters"]) for c in range(channels)]
    first = config["data_format"] == "channels_first"
    return sorted(result, key=lambda w: (((w[1],), w[0], (w[3],), w[2]) if first else (w[0], (w[1],), w[2], (w[3],))))


def local(x, arrays, config):
    """By all weights one after the other, x and the result with channels last."""
    shape, channels, filters = x.shape[1:-1], x.shape[-1], config["filters"]
    first = config["data_format"] == "channels_first"
    given = [len(axis) for axis in places(shape, config)]
    result = np.zeros((len(x), *given, filters))
    kernel = arrays["kernel"].astype("f8")
    for number, (place, f, at, c) in enumerate(connections(shape, channels, config)):
        if config["implementation"] == 3:
            weight = kernel[number]
        elif config["implementation"] == 2:
            weight = kernel[(c, *at, f, *place) if first else (*at, c, *place, f)]
        else:
            element = np.ravel_multi_index([a - axis[p] for a, axis, p in zip(at, places(shape, config), place)], config["kernel_size"])
            column = c * int(np.prod(config["kernel_size"])) + element if first else element * channels + c
            weight = kernel[np.ravel_multi_index(place, given), column, f]
        result[(slice(None), *place, f)] += x[(slice(None), *at, c)] * weight
    if "bias" in arrays:
        bias = arrays["bias"].astype("f8")  # with channels_first read in another shape, not moved (bias_add of backend.py)
        result += np.moveaxis(bias.reshape(filters, *given), 0, -1) if first else bias
    return np.tanh(result)


def local_arrays(shape, channels, config):
    given, filters = [len(axis) for axis in places(shape, config)], config["filters"]
    kernel = {1: (int(np.prod(given)), int(np.prod(config["kernel_size"])) * channels, filters),
              2: (channels, *shape, filters, *given) if config["data_format"] == "channels_first" else (*shape, channels, *given, filters),
              3: (len(connections(shape, channels, config)),)}[config["implementation"]]  # fmt: skip
    return {"kernel": array(*kernel)} | ({"bias": array(*given, filters)} if config["use_bias"] else {})


LOCAL = {
    "of a line": ((7,), [3], [1], 1, "valid", True, "channels_last"),
    "of a line, channels_first, without a bias": ((7,), [3], [2], 1, "valid", False, "channels_first"),
    "of a line, all weights, padded": ((7,), [2], [2], 2, "same", False, "channels_last"),
    "of a line, a list, padded": ((6,), [3], [1], 3, "same", True, "channels_first"),
    "of a picture": ((6, 5), [3, 2], [2, 1], 1, "valid", True, "channels_last"),
    "of a picture, channels_first": ((6, 5), [2, 3], [1, 2], 1, "valid", True, "channels_first"),
    "of a picture, all weights, padded": ((6, 5), [3, 2], [2, 1], 2, "same", True, "channels_first"),
    "of a picture, all weights, without a bias": ((5, 4), [2, 2], [2, 1], 2, "valid", False, "channels_last"),
    "of a picture, a list": ((5, 4), [2, 3], [2, 1], 3, "valid", True, "channels_last"),
}  # fmt: skip


def local_layer(shape, size, strides, implementation, padding, bias, data_format):
    config = {"filters": 2, "kernel_size": size, "strides": strides, "padding": padding, "data_format": data_format, "activation": "tanh", "use_bias": bias,
              "implementation": implementation, "trainable": True, **{key: value for key, value in RECURRENT.items() if key.startswith(("kernel", "bias", "activity"))}}  # fmt: skip
    return f"LocallyConnected{len(shape)}D", config


@pytest.mark.parametrize("name", LOCAL)
def test_locally_connected(name, tmp_path):
    shape = LOCAL[name][0]
    class_name, config = local_layer(*LOCAL[name])
    arrays, first = local_arrays(shape, 3, config), config["data_format"] == "channels_first"
    x = array(2, *shape, 3)
    expected = local(x.astype("f8"), arrays, config)
    moved = (lambda a: np.moveaxis(a, -1, 1)) if first else (lambda a: a)
    if name == "of a picture":  # a Sequential model becomes a graph
        model, inputs = sequential((class_name, {"name": "local", "batch_input_shape": [None, *shape, 3], **config})), "local_input"
    else:
        model, inputs = functional([given("x", *moved(x).shape[1:]), (class_name, "local", config, X)], ["x"], ["local"]), "x"
    check(tmp_path, write(tmp_path / "m.h5", model, {"local": arrays}, "2.3.1"), {inputs: np.ascontiguousarray(moved(x))}, [moved(expected)])


def test_what_is_locally_connected_in_a_model_within_the_model(tmp_path):
    class_name, config = local_layer(*LOCAL["of a picture"])
    arrays, x = local_arrays((6, 5), 3, config), array(2, 6, 5, 3)
    path = write_group(tmp_path / "m.h5", within("local", class_name, config, (6, 5, 3)), "inner", {f"local/{key}": value for key, value in arrays.items()}, "2.4.0")
    check(tmp_path, path, {"x": x}, [local(x.astype("f8"), arrays, config)])


def test_places_that_nothing_tells_are_asked_for(tmp_path):
    class_name, config = local_layer((6, 5), [3, 2], [2, 1], 1, "valid", False, "channels_last")
    model = functional([given("x", 6, 5, 3), (class_name, "local", config, X)], ["x"], ["local"])
    path = write(tmp_path / "m.h5", model, {"local": local_arrays((6, 5), 3, config)})
    error = h5bridge("convert", path, "-o", tmp_path / "out.h5", status=4)
    assert '"local" (LocallyConnected2D)' in error and "how many places" in error


# --- pictures


@pytest.mark.parametrize("size", [(6, 5), (4, 7), (3, 3)])
def test_a_crop_fits_pictures_into_its_size(size, tmp_path):
    """tf.keras cuts out what has the size's proportions, and resizes that; here to a size from which no rounding comes."""
    config = {"name": "crop", "trainable": True, "dtype": "float32", "height": 2, "width": 2, "seed": None, "batch_input_shape": [None, *size, 3]}
    path = write(tmp_path / "m.h5", sequential(("RandomCrop", config)), {}, "2.10.0")
    x, side = array(2, *size, 3), min(size)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    square = x[:, top : top + side, left : left + side].astype("f8")
    places = np.clip((np.arange(2) + 0.5) * side / 2 - 0.5, 0, side - 1)
    low, share = np.floor(places).astype(int), places - np.floor(places)
    high = np.minimum(low + 1, side - 1)
    rows = square[:, low] * (1 - share)[:, None, None] + square[:, high] * share[:, None, None]
    expected = rows[:, :, low] * (1 - share)[:, None] + rows[:, :, high] * share[:, None]
    check(tmp_path, path, {"crop_input": x}, [expected])
    assert any('"crop" (RandomCrop)' in note for note in json.loads(run_program("convert", path, "-o", tmp_path / "k.json", "--json"))["notes"])


# --- numbers above a threshold


def test_what_is_not_above_the_threshold_is_0(tmp_path):
    path = write(tmp_path / "m.h5", functional([given("x", 4), ("ThresholdedReLU", "t", {"trainable": True, "theta": 0.25}, X)], ["x"], ["t"]), {}, "2.2.4")
    x = array(5, 4)
    check(tmp_path, path, {"x": x}, [np.where(x > 0.25, x, 0)])


# --- recurrent layers


def cell(name, units, **config):
    kept = {key: value for key, value in RECURRENT.items() if key.endswith(("initializer", "regularizer", "constraint")) and "activity" not in key}
    return {"class_name": "LSTMCell", "config": {"name": name, "units": units, "activation": "tanh", "recurrent_activation": "hard_sigmoid", "use_bias": True,
                                                 "unit_forget_bias": True, "dropout": 0.0, "recurrent_dropout": 0.0, **kept, **config}}  # fmt: skip


def lstm_arrays(inputs, units):
    return {"kernel": array(inputs, 4 * units), "recurrent_kernel": array(units, 4 * units), "bias": array(4 * units)}


def old_lstm(x, arrays):
    """With Keras 2's hard_sigmoid."""
    kernel, recurrent, bias = (arrays[name].astype("f8") for name in ("kernel", "recurrent_kernel", "bias"))
    h = c = np.zeros((len(x), recurrent.shape[0]))
    outputs = []
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, -1)
        i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def test_both_directions_of_a_stack_of_cells(tmp_path):
    """Keras 2 tells of the backward layer only where it is another one, and its cells have the old hard_sigmoid."""
    stack = {"class_name": "StackedRNNCells", "config": {"name": "stack", "trainable": True, "cells": [cell("a", 3), cell("b", 2)]}}
    rnn = {"name": "rnn", "trainable": True, "return_sequences": True, "return_state": False, "go_backwards": False, "stateful": False, "unroll": False, "cell": stack}
    both = {"trainable": True, "merge_mode": "concat", "layer": {"class_name": "RNN", "config": rnn}, "backward_layer": None}
    ways = {way: [lstm_arrays(4, 3), lstm_arrays(3, 2)] for way in ("forward", "backward")}
    arrays = {f"{way}_rnn/{name}" + "_1" * i: values for way, cells in ways.items() for i, own in enumerate(cells) for name, values in own.items()}
    x = array(3, 5, 4)
    forward, backward = (old_lstm(old_lstm(given_x, cells[0]), cells[1]) for given_x, cells in zip((x, x[:, ::-1]), ways.values()))
    model = functional([given("x", 5, 4), ("Bidirectional", "both", both, X)], ["x"], ["both"])
    check(tmp_path, write(tmp_path / "m.h5", model, {"both": arrays}, "2.3.1"), {"x": x}, [np.concatenate([forward, backward[:, ::-1]], -1)])


def within(name, layer_class, config, shape, wrapped=False):
    """A model of one layer within a model, or for each of several within it."""
    inner = functional([given("y", *shape), (layer_class, name, config, [[["y", 0, 0, {}]]])], ["y"], [name])
    inner["config"]["name"] = "inner"
    if wrapped:
        entry = ("TimeDistributed", "td", {"trainable": True, "layer": {"class_name": "Model", "config": inner["config"]}}, X)
        return functional([given("x", 2, *shape), entry], ["x"], ["td"])
    model = functional([given("x", *shape), ("Model", "inner", inner["config"], X)], ["x"], [])
    model["config"]["output_layers"] = [["inner", 1, 0]]
    return model


LSTM = {"units": 3, "activation": "tanh", "recurrent_activation": "hard_sigmoid", "use_bias": True, "unit_forget_bias": True, "implementation": 1,
        "dropout": 0.0, "recurrent_dropout": 0.0, **RECURRENT, "return_sequences": True, "unroll": False}  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True])
def test_old_gates_of_a_model_within_the_model(wrapped, tmp_path):
    arrays, x = lstm_arrays(4, 3), array(*(3, 2, 5, 4) if wrapped else (3, 5, 4))
    group = "td" if wrapped else "inner"
    path = write_group(tmp_path / "m.h5", within("lstm_1", "LSTM", LSTM, (5, 4), wrapped), group, {f"lstm_1/{key}": value for key, value in arrays.items()}, "2.2.4")
    expected = old_lstm(x.reshape(-1, 5, 4), arrays).reshape(*x.shape[:-1], 3)
    check(tmp_path, path, {"x": x}, [expected])
    h5bridge("convert", tmp_path / "keras_3.h5", "-o", tmp_path / "back.h5", "--keras", "2")
    assert all(np.array_equal(found, own) for found, own in zip(variables(tmp_path / "back.h5", group), arrays.values(), strict=True))


def test_names_that_do_not_tell_whose_gates_they_are(tmp_path):
    path = write_group(tmp_path / "m.h5", within("lstm_1", "LSTM", LSTM, (5, 4)), "inner", {f"other/{key}": value for key, value in lstm_arrays(4, 3).items()}, "2.2.4")
    error = h5bridge("convert", path, "-o", tmp_path / "out.h5", status=4)
    assert 'layer "lstm_1" of the model "inner"' in error


def test_cudnn_in_a_model_within_the_model(tmp_path):
    arrays, x = cudnn_arrays(4, 3, 4), array(3, 5, 4)
    config = {"units": 3, **RECURRENT, "return_sequences": True}
    path = write_group(tmp_path / "m.h5", within("cu", "CuDNNLSTM", config, (5, 4)), "inner", {f"cu/{key}": value for key, value in arrays.items()}, "2.2.4")
    check(tmp_path, path, {"x": x}, [cudnn_lstm(x, arrays)])


@pytest.mark.parametrize("wrapped", [False, True])
def test_theano_turns_kernels_round_in_models_within_the_model_too(wrapped, tmp_path):
    config = convolution([2, 3], [1, 1]) | {"padding": "valid"}
    arrays = {"kernel": array(2, 3, 3, 4), "bias": array(4)}
    if wrapped:  # a layer, not a model
        model = functional([given("x", 2, 5, 6, 3), ("TimeDistributed", "td", {"trainable": True, "layer": {"class_name": "Conv2D", "config": {"name": "c", **config}}}, X)], ["x"], ["td"])
    else:
        model = within("c", "Conv2D", config, (5, 6, 3))
    x = array(*(2, 2, 5, 6, 3) if wrapped else (2, 5, 6, 3))
    turned = arrays["kernel"][::-1, ::-1].astype("f8")
    pictures = x.reshape(-1, 5, 6, 3).astype("f8")
    expected = sum(pictures[:, i : i + 4, j : j + 4] @ turned[i, j] for i in range(2) for j in range(3)) + arrays["bias"]
    group, prefix = ("td", "td") if wrapped else ("inner", "c")
    path = write_group(tmp_path / "m.h5", model, group, {f"{prefix}/{key}": value for key, value in arrays.items()}, "2.2.4", "theano")
    check(tmp_path, path, {"x": x}, [expected.reshape(*x.shape[:-3], 4, 4, 4)])


# --- the way back


def test_the_crop_of_keras_3_is_another_one(tmp_path):
    keras.Sequential([keras.Input((6, 5, 3)), keras.layers.RandomCrop(4, 4, name="crop")]).save(tmp_path / "k.h5")
    error = run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2", status=4)
    assert '"crop" (RandomCrop)' in error and "fits pictures into its size in evaluation" in error


@pytest.mark.parametrize("frozen", [False, True])
def test_tf_keras_does_not_load_a_spectral_normalization(frozen, tmp_path):
    """Its .h5 reader knows no such class (tf_keras 2.21, layers/serialization.py): it is the layer within, which computes the same."""
    x = keras.Input((6, 4), name="x")
    wrapped = keras.layers.SpectralNormalization(keras.layers.Dense(3, name="dense"), name="sn")
    wrapped.trainable = not frozen  # of the constructor's Keras 3 takes no notice (keras 3.15, layers/core/wrapper.py)
    model = keras.Model(x, wrapped(x))
    model.save(tmp_path / "k.h5")
    printed = json.loads(run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2", "--json"))
    assert any('"sn" (SpectralNormalization): is the Dense within' in note for note in printed["notes"])
    with h5py.File(tmp_path / "k2.h5", "r+") as file:
        layer = json.loads(file.attrs["model_config"])["config"]["layers"][-1]
        del file["h5bridge"]
    assert (layer["class_name"], layer["config"]["name"], layer["config"].get("trainable", True)) == ("Dense", "sn", not frozen)
    assert all(np.array_equal(found, own) for found, own in zip(variables(tmp_path / "k2.h5", "sn"), wrapped.layer.get_weights(), strict=True))
    values = array(3, 6, 4)
    check(tmp_path, tmp_path / "k2.h5", {"x": values}, [predict(model, [values])[0]])
    assert "SpectralNormalization" in run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "l.h5", "--keras", "2", "--lossless", status=4)
