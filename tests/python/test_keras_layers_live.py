"""Every Keras layer and operation that the registry reads, each with all of its samples: real Keras builds it, LibTorch gives
what Keras predicts, also from the files for PyTorch, and the way back returns the configuration and every bit of the weights."""

import collections
import copy
import functools
import importlib
import inspect
import itertools
import json
import tempfile
import zlib
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

from keras_helpers import as_keras_has_it, assert_close, assert_same_weights, differences, jax_outputs, keras, predict, run_jax, weights_of
from program import h5bridge, needs_libtorch, needs_program
from registry_samples import each, keras_samples, needs_registry
from run_together import result_of, run_together
from sampled import in_turn

pytestmark = [needs_program, needs_registry]
TOLERANCE = 1e-5
TRAINING_ALONE = ("moving_stddev", "renorm_mean", "renorm_stddev")


def constant_of(value):
    """A constant among a call's arguments: a number or a text, a list of them, an array, a slice, or a tuple of slices."""
    if isinstance(value, list) and any(isinstance(item, (dict, type(None))) for item in value):
        return tuple(keras.saving.deserialize_keras_object(value))
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) else value


class KerasSample:
    def __init__(self, described, nth, first):
        self.class_name = described["class_name"]
        self.first = first  # of its class
        self.name = f"{self.class_name}: {described['sample']}" + (f", {nth}" if nth > 1 else "")
        self.module = described["module"]
        self.config = described["config"]
        self.call = {name: constant_of(value) for name, value in described["call"].items()}
        self.inputs_as_list = described["inputs_as_list"]
        self.input_shapes = described["input_shapes"]
        self.ids_below = described["ids_below"]
        self.between = described["between"]
        self.integers_not_known = described["integers_not_known"]

    is_operation = property(lambda self: self.module != "keras.layers")
    # Keras 3.15 cannot save a layer that has a range of values as .h5 ("cannot pickle 'module' object").
    suffix = property(lambda self: ".keras" if "value_range" in self.config else ".h5")
    # Keras's torch backend has no Lanczos filter, and a bicubic of its own; JAX's is TensorFlow's.
    on_jax = property(lambda self: str(self.config.get("interpolation")).startswith(("lanczos", "bicubic")))

    def operation(self, name):
        """The layer by its constructor; an operation takes no name everywhere."""
        kind = getattr(keras.layers if not self.is_operation else importlib.import_module(self.module), self.class_name)
        if self.is_operation:
            return kind(**self.config)
        return kind.from_config(copy.deepcopy(self.config) | {"name": name})  # Keras takes it apart

    def outputs(self, operation, inputs):
        if self.class_name == "GetItem":
            return operation(*inputs, self.call["key"])
        if self.inputs_as_list:
            return operation(inputs, **self.call)
        if self.is_operation:  # constants by their names, tensors in between
            signature = inspect.signature(operation.call)
            if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values()):
                return operation(*inputs, **self.call)
            tensors = (name for name in signature.parameters if name not in self.call)
            bound = signature.bind(**self.call, **dict(zip(tensors, inputs)))
            return operation(*bound.args, **bound.kwargs)
        if len(inputs) > 1 and "initial_state" in inspect.signature(operation.call).parameters:
            return operation(inputs[0], initial_state=inputs[1:], **self.call)
        return operation(*inputs, **self.call)

    def keras_inputs(self, prefix="x", fixed=False):
        dtype = "int64" if self.ids_below else "float32"
        # Inputs whose sizes are open share their batch.
        fixed = fixed or '"stateful": true' in json.dumps(self.config) or len({shape[0] for shape in self.input_shapes if shape}) > 1
        return [
            keras.Input(batch_shape=tuple(shape) if fixed else (None, *shape[1:]), dtype=dtype, name=f"{prefix}{i}")
            for i, shape in enumerate(self.input_shapes)
        ]

    @cached_property
    def inputs(self):
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        if self.ids_below:
            return [rng.integers(self.ids_below, size=shape) for shape in self.input_shapes]
        if self.between:
            return [rng.uniform(*self.between, size=shape).astype("float32") for shape in self.input_shapes]
        return [rng.normal(size=shape).astype("float32") for shape in self.input_shapes]

    @cached_property
    def functional(self):
        inputs = self.keras_inputs()
        outputs = self.outputs(self.operation("layer"), inputs)
        return randomised(keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name="functional"), self.name)

    @cached_property
    def sequential(self):
        return randomised(keras.Sequential([*self.keras_inputs(), self.operation("layer")], name="sequential"), self.name)

    @cached_property
    def expected(self):
        if self.on_jax:
            return result_of(expected_on_jax(), self)
        return list(predict(self.functional, self.inputs).values())


def samples():
    """All samples, under names of their own: what runs them together tells them apart by these."""
    seen = collections.Counter()
    for described in keras_samples():
        what = (described["class_name"], described["sample"])
        of_class = (described["module"], described["class_name"])
        seen.update([what, of_class])
        yield KerasSample(described, seen[what], seen[of_class] == 1)


def predict_on_jax(models):
    """What Keras on JAX predicts of models, in one process: {sample.name: outputs} for (sample, model)s."""
    with tempfile.TemporaryDirectory() as name:
        folders = {sample.name: Path(name) / str(i) for i, (sample, _) in enumerate(models)}
        for sample, model in models:
            folder = folders[sample.name]
            folder.mkdir()
            model.save(folder / "m.h5")
            np.savez(folder / "keras_inputs.npz", **{str(k): x for k, x in enumerate(sample.inputs)})
        run_jax(folders.values())
        return {name: list(jax_outputs(folder).values()) for name, folder in folders.items()}


@functools.cache
def expected_on_jax():
    """What JAX makes of each sample that is for it."""
    return run_together(ON_JAX, lambda samples: predict_on_jax([(sample, sample.functional) for sample in samples]))


def randomised(model, seed):
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    for variable in model.weights:
        values = 0.5 * rng.normal(size=variable.shape) + 0.1
        if variable.path.endswith("variance"):
            values = 0.5 + np.abs(values)
        elif not variable.dtype.startswith("float"):
            values = np.full(variable.shape, 1234)
        variable.assign(values)
    return model


# Comes back otherwise than it was written, and does the same. Keras's .h5 does not say whether a ReLU or a Softmax is an operation.
OTHERWISE = {f"{name}, {what}": "as a layer" for name in ("ReLU: operation, ReLU", "Softmax: operation, Softmax")
             for what in ("plain", "other settings", "last axis", "channels")}  # fmt: skip
# Keras does not save the dtype that it was told.
OTHERWISE |= {f"OneHot: operation, one_hot, {what}": "as floats" for what in ("labels", "sequences", "as floats")}
# Split does what ArraySplit does.
OTHERWISE |= {f"ArraySplit: {what}": "as Split" for what in ("uneven parts", "last axis")}
# Of these operations a number on the left comes back on the right.
COMMUTATIVE = {"Add", "Multiply", "Equal", "NotEqual"}
# Give the same elements whatever the input.
CONSTANT = {"ZerosLike", "OnesLike", "FullLike"}
SAMPLES = in_turn(samples())
LAYERS = [sample for sample in SAMPLES if not sample.is_operation]
ON_JAX = [sample for sample in SAMPLES if sample.on_jax]
IN_SEQUENCE = [sample for sample in LAYERS if len(sample.input_shapes) == 1 and not sample.config.get("return_state")]


def assert_comes_back(model, folder, otherwise=False, suffix=".h5"):
    """Through the program's file for Keras, and through those for PyTorch; with the same configuration, unless `otherwise`."""
    saved = folder / f"k{suffix}"
    model.save(saved)
    h5bridge("convert", saved, "-o", folder / "k.json", "-o", folder / "k.pth")
    h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "back.h5")
    back = keras.models.load_model(folder / "back.h5", compile=False)
    if not otherwise:
        assert differences(back.get_config(), model.get_config()) == []
    if model.weights:
        assert_same_weights(weights_of(folder / "back.h5"), weights_of(saved))
    return back


def comes_back(sample, folder):
    otherwise = sample.name in OTHERWISE or (sample.class_name in COMMUTATIVE and "x1" in sample.call)
    return assert_comes_back(sample.functional, folder, otherwise, sample.suffix)


@pytest.fixture(scope="module")
def back_on_jax(tmp_path_factory):
    """What JAX makes of each sample that is for it, and came back."""
    return run_together(
        ON_JAX, lambda samples: predict_on_jax([(sample, comes_back(sample, tmp_path_factory.mktemp("back"))) for sample in samples])
    )


@each(SAMPLES)
def test_a_functional_model_comes_back(sample, tmp_path, request):
    if sample.on_jax:
        found = result_of(request.getfixturevalue("back_on_jax"), sample)
    else:
        found = list(predict(comes_back(sample, tmp_path), sample.inputs).values())
    assert len(found) == len(sample.expected)
    for one, expected in zip(found, sample.expected):
        assert np.array_equal(one, expected)


@each(IN_SEQUENCE)
def test_a_sequential_model_comes_back(sample, tmp_path):
    assert_comes_back(sample.sequential, tmp_path, suffix=sample.suffix)


@each(LAYERS)
def test_the_output_depends_on_every_weight(sample):
    """Otherwise the comparisons would not notice a wrong one."""
    for variable in sample.functional.weights:
        adds_to_all_scores = sample.class_name in ("MultiHeadAttention", "GroupQueryAttention") and variable.path.endswith("key/bias")  # of a query
        if not variable.dtype.startswith("float") or variable.path.endswith(TRAINING_ALONE) or adds_to_all_scores:
            continue
        kept = variable.numpy().copy()
        variable.assign(kept * 1.5 + 0.25)
        found = predict(sample.functional, sample.inputs).values()
        variable.assign(kept)
        assert any(np.abs(one - y).max() > 1e-3 * np.abs(y).max() for one, y in zip(found, sample.expected)), variable.path


# --- LibTorch, started once for all samples -----------------------------------------------------------------------------------


def run(folder, sources, inputs):
    np.savez(folder / "inputs.npz", **inputs)
    h5bridge("run", *sources, "--input", folder / "inputs.npz", "-o", folder / "outputs.npz")
    return list(np.load(folder / "outputs.npz").values())


def shared_out(outputs, samples):
    """One list of outputs in the samples' order: each sample's own."""
    outputs = iter(outputs)
    return {sample.name: list(itertools.islice(outputs, len(sample.expected))) for sample in samples}


def run_keras_model(samples, folder):
    """One Keras model of the samples side by side, whose batches differ."""
    inputs, outputs, arrays = [], [], {}
    for i, sample in enumerate(samples):
        own = sample.keras_inputs(f"s{i}x", fixed=True)
        operation = sample.operation(f"s{i}")
        made = sample.outputs(operation, own)
        if not sample.is_operation:
            operation.set_weights(sample.functional.get_layer("layer").get_weights())
        inputs += own
        outputs += keras.tree.flatten(made)
        arrays |= {f"s{i}x{k}": x for k, x in enumerate(sample.inputs)}
    whole = folder / f"all{samples[0].suffix}"
    keras.Model(inputs, outputs).save(whole)
    return shared_out(run(folder, [whole], arrays), samples)


@pytest.fixture(scope="module")
def outputs_from_h5(tmp_path_factory):
    formats = [[sample for sample in SAMPLES if sample.suffix == suffix] for suffix in (".h5", ".keras")]
    results = [run_together(some, lambda samples: run_keras_model(samples, tmp_path_factory.mktemp("h5"))) for some in formats]
    return results[0] | results[1]


def run_torch_model(samples, converted, folder):
    """One PyTorch model of the samples side by side, each as it is converted."""
    everything = {"h5bridge": 1, "name": "Samples", "inputs": [], "layers": [], "outputs": []}
    state, arrays = {}, {}
    for i, sample in enumerate(samples):
        architecture, own_state = converted(sample)
        own = renamed(json.loads(architecture), f"s{i}_")
        for described, x in zip(own["inputs"], sample.inputs):
            arrays[described["name"]] = as_torch_has_it(x, described["shape"])
        for part in ("inputs", "layers", "outputs"):
            everything[part] += own[part]
        state |= {f"s{i}_{name}": tensor for name, tensor in own_state.items()}
    (folder / "all.json").write_text(json.dumps(everything))
    torch.save(state, folder / "all.pth")
    return shared_out(run(folder, [folder / "all.json", folder / "all.pth"], arrays), samples)


@pytest.fixture(scope="module")
def outputs_from_torch(tmp_path_factory):
    @functools.cache
    def converted(sample):
        folder = tmp_path_factory.mktemp("sample")
        saved = folder / f"k{sample.suffix}"
        sample.functional.save(saved)
        h5bridge("convert", saved, "-o", folder / "k.json", "-o", folder / "k.pth")
        return (folder / "k.json").read_text(), torch.load(folder / "k.pth")

    return run_together(SAMPLES, lambda samples: run_torch_model(samples, converted, tmp_path_factory.mktemp("torch")))


def renamed(architecture, prefix):
    """An architecture JSON whose values and symbols have names of their own, and whose entries say their inputs."""
    previous = architecture["inputs"][0]["name"]
    for entry in architecture["inputs"]:
        entry["name"] = prefix + entry["name"]
        entry["shape"] = [f"{prefix}{size}" if isinstance(size, str) else size for size in entry["shape"]]
        assert all(isinstance(size, int) or size.isidentifier() for size in entry["shape"])
    for entry in architecture["layers"]:
        entry["inputs"] = [prefix + name for name in entry.get("inputs", [previous])]
        if "named_inputs" in entry:
            entry["named_inputs"] = {argument: prefix + name for argument, name in entry["named_inputs"].items()}
        previous = entry["name"]
        entry["name"] = prefix + entry["name"]
        if "call" in entry:
            entry["call"] = prefix + entry["call"]
    outputs = architecture["outputs"]
    architecture["outputs"] = [prefix + name for name in (outputs.values() if isinstance(outputs, dict) else outputs)]
    return architecture


def as_torch_has_it(x, shape):
    """`x`, or with its channels first: what fits."""
    sizes = [None if isinstance(size, str) else size for size in shape]
    candidates = (x, np.moveaxis(x, -1, 1)) if x.ndim > 2 else (x,)
    return next(np.ascontiguousarray(y) for y in candidates if all(size in (None, own) for size, own in zip(sizes, y.shape)))


@needs_libtorch
@each(SAMPLES)
def test_libtorch_predicts_what_keras_does(sample, outputs_from_h5):
    for found, expected in zip(result_of(outputs_from_h5, sample), sample.expected):
        assert_close(found, expected, TOLERANCE, constant=sample.class_name in CONSTANT)


# Beside layers that have images, axes of equal extents that a model permutes cannot be told from channels that are moved.
@needs_libtorch
@each([sample for sample in SAMPLES if "permute, equal extents" not in sample.name])
def test_libtorch_predicts_it_from_the_files_for_pytorch(sample, outputs_from_torch):
    for found, expected in zip(result_of(outputs_from_torch, sample), sample.expected):
        assert_close(as_keras_has_it(found, expected.shape, moved=found.shape != expected.shape), expected, TOLERANCE, constant=sample.class_name in CONSTANT)
