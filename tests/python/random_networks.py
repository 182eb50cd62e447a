"""Random graphs as networks of PyTorch, as torch.export and the exporter see them: of the layers that PyTorch says by a module or
function of its own."""

import json
import math
from functools import cache

import numpy as np
import torch
from torch import nn

from exported_programs import normal_form
from layer_samples import flattened
from program import h5bridge
from random_graph_checks import check_keras, faults_in, raise_refusal
from random_graphs import Graph, usable_samples
from torch_helpers import exporter


class Network(nn.Module):
    """The graph's layers under their names ("head.0.n1.layer.weight"), called as the graph says."""

    def __init__(self, graph):
        super().__init__()
        self.calls = [(entry["name"], entry.get("call", entry["name"]), entry["inputs"]) for entry in graph.architecture["layers"]]
        self.results = graph.architecture["outputs"]
        for layer in graph.layers:
            self.inner(layer.name, layer.module)
        for name, tensor in graph.state.items():
            if graph.is_own(name):
                self.register_parameter(name, nn.Parameter(tensor))

    def inner(self, path, module):
        *outer, name = path.split(".")
        place = self
        for part in outer:
            if not hasattr(place, part):
                place.add_module(part, nn.Module())
            place = getattr(place, part)
        place.add_module(name, module)

    def forward(self, x0, x1=None, x2=None, x3=None):
        values = {"x0": x0, "x1": x1, "x2": x2, "x3": x3}
        for name, layer, inputs in self.calls:
            if layer in self._parameters:
                values[name] = self._parameters[layer]
                continue
            results = flattened(self.get_submodule(layer)(*[values[value] for value in inputs]))
            values |= {f"{name}:{k}" if k else name: result for k, result in enumerate(results)}
        return {key: values[value] for key, value in self.results.items()}


@cache
def exportable_samples():
    """Without sizes by name, for which a module of PyTorch has the numbers of its example, and what torch.export leaves out."""

    def fits(sample):
        is_open = '"batch' in json.dumps(sample.attributes)
        a = sample.attributes
        is_frozen = a.get("recompute_scale_factor") or None in flat(a.get("output_size"))  # at the example's sizes
        is_another = a.get("norm_type") == -math.inf or a.get("mode") == "area" or a.get("padding") == "valid" or "nothing to do" in sample.name  # that computes the same
        return sample.alone and not is_open and not is_frozen and not is_another and sample.type not in TAKEN_APART

    return [sample for sample in usable_samples() if fits(sample)]


def flat(value):
    return value if isinstance(value, list) else []


# What torch.export takes apart so that nothing tells what it was.
TAKEN_APART = {
    **dict.fromkeys(["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"], "ATen's operator has no window, by which the layer is described"),
    "diagonal": "of axes that the exporter leaves open it has a size that no architecture says",
}


BATCH = torch.export.Dim("batch")


def is_symbol(size):
    return isinstance(size, str) and size.isidentifier()


class Exported:
    """A random graph as torch.export and the exporter see its network."""

    def __init__(self, seed):
        self.graph = Graph(seed, exportable_samples())
        self.seed, self.name, self.exact = seed, f"network {seed}", self.graph.exact
        self.module = Network(self.graph).eval()
        self.given, self.expected = self.graph.given, self.graph.expected

    def __str__(self):
        return f"{self.name}: " + ", ".join(self.graph.samples)


def convert(network, folder):
    """Only the batch stays open: of an open size no array tells whether Keras has it first or last."""
    inputs = {name: torch.from_numpy(x) for name, x in network.given().items()}
    described = exporter.describe(network.module, tuple(inputs.values()))
    (folder / "m.json").write_text(exporter.dumps(described))
    shapes = tuple({axis: BATCH for axis, size in enumerate(entry["shape"]) if size == "batch"} or None for entry in described["inputs"])
    with torch.no_grad():
        torch.export.save(torch.export.export(network.module, tuple(inputs.values()), dynamic_shapes=shapes), folder / "m.pt2")
    network.state = network.module.state_dict()
    sizes = {size: inputs[entry["name"]].shape[axis] for entry in described["inputs"] for axis, size in enumerate(entry["shape"]) if is_symbol(size)}
    fixed = [option for size, number in sizes.items() if size != "batch" for option in ("--fix-size", f"{size}={number}")]
    try:
        h5bridge("convert", folder / "m.json", *fixed, "-o", folder / "by_exporter.json")
        h5bridge("convert", folder / "m.pt2", "-o", folder / "m.h5", "-o", folder / "by_program.json")
    except AssertionError as error:
        raise_refusal(error)
    h5bridge("convert", folder / "m.h5", "-o", folder / "home.pth")
    network.architecture = json.loads((folder / "by_program.json").read_text())


def check_way_home(network, folder):
    found = torch.load(folder / "home.pth")
    assert list(found) == list(network.state)
    assert all(np.array_equal(found[name].numpy(), tensor.numpy(), equal_nan=True) for name, tensor in network.state.items())


def check_alike(network, folder):
    """The same layers with the same settings by both ways."""
    found, expected = (without_dropout(normal_form(json.loads((folder / name).read_text()))) for name in ("by_program.json", "by_exporter.json"))
    for key in expected:
        assert found[key] == expected[key], f"{key}: {differences(found[key], expected[key])}"


def without_dropout(form):
    """What takes what a dropout gives on, which is the same tensor to torch.export, takes what the dropout does."""
    given_on = {layer["name"]: layer["inputs"][0] for layer in form["layers"] if "drop" in layer["type"].lower()}

    def before(value):
        while value in given_on:
            value = given_on[value]
        return value

    layers = [layer | {"inputs": list(map(before, layer["inputs"]))} for layer in form["layers"]]
    return form | {"layers": layers, "outputs": {key: before(value) for key, value in form["outputs"].items()}}


def differences(found, expected):
    if not isinstance(found, list) or len(found) != len(expected):
        return f"{found}\nexpected {expected}"
    return next(f"{one}\nexpected {other}" for one, other in zip(found, expected) if one != other)


def faults_of(seeds, new_folder):
    """As random_graph_checks has it, of networks."""
    checks = {
        "the way home": check_way_home,
        "the exporter's description": check_alike,
        "Keras": lambda network, folder: check_keras(network.graph, folder / "m.h5"),
    }
    return faults_in([Exported(seed) for seed in seeds], convert, checks, new_folder, (False,))
