"""What the README and the tutorials tell their readers to type does what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import jsonschema
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


def squeezed(code):
    """C++ without comments and white space."""
    return re.sub(r"\s+", "", re.sub(r"//[^\n]*", "", code))


def named_sources(text):
    """Of the files that a page links, and of those in folders that it does."""
    paths = [(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\((\.\./(?:src|tests|python)/[^)#\s]*)\)", text)]
    files = [file for path in paths for file in ([path] if path.is_file() else path.iterdir())]
    return squeezed("\n".join(file.read_text() for file in files if file.suffix in (".cpp", ".h", ".def", ".py")))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_code_of_a_page_stands_in_the_sources_that_it_names(page):
    """Line by line: pages leave out what is not their subject, and say with "..." that there is more of a line."""
    text = page.read_text()
    sources = named_sources(text)
    for block in re.findall(r"^```cpp\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            assert all(part in sources for part in squeezed(line).split("...")), line


DIFFS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, block in enumerate(re.findall(r"^```diff\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))
]


@pytest.mark.parametrize("diff", DIFFS)
def test_what_a_diff_adds_stands_in_its_file_today(diff):
    """In one piece and in this order, with what is around it; a new file is shown whole. "..." says that there is more, whoever has
    added it since. What a diff takes away is what was there then. Where code has moved on, its page moves on with it."""
    before, after, *lines = diff.splitlines()
    path = ROOT / after.removeprefix("+++ b/")
    assert before in ("--- /dev/null", f"--- a/{path.relative_to(ROOT)}")
    assert any(line.startswith("+") for line in lines) and all(line[:1] in "+- " for line in lines)
    pieces = squeezed("\n".join(line[1:] for line in lines if not line.startswith("-"))).split("...")
    rest = squeezed(path.read_text())
    if before == "--- /dev/null" and len(pieces) == 1:
        assert pieces == [rest]
    for piece in pieces:
        assert piece in rest, piece
        rest = rest.split(piece, 1)[1] if piece else rest


def test_diffs_show_a_format_and_an_optimizer():
    shown = "".join(diff.values[0] for diff in DIFFS)
    for path in ("src/convert/formats/safetensors.cpp", "src/convert/formats/formats.def", "src/optimizers/adadelta/keras.cpp", "src/optimizers/optimizers.def"):
        assert f"\n+++ b/{path}\n" in shown


@pytest.mark.parametrize("page", [page for page in sorted((ROOT / "docs").rglob("*.md")) if "`tests/" in page.read_text()], ids=lambda page: page.stem)
def test_tests_that_a_page_names_are_there(page):
    for path, name, networks in re.findall(r"`(tests/[^`]+\.(?:py|cpp))::([^`]+)`(?: \(([^)]+)\))?", page.read_text()):
        tests = (ROOT / path).read_text()
        assert f"def {name}(" in tests or f'TEST_CASE("{name}"' in tests, name
        for network in re.findall("`([^`]+)`", networks):
            assert any(f'"{part}"' in file.read_text() for part in network.split("+")[:1] for file in (ROOT / "tests/python").glob("*.py")), network


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_json_of_a_page_is_an_architecture(page):
    """Or one layer of it."""
    schema = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas/architecture.schema.json").read_text()))
    around = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}]}
    for block in re.findall(r"^```json\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        shown = json.loads(block)
        schema.validate(shown if "h5bridge" in shown else around | {"layers": [shown], "outputs": [shown["name"]]})


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")
def test_the_file_is_as_its_page_draws_it(reader):
    """docs/h5_file.md: what stands at the branches of its tree is in the file that its command writes."""
    page = (ROOT / "docs/h5_file.md").read_text()
    command = re.search(r"`(h5bridge convert [^`]* -o digits\.h5)`", page.replace("\n", " "))[1]
    reader("bash", "-c", command)
    tree = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    path, drawn = [], []
    for line in tree.splitlines()[1:]:
        if not (match := re.match(r"^((?:[│ ] {2})*)[├└]─ +(\S+)(.*)$", line)):
            continue
        depth = len(match[1]) // 3
        path[depth:] = [match[2].strip("/")]
        if "of a checkpoint alone" not in match[3]:
            drawn.append(("/".join(path), match[2].endswith("/"), match[3]))
    with h5py.File(reader.folder / "digits.h5") as file:
        for name, is_group, said in drawn:
            folder, _, attribute = name.rpartition("/")
            assert name in file if is_group else name in file or attribute in file[folder or "/"].attrs, name
            if shape := re.match(r" *(\(\d+,.*?\))", said):
                assert str(file[name].shape) == shape[1], name
            if text := re.match(r' +"([^"]+)"', said):
                assert str(file.attrs[name]) == text[1], name
            if name.startswith("h5bridge/tensors/"):
                assert re.search(r'"(.*)"', said)[1] in (str(value) for value in file[name].attrs.values()), name


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
