"""`pip install .`: a wheel of the library without LibTorch, and the program in it, far from the sources."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sampled import has_its_turn

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "testdata/digits"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(program, tmp_path_factory):
    """The wheel, and the folder where it is installed. It takes a build of its own, so that one commit in eight has its turn."""
    pytest.importorskip("scikit_build_core")
    if not has_its_turn("H5BRIDGE_WHEEL", 8):
        pytest.skip("another commit's turn; H5BRIDGE_WHEEL=1 makes it this one's")
    made, site = (tmp_path_factory.mktemp(name) for name in ("wheel", "site"))
    subprocess.run([*PIP, "wheel", ROOT, "--no-deps", "--no-build-isolation", "--wheel-dir", made], check=True)
    [path] = made.glob("*.whl")
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", site, path], check=True)
    return path, site


def of_the_wheel(wheel, arguments, folder):
    """What Python says that finds the package there alone."""
    environment = {**os.environ, "PYTHONPATH": str(wheel[1])}
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_alone(wheel):
    names = zipfile.ZipFile(wheel[0]).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"h5bridge"}
    assert {"h5bridge/py.typed", "h5bridge/_core.pyi", "h5bridge/exporter/__init__.py", "h5bridge/bin/h5bridge"} <= set(names)
    assert not [name for name in names if "torch" in Path(name).name and name.endswith(".so")]


def test_it_converts(wheel, tmp_path):
    script = (
        "import h5bridge, sys\n"
        f"assert h5bridge.__file__.startswith({str(wheel[1])!r})\n"
        f"h5bridge.convert([{str(DIGITS / 'model.json')!r}, {str(DIGITS / 'model.pth')!r}], 'digits.h5')\n"
        f"assert h5bridge.compare('digits.h5', {str(DIGITS / 'model.pth')!r})['agrees']\n"
        "assert 'torch' not in sys.modules and 'keras' not in sys.modules\n"
    )
    of_the_wheel(wheel, ["-c", script], tmp_path)


def test_its_program_does_what_needs_no_libtorch(wheel, tmp_path):
    program = ["-m", "h5bridge", "convert", DIGITS / "model.json", DIGITS / "model.pth", "-o", "digits.h5"]
    of_the_wheel(wheel, program, tmp_path)
    told = json.loads(of_the_wheel(wheel, ["-m", "h5bridge", "inspect", "--json", "digits.h5"], tmp_path))
    assert told["format"] == "keras-h5"
    script = subprocess.run([wheel[1] / "bin/h5bridge", "--version"], env={**os.environ, "PYTHONPATH": str(wheel[1])}, capture_output=True, text=True)
    assert script.returncode == 0 and script.stdout.startswith("h5bridge "), script.stderr
