"""Keras models that people write, with random weights, and the PyTorch classes that people write for their .pth files."""

from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import keras_nested_networks as nested
from keras_helpers import keras

L = keras.layers


def dense_classifier():
    return keras.Sequential([keras.Input((5,)), L.Dense(10, activation="relu"), L.Dense(1, activation="sigmoid")])


class DenseClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(5, 10)
        self.dense_1 = nn.Linear(10, 1)

    def forward(self, x):
        return torch.sigmoid(self.dense_1(F.relu(self.dense(x))))


def cnn(data_format):
    shape = (12, 10, 3) if data_format == "channels_last" else (3, 12, 10)
    return keras.Sequential(
        [
            keras.Input(shape),
            L.Conv2D(6, 3, activation="relu", data_format=data_format, name="conv1"),
            L.MaxPooling2D(2, data_format=data_format, name="pool1"),
            L.Conv2D(8, 3, padding="same", data_format=data_format, use_bias=False, name="conv2"),
            L.BatchNormalization(axis=-1 if data_format == "channels_last" else 1, name="bn"),
            L.ReLU(name="relu"),
            L.Dropout(0.3, name="drop"),
            L.Flatten(data_format=data_format, name="flat"),
            L.Dense(9, activation="tanh", name="fc1"),
            L.Dense(4, activation="softmax", name="fc2"),
        ],
        name="cnn",
    )


class Cnn(nn.Module):
    """The same, as it is written for PyTorch: nothing tells that its weights were Keras's."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8, eps=1e-3)
        self.fc1 = nn.Linear(8 * 5 * 4, 9)
        self.fc2 = nn.Linear(9, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.bn(self.conv2(x)))
        x = x.view(x.size(0), -1)
        return self.fc2(torch.tanh(self.fc1(x))).softmax(1)


def residual(data_format):
    axis = -1 if data_format == "channels_last" else 1
    inputs = keras.Input((17, 15, 3) if axis == -1 else (3, 17, 15), name="picture")
    x = L.ZeroPadding2D(((1, 2), (0, 1)), data_format=data_format)(inputs)
    x = L.Conv2D(4, 3, strides=2, padding="same", activation="relu", data_format=data_format, name="c-1")(x)
    x = L.BatchNormalization(axis=axis)(x)
    x = L.MaxPooling2D(3, 2, padding="same", data_format=data_format)(x)
    side = L.Conv2D(4, 1, data_format=data_format)(x)
    x = L.Concatenate(axis=axis)([L.Add()([x, side]), x])
    x = L.PReLU(shared_axes=[1, 2] if axis == -1 else [2, 3])(L.Activation("elu")(x))
    x = L.AveragePooling2D(2, padding="same", data_format=data_format)(x)
    pooled = L.GlobalAveragePooling2D(data_format=data_format)(x)
    flat = L.BatchNormalization()(L.Dense(6)(L.Flatten(data_format=data_format)(x)))
    return keras.Model(inputs, [L.Dense(3, activation="softmax", name="label")(flat), L.Dense(2, name="box")(pooled)], name="residual")


def shared():
    left, right = keras.Input((6, 8, 2), name="left"), keras.Input((6, 8, 2), name="right")
    conv, flatten, fc = L.Conv2D(5, 3, groups=1, name="conv"), L.Flatten(), L.Dense(4, name="fc")
    a, b = fc(flatten(conv(left))), fc(flatten(conv(right)))
    return keras.Model({"left": left, "right": right}, {"product": L.Multiply()([a, b]), "difference": L.Subtract()([a, b])})


def frozen():
    model = cnn("channels_last")
    model.get_layer("conv2").trainable = False
    model.get_layer("fc1").trainable = False
    return model


def open_picture():
    """Any height and width, one-dimensional steps at the end."""
    inputs = keras.Input((None, None, 3))
    x = L.Conv2D(4, (3, 5), dilation_rate=2, padding="same", name="wide")(inputs)
    x = L.LeakyReLU(negative_slope=0.2)(L.BatchNormalization(center=False)(x))
    return keras.Model(inputs, L.Conv2D(2, 1, strides=2, padding="same", activation="sigmoid")(x))


def waveform():
    return keras.Sequential(
        [
            keras.Input((20, 3)),
            L.Conv1D(6, 4, strides=2, padding="same", activation="relu"),
            L.BatchNormalization(scale=False),
            L.MaxPooling1D(2),
            L.Reshape((15, 2)),
            L.Permute((2, 1)),
            L.Flatten(),
            L.Dense(3, use_bias=False),
        ]
    )


def mixed_axes():
    """Layers that do not share one data format: a Dense over the channels, a BatchNormalization over the height."""
    x = inputs = keras.Input((6, 7, 3), name="picture")
    x = L.Conv2D(4, 3, name="conv1")(x)
    x = L.Dense(5, name="pointwise")(x)
    x = L.BatchNormalization(axis=1, name="over_rows")(x)
    return keras.Model(inputs, L.Conv2D(2, 1, name="conv2")(x), name="mixed_axes")


def pixels_as_sequence():
    x = inputs = keras.Input((6, 7, 3), name="picture")
    x = L.Conv2D(4, 3, name="conv1")(x)
    x = L.Concatenate(name="twice")([x, x])
    x = L.Reshape((-1, 8), name="sequence")(x)
    x = L.Flatten(name="flat")(L.Dense(3, name="each")(x))
    return keras.Model(inputs, L.Dense(2, name="head")(x), name="pixels_as_sequence")


def segmentation():
    """Activations that work along the channels, wherever they are."""
    inputs = keras.Input((7, 6, 3), name="picture")
    x = L.Conv2D(4, 3, padding="same", activation="softmax", name="parts")(inputs)
    x = L.Conv2DTranspose(5, 2, strides=2, activation="log_softmax", name="larger")(x)
    x = L.Activation("softmax", name="shares")(L.Conv2D(6, 2, name="more")(x))
    return keras.Model(inputs, L.SeparableConv2D(6, 3, activation="softmax", name="classes")(x), name="segmentation")


def activation_objects():
    """Activations with settings of their own, one for two layers, one whose layer is called twice."""
    inputs = keras.Input((7, 6, 3), name="picture")
    leaky, dense = L.LeakyReLU(0.2), L.Dense(5, activation=L.ReLU(max_value=0.75), name="twice")
    x = L.Conv2D(4, 3, activation=leaky, name="first")(inputs)
    x = L.Conv2D(5, 2, activation=leaky, name="second")(x)
    x = L.Activation(L.ELU(0.7), name="alone")(x)
    return keras.Model(inputs, L.Conv2D(3, 2, activation=L.Softmax(axis=-1), name="last")(dense(dense(x))), name="activation_objects")


def masked_tagger():
    """Words, of which 0 is none."""
    inputs = keras.Input((None,), dtype="int32", name="words")
    x = L.Embedding(7, 5, mask_zero=True, name="words_as_vectors")(inputs)
    x = L.Dropout(0.2)(L.Dense(6, activation="tanh")(x))
    tagged = L.Bidirectional(L.LSTM(4, return_sequences=True), name="both_ways")(x)
    tagged = L.LayerNormalization()(L.GRU(5, return_sequences=True, go_backwards=True)(tagged))
    return keras.Model(inputs, [L.Dense(3, name="tags")(tagged), L.GlobalAveragePooling1D(name="mean")(tagged), L.SimpleRNN(4, name="last")(x)])


def masked_classifier():
    """What Keras does not say of a Sequential model: that the mask goes on."""
    layers = [
        keras.Input((None,), dtype="int32"),
        L.Embedding(7, 5, mask_zero=True),
        L.SpatialDropout1D(0.1),
        L.BatchNormalization(),
        L.LSTM(6, return_sequences=True),
        L.Activation("elu"),
        L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode="sum"),
        L.GlobalAveragePooling1D(),
        L.Dense(3),
    ]
    return keras.Sequential(layers, name="masked_classifier")


def mask_that_ends():
    """A convolution hands no mask on."""
    layers = [keras.Input((9, 3)), L.Masking(0.25), L.LSTM(4, return_sequences=True), L.Conv1D(5, 2), L.SimpleRNN(4, go_backwards=True), L.Dense(2)]
    return keras.Sequential(layers, name="mask_that_ends")


def masked_shares():
    inputs = keras.Input((6, 4), name="scores")
    return keras.Model(inputs, L.Softmax(name="shares")(L.Dense(4)(inputs), mask=inputs > 0), name="masked_shares")


def merged_masks():
    inputs = keras.Input((8, 3), name="steps")
    x = L.Masking(0.25)(inputs)
    y = L.LSTM(3, return_sequences=True)(x)
    z = L.Masking(0.0)(L.Dense(3, activation="relu")(inputs))
    together = L.GRU(4, name="together")(L.Concatenate()([x, y]))
    return keras.Model(inputs, [together, L.GRU(4, name="either")(L.Add()([y, z]))], name="merged_masks")


def number_of_all():
    """One number made of everything, and what is done with it."""
    inputs = keras.Input((4, 3))
    x = L.Dense(5)(inputs)
    return keras.Model(inputs, L.Dense(2)(x / (1 + keras.ops.max(keras.ops.abs(x)))), name="number_of_all")


@dataclass(frozen=True)
class KerasNetwork:
    name: str
    build: Callable[[], keras.Model]
    shapes: tuple[tuple[int, ...], ...]
    torch_class: type[nn.Module] | None = None
    scale: float = 1.0  # of the inputs
    ids_below: int = 0  # where positive, the inputs are integers below it
    masked_by: float | None = None  # what some steps of the inputs have in all of their features
    has_data_format: bool = True

    def model(self):
        keras.backend.clear_session()
        keras.utils.set_random_seed(5)
        model = self.build()
        rng = np.random.default_rng(6)
        depthwise = {layer.name for layer in model.layers if isinstance(layer, L.DepthwiseConv2D)}
        for variable in model.weights:
            noise = rng.normal(size=variable.shape)
            *_, layer, name = variable.path.split("/")
            if not variable.dtype.startswith("float"):  # a count
                noise = np.full(variable.shape, 1234)
            elif name == "kernel":
                inputs = variable.shape[:2] if layer in depthwise else variable.shape[:-1]
                noise *= (2 / np.prod(inputs)) ** 0.5
            elif name in ("moving_variance", "variance"):
                noise = 0.5 + np.abs(noise)
            else:
                noise = 0.2 * noise + (1 if name == "gamma" else 0)
            variable.assign(noise)
        return model

    def inputs(self):
        rng = np.random.default_rng(7)
        if self.ids_below:
            return [rng.integers(0, self.ids_below, shape).astype("int32") for shape in self.shapes]
        inputs = [(self.scale * rng.normal(size=shape)).astype("float32") for shape in self.shapes]
        if self.masked_by is not None:
            for steps in inputs:
                steps[rng.random(steps.shape[:2]) < 0.4] = self.masked_by
        return inputs


KERAS_NETWORKS = [
    KerasNetwork("dense", dense_classifier, ((4, 5),), DenseClassifier),
    KerasNetwork("cnn", lambda: cnn("channels_last"), ((3, 12, 10, 3),), Cnn),
    KerasNetwork("cnn_first", lambda: cnn("channels_first"), ((3, 3, 12, 10),), Cnn),
    KerasNetwork("residual", lambda: residual("channels_last"), ((2, 17, 15, 3),)),
    KerasNetwork("residual_first", lambda: residual("channels_first"), ((2, 3, 17, 15),)),
    KerasNetwork("shared", shared, ((3, 6, 8, 2), (3, 6, 8, 2))),
    KerasNetwork("frozen", frozen, ((3, 12, 10, 3),), Cnn),
    KerasNetwork("open_picture", open_picture, ((2, 13, 11, 3),)),
    KerasNetwork("mixed_axes", mixed_axes, ((3, 6, 7, 3),)),
    KerasNetwork("pixels_as_sequence", pixels_as_sequence, ((3, 6, 7, 3),)),
    KerasNetwork("waveform", waveform, ((2, 20, 3),)),
    KerasNetwork("segmentation", segmentation, ((3, 7, 6, 3),)),
    KerasNetwork("activation_objects", activation_objects, ((3, 7, 6, 3),)),
    KerasNetwork("masked_tagger", masked_tagger, ((3, 8),), ids_below=4, has_data_format=False),
    KerasNetwork("masked_classifier", masked_classifier, ((3, 8),), ids_below=4, has_data_format=False),
    KerasNetwork("mask_that_ends", mask_that_ends, ((3, 9, 3),), masked_by=0.25, has_data_format=False),
    KerasNetwork("masked_shares", masked_shares, ((3, 6, 4),), has_data_format=False),
    KerasNetwork("merged_masks", merged_masks, ((3, 8, 3),), masked_by=0.25, has_data_format=False),
    KerasNetwork("number_of_all", number_of_all, ((3, 4, 3),), has_data_format=False),
    KerasNetwork("passed_on_twice", nested.passed_on_twice, ((3, 6), (3, 6))),
    KerasNetwork("siamese", nested.siamese, ((3, 7), (3, 7))),
    KerasNetwork("chain_of_models", nested.chain_of_models, ((3, 4),)),
    KerasNetwork("frozen_backbone", nested.frozen_backbone, ((2, 13, 11, 3),)),
    KerasNetwork("backbone_first", lambda: nested.frozen_backbone("channels_first"), ((2, 3, 13, 11),)),
    KerasNetwork("several_outputs_by_name", nested.several_outputs_by_name, ((3, 3), (3, 3))),
    KerasNetwork("three_deep", nested.three_deep, ((3, 4),)),
    KerasNetwork("recurrent_parts", nested.recurrent_parts, ((3, 8),), ids_below=5, has_data_format=False),
    KerasNetwork("mask_given_to_a_model", nested.mask_given_to_a_model, ((3, 8),), ids_below=5, has_data_format=False),
    KerasNetwork("operations_within", nested.operations_within, ((3, 4),), has_data_format=False),
    KerasNetwork("ends_in_activation_objects", nested.ends_in_activation_objects, ((3, 6), (3, 6)), has_data_format=False),
    KerasNetwork("outputs_of_models", nested.outputs_of_models, ((3, 4), (3, 4))),
    KerasNetwork("pictures_in_time", nested.pictures_in_time, ((2, 4, 9, 7, 3),), has_data_format=False),
    KerasNetwork("pictures_in_time_first", lambda: nested.pictures_in_time("channels_first"), ((2, 4, 3, 9, 7),), has_data_format=False),
    KerasNetwork("words_of_sentences", nested.words_of_sentences, ((3, 4, 7),), ids_below=9, has_data_format=False),
    KerasNetwork("steps_within_steps", nested.steps_within_steps, ((3, 3, 2, 5), (3, 3, 2, 5)), has_data_format=False),
    KerasNetwork("tagged_steps", nested.tagged_steps, ((3, 6, 5),), has_data_format=False),
    KerasNetwork("two_ways", nested.two_ways, ((3, 6),), ids_below=9, has_data_format=False),
    KerasNetwork("stacked_cells", nested.stacked_cells, ((3, 6),), ids_below=9, has_data_format=False),
    KerasNetwork("bounded", nested.bounded, ((2, 9, 7, 3),), has_data_format=False),
    KerasNetwork("two_ways_with_states", nested.two_ways_with_states, ((3, 6, 5),), has_data_format=False),
    KerasNetwork("integers_into_floats", nested.integers_into_floats, ((3, 5),), ids_below=9, has_data_format=False),
]
