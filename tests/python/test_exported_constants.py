"""What an exported program computes of constants alone, the masks and positions that it holds, and the inputs that it was
exported with."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from exported_programs import both_architectures, normal_form, save_both
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import exporter

pytestmark = needs_program
OPEN_BATCH = {0: torch.export.Dim.AUTO}


def kinds(path):
    return [layer.get("type", layer.get("call")) for layer in json.loads(path.read_text())["layers"]]


def assert_exact(folder, inputs, expected):
    np.savez(folder / "x.npz", **{name: x.numpy() for name, x in inputs.items()})
    h5bridge("run", folder / "m.pt2", "--exact", "--input", folder / "x.npz", "-o", folder / "y.npy")
    assert np.load(folder / "y.npy").tobytes() == expected.detach().numpy().tobytes()


class Distances(nn.Module):
    """Tables of distances and masks, made in forward; through views and in place as well."""

    def __init__(self):
        super().__init__()
        self.head, self.table = nn.Linear(6, 6), nn.Parameter(torch.randn(11, 6, 1))
        self.register_buffer("places", torch.arange(6), persistent=False)

    def forward(self, x):
        i = torch.arange(6)
        distance = i[:, None] - i[None, :]
        mask = torch.zeros(6, 6)
        mask[2:, :3] = 1
        mask[:, -1] += 2.5
        mask.t()[0].mul_(0.3)
        weight = torch.where(distance.abs() > 2, 0.1, 2.0) * mask / 3
        order = torch.cat([i, self.places * 2 - 1]).flip(0).view(2, 6)
        kept = (order[0] % 2 == 0) | ~torch.ones(6, 6, dtype=torch.bool).tril()
        x = self.head(x) * weight + self.table[distance + 5].sum((-2, -1))
        return x.masked_fill(kept, 0.5) + torch.stack([order[1], i]).float().unsqueeze(1).expand(2, 3, 6)[0, 1]


@needs_libtorch
def test_what_is_computed_of_constants_is_one(tmp_path):
    torch.manual_seed(1)
    module, x = Distances().eval(), torch.randn(3, 6, 6)
    save_both(module, (x,), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program == by_exporter
    wanted = ["Linear", "new_tensor", "mul", "Parameter", "new_tensor", "index_by_tensors", "sum", "add", "new_tensor", "masked_fill", "new_tensor", "add"]
    assert sorted(kinds(tmp_path / "by_program.json")) == sorted(wanted)
    assert_exact(tmp_path, {"x": x}, module(x))


class Counting(nn.Module):
    """What one takes before another changes it."""

    def forward(self, x):
        count = torch.ones(4)
        y = x * count
        count += 1
        return y + count


@needs_libtorch
def test_a_constant_that_changes_after_its_use_is_two(tmp_path):
    x = torch.randn(3, 4)
    torch.export.save(torch.export.export(Counting(), (x,), dynamic_shapes=(OPEN_BATCH,)), tmp_path / "m.pt2")
    assert_exact(tmp_path, {"x": x}, Counting()(x))


class Masked(nn.Module):
    """Attention with a mask among the buffers: of numbers or truth values, causal or another one."""

    def __init__(self, mask, persistent):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.register_buffer("mask", mask, persistent=persistent)

    def forward(self, x):
        return self.attention(x, x, x, attn_mask=self.mask, need_weights=False)[0]


LATER = torch.full((6, 6), -torch.inf).triu(1)
OTHERS = torch.zeros(6, 6).masked_fill(torch.eye(6) + torch.eye(6).flip(0) > 0, -torch.inf)


@needs_libtorch
@pytest.mark.parametrize("mask, persistent, is_causal", [(LATER, True, True), (LATER < 0, True, True), (OTHERS, False, False)], ids=["numbers", "truth", "other"])
def test_a_mask_that_is_kept_is_the_attentions(mask, persistent, is_causal, tmp_path):
    torch.manual_seed(1)
    module, x = Masked(mask, persistent).eval(), torch.randn(3, 6, 8)
    save_both(module, (x,), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    if is_causal:  # the exporter leaves the length open then, the program's graph has it fixed
        assert all(layers == [("MultiheadAttention", True)] for layers in ([(one["type"], one["attributes"].get("use_causal_mask")) for one in form["layers"]] for form in (by_exporter, by_program)))
    else:
        assert by_program["layers"] == by_exporter["layers"]
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.keras", "-o", tmp_path / "home.pth", "--check")
    assert list(torch.load(tmp_path / "home.pth")) == list(module.state_dict())


class MadeCausal(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        mask = ~torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        return self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]


def test_a_causal_mask_of_any_length_is_a_setting(tmp_path):
    module, x = MadeCausal().eval(), torch.randn(3, 6, 8)
    save_both(module, (x,), tmp_path)
    by_exporter, by_program = both_architectures(tmp_path)
    for made in (by_exporter, by_program):
        assert [(layer["type"], layer["attributes"]["use_causal_mask"]) for layer in made["layers"]] == [("MultiheadAttention", True)]
        assert made["inputs"][0]["shape"] == ["batch", "length", 8]


class InOrder(nn.Module):
    """Whose last bits hang on how elements lie in memory."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(16, 8, 3, padding=1)
        self.dense = nn.utils.parametrizations.weight_norm(nn.Linear(24, 8))

    def forward(self, x, grid):
        y = self.convolution(x.permute(0, 3, 1, 2).contiguous())
        y = F.grid_sample(y, grid, padding_mode="reflection", align_corners=True)
        return self.dense(y.permute(0, 2, 1, 3).clone(memory_format=torch.contiguous_format).flatten(2).sin())


@needs_libtorch
def test_memory_and_weights_are_put_in_order_as_pytorch_does(tmp_path):
    torch.manual_seed(1)
    module = InOrder().eval()
    inputs = {"x": torch.randn(3, 9, 7, 16), "grid": torch.randn(3, 5, 3, 2)}
    save_both(module, tuple(inputs.values()), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program == by_exporter
    assert kinds(tmp_path / "by_program.json").count("contiguous") == 2
    assert_exact(tmp_path, inputs, module(*inputs.values()))
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.keras", "--check")


class Chosen(nn.Module):
    """Takes numbers that no random ones are."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.randn(4))

    def forward(self, x, index):
        return x.gather(1, index) * self.scale


@needs_libtorch
def test_the_inputs_of_the_export_are_those_of_a_check_and_a_run(tmp_path):
    torch.manual_seed(1)
    module, inputs = Chosen(), (torch.randn(3, 2, 4), torch.randint(2, (3, 5, 4)))
    torch.export.save(torch.export.export(module, inputs, dynamic_shapes=(OPEN_BATCH, OPEN_BATCH)), tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.keras", "--check")
    h5bridge("run", tmp_path / "m.pt2", "--exact", "-o", tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), module(*inputs).detach().numpy())
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", "-o", tmp_path / "m.pth")
    assert "--input" in h5bridge("run", tmp_path / "m.json", tmp_path / "m.pth", status=2)


class Reordered(nn.Module):
    """A parameter of integers, which no optimizer changes, and which it counts."""

    def __init__(self):
        super().__init__()
        self.first, self.order, self.last = nn.Linear(4, 4), nn.Parameter(torch.tensor([2, 0, 1]), requires_grad=False), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(self.first(x)[:, self.order])


def test_an_optimizer_counts_parameters_of_integers(tmp_path):
    torch.manual_seed(1)
    module, x = Reordered(), torch.randn(5, 4)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    module(x).square().sum().backward()
    optimizer.step()
    save_both(module, (x,), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program == by_exporter
    (tmp_path / "m.json").write_text(exporter.dumps(exporter.describe(module, (x,))))
    checkpoint = {"epoch": 1, "loss": 0.5, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    torch.save(checkpoint, tmp_path / "c.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "c.pth", "-o", tmp_path / "m.keras")
    h5bridge("convert", tmp_path / "m.keras", "-o", tmp_path / "home.pth", "--checkpoint")
    home = torch.load(tmp_path / "home.pth")
    again = Reordered()
    again.load_state_dict(home["model_state_dict"])
    resumed = torch.optim.Adam(again.parameters(), 0.01)
    resumed.load_state_dict(home["optimizer_state_dict"])
    assert torch.equal(again.order, module.order)
    for one, other in zip(again.parameters(), module.parameters()):
        assert resumed.state[one].keys() == optimizer.state[other].keys()
        assert all(torch.equal(resumed.state[one][slot], value) for slot, value in optimizer.state[other].items())


class Transposed(nn.Module):
    """Products with tables that lie in memory in another order of axes, of which the last bits depend on it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.randn(33, 65), persistent=False)

    def forward(self, x):
        return x @ self.table.t() + x.tanh() @ (self.table * 2).permute(1, 0).reshape(65, 33)


@needs_libtorch
def test_a_table_lies_in_memory_as_it_did(tmp_path):
    torch.manual_seed(2)
    module, x = Transposed().eval(), torch.randn(17, 65)
    save_both(module, (x,), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program == by_exporter
    assert kinds(tmp_path / "by_program.json").count("permute") == 2
    assert_exact(tmp_path, {"x": x}, module(x))
