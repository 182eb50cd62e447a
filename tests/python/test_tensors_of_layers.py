"""Networks that use a layer's own tensors before they call the layer."""

import numpy as np
import pytest
import torch
from torch import nn

from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture
from torch_layers import randomised

pytestmark = [needs_program, needs_libtorch]
WIDTH, LENGTH = 4, 5


class Before(nn.Module):
    """Of a vector, of a buffer, of one number, of recurrent weights, of a part of an attention, of a codebook."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.batch_norm = nn.BatchNorm1d(LENGTH)
        self.prelu = nn.PReLU()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.rnn = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.codes = nn.Embedding(7, WIDTH)

    def forward(self, x):
        x = self.norm(x * self.norm.weight)
        x = self.batch_norm(x - self.batch_norm.running_mean[:, None])
        x = self.prelu(x * self.prelu.weight)
        x = x @ self.attention.in_proj_weight[:WIDTH] + self.attention.out_proj.bias
        x = self.attention(x, x, x)[0]
        x = self.rnn(x + self.rnn.bias_hh_l0[:WIDTH])[0]
        nearest = (x[:, :, None] - self.codes.weight).square().sum(-1).argmin(-1)
        return self.codes(nearest), x, self.codes.weight.pow(2).sum()


class PartOfLayer(nn.Module):
    """A layer that another one has within is called by itself as well, before it and behind it."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x):
        x = self.attention.out_proj(x)
        return self.attention.out_proj(torch.tanh(self.attention(x, x, x)[0]))


@pytest.mark.parametrize("kind", [Before, PartOfLayer])
def test_a_layer_computes_with_the_tensor_that_was_used_before_it(kind, tmp_path):
    module = randomised(kind()).eval()
    x = torch.randn(3, LENGTH, WIDTH, generator=torch.Generator().manual_seed(1))
    export_architecture(module, x, tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    np.save(tmp_path / "x.npy", x)
    with torch.no_grad():
        found = module(x)
    outputs = found if isinstance(found, tuple) else (found,)
    np.savez(tmp_path / "y.npz", **{f"output_{i}" if i else "output": y.numpy() for i, y in enumerate(outputs)})
    h5bridge("verify", tmp_path / "net.json", tmp_path / "net.pth", "--input", tmp_path / "x.npy", "--expect", tmp_path / "y.npz")
