"""Whole PyTorch networks through the program: real Keras predicts what PyTorch does, LibTorch gives PyTorch's very bits,
and every tensor comes home bit for bit, also from a file that Keras trained further."""

import functools

import numpy as np
import pytest
import torch

from converted import Converted, assert_same_h5
from keras_helpers import jax_outputs, keras, keras_layout, predict, run_jax
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_asked_nothing, assert_same_state
from torch_networks import NETWORKS, inputs_of, outputs_by_name
from torchvision_networks import TORCHVISION_NETWORKS

pytestmark = needs_program

ON_JAX = ("pnet", "two_in_two_out", "mobile", "mobilenet_v2", "unet")
# What runs a network many times is for the small ones.
small_networks = pytest.mark.parametrize("converted", NETWORKS, ids=lambda network: network.name, indirect=True)


@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    """Converts a network when it is first asked for."""
    return functools.cache(lambda network: Converted(network, tmp_path_factory.mktemp(network.name)))


@pytest.fixture(scope="module", params=NETWORKS + TORCHVISION_NETWORKS, ids=lambda network: network.name)
def converted(request, conversions):
    return conversions(request.param)


def test_keras_predicts_what_pytorch_does(converted):
    converted.assert_keras_agrees(predict(converted.keras, converted.keras_inputs()), converted.expected)


def test_it_asks_nothing_that_is_to_be_told(converted):
    assert_asked_nothing(converted.folder / "m.json")


def test_open_sizes_stay_open(converted):
    for shapes in converted.network.more_shapes:
        inputs = inputs_of(shapes)
        found = predict(converted.keras, [keras_layout(x.numpy()) for x in inputs])
        converted.assert_keras_agrees(found, converted.run(inputs))


@small_networks
def test_the_outputs_depend_on_every_weight(converted):
    """Otherwise the comparisons above would not notice a wrong one."""
    one = [x[:1] for x in converted.inputs]
    expected = converted.run(one)
    for name, tensor in converted.module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        kept = tensor.clone()
        with torch.no_grad():
            tensor.mul_(1.1).add_(0.05)
        changed = converted.run(one)
        tensor.copy_(kept)
        assert any(not np.allclose(changed[key], y, rtol=1e-4, atol=0) for key, y in expected.items()), name


def test_no_permutes_in_keras(converted):
    converted.assert_no_permutes()


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


def train_a_little(model, inputs):
    targets = [y + 0.5 for y in predict(model, inputs).values()]
    if isinstance(model.output, dict):
        targets = dict(zip(predict(model, inputs), targets))
    model.compile(keras.optimizers.SGD(0.01), loss=keras.tree.map_structure(lambda _: "mse", targets), run_eagerly=True)
    for _ in range(2):
        model.train_on_batch(inputs, targets)


@small_networks
def test_what_keras_trained_goes_home(converted):
    """Keras drops all groups of ours when it saves. The architecture JSON beside the file brings it home."""
    folder = converted.folder
    model = keras.models.load_model(folder / "m.h5", compile=False)
    before = model.get_weights()
    inputs = converted.keras_inputs()
    train_a_little(model, inputs)
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    model.save(folder / "finetuned.h5")
    h5bridge("convert", folder / "m.json", folder / "finetuned.h5", "-o", folder / "home.pth")

    home = torch.load(folder / "home.pth")
    assert set(home) == set(converted.module.state_dict())
    module = converted.network.module()
    module.load_state_dict(home, strict=True)
    with torch.no_grad():
        expected = {name: y.numpy() for name, y in outputs_by_name(module.eval()(*converted.inputs)).items()}
    converted.assert_keras_agrees(predict(model, inputs), expected)


def test_jax_predicts_what_pytorch_does(conversions):
    networks = [conversions(network) for network in NETWORKS + TORCHVISION_NETWORKS if network.name in ON_JAX]
    run_jax([network.folder for network in networks])
    for network in networks:
        network.assert_keras_agrees(jax_outputs(network.folder), network.expected)


@needs_libtorch
def test_the_plan_computes_the_same(converted):
    """From the second row on, which is the second part of the batch."""
    files = ["m.json", "m.pth"] if converted.network in TORCHVISION_NETWORKS else ["m.h5"]
    inputs, rows = converted.folder / ("torch_inputs.npz" if len(files) == 2 else "keras_inputs.npz"), len(converted.inputs[0])
    if rows == 1 or any(len(each) != rows for each in [*converted.inputs, *converted.expected.values()]):
        pytest.skip("it has no batch that can be split")
    h5bridge("run", *[converted.folder / file for file in files], "--input", inputs, "--batch-size", 1, "-o", converted.folder / "plan.npz")
    for found, y in zip(np.load(converted.folder / "plan.npz").values(), converted.expected.values(), strict=True):
        y = y if len(files) == 2 else keras_layout(y)
        assert found.shape == y.shape and np.abs(found - y).max() <= 1e-5 * np.abs(y).max()
