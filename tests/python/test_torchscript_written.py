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
from test_python_source import network_in, run

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = [needs_program, needs_registry]

# TorchScript adds the product and what is added to it in one go.
INEXACT_SCRIPTS = {"addmm: plain", "addmm: broadcast"}


def bits(tensor):
    return tensor.dtype, tuple(tensor.shape), tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same_state(found, expected):
    assert set(found) == set(expected)
    assert all(bits(found[name]) == bits(tensor) for name, tensor in expected.items())


@each(SAMPLES)
def test_a_sample_goes_there_and_back(sample, tmp_path):
    sample.write(tmp_path)
    sources = [tmp_path / "m.json", tmp_path / "m.pth"]
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
         '"""', "#", "'); import os", "torch", "nn", "F", "None", "{name}", "%s", "save", "code", "graph", "deep.forward", "T", "tab\t", "\x7f", "\u00e9", "\U0001f600"]  # fmt: skip


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


@pytest.mark.parametrize("name", ["forward", "training", "_is_full_backward_hook", "__init__", "a.__init__", "_modules"])
def test_a_name_of_torchscripts_own_is_refused(name, tmp_path):
    chain(["first", name], tmp_path)
    message = run_program("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.ts", status=4)
    assert "TorchScript's modules have no place" in message and name.split(".")[-1] in message
    assert not (tmp_path / "m.ts").exists()


RECURRENT = {"input_size": 3, "hidden_size": 4, "batch_first": True, "stateful": True}
CONV_LSTM = {"in_channels": 2, "out_channels": 3, "kernel_size": [3, 2], "stateful": True}
CELLS = [
    {"type": "LSTMCell", "attributes": {"input_size": 3, "hidden_size": 4}},
    {"type": "GRUCell", "attributes": {"input_size": 4, "hidden_size": 2, "reset_after": False}},
]  # fmt: skip
STATEFUL = {
    "LSTM": ("LSTM", RECURRENT | {"bidirectional": True, "num_layers": 2}, (3, 5, 3)),
    "GRU, step by step": ("GRU", RECURRENT | {"activation": "relu"}, (3, 5, 3)),
    "ConvLSTM2D": ("ConvLSTM2D", CONV_LSTM, (3, 4, 2, 5, 6)),
    "StackedRNNCells": ("StackedRNNCells", {"cells": CELLS, "stateful": True}, (3, 5, 3)),
}


@pytest.mark.parametrize("name", STATEFUL)
def test_a_state_is_kept_from_call_to_call(name, tmp_path):
    """As the module of PyTorch source keeps it."""
    kind, attributes, shape = STATEFUL[name]
    inputs = [{"name": "x", "shape": list(shape), "dtype": "float32"}]
    layers = [{"name": "rnn", "type": kind, "attributes": attributes}]
    (tmp_path / "m.json").write_text(json.dumps({"h5bridge": 2, "name": "m", "inputs": inputs, "layers": layers, "outputs": ["rnn"]}))
    package.convert(tmp_path / "m.json", tmp_path / "m.py")
    module = network_in(tmp_path / "m.py").eval()
    torch.save(module.state_dict(), tmp_path / "m.pth")
    package.convert([tmp_path / "m.json", tmp_path / "m.pth"], tmp_path / "m.ts")
    script = torch.jit.load(tmp_path / "m.ts")
    x, outputs = torch.randn(shape), []
    for _ in range(3):
        (expected,), (found,) = run(module, [x]), run(script, [x])
        assert found.tobytes() == expected.tobytes()
        outputs.append(found.tobytes())
    assert len(set(outputs)) == 3
