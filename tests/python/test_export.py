"""tools/h5bridge_export.py. Every exported graph is run by the interpreter below and compared with the module itself."""

import base64
import functools
import importlib.util
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torch_helpers import exporter

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "h5bridge_export.py"
ExportError = exporter.ExportError


# --- An interpreter of the architecture JSON --------------------------------------------------------------------------------


def size_at(value, symbols):
    """Attributes with their sizes worked out: "2*length + 1" at the run's sizes."""
    if isinstance(value, list):
        return [size_at(item, symbols) for item in value]
    if isinstance(value, str) and set(re.findall(r"[A-Za-z_]\w*", value)) <= set(symbols) and re.search(r"\w", value):
        return eval(value, {"__builtins__": {}}, dict(symbols))
    return value


def slice_(x, dim, start=None, end=None, step=None):
    return x[(slice(None),) * dim + (slice(start, end, step),)]


SPECIAL = {
    "cat": lambda *xs, **a: torch.cat(xs, **a),
    "stack": lambda *xs, **a: torch.stack(xs, **a),
    "view": lambda x, shape: x.reshape(shape),  # a contiguous() before it is no entry
    "expand": lambda x, size: x.expand(size),
    "repeat": lambda x, repeats: x.repeat(repeats),
    "to": lambda x, dtype: x.to(getattr(torch, dtype)),
    "slice": slice_,
    "einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    "split": lambda x, split_size, dim=0: torch.split(x, split_size, dim),
    "arange": lambda end: torch.arange(end),
    "new_tensor": lambda x, data, shape, dtype=torch.float32: torch.tensor(data, dtype=dtype).view(shape),
    "index_select": lambda x, index, dim: x.index_select(dim, torch.as_tensor(index)),
    "pow": lambda *xs, **a: torch.pow(a.pop("self"), xs[0]) if "self" in a else torch.pow(*xs, **a),
}


def function_for(name):
    if name in SPECIAL:
        return SPECIAL[name]
    return next(getattr(home, name) for home in (torch, F, torch.Tensor) if hasattr(home, name))


def attend(module, settings, query, key, value, **masks):
    settings = dict(settings)
    if settings.pop("use_causal_mask", False):
        assert "attn_mask" not in masks
        masks["attn_mask"] = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).triu(1)
    return [y for y in module(query, key, value, **masks, **settings) if y is not None]


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for item in value.values() for t in flat(item)]
    return [t for item in value for t in flat(item)] if isinstance(value, (list, tuple)) else []


def symbol_in(size):
    """The factor and the name in "2*height", or in "height"."""
    factor, _, name = size.rpartition("*")
    return int(factor or 1), name


def interpret(architecture, state, inputs):
    symbols = {}
    for declared in architecture["inputs"]:
        x = inputs[declared["name"]]
        assert str(x.dtype) == "torch." + declared["dtype"]
        assert x.dim() == len(declared["shape"])
        for size, declared_size in zip(x.shape, declared["shape"]):
            if isinstance(declared_size, str):
                factor, name = symbol_in(declared_size)
                assert symbols.setdefault(name, size // factor) * factor == size
            else:
                assert size == declared_size
    values = {name: [x] for name, x in inputs.items()}
    modules, settings_of = {}, {}
    previous = architecture["inputs"][0]["name"]
    value = lambda name: values[name.partition(":")[0]][int(name.partition(":")[2] or 0)]  # noqa: E731
    used = set()
    for layer in architecture["layers"]:
        args = [value(name) for name in layer.get("inputs", [previous])]
        kwargs = {name: value(v) for name, v in layer.get("named_inputs", {}).items()}
        attributes = layer.get("attributes", {})
        attributes = {k: size_at(v, symbols) for k, v in attributes.items()}
        if "call" in layer:
            function = modules[layer["call"]]
            settings = settings_of.get(layer["call"], {}) | attributes
        elif hasattr(nn, layer["type"]):
            attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in attributes.items()}
            settings = {k: attributes.pop(k) for k in ("need_weights", "average_attn_weights", "use_causal_mask", "is_causal") if k in attributes}
            settings_of[layer["name"]] = settings
            function = modules[layer["name"]] = getattr(nn, layer["type"])(**attributes).eval()
            own = {k.removeprefix(layer["name"] + "."): v for k, v in state.items() if k.startswith(layer["name"] + ".")}
            used |= {layer["name"] + "." + k for k in own}
            function.load_state_dict(own)
        else:
            name = layer["type"]
            if "dtype" in attributes and name != "to":
                attributes["dtype"] = getattr(torch, attributes["dtype"])
            function = lambda *a, name=name, attributes=attributes, **k: function_for(name)(*a, **attributes, **k)  # noqa: E731
        if isinstance(function, (nn.LSTM, nn.LSTMCell)) and len(args) == 3:
            args = [args[0], tuple(args[1:])]
        if isinstance(function, nn.MultiheadAttention):
            function = functools.partial(attend, function, settings)
        values[layer["name"]] = flat(function(*args, **kwargs))
        previous = layer["name"]
    outputs = architecture["outputs"]
    others = {*architecture.get("aliases", ()), *architecture.get("unused", ())}
    assert used | others == set(state) and not used & others, "the graph uses every tensor of the state_dict"
    assert all(torch.equal(state[alias], state[name]) for alias, name in architecture.get("aliases", {}).items())
    return {k: value(v) for k, v in outputs.items()} if isinstance(outputs, dict) else [value(v) for v in outputs]


def check_form(a):
    """docs/architecture.md: the members, unique names, values made before they are used."""
    assert list(a)[:5] == ["h5bridge", "name", "inputs", "layers", "outputs"] and a["h5bridge"] in (1, 2)
    assert set(list(a)[5:]) <= {"aliases", "unused", "state_dict", "buffers", "frozen", "tied", "notes"}
    made, defined = set(), set()
    for x in a["inputs"]:
        assert set(x) == {"name", "shape", "dtype"} and x["name"] not in made
        assert all(isinstance(s, int) or re.fullmatch(r"([0-9]+\*)?[a-z_0-9]+", s) for s in x["shape"])
        made.add(x["name"])
    for layer in a["layers"]:
        assert ("type" in layer) != ("call" in layer)
        assert set(layer) <= {"name", "type", "call", "attributes", "inputs", "named_inputs"}
        assert layer["name"] not in made and ":" not in layer["name"]
        assert layer.get("call", layer["name"]) in defined | {layer["name"]}
        for value in [*layer.get("inputs", []), *layer.get("named_inputs", {}).values()]:
            assert value.partition(":")[0] in made
        made.add(layer["name"])
        if "type" in layer:
            defined.add(layer["name"])
    outputs = a["outputs"].values() if isinstance(a["outputs"], dict) else a["outputs"]
    assert all(value.partition(":")[0] in made for value in outputs)


def random_input(declared, sizes, high=5):
    shape = [symbol_in(s)[0] * sizes[symbol_in(s)[1]] if isinstance(s, str) else s for s in declared["shape"]]
    dtype = getattr(torch, declared["dtype"])
    return torch.randn(shape, dtype=dtype) if dtype.is_floating_point else torch.randint(0, 2 if dtype is torch.bool else high, shape).to(dtype)


@pytest.fixture
def export(tmp_path):
    """Exports, checks the form, and compares the graph with the module at several sizes; gives the JSON."""

    def run(module, example, expected=None, sizes=({},)):
        was = [(m, m.training) for m in module.modules()]
        state = {k: v.clone() for k, v in module.state_dict().items()}
        attributes = [dict(vars(m)) for m in module.modules()]
        exporter.export_architecture(module, example, tmp_path / "model.json")
        assert all(m.training == mode for m, mode in was)
        assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())
        assert [dict(vars(m)) for m in module.modules()] == attributes
        architecture = json.loads((tmp_path / "model.json").read_text())
        check_form(architecture)
        if expected is not None:
            assert [x["shape"] for x in architecture["inputs"]] == expected
        open_sizes = {symbol_in(s)[1] for x in architecture["inputs"] for s in x["shape"] if isinstance(s, str)}
        plain = exporter.modules.unwrapped(module).eval()
        torch.backends.mha.set_fastpath_enabled(False)
        for trial, base in enumerate((2, 3, 7)):
            bound = {s: base + (0 if s == "batch" else 60 + 3 * trial + i) for i, s in enumerate(sorted(open_sizes))}
            bound.update({k: v for k, v in sizes[trial % len(sizes)].items()})
            inputs = {x["name"]: random_input(x, bound) for x in architecture["inputs"]}
            with torch.no_grad():
                want = plain(**{k: v.clone() for k, v in inputs.items()})
                got = interpret(architecture, plain.state_dict(), {k: v.clone() for k, v in inputs.items()})
            if isinstance(want, dict):
                assert list(want) == list(dict.fromkeys(key.partition(".")[0] for key in got))
            assert len(flat(want)) == len(flat(got)) > 0
            for w, g in zip(flat(want), flat(got)):
                assert w.shape == g.shape and torch.equal(w, g)
        for m, mode in was:
            m.training = mode
        return architecture

    yield run
    torch.backends.mha.set_fastpath_enabled(True)


def types(architecture):
    return [layer.get("type", "call") for layer in architecture["layers"]]


def layer(architecture, name):
    return next(entry for entry in architecture["layers"] if entry["name"] == name)


# --- Models ------------------------------------------------------------------------------------------------------------------


class MyModel(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.fc1 = nn.Linear(4, hidden)
        self.fc2 = nn.Linear(hidden, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class TheModelClass(nn.Module):
    """PyTorch's tutorial on saving and loading."""

    def __init__(self, flatten=lambda x: x.view(-1, 16 * 5 * 5)):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)
        self.flatten = flatten

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = self.flatten(x)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def test_two_linear_layers(export):
    a = export(MyModel(), torch.randn(3, 4), [["batch", 4]])
    assert a["name"] == "MyModel" and a["outputs"] == ["fc2"]
    assert a["layers"] == [
        {"name": "fc1", "type": "Linear", "attributes": {"in_features": 4, "out_features": 8}},
        {"name": "relu", "type": "ReLU"},
        {"name": "fc2", "type": "Linear", "attributes": {"in_features": 8, "out_features": 2}},
    ]


def test_tutorial_model_keeps_its_image_size(export):
    a = export(TheModelClass(), torch.randn(4, 3, 32, 32), [["batch", 3, 32, 32]])
    assert a["layers"] == [
        {"name": "conv1", "type": "Conv2d", "attributes": {"in_channels": 3, "out_channels": 6, "kernel_size": 5}},
        {"name": "relu", "type": "ReLU"},
        {"name": "pool", "type": "MaxPool2d", "attributes": {"kernel_size": 2, "stride": 2}},
        {"name": "conv2", "type": "Conv2d", "attributes": {"in_channels": 6, "out_channels": 16, "kernel_size": 5}},
        {"name": "relu_1", "type": "ReLU"},
        {"name": "pool_1", "call": "pool"},
        {"name": "view", "type": "view", "attributes": {"shape": [-1, 400]}},
        {"name": "fc1", "type": "Linear", "attributes": {"in_features": 400, "out_features": 120}},
        {"name": "relu_2", "type": "ReLU"},
        {"name": "fc2", "type": "Linear", "attributes": {"in_features": 120, "out_features": 84}},
        {"name": "relu_3", "type": "ReLU"},
        {"name": "fc3", "type": "Linear", "attributes": {"in_features": 84, "out_features": 10}},
    ]


@pytest.mark.parametrize(
    "flatten, entry",
    [
        (lambda x: x.view(x.size(0), -1), {"name": "view", "type": "view", "attributes": {"shape": ["batch", -1]}}),
        (lambda x: x.view(x.shape[0], x.shape[1] * 25), {"name": "view", "type": "view", "attributes": {"shape": ["batch", 400]}}),
        (lambda x: x.view(len(x), 400), {"name": "view", "type": "view", "attributes": {"shape": ["batch", 400]}}),
        (lambda x: x.reshape(x.size()[0], -1), {"name": "reshape", "type": "reshape", "attributes": {"shape": ["batch", -1]}}),
        (lambda x: torch.flatten(x, 1), {"name": "flatten_1", "type": "Flatten"}),
        (lambda x: x.flatten(start_dim=1), {"name": "flatten_1", "type": "Flatten"}),
        (lambda x: x.flatten(-3, -1), {"name": "flatten_1", "type": "Flatten", "attributes": {"start_dim": -3}}),
    ],
)
def test_ways_to_flatten(export, flatten, entry):
    module = TheModelClass(flatten)
    if entry["type"] == "Flatten":
        entry = entry | {"name": "flatten"}
    a = export(module, torch.randn(4, 3, 32, 32), [["batch", 3, 32, 32]])
    assert layer(a, entry["name"]) == entry


def test_flatten_from_the_first_axis_says_so(export):
    class Net(nn.Module):
        def forward(self, x):
            return torch.flatten(x)

    a = export(Net(), torch.randn(4, 3))
    assert layer(a, "flatten")["attributes"] == {"start_dim": 0}


def test_mtcnn(export, monkeypatch):
    # Its networks alone: the package's face detection wants torchvision and others.
    home = Path(importlib.util.find_spec("facenet_pytorch").origin).parent
    for name in ("", ".models", ".models.utils", ".models.utils.detect_face"):
        monkeypatch.setitem(sys.modules, "facenet_pytorch" + name, mock.MagicMock())
    mtcnn_spec = importlib.util.spec_from_file_location("facenet_pytorch.models.mtcnn", home / "models" / "mtcnn.py")
    mtcnn = importlib.util.module_from_spec(mtcnn_spec)
    mtcnn_spec.loader.exec_module(mtcnn)
    a = export(mtcnn.PNet(), torch.randn(1, 3, 12, 12), [["batch", 3, "height", "width"]])
    assert a["outputs"] == ["conv4_2", "softmax4_1"]
    assert layer(a, "pool1")["attributes"] == {"kernel_size": 2, "stride": 2, "ceil_mode": True}
    assert layer(a, "softmax4_1")["attributes"] == {"dim": 1}
    a = export(mtcnn.RNet(), torch.randn(1, 3, 24, 24), [["batch", 3, 24, 24]])
    assert layer(a, "permute") == {"name": "permute", "type": "permute", "attributes": {"dims": [0, 3, 2, 1]}}
    assert layer(a, "view")["attributes"] == {"shape": ["batch", -1]}
    a = export(mtcnn.ONet(), torch.randn(1, 3, 48, 48), [["batch", 3, 48, 48]])
    assert len(a["outputs"]) == 3


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)) if stride > 1 else None

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 7, 2, 3, bias=False)
        self.layer1 = nn.Sequential(Block(4, 4, 1), Block(4, 8, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.avgpool(self.layer1(F.relu_(self.stem(x)))), 1))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_residual_network(export, batch, training):
    a = export(ResNet().train(training), torch.randn(batch, 3, 32, 32), [["batch", 3, "height", "width"]])
    assert layer(a, "layer1.0.relu_1") == {"name": "layer1.0.relu_1", "call": "layer1.0.relu"}
    assert layer(a, "add")["inputs"] == ["layer1.0.bn2", "relu"]
    assert layer(a, "add_1")["inputs"] == ["layer1.1.bn2", "layer1.1.downsample.1"]
    assert layer(a, "layer1.1.conv1")["attributes"] == {
        "in_channels": 4, "out_channels": 8, "kernel_size": 3, "stride": 2, "padding": 1, "bias": False}  # fmt: skip


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(3))
        self.norm = nn.BatchNorm2d(9)

    def forward(self, x):
        features = [x]
        for conv in self.layers:
            features.append(F.relu(conv(torch.cat(features, 1)), inplace=True))
        return F.adaptive_avg_pool2d(self.norm(torch.cat(features, dim=1)), 2).mean((2, 3))


def test_densely_connected(export):
    a = export(Dense(), torch.randn(2, 3, 16, 16), [["batch", 3, "height", "width"]])
    assert layer(a, "cat_3") == {
        "name": "cat_3", "type": "cat", "attributes": {"dim": 1}, "inputs": ["x", "relu", "relu_1", "relu_2"]}  # fmt: skip
    assert layer(a, "mean")["attributes"] == {"dim": [2, 3]}
    assert layer(a, "adaptive_avg_pool2d")["attributes"] == {"output_size": 2}


def test_several_inputs_and_a_dict_of_outputs(export):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(6, 8)

        def forward(self, image, text, scale=None):
            x, y = self.a(image), self.b(text)
            return {"sum": x + y, "parts": [x, y], "gate": 1 - torch.sigmoid(x * y) / 2}

    a = export(Two(), {"text": torch.randn(1, 5, 6), "image": torch.randn(1, 5, 4)}, [["batch", "length", 4], ["batch", "length", 6]])
    assert [x["name"] for x in a["inputs"]] == ["image", "text"]
    assert list(a["outputs"].items()) == [("sum", "add"), ("parts.0", "a"), ("parts.1", "b"), ("gate", "rsub")]
    assert layer(a, "b")["inputs"] == ["text"]
    assert layer(a, "div")["attributes"] == {"other": 2} and layer(a, "rsub")["attributes"] == {"other": 1}
    export(Two(), (torch.randn(2, 4), torch.randn(2, 6)), [["batch", 4], ["batch", 6]])


def test_nested_outputs_and_an_input_passed_through(export):
    class Net(nn.Module):
        def forward(self, x):
            low, high = x.chunk(2, dim=1)
            values, indices = torch.max(x, 1)
            return x, (low, [high, values]), indices, None

    a = export(Net(), torch.randn(3, 6))
    assert a["outputs"] == ["x", "chunk", "chunk:1", "max", "max:1"]


class LSTMTagger(nn.Module):
    """PyTorch's tutorial on sequence models."""

    def __init__(self):
        super().__init__()
        self.word_embeddings = nn.Embedding(9, 6)
        self.lstm = nn.LSTM(6, 6)
        self.hidden2tag = nn.Linear(6, 3)

    def forward(self, sentence):
        embeds = self.word_embeddings(sentence)
        lstm_out, _ = self.lstm(embeds.view(len(sentence), 1, -1))
        return F.log_softmax(self.hidden2tag(lstm_out.view(len(sentence), -1)), dim=1)


def test_lstm_tagger(export):
    a = export(LSTMTagger(), torch.tensor([3, 4, 5, 1, 0]), [["batch"]])
    assert types(a) == ["Embedding", "view", "LSTM", "view", "Linear", "LogSoftmax"]
    assert layer(a, "lstm")["attributes"] == {"input_size": 6, "hidden_size": 6}
    assert layer(a, "view")["attributes"] == {"shape": ["batch", 1, -1]}


class Recurrent(nn.Module):
    def __init__(self, kind, **settings):
        super().__init__()
        self.embed = nn.Embedding(9, 6, padding_idx=0)
        self.rnn = kind(6, 5, batch_first=True, **settings)
        self.head = nn.Linear(5 * (2 if settings.get("bidirectional") else 1), 3)

    def forward(self, ids):
        out, state = self.rnn(self.embed(ids))
        return self.head(out[:, -1]), out, state


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True, "dropout": 0.5, "bias": False}])
def test_recurrent_modules_stay_whole(export, kind, settings):
    a = export(Recurrent(kind, **settings), torch.randint(0, 9, (1, 7)), [["batch", "length"]])
    assert layer(a, "rnn")["attributes"] == {"input_size": 6, "hidden_size": 5, "batch_first": True} | settings
    assert layer(a, "select") == {"name": "select", "type": "select", "attributes": {"dim": 1, "index": -1}}
    assert a["outputs"][1:3] == ["rnn", "rnn:1"] and (kind is nn.LSTM) == ("rnn:2" in a["outputs"])


class WithInitialState(nn.Module):
    def __init__(self, kind, make):
        super().__init__()
        self.rnn = kind(4, 5, batch_first=True)
        self.make = make

    def forward(self, x):
        h = self.make(x)
        return self.rnn(x, (h, h.clone()) if isinstance(self.rnn, nn.LSTM) else h)[0].sum(1)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_initial_state(export, kind):
    a = export(WithInitialState(kind, lambda x: x[:, 0, :1].reshape(1, -1, 1).expand(1, x.size(0), 5)), torch.randn(2, 6, 4), [["batch", "length", 4]])
    assert layer(a, "rnn")["inputs"] == ["x", "expand", "expand"][: 3 if kind is nn.LSTM else 2]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("make", [lambda x: torch.zeros(1, x.size(0), 5, device=x.device), lambda x: x.new_zeros(1, len(x), 5)])
def test_an_initial_state_of_zeros_is_none(export, kind, make):
    a = export(WithInitialState(kind, make), torch.randn(2, 6, 4), [["batch", "length", 4]])
    assert types(a) == [kind.__name__, "sum"] and "inputs" not in layer(a, "rnn")


def test_recurrent_cells(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.LSTMCell(4, 5), nn.GRUCell(5, 3)

        def forward(self, x, h):
            for _ in range(2):
                h, c = self.first(x, (h, h))
            return self.second(h), c

    a = export(Net(), (torch.randn(2, 4), torch.randn(2, 5)), [["batch", 4], ["batch", 5]])
    assert [entry["inputs"] for entry in a["layers"][:2]] == [["x", "h", "h"], ["x", "first", "first"]]
    assert a["layers"][1]["call"] == "first" and a["outputs"] == ["second", "first_1:1"]


def test_transformer(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 8)
            layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8), enable_nested_tensor=False)
            self.attend = nn.MultiheadAttention(8, 4, batch_first=True, kdim=6, vdim=6)
            self.head = nn.Linear(8, 3)

        def forward(self, ids, memory, mask):
            x = self.encoder(self.embed(ids))
            y, weights = self.attend(x, memory, memory, key_padding_mask=mask)
            return self.head((x + y).mean(dim=1)), weights

    example = torch.randint(0, 9, (2, 7)), torch.randn(2, 5, 6), torch.zeros(2, 5, dtype=torch.bool)
    a = export(Net(), example, [["batch", "length"], ["batch", "memory_length", 6], ["batch", "memory_length"]])
    own = {"embed_dim": 8, "num_heads": 2, "dropout": 0.1, "batch_first": True, "need_weights": False}
    assert layer(a, "encoder.layers.1.self_attn")["attributes"] == own
    assert layer(a, "attend") == {
        "name": "attend", "type": "MultiheadAttention", "inputs": ["encoder.norm", "memory", "memory"],
        "attributes": {"embed_dim": 8, "num_heads": 4, "kdim": 6, "vdim": 6, "batch_first": True},
        "named_inputs": {"key_padding_mask": "mask"}}  # fmt: skip
    block = ["LayerNorm", "MultiheadAttention", "Dropout", "add", "LayerNorm", "Linear", "GELU", "Dropout", "Linear", "Dropout", "add"]
    assert types(a) == ["Embedding", *block, *block, "LayerNorm", "MultiheadAttention", "add", "mean", "Linear"]


class Masked(nn.Module):
    def __init__(self, mask, **call):
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
        self.mask, self.call = mask, call

    def forward(self, x):
        return self.attend(x, x, x, attn_mask=self.mask(x.shape[1]), **self.call)[0]


CAUSAL = {
    "numbers": nn.Transformer.generate_square_subsequent_mask,
    "truth": lambda n: torch.ones(n, n, dtype=torch.bool).triu(1),
    "cast": lambda n: torch.triu(torch.ones(n, n), diagonal=1).bool(),
}


@pytest.mark.parametrize("mask", CAUSAL.values(), ids=CAUSAL)
@pytest.mark.parametrize("is_open", [True, False], ids=["open", "constant"])
def test_a_causal_mask_is_a_setting(mask, is_open, export):
    constant = mask(5)
    hint = {"need_weights": False, "is_causal": True} if is_open else {}
    a = export(Masked(mask if is_open else lambda n: constant, **hint), torch.randn(2, 5, 4), [["batch", "length" if is_open else 5, 4]])
    assert [entry["type"] for entry in a["layers"]] == ["MultiheadAttention"]
    assert a["layers"][0]["attributes"]["use_causal_mask"] and "named_inputs" not in a["layers"][0]


OTHERS = {
    "one more": (lambda n: torch.triu(torch.ones(n, n), diagonal=2).bool(), ["triu", "to"]),
    "finite": (lambda n: torch.triu(torch.full((n, n), -5.0), diagonal=1), ["full", "triu"]),
}


@pytest.mark.parametrize("mask, kinds", OTHERS.values(), ids=OTHERS)
def test_another_mask_stays_an_operand(mask, kinds, export):
    a = export(Masked(mask), torch.randn(2, 5, 4), [["batch", "length", 4]])
    assert a["layers"][-1]["named_inputs"]["attn_mask"] == kinds[-1] and "use_causal_mask" not in a["layers"][-1]["attributes"]


def test_a_constant_mask_of_zeros_and_infinities_is_one_of_truth_values(export):
    mask = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    a = export(Masked(lambda n: mask), torch.randn(2, 2, 4), [["batch", 2, 4]])
    assert a["layers"][0]["attributes"] == {"data": [0, 1, 1, 0], "shape": [2, 2], "dtype": "bool"}


def test_a_module_that_is_called_with_other_settings(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x):
            y = self.attend(x, x, x, need_weights=False)[0]
            return self.attend(y, y, y, average_attn_weights=False)

    a = export(Net(), torch.randn(2, 5, 4), [["batch", "length", 4]])
    assert a["layers"][1]["attributes"] == {"need_weights": True, "average_attn_weights": False} and a["h5bridge"] == 2


def test_in_place_functions_make_new_values(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.act = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.fc(x)
            self.act(y)  # the result is not taken, y is changed
            y.add_(x, alpha=2).mul_(3)
            z = self.fc(y)
            z.sigmoid_()
            return y - z

    a = export(Net(), torch.randn(2, 4))
    assert types(a) == ["Linear", "ReLU", "add", "mul", "call", "Sigmoid", "sub"]
    assert layer(a, "add")["attributes"] == {"alpha": 2}


def test_dropout_is_another_value_than_its_input(export):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.3)

        def forward(self, x):
            y = F.dropout(x, 0.25, self.training)
            return x + self.drop(x) + y

    a = export(Net().train(), torch.randn(2, 4))
    assert layer(a, "add")["inputs"] == ["x", "drop"] and layer(a, "add_1")["inputs"] == ["add", "dropout"]
    assert layer(a, "dropout") == {"name": "dropout", "type": "Dropout", "attributes": {"p": 0.25}}
    assert layer(a, "drop")["inputs"] == ["x"]


FUNCTIONS = {
    "Softmax": (lambda x: F.softmax(x, dim=-1), {"dim": -1}),
    "Softmax tensor": (lambda x: x.softmax(1), {"dim": 1}),
    "LogSoftmax": (lambda x: torch.log_softmax(x, 1), {"dim": 1}),
    "GELU": (lambda x: F.gelu(x, approximate="tanh"), {"approximate": "tanh"}),
    "LeakyReLU": (lambda x: F.leaky_relu(x, 0.2), {"negative_slope": 0.2}),
    "ELU": (lambda x: F.elu(x, alpha=0.5), {"alpha": 0.5}),
    "Hardtanh": (lambda x: F.hardtanh(x, 0, 6), {"min_val": 0, "max_val": 6}),
    "ReLU6": (lambda x: F.relu6(x), {}),
    "Hardswish": (lambda x: F.hardswish(x), {}),
    "Hardsigmoid": (lambda x: F.hardsigmoid(x), {}),
    "SiLU": (lambda x: F.silu(x), {}),
    "SELU": (lambda x: F.selu(x), {}),
    "CELU": (lambda x: F.celu(x, 2.0), {"alpha": 2.0}),
    "Mish": (lambda x: F.mish(x), {}),
    "Softplus": (lambda x: F.softplus(x, beta=2), {"beta": 2}),
    "Softsign": (lambda x: F.softsign(x), {}),
    "LogSigmoid": (lambda x: F.logsigmoid(x), {}),
    "Tanhshrink": (lambda x: F.tanhshrink(x), {}),
    "Hardshrink": (lambda x: F.hardshrink(x, 0.3), {"lambd": 0.3}),
    "Softshrink": (lambda x: F.softshrink(x, 0.3), {"lambd": 0.3}),
    "Threshold": (lambda x: F.threshold(x, 0.1, 2.0), {"threshold": 0.1, "value": 2.0}),
    "Tanh": (lambda x: x.tanh(), {}),
    "MaxPool2d": (lambda x: F.max_pool2d(x, 3, stride=2, padding=1), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "MaxPool2d stride": (lambda x: F.max_pool2d(x, (2, 3)), {"kernel_size": [2, 3]}),
    "AvgPool2d": (lambda x: F.avg_pool2d(x, 2, count_include_pad=False), {"kernel_size": 2, "count_include_pad": False}),
    "AdaptiveAvgPool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, None)), {"output_size": [2, None]}),
    "AdaptiveMaxPool2d": (lambda x: F.adaptive_max_pool2d(x, 3), {"output_size": 3}),
    "LPPool2d": (lambda x: F.lp_pool2d(x, 2, 2), {"norm_type": 2, "kernel_size": 2}),
    "MaxPool1d": (lambda x: F.max_pool1d(x.mean(2), 2), {"kernel_size": 2}),
    "Upsample": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), {"scale_factor": 2, "mode": "bilinear"}),
    "Upsample size": (lambda x: F.interpolate(x[:, :, ::2], size=x.shape[2:]), {"size": ["height", "width"]}),
    "PixelUnshuffle": (lambda x: F.pixel_shuffle(x, 2), {"upscale_factor": 2}),
    "LocalResponseNorm": (lambda x: F.local_response_norm(x, 2), {"size": 2}),
    "LayerNorm": (lambda x: F.layer_norm(x, (4,)), None),
    "cat": (lambda x: torch.cat((x, -x), -1), {"dim": -1}),
    "stack": (lambda x: torch.stack([x, x.neg()], dim=1), {"dim": 1}),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 3), value=0.5), {"pad": [1, 2, 0, 3], "value": 0.5}),
    "transpose": (lambda x: x.transpose(1, -1), {"dim0": 1, "dim1": -1}),
    "permute": (lambda x: x.permute(0, 2, 3, 1), {"dims": [0, 2, 3, 1]}),
    "permute torch": (lambda x: torch.permute(x, (0, 2, 3, 1)), {"dims": [0, 2, 3, 1]}),
    "unsqueeze": (lambda x: x.unsqueeze(-1), {"dim": -1}),
    "squeeze": (lambda x: x[:, :1].squeeze(1), {"dim": 1}),
    "mean": (lambda x: x.mean([2, 3], keepdim=True), {"dim": [2, 3], "keepdim": True}),
    "mean dim": (lambda x: torch.mean(x, dim=1), {"dim": 1}),
    "sum": (lambda x: x.sum(axis=-1), {"dim": -1}),
    "amax": (lambda x: x.amax(dim=(2, 3)), {"dim": [2, 3]}),
    "std": (lambda x: x.std(1), None),
    "norm": (lambda x: x.norm(dim=1), None),
    "normalize": (lambda x: F.normalize(x, dim=1), None),
    "cumsum": (lambda x: x.cumsum(1), {"dim": 1}),
    "clamp": (lambda x: x.clamp(min=0.1), {"min": 0.1}),
    "add": (lambda x: 2.5 + x, {"other": 2.5}),
    "rsub": (lambda x: 2 - x, {"other": 2}),
    "mul": (lambda x: 1 / (x + 3), {"other": 1}),
    "pow": (lambda x: x**2, {"exponent": 2}),
    "pow base": (lambda x: 2**x, {"self": 2}),
    "sqrt": (lambda x: x.abs().sqrt(), {}),
    "matmul": (lambda x: x @ x.mT, {}),
    "einsum": (lambda x: torch.einsum("bchw,bdhw->bcd", x, x.exp()), {"equation": "bchw,bdhw->bcd"}),
    "where": (lambda x: torch.where(x > 0, x, x.expm1()), {}),
    "masked_fill": (lambda x: x.masked_fill(x < 0, float("-inf")), {"value": float("-inf")}),
    "expand": (lambda x: x.mean(1, keepdim=True).expand(-1, 4, -1, -1), {"size": [-1, 4, -1, -1]}),
    "repeat": (lambda x: x.repeat(1, 2, 1, 1), {"repeats": [1, 2, 1, 1]}),
    "reshape": (lambda x: x.reshape(x.size(0), 2, -1), {"shape": ["batch", 2, -1]}),
    "view": (lambda x: x.view(x.size(0), 4, x.size(2) * x.size(3)), {"shape": ["batch", 4, "height*width"]}),
    "slice": (lambda x: x[..., 1:-1], {"dim": 3, "start": 1, "end": -1}),
    "slice half": (lambda x: x[:, :, : x.size(2) // 2 + 1], {"dim": 2, "end": "height//2 + 1"}),
    "index_select": (lambda x: x[:, torch.arange(2)], {"dim": 1}),
    "split": (lambda x: x.split(2, dim=1)[1], {"split_size": 2, "dim": 1}),
    "to": (lambda x: (x > 0).float(), {"dtype": "float32"}),
    "scaled_dot_product_attention": (lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=x @ x.mT), {}),
    "CosineSimilarity": (lambda x: F.cosine_similarity(x, x.exp()), {}),
    "Dropout": (lambda x: F.dropout(x, training=False), {}),
    "flip": (lambda x: x.flip(-1), {"dims": [-1]}),
    "roll": (lambda x: torch.roll(x, 1, 1), {"shifts": 1, "dims": 1}),
    "add tensor": (lambda x: torch.add(x, x.exp(), alpha=2), {"alpha": 2}),
    "add in place": (lambda x: x.clone().add_(1), {"other": 1}),
    "sub alpha": (lambda x: x.sub(x.exp(), alpha=3), {"alpha": 3}),
    "div rounding": (lambda x: torch.div(x, 0.3, rounding_mode="floor"), {"other": 0.3, "rounding_mode": "floor"}),
    "floor_divide": (lambda x: x // 0.3, {"other": 0.3}),
    "remainder": (lambda x: x % 0.3, {"other": 0.3}),
    "maximum": (lambda x: torch.maximum(x, x.neg()), {}),
    "neg": (lambda x: -x, {}),
    "abs": (lambda x: abs(x), {}),
    "slice first": (lambda x: x[:, 1:], {"dim": 1, "start": 1}),
    "slice step": (lambda x: x[:, :, ::2], {"dim": 2, "step": 2}),
    "select": (lambda x: x[:, -1], {"dim": 1, "index": -1}),
    "unsqueeze index": (lambda x: x[:, None], {"dim": 1}),
    "squeeze dims": (lambda x: x[:, :1, :1].squeeze((1, 2)), {"dim": [1, 2]}),
    "Unflatten": (lambda x: x.flatten(2).unflatten(1, (2, 2)), {"dim": 1, "unflattened_size": [2, 2]}),
    "chunk": (lambda x: x.chunk(2, 1)[0], {"chunks": 2, "dim": 1}),
    "split sizes": (lambda x: torch.split(x, [1, 3], 1)[1], {"split_size": [1, 3], "dim": 1}),
    "movedim": (lambda x: x.movedim(1, -1), {"source": 1, "destination": -1}),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, dim=1), {"repeats": 2, "dim": 1}),
    "tile": (lambda x: x.tile((1, 2, 1, 1)), {"dims": [1, 2, 1, 1]}),
    "var": (lambda x: x.var((2, 3), unbiased=False), {"dim": [2, 3], "correction": 0}),
    "prod": (lambda x: x.prod(1), {"dim": 1}),
    "max": (lambda x: x.max(1)[0], {"dim": 1}),
    "argmax": (lambda x: x.argmax(1), {"dim": 1}),
    "logsumexp": (lambda x: x.logsumexp(1), {"dim": 1}),
    "pad reflect": (lambda x: F.pad(x, (1, 1, 2, 2), mode="reflect"), {"pad": [1, 1, 2, 2], "mode": "reflect"}),
    "Upsample exact": (lambda x: F.interpolate(x, scale_factor=(2.0, 1.5), mode="nearest-exact"), {"scale_factor": [2.0, 1.5], "mode": "nearest-exact"}),
    "Upsample corners": (lambda x: F.interpolate(x, (9, 7), mode="bicubic", align_corners=True), {"size": [9, 7], "mode": "bicubic", "align_corners": True}),
    "AvgPool2d global": (lambda x: F.avg_pool2d(x[:, :, :6, :6], kernel_size=6), {"kernel_size": 6}),
    "AdaptiveAvgPool2d one": (lambda x: F.adaptive_avg_pool2d(x, 1), {"output_size": 1}),
    "unbind": (lambda x: [v for v in x.unbind(1)][2], {"dim": 1}),
    "unbind iter": (lambda x: x + sum(v.mean() for v in torch.ones(3)), {}),
}


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(4, 4, 1)  # holds the channels at 4

    def forward(self, x):
        return self.function(self.conv(x))


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions(export, case):
    function, attributes = FUNCTIONS[case]
    example = torch.randn(2, 4, 4, 4) if case == "LayerNorm" else torch.randn(2, 4, 12, 12)
    a = export(Function(function), example)
    kind = "PixelShuffle" if case == "PixelUnshuffle" else case.split()[0]
    found = [entry for entry in a["layers"] if entry.get("type") == kind]
    assert found and a["inputs"][0]["shape"][:2] == ["batch", 4]
    if attributes is not None:
        assert attributes in [entry.get("attributes", {}) for entry in found]


def test_a_function_written_as_two_ways_is_one_type(export):
    a = export(Function(lambda x: torch.concat([x.relu(), torch.relu(x), F.relu(x), nn.ReLU()(x)], axis=1)), torch.randn(2, 4, 6, 6))
    assert types(a) == ["Conv2d", "ReLU", "ReLU", "ReLU", "ReLU", "cat"]


# Modules whose constructor's arguments take some reading.
MODULES = [
    nn.Conv1d(4, 6, 3, padding="same", padding_mode="circular", groups=2), nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1),
    nn.Conv2d(4, 4, (3, 2), dilation=(1, 2), bias=False), nn.BatchNorm2d(4, momentum=None, affine=False), nn.PReLU(4),
    nn.LayerNorm((4, 5), elementwise_affine=False), nn.LayerNorm(5, bias=False), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True),
    nn.MaxPool1d(2, return_indices=True), nn.AvgPool3d((2, 1, 2)), nn.AdaptiveMaxPool2d((None, 2)), nn.Upsample(scale_factor=2, mode="bilinear"),
    nn.ZeroPad2d((1, 2, 0, 1)), nn.ConstantPad1d(2, 3.5), nn.ReflectionPad2d(1), nn.Unflatten(1, (2, 2)), nn.Softmax(dim=1), nn.RMSNorm(5),
    nn.GLU(dim=1), nn.Hardtanh(-2, 2), nn.Threshold(0.1, 20), nn.LocalResponseNorm(2), nn.LPPool2d(2, 2), nn.Fold((4, 5), (2, 2)),
    nn.Unfold(2, padding=1), nn.ChannelShuffle(2), nn.Softplus(2), nn.Dropout2d(0.2), nn.Identity(), nn.LSTMCell(5, 3), nn.GRUCell(5, 3, bias=False),
    nn.LSTM(5, 4, proj_size=2), nn.RNN(5, 4, nonlinearity="relu"), nn.Linear(5, 2, bias=False), nn.LogSigmoid(), nn.RReLU(0.1, 0.2),
    nn.MultiheadAttention(5, 1, add_bias_kv=True, add_zero_attn=True),
]  # fmt: skip
SHAPES = {"Conv1d": (2, 4, 9), "AvgPool3d": (2, 4, 6, 6, 6), "MaxPool1d": (2, 4, 8), "ConstantPad1d": (2, 4, 8), "Fold": (2, 8, 12),
          "LSTMCell": (2, 5), "GRUCell": (2, 5), "LSTM": (3, 2, 5), "RNN": (3, 2, 5),
          "MultiheadAttention": (3, 2, 5)}  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m).split("\n")[0].replace("(", " ").strip(") "))
def test_modules(export, module):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, x):
            return self.module(x, x, x) if isinstance(module, nn.MultiheadAttention) else self.module(x)

    a = export(Net(), torch.randn(SHAPES.get(type(module).__name__, (2, 4, 4, 5))), sizes=({"length": 12, "length_1": 10}, {}))
    assert types(a) == [type(module).__name__] and a["inputs"][0]["shape"][0] == "batch"


# --- Which sizes are open ----------------------------------------------------------------------------------------------------


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
    (lambda x: x[:, :, numpy.array([0, 2])], "index_select", {"dim": 2}),
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


# --- What cannot be said -----------------------------------------------------------------------------------------------------


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


class Inner(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.inner = Function(function)

    def forward(self, x):
        return self.inner(x)


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


# --- The program -------------------------------------------------------------------------------------------------------------

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.fc = nn.Linear(4, classes)

    def forward(self, ids, scale):
        return self.fc(self.embed(ids)) * scale.unsqueeze(-1)
"""


def program(*arguments, cwd):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)


def test_program(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "nets.py").write_text(SOURCE)
    for where in ("package.nets:Net", "package/nets.py:Net"):
        done = program(where, "-o", "net.json", "--input-shape", "ids=1,7:int64", "--input-shape", "scale=1,7",
                       "--arguments", '{"classes": 5}', cwd=tmp_path)  # fmt: skip
        assert done.returncode == 0, done.stderr
        a = json.loads((tmp_path / "net.json").read_text())
        check_form(a)
        assert a["inputs"] == [{"name": "ids", "shape": ["batch", "length"], "dtype": "int64"},
                               {"name": "scale", "shape": ["batch", "length"], "dtype": "float32"}]  # fmt: skip
        assert layer(a, "fc")["attributes"]["out_features"] == 5
        (tmp_path / "net.json").unlink()


def test_program_says_what_is_wrong(tmp_path):
    (tmp_path / "nets.py").write_text(SOURCE)
    done = program("nets:Nothing", "-o", "net.json", "--input-shape", "2,7", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "h5bridge_export: nets:Nothing: nets has no Nothing\n")
    done = program("nets:Net", "-o", "net.json", "--input-shape", "2,7:int64", cwd=tmp_path)
    assert done.returncode == 4 and done.stderr.startswith("h5bridge_export: the example inputs don't fit Net.forward")
    done = program("nets:Net", "-o", "net.json", "--input-shape", "2,x", cwd=tmp_path)
    assert done.returncode == 2 and "expected sizes as in" in done.stderr
    assert not (tmp_path / "net.json").exists()


class Keeps(nn.Module):
    """What it keeps matters to the next call, or is there to be looked at."""

    def __init__(self, matters):
        super().__init__()
        self.matters, self.state, self.cell = matters, None, nn.GRUCell(3, 4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        first = x.new_zeros(x.shape[0], 4)
        state = self.cell(x, first if self.state is None or not self.matters else self.state)
        self.state = state
        if self.matters:
            self.calls += 1
        return state


@pytest.mark.parametrize("matters", [True, False])
def test_each_call_begins_as_the_first(matters, tmp_path):
    module = Keeps(matters).eval()
    notes = exporter.export_architecture(module, torch.zeros(2, 3), tmp_path / "m.json")
    described = json.loads((tmp_path / "m.json").read_text())
    assert [layer["type"] for layer in described["layers"] if layer["type"] != "Buffer"] == ["GRUCell"]
    assert described["inputs"][0]["shape"] == ["batch", 3]
    assert module.state is None and module.calls == 0
    assert [note.split()[3] for note in notes] == (["state", "calls"] if matters else [])


def test_dropouts_stop_no_gradient(tmp_path):
    """In evaluation they give the tensor itself, which the exporter tells apart by a detach of its own."""
    module = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Dropout(inplace=True), nn.Dropout1d(), nn.AlphaDropout(), nn.FeatureAlphaDropout())
    assert exporter.export_architecture(module.eval(), torch.zeros(2, 3), tmp_path / "m.json") == []
