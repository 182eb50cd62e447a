"""tools/h5bridge_export.py: what cannot be said is refused by name, and what can be said with care is."""

import base64
import re

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from architecture_interpreter import export
from test_export import Function, MyModel
from test_export_open_sizes import Asking, Inner
from torch_helpers import exporter

ExportError = exporter.ExportError


class Bare(nn.Module):
    """Uses tensors of its own; `dtype` and `persistent` are those of one of them."""

    def __init__(self, dtype=torch.float32, persistent=True):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("shift", torch.ones(4, dtype=dtype))
        self.register_buffer("offset", torch.ones(1, 4), persistent=persistent)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        y = self.fc(x * self.scale) * self.scale
        return y + self.shift + self.offset


def change_a_view(x):
    y = x.view(x.size(0), -1)
    y.relu_()
    return x + 1


PROBLEMS = [
    (lambda x: x.sum((1, 2, 3)) * torch.arange(0, x.shape[0], 1.5).sum(), "arange: its step 1.5 is no integer"),
    (lambda x: x * 2 if x.sum() > 0 else x, "Inner: in inner (Function): __bool__ makes the graph depend on a tensor's values"),
    (lambda x: x * x.mean().item(), "Inner: in inner (Function): item makes the graph depend on a tensor's values"),
    (lambda x: x[x > 0].sum(), "Inner: in inner (Function): __getitem__: indexing by a tensor of 4 axes and dtype bool cannot be written"),
    (change_a_view, "Inner: in inner (Function): add: it takes a tensor whose memory was changed in place through another tensor"),
    (lambda x: F.dropout(x), "Inner: in inner (Function): dropout: it stays active in evaluation mode (training=True)"),
    (lambda x: x + HALVES, "Inner: in inner (Function): add: it takes a constant tensor of shape (4, 1, 1) and dtype float16"),
    (lambda x: x + PAIRS, "it takes a constant tensor of shape (4, 1, 1) and dtype complex64"),
    (lambda x: x[:, [True, False, True, True]], "Inner: in inner (Function): __getitem__: indexing by a list cannot be written"),
    (lambda x: nn.Linear(12, 3)(x), "an unregistered module (Linear): has parameters that are not in the model's state_dict"),
]
HALVES = torch.ones(4, 1, 1).half()
PAIRS = HALVES.cfloat()
MEAN = torch.tensor([0.1, -2, 3, 4]).view(4, 1, 1)


HOOKS = {
    'prune.remove(module, "weight")': lambda: nn.utils.prune.l1_unstructured(nn.Linear(4, 3), "weight", 0.4),
    "remove_weight_norm": lambda: nn.utils.weight_norm(nn.LSTM(4, 3), "weight_ih_l0"),
}


@pytest.mark.parametrize("way", HOOKS)
def test_hooks_of_pytorchs_own_are_refused_with_the_way_out(way, tmp_path):
    module = nn.Sequential(HOOKS[way]())
    with pytest.raises(ExportError, match="has a forward hook .*, which would be lost; torch.nn.utils.*" + re.escape(way)):
        exporter.export_architecture(module, torch.randn(2, 4), tmp_path / "x.json")


@pytest.mark.parametrize("function, message", PROBLEMS)
def test_problems(function, message, tmp_path):
    with pytest.raises(ExportError) as error:
        exporter.export_architecture(Inner(function), torch.randn(2, 4, 12, 12), tmp_path / "x.json")
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_all_problems_at_once(tmp_path):
    model = Inner(lambda x: (x + HALVES, x + PAIRS))
    with pytest.raises(ExportError) as error:
        exporter.export_architecture(model, torch.randn(2, 4, 12, 12), tmp_path / "x.json")
    problems = str(error.value).splitlines()
    assert len(problems) == 2 and all(p.startswith("Inner: in inner (Function): ") for p in problems)
    assert "float16" in problems[0] and "complex64" in problems[1]


def test_buffers_that_are_no_weights_have_their_elements():
    described = exporter.describe(Bare(torch.int32, False), torch.randn(2, 4))
    found = {entry["name"]: (entry["type"], entry["attributes"]) for entry in described["layers"] if "data" in entry.get("attributes", {})}
    assert found == {
        "shift": ("Buffer", {"shape": [4], "dtype": "int32", "data": [1, 1, 1, 1]}),
        "constant": ("new_tensor", {"shape": [1, 4], "data": [1.0, 1.0, 1.0, 1.0]}),
    }


def constant_of(tensor):
    """The attributes of the constant in a network that takes a tensor, in a document of the version that can say it."""
    document = exporter.describe(Inner(lambda x: x + tensor.sum()), torch.randn(2, 4, 5, 3))
    (attributes,) = [entry["attributes"] for entry in document["layers"] if entry["type"] == "new_tensor"]
    assert document["h5bridge"] == (2 if isinstance(attributes["data"], dict) else 1)
    return attributes


@pytest.mark.parametrize("tensor", [
    torch.linspace(-1, 1, 65537),
    torch.arange(70000).view(7, -1, 2).transpose(0, 2) % 5 > 2,
    torch.tensor([2**53 - 1, -(2**53), 2**63 - 1]),
], ids=["floats", "truth values", "large integers"])
def test_constants_that_no_list_should_hold_are_bytes(tensor):
    attributes = constant_of(tensor)
    data = attributes["data"]
    assert data["dtype"] == str(tensor.dtype).removeprefix("torch.") == attributes.get("dtype", "float32")
    assert base64.b64decode(data["base64"], validate=True) == tensor.numpy().tobytes()
    assert attributes["shape"] == list(tensor.shape)


def test_constants_of_as_many_elements_as_a_list_has_are_numbers():
    numbers = torch.linspace(-1, 1, 65536)
    assert constant_of(numbers) == {"data": numbers.tolist(), "shape": [65536]}


def test_what_is_made_of_numbers_alone_is_a_constant():
    described = exporter.describe(Inner(lambda x: x + torch.arange(3.0) * torch.full((3,), 2.5)), torch.randn(2, 4, 5, 3))
    constants = [entry["attributes"] for entry in described["layers"] if entry["type"] == "new_tensor"]
    assert constants == [{"data": [0, 2.5, 5], "shape": [3]}]


@pytest.mark.parametrize("made", (
    lambda array: torch.from_numpy(array),
    lambda array: torch.from_numpy(array.astype("float64")).float(),
    lambda array: torch.asarray(array),
    lambda array: torch.Tensor(array.tolist()),
))  # fmt: skip
def test_tensors_of_numpys_arrays_are_constants(export, made):
    array = numpy.arange(4, dtype="float32") / 3
    a = export(Asking(lambda l, x: l(x) + made(array)), torch.randn(2, 20, 4), [["batch", "length", 4]])
    (constant,) = [entry["attributes"] for entry in a["layers"] if entry["type"] == "new_tensor"]
    assert constant["shape"] == [4] and numpy.array_equal(numpy.array(constant["data"], "float32"), array)


FILLED = [
    (lambda x: torch.zeros(x.size(0), 1), "zeros", {"size": ["batch", 1]}),
    (lambda x: x.new_zeros(len(x), 1), "zeros", {"size": ["batch", 1]}),
    (lambda x: torch.ones(x.shape[0], dtype=torch.int64)[:, None], "ones", {"size": ["batch"], "dtype": "int64"}),
    (lambda x: x.new_full((x.size(0), 1), -2.5), "full", {"size": ["batch", 1], "fill_value": -2.5}),
    (lambda x: torch.full((x.size(0), 1), 3), "full", {"size": ["batch", 1], "fill_value": 3, "dtype": "int64"}),
    (lambda x: torch.full((x.size(0), 1), True), "full", {"size": ["batch", 1], "fill_value": 1, "dtype": "bool"}),
]


@pytest.mark.parametrize("function, kind, attributes", FILLED)
def test_one_number_in_an_open_shape(function, kind, attributes):
    described = exporter.describe(Inner(lambda x: x.flatten(1) * function(x)), torch.randn(2, 4, 5, 3))
    (found,) = [entry for entry in described["layers"] if entry["type"] == kind]
    assert (found["attributes"], found["inputs"]) == (attributes, [])


class Others(nn.Module):
    """A module under two names, one that is not used, inputs in a dict."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.net = nn.Sequential(self.fc, nn.ReLU())
        self.auxiliary = nn.Linear(2, 2)
        self.register_buffer("seen", torch.ones(1))

    def forward(self, batch, *more):
        return self.net(batch["left"] + batch["right"]) + more[0] * more[1]


def test_other_names_and_inputs_in_dicts_and_lists():
    left, right, *more = torch.randn(4, 3, 4)
    described = exporter.describe(Others(), ({"left": left, "right": right}, *more))
    assert [x["name"] for x in described["inputs"]] == ["left", "right", "more_0", "more_1"]
    assert described["aliases"] == {"net.0.weight": "fc.weight", "net.0.bias": "fc.bias"}
    assert described["unused"] == ["seen", "auxiliary.weight", "auxiliary.bias"]


class Registered(nn.Module):
    """A tie, a frozen parameter and a buffer, registered in another order than they are called."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 7, bias=False)
        self.norm = nn.BatchNorm1d(5)
        self.tokens = nn.Embedding(7, 5)
        self.head.weight = self.tokens.weight
        self.norm.weight.requires_grad_(False)

    def forward(self, ids):
        return self.head(self.norm(self.tokens(ids).transpose(1, 2)).transpose(1, 2))


def test_the_order_of_registration_buffers_frozen_and_tied_parameters_are_stated():
    module = Registered()
    described = exporter.describe(module, torch.zeros(2, 6, dtype=torch.long))
    assert described["state_dict"] == list(module.state_dict())
    assert described["buffers"] == [name for name, _ in module.named_buffers()]
    assert described["frozen"] == ["norm.weight"]
    assert described["tied"] == [["head.weight", "tokens.weight"]]
    plain = exporter.describe(nn.Sequential(nn.Linear(2, 3)), torch.randn(2, 2))
    assert plain["state_dict"] == ["0.weight", "0.bias"] and not {"buffers", "frozen", "tied"} & set(plain)


def halved_and_doubled(x):
    return torch.cat([x, F.interpolate(F.max_pool2d(x, 4), scale_factor=4)], 1)


def test_sizes_that_must_be_multiples_stay_open(export):
    export(Function(halved_and_doubled), torch.randn(2, 4, 8, 12), [["batch", 4, "4*height_by_4", "4*width_by_4"]])


def test_a_batch_that_does_not_stand_first_stays_open(export):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(4, 6)

        def forward(self, x):
            return self.gru(x)[1][-1]

    export(Last(), torch.randn(9, 3, 4), [["batch", "length", 4]])


def test_several_axes_are_indexed_together(export):
    picked = lambda x: F.adaptive_avg_pool2d(x, (5, 3))[:, [1, 2, -1], [0, 0, 2]]  # noqa: E731
    export(Function(picked), torch.randn(2, 4, 7, 8), [["batch", 4, "height", "width"]])


def test_tensors_that_a_module_uses_itself_are_entries_with_their_names():
    described = exporter.describe(nn.Sequential(Bare()), torch.randn(2, 4))
    found = [(entry["name"], entry["type"], entry.get("attributes"), entry.get("inputs")) for entry in described["layers"]]
    assert found == [
        ("0.scale", "Parameter", {"shape": [4]}, []),
        ("mul", "mul", None, ["input", "0.scale"]),
        ("0.fc", "Linear", {"in_features": 4, "out_features": 4}, None),  # of the entry before it
        ("mul_1", "mul", None, ["0.fc", "0.scale"]),
        ("0.shift", "Buffer", {"shape": [4]}, []),
        ("add", "add", None, ["mul_1", "0.shift"]),
        ("0.offset", "Buffer", {"shape": [1, 4]}, []),
        ("add_1", "add", None, ["add", "0.offset"]),
    ]


def test_constant_tensors_are_entries_with_their_elements():
    model = Inner(lambda x: (x - MEAN) * torch.tensor(2.5, dtype=torch.float64) + x.new_tensor([[1, 2, 3]]))
    described = exporter.describe(model, torch.randn(2, 4, 5, 3))
    found = [(entry["name"], entry.get("attributes"), entry.get("inputs")) for entry in described["layers"] if entry["type"] == "new_tensor"]
    assert found == [
        ("constant", {"data": MEAN.flatten().tolist(), "shape": [4, 1, 1]}, ["x"]),
        ("constant_1", {"data": [2.5], "shape": [], "dtype": "float64"}, ["x"]),
        ("constant_2", {"data": [1.0, 2.0, 3.0], "shape": [1, 3]}, ["x"]),
    ]


def test_failing_example():
    with pytest.raises(ExportError, match="MyModel fails on the example inputs: RuntimeError: mat1 and mat2"):
        exporter.describe(MyModel(), torch.randn(2, 5))
    with pytest.raises(ExportError, match="the example inputs don't fit MyModel.forward"):
        exporter.describe(MyModel(), (torch.randn(2, 4), torch.randn(2, 4)))
