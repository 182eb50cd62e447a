"""tools/h5bridge_export.py: which sizes are open, and what is said of them."""

import math
from unittest import mock

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from architecture_interpreter import export, layer, types
from test_export import Function, MyModel, TheModelClass
from torch_helpers import exporter

ExportError = exporter.ExportError


class Inner(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.inner = Function(function)

    def forward(self, x):
        return self.inner(x)


def test_equal_sizes_of_several_inputs_share_a_symbol(export):
    class Net(nn.Module):
        def forward(self, a, b, c):
            return (a + b).sum(1), c.flatten(1)

    export(Net(), (torch.randn(2, 7), torch.randn(2, 7), torch.randn(2, 7, 3)),
           [["batch", "a_length"], ["batch", "a_length"], ["batch", "length", "c_length"]])  # fmt: skip


def test_a_length_that_python_loops_over_is_fixed(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)

        def forward(self, x):
            h = x.new_zeros(x.size(0), 4)
            for t in range(x.size(1)):
                h = self.cell(x[:, t], h)
            return h

    a = export(Net(), torch.randn(2, 4, 3), [["batch", 4, 3]])
    assert types(a) == ["select", "GRUCell"] + ["select", "call"] * 3


def test_a_branch_on_a_size_fixes_it(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return F.avg_pool2d(x, 2) if x.shape[2] > 20 else self.conv(x)

    a = export(Net(), torch.randn(2, 3, 16, 16), [["batch", 3, 16, "width"]])
    assert types(a) == ["Conv2d"]


class Asking(nn.Module):
    """A forward function of itself and the input, with a layer to call."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.l = nn.Linear(4, 4)

    def forward(self, x):
        return self.function(self.l, x)


def asserts_block_size(l, x):
    assert x.shape[1] <= 512, "longer than the block size"
    return l(x)


def refuses_long_ones(l, x):
    b, t, c = x.shape
    if t < 1 or b == 0 or x.shape != x.size():  # for no input
        raise ValueError("empty")
    if t > 512:
        raise ValueError("too long")
    if t > 1024 or t + 1 > 600:  # follows from the one before
        raise ValueError("much too long")
    return l(x)


def convolves_first(l, x):
    y = F.conv1d(x.transpose(1, 2), l.weight[:, :, None].expand(4, 4, 5)).transpose(1, 2)  # PyTorch asks for five steps, too
    return l(y) if x.shape[1] > 4 else l(x)


def counts_hundreds(l, x):
    for _ in range(x.shape[1] // 100):
        x = torch.relu(x)
    return l(x)


ASKED = [
    (lambda l, x: l(x[:, :32] if x.shape[1] > 32 else x), ["asks whether length > 32, and goes on as for the example: no"]),
    (lambda l, x: l(x[:, -512:] if x.shape[1] > 512 else x), ["asks whether length > 512, and goes on as for the example: no"]),
    (lambda l, x: l(x[:, : min(x.shape[1], 32)]), ["asks whether length > 32, and goes on as for the example: no"]),
    (lambda l, x: l(x) * max(x.shape[1], 3), ["asks whether length < 3, and goes on as for the example: no"]),
    (lambda l, x: l(x) if x.shape[1] > 3 else x, ["asks whether length > 3, and goes on as for the example: yes"]),
    (lambda l, x: l(x) if x.shape[0] > 1 else x, ["asks whether batch > 1, and goes on as for the example: yes"]),
    (lambda l, x: l(x if len(x) != 64 else -x), ["asks whether batch != 64, and goes on as for the example: yes"]),
    (lambda l, x: l(x if 3 < x.shape[1] < x.shape[0] * 99 else -x),
     ["asks whether length > 3, and goes on as for the example: yes", "asks whether length < 99*batch, and goes on as for the example: yes"]),
    (asserts_block_size, ["asks whether length <= 512, and goes on as for the example: yes"]),
    (refuses_long_ones, ["asks whether length > 512, and goes on as for the example: no"]),
    (convolves_first, ["asks whether length > 4, and goes on as for the example: yes"]),
    (counts_hundreds, ["takes length//100 for a number, and goes on as for the example: 0"]),
    (lambda l, x: l(x) if x.shape[1] >= 1 and x.shape[0] > 0 and x.shape[1] and x.shape[1] == x.size(1) else x, []),
    (lambda l, x: l(x + torch.zeros(x.shape[1], 4) + torch.arange(x.shape[1])[:, None] * F.relu(x)), []),
]  # fmt: skip


def stretches(part):
    """A network that stretches a part of its steps to the size of it."""
    return lambda l, x: l(part(x)).sum(1, keepdim=True).expand(-1, part(x).shape[1], -1)


# Where PyTorch's own trace decides by the example how long a part is, that is a question as well, once something hangs on it.
ASKED += [
    (stretches(lambda x: x[:, :32]), ["the size min(length, 32) asks whether length > 32, and goes on as for the example: no"]),
    (stretches(lambda x: x[:, :4]), ["the size min(length, 4) asks whether length > 4, and goes on as for the example: yes"]),
    (stretches(lambda x: x[:, -32:]), ["the size min(length, 32) asks whether length > 32, and goes on as for the example: no"]),
    (stretches(lambda x: x[:, -4:]), ["the size min(length, 4) asks whether length > 4, and goes on as for the example: yes"]),
    (stretches(lambda x: x[:, :-3]), ["the size max(length - 3, 0) asks whether length < 3, and goes on as for the example: no"]),
    (stretches(lambda x: x[:, 3:40]), [
        "the size -min(length, 3) + min(length, 40) asks whether length > 3, and goes on as for the example: yes",
        "the size -min(length, 3) + min(length, 40) asks whether length > 40, and goes on as for the example: no",
    ]),
    (stretches(lambda x: x[:, :6][:, -4:]), [
        "the size min(length, 4) asks whether length > 4, and goes on as for the example: yes",
    ]),
    (stretches(lambda x: x[:, : x.shape[1] - 3]), ["the size max(length - 3, 0) asks whether length < 3, and goes on as for the example: no"]),
    (lambda l, x: l(x[:, :32]) + torch.arange(x[:, :32].shape[1])[:, None], ["the size min(length, 32) asks whether length > 32, and goes on as for the example: no"]),
    (lambda l, x: l(x[:, :32]) + l(x)[:, :32], []),
    # A deviation is of one element less than there are, and Keras is told how many these are.
    (lambda l, x: l(x)[:, :32].std(1), ["the size min(length, 32) asks whether length > 32, and goes on as for the example: no"]),
    (lambda l, x: l(x)[:, -32:].var((1, 2)), ["the size min(length, 32) asks whether length > 32, and goes on as for the example: no"]),
    (lambda l, x: l(x)[:, :32].var(1, unbiased=False), []),
    (lambda l, x: l(x)[:, :32].std(2), []),
    (lambda l, x: l(x).std(1), []),
    (stretches(lambda x: x[:, 1:]), []),
    (stretches(lambda x: x[:, ::3]), []),
    (stretches(lambda x: x[:, x.shape[1] // 2 :]), []),
    (stretches(lambda x: x.narrow(1, 2, 4)), []),
    (stretches(lambda x: torch.tensor_split(x, 3, 1)[1]), []),
    (stretches(lambda x: torch.tensor_split(x, [4], 1)[0]), ["the size min(length, 4) asks whether length > 4, and goes on as for the example: yes"]),
    (stretches(lambda x: x.chunk(2, 1)[1]), []),
    (stretches(lambda x: x.chunk(3, 1)[1]), ["asks whether length > 2*((length + 2)//3), and goes on as for the example: yes"]),
    (stretches(lambda x: x.split([3, x.shape[1] - 3], 1)[1]), []),
    (stretches(lambda x: x.split(64, 1)[0]), ["takes (length + 63)//64 for a number, and goes on as for the example: 1"]),
]  # fmt: skip


@pytest.mark.parametrize("function, asked", ASKED)
def test_what_python_asks_of_open_sizes_is_told(function, asked):
    described = exporter.describe(Asking(function), torch.randn(2, 20, 4))
    assert described["inputs"][0]["shape"] == ["batch", "length", 4]
    assert described.get("notes", []) == [f"in forward: {line}" for line in asked]


def test_what_is_told_of_another_size_than_the_examples_says_so():
    described = exporter.describe(Asking(lambda l, x: l(x) if x.shape[0] > 1 else x), torch.randn(1, 20, 4))
    assert described["notes"] == ["in forward: asks whether batch > 1, and goes on as for sizes other than the example's: yes"]


def test_modules_that_ask_are_named_and_many_questions_counted():
    module = Inner(lambda x: x * sum(x.shape[2] < 500 * i * i for i in range(20, 0, -1)))
    notes = exporter.describe(module, torch.randn(2, 4, 12, 12))["notes"]
    assert len(notes) == 11 and notes[0] == "in inner (Function): asks whether height < 200000, and goes on as for the example: yes"
    assert notes[-1] == "in forward: asks 10 more such questions of open sizes"


def attends_to_those_before(l, x):
    t = x.shape[1]
    scores = (x @ x.transpose(1, 2)).masked_fill(torch.ones(10, 10).tril()[:t, :t] == 0, -1e9)
    return l(scores.softmax(-1) @ x)


def divides_by_root(l, x):
    return l(x) / math.sqrt(x.shape[1])


@pytest.mark.parametrize("function, why", (
    (attends_to_those_before, "in forward: the size 7 of axis 1 of x is fixed: it may be 3, but not 11; an example of a smaller size may leave it open"),
    (divides_by_root, "in forward: takes length for a number, and so the size 7 of axis 1 of x is fixed"),
    (lambda l, x: l(x) if x.shape[1] < 10 else l(-x), "in forward: asks whether length < 10, and so the size 7 of axis 1 of x is fixed"),
    (stretches(lambda x: x[:, :9]), "in forward: the size min(length, 9) asks whether length > 9, and so the size 7 of axis 1 of x is fixed"),
    (stretches(lambda x: x.split(3, 1)[1]), "in forward: takes (length + 2)//3 for a number, and so the size 7 of axis 1 of x is fixed"),
    (lambda l, x: l(x) / numpy.sqrt(x.shape[1]), "in forward: takes length for a number, and so the size 7 of axis 1 of x is fixed"),
))  # fmt: skip
def test_why_a_size_is_fixed_is_told(export, function, why):
    assert export(Asking(function), torch.randn(2, 7, 4), [["batch", 7, 4]])["notes"] == [why]


class Normalized(nn.Module):
    """Takes a picture of one channel, too, which is stretched to the mean's three."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("mean", torch.rand(3, 1, 1))

    def forward(self, x):
        return self.conv(x - self.mean)


def test_channels_of_pictures_are_what_they_are():
    described = exporter.describe(Normalized(), torch.randn(2, 3, 8, 6))
    assert described["inputs"][0]["shape"] == ["batch", 3, "height", "width"] and not described.get("notes")


class Combining(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, a, b):
        return self.function(a, b)


@pytest.mark.parametrize("function, shapes, expected", (
    (torch.add, [(2, 1), (2, 1)], [["batch", "length"], ["batch", "length"]]),
    (torch.mul, [(2, 8), (2, 1)], [["batch", "length"], ["batch", 1]]),
    (torch.mul, [(2, 8), (1, 8)], [["batch", "a_length"], [1, "a_length"]]),
    (torch.mul, [(2, 8), (1, 1)], [["batch", "length"], [1, 1]]),
    (lambda a, b: torch.tanh(a[:, :2]) * b, [(2, 4), (2, 1)], [["batch", "length"], ["batch", 1]]),
    (torch.mul, [(2, 3, 8, 6), (2, 1, 8, 6)], [["batch", "channels", "height", "width"], ["batch", 1, "height", "width"]]),
    (lambda a, b: a.relu() + b.sin(), [(2, 1, 3), (2, 1, 3)], [["batch", "length", "a_length"], ["batch", "length", "a_length"]]),
))  # fmt: skip
def test_a_size_of_1_that_is_stretched_is_no_fixed_one(export, function, shapes, expected):
    assert "notes" not in export(Combining(function), tuple(torch.randn(shape) for shape in shapes), expected)


# Parts of an axis of 20, with their sizes as they are at any length, those at which no question has another answer.
PARTS = [lambda x: torch.tensor_split(x, 3, 1), lambda x: torch.tensor_split(x, [4, 9], 1), lambda x: x.chunk(2, 1), lambda x: x.chunk(3, 1),
         lambda x: (x[:, 1:], x[:, ::3], x[:, 2::2], x[:, -4:], x[:, :6][:, -4:], x[:, -9:-2], x[:, 3:8:2], x[:, 5:-3], x[:, -15:]),
         lambda x: x.split([3, x.shape[1] - 3], 1), lambda x: x.split(x.shape[1] // 2 + 1, 1),
         lambda x: (x[:, : math.ceil(x.shape[1] / 3)], x[:, math.floor(x.shape[1] / 3) :])]  # fmt: skip


@pytest.mark.parametrize("parts", PARTS)
def test_the_size_of_a_part_is_right_at_every_length(parts):
    described = exporter.describe(Asking(lambda l, x: tuple(l(part).sum(1, keepdim=True).expand(-1, part.shape[1], -1) for part in parts(x))), torch.randn(2, 20, 4))
    by_name = {entry["name"]: entry for entry in described["layers"]}
    written = [by_name[name]["attributes"]["size"][1] for name in described["outputs"]]
    assert described["inputs"][0]["shape"] == ["batch", "length", 4]
    for length in range(17, 60):
        true = [part.shape[1] for part in parts(torch.zeros(1, length, 4))]
        assert [eval(str(size), {"length": length}) for size in written] == true


def test_a_size_that_is_computed_with_is_computed(export):
    described = export(Asking(lambda l, x: l(x).sum(1) / x[:, -32:].shape[1] * (x.shape[1] // 2 + 1)), torch.randn(2, 20, 4))
    kinds = [entry["type"] for entry in described["layers"]]
    assert kinds == ["Linear", "sum", "ones", "sum", "clamp", "div", "floor_divide", "add", "mul"] and "notes" not in described
    assert layer(described, "clamp")["attributes"] == {"max": 32} and layer(described, "ones")["attributes"]["size"] == ["length"]


def test_parts_of_given_lengths_are_written_one_by_one(export):
    described = export(Asking(lambda l, x: l(x.split([3, x.shape[1] - 3], 1)[1])), torch.randn(2, 7, 4))
    assert layer(described, "narrow")["attributes"] == {"dim": 1, "start": 3, "length": "length - 3"}


NUMPYS = [
    (lambda x: x * numpy.float32(0.1), "mul", {"other": 0.10000000149011612}),
    (lambda x: numpy.float32(2) * x, "mul", {"other": 2.0}),
    (lambda x: torch.add(x, numpy.int64(3)), "add", {"other": 3}),
    (lambda x: torch.add(x, x, alpha=numpy.float32(2)), "add", {"alpha": 2.0}),
    (lambda x: x ** numpy.float32(2), "pow", {"exponent": 2.0}),
    (lambda x: x[:, numpy.int64(2)], "select", {"dim": 1, "index": 2}),
    (lambda x: x[:, : numpy.int64(2)], "slice", {"dim": 1, "end": 2}),
    (lambda x: x[:, :, numpy.array([0, 2])], "index_select", {"dim": 2, "index": [0, 2]}),
]  # fmt: skip


@pytest.mark.parametrize("function, kind, attributes", NUMPYS)
def test_numpys_scalars_are_numbers(export, function, kind, attributes):
    described = export(Asking(lambda l, x: function(x)), torch.randn(2, 7, 4))
    assert layer(described, kind)["attributes"] == attributes


@pytest.mark.parametrize("function, why", (
    (lambda x: x * numpy.ones(4, dtype="float32"), "__array__ makes the graph depend on a tensor's values; beside a tensor, torch.from_numpy"),
    (lambda x: x + torch.from_numpy(numpy.arange(x.shape[1]))[:, None], "NumPy knows no open sizes"),
    (lambda x: x * (1 / x.shape[1]), r"other than \+ - \* //: .*; int\(\) of the size fixes it"),
))  # fmt: skip
@pytest.mark.filterwarnings("ignore:__array_wrap__")
def test_what_numpy_computes_is_refused_with_advice(function, why):
    with pytest.raises(ExportError, match=why):
        exporter.describe(Asking(lambda l, x: function(x)), torch.randn(2, 7, 4))


def test_a_smaller_example_leaves_a_limited_size_open():
    described = exporter.describe(Asking(attends_to_those_before), torch.randn(2, 3, 4))
    assert described["inputs"][0]["shape"] == ["batch", "length", 4] and "notes" not in described


def test_sizes_that_the_layers_decide_are_no_news():
    described = exporter.describe(TheModelClass(), torch.randn(2, 3, 32, 32))
    assert described["inputs"][0]["shape"] == ["batch", 3, 32, 32] and "notes" not in described


class Einsums(nn.Module):
    def forward(self, x, y):
        return torch.einsum("bti,bsi,bsj->btj", x, y, y), torch.einsum(x, [0, 1, 2], y, [0, 3, 2], x, [0, 1, 4], y, [0, 3, 5], [0, 1, 4])


@pytest.mark.parametrize("enabled", (True, False))
def test_einsums_of_several_operands_do_not_depend_on_sizes(export, enabled):
    with mock.patch.object(torch.backends.opt_einsum, "enabled", enabled):
        a = export(Einsums(), (torch.randn(2, 20, 4), torch.randn(2, 11, 4)))
        assert torch.backends.opt_einsum.enabled is enabled
    assert [e["attributes"]["equation"] for e in a["layers"]] == ["bti,bsi,bsj->btj", "ABC,ADC,ABE,ADF->ABE"]
    assert layer(a, "einsum")["inputs"] == ["x", "y", "y"] and "notes" not in a
    assert [x["shape"] for x in a["inputs"]] == [["batch", "length", "x_length"], ["batch", "y_length", "x_length"]]


def test_a_batch_written_into_the_code_stays():
    class Net(nn.Module):
        def forward(self, x):
            return x.view(1, 3, 4) * 2

    a = exporter.describe(Net(), torch.randn(1, 12))
    assert a["inputs"][0]["shape"] == [1, 12]


def test_a_batch_that_python_loops_over_is_refused():
    class Net(nn.Module):
        def forward(self, x):
            return torch.stack([x[i] for i in range(x.size(0))])

    with pytest.raises(ExportError, match="Net: forward depends on the batch size in Python"):
        exporter.describe(Net(), torch.randn(2, 4))


def test_wrappers_are_looked_through(export):
    for wrapped in (nn.DataParallel(MyModel()), torch.compile(MyModel())):
        a = export(wrapped, torch.randn(1, 4), [["batch", 4]])
        assert a["name"] == "MyModel" and a["layers"][0]["name"] == "fc1"


def test_large_modules_need_no_weights():
    with torch.device("meta"):
        model = nn.Sequential(*[nn.Linear(20000, 20000) for _ in range(19)], nn.BatchNorm1d(20000))
        a = exporter.describe(model, torch.empty(1, 20000))
    assert len(a["layers"]) == 20 and a["inputs"][0]["shape"] == ["batch", 20000]
