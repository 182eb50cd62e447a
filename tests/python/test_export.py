"""tools/h5bridge_export.py. Every exported graph is run by an interpreter of the JSON and compared with the module itself."""

import importlib.util
import json
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from architecture_interpreter import export, layer, types
from torch_helpers import exporter


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
    "index_select": (lambda x: x[:, torch.arange(2)], {"dim": 1, "index": [0, 1]}),
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
