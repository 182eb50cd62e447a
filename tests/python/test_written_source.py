"""How PyTorch source reads that h5bridge writes: in the words that people use."""

import pytest
import torch
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
