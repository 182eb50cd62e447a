"""tools/h5bridge_export.py as a program."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from architecture_interpreter import check_form, layer
from torch_helpers import exporter

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "h5bridge_export.py"

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.fc = nn.Linear(4, classes)

    def forward(self, ids, scale):
        return self.fc(self.embed(ids)) * scale.unsqueeze(-1)
"""


def program(*arguments, cwd):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)


def test_program(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "nets.py").write_text(SOURCE)
    for where in ("package.nets:Net", "package/nets.py:Net"):
        done = program(where, "-o", "net.json", "--input-shape", "ids=1,7:int64", "--input-shape", "scale=1,7",
                       "--arguments", '{"classes": 5}', cwd=tmp_path)  # fmt: skip
        assert done.returncode == 0, done.stderr
        a = json.loads((tmp_path / "net.json").read_text())
        check_form(a)
        assert a["inputs"] == [{"name": "ids", "shape": ["batch", "length"], "dtype": "int64"},
                               {"name": "scale", "shape": ["batch", "length"], "dtype": "float32"}]  # fmt: skip
        assert layer(a, "fc")["attributes"]["out_features"] == 5
        (tmp_path / "net.json").unlink()


@pytest.fixture
def program_here(tmp_path, monkeypatch, capsys):
    """The program without a process for it, which would import PyTorch once more: gives its exit status and what it says."""
    command = importlib.import_module(f"{exporter.__name__}.command")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        try:
            status = command.main()
        except SystemExit as exit:
            status = exit.code
        return status, capsys.readouterr().err

    yield run
    sys.modules.pop("nets_of_a_user", None)


def test_program_says_what_is_wrong(program_here, tmp_path):
    (tmp_path / "nets_of_a_user.py").write_text(SOURCE)
    found = program_here("nets_of_a_user:Nothing", "-o", "net.json", "--input-shape", "2,7")
    assert found == (2, "h5bridge_export: nets_of_a_user:Nothing: nets_of_a_user has no Nothing\n")
    status, said = program_here("nets_of_a_user:Net", "-o", "net.json", "--input-shape", "2,7:int64")
    assert status == 4 and said.startswith("h5bridge_export: the example inputs don't fit Net.forward")
    status, said = program_here("nets_of_a_user:Net", "-o", "net.json", "--input-shape", "2,x")
    assert status == 2 and "expected sizes as in" in said
    assert not (tmp_path / "net.json").exists()
