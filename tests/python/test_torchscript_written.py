"""TorchScript that we write: torch.jit.load takes it without h5bridge, with the state_dict's names, and it computes the bits of the
module; it comes home as the same architecture. Networks are in test_python_source.py, which converts them anyway."""

import json

import pytest
import torch

from layer_samples import SAMPLES
from program import h5bridge, needs_program, package, run_program
from registry_samples import each, needs_registry
from test_layers_live import assert_same_output
from test_python_source import run

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = [needs_program, needs_registry]

# What has no TorchScript.
REFUSED = set()


def bits(tensor):
    return tensor.dtype, tuple(tensor.shape), tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same_state(found, expected):
    assert set(found) == set(expected)
    assert all(bits(found[name]) == bits(tensor) for name, tensor in expected.items())


@each(SAMPLES)
def test_a_sample_goes_there_and_back(sample, tmp_path):
    sample.write(tmp_path)
    sources = [tmp_path / "m.json", tmp_path / "m.pth"]
    if sample.name in REFUSED:
        with pytest.raises(package.Unsupported):
            package.convert(sources, tmp_path / "m.ts")
        return
    package.convert(sources, tmp_path / "m.ts")
    network = torch.jit.load(tmp_path / "m.ts")
    assert not network.training
    assert_same_state(network.state_dict(), sample.state())
    for _ in range(2):  # the second call is of the graph that the first one was watched for
        assert_same_output(sample, run(network, sample.inputs))
    home = package.load(tmp_path / "m.ts")
    assert home.architecture == package.load(sources).architecture
    assert_same_state(home.state_dict(), sample.state())


NAMES = ["1_conv", "lambda", "a-b", "quo\"te", "it's", "back\\slash", "new\nline", "type", "train", "_modules", "self", "x", "\u00e9",
         "\U0001f600", '"""', "#", "'); import os", "torch", "nn", "F", "None", "{name}", "%s", "save", "code", "graph", "T", "tab\t", "\x7f"]  # fmt: skip


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


@pytest.mark.parametrize("name", ["forward", "training", "_is_full_backward_hook", "__init__", "a.forward"])
def test_a_name_of_torchscripts_own_is_refused(name, tmp_path):
    chain(["first", name], tmp_path)
    message = run_program("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.ts", status=4)
    assert "TorchScript's modules have no place" in message and name.split(".")[-1] in message
    assert not (tmp_path / "m.ts").exists()
