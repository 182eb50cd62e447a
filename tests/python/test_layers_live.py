"""Every layer type of the registry, each with all of its samples: real Keras gives what PyTorch does, depends on every weight,
and gives every bit back; LibTorch gives PyTorch's very bits. A new layer is tested by being in the registry."""

import functools
import json
import re

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, h5py, jax_outputs, predict, run_jax
from layer_samples import JAX_ONLY, SAMPLES, WITH_KERAS
from program import h5bridge, needs_libtorch, needs_program
from registry_samples import each, needs_registry
from run_together import result_of, run_together
from torch_helpers import assert_same_state

pytestmark = [needs_program, needs_registry]
TOLERANCE = 1e-5
CONSTANT = {"zeros", "ones", "full"}  # what they and their _like give has no spread

ON_JAX = [sample for sample in WITH_KERAS if sample.first or sample.name in JAX_ONLY]  # the first of each type


class Conversion:
    """A sample's file for Keras, and the model that Keras makes of it."""

    def __init__(self, sample, folder):
        self.folder = folder
        self.model = sample.convert(folder)


@pytest.fixture(scope="module")
def conversions(tmp_path_factory):
    """Converts a sample when it is first asked for."""
    return functools.cache(lambda sample: Conversion(sample, tmp_path_factory.mktemp("sample")))


@each(SAMPLES)
def test_the_registry_knows_the_tensors_that_pytorch_has(sample):
    declared = [(f"layer.{t['name']}".rstrip("."), tuple(t["shape"]), t["dtype"]) for t in sample.tensors]
    assert declared == [(name, tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in sample.state().items()]


@each([sample for sample in WITH_KERAS if sample.name not in JAX_ONLY])
def test_keras_predicts_what_pytorch_does(sample, conversions):
    model = conversions(sample).model
    assert_all_close(sample, predict(model, sample.keras_inputs(model)).values(), sample.keras_expected(model), TOLERANCE)


def tensor_types(described):
    """The element types that a configuration states of Keras's tensors, by what makes them."""
    if isinstance(described, dict) and described.get("class_name") == "__keras_tensor__":
        return {tuple(described["config"]["keras_history"]): described["config"]["dtype"]}
    members = described.values() if isinstance(described, dict) else described if isinstance(described, (list, tuple)) else ()
    return {tensor: dtype for member in members for tensor, dtype in tensor_types(member).items()}


def of_any_width(types):
    """Keras infers int32 of two int64, and its torch backend gives int64."""
    return {tensor: dtype.replace("int64", "int32") for tensor, dtype in types.items()}


@each([sample for sample in WITH_KERAS if sample.name not in JAX_ONLY])
def test_the_file_states_the_types_that_keras_infers(sample, conversions):
    conversion = conversions(sample)
    with h5py.File(conversion.folder / "m.h5") as file:
        stated = tensor_types(json.loads(file.attrs["model_config"]))
    assert of_any_width(stated) == of_any_width(tensor_types(conversion.model.get_config()))


@each([sample for sample in WITH_KERAS if sample.first and len(sample.input_shapes[0]) > 2])
def test_keras_predicts_it_with_channels_first(sample, tmp_path):
    model = sample.convert(tmp_path, "--data-format", "channels_first")
    assert_all_close(sample, predict(model, [x.numpy() for x in sample.inputs]).values(), sample.expected, TOLERANCE)


@each([sample for sample in WITH_KERAS if sample.tensors])
def test_keras_depends_on_every_weight(sample, conversions):
    """Otherwise the comparison above would not notice a wrong one."""
    model = conversions(sample).model
    inputs, expected = sample.keras_inputs(model), sample.keras_expected(model)
    for variable in model.weights:
        if not variable.dtype.startswith("float"):  # a count
            continue
        if sample.type.endswith("Cell") and len(inputs) == 1 and variable.path.endswith("recurrent_kernel"):
            continue  # its state is zeros
        if sample.type == "MultiheadAttention" and variable.path.endswith("key/bias"):
            continue  # it adds one number to all scores of a query
        kept = variable.numpy().copy()
        variable.assign(kept * 1.5 + 0.25)
        outputs = list(zip(predict(model, inputs).values(), expected))
        variable.assign(kept)
        assert any(np.abs(found - y).max() > 1e-3 * np.abs(y).max() for found, y in outputs), variable.path


@each(WITH_KERAS)
def test_every_tensor_comes_home_bit_for_bit(sample, conversions):
    folder = conversions(sample).folder
    h5bridge("convert", folder / "m.h5", "-o", folder / "back.pth")
    assert_same_state(torch.load(folder / "back.pth"), sample.state())


def adds_biases(sample, name):
    """Whether the layer, or the cell of it that has this tensor, but adds its two biases up."""
    cell = re.match(r"layer\.cells\.(\d+)\.", name)
    kind = sample.attributes["cells"][int(cell[1])]["type"] if cell else sample.type
    return kind.removesuffix("Cell") in ("LSTM", "RNN")


@each([sample for sample in WITH_KERAS if sample.tensors])
def test_a_file_that_keras_saved_again_comes_home(sample, conversions):
    """Keras drops everything of ours; with the architecture beside it, layer names tell."""
    folder = conversions(sample).folder
    conversions(sample).model.save(folder / "again.h5")
    h5bridge("convert", folder / "m.json", folder / "again.h5", "-o", folder / "home.pth")
    home = torch.load(folder / "home.pth")
    expected = sample.state()
    assert list(home) == list(expected)
    for name in [name for name in expected if "bias_ih" in name and adds_biases(sample, name)]:  # Keras has one bias, the sum
        other = name.replace("bias_ih", "bias_hh")
        expected |= {name: expected[name] + expected[other], other: torch.zeros_like(expected[other])}
    for name, tensor in expected.items():
        if sample.attributes.get("proj_size") and "weight_hh" in name:  # Keras has its product with the projection
            projection = expected[name.replace("weight_hh", "weight_hr")].double()
            assert_close((home[name].double() @ projection).numpy(), (tensor.double() @ projection).numpy(), 1e-6)
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(home[name], tensor), name


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
            own = json.loads(re.sub(r"\bbatch\b", f"batch{i}", json.dumps(sample.architecture)))
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
    def run(samples):
        everything = AllAtOnce(samples, tmp_path_factory.mktemp("torch"))
        return everything.run(everything.folder / "all.json", everything.folder / "all.pth")

    return run_together(SAMPLES, run)


@pytest.fixture(scope="module")
def outputs_from_h5(tmp_path_factory):
    def run(samples):
        everything = AllAtOnce(samples, tmp_path_factory.mktemp("h5"))
        folder = everything.folder
        h5bridge("convert", folder / "all.json", folder / "all.pth", "-o", folder / "all.h5")
        return everything.run(folder / "all.h5", options=("--input-layout", "torch"))

    return run_together(WITH_KERAS, run)


def assert_all_close(sample, found, expected, tolerance):
    found = list(found)
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected):
        assert_close(one, wanted, tolerance, constant=sample.type.removesuffix("_like") in CONSTANT)


def assert_same_output(sample, found):
    assert len(found) == len(sample.expected)
    for one, expected in zip(found, sample.expected):
        if sample.exact:
            assert one.dtype == expected.dtype and one.shape == expected.shape
            assert one.tobytes() == np.ascontiguousarray(expected).tobytes()
        else:
            assert_close(one, expected, 1e-6, constant=sample.type.removesuffix("_like") in CONSTANT)


@needs_libtorch
@each(SAMPLES)
def test_libtorch_gives_the_bits_of_pytorch(sample, outputs_from_torch):
    assert_same_output(sample, result_of(outputs_from_torch, sample))


@needs_libtorch
@each(WITH_KERAS)
def test_libtorch_gives_the_bits_of_pytorch_from_h5(sample, outputs_from_h5):
    assert_same_output(sample, result_of(outputs_from_h5, sample))


@pytest.fixture(scope="module")
def jax_predictions(conversions):
    """The folders with predictions of Keras on JAX, made in a process of its own."""

    def run(samples):
        folders = {}
        for sample in samples:
            folders[sample.name] = folder = conversions(sample).folder
            model = conversions(sample).model
            np.savez(folder / "keras_inputs.npz", **{str(k): x for k, x in enumerate(sample.keras_inputs(model))})
            np.savez(folder / "expected.npz", *sample.keras_expected(model))
        run_jax(folders.values())
        return folders

    return run_together(ON_JAX, run)


@each(ON_JAX)
def test_keras_on_jax_predicts_what_pytorch_does(sample, jax_predictions):
    folder = result_of(jax_predictions, sample)
    assert_all_close(sample, jax_outputs(folder).values(), list(np.load(folder / "expected.npz").values()), TOLERANCE)
