"""`plot`: what is drawn, by Graphviz where it is there, and that a stranger's names stay text."""

import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree

import pytest

from keras_helpers import keras
from program import PROGRAM, ROOT, needs_program, run_program

pytestmark = needs_program
needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
DIGITS = ROOT / "testdata" / "digits"
SOURCES = [DIGITS / "model.json", DIGITS / "model.pth"]
HOSTILE = '</text><script>alert(1)</script> "quoted" & \\N {a|b} <b>ü\u0007'


def layer_names(path):
    return [layer["name"] for layer in json.loads(path.read_text())["layers"]]


def dot_of(*sources, folder):
    run_program("plot", *sources, "-o", folder / "model.dot")
    return (folder / "model.dot").read_text()


def hostile_architecture(folder):
    architecture = {
        "h5bridge": 1,
        "name": HOSTILE,
        "inputs": [{"name": HOSTILE + "in", "shape": ["batch", 3]}],
        "layers": [
            {"name": "a." + HOSTILE, "type": "Linear", "inputs": [HOSTILE + "in"], "attributes": {"in_features": 3, "out_features": 4}},
            {"name": "a." + HOSTILE + "2", "type": "ReLU"},
        ],
        "outputs": ["a." + HOSTILE + "2"],
    }
    (folder / "hostile.json").write_text(json.dumps(architecture))
    return folder / "hostile.json"


def test_every_layer_is_drawn_with_both_layouts(tmp_path):
    text = dot_of(*SOURCES, folder=tmp_path)
    for name in layer_names(DIGITS / "model.json"):
        assert f">{name}<" in text
    assert "PyTorch (batch, 1, 8, 8)" in text and "Keras (batch, 8, 8, 1)" in text
    assert "Conv2d" in text and " parameters" in text
    boxes = len(layer_names(DIGITS / "model.json")) + 2  # with input and output
    assert len(re.findall(r"^ +n\d+ \[label", text, re.M)) == boxes
    assert len(re.findall(r"^ +n\d+ -> n\d+", text, re.M)) == boxes - 1
    # Without weights it is the same picture.
    assert dot_of(SOURCES[0], folder=tmp_path) == text


def test_models_within_a_model_are_clusters(tmp_path):
    inner = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(4, name="first"), keras.layers.Dense(3, name="second")], name="encoder")
    x = keras.Input((8,), name="x")
    keras.Model(x, keras.layers.Dense(2, name="head")(inner(x))).save(tmp_path / "nested.keras")
    text = dot_of(tmp_path / "nested.keras", folder=tmp_path)
    cluster = re.search(r"subgraph cluster_0 \{(.*?)^  \}", text, re.S | re.M).group(1)
    assert "encoder" in cluster and "first" in cluster and "second" in cluster and "head" not in cluster


def test_modules_are_clusters(tmp_path):
    layers = [{"name": name, "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}} for name in ("block.0.a", "block.0.b", "block.1.a", "block.1.b", "head")]
    layers.insert(1, {"name": "relu", "type": "ReLU"})
    (tmp_path / "m.json").write_text(json.dumps({"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}], "layers": layers, "outputs": ["head"]}))
    text = dot_of(tmp_path / "m.json", folder=tmp_path)
    assert re.findall(r"label=<(.*?)>; labeljust", text) == ["block", "block.0", "block.1"]
    inner = re.search(r"label=<block.0>.*?^  \}", text, re.S | re.M).group(0)
    assert "relu" in inner and "block.0.b" in inner and "block.1.a" not in inner and "head" not in inner


def test_the_last_functions_of_a_block_are_in_it(tmp_path):
    linear = {"type": "Linear", "attributes": {"in_features": 3, "out_features": 3}}
    layers = []
    for block, before in (("block.0", "x"), ("block.1", "relu")):
        layers += [{"name": f"{block}.{name}", "inputs": [before], **linear} for name in ("main", "skip")]
        layers += [{"name": "add" + "_1" * (block == "block.1"), "type": "add", "inputs": [f"{block}.main", f"{block}.skip"]}, {"name": "relu" + "_1" * (block == "block.1"), "type": "ReLU"}]
    (tmp_path / "m.json").write_text(json.dumps({"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}], "layers": layers, "outputs": ["relu_1"]}))
    text = dot_of(tmp_path / "m.json", folder=tmp_path)
    for block, ends in (("block.0", ("add", "relu")), ("block.1", ("add_1", "relu_1"))):
        inner = re.search(rf"label=<{block}>.*?^  \}}", text, re.S | re.M).group(0)
        assert all(f"<B>{name}</B>" in inner or f">{name}<" in inner for name in ends)


def test_a_sum_with_what_a_block_was_given_is_in_it(tmp_path):
    """Identity shortcuts: each block has two, as a Transformer's has, and the first takes the model's input."""
    linear = {"type": "Linear", "attributes": {"in_features": 3, "out_features": 3}}
    layers, last = [], "x"
    for block in range(2):
        for part in ("attention", "mlp"):
            add = "add" + (f"_{len(layers) // 3}" if layers else "")
            layers.append({"name": f"blocks.{block}.{part}_norm", "inputs": [last], **linear})
            layers.append({"name": f"blocks.{block}.{part}.out", "inputs": [f"blocks.{block}.{part}_norm"], **linear})
            layers.append({"name": add, "type": "add", "inputs": [f"blocks.{block}.{part}.out", last]})
            last = add
    layers.append({"name": "mean", "type": "mean", "attributes": {"dim": 1, "keepdim": True}, "inputs": [last]})  # ends no block
    layers.append({"name": "head", "type": "Linear", "attributes": {"in_features": 1, "out_features": 3}})
    (tmp_path / "m.json").write_text(json.dumps({"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}], "layers": layers, "outputs": ["head"]}))
    text = dot_of(tmp_path / "m.json", folder=tmp_path)
    for block, sums in (("blocks.0", ("add", "add_1")), ("blocks.1", ("add_2", "add_3"))):
        inner = re.search(rf"label=<{block}>.*?^  \}}", text, re.S | re.M).group(0)
        assert re.findall(r"\badd(?:_\d)?(?=<)", inner.replace("<B>add</B>", "")) == list(sums) and "mean" not in inner


@needs_graphviz
@pytest.mark.parametrize("suffix, begins", [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_graphviz_draws(suffix, begins, tmp_path):
    printed = json.loads(run_program("plot", *SOURCES, "-o", tmp_path / f"model{suffix}", "--json"))
    assert (tmp_path / f"model{suffix}").read_bytes().startswith(begins)
    assert printed["boxes"] == len(layer_names(DIGITS / "model.json")) + 2
    assert [path.name for path in tmp_path.iterdir()] == [f"model{suffix}"]


@needs_graphviz
def test_strange_names_stay_text(tmp_path):
    run_program("plot", hostile_architecture(tmp_path), "-o", tmp_path / "model.svg")
    root = ElementTree.parse(tmp_path / "model.svg").getroot()
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    shown = HOSTILE.replace("\u0007", "\\x07")
    squeezed = lambda text: re.sub(r"\s+", " ", text.replace("\u00a0", " "))  # noqa: E731
    for name in (shown, f"{shown}in", f"a.{shown}", f"a.{shown}2"):
        assert any(squeezed(name) in squeezed(text) for text in texts), (name, texts)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_without_graphviz_it_says_what_is_missing(tmp_path, h5bridge):
    done = h5bridge("plot", *SOURCES, "-o", "model.svg", env=os.environ | {"PATH": str(tmp_path)})
    assert done.returncode == 5 and "Graphviz" in done.stderr and "model.svg" in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    done = h5bridge("plot", *SOURCES, "-o", "model.gv", env=os.environ | {"PATH": str(tmp_path)})
    assert done.returncode == 0 and (tmp_path / "model.gv").read_text().startswith("digraph")


def test_what_cannot_be_drawn_says_why(tmp_path):
    assert ".svg" in run_program("plot", *SOURCES, "-o", tmp_path / "model.bmp", status=2)
    assert "architecture" in run_program("plot", SOURCES[1], "-o", tmp_path / "model.dot", status=2)
    assert "-o" in run_program("plot", *SOURCES, status=2)
    assert PROGRAM.exists() and list(tmp_path.iterdir()) == []
