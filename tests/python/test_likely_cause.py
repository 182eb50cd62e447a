"""What `verify` and `compare` say of a failure: the layer, and what is otherwise about it, found by trying."""

import json
import re

import numpy as np
import pytest
import torch

from program import ROOT, needs_libtorch, needs_program, package, run_program
from torch_helpers import export_architecture

pytestmark = [needs_program, needs_libtorch]


class Pictures(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.bn = torch.nn.BatchNorm2d(4)
        self.pool = torch.nn.MaxPool2d(2)
        self.head = torch.nn.Linear(36, 8)
        torch.nn.init.uniform_(self.bn.running_mean, -0.1, 0.1)
        torch.nn.init.uniform_(self.bn.running_var, 0.01, 0.05)

    def forward(self, x):
        return self.head(torch.flatten(self.pool(torch.relu(self.bn(self.conv(x)))), 1))


class Sequences(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(5, 4, batch_first=True)
        self.head = torch.nn.Linear(4, 3)

    def forward(self, x):
        values, _ = self.gru(x)
        values = torch.nn.functional.scaled_dot_product_attention(values, values, values, is_causal=True)
        return self.head(values)


class Blocks(torch.nn.Module):
    """Two blocks that are alike, with functions of two kinds."""

    def __init__(self):
        super().__init__()
        self.convolutions = torch.nn.ModuleList([torch.nn.Conv2d(2, 4, 3), torch.nn.Conv2d(4, 4, 3)])
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm2d(4), torch.nn.BatchNorm2d(4)])
        for norm in self.norms:
            torch.nn.init.uniform_(norm.running_var, 0.01, 0.05)

    def forward(self, x):
        for convolution, norm in zip(self.convolutions, self.norms):
            x = torch.relu(torch.nn.functional.silu(norm(convolution(x))) - 0.1)
        return x


NETWORKS = {"pictures": (Pictures, (3, 2, 6, 6)), "sequences": (Sequences, (3, 7, 5)), "blocks": (Blocks, (3, 2, 7, 7))}


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """Of each network the architecture, its state_dict, and PyTorch's own outputs; a .pth with a reference of LibTorch's."""
    folder = tmp_path_factory.mktemp("right")
    torch.manual_seed(3)
    for name, (network, shape) in NETWORKS.items():
        module, x = network().eval(), torch.rand(shape) * 2 - 0.5
        export_architecture(module, x, str(folder / f"{name}.json"))
        torch.save(module.state_dict(), folder / f"{name}.pth")
        with torch.no_grad():
            np.savez(folder / f"{name}_y.npz", output=module(x).numpy())
        np.savez(folder / f"{name}_x.npz", x=x.numpy())
        run_program("convert", folder / f"{name}.json", folder / f"{name}.pth", "-o", folder / f"{name}.safetensors", "--reference", 4)
    return folder


def changed_state(name):
    """A change of the tensor `name`."""

    def decorate(change):
        def apply(architecture, state):
            state[name] = change(state[name]).contiguous()

        return apply

    return decorate


def changed_setting(name, **attributes):
    def apply(architecture, state):
        [layer] = [layer for layer in architecture["layers"] if layer.get("type") == name]
        layer.setdefault("attributes", {}).update(attributes)

    return apply


def gates_of_keras(architecture, state):
    for name in state:
        if name.startswith("gru."):
            r, z, n = state[name].chunk(3)
            state[name] = torch.cat([z, r, n])


# What is done to the network, by its name: which layer is to blame, what is said of it, and of which kind it is.
FAULTS = {
    "epsilon": ("pictures", changed_setting("BatchNorm2d", eps=1e-3), "bn", "epsilon", "eps"),
    "flipped": ("pictures", changed_state("conv.weight")(lambda w: w.flip(2, 3)), "conv", "flipped kernel", "conv.weight"),
    "transposed": ("pictures", changed_state("conv.weight")(lambda w: w.transpose(2, 3)), "conv", "layout", "conv.weight"),
    "reshaped": ("pictures", changed_state("conv.weight")(lambda w: w.permute(2, 3, 1, 0).reshape(4, 2, 3, 3)), "conv", "layout", "conv.weight"),
    "columns": ("pictures", changed_state("head.weight")(lambda w: w.view(8, 4, 3, 3).permute(0, 2, 3, 1).reshape(8, 36)), "head", "layout", "channels last"),
    "deviation": ("pictures", changed_state("bn.running_var")(torch.sqrt), "bn", "statistics", "squared"),
    "gates": ("sequences", gates_of_keras, "gru", "gate order", "(1, 0, 2)"),
    "mask": ("sequences", changed_setting("scaled_dot_product_attention", is_causal=False), "scaled_dot_product_attention", "mask", "is_causal"),
}


@pytest.fixture(scope="module")
def faulty(right, tmp_path_factory):
    """The same networks, each with a fault: sources, by its name."""
    folder = tmp_path_factory.mktemp("faulty")

    def made(fault):
        name, apply, *_ = FAULTS[fault]
        architecture, state = json.loads((right / f"{name}.json").read_text()), torch.load(right / f"{name}.pth")
        apply(architecture, state)
        (folder / f"{fault}.json").write_text(json.dumps(architecture))
        torch.save(state, folder / f"{fault}.pth")
        return name, [folder / f"{fault}.json", folder / f"{fault}.pth"]

    return {fault: made(fault) for fault in FAULTS}


def assert_found(found, fault):
    _, _, layer, kind, said = FAULTS[fault]
    assert not found["agrees"]
    cause = found["likely_cause"]
    assert cause is not None and cause["kind"] == kind and said in cause["what"] and cause["all_outputs_agree"], found
    assert cause["layer"].split("_1")[0] == layer


@pytest.mark.parametrize("fault", FAULTS)
def test_where_only_outputs_are_known(fault, right, faulty):
    name, sources = faulty[fault]
    given = ["--input", right / f"{name}_x.npz", "--expect", right / f"{name}_y.npz"]
    run_program("verify", right / f"{name}.json", right / f"{name}.pth", *given)
    assert_found(json.loads(run_program("verify", *sources, *given, "--json", status=1)), fault)


@pytest.mark.parametrize("fault", ["columns", "gates"])
def test_beside_the_first_layer_that_differs(fault, right, faulty):
    name, sources = faulty[fault]
    compared = ["compare", right / f"{name}.json", right / f"{name}.pth", "--with", *sources, "--random-inputs", 3]
    found = json.loads(run_program(*compared, "--json", status=1))["run"]
    assert_found(found, fault)
    assert found["first_layer"]["name"].split("_1")[0] == found["likely_cause"]["layer"].split("_1")[0]
    printed = run_program(*compared, status=1)
    assert f"likely cause, {FAULTS[fault][3]}: " in printed and "all outputs agree" in printed


@pytest.mark.parametrize("kind, said, change", [
    ("epsilon", '"eps" 1e-05 in place of 0.001', lambda layer: layer["type"] == "BatchNorm2d" and layer.setdefault("attributes", {}).update(eps=1e-3)),
    ("activation", "SiLU in place of ReLU", lambda layer: layer["type"] == "SiLU" and layer.update(type="ReLU")),
])  # fmt: skip
def test_what_is_done_to_several_layers(kind, said, change, right, tmp_path):
    """Beside other layers of the type that are right: ReLUs."""
    architecture = json.loads((right / "blocks.json").read_text())
    assert sum(bool(layer["type"] in ("BatchNorm2d", "SiLU") and change(layer) is None) for layer in architecture["layers"]) == 2
    (tmp_path / "wrong.json").write_text(json.dumps(architecture))
    sources = [right / "blocks.json", right / "blocks.pth"]
    wrong = [tmp_path / "wrong.json", right / "blocks.pth"]
    verified = json.loads(run_program("verify", *wrong, "--input", right / "blocks_x.npz", "--expect", right / "blocks_y.npz", "--json", status=1))
    compared = json.loads(run_program("compare", *sources, "--with", *wrong, "--random-inputs", 3, "--json", status=1))
    for found in (verified, compared["run"]):
        cause = found["likely_cause"]
        assert cause["kind"] == kind and said in cause["what"] and "in 2 layers" in cause["what"] and cause["all_outputs_agree"], found
    [note] = [line for line in compared["notes"] if "is another" in line]
    assert '"norms.0" has eps 0.001 in the second, 1e-05 in the first' in note if kind == "epsilon" else "ReLU in the second, SiLU in the first" in note


@pytest.mark.parametrize("fault", ["epsilon", "mask"])
def test_of_a_reference_that_the_file_keeps(fault, right, faulty):
    name, (architecture, _) = faulty[fault]
    found = json.loads(run_program("verify", architecture, right / f"{name}.safetensors", "--json", status=1))
    assert_found(found, fault)
    assert found["first_layer"]["name"] == found["likely_cause"]["layer"]


def the_same_in_python(mine, theirs):
    """But for rounding, which another PyTorch may do otherwise."""
    said = ("agrees", "likely_cause", "first_layer")
    mine, theirs = ({name: found.get(name) for name in said} for found in (mine, theirs))
    for found in (mine, theirs):
        if found["first_layer"]:
            found["first_layer"] = found["first_layer"]["name"]
    return mine == theirs


@pytest.mark.parametrize("fault", ["epsilon", "gates"])
def test_python_finds_what_the_program_finds(fault, right, faulty):
    name, sources = faulty[fault]
    whole = [right / f"{name}.json", right / f"{name}.pth"]
    x, y = (dict(np.load(right / f"{name}_{what}.npz")) for what in "xy")
    found = package.verify(sources, x, y)
    assert_found(found, fault)
    files = ["--input", right / f"{name}_x.npz", "--expect", right / f"{name}_y.npz"]
    assert the_same_in_python(found, json.loads(run_program("verify", *sources, *files, "--json", status=1)))

    found = package.compare(whole, sources, inputs=x)["run"]
    assert_found(found, fault)
    compared = ["compare", *whole, "--with", *sources, "--input", right / f"{name}_x.npz", "--json"]
    assert the_same_in_python(found, json.loads(run_program(*compared, status=1))["run"])


@pytest.mark.parametrize("fault", ["epsilon", "mask"])
def test_python_replays_a_reference_as_the_program_does(fault, right, faulty):
    name, (architecture, _) = faulty[fault]
    kept = [architecture, right / f"{name}.safetensors"]
    found = package.verify(kept)
    assert_found(found, fault)
    assert the_same_in_python(found, json.loads(run_program("verify", *kept, "--json", status=1)))
    assert package.verify([right / f"{name}.json", kept[1]])["agrees"]


def test_inputs_are_suspected(right, tmp_path):
    x = np.load(right / "pictures_x.npz")["x"]
    sources = [right / "pictures.json", right / "pictures.pth"]
    expected = ["--expect", right / "pictures_y.npz", "--json"]
    for change, said in ((x[:, ::-1], "channels"), (x * np.float32(255), "divided by 255")):
        np.savez(tmp_path / "x.npz", x=change)
        cause = json.loads(run_program("verify", *sources, "--input", tmp_path / "x.npz", *expected, status=1))["likely_cause"]
        assert cause["kind"] == "input" and said in cause["what"] and cause["layer"] is None


def test_no_cause_is_made_up(right, tmp_path):
    given = ["--input", right / "pictures_x.npz", "--expect", tmp_path / "y.npz"]
    np.savez(tmp_path / "y.npz", output=np.random.default_rng(0).random((3, 8), dtype=np.float32))
    sources = [right / "pictures.json", right / "pictures.pth"]
    assert json.loads(run_program("verify", *sources, *given, "--json", status=1))["likely_cause"] is None
    assert "likely" not in run_program("verify", *sources, *given, status=1)


def test_every_kind_is_explained():
    source = "".join((ROOT / "src/convert" / name).read_text() for name in ("suppositions.cpp", "likely_cause.cpp"))
    kinds = set(re.findall(r'^      \{"\w+", "([a-z ]+)", \{', source, re.MULTILINE)) | set(re.findall(r'\badd(?:_tensor)?\(\s*"([a-z ]+)"', source))
    kinds |= set(re.findall(r'LikelyCause\{"", "([a-z]+)"', source)) | set(re.findall(r'\? "([a-z]+)" : row->kind', source))
    page = (ROOT / "docs/when_numbers_differ.md").read_text()
    assert len(kinds) > 10 and set(re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE)) == kinds
