"""Networks of keras.applications through the program: LibTorch predicts what Keras does, the tensors have the names and shapes
that PyTorch's modules want, and every bit comes back to a file that Keras loads."""

import functools
import json
import shutil

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, assert_same_weights, differences, jax_outputs, keras, predict, run_jax, weights_of
from keras_networks import KerasNetwork
from program import h5bridge, needs_libtorch, needs_program
from sampled import one_in_turn
from torch_helpers import assert_same_state

pytestmark = needs_program

TOLERANCE = 1e-5


class Calibrated(KerasNetwork):
    """Random weights, and batch statistics of what they make of random pictures: the signal would else die out. No variance is
    so small that what divides by it tells rounding errors from each other."""

    def model(self):
        model = super().model()
        normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        momenta = [layer.momentum for layer in normalizations]
        for layer in normalizations:
            layer.momentum = 0.0
        (shape,) = self.shapes
        model(self.scale * keras.random.normal((16, *shape[1:]), seed=8), training=True)
        for layer, momentum in zip(normalizations, momenta):
            layer.momentum = momentum
            layer.moving_variance.assign(np.maximum(layer.moving_variance.numpy(), 0.15))
        return model


def application(name, size, kind=KerasNetwork, scale=1.0, **options):
    def build():
        return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10, **options)

    return kind(name, build, ((2, size, size, 3),), scale=scale)


APPLICATIONS = [
    application("ResNet50", 32, classifier_activation=None),
    application("MobileNetV2", 32, classifier_activation=None),
    application("EfficientNetB0", 32, Calibrated, scale=255.0, classifier_activation=None),
    application("DenseNet121", 32, pooling="max"),
]

SMALLEST = APPLICATIONS[1]


class Converted:
    def __init__(self, network, folder):
        self.folder = folder
        self.model = network.model()
        self.model.save(folder / "k.h5")
        (self.x,) = network.inputs()
        (self.expected,) = predict(self.model, [self.x]).values()
        np.save(folder / "x.npy", self.x)
        h5bridge("convert", folder / "k.h5", "-o", folder / "k.pth", "-o", folder / "k.json")
        h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "back.h5")



@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    """Converts a network when it is first asked for."""
    return functools.cache(lambda network: Converted(network, tmp_path_factory.mktemp(network.name)))


@pytest.fixture(scope="module", params=[SMALLEST, *one_in_turn([network for network in APPLICATIONS if network is not SMALLEST])], ids=lambda network: network.name)
def converted(request, conversions):
    return conversions(request.param)


def test_every_bit_comes_back(converted):
    folder = converted.folder
    assert_same_weights(weights_of(folder / "back.h5"), weights_of(folder / "k.h5"))
    back = keras.models.load_model(folder / "back.h5", compile=False)
    assert differences(back.get_config(), converted.model.get_config()) == []
    (found,) = predict(back, [converted.x]).values()
    assert np.array_equal(found, converted.expected)


@needs_libtorch
@pytest.mark.parametrize("sources, layout", [(["k.h5"], []), (["k.json", "k.pth"], ["--input-layout", "keras"])], ids=["h5", "pth"])
def test_libtorch_predicts_what_keras_does(converted, sources, layout):
    folder = converted.folder
    h5bridge("run", *[folder / source for source in sources], *layout, "--input", folder / "x.npy", "-o", folder / "y.npy")
    assert_close(np.load(folder / "y.npy"), converted.expected, TOLERANCE)


def test_keras_on_jax_predicts_it_from_what_came_back(conversions):
    networks = [conversions(SMALLEST)]
    for converted in networks:
        shutil.copy(converted.folder / "back.h5", converted.folder / "m.h5")
        np.savez(converted.folder / "keras_inputs.npz", converted.x)
    run_jax([converted.folder for converted in networks])
    for converted in networks:
        (found,) = jax_outputs(converted.folder).values()
        assert_close(found, converted.expected, TOLERANCE)


def test_the_tensors_are_those_of_pytorch_s_modules(converted):
    """Each layer of the architecture that is a module of torch.nn has its very names, shapes and types."""
    state = torch.load(converted.folder / "k.pth")
    architecture = json.loads((converted.folder / "k.json").read_text())
    with_tensors = {name.rpartition(".")[0] for name in state}
    layers = [layer for layer in architecture["layers"] if layer["name"] in with_tensors and hasattr(torch.nn, layer["type"])]
    wanted = {}
    for layer in layers:
        with torch.device("meta"):
            module = getattr(torch.nn, layer["type"])(**own_arguments(layer))
        wanted |= {f"{layer['name']}.{name}": tensor for name, tensor in module.state_dict().items()}
    modules = {layer["name"] for layer in layers}
    found = {name: tensor for name, tensor in state.items() if name.rpartition(".")[0] in modules}
    assert list(found) == list(wanted) and len(found) > 100
    for name, tensor in wanted.items():
        assert found[name].shape == tensor.shape and found[name].dtype == tensor.dtype, name


# What only Keras has, and `same` with strides: no tensor depends on them.
NOT_OF_PYTORCH = ("activation", "data_format", "keepdims", "padding")


def own_arguments(layer):
    return {name: value for name, value in layer.get("attributes", {}).items() if name not in NOT_OF_PYTORCH}
