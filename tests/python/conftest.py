"""What the tests of the built program share."""

import subprocess

import pytest

from program import PROGRAM


@pytest.fixture(scope="session")
def program():
    """The path of the built program; H5BRIDGE names another one."""
    if not PROGRAM.exists():
        pytest.skip(f"the program is not built: {PROGRAM}")
    return PROGRAM


@pytest.fixture
def h5bridge(program, tmp_path):
    """Runs the program in the test's folder: h5bridge("inspect", path) gives returncode, stdout and stderr as text."""

    def call(*arguments, **options):
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path, **options)

    return call


@pytest.fixture(scope="session")
def has_libtorch(program):
    return (program.parent / "libh5bridge_torch.so").exists()


@pytest.fixture
def needs_libtorch(has_libtorch):
    if not has_libtorch:
        pytest.skip("the program is built without LibTorch")
