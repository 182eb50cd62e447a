"""What the exporter writes is what the registry knows: each sample's module of PyTorch, exported, is the sample's layer again."""

import json

import pytest
import torch

from layer_samples import SAMPLES
from program import ROOT, needs_program
from registry_samples import each, needs_registry
from torch_helpers import exporter

pytestmark = [needs_program, needs_registry]

DECLARED = json.loads((ROOT / "schemas" / "architecture.schema.json").read_text())["$defs"]


def settings(kind, attributes):
    """All attributes of a layer, those at their default too, each in one of its spellings: 3 for (3, 3), a pooling's stride as a number."""
    declared = DECLARED[f"layer.{kind}"]["properties"]
    assert set(attributes) <= set(declared)
    result = {name: simplified(attributes.get(name, one.get("default"))) for name, one in declared.items()}
    if "pool" in kind.lower() and "stride" in result:
        result["stride"] = result["stride"] or result["kernel_size"]
        if result.get("padding") == "valid":  # a word of Keras's
            result["padding"] = 0
    if result.get("padding_idx") is not None and "num_embeddings" in result:
        result["padding_idx"] %= result["num_embeddings"]
    return result


def simplified(value):
    return value[0] if isinstance(value, list) and value and all(item == value[0] for item in value) else value


class WithNames(torch.nn.Module):
    """A module whose inputs have names, as the exporter wants them."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x0, x1=None, x2=None, x3=None, x4=None):
        return self.module(*(x for x in (x0, x1, x2, x3, x4) if x is not None))


def exported(sample):
    """The entries of the graph, that of the sample's own module first, if it has one."""
    layers = exporter.describe(WithNames(sample.module), tuple(sample.inputs))["layers"]
    return sorted(layers, key=lambda layer: layer["name"] != "module.layer")


# The first with its attributes of each.
DISTINCT = list({(sample.type, json.dumps(sample.attributes)): sample for sample in reversed(SAMPLES)}.values())[::-1]
MODULES = [sample for sample in DISTINCT if hasattr(torch.nn, sample.type)]
FUNCTIONS = [sample for sample in DISTINCT if sample.type.islower() and sample.type != "new_tensor"]  # made by torch.tensor


@each(MODULES)
def test_the_exporter_writes_the_sample_s_module(sample):
    if not sample.alone:
        pytest.skip("PyTorch says it by more than a module")
    layer, *_ = exported(sample)
    assert layer["type"] == sample.type
    written, meant = (settings(sample.type, attributes) for attributes in (layer.get("attributes", {}), sample.attributes))
    own = exporter.modules.constructor(getattr(torch.nn, sample.type))
    assert {name: written[name] for name in own if name in written} == {name: meant[name] for name in own if name in meant}


@each(FUNCTIONS)
def test_the_exporter_writes_the_sample_s_function(sample):
    if not sample.alone:
        pytest.skip("PyTorch says it by several functions")
    layer, *more = exported(sample)
    assert layer["type"] == sample.type
    assert not more or len(sample.inputs) > 2 and {entry["type"] for entry in more} == {sample.type}  # x + y + z is two calls
    written, meant = (settings(sample.type, attributes) for attributes in (layer.get("attributes", {}), sample.attributes))
    assert written == meant | ({"dim": meant["dim"] % sample.inputs[0].dim()} if written.get("dim") != meant.get("dim") else {})
