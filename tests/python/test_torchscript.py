"""TorchScript archives: what torch.jit.load gives as state_dict is what is read, and nothing in the archive is run."""

import json
import zipfile

import pytest
import torch
from torch import nn

from program import h5bridge, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = needs_program


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4))
        self.again = self.body[0]
        self.scale = nn.Parameter(torch.randn(4))
        self.plain = torch.randn(2)  # an attribute, which is in no state_dict
        self.register_buffer("kept", torch.randn(2))
        self.register_buffer("passing", torch.randn(2), persistent=False)
        self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.width = 4

    def forward(self, x):
        x = self.body(x) * self.scale
        for block in self.blocks:
            x = block(x)
        return x


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.fixture(params=["script", "trace"])
def archive(request, tmp_path):
    torch.manual_seed(4)
    module = Net().eval()
    made = torch.jit.script(module) if request.param == "script" else torch.jit.trace(module, torch.randn(2, 3))
    torch.jit.save(made, tmp_path / "net.ts")
    return module, tmp_path / "net.ts"


def test_the_state_dict(archive, tmp_path):
    _, file = archive
    h5bridge("convert", file, "-o", tmp_path / "out.pth", "-o", tmp_path / "out.safetensors")
    found, expected = torch.load(tmp_path / "out.pth", weights_only=True), torch.jit.load(file).state_dict()
    assert list(found) == list(expected)
    assert all(found[name].dtype == tensor.dtype and found[name].shape == tensor.shape and bits(found[name]) == bits(tensor) for name, tensor in expected.items())
    assert found["again.weight"].data_ptr() == found["body.0.weight"].data_ptr()


def test_the_tree_of_modules(archive):
    _, file = archive
    shown = json.loads(run_program("inspect", file, "--json"))
    assert shown["format"] == "torchscript"
    classes = {module["name"]: module["class"] for module in shown["metadata"]["modules"]}
    names = ("", "body", "body.0", "body.1", "again", "blocks", "blocks.0", "blocks.1")
    assert set(classes) == set(names) and classes["body.1"] == "torch.nn.modules.batchnorm.BatchNorm1d"
    assert classes[""].endswith("Net") and "mangle" not in str(classes)


def test_with_an_architecture_it_becomes_a_keras_file(archive, tmp_path):
    module, file = archive
    export_architecture(module, torch.zeros(2, 3), tmp_path / "net.json")
    message = run_program("convert", tmp_path / "net.json", file, "-o", tmp_path / "net.h5", status=3)
    assert "unexpected: passing" in message  # such an archive does not say that it is not persistent
    h5bridge("convert", tmp_path / "net.json", file, "-o", tmp_path / "net.h5", "--allow-unexpected")
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    assert all(bits(home[name]) == bits(tensor) for name, tensor in module.state_dict().items())
    assert "tools/h5bridge_export.py" in run_program("convert", file, "-o", tmp_path / "no.h5", status=4)


def test_code_that_is_no_code_changes_nothing(archive, tmp_path):
    """Only the lists of names are looked at."""
    _, file = archive
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(tmp_path / "odd.ts", "w") as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename.endswith(".py"):
                content = b"import os; os.abort()\n" + content.replace(b"def forward(self", b"$$$ not Python (")
            target.writestr(entry.filename, content)
    h5bridge("convert", tmp_path / "odd.ts", "-o", tmp_path / "out.pth")
    assert list(torch.load(tmp_path / "out.pth", weights_only=True)) == list(torch.jit.load(file).state_dict())
