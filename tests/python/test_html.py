"""The page that shows a model: what is in it, that names stay text, and that it runs where a browser is at hand."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from program import PROGRAM, ROOT, needs_program, run_program
from test_plot import HOSTILE, hostile_architecture

pytestmark = needs_program
DIGITS = ROOT / "testdata" / "digits"
SOURCES = [DIGITS / "model.json", DIGITS / "model.pth"]
HAS_LIBTORCH = (PROGRAM.parent / "libh5bridge_torch.so").exists()
BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)


class Page(HTMLParser):
    """The elements of a page, and the texts of its scripts."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.scripts, self._open = [], [], False
        self.feed(path.read_text())
        self.model = json.loads(self.scripts[0])

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open = tag == "script"
        if self._open:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = False

    def handle_data(self, data):
        if self._open:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "digits.html"
    run_program("convert", *SOURCES, "-o", path)
    return path


def test_the_model_is_in_the_page(digits):
    model = Page(digits).model
    layers = json.loads((DIGITS / "model.json").read_text())["layers"]
    calls = [box for box in model["boxes"] if box["kind"] not in ("input", "output")]
    assert [(box["name"], box["type"]) for box in calls] == [(layer["name"], layer["type"]) for layer in layers]
    first = calls[0]
    assert first["torch"] != first["keras"] and first["torch"][0].startswith("(batch, ")
    assert dict(map(tuple, first["settings"]))["kernel_size"].startswith("[")
    state = torch.load(DIGITS / "model.pth")
    assert sum(box["parameters"] for box in calls) == sum(tensor.numel() for name, tensor in state.items() if "running" not in name and "num_batches" not in name)


def test_tensors_have_their_statistics(digits):
    statistics = Page(digits).model["statistics"]
    state = torch.load(DIGITS / "model.pth")
    assert set(statistics) == set(state)
    for name, tensor in state.items():
        values, found = tensor.double().numpy().ravel(), statistics[name]
        assert np.isclose(found["norm"], np.linalg.norm(values)) and np.isclose(found["mean"], values.mean())
        assert np.isclose(found["deviation"], values.std()) and found["zeros"] == np.count_nonzero(values == 0)
        assert found["least"] == values.min() and found["most"] == values.max() and sum(found["histogram"]) == values.size
        if values.min() < values.max():
            expected, _ = np.histogram(values, bins=len(found["histogram"]))
            # What lies on an edge may round to either side.
            assert np.abs(np.subtract(found["histogram"], expected)).sum() <= 2 + values.size // 50


def test_numbers_that_are_none_are_counted(tmp_path):
    state = torch.load(DIGITS / "model.pth")
    name = next(iter(state))
    state[name].view(-1)[:3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    torch.save(state, tmp_path / "nan.pth")
    run_program("convert", SOURCES[0], tmp_path / "nan.pth", "-o", tmp_path / "nan.html")
    found = Page(tmp_path / "nan.html").model["statistics"][name]
    assert found["not_finite"] == 3 and sum(found["histogram"]) == state[name].numel() - 3


def test_an_architecture_alone_has_a_page(tmp_path):
    run_program("convert", SOURCES[0], "-o", tmp_path / "digits.html")
    model = Page(tmp_path / "digits.html").model
    assert model["statistics"] == {} and len(model["boxes"]) > 3
    assert "architecture" in run_program("convert", SOURCES[1], "-o", tmp_path / "none.html", status=2)


def test_a_page_is_whole_in_itself(digits):
    page, text = Page(digits), digits.read_text()
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not any({"src", "href"} & attributes.keys() for _, attributes in page.elements)
    assert not re.search(r"https?://|import\s*\(|fetch\s*\(", text)
    policy = next(attributes["content"] for tag, attributes in page.elements if "content" in attributes and "default-src" in attributes["content"])
    assert "default-src 'none'" in policy


def test_strange_names_are_data(tmp_path):
    run_program("convert", hostile_architecture(tmp_path), "-o", tmp_path / "hostile.html")
    page = Page(tmp_path / "hostile.html")
    assert [tag for tag, _ in page.elements].count("script") == 2
    shown = HOSTILE.replace("\u0007", "\\x07")
    assert page.model["name"] == shown and f"a.{shown}" in [box["name"] for box in page.model["boxes"]]
    assert "innerHTML" not in page.scripts[1] and "insertAdjacentHTML" not in page.scripts[1] and "document.write" not in page.scripts[1]


@pytest.fixture(scope="module")
def difference(tmp_path_factory):
    """A page of the network beside one whose first batch normalisation has other numbers."""
    folder = tmp_path_factory.mktemp("difference")
    state = torch.load(DIGITS / "model.pth")
    state["bn1.weight"] = state["bn1.weight"] * 2
    torch.save(state, folder / "b.pth")
    architecture = json.loads(SOURCES[0].read_text())
    next(layer for layer in architecture["layers"] if layer["name"] == "bn1").setdefault("attributes", {})["eps"] = 0.01
    (folder / "b.json").write_text(json.dumps(architecture))
    compared = ["compare", *SOURCES, "--with", folder / "b.json", folder / "b.pth", "-o", folder / "difference.html"]
    run_program(*compared, *(["--random-inputs", 2] if HAS_LIBTORCH else []), status=1)
    return folder / "difference.html"


def test_what_compare_finds_colours_the_page(difference):
    model = Page(difference).model
    states = {box["name"]: box["state"] for box in model["boxes"]}
    assert states["conv1"] == "agrees" and states["bn1"] == "weights" and states["x"] is None
    assert states["relu"] == ("output" if HAS_LIBTORCH else None)
    settings = {box["name"]: dict(map(tuple, box["settings"])) for box in model["boxes"]}
    assert settings["bn1"]["eps in the other model"] == "0.01" and not [name for name in settings["bn2"] if "other model" in name]
    [changed] = [tensor for box in model["boxes"] for tensor in box["tensors"] if tensor["name"] == "bn1.weight"]
    assert not changed["compared"]["agrees"] and "16 of 16 elements differ" in changed["compared"]["text"]
    assert model["comparison"]["other"].endswith("b.pth") and model["comparison"]["has_outputs"] == HAS_LIBTORCH
    if HAS_LIBTORCH:
        assert any('first layer that differs is "bn1"' in line for line in model["comparison"]["differences"])


def test_a_comparison_is_no_picture(tmp_path):
    assert ".html" in run_program("compare", *SOURCES[1:] * 2, "-o", tmp_path / "x.svg", status=2)
    assert "architecture" in run_program("compare", *SOURCES[1:] * 2, "-o", tmp_path / "x.html", status=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(BROWSER is None, reason="no browser at hand")
@pytest.mark.parametrize("name", ["digits", "hostile", "difference"])
def test_a_browser_runs_it(name, digits, difference, tmp_path):
    path = {"digits": digits, "hostile": tmp_path / "hostile.html", "difference": difference}[name]
    if name == "hostile":
        run_program("convert", hostile_architecture(tmp_path), "-o", path)
    # What goes wrong in it, or what a name might do, shows in the title.
    text = path.read_text().replace('"use strict";', '"use strict"; addEventListener("error", (event) => { document.title = "failed: " + event.message; }); window.alert = () => { document.title = "failed: alert"; };', 1)
    again = '<script>for (const [i] of model.boxes.entries()) view.goTo(i); view.setFolded(new Set()); view.whole(); search.value = "a"; showHits();</script></body>'
    (tmp_path / "again.html").write_text(text.replace("</body>", again))
    command = [BROWSER, "--no-sandbox", "--disable-gpu", "--headless", "--virtual-time-budget=2000", "--dump-dom", (tmp_path / "again.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    title = re.search(r"<title>(.*?)</title>", shown, re.S).group(1)
    assert not title.startswith("failed") and "<h2>" in shown and "Takes" in shown
