"""Every layer type of the registry, each with all of its samples: real Keras gives what PyTorch does, depends on every weight,
and gives every bit back; LibTorch gives PyTorch's very bits. A new layer is tested by being in the registry."""

import json
import subprocess
import sys
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, keras, keras_layout, predict
from program import PROGRAM, h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state
from torch_layers import randomised, reference

GENERATE = PROGRAM.parent / "h5bridge_generate"
pytestmark = [needs_program, pytest.mark.skipif(not GENERATE.exists(), reason="h5bridge_generate is not built")]
TOLERANCE = 1e-5

# Keras's torch backend repeats the border where `same` is uneven; JAX, like TensorFlow, leaves what is added out of the mean.
JAX_ONLY = {"AvgPool2d: same", "AvgPool3d: same"}


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

    # Made when a test asks, so that a type that fails to be made fails its own tests alone.
    @cached_property
    def _made(self):
        torch.manual_seed(zlib.crc32(self.name.encode()))
        module, exact = reference(self.type, self.attributes)
        return randomised(module), exact, [self._random(shape) for shape in self.input_shapes]

    def _random(self, shape):
        return torch.randint(self.ids_below, shape) if self.ids_below else torch.randn(shape)

    module = property(lambda self: self._made[0])
    exact = property(lambda self: self._made[1])  # PyTorch says it by one module or function
    inputs = property(lambda self: self._made[2])

    @cached_property
    def expected(self):
        """The outputs, however deep PyTorch nests them."""
        with torch.no_grad():
            return [output.numpy() for output in flattened(self.module(*self.inputs))]

    def state(self):
        return self.module.state_dict()

    def write(self, folder, state=None):
        (folder / "m.json").write_text(json.dumps(self.architecture))
        torch.save(state or self.state(), folder / "m.pth")

    def convert(self, folder, *options, state=None):
        """Keras's model of it."""
        self.write(folder, state)
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


def as_keras_has_it(array, shape, moved=False):
    """`array`, or with its channels last: what fits, and where both do, the latter if `moved`. Open sizes fit all."""

    def fits(candidate):
        return candidate.ndim == len(shape) and all(size in (None, own) for size, own in zip(shape, candidate.shape))

    candidates = [candidate for candidate in (array, keras_layout(array)) if fits(candidate)]
    return candidates[-1 if moved else 0]


def load_samples():
    if not GENERATE.exists():
        return []
    described = json.loads(subprocess.run([GENERATE, "--samples"], check=True, capture_output=True).stdout)
    for i, sample in enumerate(described):
        sample["first"] = i == 0 or described[i - 1]["type"] != sample["type"]
    return [Sample(sample) for sample in described]


SAMPLES = load_samples()
WITH_KERAS = [sample for sample in SAMPLES if sample.in_keras]
ON_JAX = [sample for sample in WITH_KERAS if sample.first or sample.name in JAX_ONLY]  # the first of each type


def each(samples):
    return pytest.mark.parametrize("sample", samples, ids=lambda sample: sample.name)


@each(SAMPLES)
def test_the_registry_knows_the_tensors_that_pytorch_has(sample):
    declared = [(f"layer.{t['name']}".rstrip("."), tuple(t["shape"]), t["dtype"]) for t in sample.tensors]
    assert declared == [(name, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in sample.state().items()]


@each([sample for sample in WITH_KERAS if sample.name not in JAX_ONLY])
def test_keras_predicts_what_pytorch_does(sample, tmp_path):
    model = sample.convert(tmp_path)
    assert_all_close(predict(model, sample.keras_inputs(model)).values(), sample.keras_expected(model), TOLERANCE)


@each([sample for sample in WITH_KERAS if sample.first and len(sample.input_shapes[0]) > 2])
def test_keras_predicts_it_with_channels_first(sample, tmp_path):
    model = sample.convert(tmp_path, "--data-format", "channels_first")
    assert_all_close(predict(model, [x.numpy() for x in sample.inputs]).values(), sample.expected, TOLERANCE)


@each([sample for sample in WITH_KERAS if sample.tensors])
def test_keras_depends_on_every_weight(sample, tmp_path):
    """Otherwise the comparison above would not notice a wrong one."""
    for name, tensor in sample.state().items():
        if name.endswith("num_batches_tracked"):
            continue
        state = sample.state() | {name: tensor * 1.5 + 0.25}
        model = sample.convert(tmp_path, state=state)
        outputs = zip(predict(model, sample.keras_inputs(model)).values(), sample.keras_expected(model))
        assert any(np.abs(found - expected).max() > 1e-3 * np.abs(expected).max() for found, expected in outputs), name


@each(WITH_KERAS)
def test_every_tensor_comes_home_bit_for_bit(sample, tmp_path):
    sample.write(tmp_path)
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5")
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    assert_same_state(torch.load(tmp_path / "back.pth"), sample.state())


@each([sample for sample in WITH_KERAS if sample.tensors])
def test_a_file_that_keras_saved_again_comes_home(sample, tmp_path):
    """Keras drops everything of ours; with the architecture beside it, layer names tell."""
    model = sample.convert(tmp_path)
    model.save(tmp_path / "again.h5")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "again.h5", "-o", tmp_path / "back.pth")
    back = torch.load(tmp_path / "back.pth")
    assert list(back) == list(sample.state())
    for name, tensor in sample.state().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(back[name], tensor), name


@each([sample for sample in SAMPLES if not sample.in_keras])
def test_what_keras_cannot_say_is_an_error_that_names_the_layer(sample, tmp_path):
    sample.write(tmp_path)
    message = h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", status=4)
    assert f'layer "layer" ({sample.type})' in message
    assert not (tmp_path / "m.h5").exists()


class AllAtOnce:
    """One model of all samples side by side, so that LibTorch is started once."""

    def __init__(self, samples, folder):
        self.samples = samples
        self.folder = folder
        architecture = {"h5bridge": 1, "name": "Samples", "inputs": [], "layers": [], "outputs": {}}
        state = {}
        inputs = {}
        for i, sample in enumerate(samples):
            own = json.loads(json.dumps(sample.architecture).replace('"batch"', f'"batch{i}"'))
            for described, x in zip(own["inputs"], sample.inputs):
                name = f"s{i}{described['name']}"
                architecture["inputs"].append(described | {"name": name})
                inputs[name] = x.numpy()
            (layer,) = own["layers"]
            architecture["layers"].append(layer | {"name": f"s{i}", "inputs": [f"s{i}{name}" for name in layer["inputs"]]})
            for k in range(len(own["outputs"])):
                architecture["outputs"][f"s{i}_{k}"] = f"s{i}:{k}"
            state |= {name.replace("layer", f"s{i}", 1): tensor for name, tensor in sample.state().items()}
        (folder / "all.json").write_text(json.dumps(architecture))
        torch.save(state, folder / "all.pth")
        np.savez(folder / "inputs.npz", **inputs)

    def run(self, *sources, options=()):
        target = self.folder / f"outputs{len(list(self.folder.iterdir()))}.npz"
        h5bridge("run", *sources, "--input", self.folder / "inputs.npz", "-o", target, *options)
        outputs = np.load(target)
        return {
            sample.name: [outputs[f"s{i}_{k}"] for k in range(len(sample.architecture["outputs"]))]
            for i, sample in enumerate(self.samples)
        }


@pytest.fixture(scope="module")
def outputs_from_torch(tmp_path_factory):
    everything = AllAtOnce(SAMPLES, tmp_path_factory.mktemp("torch"))
    return everything.run(everything.folder / "all.json", everything.folder / "all.pth")


@pytest.fixture(scope="module")
def outputs_from_h5(tmp_path_factory):
    everything = AllAtOnce(WITH_KERAS, tmp_path_factory.mktemp("h5"))
    folder = everything.folder
    h5bridge("convert", folder / "all.json", folder / "all.pth", "-o", folder / "all.h5")
    return everything.run(folder / "all.h5", options=("--input-layout", "torch"))


def assert_all_close(found, expected, tolerance):
    found = list(found)
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected):
        assert_close(one, wanted, tolerance)


def assert_same_output(sample, found):
    assert len(found) == len(sample.expected)
    for one, expected in zip(found, sample.expected):
        if sample.exact:
            assert one.dtype == expected.dtype and one.shape == expected.shape
            assert one.tobytes() == np.ascontiguousarray(expected).tobytes()
        else:
            assert_close(one, expected, 1e-6)


@needs_libtorch
@each(SAMPLES)
def test_libtorch_gives_the_bits_of_pytorch(sample, outputs_from_torch):
    assert_same_output(sample, outputs_from_torch[sample.name])


@needs_libtorch
@each(WITH_KERAS)
def test_libtorch_gives_the_bits_of_pytorch_from_h5(sample, outputs_from_h5):
    assert_same_output(sample, outputs_from_h5[sample.name])


@pytest.fixture(scope="module")
def jax_predictions(tmp_path_factory):
    """Predictions of Keras on JAX, in a process of its own."""
    folders = {}
    for i, sample in enumerate(ON_JAX):
        folders[sample.name] = folder = tmp_path_factory.mktemp(f"jax{i}")
        model = sample.convert(folder)
        np.savez(folder / "keras_inputs.npz", **{str(k): x for k, x in enumerate(sample.keras_inputs(model))})
        np.savez(folder / "expected.npz", *sample.keras_expected(model))
    subprocess.run([sys.executable, Path(__file__).with_name("jax_predictions.py"), *folders.values()], check=True)
    return folders


@each(ON_JAX)
def test_keras_on_jax_predicts_what_pytorch_does(sample, jax_predictions):
    folder = jax_predictions[sample.name]
    assert_all_close(np.load(folder / "jax.npz").values(), list(np.load(folder / "expected.npz").values()), TOLERANCE)
