"""The samples of all layer types, each as a module of PyTorch with random weights, and as Keras's model of it."""

import json
import zlib
from functools import cached_property

import torch

from keras_helpers import as_keras_has_it, keras
from program import h5bridge
from registry_samples import layer_samples
from sampled import in_turn
from torch_layers import is_inexact, randomised, reference


class Sample:
    def __init__(self, described):
        self.type = described["type"]
        self.name = f"{self.type}: {described['sample']}"
        self.first = described["first"]
        self.in_keras = described["in_keras"]
        self.architecture = described["architecture"]
        self.attributes = described["attributes"]
        self.tensors = described["tensors"]
        self.input_shapes = described["input_shapes"]
        self.ids_below = described["ids_below"]
        self.between = described["between"]
        self.integers = described["integers"]

    # Made when a test asks, so that a type that fails to be made fails its own tests alone.
    @cached_property
    def _made(self):
        torch.manual_seed(zlib.crc32(self.name.encode()))
        module, alone = reference(self.type, self.attributes)
        return randomised(module), alone, [self._input(*described) for described in zip(self.input_shapes, self.integers)]

    def _input(self, shape, integers):
        if integers is not None:
            return torch.tensor(integers).view(shape)
        if self.between:
            low, high = self.between
            return torch.rand(shape) * (high - low) + low
        return torch.randint(self.ids_below, shape) if self.ids_below else torch.randn(shape)

    module = property(lambda self: self._made[0])
    alone = property(lambda self: self._made[1])  # PyTorch says it by one module or function
    exact = property(lambda self: self.alone or not is_inexact(self.type, self.attributes))  # LibTorch gives its very bits
    inputs = property(lambda self: self._made[2])

    @cached_property
    def expected(self):
        """The outputs, however deep PyTorch nests them."""
        with torch.no_grad():
            return [output.numpy() for output in flattened(self.module(*self.inputs))]

    def state(self):
        return self.module.state_dict()

    def write(self, folder):
        (folder / "m.json").write_text(json.dumps(self.architecture))
        torch.save(self.state(), folder / "m.pth")

    def convert(self, folder, *options):
        """Keras's model of it."""
        self.write(folder)
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5", *options)
        return keras.models.load_model(folder / "m.h5", compile=False)

    def keras_inputs(self, model):
        """The inputs as `model` wants them: images may have been moved to channels last."""
        return [as_keras_has_it(x.numpy(), wanted.shape) for x, wanted in zip(self.inputs, model.inputs)]

    def keras_expected(self, model):
        moved = any(x.shape[1:] != tuple(wanted.shape[1:]) for x, wanted in zip(self.inputs, model.inputs))
        return [as_keras_has_it(y, made.shape, moved) for y, made in zip(self.expected, model.outputs)]


def flattened(outputs):
    return [outputs] if isinstance(outputs, torch.Tensor) else [y for output in outputs for y in flattened(output)]


def _samples():
    described = layer_samples()
    for i, sample in enumerate(described):
        yield Sample(sample | {"first": i == 0 or described[i - 1]["type"] != sample["type"]})


ALL_SAMPLES = list(_samples())
ALL_WITH_KERAS = [sample for sample in ALL_SAMPLES if sample.in_keras]
SAMPLES = in_turn(ALL_SAMPLES)
WITH_KERAS = [sample for sample in SAMPLES if sample.in_keras]

# Keras's torch backend repeats the border where `same` is uneven; JAX, like TensorFlow, leaves what is added out of the mean. It has
# no Lanczos filter, and a bicubic of its own.
JAX_ONLY = {"AvgPool2d: same", "AvgPool3d: same"} | {
    sample.name for sample in ALL_WITH_KERAS if sample.attributes.get("interpolation", "").startswith(("lanczos", "bicubic"))
}
