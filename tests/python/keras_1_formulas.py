"""What networks of Keras 0 and 1 compute, from their configurations and files, as formulas in NumPy (float64).

Written from what keras 0.3.3 and 1.0.0 to 1.2.2 say in layers/*.py and backend/{theano,tensorflow}_backend.py, and
sharing nothing with h5bridge. `backend` is "theano" or "tensorflow": the former applies kernels flipped and, with
border_mode "same", puts half of the kernel before the image.
"""

import json

import numpy as np

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True),
}


def sizes(config, *keys):
    return [config[key] for key in keys]


def slid(x, size, strides, dilation=None):
    """(batch, places..., size..., channels): the windows of (batch, space..., channels)."""
    dilation = dilation or [1] * len(size)
    span = [(n - 1) * d + 1 for n, d in zip(size, dilation)]
    axes = tuple(range(1, 1 + len(size)))
    windows = np.lib.stride_tricks.sliding_window_view(x, span, axis=axes)  # (batch, places..., channels, span...)
    rank = len(size)
    windows = np.moveaxis(windows, 1 + rank, -1)
    take = (slice(None),) + tuple(slice(None, None, s) for s in strides) + tuple(slice(None, None, d) for d in dilation)
    return windows[take]


def padded(x, size, strides, mode, backend, dilation=None, value=0.0):
    if mode == "valid":
        return x
    assert mode == "same"
    pairs = []
    for n, k, s, d in zip(x.shape[1:], size, strides, dilation or [1] * len(size)):
        span = (k - 1) * d + 1
        if backend == "theano":
            # Half of the kernel on either side; of the results those are left that there are places for strides.
            count = (n + s - 1) // s
            pairs.append((span // 2, max(0, (count - 1) * s + span - n - span // 2)))
        else:
            total = max(0, (-(-n // s) - 1) * s + span - n)
            pairs.append((total // 2, total - total // 2))
    return np.pad(x, [(0, 0), *pairs, (0, 0)], constant_values=value)


def convolved(x, kernel, strides, mode, backend, dilation=None):
    """kernel: (size..., in, out), x: channels last."""
    rank = kernel.ndim - 2
    if backend == "theano":
        kernel = np.flip(kernel, tuple(range(rank)))
    size = kernel.shape[:rank]
    windows = slid(padded(x, size, strides, mode, backend, dilation), size, strides, dilation)
    return np.tensordot(windows, kernel, axes=rank + 1)


def last(x, config):
    return np.moveaxis(x, 1, -1) if config.get("dim_ordering") == "th" else x


def back(x, config):
    return np.moveaxis(x, -1, 1) if config.get("dim_ordering") == "th" else x


class Network:
    """`model` is the configuration; `weights` gives a layer's arrays by its name."""

    def __init__(self, model, weights, backend="tensorflow", deviation=False, ordering="tf"):
        self.model, self.weights, self.backend = model, weights, backend
        self.deviation, self.ordering = deviation, ordering
        self.masks = {}

    def predict(self, *inputs):
        if self.model["class_name"] == "Sequential":
            return [self.chain(self.model["config"], list(inputs))]
        return self.graph(self.model["config"], inputs)

    def chain(self, layers, inputs):
        x, mask = None, None
        for entry in layers:
            config = entry["config"]
            if entry["class_name"] == "Sequential":
                x = self.chain(config, [x] if x is not None else inputs)
                continue
            if x is None and entry["class_name"] == "Merge":
                x = [self.chain(branch["config"] if branch["class_name"] == "Sequential" else [branch], inputs)
                     for branch in config["layers"]]  # fmt: skip
            elif x is None:
                x = inputs.pop(0)
            x, mask = self.layer(entry["class_name"], config, x, mask)
        return x

    def graph(self, config, inputs):
        results = {}
        for (name, _, _), x in zip(config["input_layers"], inputs):
            results[name] = [(x, None)]
        for entry in config["layers"]:
            name = entry["name"]
            for node in entry["inbound_nodes"]:
                made = [results[maker][call][0] for maker, call, _ in node]
                given = [x[number] if isinstance(x, list) else x for x, (_, _, number) in zip(made, node)]
                masks = [results[maker][call][1] for maker, call, _ in node]
                x, mask = (given[0], masks[0]) if len(given) == 1 else (given, masks[0] if entry["class_name"] == "LSTM" else None)
                results.setdefault(name, []).append(self.layer(entry["class_name"], entry["config"], x, mask))
        outputs = [(results[name][call][0], number) for name, call, number in config["output_layers"]]
        return [x[number] if isinstance(x, list) else x for x, number in outputs]

    def layer(self, class_name, config, x, mask):
        config = dict(config)
        if "dim_ordering" not in config and class_name.endswith(("2D", "3D")):
            config["dim_ordering"] = self.ordering
        arrays = [np.asarray(a, "f8") for a in self.weights(config["name"])]
        result = getattr(self, class_name)(config, x, arrays, mask)
        keeps = class_name in ("Activation", "Dropout", "Masking", "GaussianNoise", "BatchNormalization",
                               "TimeDistributedDense", "LeakyReLU", "PReLU", "ELU", "Embedding")  # fmt: skip
        mask = result[1] if isinstance(result, tuple) else mask if keeps or config.get("return_sequences") else None
        return (result[0] if isinstance(result, tuple) else result), mask

    # --- core

    def Dense(self, config, x, arrays, mask):
        return ACTIVATIONS[config["activation"]](x @ arrays[0] + (arrays[1] if len(arrays) > 1 else 0))

    TimeDistributedDense = Dense

    def Activation(self, config, x, arrays, mask):
        return ACTIVATIONS[config["activation"]](x)

    def Dropout(self, config, x, arrays, mask):
        return x

    GaussianNoise = GaussianDropout = SpatialDropout2D = ActivityRegularization = Dropout

    def Flatten(self, config, x, arrays, mask):
        return x.reshape(len(x), -1)

    def Reshape(self, config, x, arrays, mask):
        return x.reshape(len(x), *(config.get("target_shape") or config["dims"]))

    def Permute(self, config, x, arrays, mask):
        return x.transpose(0, *config["dims"])

    def RepeatVector(self, config, x, arrays, mask):
        return np.repeat(x[:, None], config["n"], 1)

    def Masking(self, config, x, arrays, mask):
        mask = (x != config["mask_value"]).any(-1)
        return x * mask[..., None], mask

    def Embedding(self, config, x, arrays, mask):
        return arrays[0][x.astype(int)], (x != 0) if config.get("mask_zero") else None

    def MaxoutDense(self, config, x, arrays, mask):
        y = np.einsum("bi,fio->bfo", x, arrays[0]) + (arrays[1] if len(arrays) > 1 else 0)
        return y.max(1)

    def Highway(self, config, x, arrays, mask):
        w, *rest = arrays
        if rest[0].ndim == 2:  # from 1.2 on: kernels, then biases
            carry, (b, b_carry) = rest[0], rest[1:] or (0, 0)
        else:
            b, carry, b_carry = rest
        t = ACTIVATIONS["sigmoid"](x @ carry + b_carry)
        return t * ACTIVATIONS[config["activation"]](x @ w + b) + (1 - t) * x

    def LocallyConnected1D(self, config, x, arrays, mask):
        length, step = config["filter_length"], config["subsample_length"]
        columns = np.stack([x[:, i : i + length].reshape(len(x), -1) for i in range(0, x.shape[1] - length + 1, step)], 1)
        return ACTIVATIONS[config["activation"]](np.einsum("bpk,pkf->bpf", columns, arrays[0]) + arrays[1])

    def LocallyConnected2D(self, config, x, arrays, mask):
        """Of "th"; the bias is read in another shape there, and not moved (keras 1.2.2, layers/local.py)."""
        (rows, cols), (down, right) = (config["nb_row"], config["nb_col"]), config["subsample"]
        tops, lefts = range(0, x.shape[2] - rows + 1, down), range(0, x.shape[3] - cols + 1, right)
        columns = np.stack([x[:, :, i : i + rows, j : j + cols].reshape(len(x), -1) for i in tops for j in lefts], 1)
        result = np.einsum("bpk,pkf->bfp", columns, arrays[0]).reshape(len(x), -1, len(tops), len(lefts))
        return ACTIVATIONS[config.get("activation", "linear")](result + arrays[1].reshape(result.shape[1:]))

    def Merge(self, config, x, arrays, mask):
        mode = config["mode"]
        if mode == "concat":
            return np.concatenate(x, config["concat_axis"])
        if mode == "dot":
            return np.einsum("bi,bi->b", *x)[:, None]  # of two axes
        if mode == "cos":
            return (np.einsum("bi,bi->b", *x) / np.sqrt(np.prod([(side**2).sum(1) for side in x], 0)))[:, None, None]
        return {"sum": sum, "ave": lambda x: sum(x) / len(x), "mul": lambda x: np.prod(x, 0), "max": lambda x: np.max(x, 0)}[mode](x)

    # --- advanced activations, normalisation

    def LeakyReLU(self, config, x, arrays, mask):
        return np.where(x > 0, x, config["alpha"] * x)

    def ELU(self, config, x, arrays, mask):
        return np.where(x > 0, x, config["alpha"] * np.expm1(np.minimum(x, 0)))

    def PReLU(self, config, x, arrays, mask):
        return np.maximum(x, 0) + arrays[0] * np.minimum(x, 0)

    def ThresholdedReLU(self, config, x, arrays, mask):
        return x * (x > config["theta"])

    def ParametricSoftplus(self, config, x, arrays, mask):
        return arrays[0] * ACTIVATIONS["softplus"](arrays[1] * x)

    def BatchNormalization(self, config, x, arrays, mask):
        shape = [1] * x.ndim
        shape[config["axis"]] = -1
        gamma, beta, mean, spread = (a.reshape(shape) for a in arrays)
        epsilon = config["epsilon"]
        root = spread + epsilon if self.deviation else np.sqrt(spread + epsilon)
        return (x - mean) / root * gamma + beta

    # --- convolutions and what goes with them

    def Convolution1D(self, config, x, arrays, mask):
        kernel, length = arrays[0], config["filter_length"]
        if kernel.shape[:2] != (length, 1) or kernel.shape[3] != config["nb_filter"]:
            kernel = kernel.transpose(2, 3, 1, 0)  # up to 1.0.8
        y = convolved(x, kernel[:, 0], [config["subsample_length"]], config["border_mode"], self.backend,
                      [config.get("atrous_rate", 1)])  # fmt: skip
        return ACTIVATIONS[config["activation"]](y + (arrays[1] if len(arrays) > 1 else 0))

    AtrousConvolution1D = Convolution1D

    def Convolution2D(self, config, x, arrays, mask):
        kernel = arrays[0]
        if config["dim_ordering"] == "th":
            kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
        y = convolved(last(x, config), kernel, config["subsample"], config["border_mode"], self.backend,
                      config.get("atrous_rate"))  # fmt: skip
        return ACTIVATIONS[config["activation"]](back(y + (arrays[1] if len(arrays) > 1 else 0), config))

    AtrousConvolution2D = Convolution3D = Convolution2D

    def SeparableConvolution2D(self, config, x, arrays, mask):
        depth, point = arrays[:2]
        if config["dim_ordering"] == "th":
            depth, point = (np.moveaxis(a, (0, 1), (-1, -2)) for a in (depth, point))
        x = last(x, config)
        size = depth.shape[:2]
        windows = slid(padded(x, size, config["subsample"], config["border_mode"], "tensorflow"), size, config["subsample"])
        y = np.einsum("bxyijc,ijcm->bxycm", windows, depth)
        y = y.reshape(*y.shape[:3], -1) @ point[0, 0] + arrays[2]
        return ACTIVATIONS[config["activation"]](back(y, config))

    def Deconvolution2D(self, config, x, arrays, mask):
        kernel, x = arrays[0], last(x, config)
        if config["dim_ordering"] == "th":
            kernel = np.moveaxis(kernel, (0, 1), (-1, -2))
        if self.backend == "theano":
            kernel = np.flip(kernel, (0, 1))
        shape = config["output_shape"]
        rows, columns = shape[2:] if config["dim_ordering"] == "th" else shape[1:3]
        (kr, kc), (sr, sc) = kernel.shape[:2], config["subsample"]
        full = np.zeros((len(x), max(rows, (x.shape[1] - 1) * sr + kr), max(columns, (x.shape[2] - 1) * sc + kc), kernel.shape[3]))
        for i in range(x.shape[1]):  # kernel: (rows, columns, in, out) of this layer
            for j in range(x.shape[2]):
                full[:, i * sr : i * sr + kr, j * sc : j * sc + kc] += np.einsum("bc,xyco->bxyo", x[:, i, j], kernel)
        top = (full.shape[1] - rows) // 2 if config["border_mode"] == "same" else 0
        left = (full.shape[2] - columns) // 2 if config["border_mode"] == "same" else 0
        y = full[:, top : top + rows, left : left + columns] + arrays[1]
        return ACTIVATIONS[config["activation"]](back(y, config))

    def pooled(self, config, x, size, strides, how):
        fill = -np.inf if how is np.max else np.nan
        x = padded(last(x, config), size, strides, config["border_mode"], "tensorflow", value=fill)
        windows = slid(x, size, strides)
        axes = tuple(range(1 + len(size), 1 + 2 * len(size)))
        return back(how(windows, axis=axes), config)

    def MaxPooling2D(self, config, x, arrays, mask):
        return self.pooled(config, x, config["pool_size"], config["strides"], np.max)

    def AveragePooling2D(self, config, x, arrays, mask):
        return self.pooled(config, x, config["pool_size"], config["strides"], np.nanmean)

    def MaxPooling1D(self, config, x, arrays, mask):
        return self.pooled(config, x, [config["pool_length"]], [config["stride"]], np.max)

    def AveragePooling1D(self, config, x, arrays, mask):
        return self.pooled(config, x, [config["pool_length"]], [config["stride"]], np.nanmean)

    def GlobalAveragePooling2D(self, config, x, arrays, mask):
        return last(x, config).mean((1, 2))

    def GlobalMaxPooling1D(self, config, x, arrays, mask):
        return x.max(1)

    def UpSampling1D(self, config, x, arrays, mask):
        return x.repeat(config["length"], 1)

    def UpSampling2D(self, config, x, arrays, mask):
        return back(last(x, config).repeat(config["size"][0], 1).repeat(config["size"][1], 2), config)

    def ZeroPadding1D(self, config, x, arrays, mask):
        padding = config["padding"]
        return np.pad(x, [(0, 0), (padding, padding) if isinstance(padding, int) else padding, (0, 0)])

    def ZeroPadding2D(self, config, x, arrays, mask):
        p = config["padding"]
        pairs = [(p[0], p[0]), (p[1], p[1])] if len(p) == 2 else [p[:2], p[2:]]
        return back(np.pad(last(x, config), [(0, 0), *pairs, (0, 0)]), config)

    def Cropping2D(self, config, x, arrays, mask):
        (top, bottom), (left, right) = config["cropping"]
        x = last(x, config)
        return back(x[:, top : x.shape[1] - bottom, left : x.shape[2] - right], config)

    # --- recurrent

    def stepped(self, config, x, mask, step, states):
        """What step(x_t, states) -> (output, states) gives; at masked steps the last output and states stay."""
        order = range(x.shape[1])[::-1] if config.get("go_backwards") else range(x.shape[1])
        output, outputs = np.zeros_like(states[0]), []
        for t in order:
            new_output, new_states = step(x[:, t], states)
            if mask is not None:
                m = mask[:, t, None]
                new_output = np.where(m, new_output, output)
                new_states = [np.where(m, new, old) for new, old in zip(new_states, states)]
            output, states = new_output, new_states
            outputs.append(output)
        y = np.stack(outputs, 1) if config.get("return_sequences") else output
        return [y, *states] if config.get("return_state") else y

    def SimpleRNN(self, config, x, arrays, mask):
        w, u, b = arrays
        act = ACTIVATIONS[config["activation"]]

        def step(x, states):
            h = act(x @ w + b + states[0] @ u)
            return h, [h]

        return self.stepped(config, x, mask, step, [np.zeros((len(x), u.shape[0]))])

    def GRU(self, config, x, arrays, mask):
        if len(arrays) == 3:
            arrays = [part for gate in range(3) for part in (np.split(a, 3, -1)[gate] for a in arrays)]
        (wz, uz, bz, wr, ur, br, wh, uh, bh) = arrays
        act, inner = ACTIVATIONS[config["activation"]], ACTIVATIONS[config["inner_activation"]]

        def step(x, states):
            h = states[0]
            z, r = inner(x @ wz + bz + h @ uz), inner(x @ wr + br + h @ ur)
            h = z * h + (1 - z) * act(x @ wh + bh + (r * h) @ uh)
            return h, [h]

        return self.stepped(config, x, mask, step, [np.zeros((len(x), uz.shape[0]))])

    def LSTM(self, config, x, arrays, mask):
        if len(arrays) == 3:
            i, f, c, o = (list(np.split(a, 4, -1)[gate] for a in arrays) for gate in range(4))
            arrays = [*i, *c, *f, *o]
        (wi, ui, bi, wc, uc, bc, wf, uf, bf, wo, uo, bo) = arrays
        act, inner = ACTIVATIONS[config["activation"]], ACTIVATIONS[config["inner_activation"]]

        def step(x, states):
            h, c = states
            i, f, o = (inner(x @ w + b + h @ u) for w, u, b in ((wi, ui, bi), (wf, uf, bf), (wo, uo, bo)))
            c = f * c + i * act(x @ wc + bc + h @ uc)
            h = o * act(c)
            return h, [h, c]

        zeros = np.zeros((len(x), ui.shape[0]))
        return self.stepped(config, x, mask, step, [zeros, zeros])

    def Bidirectional(self, config, x, arrays, mask):
        inner = config["layer"]["config"]
        half = len(arrays) // 2
        run = getattr(self, config["layer"]["class_name"])
        forward = run(inner, x, arrays[:half], mask)
        backward = run({**inner, "go_backwards": True}, x, arrays[half:], mask)
        if inner.get("return_sequences"):
            backward = backward[:, ::-1]
        join = {"concat": lambda a, b: np.concatenate([a, b], -1), "sum": np.add, "mul": np.multiply,
                "ave": lambda a, b: (a + b) / 2}  # fmt: skip
        return join[config["merge_mode"]](forward, backward)


def architecture(path):
    return json.loads(path.read_text())


def arrays_by_name(file):
    """Of a file of Keras 1, a layer's arrays by its name."""
    groups = file["model_weights"] if "model_weights" in file else file
    names = [name.decode() if isinstance(name, bytes) else name for name in groups.attrs["layer_names"]]
    found = {name: [groups[name][w][()] for w in groups[name].attrs["weight_names"]] for name in names}
    return lambda name: found.get(name, [])
