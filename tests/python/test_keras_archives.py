"""Keras 3's own formats, .keras and .weights.h5: what real Keras saved in them is what it saved in a .h5 of the same model."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import keras_nested_networks as nested
from keras_helpers import assert_close, by_name, differences, input_names, keras
from keras_networks import KERAS_NETWORKS
from registry_samples import needs_registry
from sampled import has_its_turn, networks_in_turn
from test_keras_layers_live import randomised, samples
from program import ROOT, h5bridge, needs_libtorch, needs_program, package

pytestmark = needs_program
L = keras.layers


def assert_same_tensors(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def state_dict(*sources, folder, name="x"):
    """Of a model in Keras's files, and the architecture that stands beside it."""
    h5bridge("convert", *[folder / source for source in sources], "-o", folder / f"{name}.pth", "-o", folder / f"{name}.json")
    return torch.load(folder / f"{name}.pth", weights_only=True), json.loads((folder / f"{name}.json").read_text())


@pytest.fixture(scope="module", params=networks_in_turn(KERAS_NETWORKS, of=3), ids=lambda network: network.name)
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.name)
    model = request.param.model()
    model.save(folder / "k.keras")
    model.save_weights(folder / "k.weights.h5")
    (folder / "k_config.json").write_text(model.to_json())
    model.save(folder / "k.h5")
    return request.param, model, folder


def without_what_keras_says(layer):
    """Of a layer and of those that it holds."""
    held = {name: [without_what_keras_says(cell) for cell in value] for name, value in layer.get("attributes", {}).items() if name == "cells"}
    return {**layer, "keras": None, **({"attributes": {**layer["attributes"], **held}} if held else {})}


def test_a_keras_archive_holds_what_the_h5_file_holds(saved):
    _, _, folder = saved
    found, architecture = state_dict("k.keras", folder=folder, name="a")
    expected, other = state_dict("k.h5", folder=folder, name="b")
    assert_same_tensors(found, expected)
    layers, others = ([without_what_keras_says(layer) for layer in json["layers"]] for json in (architecture, other))
    assert layers == others


def test_a_file_of_weights_is_read_beside_its_configuration(saved):
    _, _, folder = saved
    expected, _ = state_dict("k.keras", folder=folder, name="b")
    for beside in ("k_config.json", "b.json"):
        found, _ = state_dict("k.weights.h5", beside, folder=folder, name="a")
        assert_same_tensors(found, expected)


@needs_libtorch
def test_a_keras_archive_computes_what_keras_computes(saved):
    network, model, folder = saved
    inputs = dict(zip(input_names(model), network.inputs()))
    expected = by_name(model(inputs if len(inputs) > 1 else next(iter(inputs.values())), training=False))
    np.savez(folder / "inputs.npz", **inputs)
    h5bridge("run", folder / "k.keras", "--input", folder / "inputs.npz", "-o", folder / "y.npz")
    with np.load(folder / "y.npz") as found:
        assert len(found) == len(expected)
        for i, (name, y) in enumerate(expected.items()):
            assert_close(found[name] if name in found else list(found.values())[i], y, 1e-5, name)


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "amsgrad": lambda: keras.optimizers.Adam(1e-2, amsgrad=True),
    "adamw": lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.01),
    "sgd": lambda: keras.optimizers.SGD(1e-2, momentum=0.9),
    "plain sgd": lambda: keras.optimizers.SGD(1e-2),
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-2, momentum=0.5, centered=True),
    "adagrad": lambda: keras.optimizers.Adagrad(1e-2),
    "averages": lambda: keras.optimizers.Adam(1e-2, use_ema=True),
    "accumulation": lambda: keras.optimizers.SGD(1e-2, momentum=0.9, gradient_accumulation_steps=2),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.9)),
}


def recurrent():
    x = keras.Input((5, 4), name="x")
    y = L.Bidirectional(L.LSTM(3, return_sequences=True, name="one"), name="both")(x)
    y = L.BatchNormalization(name="norm")(y)
    y = L.RNN([L.GRUCell(4), L.GRUCell(4)], name="stack", return_sequences=True)(y)
    return keras.Model(x, L.Dense(2, name="head")(L.GRU(3, name="last")(y)), name="m")


def train(model, shapes, steps=3, seed=4):
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=shape).astype("float32") for shape in shapes]
    y = [rng.normal(size=(len(x[0]), *output.shape[1:])).astype("float32") for output in model.outputs]
    for _ in range(steps):
        model.train_on_batch(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])


TRAINED = [(recurrent, [(4, 5, 4)], name) for name in OPTIMIZERS] + [
    (nested.three_deep, [(4, 4)], "adam"),
    (nested.frozen_backbone, [(4, 13, 11, 3)], "adamw"),
    (nested.chain_of_models, [(4, 4)], "sgd"),
]


@pytest.mark.parametrize("build, shapes, optimizer", TRAINED)
def test_the_optimizer_is_that_of_the_h5_file(build, shapes, optimizer, tmp_path):
    keras.utils.set_random_seed(3)
    model = build()
    model.compile(OPTIMIZERS[optimizer](), "mse")
    train(model, shapes)
    model.save(tmp_path / "k.keras")  # before the .h5: after it, Keras would say of each optimizer that it is RMSprop
    model.save(tmp_path / "k.h5")
    checkpoints = []
    for suffix in ("keras", "h5"):
        h5bridge("convert", tmp_path / f"k.{suffix}", "-o", tmp_path / f"{suffix}.pth", "--checkpoint")
        checkpoints.append(torch.load(tmp_path / f"{suffix}.pth", weights_only=True))
    found, expected = checkpoints
    assert_same_tensors(found["model_state_dict"], expected["model_state_dict"])
    found, expected = found["optimizer_state_dict"], expected["optimizer_state_dict"]
    assert found["state"].keys() == expected["state"].keys() and (len(found["state"]) > 0 or optimizer == "plain sgd")
    for parameter, slots in expected["state"].items():
        assert_same_tensors(found["state"][parameter], slots)
    for group, other in zip(found["param_groups"], expected["param_groups"]):
        assert {k: v for k, v in group.items() if k != "keras"} == {k: v for k, v in other.items() if k != "keras"}


RESUME = Path(__file__).with_name("resume_in_keras.py")


def test_training_goes_on_in_keras_as_if_never_interrupted(tmp_path):
    """On JAX, in processes of its own: three steps, by PyTorch's checkpoint or straight to our archive, and five further steps."""
    subprocess.run([sys.executable, RESUME, "begin", tmp_path], check=True)
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(folders) == 5
    for folder in folders:
        h5bridge("convert", folder / "k.keras", "-o", folder / "straight.keras")
        h5bridge("convert", folder / "k.keras", "-o", folder / "k.json", "-o", folder / "k.pth", "--checkpoint")
        h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "home.keras")
    subprocess.run([sys.executable, RESUME, "go on", tmp_path], check=True)
    for folder in folders:
        with np.load(folder / "uninterrupted.npz") as expected:
            for name in ("straight", "home"):
                with np.load(folder / f"{name}.npz") as found:
                    assert sorted(found) == sorted(expected)
                    largest = {variable: np.abs(expected[variable]).max() for variable in expected}
                    if folder.name.endswith("sgd") and name == "home":
                        # PyTorch has momenta in other units, so that each comes home rounded: five steps later that shows in one that
                        # larger ones have cancelled out, by 2e-6 on some processors.
                        momenta = [variable for variable in expected if variable.startswith("o") and expected[variable].ndim]
                        largest |= dict.fromkeys(momenta, max(largest[variable] for variable in momenta))
                    for variable in expected:
                        assert np.abs(found[variable] - expected[variable]).max() <= 1e-6 * largest[variable], (folder.name, name, variable)


def small(folder):
    model = keras.Sequential([keras.Input((3,), name="x"), L.Dense(4, name="a"), L.Dense(2, name="b")], name="small")
    model.save(folder / "k.keras")
    return model


def repacked(folder, change, compression=zipfile.ZIP_STORED):
    """The archive with the entries that `change` makes of its own."""
    with zipfile.ZipFile(folder / "k.keras") as old:
        entries = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(folder / "other.keras", "w", compression) as new:
        for name, content in change(entries).items():
            new.writestr(name, content)
    return folder / "other.keras"


def test_a_deflated_archive_is_read(tmp_path):
    small(tmp_path)
    expected, _ = state_dict("k.keras", folder=tmp_path)
    repacked(tmp_path, dict, zipfile.ZIP_DEFLATED)
    found, _ = state_dict("other.keras", folder=tmp_path)
    assert_same_tensors(found, expected)


def without(name):
    return lambda entries: {key: value for key, value in entries.items() if key != name}


@pytest.mark.parametrize(
    "change, status, words",
    [
        (without("model.weights.h5"), 3, "has no model.weights.h5 beside config.json"),
        (lambda entries: without("model.weights.h5")(entries) | {"model.weights.npz": b""}, 4, "model.weights.npz"),
        (lambda entries: entries | {"model.weights.h5": entries["model.weights.h5"][:5000]}, 3, "model.weights.h5: truncated HDF5 file"),
        (lambda entries: entries | {"model.weights.h5": b"no HDF5 at all"}, 3, "model.weights.h5: not an HDF5 file"),
        (lambda entries: entries | {"../outside.txt": b"x"}, 3, 'entry "../outside.txt" leads out of the archive'),
        (lambda entries: entries | {"config.json": b"{"}, 3, "config.json"),
        (lambda entries: entries | {"config.json": entries["config.json"].replace(b'"Dense"', b'"Mine"')}, 4, "Mine"),
    ],
    ids=["no weights", "arrays", "truncated", "no HDF5", "leads outside", "no JSON", "unknown class"],
)
def test_what_is_no_good_archive_is_refused(change, status, words, tmp_path):
    small(tmp_path)
    path = repacked(tmp_path, change)
    message = h5bridge("convert", path, "-o", tmp_path / "x.h5", status=status)
    assert words in message and "other.keras" in message and message.count("\n") == 1


def test_a_variable_too_many_and_one_too_few_are_said(tmp_path):
    model = small(tmp_path)
    for change, words in [(None, "missing: b.bias"), (np.zeros(3), "unexpected: layers/dense/vars/2")]:
        model.save_weights(tmp_path / "k.weights.h5")
        with h5py.File(tmp_path / "k.weights.h5", "a") as file:
            if change is None:
                del file["layers/dense_1/vars/1"]
            else:
                file["layers/dense/vars/2"] = change
        path = repacked(tmp_path, lambda entries: entries | {"model.weights.h5": (tmp_path / "k.weights.h5").read_bytes()})
        assert words in h5bridge("convert", path, "-o", tmp_path / "x.pth", status=3)


def test_weights_alone_are_shown_and_what_is_missing_is_said(tmp_path):
    small(tmp_path).save_weights(tmp_path / "k.weights.h5")
    shown = json.loads(h5bridge("inspect", tmp_path / "k.weights.h5", "--json"))
    assert shown["format"] == "keras-weights" and shown["architecture"] is None
    assert [(tensor["name"], tensor["shape"]) for tensor in shown["tensors"]] == [
        ("layers/dense/vars/0", [3, 4]),
        ("layers/dense/vars/1", [4]),
        ("layers/dense_1/vars/0", [4, 2]),
        ("layers/dense_1/vars/1", [2]),
    ]
    message = h5bridge("convert", tmp_path / "k.weights.h5", "-o", tmp_path / "x.h5", status=2)
    assert "holds weights only; give its architecture beside it" in message


def test_an_archive_is_inspected_and_valid(tmp_path):
    small(tmp_path)
    shown = json.loads(h5bridge("inspect", tmp_path / "k.keras", "--json"))
    assert shown["format"] == "keras" and [layer["name"] for layer in shown["architecture"]["layers"]] == ["a", "b"]
    assert shown["metadata"]["keras_version"] == keras.__version__
    assert "valid" in h5bridge("validate", tmp_path / "k.keras")
    if package:
        loaded = package.load(tmp_path / "k.keras")
        assert loaded.format == "keras"
        kernel, bias = keras.models.load_model(tmp_path / "k.keras").get_layer("a").get_weights()
        assert np.array_equal(loaded.tensors["a.weight"], kernel.T) and np.array_equal(loaded.tensors["a.bias"], bias)


def test_a_bit_that_flipped_in_an_archive_is_seen(tmp_path):
    """Keras says BadZipFile then; PyTorch does not look."""
    small(tmp_path)
    torch.save({"weight": torch.rand(40, 30), "bias": torch.rand(40)}, tmp_path / "k.pth")
    for name, member, place in [("k.keras", "model.weights.h5", b"\0\0\0\0"), ("k.pth", "data/1", b"")]:
        with zipfile.ZipFile(tmp_path / name) as archive:
            info = next(info for info in archive.infolist() if info.filename.endswith(member))
            content = archive.read(info)
        whole = bytearray((tmp_path / name).read_bytes())
        begin = whole.index(content)
        # In a number of the weights, or where nobody has a use for it.
        for at in {len(content) - 3, content.rindex(place) if place else 1}:
            damaged = whole.copy()
            damaged[begin + at] ^= 16
            (tmp_path / f"damaged{name}").write_bytes(damaged)
            for command in [["validate"], ["convert", "-o", tmp_path / "x.safetensors"], ["convert", "-o", tmp_path / "x.h5"]][: 3 if name == "k.keras" else 2]:
                message = h5bridge(command[0], tmp_path / f"damaged{name}", *command[1:], status=3)
                assert f"{member}' is damaged: its checksum is wrong" in message
        assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("make", [nested.chain_of_models, nested.frozen_backbone, nested.recurrent_parts])
def test_an_archive_says_what_is_trained_as_the_h5_does(make, tmp_path):
    """Keras's archives have numbers in place of the variables' names."""
    model = make()
    trained = {}
    for name in ["k.keras", "k.h5"]:
        model.save(tmp_path / name)
        tensors = json.loads(h5bridge("inspect", tmp_path / name, "--json"))["tensors"]
        trained[name] = sorted((tensor["shape"], tensor["trainable"]) for tensor in tensors)
    assert trained["k.keras"] == trained["k.h5"]
    assert sum(is_trained for _, is_trained in trained["k.keras"]) == len(model.trainable_variables)


def contents(path):
    """What is in an archive, but for the date: its configuration, and every attribute and data set."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        config, metadata = (json.loads(archive.read(name)) for name in ("config.json", "metadata.json"))
        found = {}

        def add(name, item):
            if name.split("/")[0] != "h5bridge":
                found[name] = dict(item.attrs) if isinstance(item, h5py.Group) else item[()]

        with archive.open("model.weights.h5") as weights, h5py.File(weights) as file:
            file.visititems(add)
    return config, metadata, found


def assert_same_variables(found, expected):
    for part in ("layers", "vars", "optimizer"):
        ours, theirs = ({k: v for k, v in each.items() if k.split("/")[0] == part} for each in (found, expected))
        arrays = {name: value for name, value in theirs.items() if not isinstance(value, dict)}
        assert {name for name, value in ours.items() if not isinstance(value, dict)} == set(arrays), part
        for name, value in arrays.items():
            assert ours[name].dtype == value.dtype and np.array_equal(ours[name], value, equal_nan=True), name


def assert_same_model(found, expected):
    assert type(found) is type(expected) and differences(found.get_config(), expected.get_config()) == []
    # Seeds stand in no file that Keras writes.
    ours, theirs = ([v for v in model.variables if v.name != "seed_generator_state"] for model in (found, expected))
    assert [v.name for v in ours] == [v.name for v in theirs]
    for variable, other in zip(ours, theirs):
        assert np.array_equal(variable.numpy(), other.numpy()), other.path


@pytest.mark.parametrize("sources", [["k.keras"], ["k.h5"], ["k.json", "k.pth"]], ids=lambda sources: sources[-1][2:])
def test_keras_loads_what_it_saved(saved, sources):
    network, model, folder = saved
    if sources == ["k.h5"] and network.name in ("operations_within", "mask_given_to_a_model", "mask_that_ends", "number_of_all"):
        pytest.skip("Keras drops what its .h5 cannot say")
    if sources == ["k.json", "k.pth"]:
        h5bridge("convert", folder / "k.keras", "-o", folder / "k.json", "-o", folder / "k.pth")
    h5bridge("convert", *[folder / source for source in sources], "-o", folder / "back.keras")
    _, metadata, found = contents(folder / "back.keras")
    _, _, expected = contents(folder / "k.keras")
    assert metadata["keras_version"] == keras.__version__
    assert_same_variables(found, expected)
    assert_same_model(keras.models.load_model(folder / "back.keras"), model)


def test_keras_loads_weights_that_are_written(saved):
    _, model, folder = saved
    h5bridge("convert", folder / "k.keras", "-o", folder / "back.weights.h5")
    other = keras.models.load_model(folder / "k.keras")
    for variable in other.variables:
        if variable.dtype.startswith("float"):
            variable.assign(variable * 0 + 7)
    other.load_weights(folder / "back.weights.h5")
    assert_same_model(other, model)


NETWORKS = ["digits", "scan_net"]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_pytorch_network_comes_home_from_an_archive(network, tmp_path):
    folder = ROOT / "testdata" / network
    h5bridge("convert", folder / "model.json", folder / "model.pth", "-o", tmp_path / "k.keras")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "x.pth", "-o", tmp_path / "x.json")
    expected = torch.load(folder / "model.pth", weights_only=True)
    assert_same_tensors(torch.load(tmp_path / "x.pth", weights_only=True), expected)
    h5bridge("convert", folder / "model.json", "-o", tmp_path / "same.json")
    assert (tmp_path / "x.json").read_text() == (tmp_path / "same.json").read_text()
    # Keras computes the same of it, and what Keras saves is the network still.
    h5bridge("convert", folder / "model.json", folder / "model.pth", "-o", tmp_path / "k.h5")
    model, other = (keras.models.load_model(tmp_path / name) for name in ("k.keras", "k.h5"))
    assert_same_model(model, other)
    model.save(tmp_path / "again.keras")
    h5bridge("convert", tmp_path / "again.keras", folder / "model.json", "-o", tmp_path / "y.pth")
    found = torch.load(tmp_path / "y.pth", weights_only=True)
    for name, tensor in expected.items():
        assert name.endswith("num_batches_tracked") or torch.equal(found[name], tensor), name


@pytest.mark.parametrize("build, shapes, optimizer", TRAINED)
def test_an_optimizer_comes_home_to_an_archive(build, shapes, optimizer, tmp_path):
    keras.utils.set_random_seed(3)
    model = build()
    model.compile(OPTIMIZERS[optimizer](), "mse")
    train(model, shapes)
    model.save(tmp_path / "k.keras")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "--checkpoint")
    straight = ["k.keras"]
    # What PyTorch has no place for starts anew there, and momentum in units of the learning rate is rounded.
    by_pytorch = [["k.json", "k.pth"]] if optimizer not in ("averages", "accumulation", "sgd", "rmsprop") else []
    for sources in [straight, *by_pytorch]:
        h5bridge("convert", *[tmp_path / source for source in sources], "-o", tmp_path / "back.keras")
        config, _, found = contents(tmp_path / "back.keras")
        expected_config, _, expected = contents(tmp_path / "k.keras")
        assert_same_variables(found, expected)
        # Keras with PyTorch's backend names a class of that backend, which no other one has.
        expected_config["compile_config"]["optimizer"] |= {"module": "keras.optimizers", "registered_name": None}
        assert differences(config["compile_config"], expected_config["compile_config"]) == []
        back = keras.models.load_model(tmp_path / "back.keras")
        assert type(back.optimizer) is type(model.optimizer) and len(back.optimizer.variables) == len(model.optimizer.variables)
        for variable, other in zip(back.optimizer.variables, model.optimizer.variables):
            assert np.array_equal(variable.numpy(), other.numpy()), other.path


@pytest.mark.parametrize("source", ["k.keras", "k.h5"])
def test_losses_and_metrics_are_there_again(source, tmp_path):
    """A .h5 file says of an object its class alone, an archive where that is."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="softmax")])
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["acc", keras.metrics.SparseTopKCategoricalAccuracy(2)])
    model.train_on_batch(np.ones((4, 3)), np.array([0, 1, 2, 3]))
    model.save(tmp_path / source)
    for suffix in ("keras", "h5"):
        h5bridge("convert", tmp_path / source, "-o", tmp_path / f"back.{suffix}")
        back = keras.models.load_model(tmp_path / f"back.{suffix}")
        assert back.loss.get_config() == loss.get_config()
        assert "sparse_top_k_categorical_accuracy" in str(back.get_compile_config()["metrics"])


def test_sharded_weights_are_read_beside_their_configuration(tmp_path):
    """The variables of one layer in two files among them."""
    model = keras.Sequential([keras.Input((300,), name="x"), L.Dense(300, name="a"), L.Dense(300, name="b"), L.Dense(200, name="c")], name="m")
    model.save(tmp_path / "k.keras")
    model.save_weights(tmp_path / "k.weights.json", max_shard_size=361_000 / 1024**3)
    (tmp_path / "config.json").write_text(model.to_json())
    index = json.loads((tmp_path / "k.weights.json").read_text())
    assert any(isinstance(files, list) for files in index["weight_map"].values())
    found, _ = state_dict("k.weights.json", "config.json", folder=tmp_path, name="a")
    expected, _ = state_dict("k.keras", folder=tmp_path, name="b")
    assert_same_tensors(found, expected)
    assert json.loads(h5bridge("inspect", tmp_path / "k.weights.json", "--json"))["format"] == "keras-weights"
    for change, words in [("../x.weights.h5", "is no file beside the index"), ("k_00000.weights.h5", "are in no shard")]:
        broken = {path: change for path in index["weight_map"]}
        (tmp_path / "broken.json").write_text(json.dumps(index | {"weight_map": broken}))
        message = h5bridge("convert", tmp_path / "broken.json", tmp_path / "config.json", "-o", tmp_path / "x.pth", status=3)
        assert words in message and "broken.json" in message


@needs_registry
@pytest.mark.skipif(not has_its_turn("H5BRIDGE_ALL_SAMPLES", 4), reason="another commit's turn; H5BRIDGE_ALL_SAMPLES=1 makes it this one's")
def test_every_layer_with_weights_stands_in_an_archive(tmp_path):
    """All samples of Keras's layers in one model."""
    inputs, outputs = [], []
    for i, sample in enumerate(samples()):
        if sample.is_operation or sample.suffix != ".h5":
            continue
        own = sample.keras_inputs(f"s{i}x", fixed=True)
        layer = sample.operation(f"layer{i}")
        results = sample.outputs(layer, own)
        if layer.variables:
            inputs += own
            outputs += keras.tree.flatten(results)
    model = randomised(keras.Model(inputs, outputs, name="all"), "all")
    model.save(tmp_path / "k.keras")
    model.save(tmp_path / "k.h5")
    found, _ = state_dict("k.keras", folder=tmp_path, name="a")
    expected, _ = state_dict("k.h5", folder=tmp_path, name="b")
    assert len(expected) > 1000
    assert_same_tensors(found, expected)
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "back.keras")
    assert_same_variables(contents(tmp_path / "back.keras")[2], contents(tmp_path / "k.keras")[2])
    assert_same_model(keras.models.load_model(tmp_path / "back.keras"), model)


REAL = ROOT.parent / "shared" / "files"


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_a_published_archive_is_read_and_comes_back(tmp_path):
    path = REAL / "keras-3.5" / "mlp.keras"
    model = keras.models.load_model(path)
    h5bridge("convert", path, "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "--checkpoint")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "back.keras")
    assert_same_variables(contents(tmp_path / "back.keras")[2], contents(path)[2])
    back = keras.models.load_model(tmp_path / "back.keras")
    assert_same_model(back, model)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(back.optimizer.variables, model.optimizer.variables))
    weights = REAL / "keras-3" / "unknown.weights.h5"
    assert "holds weights only" in h5bridge("convert", weights, "-o", tmp_path / "x.h5", status=2)
    assert len(json.loads(h5bridge("inspect", weights, "--json"))["tensors"]) == 10


def test_an_activation_that_has_weights_is_a_layer(tmp_path):
    """What is written has it behind its layer, as both formats can say."""
    keras.utils.set_random_seed(3)
    x = keras.Input((5, 4), name="x")
    model = keras.Model(x, L.Dense(3, activation=L.PReLU(name="inner"), name="dense")(x), name="m")
    inputs = np.random.default_rng(5).normal(size=(2, 5, 4)).astype("float32")
    model(inputs)  # only then the activation has its weights
    for variable in model.variables:
        variable.assign(np.random.default_rng(4).normal(size=variable.shape))
    assert len(model.variables) == 3
    expected = keras.ops.convert_to_numpy(model(inputs))
    for source, name in [(source, name) for source in ("k.keras", "k.h5") for name in ("back.keras", "back.h5")]:
        model.save(tmp_path / source)
        h5bridge("convert", tmp_path / source, "-o", tmp_path / name)
        assert np.allclose(keras.ops.convert_to_numpy(keras.models.load_model(tmp_path / name)(inputs)), expected, atol=1e-6)


def test_builds_are_told_as_keras_tells_them(saved):
    """Of layers that have weights, and of models."""
    _, _, folder = saved
    h5bridge("convert", folder / "k.keras", "-o", folder / "back.keras")

    def builds(model, within=""):
        yield within, model["build_config"], model["compile_config"]
        for layer in model["config"]["layers"]:
            path = f"{within}/{layer['config']['name']}"
            if "layers" in layer["config"]:
                yield from builds(layer, path)
            elif "build_config" in layer:
                yield path, layer["build_config"], None

    found, expected = ({path: rest for path, *rest in builds(contents(folder / name)[0])} for name in ("back.keras", "k.keras"))
    assert {path: expected[path] for path in found} == found
    assert {path for path, (_, compiled) in found.items() if compiled is not None} == {path for path, (_, compiled) in expected.items() if compiled is not None}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "mixed_bfloat16", "float64"])
def test_weights_of_every_type_come_back(dtype, tmp_path):
    """bfloat16 among them, which a .h5 of Keras's cannot hold."""
    keras.utils.set_random_seed(3)
    x = keras.Input((5,), name="x")
    model = keras.Model(x, L.Dense(3, dtype=dtype, name="d")(x), name="m")
    model.save(tmp_path / "k.keras")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "back.keras")
    back = keras.models.load_model(tmp_path / "back.keras")
    for variable, other in zip(back.variables, model.variables, strict=True):
        assert variable.dtype == other.dtype and bool(keras.ops.all(variable.value == other.value)), other.path


@pytest.mark.parametrize("optimizer", ["Nadam", "Lion", "Adafactor", "Muon"])
def test_an_optimizer_that_only_keras_has_stays_as_it_is(optimizer, tmp_path):
    keras.utils.set_random_seed(3)
    x = keras.Input((5,), name="x")
    model = keras.Model(x, L.Dense(2, name="h")(L.Dense(3, name="d")(x)), name="m")
    model.compile(getattr(keras.optimizers, optimizer)(1e-2), "mse")
    train(model, [(4, 5)])
    model.save(tmp_path / "k.keras")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "back.keras")
    assert_same_variables(contents(tmp_path / "back.keras")[2], contents(tmp_path / "k.keras")[2])
    back = keras.models.load_model(tmp_path / "back.keras")
    assert type(back.optimizer) is type(model.optimizer)
    for variable, other in zip(back.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(variable.numpy(), other.numpy()), other.path


@pytest.mark.parametrize("build", [nested.layer_of_two_levels, nested.layer_of_two_chains])
def test_a_layer_that_inner_models_share_is_read_as_the_h5_has_it(build, tmp_path):
    """An archive has it once, under the first of them, and Keras itself cannot load that."""
    keras.utils.set_random_seed(3)
    model = build()
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    train(model, [(4, *tensor.shape[1:]) for tensor in model.inputs])
    model.save(tmp_path / "k.keras")
    model.save(tmp_path / "k.h5")
    with pytest.raises(ValueError, match="could not be loaded"):
        keras.models.load_model(tmp_path / "k.keras")
    for suffix in ("keras", "h5"):
        h5bridge("convert", tmp_path / f"k.{suffix}", "-o", tmp_path / f"{suffix}.pth", "-o", tmp_path / f"{suffix}.json", "--checkpoint")
    found, expected = (torch.load(tmp_path / f"{suffix}.pth", weights_only=True) for suffix in ("keras", "h5"))
    assert_same_tensors(found["model_state_dict"], expected["model_state_dict"])
    ours, theirs = (json.loads((tmp_path / f"{suffix}.json").read_text())["tied"] for suffix in ("keras", "h5"))
    assert ours == theirs != []
    found, expected = (checkpoint["optimizer_state_dict"]["state"] for checkpoint in (found, expected))
    assert found.keys() == expected.keys()
    for parameter, slots in expected.items():
        assert_same_tensors(found[parameter], slots)
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "back.keras")
    assert len(keras.models.load_model(tmp_path / "back.keras").variables) >= len(model.variables)


def test_inputs_that_may_be_left_out_stay_so(tmp_path):
    inner_in = keras.Input((3,), name="given", optional=True)
    inner = keras.Model(inner_in, keras.layers.Dense(2)(inner_in), name="inner")
    x, y = keras.Input((3,), name="x"), keras.Input((3,), name="y", optional=True)
    keras.Model([x, y], [inner(x), keras.layers.Dense(2)(y)]).save(tmp_path / "k.keras")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "-o", tmp_path / "same.keras")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "home.keras")
    for name in ("same", "home"):
        model = keras.saving.load_model(tmp_path / f"{name}.keras")
        assert [model.get_layer(layer).optional for layer in "xy"] == [False, True]
        assert model.get_layer("inner").get_layer("given").optional


def test_an_archive_is_one_wherever_its_weights_begin(tmp_path):
    """HDF5 looks for its signature at 512, 1024, 2048, ... as well, and the weights within an archive are HDF5."""
    architecture = {"h5bridge": 1, "name": "N", "inputs": [{"name": "x", "shape": ["batch", 3]}], "outputs": ["fc"]}
    architecture["layers"] = [{"name": "fc", "type": "Linear", "attributes": {"in_features": 3, "out_features": 2}}]
    state = {"fc.weight": torch.randn(2, 3), "fc.bias": torch.randn(2)}
    torch.save(state, tmp_path / "m.pth")

    def begin_of_weights(name):
        (tmp_path / "m.json").write_text(json.dumps(architecture | {"name": name}))
        h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.keras")
        return (tmp_path / "m.keras").read_bytes().index(b"\x89HDF")

    longer = begin_of_weights("N")
    assert begin_of_weights("N" * (1 + 8192 - longer)) == 8192
    h5bridge("convert", tmp_path / "m.keras", "-o", tmp_path / "home.pth")
    assert_same_tensors(torch.load(tmp_path / "home.pth", weights_only=True), state)
