"""What the README and the tutorials tell their readers to type does what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PROGRAM = Path(os.environ.get("H5BRIDGE", ROOT / "build" / "h5bridge")).resolve()
PACKAGE = PROGRAM.parent / "python"


def blocks(language, before=""):
    """The fenced blocks of a language, each after a line that ends in `before`."""
    return re.findall(rf"^[^\n]*{re.escape(before)}\n```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """The folder of the README's reader."""
    return folder_of_a_reader(tmp_path_factory.mktemp("reader"))


def folder_of_a_reader(folder):
    """Makes it one that has what a reader has: the sources' files, and the program and Python on the PATH. Gives what runs
    a command there."""
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


def shown_as_tested(text):
    """(language, script), from the first line to the last."""
    return re.findall(r"^<!-- tested -->\n```(sh|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_what_readers_type(reader, has_libtorch):
    if not has_libtorch or not list(PACKAGE.glob("h5bridge/_core*.so")):
        pytest.skip("not all of it is built")
    scripts = shown_as_tested(README)
    assert [language for language, _ in scripts].count("sh") == 7 and len(scripts) == 10
    said = [reader(*(["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]), script) for language, script in scripts]
    made = ("net.keras", "digits.h5", "scores.npy", "home.pth", "digits.dot", "digits.html", "difference.html", "digits.keras", "report.json", "mosaic.json")
    for name in (*made, "mosaic.pth", "mosaic_net.py", "scan_net.h5", "finetuned.pth"):
        assert (reader.folder / name).stat().st_size > 0
    reader("h5bridge", "validate", "my_model.json", "my_model.pth")
    assert "conv1.weight (" in said[-1] and said[-1].splitlines()[-1].startswith("5 no_such_file.h5: ")


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorials(page, program, has_libtorch, tmp_path):
    """All that a page shows as tested, from its first line to its last."""
    reader = folder_of_a_reader(tmp_path)
    for language, script in shown_as_tested(page.read_text()):
        if "import h5bridge\n" in script and not list(PACKAGE.glob("h5bridge/_core*.so")):
            pytest.skip("the Python package is not built")
        if re.search(r"--check|--reference|h5bridge (run|verify)", script) and not has_libtorch:
            pytest.skip("the program is built without LibTorch")
        reader(*(["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]), script)


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


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\((?!https?://)([^)#\s]+)(?:#[^)]*)?\)", prose):
        assert (page.parent / target).exists(), target


def test_the_site_has_every_page():
    listed = set(re.findall(r"- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert listed == {"index.md", *(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))}


@pytest.mark.skipif(shutil.which("doxygen") is None, reason="Doxygen is not installed")
def test_the_headers_make_a_reference(tmp_path):
    settings = (ROOT / "docs/Doxyfile").read_text() + f"OUTPUT_DIRECTORY = {tmp_path}\n"
    done = subprocess.run(["doxygen", "-"], cwd=ROOT, input=settings, capture_output=True, text=True)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    pages = "".join(page.read_text() for page in (tmp_path / "html").glob("*.html"))
    assert "in_torch_layout" in pages and "to_optimizer" in pages
