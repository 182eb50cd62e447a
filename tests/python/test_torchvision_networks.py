"""Networks of full size through the program: Keras predicts in its own layout what PyTorch does, LibTorch gives PyTorch's
very bits, and every tensor comes home bit for bit."""

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from converted import Converted, assert_same_h5
from keras_helpers import keras_layout, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state
from torch_networks import inputs_of
from torchvision_networks import TORCHVISION_NETWORKS

pytestmark = needs_program


@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    """Converts a network when it is first asked for."""
    return functools.cache(lambda network: Converted(network, tmp_path_factory.mktemp(network.name)))


@pytest.fixture(scope="module", params=TORCHVISION_NETWORKS, ids=lambda network: network.name)
def converted(request, conversions):
    return conversions(request.param)


def test_keras_predicts_what_pytorch_does(converted):
    converted.assert_keras_agrees(predict(converted.keras, converted.keras_inputs()), converted.expected)
    converted.assert_no_permutes()


def test_open_sizes_stay_open(converted):
    for shapes in converted.network.more_shapes:
        inputs = inputs_of(shapes)
        found = predict(converted.keras, [keras_layout(x.numpy()) for x in inputs])
        converted.assert_keras_agrees(found, converted.run(inputs))


def test_every_tensor_comes_home(converted):
    folder = converted.folder
    h5bridge("convert", folder / "m.h5", "-o", folder / "back.pth", "-o", folder / "back.json")
    assert_same_state(torch.load(folder / "back.pth"), torch.load(folder / "m.pth"))
    h5bridge("convert", folder / "back.json", folder / "back.pth", "-o", folder / "again.h5")
    assert_same_h5(folder / "again.h5", folder / "m.h5")


@needs_libtorch
@pytest.mark.parametrize("sources, inputs", [(["m.h5"], "keras_inputs.npz"), (["m.json", "m.pth"], "torch_inputs.npz")], ids=["h5", "pth"])
def test_libtorch_gives_pytorchs_bits(converted, sources, inputs):
    converted.assert_libtorch_gives_pytorchs_bits(sources, inputs)


def test_jax_predicts_what_pytorch_does(conversions):
    networks = [conversions(network) for network in TORCHVISION_NETWORKS if network.name in ("mobilenet_v2", "unet")]
    script = Path(__file__).with_name("jax_predictions.py")
    subprocess.run([sys.executable, script, *[network.folder for network in networks]], check=True)
    for network in networks:
        network.assert_keras_agrees(dict(np.load(network.folder / "jax.npz")), network.expected)
