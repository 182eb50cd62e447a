"""--map and --rename: a state_dict whose names are others than the network's."""

import json

import numpy
import pytest
import torch
from torch import nn

from program import h5bridge, needs_libtorch, needs_program, package
from test_checks import h5bridge as run
from torch_helpers import export_architecture

pytestmark = needs_program


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 5)
        self.norm = nn.BatchNorm1d(5)
        self.last = nn.Linear(5, 5)

    def forward(self, x):
        return self.last(self.norm(self.first(x)))


@pytest.fixture
def files(tmp_path):
    """The network's JSON, its own state_dict, and one under others' names: encoder.block_1.w for first.weight."""
    torch.manual_seed(1)
    net = Small()
    net.norm.running_mean.normal_()
    export_architecture(net, [torch.randn(3, 4)], tmp_path / "net.json")
    state = net.state_dict()
    torch.save(state, tmp_path / "own.pth")
    theirs = {"fc_in.weight": "first.weight", "fc_in.bias": "first.bias"}
    theirs |= {f"model.blocks.{name.replace('.', '/')}": name for name in state if not name.startswith("first")}
    torch.save({name: state[own] for name, own in theirs.items()}, tmp_path / "theirs.pth")
    (tmp_path / "names.json").write_text(json.dumps({name: own for name, own in theirs.items() if name.startswith("fc_in")}))
    return tmp_path, state


def assert_same(path, state):
    found = torch.load(path, weights_only=True)
    assert list(found) == list(state) and all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_names_from_a_file_and_by_expressions_in_turn(files):
    folder, state = files
    h5bridge("convert", folder / "net.json", folder / "theirs.pth", "-o", folder / "net.h5",
             "--map", folder / "names.json", "--rename", r"^model\.blocks\.=", "--rename", r"(\w+)/(\w+)=\1.\2")  # fmt: skip
    h5bridge("convert", folder / "net.h5", "-o", folder / "home.pth")
    assert_same(folder / "home.pth", state)


def test_names_are_for_every_command(files):
    """`run` and `verify` have another --map."""
    folder, state = files
    torch.save({name.replace("first", "fc_in"): tensor for name, tensor in state.items()}, folder / "one.pth")
    sources = [folder / "net.json", folder / "one.pth"]
    h5bridge("compare", *sources, "--with", folder / "net.json", folder / "own.pth", "--map", folder / "names.json")
    h5bridge("validate", *sources, "--names", folder / "names.json")
    assert "first.weight" in h5bridge("inspect", "--json", *sources, "--map", folder / "names.json")
    message = run("run", *sources, "--map", folder / "names.json", "--input", "x.npy", status=3).stderr
    assert "it is a map of names, for --names" in message
    message = run("compare", folder / "one.pth", folder / "own.pth", "--map", folder / "wrong.json", status=5).stderr
    assert "No such file" in message


@needs_libtorch
def test_a_model_is_run_under_other_names(files):
    folder, state = files
    torch.save({name.replace("first", "fc_in"): tensor for name, tensor in state.items()}, folder / "one.pth")
    numpy.save(folder / "x.npy", numpy.ones((3, 4), "float32"))
    names = ["--names", folder / "names.json", "--mmap"]
    h5bridge("run", folder / "net.json", folder / "own.pth", "--input", folder / "x.npy", "-o", folder / "y.npy")
    h5bridge("verify", folder / "net.json", folder / "one.pth", *names, "--input", folder / "x.npy", "--expect", folder / "y.npy")


def test_without_an_architecture_names_are_those_that_are_written(files):
    folder, _ = files
    h5bridge("convert", folder / "theirs.pth", "-o", folder / "x.safetensors", "--rename", r"\.=\=")
    tensors = json.loads(h5bridge("inspect", "--json", folder / "x.safetensors"))["tensors"]
    assert "fc_in=weight" in [tensor["name"] for tensor in tensors]


def test_an_optimizer_that_names_its_parameters_comes_along(files):
    folder, state = files
    net = Small()
    net.load_state_dict(state)
    renamed = [(f"net.{name}", parameter) for name, parameter in net.named_parameters()]
    optimizer = torch.optim.Adam(renamed)
    net(torch.randn(3, 4)).sum().backward()
    optimizer.step()
    saved = {"model_state_dict": {f"net.{name}": tensor for name, tensor in net.state_dict().items()}, "optimizer_state_dict": optimizer.state_dict()}
    torch.save(saved, folder / "run.pth")
    h5bridge("convert", folder / "net.json", folder / "run.pth", "-o", folder / "home.pth", "--checkpoint", "--rename", "^net\\.=", "--epoch", 1, "--loss", 0)
    home = torch.load(folder / "home.pth", weights_only=True)
    assert home["optimizer_state_dict"]["param_groups"][0]["param_names"] == [name for name, _ in net.named_parameters()]
    again = torch.optim.Adam(net.named_parameters())
    again.load_state_dict(home["optimizer_state_dict"])
    for parameter in net.parameters():
        assert torch.equal(again.state[parameter]["exp_avg"], optimizer.state[parameter]["exp_avg"])


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (["--rename", r"\..*="], 3, "are both renamed to"),
        (["--rename", "norm"], 2, 'has no \'=\', expected EXPRESSION=REPLACEMENT'),
        (["--rename", "(=x"], 2, "is no regular expression"),
        (["--rename", ".*="], 3, "is renamed to nothing"),
        (["--map", "wrong.json"], 2, '"no.such"'),
    ],
)
def test_what_cannot_be_renamed_is_said(files, arguments, status, words):
    folder, _ = files
    (folder / "wrong.json").write_text('{"no.such": "first.weight"}')
    error = run("convert", "net.json", "own.pth", "-o", "x.h5", *arguments, folder=folder, status=status).stderr
    assert words in error and not (folder / "x.h5").exists()


def test_the_package_takes_both(files):
    folder, state = files
    if not package:
        pytest.skip("the package is not built")
    names = json.loads((folder / "names.json").read_text())
    rename = [r"^model\.blocks\.=", "/=."]
    package.convert([folder / "net.json", folder / "theirs.pth"], folder / "home.pth", map=names, rename=rename)
    assert_same(folder / "home.pth", state)
    with pytest.raises(package.UsageError, match="rename"):
        package.load(folder / "own.pth", rename="a=b")


def test_an_expression_that_fits_no_name_is_noted(files):
    folder, _ = files
    done = run("convert", folder / "net.json", folder / "own.pth", "--rename", "^encoder=", "-o", folder / "out.pth")
    assert "--rename changes no name" in done.stderr
