"""schemas/architecture.schema.json against real architectures, and against mistakes that it must find."""

import copy
import json
import subprocess

import jsonschema
import pytest
import torch

from layer_samples import SAMPLES
from program import PROGRAM, ROOT
from registry_samples import needs_registry
from torch_helpers import export_architecture
from torch_networks import NETWORKS, inputs_of

SCHEMA = json.loads((ROOT / "schemas" / "architecture.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

EXAMPLE = {
    "h5bridge": 1,
    "name": "Small",
    "inputs": [{"name": "x", "shape": ["batch", 3, "2*height", 32], "dtype": "float32"}],
    "layers": [
        {"name": "conv1", "type": "Conv2d", "attributes": {"in_channels": 3, "out_channels": 6, "kernel_size": [5, 3], "padding": "same"}},
        {"name": "relu", "type": "ReLU"},
        {"name": "pool", "type": "MaxPool2d", "attributes": {"kernel_size": 2, "stride": None}, "inputs": ["relu"]},
        {"name": "pool_1", "call": "pool"},
        {"name": "view", "type": "view", "attributes": {"shape": ["batch", -1]}, "keras": {"trainable": False}},
    ],
    "outputs": {"features": "view", "image": "pool_1"},
}


def errors(architecture):
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(architecture)]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_example_fits():
    assert errors(EXAMPLE) == []


def test_the_documentations_example_fits():
    text = (ROOT / "docs" / "architecture_json.md").read_text()
    assert errors(json.loads(text.split("```json")[1].split("```")[0])) == []


@pytest.mark.parametrize("path", sorted((ROOT / "testdata" / "golden").glob("*/model.json")), ids=lambda path: path.parent.name)
def test_what_version_0_1_0_wrote_fits(path):
    assert errors(json.loads(path.read_text())) == []


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_what_the_exporter_writes_fits(network, tmp_path):
    export_architecture(network.module(), inputs_of(network.shapes), tmp_path / "m.json")
    assert errors(json.loads((tmp_path / "m.json").read_text())) == []


@pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")
def test_what_the_program_writes_fits(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps(EXAMPLE))
    torch.save({"conv1.weight": torch.zeros(6, 3, 5, 3), "conv1.bias": torch.zeros(6)}, tmp_path / "m.pth")
    subprocess.run([PROGRAM, "convert", "m.json", "m.pth", "-o", "again.json"], cwd=tmp_path, check=True)
    again = json.loads((tmp_path / "again.json").read_text())
    assert errors(again) == []
    assert again["outputs"] == EXAMPLE["outputs"] and again["inputs"] == EXAMPLE["inputs"]


@needs_registry
def test_every_sample_fits():
    for sample in SAMPLES:
        assert errors(sample.architecture) == [], sample.name


def broken(change):
    architecture = copy.deepcopy(EXAMPLE)
    change(architecture)
    return errors(architecture)


@pytest.mark.parametrize(
    "change, place",
    [
        (lambda a: a.pop("h5bridge"), "$: 'h5bridge' is a required property"),
        (lambda a: a.update(h5bridge=3), "$.h5bridge: "),
        (lambda a: a.update(inputs=[]), "$.inputs: "),
        (lambda a: a.update(outputs=[]), "$.outputs: "),
        (lambda a: a.update(colour="red"), "$: Additional properties are not allowed ('colour' was unexpected)"),
        (lambda a: a["inputs"][0].update(dtype="float31"), "$.inputs[0].dtype: "),
        (lambda a: a["inputs"][0].update(shape=[1.5]), "$.inputs[0].shape[0]: "),
        (lambda a: a["layers"][1].update(type="ReLu"), "$.layers[1].type: 'ReLu' is not one of"),
        (lambda a: a["layers"][1].update(name="a:1"), "$.layers[1].name: "),
        (lambda a: a["layers"][1].pop("type"), "$.layers[1]: "),
        (lambda a: a["layers"][1].update(call="conv1"), "$.layers[1]: "),
        (lambda a: a["layers"][3].update(attributes=3), "$.layers[3].attributes: "),
        (lambda a: a["layers"][3].update(keras={}), "$.layers[3]"),
        (lambda a: a["layers"][2].update(inputs=["relu:x"]), "$.layers[2].inputs[0]: "),
        (lambda a: a["layers"][0].pop("attributes"), "$.layers[0]: 'attributes' is a required property"),
        (lambda a: a["layers"][0]["attributes"].pop("kernel_size"), "$.layers[0].attributes: 'kernel_size' is a required property"),
        (lambda a: a["layers"][0]["attributes"].update(kernal_size=3), "$.layers[0].attributes: Additional properties are not allowed ('kernal_size' was unexpected)"),
        (lambda a: a["layers"][0]["attributes"].update(padding="sane"), "$.layers[0].attributes.padding: "),
        (lambda a: a["layers"][0]["attributes"].update(kernel_size=[1, 2, 3]), "$.layers[0].attributes.kernel_size: "),
        (lambda a: a["layers"][0]["attributes"].update(bias=1), "$.layers[0].attributes.bias: 1 is not of type 'boolean'"),
        (lambda a: a["layers"][0]["attributes"].update(in_channels=None), "$.layers[0].attributes.in_channels: "),
    ],
)
def test_a_mistake_is_found_where_it_is(change, place):
    assert any(error.startswith(place) for error in broken(change)), broken(change)
