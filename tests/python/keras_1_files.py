"""Small files of Keras 0 and 1, made here as those versions wrote them: configurations to the key, arrays by name."""

import json

import numpy as np

REGULARIZERS = {"W_regularizer": None, "b_regularizer": None, "activity_regularizer": None, "W_constraint": None,
                "b_constraint": None}  # fmt: skip
DENSE = {**REGULARIZERS, "init": "glorot_uniform", "activation": "linear", "bias": True, "input_dim": None}
CONVOLUTION = {**REGULARIZERS, "init": "glorot_uniform", "activation": "linear", "border_mode": "valid", "bias": True}
RECURRENT = {"return_sequences": False, "go_backwards": False, "stateful": False, "unroll": False, "consume_less": "cpu",
             "input_dim": None, "input_length": None, "init": "glorot_uniform", "inner_init": "orthogonal",
             "activation": "tanh", "W_regularizer": None, "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.0,
             "dropout_U": 0.0}  # fmt: skip
GATED = {**RECURRENT, "inner_activation": "hard_sigmoid"}
DEFAULTS = {
    "Dense": DENSE,
    "TimeDistributedDense": {**DENSE, "input_length": None},
    "Highway": {**DENSE, "transform_bias": -2},
    "MaxoutDense": {key: value for key, value in DENSE.items() if key != "activation"},
    "Convolution1D": {**CONVOLUTION, "subsample_length": 1, "input_dim": None, "input_length": None},
    "AtrousConvolution1D": {**CONVOLUTION, "subsample_length": 1, "input_dim": None, "input_length": None},
    "Convolution2D": {**CONVOLUTION, "subsample": [1, 1]},
    "AtrousConvolution2D": {**CONVOLUTION, "subsample": [1, 1]},
    "Convolution3D": {**CONVOLUTION, "subsample": [1, 1, 1]},
    "Deconvolution2D": {**CONVOLUTION, "subsample": [1, 1]},
    "SeparableConvolution2D": {"init": "glorot_uniform", "activation": "linear", "border_mode": "valid", "bias": True,
                               "subsample": [1, 1], "depth_multiplier": 1, "depthwise_regularizer": None,
                               "pointwise_regularizer": None, "b_regularizer": None, "activity_regularizer": None,
                               "depthwise_constraint": None, "pointwise_constraint": None, "b_constraint": None},
    "SimpleRNN": RECURRENT,
    "GRU": GATED,
    "LSTM": {**GATED, "forget_bias_init": "one"},
    "Embedding": {"init": "uniform", "input_length": None, "mask_zero": False, "activity_regularizer": None,
                  "W_regularizer": None, "W_constraint": None, "dropout": 0.0},
    "BatchNormalization": {"epsilon": 1e-3, "mode": 0, "axis": -1, "momentum": 0.99, "gamma_regularizer": None,
                           "beta_regularizer": None},
    "PReLU": {"init": "zero"},
    "ParametricSoftplus": {"alpha_init": 0.2, "beta_init": 5.0},
    "Merge": {"mode_type": "raw", "concat_axis": -1, "dot_axes": -1, "output_shape": None, "output_shape_type": "raw",
              "output_mask": None, "output_mask_type": "raw", "arguments": {}},
}  # fmt: skip
RNG = np.random.default_rng(7)


class Layer:
    """A layer of a file. `arrays`: (end of the name, shape) of each, in the file's order."""

    counts = {}

    def __init__(self, class_name, arrays=(), **config):
        number = Layer.counts[class_name] = Layer.counts.get(class_name, 0) + 1
        self.class_name = class_name
        name = config.pop("name", f"{class_name.lower()}_{number}")
        self.config = {**DEFAULTS.get(class_name, {}), "name": name, "trainable": True, **config}
        self.arrays = [(f"{name}_{end}", RNG.normal(size=shape).astype("f4") * 0.5) for end, shape in arrays]
        for index, (array, values) in enumerate(self.arrays):
            if array.endswith("running_std"):
                self.arrays[index] = (array, np.abs(values) + 0.2)

    @property
    def name(self):
        return self.config["name"]

    def entry(self):
        return {"class_name": self.class_name, "config": self.config}

    def called(self, *makers):
        """In a graph: what each maker, by its name, gives in its first call."""
        nodes = [[[maker, 0, 0] for maker in makers]] if makers else []
        return {**self.entry(), "name": self.name, "inbound_nodes": nodes}


def dense(inputs, units, **config):
    return Layer("Dense", [("W", (inputs, units)), ("b", (units,))], output_dim=units, **config)


def convolution(shape, **config):
    """`shape` of a kernel as the ordering has it; with th (out, in, rows, columns)."""
    first = config.get("dim_ordering", "tf") == "th"
    filters, size = (shape[0], shape[2:]) if first else (shape[-1], shape[:-2])
    sizes = {"nb_row": size[0], "nb_col": size[1]} if len(size) == 2 else dict(zip(("kernel_dim1", "kernel_dim2", "kernel_dim3"), size))
    class_name = config.pop("class_name", "Convolution2D" if len(size) == 2 else "Convolution3D")
    return Layer(class_name, [("W", shape), ("b", (filters,))], nb_filter=filters, **sizes, **{"dim_ordering": "tf", **config})


def convolution_1d(length, inputs, filters, old=False, **config):
    shape = (filters, inputs, length, 1) if old else (length, 1, inputs, filters)
    return Layer(config.pop("class_name", "Convolution1D"), [("W", shape), ("b", (filters,))], nb_filter=filters,
                 filter_length=length, **config)  # fmt: skip


def gates_of(inputs, units, gates, together=False):
    if together:
        return [("W", (inputs, len(gates) * units)), ("U", (units, len(gates) * units)), ("b", (len(gates) * units,))]
    return [(f"{kind}_{gate}", shape) for gate in gates
            for kind, shape in (("W", (inputs, units)), ("U", (units, units)), ("b", (units,)))]  # fmt: skip


def lstm(inputs, units, **config):
    gates = "ifco" if config.get("consume_less") == "gpu" else "icfo"
    return Layer("LSTM", gates_of(inputs, units, gates, config.get("consume_less") == "gpu"), output_dim=units, **config)


def gru(inputs, units, **config):
    return Layer("GRU", gates_of(inputs, units, "zrh", config.get("consume_less") == "gpu"), output_dim=units, **config)


def simple_rnn(inputs, units, **config):
    return Layer("SimpleRNN", [("W", (inputs, units)), ("U", (units, units)), ("b", (units,))], output_dim=units, **config)


def normalization(features, axis=-1, **config):
    arrays = [(end, (features,)) for end in ("gamma", "beta", "running_mean", "running_std")]
    return Layer("BatchNormalization", arrays, axis=axis, **config)


def highway(features, by_kind=False, **config):
    shapes = {"W": (features, features), "b": (features,), "W_carry": (features, features), "b_carry": (features,)}
    order = ["W", "W_carry", "b", "b_carry"] if by_kind else ["W", "b", "W_carry", "b_carry"]
    return Layer("Highway", [(end, shapes[end]) for end in order], **config)


def taking(layer, *shape, dtype="float32"):
    """The first layer of a chain, which says what it takes."""
    layer.config |= {"batch_input_shape": [None, *shape], "input_dtype": dtype}
    return layer


def input_layer(name, *shape, dtype="float32"):
    config = {"batch_input_shape": [None, *shape], "input_dtype": dtype, "sparse": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def sequential(layers, version="1.2.2"):
    model = {"class_name": "Sequential", "config": [layer.entry() for layer in layers]}
    return {**model, "keras_version": version} if version else model


def write_groups(group, layers, backend):
    group.attrs["layer_names"] = [layer.name.encode() for layer in layers]
    for layer in layers:
        own = group.create_group(layer.name)
        names = [name + (":0" if backend == "tensorflow" else "") for name, _ in layer.arrays]
        own.attrs["weight_names"] = [name.encode() for name in names]
        for name, (_, values) in zip(names, layer.arrays):
            own.create_dataset(name, data=values)


def write(folder, h5py, model, layers, backend="tensorflow"):
    """Two files: what to_json() and save_weights() gave."""
    (folder / "model.json").write_text(json.dumps(model))
    with h5py.File(folder / "weights.h5", "w") as file:
        write_groups(file, layers, backend)
    return [folder / "model.json", folder / "weights.h5"]


def write_one(folder, h5py, model, layers, backend="tensorflow"):
    """What save() gave, from 1.0.8 on."""
    with h5py.File(folder / "model.h5", "w") as file:
        file.attrs["keras_version"] = model["keras_version"].encode()
        file.attrs["model_config"] = json.dumps(model).encode()
        write_groups(file.create_group("model_weights"), layers, backend)
    return [folder / "model.h5"]


def write_0(folder, h5py, layers):
    """What Keras 0.3 wrote: layers by their number, names of classes for those of layers."""
    entries = []
    for layer in layers:
        config = dict(layer.config)
        if shape := config.pop("batch_input_shape", None):
            config["input_shape"] = shape[1:]
        for key in ("trainable", "input_dtype", "bias"):
            config.pop(key, None)
        entries.append({**config, "name": layer.class_name, "cache_enabled": True, "custom_name": layer.class_name.lower()})
    model = {"name": "Sequential", "layers": entries, "optimizer": {"name": "SGD", "lr": 0.01}, "loss": "mse"}
    (folder / "model.json").write_text(json.dumps(model))
    with h5py.File(folder / "weights.h5", "w") as file:
        file.attrs["nb_layers"] = len(layers)
        for index, layer in enumerate(layers):
            group = file.create_group(f"layer_{index}")
            group.attrs["nb_params"] = len(layer.arrays)
            for number, (_, values) in enumerate(layer.arrays):
                group.create_dataset(f"param_{number}", data=values)
    return [folder / "model.json", folder / "weights.h5"]


def arrays_of(layers):
    found = {layer.name: [values for _, values in layer.arrays] for layer in layers}
    return lambda name: found.get(name, [])
