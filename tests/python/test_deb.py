"""Debian packages of the build: the core, and what needs LibTorch."""

import os
import shutil
import subprocess

import pytest

from program import PROGRAM, ROOT, needs_program
from sampled import has_its_turn

DIGITS = ROOT / "testdata/digits"
pytestmark = [needs_program, pytest.mark.skipif(not (shutil.which("cpack") and shutil.which("dpkg-deb")), reason="no Debian")]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """By their names. Packing takes its time, so that one commit in eight has its turn."""
    if not has_its_turn("H5BRIDGE_DEB", 8):
        pytest.skip("another commit's turn; H5BRIDGE_DEB=1 makes it this one's")
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run(["cpack", "-G", "DEB", "-B", folder], cwd=PROGRAM.parent, check=True, capture_output=True)
    return {path.name.split("_")[0]: path for path in folder.glob("*.deb")}


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout


def test_what_they_depend_on(packages, has_libtorch):
    assert set(packages) == {"h5bridge"} | ({"h5bridge-torch"} if has_libtorch else set())
    depends = field(packages["h5bridge"], "Depends")
    assert "libhdf5" in depends and "libdeflate" in depends and "torch" not in depends
    if has_libtorch:
        assert "h5bridge (= " in field(packages["h5bridge-torch"], "Depends")


def test_what_they_install_works(packages, has_libtorch, tmp_path):
    for package in packages.values():
        subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    for file in ("man/man1/h5bridge.1", "bash-completion/completions/h5bridge", "h5bridge/h5bridge_export.py"):
        assert (tmp_path / "usr/share" / file).stat().st_size > 0
    assert list((tmp_path / "usr/include/h5bridge").glob("*.h")) and list(tmp_path.glob("usr/lib*/**/h5bridge-config.cmake"))
    program, sources = tmp_path / "usr/bin/h5bridge", [DIGITS / "model.json", DIGITS / "model.pth"]
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    commands = [["convert", *sources, "-o", tmp_path / "x.h5"]]
    if has_libtorch:
        commands.append(["verify", *sources, "--input", DIGITS / "inputs.npz", "--expect", DIGITS / "outputs.npz"])
    for command in commands:
        done = subprocess.run([program, *command], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
