"""How PyTorch source reads that h5bridge writes: in the words that people use, and with values that can be trained from before any are
loaded."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from program import needs_program, package
from registry_samples import needs_registry
from test_python_source import network_in, run
from torch_helpers import export_architecture

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = [needs_program, needs_registry]


def written(module, inputs, folder):
    """The text of a module's source, and its network, which computes the module's bits."""
    module.eval()
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    torch.save(module.state_dict(), folder / "m.pth")
    export_architecture(module, inputs, folder / "m.json")
    package.convert([folder / "m.json", folder / "m.pth"], [folder / "network.py", folder / "network.pth"])
    network = network_in(folder / "network.py").eval()
    network.load_state_dict(torch.load(folder / "network.pth"), strict=True)
    assert list(network.state_dict()) == list(module.state_dict())
    assert [y.tobytes() for y in run(network, inputs)] == [y.tobytes() for y in run(module, inputs)]
    return (folder / "network.py").read_text(), network


class Pools(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2, 2)
        self.other = nn.MaxPool2d(3, 2)
        self.mean = nn.AvgPool2d((1, 2), stride=(1, 2))
        self.register_buffer("hidden", torch.rand(4, 4) < 0.5)

    def forward(self, x):
        return self.mean(self.other(self.pool(x)).masked_fill(self.hidden, -torch.inf).exp())


def test_words_are_those_that_people_use(tmp_path):
    text, _ = written(Pools(), torch.randn(2, 3, 18, 18), tmp_path)
    assert "nn.MaxPool2d(2)\n" in text and "nn.MaxPool2d(3, 2)\n" in text and "nn.AvgPool2d((1, 2))\n" in text
    assert 'float("-inf")' in text and '-float("inf")' not in text


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)

    def forward(self, x):
        steps = x.shape[1]
        return self.layer(x, src_mask=torch.triu(torch.full((steps, steps), float("-inf")), diagonal=1))


def test_causal_attention_of_pytorch_is_pytorchs(tmp_path):
    module, x = Causal(), torch.randn(2, 5, 16)
    text, network = written(module, x, tmp_path)
    assert "nn.MultiheadAttention(16, 2, dropout=0.1, batch_first=True)" in text and "Keras" not in text
    assert all(len(line) <= 88 for line in text.splitlines())
    for steps in (1, 3, 9):
        x = torch.randn(2, steps, 16)
        assert [y.tobytes() for y in run(network, (x,))] == [y.tobytes() for y in run(module, (x,))]


class Held(nn.Module):
    """Tensors of its own: weights, and constants that are no weights."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.scale = nn.Parameter(torch.randn(8))
        self.shift = nn.Parameter(torch.randn(8))
        self.weight = nn.Parameter(torch.randn(8, 8))
        self.norm_weight = nn.Parameter(torch.randn(8))
        self.norm_bias = nn.Parameter(torch.randn(8))
        self.register_buffer("ids", torch.arange(6).unsqueeze(0))
        self.register_buffer("steps", torch.arange(6.0).view(1, 1, 6))
        self.register_buffer("seen", torch.tril(torch.ones(6, 6)).view(1, 1, 6, 6))
        self.register_buffer("later", torch.triu(torch.ones(6, 6, dtype=torch.bool), diagonal=1))
        self.register_buffer("hidden", torch.triu(torch.full((6, 6), float("-inf")), diagonal=1))
        self.register_buffer("mean", torch.full((1, 1, 8), 0.5))
        self.register_buffer("rate", torch.tensor(0.1))
        self.register_buffer("measured", torch.randn(8))
        self.register_buffer("minus_zero", -torch.zeros(8))

    def forward(self, x):
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = (x - self.mean) * self.scale * self.rate + self.shift + self.measured + self.minus_zero
        scores = x @ self.weight @ x.transpose(1, 2) + self.hidden + self.steps[0] + self.ids
        scores = scores.masked_fill(self.later[:6, :6], -1.0) * self.seen[:, :, :4, :5].sum() * self.seen[0]
        return F.layer_norm(scores @ x, (8,), self.norm_weight, self.norm_bias)


def test_tensors_have_values_before_any_are_loaded(tmp_path):
    """Buffers those that they have where a formula says them, parameters such that can be trained."""
    module, x = Held(), torch.randn(2, 5, 8)
    text, _ = written(module, x, tmp_path)
    for line in (
        'self.register_buffer("ids", torch.arange(6).unsqueeze(0))',
        'self.register_buffer("steps", torch.arange(6, dtype=torch.float32).view(1, 1, 6))',
        'self.register_buffer("seen", torch.tril(torch.ones(6, 6)).view(1, 1, 6, 6))',
        'self.register_buffer("mean", torch.full((1, 1, 8), 0.5))',
        'self.register_buffer("rate", torch.tensor(0.1))',
        'self.register_buffer("measured", torch.zeros(8))',
        "self.token = nn.Parameter(torch.randn(1, 1, 8) * 0.02)",
        "self.scale = nn.Parameter(torch.ones(8))",
        "self.shift = nn.Parameter(torch.zeros(8))",
        "self.weight = nn.Parameter(torch.randn(8, 8) * 0.02)",
        "self.norm_weight = nn.Parameter(torch.ones(8))",
        "self.norm_bias = nn.Parameter(torch.zeros(8))",
    ):
        assert "".join(line.split()) in "".join(text.split()), line
    assert "torch.empty" not in text and "self.seen[:, :, :4, :5]" in text
    fresh = network_in(tmp_path / "network.py")
    expected = dict(module.named_buffers())
    for name, buffer in fresh.named_buffers():
        if name not in ("measured", "minus_zero"):
            assert buffer.dtype == expected[name].dtype and torch.equal(buffer, expected[name]), name
    target = torch.randn(2, 6, 8)
    optimizer = torch.optim.Adam(fresh.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = (fresh(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


class ChannelNorm(nn.Module):
    """Of channels first, as ConvNeXt has it."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels))
        self.bias = nn.Parameter(torch.randn(channels))

    def forward(self, x):
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return x.permute(0, 3, 1, 2)


class Permute(nn.Module):
    def __init__(self, *dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)


class Scaled(nn.Module):
    """A block with a tensor of its own, whose chain has parts without a name in the architecture."""

    def __init__(self, channels):
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), Permute(0, 2, 3, 1), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels), Permute(0, 3, 1, 2))
        self.layer_scale = nn.Parameter(torch.rand(channels, 1, 1))

    def forward(self, x):
        return x + self.layer_scale * self.block(x)


class Stages(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 2, 2), ChannelNorm(4), Scaled(4), Scaled(4), ChannelNorm(4), nn.Conv2d(4, 6, 2, 2), Scaled(6), Scaled(6), ChannelNorm(6))
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


def test_blocks_with_tensors_of_their_own_are_one_class(tmp_path):
    text, _ = written(Stages(), torch.randn(2, 3, 8, 8), tmp_path)
    classes = [line for line in text.splitlines() if line.startswith("class ")]
    assert classes == ["class LayerNorm2d(nn.Module):", "class FeatureBlock(nn.Module):", "class Stages(nn.Module):"]
    assert "LayerNorm2d(4),\n" in text and "FeatureBlock(6, 12)" in text
    assert "F.layer_norm(x, self.weight.shape, self.weight, self.bias" in text
    assert "nn.Module()" not in text and "getattr" not in text and 'self.block["0"](x)' in text


class Position(nn.Module):
    """Its tensor is cut to size before anything is added."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(1, 20, 8))

    def forward(self, x):
        return x + self.table[:, : x.shape[1]]


class Apart(nn.Module):
    """What is held together is called in turn with other parts."""

    def __init__(self):
        super().__init__()
        self.position = Position()
        self.outer = nn.Module()
        self.outer.first = nn.Linear(8, 6)
        self.outer.last = nn.Linear(6, 8)
        self.outer.shift = nn.Parameter(torch.randn(6))
        self.middle = nn.Module()
        self.middle.first = nn.Linear(6, 6)
        self.middle.last = nn.Linear(8, 6)
        self.scales = nn.ParameterList(nn.Parameter(torch.rand(6)) for _ in range(3))

    def forward(self, x):
        x = self.outer.first(self.position(x)) * self.scales[0]
        x = torch.relu(self.middle.first(x)) * self.scales[1] + self.outer.shift
        return self.middle.last(self.outer.last(x)) * self.scales[2]


def test_what_holds_parts_is_a_class_or_a_container(tmp_path):
    text, _ = written(Apart(), torch.randn(2, 5, 8), tmp_path)
    assert "nn.Module()" not in text and "nn.ParameterList([nn.Parameter(torch.ones(6)) for _ in range(3)])" in text
    assert "class Outer(nn.Module):" in text and "x = self.position(x)" in text


class Heads(nn.Module):
    """Attention by hand."""

    def __init__(self, features, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(features, 3 * features)
        self.proj = nn.Linear(features, features)

    def forward(self, x):
        batch, length, features = x.shape
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k, v = (y.reshape(batch, length, self.heads, features // self.heads).transpose(1, 2) for y in (q, k, v))
        weights = (q @ k.transpose(2, 3)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, length, features))


class Pyramid(nn.Module):
    """Stages of other sizes, and of other numbers of heads."""

    def __init__(self):
        super().__init__()
        self.first = Heads(8, 2)
        self.down = nn.Linear(8, 12)
        self.second = Heads(12, 4)
        self.third = Heads(12, 4)

    def forward(self, x):
        return self.third(self.second(self.down(self.first(x))))


def test_numbers_of_a_forward_are_arguments(tmp_path):
    text, _ = written(Pyramid(), torch.randn(2, 5, 8), tmp_path)
    classes = [line for line in text.splitlines() if line.startswith("class ")]
    assert len(classes) == 2 and "self.num_heads = num_heads" in text, text
    assert "reshape(batch, length, self.num_heads, self." in text


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.gate = nn.Parameter(torch.rand(4))

    def forward(self, x):
        return torch.tanh(self.fc(x)) * self.gate


class Again(nn.Module):
    """A module with a tensor that is called twice, and one that has another's tensor."""

    def __init__(self):
        super().__init__()
        self.first = Gated()
        self.second = Gated()
        self.third = Gated()
        self.third.gate = self.first.gate
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        return self.third(self.norm(self.second(self.first(x)) + self.norm(self.second(x))))


def test_tensors_of_modules_that_are_called_again(tmp_path):
    written(Again(), torch.randn(2, 4), tmp_path)
