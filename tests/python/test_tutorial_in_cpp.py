"""docs/tutorials/keras_in_cpp.md, block by block as its reader does it, and what README shows of CMake and of a plan. All of it is built, so
that one commit in eight has its turn; tests/package/check.cmake does the like at every commit."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digits import SOURCES
from program import PROGRAM, ROOT, h5bridge, needs_libtorch, needs_program
from sampled import has_its_turn

pytestmark = [
    needs_program,
    needs_libtorch,
    pytest.mark.skipif(PROGRAM.parent != ROOT / "build", reason="the tutorial's build is the one in build/"),
    pytest.mark.skipif(not has_its_turn("H5BRIDGE_TUTORIALS", 8), reason="another commit's turn; H5BRIDGE_TUTORIALS=1 makes it this one's"),
]
PAGE = (ROOT / "docs/tutorials/keras_in_cpp.md").read_text()
README = (ROOT / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader whose home is empty but for what the page's first command installs there: runs commands in a folder."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}

    def run(script, folder):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    install, *run.scripts = blocks(PAGE, "sh")
    run(install, ROOT)
    return run


@pytest.fixture
def project(tmp_path):
    """A folder with a Keras model and the examples' sources, and with CMakeLists.txt once it is told what stands there."""
    h5bridge("convert", *SOURCES, "-o", tmp_path / "model.h5")
    for name in ("convert", "predict"):
        shutil.copy(ROOT / "examples" / f"{name}.cpp", tmp_path)

    def with_lists(text):
        (tmp_path / "CMakeLists.txt").write_text(text)
        return tmp_path

    return with_lists


def test_a_program_predicts(reader, project):
    """Its source has what the pages show of the heart of it, too."""
    lists, _ = blocks(PAGE, "cmake")
    folder = project(lists)
    [heart], [plan] = blocks(PAGE, "cpp"), [block for block in blocks(README, "cpp") if "h5bridge::compile(net)" in block]
    with open(folder / "predict.cpp", "a") as source:
        source.write(f"\nvoid shown(const torch::Tensor& x) {{\n{heart}{{\n{plan}}}\n}}\n")
    assert "[ CPUFloatType{1,10} ]" in reader(reader.scripts[0], folder)


def test_a_project_that_has_the_sources(reader, project):
    _, fetched = blocks(PAGE, "cmake")
    folder = project("cmake_minimum_required(VERSION 3.25)\nproject(mine LANGUAGES CXX)\n" + fetched)
    (folder / "third_party").mkdir()
    (folder / "third_party/h5bridge").symlink_to(ROOT)
    reader("cmake -B build", folder)


def test_without_cmake(reader, project):
    folder = project("")
    reader(reader.scripts[1], folder)
    assert (folder / "model.pth").stat().st_size > 0


def test_what_readme_shows_of_cmake(reader, project):
    [shown] = blocks(README, "cmake")
    programs = "".join(f"add_executable({name} {name}.cpp)\n" for name in ("convert", "predict"))
    folder = project("cmake_minimum_required(VERSION 3.25)\nproject(mine LANGUAGES CXX)\n" + programs + shown)
    reader(reader.scripts[0].splitlines()[0], folder)
