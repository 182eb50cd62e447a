"""What networks of Keras 2 and tf.keras compute, from their files, as formulas in NumPy (float64), as keras_1_formulas.py
has them of Keras 1: written from keras 2.0.0 to 2.15 and sharing nothing with h5bridge."""

import json

import numpy as np

from keras_1_formulas import ACTIVATIONS, Network, convolved, last, padded, slid

CHANNELS = {"channels_first": "th", "channels_last": "tf"}


class Network2(Network):
    """`weights` gives a layer's arrays by the ends of their names: {"kernel": ..., "bias": ...}."""

    def predict(self, *inputs):
        config = self.model["config"]
        layers = config if isinstance(config, list) else config["layers"]
        if self.model["class_name"] == "Sequential":
            return [self.chain([entry for entry in layers if entry["class_name"] != "InputLayer"], list(inputs))]
        return self.graph({**config, "layers": [self.without_arguments(entry) for entry in layers]}, inputs)

    @staticmethod
    def without_arguments(entry):
        return {**entry, "inbound_nodes": [[tensor[:3] for tensor in node] for node in entry["inbound_nodes"]]}

    def layer(self, class_name, config, x, mask):
        config = {**config, "dim_ordering": CHANNELS[config.get("data_format", "channels_last")]}
        arrays = {name: np.asarray(a, "f8") for name, a in self.weights(config["name"]).items()}
        result = getattr(self, class_name)(config, x, arrays, mask)
        keeps = class_name in ("Activation", "Dropout", "Masking", "BatchNormalization", "Dense")
        mask = result[1] if isinstance(result, tuple) else mask if keeps or config.get("return_sequences") else None
        return (result[0] if isinstance(result, tuple) else result), mask

    def Dense(self, config, x, arrays, mask):
        return ACTIVATIONS[config["activation"]](x @ arrays["kernel"] + arrays.get("bias", 0))

    def TimeDistributed(self, config, x, arrays, mask):
        assert config["layer"]["class_name"] == "Dense"
        return self.Dense(config["layer"]["config"], x, arrays, mask)

    def Add(self, config, x, arrays, mask):
        return sum(x)

    def Embedding(self, config, x, arrays, mask):
        return arrays["embeddings"][x.astype(int)], (x != 0) if config["mask_zero"] else None

    def BatchNormalization(self, config, x, arrays, mask):
        axis = config["axis"][0] if isinstance(config["axis"], list) else config["axis"]
        shape = [1] * x.ndim
        shape[axis] = -1
        gamma, beta, mean, variance = (arrays[name].reshape(shape) for name in ("gamma", "beta", "moving_mean", "moving_variance"))
        return (x - mean) / np.sqrt(variance + config["epsilon"]) * gamma + beta

    def Conv1D(self, config, x, arrays, mask):
        kernel = arrays["kernel"]
        size, dilation, mode = list(kernel.shape[:1]), config["dilation_rate"], config["padding"]
        if mode == "causal":
            x, mode = np.pad(x, [(0, 0), ((size[0] - 1) * dilation[0], 0), (0, 0)]), "valid"
        y = convolved(x, kernel, config["strides"], mode, self.backend, dilation)
        return ACTIVATIONS[config["activation"]](y + arrays.get("bias", 0))

    def Conv2D(self, config, x, arrays, mask):
        assert config["dim_ordering"] == "tf"
        y = convolved(x, arrays["kernel"], config["strides"], config["padding"], self.backend, config["dilation_rate"])
        return ACTIVATIONS[config["activation"]](y + arrays.get("bias", 0))

    def depthwise(self, config, x, kernel):
        size = list(kernel.shape[:2])
        windows = slid(padded(x, size, config["strides"], config["padding"], self.backend), size, config["strides"])
        y = np.einsum("bxyijc,ijcm->bxycm", windows, kernel)
        return y.reshape(*y.shape[:3], -1)

    def DepthwiseConv2D(self, config, x, arrays, mask):
        y = self.depthwise(config, x, arrays["depthwise_kernel"]) + arrays.get("bias", 0)
        return ACTIVATIONS[config["activation"]](y)

    def SeparableConv2D(self, config, x, arrays, mask):
        y = self.depthwise(config, x, arrays["depthwise_kernel"]) @ arrays["pointwise_kernel"][0, 0] + arrays.get("bias", 0)
        return ACTIVATIONS[config["activation"]](y)

    def pooled(self, config, x, size, strides, how):
        return super().pooled({**config, "border_mode": config["padding"]}, x, size, strides, how)

    def MaxPooling1D(self, config, x, arrays, mask):
        return self.pooled(config, x, config["pool_size"], config["strides"], np.max)

    def GlobalAveragePooling1D(self, config, x, arrays, mask):
        return x.mean(1)

    def GlobalAveragePooling2D(self, config, x, arrays, mask):
        return last(x, config).mean((1, 2))

    def SimpleRNN(self, config, x, arrays, mask):
        act = ACTIVATIONS[config["activation"]]

        def step(x, states):
            h = act(x @ arrays["kernel"] + arrays["bias"] + states[0] @ arrays["recurrent_kernel"])
            return h, [h]

        return self.stepped(config, x, mask, step, [np.zeros((len(x), config["units"]))])

    def GRU(self, config, x, arrays, mask):
        assert not config.get("reset_after")
        w, u, b = ([*np.split(arrays[name], 3, -1)] for name in ("kernel", "recurrent_kernel", "bias"))
        return super().GRU({**config, "inner_activation": config["recurrent_activation"]}, x,
                           [part for gate in zip(w, u, b) for part in gate], mask)  # fmt: skip

    def LSTM(self, config, x, arrays, mask):
        act, inner = ACTIVATIONS[config["activation"]], ACTIVATIONS[config["recurrent_activation"]]
        x, *states = x if isinstance(x, list) else [x]

        def step(x, states):
            h, c = states
            i, f, g, o = np.split(x @ arrays["kernel"] + h @ arrays["recurrent_kernel"] + arrays["bias"], 4, -1)
            c = inner(f) * c + inner(i) * act(g)
            h = inner(o) * act(c)
            return h, [h, c]

        states = states or [np.zeros((len(x), config["units"]))] * 2
        return self.stepped(config, x, mask, step, states)


def configuration(path, h5py):
    """Of a file, or of the to_json() file beside it."""
    beside = path.with_suffix(".json")
    if beside.exists():
        return json.loads(beside.read_text())
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])


def variables_by_name(path, h5py):
    with h5py.File(path) as file:
        groups = file["model_weights"] if "model_weights" in file else file
        found = {}
        for layer in groups.attrs["layer_names"]:
            layer = layer.decode() if isinstance(layer, bytes) else layer
            names = [name.decode() if isinstance(name, bytes) else name for name in groups[layer].attrs["weight_names"]]
            found[layer] = {name.split("/")[-1].removesuffix(":0"): groups[layer][name][()] for name in names}
    return lambda name: found.get(name, {})
