"""PyTorch networks whose sizes stay open, as people write them: real Keras gives at every size what PyTorch does, LibTorch gives
PyTorch's very bits, and every tensor comes home."""

import functools
import json

import numpy as np
import pytest
import torch

from keras_helpers import as_keras_has_it, assert_close, jax_outputs, keras, predict, run_jax
from open_size_networks import CODE
from program import h5bridge, needs_libtorch, needs_program
from sampled import networks_in_turn
from torch_helpers import assert_asked_nothing, assert_same_state, export_architecture

pytestmark = needs_program
TOLERANCE = 1e-5


class Converted:
    def __init__(self, code, folder):
        self.folder = folder
        self.module = code.module()
        torch.save(self.module.state_dict(), folder / "m.pth")
        export_architecture(self.module, code.inputs(code.shape), folder / "m.json")
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
        self.keras = keras.models.load_model(folder / "m.h5", compile=False)

    def expected(self, inputs):
        with torch.no_grad():
            return self.module(*inputs).numpy()

    def as_keras_takes(self, inputs):
        return [as_keras_has_it(x.numpy(), wanted.shape) for x, wanted in zip(inputs, self.keras.inputs)]

    def assert_gives(self, found, inputs):
        moved = any(x.shape != given.shape for x, given in zip(inputs, self.as_keras_takes(inputs)))
        assert_close(found, as_keras_has_it(self.expected(inputs), found.shape, moved), TOLERANCE, str(inputs[0].shape))


@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    """Converts a network when it is first asked for."""
    return functools.cache(lambda code: Converted(code, tmp_path_factory.mktemp(code.name)))


TESTED = networks_in_turn(CODE, of=2)
each = pytest.mark.parametrize("code", TESTED, ids=lambda code: code.name)


@each
def test_keras_predicts_what_pytorch_does_at_every_size(code, conversions):
    converted = conversions(code)
    assert converted.keras.inputs[0].shape.count(None) > 1
    for shape in [code.shape, *code.more_shapes]:
        inputs = code.inputs(shape)
        (found,) = predict(converted.keras, converted.as_keras_takes(inputs)).values()
        converted.assert_gives(found, inputs)


@each
def test_it_asks_nothing_that_is_to_be_told(code, conversions):
    assert_asked_nothing(conversions(code).folder / "m.json")


@each
def test_every_tensor_comes_home(code, conversions):
    folder = conversions(code).folder
    h5bridge("convert", folder / "m.h5", "-o", folder / "back.pth", "-o", folder / "back.json")
    assert_same_state(torch.load(folder / "back.pth"), torch.load(folder / "m.pth"))
    back, own = (json.loads((folder / name).read_text()) for name in ("back.json", "m.json"))
    assert [(layer["name"], layer.get("type"), layer.get("call")) for layer in back["layers"]] == [(layer["name"], layer.get("type"), layer.get("call")) for layer in own["layers"]]


@needs_libtorch
@each
def test_libtorch_gives_pytorchs_bits_from_h5(code, conversions):
    converted = conversions(code)
    inputs = code.inputs(code.more_shapes[0])
    np.save(converted.folder / "x.npy", inputs[0].numpy())
    h5bridge("run", converted.folder / "m.h5", "--input", converted.folder / "x.npy", "--input-layout", "torch", "-o", converted.folder / "y.npy")
    assert np.load(converted.folder / "y.npy").tobytes() == np.ascontiguousarray(converted.expected(inputs)).tobytes()


@pytest.fixture(scope="module")
def jax_predictions(conversions):
    """Predictions of Keras on JAX, in a process of its own, at other sizes than the model was exported with."""
    for code in TESTED:
        converted = conversions(code)
        inputs = converted.as_keras_takes(code.inputs(code.more_shapes[0]))
        np.savez(converted.folder / "keras_inputs.npz", **{str(i): x for i, x in enumerate(inputs)})
    run_jax([conversions(code).folder for code in TESTED])
    return lambda code: jax_outputs(conversions(code).folder)


@each
def test_keras_on_jax_predicts_it_too(code, conversions, jax_predictions):
    (found,) = jax_predictions(code).values()
    conversions(code).assert_gives(found, code.inputs(code.more_shapes[0]))
