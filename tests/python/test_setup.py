"""tools/setup with a PyTorch that is there already: that one is used, nothing of it is installed again, the build finds it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from program import ROOT
from sampled import has_its_turn


@pytest.fixture
def setup(tmp_path):
    """Runs tools/setup in a folder that has nothing else: setup(python) names it a Python, setup() none."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")

    def run(python=None):
        environment = {name: value for name, value in os.environ.items() if name != "H5BRIDGE_PYTHON"}
        # Whatever is not there already is an error: there is nowhere to have it from.
        environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "nothing")}
        if python:
            environment["H5BRIDGE_PYTHON"] = str(python)
        return subprocess.run([tmp_path / "tools" / "setup"], env=environment, capture_output=True, text=True)

    return run


def fake_python(folder, version, new_abi=True):
    """A Python whose torch is nothing but a version."""
    (folder / "fake" / "torch").mkdir(parents=True)
    (folder / "fake" / "torch" / "__init__.py").write_text(
        f"__version__ = {version!r}\n\n\ndef compiled_with_cxx11_abi():\n    return {new_abi}\n"
    )
    python = folder / "fake" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder / "fake"} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def torch_of(folder):
    """What .venv's Python imports as torch."""
    command = [folder / ".venv/bin/python", "-c", "import torch; print(torch.__file__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not has_its_turn("H5BRIDGE_SETUP", 4), reason="another commit's turn; H5BRIDGE_SETUP=1 makes it this one's")
def test_a_torch_that_is_there_is_used(setup, tmp_path):
    """It makes three environments and starts PyTorch in them."""
    done = setup(sys.executable)
    assert done.returncode == 0, done.stderr
    theirs = Path(torch.__file__).resolve()
    assert f"will use the PyTorch of {sys.executable}" in done.stderr
    assert Path(torch_of(tmp_path)).resolve() == theirs
    assert (tmp_path / ".venv/torch").resolve() == theirs.parent
    assert not list(tmp_path.glob(".venv/lib/python3*/site-packages/*[tT]orch*"))

    # Without the variable, what is there is kept, also when it has to be looked at again.
    for change in ("", "# a comment\n"):
        with open(tmp_path / "tools/requirements.txt", "a") as requirements:
            requirements.write(change)
        done = setup()
        assert done.returncode == 0, done.stderr
        assert bool(done.stderr) == bool(change)
        assert Path(torch_of(tmp_path)).resolve() == theirs
    # And .venv's own Python is no other one.
    done = setup(tmp_path / ".venv/bin/python")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "version, new_abi, message",
    [
        ("2.3.1+cpu", True, "has PyTorch 2.3.1+cpu, older than 2.4"),
        ("2.5.0", False, "has PyTorch 2.5.0 built with the C++ ABI from before GCC 5, which HDF5's C++ library is not"),
    ],
)
def test_a_torch_that_does_not_do_is_named(setup, tmp_path, version, new_abi, message):
    python = fake_python(tmp_path, version, new_abi)
    done = setup(python)
    assert done.returncode == 1
    assert done.stderr.startswith(f"setup: {python} {message}") and done.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_torch_is_named(setup, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "empty"], check=True)
    for python, message in [
        (tmp_path / "empty/bin/python", "has no PyTorch that can be imported (No module named 'torch')"),
        ("/bin/false", "is no Python 3"),
        ("/no/such/python", "is no program"),
    ]:
        done = setup(python)
        assert done.returncode == 1
        assert f"{python} {message}" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / ".venv").exists()
