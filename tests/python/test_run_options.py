"""What `run` can be asked for: eager PyTorch's bits, other types to compute in, files that are mapped."""


import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from torch import nn

from digits import DIGITS, SOURCES, digits
from program import h5bridge, needs_libtorch, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = [needs_program, needs_libtorch]


def images():
    (x,) = np.load(DIGITS / "inputs.npz").values()
    return torch.from_numpy(x)


def run(folder, *arguments):
    run_program("run", *arguments, "--input", DIGITS / "inputs.npz", "--input-layout", "torch", "-o", folder / "out.npy")
    return np.load(folder / "out.npy")


def test_exact_is_eager_pytorch(tmp_path):
    with torch.no_grad():
        expected = digits()(images()).numpy()
    assert run(tmp_path, *SOURCES, "--exact").tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_network_computes_in_another_type(dtype, tmp_path):
    kind = getattr(torch, dtype)
    with torch.no_grad():
        expected = digits().to(kind)(images().to(kind))
    found = run(tmp_path, *SOURCES, "--dtype", dtype)
    # NumPy has no bfloat16: such numbers are written as float32, which has them all.
    assert found.dtype == (np.float16 if dtype == "float16" else np.float32)
    assert torch.equal(torch.from_numpy(found).to(kind), expected)
    assert not torch.equal(expected.float(), digits()(images()))


def test_a_keras_file_computes_in_another_type(tmp_path):
    run_program("convert", *SOURCES, "-o", tmp_path / "digits.h5")
    expected = run(tmp_path, *SOURCES, "--dtype", "float16")
    assert np.allclose(run(tmp_path, tmp_path / "digits.h5", "--dtype", "float16"), expected, rtol=1e-2, atol=1e-2)


def test_only_floating_point_types_are_computed_in(tmp_path):
    message = run_program("run", *SOURCES, "--input", DIGITS / "inputs.npz", "--dtype", "int8", status=2)
    assert "bfloat16" in message and "int8" in message


@pytest.mark.parametrize("suffix", [".pth", ".h5", ".keras", ".safetensors"])
def test_a_mapped_file_gives_the_same(suffix, tmp_path):
    path = tmp_path / f"digits{suffix}"
    if suffix == ".pth":
        torch.save(digits().state_dict(), path)
    elif suffix == ".safetensors":
        save_file(digits().state_dict(), path)
    else:
        run_program("convert", *SOURCES, "-o", path)
    sources = [path] if suffix in (".h5", ".keras") else [SOURCES[0], path]
    before = path.read_bytes()
    assert run(tmp_path, *sources, "--map").tobytes() == run(tmp_path, *sources).tobytes()
    assert path.read_bytes() == before


def test_what_cannot_be_mapped_is_said(tmp_path):
    (tmp_path / "empty.pth").touch()
    for path, status in ((tmp_path / "none.pth", 5), (tmp_path, 5), (tmp_path / "empty.pth", 3)):
        message = run_program("run", SOURCES[0], path, "--input", DIGITS / "inputs.npz", "--map", status=status)
        assert str(path) in message and message.count("\n") == 1


@pytest.mark.parametrize("name, words", [("time", "is time for layer \"0\" (GRU)"), ("pairs", "has not one batch axis")])
def test_only_a_batch_is_split(name, words, tmp_path):
    module = (nn.Sequential(nn.GRU(5, 4)) if name == "time" else Pairs()).eval()
    x = torch.randn(6, 3, 5) if name == "time" else torch.randn(6, 5)
    export_architecture(module, x, tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    np.save(tmp_path / "x.npy", x.numpy())
    command = ["run", tmp_path / "m.json", tmp_path / "m.pth", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npz"]
    h5bridge(*command)
    assert words in h5bridge(*command, "--batch-size", 2, status=2)


class Among(nn.Module):
    """A row's result depends on the other rows."""

    def __init__(self, function):
        super().__init__()
        self.dense = nn.Linear(5, 3)
        self.function = function

    def forward(self, x):
        return self.function(self.dense(x))


@pytest.mark.parametrize("function", [lambda x: x - x.mean(0), lambda x: torch.softmax(x, 0), lambda x: x.cumsum(0), lambda x: x.flip(0),
                                      lambda x: x + x[0]], ids=["mean", "softmax", "cumsum", "flip", "first"])  # fmt: skip
def test_rows_that_depend_on_each_other_are_not_split(function, tmp_path):
    module, x = Among(function).eval(), torch.randn(5, 5)
    export_architecture(module, x, tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    np.save(tmp_path / "x.npy", x.numpy())
    command = ["run", tmp_path / "m.json", tmp_path / "m.pth", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npz"]
    assert "depends on the other rows" in h5bridge(*command, "--batch-size", 2, status=2)


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(5, 3)

    def forward(self, x):
        x = self.dense(x)
        return x @ x.T


def test_an_input_in_the_other_frameworks_layout_is_told(tmp_path):
    run_program("convert", *SOURCES, "-o", tmp_path / "digits.h5")
    message = run_program("run", tmp_path / "digits.h5", "--input", DIGITS / "inputs.npz", status=2)
    assert "expected (batch, 8, 8, 1)" in message and "--input-layout torch" in message
    np.save(tmp_path / "last.npy", images().movedim(1, -1).numpy())
    assert "--input-layout keras" in run_program("run", *SOURCES, "--input", tmp_path / "last.npy", status=2)
    np.save(tmp_path / "none.npy", np.zeros((2, 5, 8, 8), np.float32))
    assert "layout" not in run_program("run", *SOURCES, "--input", tmp_path / "none.npy", status=2)
