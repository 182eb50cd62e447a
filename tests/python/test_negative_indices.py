"""Numbers of elements that count from the end, among a tensor's: PyTorch's indexing takes them, its index_select does not."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from torch import nn

from exported_programs import save_both
from keras_helpers import keras
from program import h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]


class Own(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.register_buffer("numbers", torch.tensor([-1, 0, -3]))

    def forward(self, x):
        return 2 * (x[:, self.numbers] if self.dim == 1 else x[..., self.numbers])


@pytest.mark.parametrize("source", [("m.json", "m.pth"), ("m.pt2",)], ids=["exporter", "pt2"])
@pytest.mark.parametrize("dim", [1, 2])
def test_they_count_from_the_end_everywhere(dim, source, tmp_path):
    network, x = Own(dim).eval(), torch.randn(2, 5, 4)
    save_both(network, (x,), tmp_path)
    expected = network(x).numpy()
    sources = [tmp_path / name for name in source]
    h5bridge("convert", *sources, "-o", tmp_path / "m.keras", "-o", tmp_path / "read.json", "-o", tmp_path / "home.pth", "-o", tmp_path / "source.py", "-o", tmp_path / "m.ts")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "m.keras").predict(x.numpy(), verbose=0), expected)
    name = json.loads((tmp_path / "read.json").read_text())["inputs"][0]["name"]
    np.savez(tmp_path / "x.npz", **{name: x.numpy()})
    h5bridge("run", *sources, "--exact", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    spec = importlib.util.spec_from_file_location("source", tmp_path / "source.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, nn.Module)][-1]()
    written.load_state_dict(torch.load(tmp_path / "home.pth"))
    np.testing.assert_array_equal(written(x).numpy(), expected)
    np.testing.assert_array_equal(torch.jit.load(tmp_path / "m.ts")(x).numpy(), expected)


def test_those_of_an_input_do_too(tmp_path):
    class Given(nn.Module):
        def forward(self, x, numbers):
            return x[:, numbers] + 1

    x, numbers = torch.randn(3, 5), torch.tensor([-1, 2, -5])
    save_both(Given(), (x, numbers), tmp_path)
    h5bridge("convert", tmp_path / "m.json", "-o", tmp_path / "m.h5")
    np.savez(tmp_path / "x.npz", x=x.numpy(), numbers=numbers.numpy())
    h5bridge("run", tmp_path / "m.json", "--exact", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), (x[:, numbers] + 1).numpy())
