"""What the README tells its readers to type does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PROGRAM = Path(os.environ.get("H5BRIDGE", ROOT / "build" / "h5bridge")).resolve()
PACKAGE = PROGRAM.parent / "python"


def blocks(language, before=""):
    """The fenced blocks of a language, each after a line that ends in `before`."""
    return re.findall(rf"^[^\n]*{re.escape(before)}\n```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A folder that has what a reader has: the sources' files, and the program and Python on the PATH."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("testdata", "tools"):
        (folder / name).symlink_to(ROOT / name)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(PROGRAM.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT / "testdata"), str(PACKAGE)]),
        "KERAS_BACKEND": "torch",
    }

    def run(*command):
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result.stdout

    run.folder = folder
    return run


def test_commands(reader):
    scripts = blocks("sh", before="<!-- tested -->")
    assert len(scripts) == 4
    for script in scripts:
        reader("bash", "-euo", "pipefail", "-c", script)
    for name in ("digits.h5", "scores.npy", "home.pth", "digits.dot", "digits.html", "digits.keras", "report.json", "mosaic.json", "mosaic.pth", "scan_net.h5"):
        assert (reader.folder / name).stat().st_size > 0


def test_python(reader):
    scripts = [script for script in blocks("python", before="<!-- tested -->") if "import h5bridge\n" not in script]
    assert len(scripts) == 2
    for script in scripts:
        reader(sys.executable, "-c", script)
    reader("h5bridge", "validate", "my_model.json", "my_model.pth")


def test_the_python_package(reader):
    if not list(PACKAGE.glob("h5bridge/_core*.so")):
        pytest.skip("the Python package is not built")
    [script] = [script for script in blocks("python", before="<!-- tested -->") if "import h5bridge\n" in script]
    said = reader(sys.executable, "-c", script)
    assert "conv1.weight (" in said and said.splitlines()[-1].startswith("5 no_such_file.h5: ")


@pytest.mark.parametrize("name", ["convert", "predict", "resume"])
def test_cpp_is_what_the_build_compiles(name):
    [shown] = blocks("cpp", before=f"(examples/{name}.cpp):")
    assert shown == (ROOT / "examples" / f"{name}.cpp").read_text()


def test_every_command_is_shown():
    shown = "".join(blocks("sh"))
    for command in ("convert", "inspect", "validate", "run", "verify", "compare", "plot"):
        assert f"h5bridge {command} " in shown


def test_every_source_folder_is_explained():
    for folder in (ROOT / "src").iterdir():
        if folder.is_dir():
            assert f"`src/{folder.name}/`" in README


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
