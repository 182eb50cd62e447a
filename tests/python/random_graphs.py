"""Random graphs of the registry's layers: their samples put together with branches, merges, several calls of one layer and several
outputs. PyTorch runs each layer as it is added, at two batch sizes, so shapes and answers are PyTorch's own.

A layer is added if PyTorch takes its inputs, and if the answer is worth comparing: finite, of moderate size, and hardly changed by
inputs that change by a rounding error. So whatever differs later is a fault.
"""

import copy
import json
import random
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

import torch

from layer_samples import ALL_WITH_KERAS, JAX_ONLY, flattened
from torch_layers import is_inexact, randomised, reference

BATCH, OTHER_BATCH = 4, 7
MOST_INPUTS = 4
MOST_ELEMENTS = 3000
REFUSALS = (RuntimeError, ValueError, AssertionError, TypeError, IndexError)  # of PyTorch's
# Arguments that say what an axis of the first input holds, by the axis.
SIZES = {"in_channels": 1, "num_features": 1, "num_channels": 1, "in_features": -1, "input_size": -1, "features": -1}


class Value:
    """A tensor of the graph: of the batch, of another batch, and of the batch after inputs that are a rounding error off."""

    def __init__(self, name, tensors):
        self.name = name
        self.tensors = tensors

    shape = property(lambda self: tuple(self.tensors[0].shape))
    has_batch = property(lambda self: [t.shape[:1] for t in self.tensors] == [(BATCH,), (OTHER_BATCH,), (BATCH,)])
    is_float = property(lambda self: self.tensors[0].is_floating_point())

    def jittered(self):
        """All elements a little off, so that what was equal is equal no more."""
        return Value(self.name, [t + 1e-6 * torch.randn(t.shape) if self.is_float else t for t in self.tensors])

    def is_worth_comparing(self):
        if any(t.numel() == 0 or t.numel() > MOST_ELEMENTS for t in self.tensors):
            return False
        if not same_but_for_rounding(self, Value(self.name, self.tensors[2:])):
            return False
        if not self.is_float:
            return True
        one = self.tensors[0]
        largest = one.abs().max()
        if not all(t.isfinite().all() for t in self.tensors) or not 1e-2 < largest < 1e3 or (one.numel() > 1 and one.std() < 1e-2):
            return False
        return True


def same_but_for_rounding(value, changed):
    one, other = value.tensors[0], changed.tensors[0]
    return bool((one - other).abs().max() <= 3e-5 * one.abs().max() if value.is_float else (one == other).all())


@dataclass
class Layer:
    """A layer of a graph; `exact`: PyTorch's bits are given."""

    name: str
    module: torch.nn.Module
    exact: bool
    sample: str
    shapes: list  # of its inputs, without the batch


class Graph:
    """An architecture JSON with its state_dict, inputs and PyTorch's answers."""

    def __init__(self, seed, samples=None):
        self.seed = seed
        samples = samples or usable_samples()
        self.name = f"graph {seed}"
        self.random = random.Random(seed)
        torch.manual_seed(seed)
        self.architecture = {"h5bridge": 1, "name": f"Graph{seed}", "inputs": [], "layers": [], "outputs": {}}
        self.state, self.layers, self.samples = OrderedDict(), [], []
        self.inputs, self.values, self.unused = [], [], []
        self.exact = True
        wanted = self.random.randint(4, 10)
        for _ in range(40 * wanted):
            if len(self.samples) == wanted:
                break
            self.add(self.random.choice(samples))
        self.choose_outputs()

    # --- inputs of a layer --------------------------------------------------------------------------------------------------

    def new_input(self, sample, index):
        """An input of the model's, of the sample's own shape and kind."""
        shape = sample.input_shapes[index]
        if len(self.inputs) == MOST_INPUTS or looks_moved(shape):
            return None
        if sample.integers[index] is not None:
            rows = torch.tensor(sample.integers[index]).view(shape)
            tensors = [rows[torch.arange(batch) % len(rows)] for batch in (BATCH, OTHER_BATCH)]
            if rows.dim() == 1 and bool((rows.diff() >= 0).all()):  # the offsets of bags, which PyTorch wants in order
                tensors = [numbers.sort().values for numbers in tensors]
        elif sample.ids_below:
            tensors = [torch.randint(sample.ids_below, (batch, *shape[1:])) for batch in (BATCH, OTHER_BATCH)]
        else:
            low, high = sample.between or (None, None)
            draw = (lambda *s: torch.rand(s) * (high - low) + low) if sample.between else (lambda *s: torch.randn(s))
            tensors = [draw(batch, *shape[1:]) for batch in (BATCH, OTHER_BATCH)]
        changed = tensors[0] * (1 + 1e-6 * torch.randn(tensors[0].shape)) if tensors[0].is_floating_point() else tensors[0]
        value = Value(f"x{len(self.inputs)}", [*tensors, changed])
        dtype = str(tensors[0].dtype).removeprefix("torch.")
        self.architecture["inputs"].append({"name": value.name, "shape": ["batch", *shape[1:]], "dtype": dtype})
        self.inputs.append(value)
        return value

    def new_parameter(self, sample, index):
        """A tensor of the model's own, where a sample has an input without a batch."""
        name = f"own{len(self.architecture['layers'])}"
        tensor = 0.5 * torch.randn(sample.input_shapes[index])
        self.state[name] = tensor
        self.architecture["layers"].append({"name": name, "type": "Parameter", "attributes": {"shape": list(tensor.shape)}, "inputs": []})
        return Value(name, [tensor] * 3)

    def operand(self, sample, index, first):
        described = sample.architecture["inputs"][index]
        if described["shape"][:1] != ["batch"]:
            return self.new_parameter(sample, index)
        if sample.integers[index] is not None or sample.ids_below or sample.between:
            return self.new_input(sample, index)
        same = first is not None and sample.input_shapes[index] == sample.input_shapes[0]
        fitting = [value for value in self.values if value.is_float and len(value.shape) == len(described["shape"])]
        fitting = [value for value in fitting if not same or value.shape == first.shape]
        # Keras's RandomColorDegeneration takes pictures of 3 channels alone.
        if first is not None and not same or "noise_shape" in sample.attributes or sample.type == "RandomColorDegeneration":
            fitting = [value for value in fitting if value.shape[1:] == tuple(sample.input_shapes[index][1:])]
        if fitting and self.random.random() < 0.9:
            recent = [value for value in fitting if value in self.unused] or fitting
            return self.random.choice(recent if self.random.random() < 0.7 else fitting)
        return None if same and first.shape[1:] != tuple(sample.input_shapes[0][1:]) else self.new_input(sample, index)

    # --- layers -------------------------------------------------------------------------------------------------------------

    def add(self, sample):
        """Adds the sample's layer, or a further call of one of its type, if it can be."""
        kept = copy.deepcopy(self.architecture), self.state.copy(), list(self.inputs)
        if not (self.call_again() if self.layers and self.random.random() < 0.1 else self.try_to_add(sample)):
            self.architecture, self.state, self.inputs = kept

    def new_name(self):
        return f"{self.random.choice(['', '', 'block.', 'head.0.'])}n{len(self.samples)}"

    def try_to_add(self, sample):
        operands = []
        for index in range(len(sample.architecture["layers"][0]["inputs"])):
            operand = self.operand(sample, index, operands[0] if operands else None)
            if operand is None:
                return False
            operands.append(operand)
        attributes = fitted(sample, operands[0].shape)
        try:
            module, alone = reference(sample.type, copy.deepcopy(attributes))
            randomised(module)
        except REFUSALS:
            return False
        layer = Layer(self.new_name(), module, alone or not is_inexact(sample.type, sample.attributes), sample.name, [x.shape[1:] for x in operands])
        entry = {"name": layer.name, "type": sample.type} | ({"attributes": attributes} if attributes else {})
        if not self.try_to_call(layer, entry, operands):
            return False
        self.layers.append(layer)
        self.state |= {name.replace("layer", layer.name, 1): tensor for name, tensor in module.state_dict().items()}
        return True

    def call_again(self):
        """Another call of a layer that is there, whose inputs have the shapes of the first call's."""
        layer = self.random.choice(self.layers)
        fitting = [[value for value in self.values if value.is_float and value.shape[1:] == shape] for shape in layer.shapes]
        if not all(fitting):
            return False
        operands = [self.random.choice(values) for values in fitting]
        return self.try_to_call(layer, {"name": self.new_name(), "call": layer.name}, operands)

    def try_to_call(self, layer, entry, operands):
        results = run(layer.module, operands)
        if results is None or not all(value.is_worth_comparing() for value in results):
            return False
        if not all(same_but_for_rounding(*pair) for pair in zip(results, run(layer.module, [operand.jittered() for operand in operands]))):
            return False
        for k, value in enumerate(results):
            value.name = f"{entry['name']}:{k}" if k else entry["name"]
        self.architecture["layers"].append(entry | {"inputs": [operand.name for operand in operands]})
        self.exact = self.exact and layer.exact
        self.samples.append(layer.sample + " again" * ("call" in entry))
        self.unused = [value for value in self.unused if value not in operands] + results
        self.values += [value for value in (*operands, *results) if value.has_batch and value not in self.values]
        return True

    def choose_outputs(self):
        """What nothing uses, and some of the others."""
        names = {operand for layer in self.architecture["layers"] for operand in layer["inputs"]}
        inner = [value for value in self.values if value.name in names and value not in self.inputs]
        self.outputs = [value for value in self.unused] + self.random.sample(inner, min(len(inner), self.random.randint(0, 1)))
        for k, value in enumerate(self.outputs):
            self.architecture["outputs"][f"y{k}"] = value.name

    def is_own(self, name):
        """Whether a tensor of the state_dict is a layer by itself."""
        return any(entry["name"] == name and entry.get("type") == "Parameter" for entry in self.architecture["layers"])

    def expected(self, other_batch=False):
        return [value.tensors[other_batch].numpy() for value in self.outputs]

    def given(self, other_batch=False):
        return {value.name: value.tensors[other_batch].numpy() for value in self.inputs}

    def write(self, folder):
        (folder / "m.json").write_text(json.dumps(self.architecture))
        torch.save(self.state, folder / "m.pth")

    def __str__(self):
        return f"{self.name}: " + ", ".join(self.samples)


def looks_moved(shape):
    """Whether a shape is the same with its channels last, so that it does not tell a layout."""
    return len(shape) > 2 and [*shape[2:], shape[1]] == list(shape[1:])


def fitted(sample, shape):
    """The sample's attributes, made to fit an input of another shape where they say what its axes hold."""
    attributes, own = copy.deepcopy(sample.attributes), sample.input_shapes[0]
    for name, axis in SIZES.items():
        if len(own) > 1 and attributes.get(name) == own[axis]:
            attributes[name] = shape[axis]
    if isinstance(sizes := attributes.get("normalized_shape"), list) and sizes == own[-len(sizes) :]:
        attributes["normalized_shape"] = list(shape[-len(sizes) :])
    return attributes


def run(module, operands):
    """The layer's results, or None where PyTorch refuses."""
    made = []
    for tensors in zip(*(operand.tensors for operand in operands)):
        try:
            with torch.no_grad():
                made.append(flattened(module(*tensors)))
        except REFUSALS:
            return None
    return [Value("", list(tensors)) for tensors in zip(*made)] if len({len(each) for each in made}) == 1 else None


@cache
def usable_samples():
    """Those with a batch, in front, that have an input."""

    def fits(sample):
        uneven = sample.type.startswith("AvgPool") and sample.attributes.get("padding") == "same"  # as JAX_ONLY says
        if not sample.architecture["layers"][0]["inputs"] or sample.name in JAX_ONLY or uneven:
            return False
        shapes = [described["shape"] for described in sample.architecture["inputs"]]
        return shapes[0][:1] == ["batch"] and all("batch" not in shape[1:] for shape in shapes)

    return [sample for sample in ALL_WITH_KERAS if fits(sample)]
