#!/usr/bin/env python3
"""Makes testdata/golden/ with any build of the program: .venv/bin/python testdata/golden/make.py PROGRAM [FOLDER]

Each folder holds one small network as the program wrote it: model.json and model.pth as it reads and writes a PyTorch
network, and model.h5, which it made of the two; source.h5 is what Keras saved, where the network was Keras's. The files
here were written by version 0.1.0 at commit e6de320, and stay: later programs read them, and write from them what stands
in them (tests/unit/golden_test.cpp). Run it only for a network that is new; those that have a folder are left alone.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))

import absl.logging  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from h5bridge_export import export_architecture  # noqa: E402
from keras import layers  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

# --- Written by hand: every kind of attribute, at a value of its own, at None, in each of its spellings -------------------

ATTRIBUTE_KINDS = {
    "h5bridge": 1,
    "name": "AttributeKinds",
    "inputs": [
        {"name": "image", "shape": ["batch", 4, 12, 10]},
        {"name": "sequence", "shape": ["batch", "length", 6]},
        {"name": "ids", "shape": ["batch", "length"], "dtype": "int64"},
    ],
    "layers": [
        # Integer, a list of Integers and one that stands for all, a word for a Padding, Boolean, Text.
        {"name": "words", "type": "Conv2d", "inputs": ["image"], "attributes": {"in_channels": 4, "out_channels": 6, "kernel_size": [3, 2],
            "stride": 1, "padding": "same", "dilation": [1, 2], "groups": 2, "bias": False, "padding_mode": "zeros"}},
        {"name": "numbers", "type": "Conv2d", "attributes": {"in_channels": 6, "out_channels": 4, "kernel_size": 3, "stride": [2, 1],
            "padding": [1, 0]}},
        # Number, in ways that floats are written.
        {"name": "norm", "type": "BatchNorm2d", "attributes": {"num_features": 4, "eps": 1e-3, "momentum": 0.01}},
        {"name": "average", "type": "BatchNorm2d", "attributes": {"num_features": 4, "momentum": None, "affine": False}},
        {"name": "leaky", "type": "LeakyReLU", "attributes": {"negative_slope": 0.30000001192092896}},
        # None where it is a value of its own.
        {"name": "pool", "type": "MaxPool2d", "attributes": {"kernel_size": 2, "stride": None, "padding": 0}},
        {"name": "any_size", "type": "AdaptiveAvgPool2d", "attributes": {"output_size": [None, 3]}},
        # Scalars: an integer, a float, an infinity.
        {"name": "plus", "type": "add", "attributes": {"other": 2}},
        {"name": "times", "type": "mul", "attributes": {"other": 2.0}},
        {"name": "below", "type": "clamp", "attributes": {"min": -1.5, "max": None}},
        # Sizes: a number, a symbol, one that follows from the others.
        {"name": "flat", "type": "view", "attributes": {"shape": ["batch", -1]}},
        {"name": "head", "type": "Linear", "attributes": {"in_features": 36, "out_features": 3}},
        # Numbers.
        {"name": "scaled", "type": "Rescaling", "inputs": ["sequence"], "attributes": {"scale": [0.5, 1, 2, 1e-8, 3.5, 0.1]}},
        {"name": "rows", "type": "reshape", "attributes": {"shape": ["batch", "length*2", 3]}},
        {"name": "mean", "type": "mean", "attributes": {"dim": [-2], "keepdim": True}},
        {"name": "kept", "type": "mean", "inputs": ["rows"], "attributes": {"dim": [1]}},
        {"name": "table", "type": "Embedding", "inputs": ["ids"], "attributes": {"num_embeddings": 9, "embedding_dim": 3, "padding_idx": 0}},
        {"name": "part", "type": "slice", "attributes": {"dim": 1, "end": -1}},
        {"name": "constant", "type": "new_tensor", "inputs": ["part"], "attributes": {"data": [1.5, -2.0, 0.25], "shape": [3]}},
        {"name": "shifted", "type": "add", "inputs": ["part", "constant"]},
        {"name": "first", "type": "getitem", "attributes": {"index": ":, 0"}},
    ],
    "outputs": {"head": "head", "mean": "mean", "kept": "kept", "first": "first", "image": "any_size"},
}  # fmt: skip


def attribute_kinds():
    return ATTRIBUTE_KINDS, {
        "words.weight": torch.randn(6, 2, 3, 2),
        "numbers.weight": torch.randn(4, 6, 3, 3),
        "numbers.bias": torch.randn(4),
        "norm.weight": torch.rand(4) + 0.5,
        "norm.bias": torch.randn(4),
        "norm.running_mean": torch.randn(4),
        "norm.running_var": torch.rand(4) + 0.5,
        "norm.num_batches_tracked": torch.tensor(17),
        "average.running_mean": torch.randn(4),
        "average.running_var": torch.rand(4) + 0.5,
        "average.num_batches_tracked": torch.tensor(1234567890123),
        "head.weight": torch.randn(3, 36),
        "head.bias": torch.randn(3),
        "table.weight": torch.randn(9, 3),
    }


# --- PyTorch's --------------------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Two layers in two directions with their states; a projection; a cell; batch second."""

    def __init__(self):
        super().__init__()
        self.both = nn.LSTM(5, 4, num_layers=2, bidirectional=True, batch_first=True, dropout=0.25)
        self.gru = nn.GRU(8, 3)
        self.plain = nn.RNN(8, 3, nonlinearity="relu", batch_first=True, bias=False)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        y, (h, c) = self.both(x)
        steps, last = self.gru(y.transpose(0, 1))
        return {"steps": steps, "last": self.head(last[-1]), "plain": self.plain(y)[0], "state": h, "memory": c}


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.gamma = nn.Parameter(torch.randn(channels, 1, 1))
        self.register_buffer("shift", torch.randn(1, channels, 1, 1))
        self.register_buffer("steps", torch.tensor([3, 1, 4]))

    def forward(self, x):
        return x + self.gamma * torch.relu(self.conv(x)) + self.shift


class OwnTensors(nn.Module):
    """A module of two names, layers of two calls, one that is never called, parameters, buffers and constants of its own."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.block = Block(4)
        self.never = nn.Linear(2, 3)
        self.fc = nn.Linear(4 * 4 * 3, 5)
        self.mix = nn.Linear(5, 5, bias=False)
        self.again = self.mix
        self.temperature = nn.Parameter(torch.tensor(1.7))

    def forward(self, x):
        x = self.stem((x - torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)) / 2.5)
        y = self.fc(F.max_pool2d(self.block(self.block(x)), 1).flatten(1))
        return self.again(torch.tanh(self.mix(y))) * self.temperature


class Trained(nn.Module):
    """A checkpoint: an image classifier whose flatten is folded into the dense layer, with Adam's state."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.PReLU(4), nn.MaxPool2d(2, ceil_mode=True))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * 3 * 4, 3), nn.LogSoftmax(1))

    def forward(self, x):
        return self.classifier(self.features(x))


def of_module(module, *inputs):
    randomise(module)
    with tempfile.TemporaryDirectory() as folder:
        export_architecture(module, inputs, f"{folder}/m.json")
        return json.loads(Path(f"{folder}/m.json").read_text()), module.state_dict()


def randomise(module):
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(12345)
        elif tensor.is_floating_point():
            tensor.normal_()


def recurrent():
    return of_module(Recurrent(), torch.randn(2, 6, 5))


def own_tensors():
    return of_module(OwnTensors(), torch.randn(2, 3, 6, 5))


def trained():
    module = Trained()
    architecture, _ = of_module(module, torch.randn(2, 1, 8, 9))
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3, betas=(0.8, 0.99))
    for _ in range(3):
        optimizer.zero_grad()
        loss = F.nll_loss(module(torch.randn(4, 1, 8, 9)), torch.randint(3, (4,)))
        loss.backward()
        optimizer.step()
    state = {"epoch": 3, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": loss.item()}
    return architecture, state


# --- Keras's ----------------------------------------------------------------------------------------------------------------


def spelling():
    """Settings in spellings of their own, activations inside of layers, a layer of two calls, names that PyTorch cannot have,
    regularisers and initialisers, and a layer that is frozen."""
    left, right = keras.Input((9, 8, 3), name="left-image"), keras.Input((9, 8, 3), name="right.image")
    convolution = layers.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", kernel_regularizer="l2", name="conv-shared")
    join = layers.Concatenate(axis=3)([convolution(left), convolution(right)])
    x = layers.BatchNormalization(axis=3, momentum=0.9, scale=False, trainable=False, name="norm")(join)
    x = layers.DepthwiseConv2D(3, depth_multiplier=1, activation=keras.layers.LeakyReLU(negative_slope=0.2), name="depthwise")(x)
    x = layers.PReLU(shared_axes=[1, 2], name="prelu")(x)
    x = layers.Dense(5, activation="gelu", kernel_initializer=keras.initializers.HeNormal(seed=3), use_bias=False, name="dense")(layers.Flatten()(x))
    label = layers.Dense(3, activation="softmax", name="label")(layers.Dropout(0.4, seed=7)(x))
    total = layers.Reshape((1,), name="total")(keras.ops.sum(x, axis=1))
    model = keras.Model([left, right], {"label": label, "total": total}, name="spelling")
    assign(model)
    return model


def masks():
    """Masks that Keras hands on by itself and masks that are given; states; directions merged; cells."""
    ids, floats = keras.Input((None,), dtype="int32", name="ids"), keras.Input((None, 3), name="floats")
    words = layers.Embedding(11, 4, mask_zero=True, name="words")(ids)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum", name="both")(words)
    x = layers.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid", name="gru")(x)
    masked = layers.Masking(-1.0, name="masking")(floats)
    y, state = layers.GRU(3, return_sequences=True, return_state=True, go_backwards=True, name="backwards")(masked)
    z = layers.LSTM(3, name="begun")(masked, initial_state=[state, state])
    cells = layers.RNN([layers.LSTMCell(3), layers.LSTMCell(3)], name="cells")(y)
    model = keras.Model([ids, floats], [layers.Dense(2, name="answer")(layers.Concatenate()([x, z])), cells], name="masks")
    assign(model)
    return model


def sequential():
    """Layouts that differ from layer to layer, in the graph that Keras has kept, and an optimizer that has begun."""
    model = keras.Sequential(
        [
            keras.Input((3, 7, 6), name="picture"),
            layers.Conv2D(4, 3, data_format="channels_first", activation="tanh", name="first"),
            layers.Permute((2, 3, 1), name="turn"),
            layers.SeparableConv2D(5, 3, depth_multiplier=2, name="separable"),
            layers.GlobalAveragePooling2D(keepdims=True, name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(2, name="dense"),
        ],
        name="mixed",
    )
    assign(model)
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9, nesterov=True), loss="mse", metrics=["mae"])
    rng = np.random.default_rng(2)
    images, answers = rng.normal(size=(4, 3, 7, 6)).astype("float32"), rng.normal(size=(4, 2)).astype("float32")
    model.fit(images, answers, epochs=2, batch_size=4, verbose=0)
    return model


def assign(model):
    rng = np.random.default_rng(1)
    for variable in model.weights:
        if variable.dtype.startswith("float"):
            variable.assign(rng.normal(size=variable.shape) ** (2 if "variance" in variable.path else 1))


# --- Their files ------------------------------------------------------------------------------------------------------------

TORCH_NETWORKS = {"attribute_kinds": attribute_kinds, "recurrent": recurrent, "own_tensors": own_tensors, "checkpoint": trained}
KERAS_NETWORKS = {"spelling": spelling, "masks": masks, "mixed_layouts": sequential}


def convert(program, folder, *sources, to, options=()):
    destinations = [part for name in to for part in ("-o", name)]
    subprocess.run([program, "convert", *sources, *destinations, *options], cwd=folder, check=True)


def write_torch(program, folder, make):
    architecture, state = make()
    (folder / "theirs.json").write_text(json.dumps(architecture))
    torch.save(state, folder / "theirs.pth")
    options = ["--checkpoint"] if "optimizer_state_dict" in state else []
    convert(program, folder, "theirs.json", "theirs.pth", to=["model.json", "model.pth"], options=options)
    convert(program, folder, "model.json", "model.pth", to=["model.h5"])
    (folder / "theirs.json").unlink()
    (folder / "theirs.pth").unlink()


def write_keras(program, folder, make):
    keras.backend.clear_session()
    model = make()
    model.save(folder / "source.h5")
    convert(program, folder, "source.h5", to=["model.json", "model.pth"], options=["--checkpoint"] if model.compiled else [])
    convert(program, folder, "model.json", "model.pth", to=["model.h5"])


def main():
    absl.logging.set_verbosity(absl.logging.ERROR)  # Keras finds .h5 old; it is what we are here for
    program, target = Path(sys.argv[1]).absolute(), Path(sys.argv[2]) if len(sys.argv) > 2 else HERE
    for write, networks in ((write_torch, TORCH_NETWORKS), (write_keras, KERAS_NETWORKS)):
        for name, make in networks.items():
            if (target / name).exists():
                continue
            torch.manual_seed(5)
            keras.utils.set_random_seed(5)
            with tempfile.TemporaryDirectory() as folder:
                write(program, Path(folder), make)
                shutil.copytree(folder, target / name)


if __name__ == "__main__":
    main()
