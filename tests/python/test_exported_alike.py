"""What a network computes and nobody takes, and what changes nothing, is in neither of the two graphs."""

import numpy as np
import pytest
import torch
from torch import nn

from exported_programs import both_architectures, normal_form, save_both
from program import h5bridge, needs_libtorch, needs_program

pytestmark = needs_program


class Network(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.first, self.second, self.relu = nn.Linear(6, 6), nn.Linear(6, 6), nn.ReLU()
        self.own = nn.Parameter(torch.randn(6))
        self.register_buffer("kept", torch.randn(6))
        self.call = call

    def forward(self, x):
        return self.call(self, x)


def without_first_call(net, x):
    net.first(x)
    return net.first(2 * x) + net.second(x) * net.first(x)


def without_any_call(net, x):
    net.relu(net.first(x) * net.own + net.kept)
    return net.second(x)


def without_first_activation(net, x):
    net.relu(x)
    return net.relu(net.second(x))


UNUSED = {
    "first call": (without_first_call, ["mul", "Linear", "Linear", None, "mul", "add"]),
    "module, parameter and buffer": (without_any_call, ["Linear"]),
    "first call of an activation": (without_first_activation, ["Linear", "ReLU"]),
    "whole": (lambda net, x: net.first(x)[:], ["Linear"]),
    "from the first": (lambda net, x: net.first(x)[0:, :, 0::1], ["Linear"]),
    "beyond the end": (lambda net, x: net.first(x)[..., :100], ["Linear"]),
    "to an open end": (lambda net, x: net.first(x)[:, : x.shape[1]], ["Linear"]),
    "whole beside a part": (lambda net, x: net.first(x)[:, 1:, 0:], ["Linear", "slice"]),
}


@pytest.mark.parametrize("call, kinds", UNUSED.values(), ids=UNUSED)
def test_what_nobody_takes_is_left_out(call, kinds, tmp_path):
    torch.manual_seed(1)
    save_both(Network(call).eval(), (torch.randn(3, 7, 6),), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program["layers"] == by_exporter["layers"]
    found = [layer["type"] if layer["call"] is None else None for layer in by_exporter["layers"]]
    assert found == kinds


INDICES = {
    "a list": lambda net, x: net.first(x)[:, [0, 2]],
    "from the end": lambda net, x: net.first(x)[..., [0, -2]],
    "a tensor": lambda net, x: net.first(x)[..., torch.tensor([3, -1, 0])],
    "a computed tensor": lambda net, x: net.first(x)[:, :, torch.arange(3) - 2],
}


@needs_libtorch
@pytest.mark.parametrize("call", INDICES.values(), ids=INDICES)
def test_constant_indices_are_settings(call, tmp_path):
    torch.manual_seed(1)
    module, x = Network(call).eval(), torch.randn(3, 7, 6)
    save_both(module, (x,), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program["layers"] == by_exporter["layers"]
    assert [layer["type"] for layer in by_program["layers"]] == ["Linear", "index_select"]
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", tmp_path / "m.pt2", "--exact", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").tobytes() == module(x).detach().numpy().tobytes()
