"""validate, verify, compare and run on whole networks, with what real Keras and PyTorch give as the expected values."""

import json

import numpy as np
import pytest
import torch

from keras_helpers import input_names, keras, keras_layout, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture
from torch_networks import NETWORKS, inputs_of, outputs_by_name

pytestmark = needs_program

BATCH = 5


class Files:
    """A network's files, with inputs and outputs in either layout, of PyTorch's giving and of Keras's."""

    def __init__(self, name, folder):
        self.folder = folder
        network = next(network for network in NETWORKS if network.name == name)
        self.module = network.module()
        self.names = {"resnet": ["x"], "two_in_two_out": ["image", "vector"]}[name]
        inputs = dict(zip(self.names, inputs_of([(BATCH, *shape[1:]) for shape in network.shapes])))
        torch.save(self.module.state_dict(), folder / "m.pth")
        export_architecture(self.module, tuple(inputs.values()), folder / "m.json")
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
        with torch.no_grad():
            outputs = {key: y.numpy() for key, y in outputs_by_name(self.module(*inputs.values())).items()}
        model = keras.models.load_model(folder / "m.h5", compile=False)
        assert input_names(model) == self.names
        keras_inputs = {key: keras_layout(x.numpy()) for key, x in inputs.items()}
        keras_outputs = predict(model, list(keras_inputs.values()))
        if list(keras_outputs) == [0]:
            keras_outputs = {model.layers[-1].name: keras_outputs[0]}
        self.outputs = outputs
        np.savez(folder / "nchw.npz", **{key: x.numpy() for key, x in inputs.items()})
        np.savez(folder / "nhwc.npz", **keras_inputs)
        np.savez(folder / "torch.npz", **outputs)
        np.savez(folder / "keras.npz", **keras_outputs)

    def __getitem__(self, name):
        return self.folder / name


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    return Files("resnet", tmp_path_factory.mktemp("resnet"))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return Files("two_in_two_out", tmp_path_factory.mktemp("two"))


@pytest.fixture(params=["resnet", "two"])
def files(request):
    return request.getfixturevalue(request.param)


def perturbed(files, tensor, path):
    """The network's .pth with one tensor changed."""
    state = torch.load(files["m.pth"])
    state[tensor] = state[tensor] * 1.5 + 0.25
    torch.save(state, path)
    return path


def test_validate(files, tmp_path):
    assert "valid" in h5bridge("validate", files["m.h5"])
    assert "valid" in h5bridge("validate", files["m.pth"], files["m.json"])
    state = torch.load(files["m.pth"])
    name, tensor = next(iter(state.items()))
    del state[name]
    state["extra.weight"] = tensor
    torch.save(state, tmp_path / "other.pth")
    problems = h5bridge("validate", files["m.json"], tmp_path / "other.pth", status=1)
    assert f"missing: {name}" in problems and "unexpected: extra.weight" in problems


@needs_libtorch
def test_verify(files, tmp_path):
    tolerance = ["--rtol", "1e-4", "--atol", "1e-5"]
    h5bridge("verify", files["m.h5"], "--input", files["nhwc.npz"], "--expect", files["keras.npz"], *tolerance)
    h5bridge("verify", files["m.json"], files["m.pth"], "--input", files["nchw.npz"], "--expect", files["torch.npz"], "--rtol", "0", "--atol", "0")
    other = perturbed(files, next(reversed(files.module.state_dict())), tmp_path / "other.pth")
    h5bridge("verify", files["m.json"], other, "--input", files["nchw.npz"], "--expect", files["torch.npz"], status=1)


@needs_libtorch
def test_equal_models_compare_equal(files):
    h5bridge("compare", files["m.h5"], files["m.h5"], "--random-inputs", 2, *random_shapes(files, "nhwc.npz"))
    h5bridge("compare", files["m.h5"], "--with", files["m.json"], files["m.pth"], "--input", files["nhwc.npz"], "--rtol", "0", "--atol", "0")
    h5bridge("compare", files["m.json"], files["m.pth"], "--with", files["m.h5"], "--input", files["nchw.npz"], "--rtol", "0", "--atol", "0")


def random_shapes(files, inputs):
    return [argument for name, x in np.load(files[inputs]).items() for argument in ("--input-shape", f"{name}={','.join(map(str, (2, *x.shape[1:])))}")]


@needs_libtorch
@pytest.mark.parametrize("tensor", ["conv1.weight", "layer1.1.bn2.running_mean", "layer2.0.downsample.0.weight", "fc.bias"])
def test_compare_names_the_first_layer_that_differs(resnet, tmp_path, tensor):
    other = perturbed(resnet, tensor, tmp_path / "other.pth")
    layer = tensor.rpartition(".")[0]
    for a, b, inputs in (
        ([resnet["m.h5"]], [resnet["m.json"], other], "nhwc.npz"),
        ([resnet["m.json"], other], [resnet["m.h5"]], "nchw.npz"),
    ):
        found = json.loads(h5bridge("compare", "--json", *a, "--with", *b, "--input", resnet[inputs], status=1))
        assert not found["agrees"]
        assert [item["name"] for item in found["tensors"] if not item["agrees"]] == [tensor]
        assert found["run"]["first_layer"]["name"] == layer
    assert f'"{layer}"' in h5bridge("compare", *a, "--with", *b, "--input", resnet[inputs], status=1)


@needs_libtorch
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_run_in_batches(two, tmp_path, size):
    out = tmp_path / "out.npz"
    h5bridge("run", two["m.json"], two["m.pth"], "--input", two["nchw.npz"], "--batch-size", size, "-o", out)
    found = np.load(out)
    assert list(found) == list(two.outputs)
    for name, y in two.outputs.items():
        assert found[name].shape == y.shape and np.allclose(found[name], y, rtol=1e-5, atol=1e-6)


@needs_libtorch
def test_run_takes_either_layout(files, tmp_path):
    """The same bits, whatever the layout and the file."""
    out = tmp_path / "out.npz"
    for sources, layout, inputs in (
        (["m.h5"], "torch", "nchw.npz"),
        (["m.h5"], "keras", "nhwc.npz"),
        (["m.json", "m.pth"], "torch", "nchw.npz"),
        (["m.json", "m.pth"], "keras", "nhwc.npz"),
    ):
        h5bridge("run", *[files[source] for source in sources], "--input-layout", layout, "--input", files[inputs], "-o", out)
        for found, y in zip(np.load(out).values(), files.outputs.values(), strict=True):
            y = np.ascontiguousarray(keras_layout(y) if layout == "keras" else y)
            assert found.shape == y.shape and found.tobytes() == y.tobytes()


@needs_libtorch
def test_run_names_inputs_and_outputs(two, tmp_path):
    for name in two.names:
        np.save(tmp_path / f"{name}.npy", np.load(two["nhwc.npz"])[name])
    named = [argument for name in reversed(two.names) for argument in ("--input", f"{name}={tmp_path / name}.npy")]
    h5bridge("run", two["m.h5"], *named, "-o", tmp_path / "out.npz")
    assert sorted(np.load(tmp_path / "out.npz")) == ["label", "map"]
    assert '"vector"' in h5bridge("run", two["m.h5"], *named[2:], "-o", tmp_path / "out.npz", status=2)
    assert "2" in h5bridge("run", two["m.h5"], *named, "-o", tmp_path / "out.npy", status=2)


@needs_libtorch
def test_convert_checks_what_it_writes(files, tmp_path):
    h5bridge("convert", files["m.json"], files["m.pth"], "-o", tmp_path / "m.h5", "--check", *random_shapes(files, "nchw.npz"))
    assert (tmp_path / "m.h5").exists()
