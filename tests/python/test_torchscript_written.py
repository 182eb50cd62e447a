"""TorchScript that we write: torch.jit.load takes it without h5bridge, with the state_dict's names, and it computes the bits of the
module; it comes home as the same architecture. Networks are in test_python_source.py, which converts them anyway."""

import json

import pytest
import torch

from keras_helpers import assert_close
from layer_samples import SAMPLES
from program import h5bridge, needs_program, package, run_program
from registry_samples import each, needs_registry
from test_layers_live import assert_same_output
from test_python_source import OPEN, run

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = [needs_program, needs_registry]

# What has no TorchScript (yet): types, or samples of types that otherwise have; what test_python_source.OPEN has, besides.
NOT_SCRIPTED = {
    "AdaptiveAvgPool2d: one axis kept", "AdaptiveAvgPool3d: one axis kept", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AvgPool2d: same", "AvgPool3d: same", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Fold",
    "GRUCell: dropout in training", "GRUCell: other activations", "GRUCell: reset before",
    "LSTMCell: dropout in training", "LSTMCell: other activations",
    "MultiheadAttention: groups of heads", "MultiheadAttention: groups of heads, weights and gate", "Normalization",
    "RNNCell: another activation", "RNNCell: dropout in training", "StackedRNNCells", "Unfold",
    "Upsample: antialias, lanczos", "Upsample: antialias by a scale, lanczos",
    "normalize: another norm", "normalize: the largest", "normalize: a power over several axes",
}  # fmt: skip
# TorchScript adds the product and what is added to it in one go.
INEXACT_SCRIPTS = {"addmm: plain", "addmm: broadcast"}


def is_refused(sample):
    return sample.name in NOT_SCRIPTED | OPEN or sample.name.split(":")[0] in NOT_SCRIPTED


def bits(tensor):
    return tensor.dtype, tuple(tensor.shape), tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same_state(found, expected):
    assert set(found) == set(expected)
    assert all(bits(found[name]) == bits(tensor) for name, tensor in expected.items())


@each(SAMPLES)
def test_a_sample_goes_there_and_back(sample, tmp_path):
    sample.write(tmp_path)
    sources = [tmp_path / "m.json", tmp_path / "m.pth"]
    if is_refused(sample):
        with pytest.raises(package.Unsupported):
            package.convert(sources, tmp_path / "m.ts")
        return
    package.convert(sources, tmp_path / "m.ts")
    network = torch.jit.load(tmp_path / "m.ts")
    assert not network.training and not any(buffer.requires_grad for buffer in network.buffers())
    assert_same_state(network.state_dict(), sample.state())
    for _ in range(2):  # the second call is of the graph that the first one was watched for
        found = run(network, sample.inputs)
        if sample.name in INEXACT_SCRIPTS:
            for one, expected in zip(found, sample.expected, strict=True):
                assert_close(one, expected, 1e-6)
        else:
            assert_same_output(sample, found)
    home = package.load(tmp_path / "m.ts")
    assert home.architecture == package.load(sources).architecture
    assert_same_state(home.state_dict(), sample.state())


NAMES = ["1_conv", "lambda", "a-b", "quo\"te", "it's", "back\\slash", "new\nline", "type", "train", "self", "x", 
         '"""', "#", "'); import os", "torch", "nn", "F", "None", "{name}", "%s", "save", "code", "graph", "T", "tab\t", "\x7f"]  # fmt: skip


def chain(names, tmp_path):
    """Linear layers by these names, one behind the other."""
    layers = [{"name": name, "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}} for name in names]
    state = {f"{name}.{what}": torch.randn(shape) for name in names for what, shape in (("weight", (3, 3)), ("bias", 3))}
    inputs = [{"name": names[0] + "?", "shape": ["batch", 3], "dtype": "float32"}]
    architecture = {"h5bridge": 1, "name": '"); import os #', "inputs": inputs, "layers": layers, "outputs": {"a\"b'\n": names[-1]}}
    (tmp_path / "m.json").write_text(json.dumps(architecture))
    torch.save(state, tmp_path / "m.pth")
    return state


def test_any_name_is_escaped(tmp_path):
    names = NAMES + [f"deep.{i}.{name}" for i, name in enumerate(NAMES)]
    state = chain(names, tmp_path)
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.ts")
    network = torch.jit.load(tmp_path / "m.ts")
    assert_same_state(network.state_dict(), state)
    x = expected = torch.randn(2, 3)
    for name in names:
        expected = torch.nn.functional.linear(expected, state[f"{name}.weight"], state[f"{name}.bias"])
    with torch.no_grad():
        assert torch.equal(network(x)["a\"b'\n"], expected)
    home = package.load(tmp_path / "m.ts")
    assert home.architecture == package.load([tmp_path / "m.json", tmp_path / "m.pth"]).architecture
    assert_same_state(home.state_dict(), state)


@pytest.mark.parametrize("name", ["forward", "training", "_is_full_backward_hook", "__init__", "a.forward", "_modules", "\u00e9"])
def test_a_name_of_torchscripts_own_is_refused(name, tmp_path):
    chain(["first", name], tmp_path)
    message = run_program("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.ts", status=4)
    assert "TorchScript's modules have no place" in message and (not name.isascii() or name.split(".")[-1] in message)
    assert not (tmp_path / "m.ts").exists()
