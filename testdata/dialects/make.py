#!/usr/bin/env python3
"""Makes the folders beside it, with a Python that has tf_keras (2.21) and TensorFlow, which .venv has not:

    python -m venv OTHER
    OTHER/bin/pip install tf_keras tensorflow
    OTHER/bin/python testdata/dialects/make.py

A folder holds a model as one version of Keras 2 or tf.keras wrote it, model.h5 (and model.json, where the weights come
without a configuration), inputs.npz, and in outputs.npz what that version computed, by the names that h5bridge uses;
optimizer.npz has the moments of Adam as WEIGHT/m and WEIGHT/v. Configurations are written by hand after the sources of
each version: keys that it did not write are absent. Weights are random. Answers are tf_keras's, which computes as Keras
2 did, but for Theano's.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import tf_keras  # noqa: E402
from tf_keras.src.saving.legacy import hdf5_format  # noqa: E402

HERE = Path(__file__).parent


class Dialect:
    """What a version says wherever it says it."""

    def __init__(self, version, backend="tensorflow"):
        self.version = version
        self.backend = backend
        self.number = tuple(int(part) for part in version.removesuffix("-tf").split("."))
        self.is_standalone = self.number < (2, 4) and not version.endswith("-tf")

    def initializer(self, class_name, **config):
        if self.version.endswith("-tf"):
            return {"class_name": class_name, "config": config | {"dtype": "float32"}}
        if self.number >= (2, 12):
            module = {"module": "keras.initializers"}
            return module | {"class_name": class_name, "config": config, "registered_name": None}
        return {"class_name": class_name, "config": config}

    def glorot(self):
        if self.is_standalone:
            return self.initializer("VarianceScaling", scale=1.0, mode="fan_avg", distribution="uniform", seed=None)
        return self.initializer("GlorotUniform", seed=None)

    def base(self, name, batch_input_shape=None, dtype="float32"):
        """The keys of every layer. Standalone Keras says a type only where it says a shape."""
        shape = {} if batch_input_shape is None else {"batch_input_shape": batch_input_shape}
        if self.is_standalone:
            return {"name": name, "trainable": True} | shape | ({"dtype": dtype} if shape else {})
        if self.number >= (2, 11):  # where the type comes before the shape
            return {"name": name, "trainable": True, "dtype": dtype} | shape
        return {"name": name, "trainable": True} | shape | {"dtype": dtype}

    def weights(self, *kernels, activation="linear"):
        """The keys of what has kernels and a bias."""
        initializers = {f"{kernel}_initializer": self.glorot() for kernel in kernels}
        nones = {f"{kernel}_{what}": None for kernel in (*kernels, "bias") for what in ("regularizer", "constraint")}
        own = {"activation": activation, "use_bias": True, "bias_initializer": self.initializer("Zeros")}
        return own | initializers | nones | {"activity_regularizer": None}

    def dense(self, name, units, activation="linear", base={}, **more):
        own = {"units": units} | self.weights("kernel", activation=activation)
        return layer("Dense", self.base(name, **base) | own | more)

    def convolution(self, class_name, name, filters, size, base={}, kernels=("kernel",), **more):
        ones = [1] * len(size)
        own = {"filters": filters, "kernel_size": size, "strides": ones, "padding": "valid"}
        if class_name != "Conv1D" or self.number >= (2, 1):
            own["data_format"] = "channels_last"
        own["dilation_rate"] = ones
        return layer(class_name, self.base(name, **base) | own | self.weights(*kernels) | more)

    def recurrent(self, class_name, name, units, gates, base={}, **more):
        """Without return_state, reset_after and time_major, which only some versions wrote."""
        own = {"return_sequences": False, "go_backwards": False, "stateful": False, "unroll": False, "units": units}
        own |= self.weights("kernel", "recurrent", activation="tanh")
        own["recurrent_activation"] = gates
        own["recurrent_initializer"] = self.initializer("Orthogonal", gain=1.0, seed=None)
        if class_name == "LSTM":
            own["unit_forget_bias"] = True
        own |= {"dropout": 0.0, "recurrent_dropout": 0.0, "implementation": 1}
        return layer(class_name, self.base(name, **base) | own | more)

    def input(self, name, shape, dtype="float32"):
        ragged = {} if self.is_standalone else {"ragged": False}
        own = {"batch_input_shape": [None, *shape], "dtype": dtype, "sparse": False} | ragged | {"name": name}
        return layer("InputLayer", own)

    def embedding(self, name, count, size):
        uniform = self.initializer("RandomUniform", minval=-0.05, maxval=0.05, seed=None)
        nones = dict.fromkeys(["embeddings_regularizer", "activity_regularizer", "embeddings_constraint"])
        own = {"input_dim": count, "output_dim": size, "embeddings_initializer": uniform} | nones
        base = self.base(name, batch_input_shape=[None, None])
        return layer("Embedding", base | own | {"mask_zero": True, "input_length": None})

    def batch_normalization(self, name, axis, center=True, scale=True):
        own = {"axis": axis, "momentum": 0.99, "epsilon": 0.001, "center": center, "scale": scale}
        firsts = {"beta": "Zeros", "gamma": "Ones", "moving_mean": "Zeros", "moving_variance": "Ones"}
        for weight, first in firsts.items():
            own[f"{weight}_initializer"] = self.initializer(first)
        nones = [f"{weight}_{what}" for weight in ("beta", "gamma") for what in ("regularizer", "constraint")]
        return layer("BatchNormalization", self.base(name) | own | dict.fromkeys(nones))

    def plain(self, class_name, name, **own):
        return layer(class_name, self.base(name) | own)


def layer(class_name, config):
    return {"class_name": class_name, "config": config}


def sequential(layers, name=None):
    """Up to 2.2.2 the configuration is the list of the layers."""
    return {"class_name": "Sequential", "config": layers if name is None else {"name": name, "layers": layers}}


def call(*tensors, **keywords):
    """A node: of names of layers, or (layer, call, output)."""
    full = [(tensor, 0, 0) if isinstance(tensor, str) else tensor for tensor in tensors]
    return [[*tensor, keywords] for tensor in full]


def functional(class_name, entries, inputs, outputs):
    """`entries` are (layer, call, call, ...)."""
    layers = [entry | {"name": entry["config"]["name"], "inbound_nodes": list(calls)} for entry, *calls in entries]
    ends = {"input_layers": [[name, 0, 0] for name in inputs], "output_layers": [[name, 0, 0] for name in outputs]}
    return {"class_name": class_name, "config": {"name": "model_1", "layers": layers} | ends}


def as_it_computes(config):
    """For tf_keras, whose GRU has another default than Keras 2 had."""
    config = json.loads(json.dumps(config))
    layers = config["config"] if isinstance(config["config"], list) else config["config"]["layers"]
    for entry in layers:
        if entry["class_name"] == "GRU":
            entry["config"].setdefault("reset_after", False)
    return config


def attribute(group, name, texts):
    """Lists of names as Keras writes them: fixed-length bytes, and numbers where there are none."""
    group.attrs[name] = np.array([text.encode() for text in texts]) if texts else np.array([])


def write_group(group, variables):
    attribute(group, "weight_names", list(variables))
    for name, value in variables.items():
        group.create_dataset(name, data=value)


def fill_h5(file, dialect, config, weights, training, optimizer, only_weights):
    if not only_weights:
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
    if training:
        file.attrs["training_config"] = np.bytes_(json.dumps(training))
        write_group(file.create_group("optimizer_weights"), optimizer)
    group = file if only_weights else file.create_group("model_weights")
    for place in [file] if only_weights else [file, group]:
        place.attrs["keras_version"] = np.bytes_(dialect.version)
        place.attrs["backend"] = np.bytes_(dialect.backend)
    attribute(group, "layer_names", list(weights))
    for name, variables in weights.items():
        write_group(group.create_group(name), variables)


def write_h5(path, *contents):
    """As a copy, which has no gaps: an HDF5 file has some where attributes came late."""
    with h5py.File("memory", "w", driver="core", backing_store=False) as memory, h5py.File(path, "w") as file:
        fill_h5(memory, *contents)
        file.attrs.update(memory.attrs)
        for name in memory:
            memory.copy(name, file)


def weight_name(dialect, layer_name, variable):
    """As the version named it: tf.keras knows of cells, standalone Keras of layers only, and Theano of no outputs."""
    name = variable.name
    if dialect.is_standalone:
        name = f"{layer_name}/{name.rpartition('/')[2]}"
    return name.removesuffix(":0") if dialect.backend == "theano" else name


def random_value(variable, random):
    if "variance" in variable.name:
        return random.uniform(0.5, 2, variable.shape)
    return variable.numpy() + random.normal(0, 0.3, variable.shape)


def random_weights(dialect, model, random):
    """{layer: {name: array}} in the order of the model, which holds them afterwards."""
    result = {}
    for part in model.layers:
        part.set_weights([random_value(variable, random) for variable in part.weights])
        names = [weight_name(dialect, part.name, variable) for variable in part.weights]
        result[part.name] = dict(zip(names, part.get_weights()))
    return result


def model_of(config, path=None):
    """tf_keras's model of a configuration, with the weights of a file."""
    config = as_it_computes(config)
    if path is None:
        if config["class_name"] == "Sequential" and isinstance(config["config"], list):
            config = sequential(config["config"], "sequential")
        return tf_keras.layers.deserialize(config, use_legacy_format=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.h5"
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "a") as file:
            file.attrs["model_config"] = np.bytes_(json.dumps(config))
            if "model_weights" in file:
                return hdf5_format.load_model_from_hdf5(file, compile=False)
        model = model_of(config)
        model.load_weights(copy)
        return model


def moments(dialect, model, random):
    """{weight: (m, v)} in the order in which an optimizer counts weights."""
    trained = [(weight_name(dialect, part.name, v), v) for part in model.layers for v in part.trainable_weights]
    return {name.removesuffix(":0"): (random.normal(0, 0.1, v.shape).astype("f4"),
                                      random.uniform(0, 0.1, v.shape).astype("f4")) for name, v in trained}  # fmt: skip


def in_the_order_of(model, config):
    """Keras lists the layers of a graph by their depth, in configurations as among weights."""
    if config["class_name"] != "Sequential":
        place = {part.name: i for i, part in enumerate(model.layers)}
        config["config"]["layers"].sort(key=lambda entry: place[entry["name"]])


def write_case(folder, dialect, config, inputs, names, random, adam=None, only_weights=False, answers=None):
    """`adam` gives (training configuration, optimizer's variables) of the moments."""
    folder.mkdir(exist_ok=True)
    model = model_of(config)
    in_the_order_of(model, config)
    weights = random_weights(dialect, model, random)
    training, optimizer = None, None
    if adam:
        state = moments(dialect, model, random)
        training, optimizer = adam(state)
        both = {f"{name}/{slot}": value for name, pair in state.items() for slot, value in zip("mv", pair)}
        np.savez(folder / "optimizer.npz", **both)
    write_h5(folder / "model.h5", dialect, config, weights, training, optimizer, only_weights)
    if only_weights:
        beside = config | {"keras_version": dialect.version, "backend": dialect.backend}
        (folder / "model.json").write_text(json.dumps(beside))
    if answers:
        outputs = answers(weights, *inputs.values())
    else:
        given = list(inputs.values())
        outputs = model_of(config, folder / "model.h5").predict(given if len(given) > 1 else given[0], verbose=0)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    assert len(outputs) == len(names)
    np.savez(folder / "inputs.npz", **inputs)
    np.savez(folder / "outputs.npz", **{name: np.asarray(y, "f4") for name, y in zip(names, outputs)})


def adam_by_place(state):
    """Nameless variables: first moments, second ones, and a placeholder a weight (keras 2.2.4, optimizers.py)."""
    values = [pair[slot] for slot in (0, 1) for pair in state.values()] + [np.zeros(1, "f4")] * len(state)
    names = ["training/Adam/Variable:0"] + [f"training/Adam/Variable_{i}:0" for i in range(1, len(values))]
    config = {"lr": 0.002, "beta_1": 0.9, "beta_2": 0.99, "decay": 0.0, "epsilon": 1e-07, "amsgrad": False}
    training = {"optimizer_config": layer("Adam", config), "loss": "mse", "metrics": ["accuracy"],
                "sample_weight_mode": None, "loss_weights": None}  # fmt: skip
    return training, {"Adam/iterations:0": np.int64(37)} | dict(zip(names, values))


def adam_of_optimizer_v2(state):
    """Adam/dense/kernel/m:0, as tf.keras named slots up to 2.10."""
    slots = {f"Adam/{name}/{slot}:0": pair["mv".index(slot)] for slot in "mv" for name, pair in state.items()}
    config = {"name": "Adam", "learning_rate": 0.002, "decay": 0.0, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-07,
              "amsgrad": False}  # fmt: skip
    training = {"loss": "mse", "metrics": None, "weighted_metrics": None, "loss_weights": None,
                "optimizer_config": layer("Adam", config)}  # fmt: skip
    return training, {"Adam/iter:0": np.int64(37)} | slots


def adam_of_2_11(state):
    """Adam/m/dense/kernel:0, m and v of each weight in turn. Loss and metrics are objects."""
    slots = {f"Adam/{slot}/{name}:0": value for name, pair in state.items() for slot, value in zip("mv", pair)}
    nones = ["weight_decay", "clipnorm", "global_clipnorm", "clipvalue"]
    config = {"name": "Adam"} | dict.fromkeys(nones)
    config |= {"use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "jit_compile": False,
               "is_legacy_optimizer": False, "learning_rate": 0.002, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-07,
               "amsgrad": False}  # fmt: skip
    loss = layer("MeanSquaredError", {"reduction": "auto", "name": "mean_squared_error", "fn": "mean_squared_error"})
    accuracy = layer("MeanMetricWrapper", {"name": "accuracy", "dtype": "float32", "fn": "binary_accuracy"})
    training = {"loss": loss, "metrics": [[accuracy]], "weighted_metrics": None, "loss_weights": None,
                "optimizer_config": layer("Custom>Adam", config)}  # fmt: skip
    return training, {"iteration:0": np.int64(37)} | slots


def make_keras_2_0(folder, random):
    d = Dialect("2.0.4")
    config = sequential([
        d.convolution("Conv1D", "conv1d_1", 5, [3], base={"batch_input_shape": [None, 13, 3]}, activation="relu"),
        d.plain("MaxPooling1D", "max_pooling1d_1", strides=[2], pool_size=[2], padding="valid"),
        d.recurrent("GRU", "gru_1", 6, "hard_sigmoid", return_sequences=True, implementation=0),
        d.recurrent("LSTM", "lstm_1", 7, "hard_sigmoid", implementation=0),
        d.dense("dense_1", 4, "softmax"),
    ])  # fmt: skip
    x = random.normal(size=(5, 13, 3)).astype("f4")
    write_case(folder, d, config, {"conv1d_1_input": x}, ["dense_1"], random)


def make_keras_2_2(folder, random):
    d = Dialect("2.2.4")
    entries = [
        (d.input("source", [None]),),
        (d.input("target", [None]),),
        (d.embedding("words", 13, 3), call("source"), call("target")),
        (d.recurrent("LSTM", "encoder", 4, "sigmoid", return_state=True), call("words")),
        (d.recurrent("GRU", "side", 5, "sigmoid", use_bias=False, return_state=False,
                     reset_after=False), call("words")),
        (d.recurrent("LSTM", "decoder", 4, "sigmoid", return_sequences=True, return_state=False),
         call(("words", 1, 0), ("encoder", 0, 1), ("encoder", 0, 2))),
        (d.dense("gate", 3, "hard_sigmoid"), call("side")),
        (d.dense("shared", 3, "tanh", use_bias=False), call("gate"), call(("shared", 0, 0))),
        (d.plain("Concatenate", "both", axis=-1), call("gate", ("shared", 1, 0))),
        (d.plain("Activation", "squash", activation="hard_sigmoid"), call("both")),
        (d.dense("word", 5, "softmax"), call("decoder")),
    ]  # fmt: skip
    config = functional("Model", entries, ["source", "target"], ["word", "squash"])
    source = random.integers(1, 13, (4, 8)).astype("f4")
    source[1, 5:] = source[3, 2:] = 0
    target = random.integers(1, 13, (4, 6)).astype("f4")
    target[2, 4:] = 0
    inputs = {"source": source, "target": target}
    write_case(folder, d, config, inputs, ["word", "squash"], random, adam=adam_by_place)


def make_keras_2_2_weights(folder, random):
    d = Dialect("2.2.4", "theano")
    config = sequential([
        d.recurrent("LSTM", "lstm_1", 6, "hard_sigmoid", base={"batch_input_shape": [None, None, 3]},
                    return_sequences=True, return_state=False),
        d.recurrent("GRU", "gru_1", 5, "hard_sigmoid", return_state=False, reset_after=False,
                    activation="hard_sigmoid"),
        d.dense("dense_1", 3),
    ], "sequential_1")  # fmt: skip
    x = random.normal(size=(5, 9, 3)).astype("f4")
    write_case(folder, d, config, {"lstm_1_input": x}, ["dense_1"], random, only_weights=True)


def make_tf_keras_1(folder, random):
    d = Dialect("2.1.6-tf")
    base = {"batch_input_shape": [None, 11, 9, 3]}
    config = sequential([
        d.convolution("Conv2D", "conv2d", 5, [3, 2], base=base, strides=[2, 1], padding="same", activation="relu"),
        d.batch_normalization("batch_normalization", [3]),
        d.plain("MaxPooling2D", "max_pooling2d", pool_size=[2, 2], padding="valid", strides=[2, 2],
                data_format="channels_last"),
        d.plain("Dropout", "dropout", rate=0.5, noise_shape=None, seed=None),
        d.plain("Flatten", "flatten", data_format="channels_last"),
        d.dense("dense", 7, "relu"),
        d.dense("dense_1", 3, "softmax"),
    ], "sequential")  # fmt: skip
    x = random.normal(size=(4, 11, 9, 3)).astype("f4")
    write_case(folder, d, config, {"conv2d_input": x}, ["dense_1"], random)


def make_tf_keras_2_4(folder, random):
    d = Dialect("2.4.0")
    depthwise = {"groups": 1, "use_bias": False, "depth_multiplier": 2, "depthwise_initializer": d.glorot(),
                 "depthwise_regularizer": None, "depthwise_constraint": None}  # fmt: skip
    depthwise = d.convolution("DepthwiseConv2D", "depthwise", None, [3, 3], kernels=(), padding="same", **depthwise)
    del depthwise["config"]["filters"]
    separable = {"depth_multiplier": 1, "groups": 1, "use_bias": False}
    kernels = ("depthwise", "pointwise")
    states = {"return_state": False, "time_major": False, "implementation": 2}
    entries = [
        (d.input("image", [9, 11, 3]),),
        (d.input("steps", [7, 4]),),
        (d.input("known", [7], "bool"),),
        (depthwise, call("image")),
        (d.batch_normalization("norm", [3], center=False), call("depthwise")),
        (d.convolution("SeparableConv2D", "separable", 5, [3, 3], kernels=kernels, activation="relu", **separable),
         call("norm")),
        (d.plain("GlobalAveragePooling2D", "mean", data_format="channels_last"), call("separable")),
        (d.batch_normalization("mean_norm", [1], scale=False), call("mean")),
        (d.recurrent("LSTM", "lstm", 6, "sigmoid", **states), call("steps", mask=["known", 0, 0])),
        (d.plain("Concatenate", "both", axis=-1), call("mean_norm", "lstm")),
        (d.dense("dense", 4, use_bias=False), call("both")),
    ]  # fmt: skip
    config = functional("Functional", entries, ["image", "steps", "known"], ["dense"])
    known = np.ones((4, 7), "bool")
    known[1, 4:] = known[2, :3] = False
    images = random.normal(size=(4, 9, 11, 3)).astype("f4")
    steps = random.normal(size=(4, 7, 4)).astype("f4")
    inputs = {"image": images, "steps": steps, "known": known}
    write_case(folder, d, config, inputs, ["dense"], random, adam=adam_of_optimizer_v2)


def make_tf_keras_2_15(folder, random):
    d = Dialect("2.15.0")
    shape = {"batch_input_shape": [None, 8, 3]}
    inner = d.recurrent("LSTM", "lstm", 5, "sigmoid", return_sequences=True, return_state=False, time_major=False,
                        implementation=2)  # fmt: skip
    policy = {"module": "keras.mixed_precision", "registered_name": None} | layer("Policy", {"name": "float32"})
    config = sequential([
        d.input("masking_input", [8, 3]),
        layer("Masking", d.base("masking", **shape) | {"mask_value": 0.0}),
        layer("Bidirectional", d.base("bidirectional") | {"layer": inner, "merge_mode": "concat"}),
        d.batch_normalization("batch_normalization", [2], scale=1),
        d.recurrent("LSTM", "lstm_1", 4, "sigmoid", return_state=False, time_major=False, implementation=2),
        d.dense("dense", 3, "sigmoid", base={"dtype": policy}, use_bias=False),
    ], "sequential")  # fmt: skip
    x = random.normal(size=(5, 8, 3)).astype("f4")
    x[1, 5:] = x[3, :2] = 0
    write_case(folder, d, config, {"masking_input": x}, ["dense"], random, adam=adam_of_2_11)


def theano_answers(weights, x):
    """Theano's convolution turns the kernel round, and its transposed one is the gradient of that."""
    (kernel, bias), (back, back_bias), (dense, dense_bias) = ([*w.values()] for w in weights.values() if w)
    turned, back_turned = kernel[::-1, ::-1], back[::-1, ::-1]
    x, kernel, back, dense = (np.asarray(a, "f8") for a in (x, turned, back_turned, dense))
    n, height, width, _ = x.shape
    a, b = kernel.shape[:2]
    y = np.zeros((n, height - a + 1, width - b + 1, kernel.shape[3]))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            y[:, i, j] = np.tensordot(x[:, i : i + a, j : j + b], kernel, axes=3) + bias
    y = np.maximum(y, 0)
    a, b = back.shape[:2]
    z = np.zeros((n, 2 * (y.shape[1] - 1) + a, 2 * (y.shape[2] - 1) + b, back.shape[2]))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            z[:, 2 * i : 2 * i + a, 2 * j : 2 * j + b] += np.einsum("nc,aboc->nabo", y[:, i, j], back)
    return [(z + back_bias).reshape(n, -1) @ dense + dense_bias]


def make_keras_2_1_theano(folder, random):
    d = Dialect("2.1.3", "theano")
    base = {"batch_input_shape": [None, 6, 7, 2]}
    config = sequential([
        d.convolution("Conv2D", "conv2d_1", 4, [3, 2], base=base, activation="relu"),
        d.convolution("Conv2DTranspose", "conv2d_transpose_1", 3, [3, 4], strides=[2, 2]),
        d.plain("Flatten", "flatten_1"),
        d.dense("dense_1", 3),
    ])  # fmt: skip
    x = random.normal(size=(4, 6, 7, 2)).astype("f4")
    write_case(folder, d, config, {"conv2d_1_input": x}, ["dense_1"], random, answers=theano_answers)


def make_keras_2_2_joined_masks(folder, random):
    d = Dialect("2.2.4")
    states = {"return_state": False}
    entries = [
        (d.input("left", [7]),),
        (d.input("right", [7]),),
        (d.input("plain", [7, 5]),),
        (d.embedding("left_words", 6, 5), call("left")),
        (d.embedding("right_words", 6, 5), call("right")),
        (d.plain("Add", "sum"), call("left_words", "right_words")),
        (d.plain("Maximum", "largest"), call("plain", "sum")),  # of which one has no mask
        (d.plain("Concatenate", "features", axis=-1), call("left_words", "plain", "right_words")),
        (d.plain("Concatenate", "steps", axis=1), call("left_words", "right_words")),
        (d.recurrent("LSTM", "of_sum", 4, "sigmoid", **states), call("sum")),
        (d.recurrent("LSTM", "of_largest", 3, "sigmoid", **states), call("largest")),
        (d.recurrent("LSTM", "of_features", 5, "sigmoid", **states), call("features")),
        (d.recurrent("LSTM", "of_steps", 4, "sigmoid", **states), call("steps")),
    ]  # fmt: skip
    outputs = ["of_sum", "of_largest", "of_features", "of_steps"]
    config = functional("Model", entries, ["left", "right", "plain"], outputs)
    left, right = (random.integers(1, 6, (4, 7)).astype("f4") for _ in range(2))
    left[1, 5:] = left[3, 2:] = right[1, 3:] = right[2, 4:] = 0
    inputs = {"left": left, "right": right, "plain": random.normal(size=(4, 7, 5)).astype("f4")}
    write_case(folder, d, config, inputs, outputs, random)


def main():
    makers = {name.removeprefix("make_"): make for name, make in globals().items() if name.startswith("make_")}
    for seed, (name, make) in enumerate(makers.items()):
        tf_keras.backend.clear_session()
        tf_keras.utils.set_random_seed(seed)
        make(HERE / name, np.random.default_rng(seed))


if __name__ == "__main__":
    main()
