"""Modules and functions whose tensors are given by name, some of them left out: each is for what PyTorch takes it for."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = [needs_program, needs_libtorch]


class Calls(nn.Module):
    def __init__(self, call, **modules):
        super().__init__()
        self.call = call
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs):
        return self.call(self, *inputs)


def ids(*shape):
    return torch.randint(0, 10, shape)


def bag():
    return nn.EmbeddingBag(10, 4, mode="sum")


CASES = {
    "weights of a bag": (lambda s, i, w: s.bag(i, per_sample_weights=w), {"bag": bag}, lambda: (ids(3, 5), torch.randn(3, 5))),
    "offsets and weights": (lambda s, i, o, w: s.bag(i, per_sample_weights=w, offsets=o), {"bag": bag}, lambda: (ids(7), torch.tensor([0, 3, 4]), torch.randn(7))),
    "offsets alone": (lambda s, i, o: s.bag(offsets=o, input=i), {"bag": bag}, lambda: (ids(7), torch.tensor([0, 3, 4]))),
    "None before them": (lambda s, i, w: s.bag(i, None, w), {"bag": bag}, lambda: (ids(3, 5), torch.randn(3, 5))),
    "attention": (lambda s, q, k, v, m: s.a(value=v, key=k, query=q, key_padding_mask=m, need_weights=False)[0], {"a": lambda: nn.MultiheadAttention(6, 2, batch_first=True)},
                  lambda: (torch.randn(2, 3, 6), torch.randn(2, 4, 6), torch.randn(2, 4, 6), torch.tensor([[False, False, True, False], [False] * 4]))),
    "a decoder": (lambda s, t, m, p: s.d(memory=m, tgt=t, memory_key_padding_mask=p), {"d": lambda: nn.TransformerDecoderLayer(6, 2, 8, batch_first=True)},
                  lambda: (torch.randn(2, 3, 6), torch.randn(2, 4, 6), torch.tensor([[False, False, True, False], [False] * 4]))),
    "states": (lambda s, x, h: s.g(hx=h, input=x)[0], {"g": lambda: nn.GRU(4, 5, batch_first=True)}, lambda: (torch.randn(2, 3, 4), torch.randn(1, 2, 5))),
    "a cell": (lambda s, x, h: s.c(hx=h, input=x), {"c": lambda: nn.GRUCell(4, 5)}, lambda: (torch.randn(2, 4), torch.randn(2, 5))),
    "bilinear": (lambda s, x, y: s.b(input2=y, input1=x), {"b": lambda: nn.Bilinear(4, 5, 3)}, lambda: (torch.randn(2, 4), torch.randn(2, 5))),
    "where": (lambda s, c, x, y: torch.where(c > 0, input=x, other=y), {}, lambda: (torch.randn(2, 4), torch.randn(2, 4), torch.randn(2, 4))),
    "addcmul": (lambda s, x, y, z: torch.addcmul(x, tensor2=z, tensor1=y, value=0.5), {}, lambda: (torch.randn(2, 4), torch.randn(2, 4), torch.randn(2, 4))),
    "subtraction": (lambda s, x, y: torch.sub(other=x, input=y, alpha=2), {}, lambda: (torch.randn(2, 4), torch.randn(2, 4))),
    "baddbmm": (lambda s, x, y, z: torch.baddbmm(x, batch2=z, batch1=y, beta=0.5), {}, lambda: (torch.randn(2, 3, 4), torch.randn(2, 3, 5), torch.randn(2, 5, 4))),
    "lerp": (lambda s, x, y, w: torch.lerp(end=x, input=y, weight=w), {}, lambda: (torch.randn(2, 4), torch.randn(2, 4), torch.rand(2, 4))),
    "clamp": (lambda s, x, y: torch.clamp(x, max=y), {}, lambda: (torch.randn(2, 4), torch.randn(2, 4))),
    "scaled attention": (lambda s, q, k, v, m: F.scaled_dot_product_attention(value=v, key=k, query=q, attn_mask=m), {},
                         lambda: (torch.randn(2, 2, 3, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 1, 3, 5))),
    "batch statistics": (lambda s, x, w: F.layer_norm(x, (4,), bias=w), {}, lambda: (torch.randn(2, 3, 4), torch.randn(4))),
    "group norm": (lambda s, x, w: F.group_norm(x, 2, bias=w), {}, lambda: (torch.randn(2, 4, 5), torch.randn(4))),
    "interpolation of values": (lambda s, x, y: torch.searchsorted(sorted_sequence=x.sort().values, input=y), {}, lambda: (torch.randn(2, 4), torch.randn(2, 3))),
}


@pytest.mark.parametrize("by", ["exporter", "pt2"])
@pytest.mark.parametrize("case", CASES)
def test_each_tensor_is_for_what_it_is_given(case, by, tmp_path):
    call, modules, made = CASES[case]
    torch.manual_seed(3)
    network = Calls(call, **{name: make() for name, make in modules.items()}).eval()
    inputs = made()
    expected = network(*inputs).detach().numpy()  # attention has a faster way without gradients, of other bits
    torch.save(network.state_dict(), tmp_path / "m.pth")
    if by == "exporter":
        export_architecture(network, inputs, tmp_path / "m.json")
        sources = [tmp_path / "m.json", tmp_path / "m.pth"]
    else:
        torch.export.save(torch.export.export(network, inputs), tmp_path / "m.pt2")
        sources = [tmp_path / "m.pt2"]
    h5bridge("convert", *sources, "-o", tmp_path / "read.json")
    names = [entry["name"] for entry in json.loads((tmp_path / "read.json").read_text())["inputs"]]
    np.savez(tmp_path / "in.npz", **{name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    h5bridge("run", *sources, "--exact", "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)

