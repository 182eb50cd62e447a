"""Their architecture, my weights: tensors whose names are none of the network's, where it is plain which is which."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from program import h5bridge, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = needs_program


class Theirs(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5)
        self.first, self.last = nn.Linear(5, width), nn.Linear(width, 4)

    def forward(self, x):
        return self.last(self.first(self.norm(self.conv(x)).mean((2, 3))).relu())


def mine(state, names):
    return dict(zip(names, state.values()))


@pytest.fixture
def written(tmp_path):
    """Writes their architecture for a width, and gives a state of it."""

    def write(width):
        module = Theirs(width).eval()
        for tensor in module.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape) if tensor.is_floating_point() else 3)
        export_architecture(module, torch.rand(2, 3, 8, 9), tmp_path / "net.json")
        return module.state_dict()

    return write


def read_back(path, state):
    found = torch.load(path, weights_only=True)
    assert found.keys() == state.keys() and all(torch.equal(found[name], tensor) for name, tensor in state.items())


NAMES = ["a.weight", "b.weight", "b.bias", "b.running_mean", "b.running_var", "b.num_batches_tracked",
         "c.weight", "c.bias", "d.weight", "d.bias"]  # fmt: skip


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_shapes_and_last_parts_of_names_tell(written, suffix, tmp_path):
    """Whatever the order of the file: four tensors have the shape (5,), and are a weight, a bias, a mean and a variance."""
    state = written(6)
    other = dict(reversed(mine(state, NAMES).items()))
    torch.save(other, tmp_path / "mine.pth") if suffix == "pth" else save_file(other, tmp_path / "mine.safetensors")
    run_program("convert", tmp_path / "net.json", tmp_path / f"mine.{suffix}", "-o", tmp_path / "out.pth", "--report", tmp_path / "report.json")
    read_back(tmp_path / "out.pth", state)
    assert "taken by shape: conv.weight is a.weight, norm.weight is b.weight" in (tmp_path / "report.json").read_text()
    del other["b.num_batches_tracked"]  # which older files do not have
    torch.save(other, tmp_path / "older.pth")
    run_program("convert", tmp_path / "net.json", tmp_path / "older.pth", "-o", tmp_path / "out.pth")
    read_back(tmp_path / "out.pth", state | {"norm.num_batches_tracked": torch.tensor(0)})


def test_order_is_for_the_user_to_ask_for(written, tmp_path):
    state = written(5)  # of which two biases have one shape
    torch.save(mine(state, NAMES), tmp_path / "mine.pth")
    run_program("convert", tmp_path / "net.json", tmp_path / "mine.pth", "-o", tmp_path / "out.pth", status=3)
    torch.save(mine(state, [f"layer{i}" for i in range(len(state))]), tmp_path / "mine.pth")
    sources = [tmp_path / "net.json", tmp_path / "mine.pth"]
    message = run_program("convert", *sources, "-o", tmp_path / "out.pth", status=3)
    assert "in their order all shapes fit: --match order takes them so" in message
    run_program("convert", *sources, "-o", tmp_path / "out.pth", "--match", "order", "--report", tmp_path / "report.json")
    read_back(tmp_path / "out.pth", state)
    assert "taken by order: conv.weight is layer0, norm.weight is layer1" in (tmp_path / "report.json").read_text()


def test_a_name_that_is_known_keeps_names_what_they_are(written, tmp_path):
    state = written(6)
    torch.save(mine(state, ["conv.weight", *[f"layer{i}" for i in range(len(state) - 1)]]), tmp_path / "mine.pth")
    message = run_program("convert", tmp_path / "net.json", tmp_path / "mine.pth", "-o", tmp_path / "out.pth", "--match", "order", status=3)
    assert "unexpected: layer0" in message and "--match" not in message


def test_an_optimizer_comes_along(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    export_architecture(module, torch.rand(2, 3), tmp_path / "net.json")
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.rand(2, 3)).sum().backward()
    optimizer.step()
    names = ["a.weight", "a.bias", "b.weight", "b.bias"]
    torch.save({"model": mine(module.state_dict(), names), "optimizer": optimizer.state_dict()}, tmp_path / "mine.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "mine.pth", "-o", tmp_path / "out.pth", "--checkpoint")
    found = torch.load(tmp_path / "out.pth", weights_only=True)["optimizer_state_dict"]
    for number, slots in optimizer.state_dict()["state"].items():
        assert torch.equal(found["state"][number]["exp_avg"], slots["exp_avg"])
