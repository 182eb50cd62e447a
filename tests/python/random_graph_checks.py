"""Takes random graphs through the program and real Keras, and says what differs from PyTorch."""

import itertools
import json

import numpy as np
import torch

from keras_helpers import as_keras_has_it, assert_close, input_names, keras, keras_layout, predict
from program import h5bridge
from random_graphs import Graph
from run_together import run_together
from torch_helpers import assert_same_state

TOLERANCE = 1e-4  # of the largest value: errors add up from layer to layer


class Refused(Exception):
    """The program says that Keras cannot say a graph, and names what."""


def assert_agrees(found, expected, name):
    """In PyTorch's layout, or with the channels last: PyTorch's shape does not tell whether an output of Keras's is an image."""
    candidates = [y for y in (expected, keras_layout(expected)) if y.shape == found.shape]
    assert candidates, f"{name}: {found.shape}, expected {expected.shape}"
    errors = []
    for candidate in candidates:
        try:
            return assert_close(found, candidate, TOLERANCE, name, constant=True)
        except AssertionError as error:
            errors.append(error)
    raise errors[0]


def convert(graph, folder):
    """The graph's files: for Keras in either layout, and what comes home."""
    graph.write(folder)
    try:
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5", "-o", folder / "said.json")
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "first.h5", "--data-format", "channels_first")
    except AssertionError as error:
        raise_refusal(error)
    h5bridge("convert", folder / "m.h5", "-o", folder / "home.json", "-o", folder / "home.pth")


def raise_refusal(error):
    """Of the program's errors, that something has no equivalent is a refusal."""
    if ": 4\n" in str(error):
        raise Refused(str(error).splitlines()[-1]) from None
    raise error


def check_way_home(graph, folder):
    assert_same_state(torch.load(folder / "home.pth"), torch.load(folder / "m.pth"))
    assert json.loads((folder / "home.json").read_text()) == json.loads((folder / "said.json").read_text())


def check_keras(graph, path):
    """Real Keras on PyTorch's backend, at two batch sizes."""
    model = keras.models.load_model(path, compile=False)
    for other in (False, True):
        given = graph.given(other)
        inputs = [as_keras_has_it(given[name], tensor.shape) for name, tensor in zip(input_names(model), model.inputs)]
        found = predict(model, inputs)
        for name, expected in zip(graph.architecture["outputs"], graph.expected(other)):
            assert_agrees(found[name], expected, name)


def renamed(graph, i):
    """The graph's architecture and state_dict with names of their own."""
    own = json.loads(json.dumps(graph.architecture))
    name = lambda value: f"g{i}_{value}"  # noqa: E731
    for described in own["inputs"]:
        described["name"] = name(described["name"])
    for layer in own["layers"]:
        layer |= {"name": name(layer["name"]), "inputs": [name(value) for value in layer["inputs"]]}
        layer |= {key: name(layer[key]) for key in ("call", "layer") if key in layer}
        if "named_inputs" in layer:
            layer["named_inputs"] = {key: name(value) for key, value in layer["named_inputs"].items()}
    own["outputs"] = {name(key): name(value) for key, value in own["outputs"].items()}
    return own, {name(key): tensor for key, tensor in graph.state.items()}


def run_in_libtorch(graphs, folder, by_keras):
    """All graphs side by side in one model, by PyTorch's files or from the .h5: {graph.name: outputs}."""
    together = {"h5bridge": 1, "name": "Graphs", "inputs": [], "layers": [], "outputs": {}}
    state, inputs = {}, {}
    for i, graph in enumerate(graphs):
        own, tensors = renamed(graph, i)
        together["inputs"] += own["inputs"]
        together["layers"] += own["layers"]
        together["outputs"] |= own["outputs"]
        state |= tensors
        inputs |= {f"g{i}_{name}": x for name, x in graph.given().items()}
    (folder / "all.json").write_text(json.dumps(together))
    torch.save(state, folder / "all.pth")
    np.savez(folder / "inputs.npz", **inputs)
    sources = [folder / "all.json", folder / "all.pth"]
    if by_keras:
        h5bridge("convert", *sources, "-o", folder / "all.h5")
        sources = [folder / "all.h5", "--input-layout", "torch"]
    h5bridge("run", *sources, "--input", folder / "inputs.npz", "-o", folder / "outputs.npz")
    outputs = np.load(folder / "outputs.npz")
    return {graph.name: [outputs[f"g{i}_{name}"] for name in graph.architecture["outputs"]] for i, graph in enumerate(graphs)}


def check_libtorch(graph, found):
    """PyTorch's very bits, where each of its layers is one of PyTorch's own."""
    for name, one, expected in zip(graph.architecture["outputs"], found, graph.expected()):
        assert one.shape == expected.shape and one.dtype == expected.dtype, f"{name}: {one.dtype} {one.shape}, expected {expected.dtype} {expected.shape}"
        if graph.exact:
            assert one.tobytes() == np.ascontiguousarray(expected).tobytes(), f"{name}: other bits"
        else:
            assert_close(one, expected, TOLERANCE, name, constant=True)


def faults_of(seeds, new_folder, with_libtorch=True):
    """What differs, by graph: {graph: [(where, what)]}; what is refused: {graph: message}; and how many graphs there are."""
    checks = {
        "the way home": check_way_home,
        "Keras": lambda graph, folder: check_keras(graph, folder / "m.h5"),
        "Keras, channels_first": lambda graph, folder: check_keras(graph, folder / "first.h5"),
    }
    return faults_in([Graph(seed) for seed in seeds], convert, checks, new_folder, (False, True) if with_libtorch else ())


def faults_in(graphs, convert, checks, new_folder, by_keras_in_libtorch):
    """As faults_of, of these graphs, which `convert(graph, folder)` makes files of and `checks` look at."""
    faults, refused, converted = {}, {}, []

    def noting(graph, where, check, *arguments):
        try:
            check(graph, *arguments)
        except Refused:
            raise
        except Exception as error:  # a fault of one graph is no reason to leave out the others
            faults.setdefault(graph, []).append((where, f"{type(error).__name__}: {error}"))

    for graph in graphs:
        folder = new_folder(graph.seed)
        try:
            noting(graph, "conversion", convert, folder)
        except Refused as refusal:
            refused[graph] = str(refusal)
            continue
        if graph in faults:
            continue
        converted.append(graph)
        for where, check in checks.items():
            noting(graph, where, check, folder)
    for by_keras in by_keras_in_libtorch:
        where = "LibTorch from .h5" if by_keras else "LibTorch"
        results = run_together(converted, lambda part: run_in_libtorch(part, new_folder("all"), by_keras))
        for graph in converted:
            result = results[graph.name]
            if isinstance(result, Exception):
                faults.setdefault(graph, []).append((where, str(result)))
            else:
                noting(graph, where, check_libtorch, result)
    return faults, refused, len(graphs)


def outcome_by_seed(faults_of, seeds, tmp_path_factory):
    """What differs and what is refused of the graphs or networks of these seeds: {seed: which it is, and what was found} of each."""
    counter = itertools.count()
    faults, refused, _ = faults_of(seeds, lambda name: tmp_path_factory.mktemp(f"{next(counter)}_{name}"))
    return [{graph.seed: f"{graph}: {found}" for graph, found in each.items()} for each in (faults, refused)]
