"""Networks with torch.cond, inputs for either way, and what they give, without PyTorch's compiler in between."""

import importlib.util
from unittest import mock

import torch
from torch import nn


def plainly(module, x):
    """What the module computes, with Python's `if` for torch.cond: the compiler, which PyTorch runs it by, takes seconds."""
    with torch.no_grad(), mock.patch.object(torch, "cond", lambda pred, one, other, operands: (one if bool(pred) else other)(*operands)):
        return module(x)


def written(folder, name):
    """The network of n.py in the folder, with the weights of n.pth."""
    spec = importlib.util.spec_from_file_location("written", folder / "n.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = getattr(module, name)().eval()
    network.load_state_dict(torch.load(folder / "n.pth"), strict=True)
    return network


class Branching(nn.Module):
    """Weights in branches, a parameter of its own, a module that two branches and the rest share, a condition within another one, and
    two results."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 7), nn.Sequential(nn.Linear(5, 3), nn.ReLU(inplace=True), nn.Linear(3, 7))
        self.scale, self.norm = nn.Parameter(torch.randn(7)), nn.LayerNorm(7)

    def forward(self, x):
        def otherwise(x):
            return torch.cond(x.amax() > 3, lambda x: self.second(x), lambda x: self.norm(self.second(x)) * 2, (x,))

        y = torch.cond(x.sum() > 0, lambda x: self.norm(self.first(x)) + self.scale, otherwise, (x,))
        a, b = torch.cond(x[0, 0] > 0, lambda x, y: (y * 2, x.mean(1)), lambda x, y: (y.sin(), x.sum(1)), (x, y))
        return a + self.first(x), b


def ways(batch):
    """Inputs of every way through Branching."""
    for total in (1, -1):
        for corner in (1, -1):
            for largest in (1, 9):
                x = torch.rand(batch, 5) * total
                x[0, 0] = corner * 0.25
                x[-1, 1] = largest if total < 0 else 0.5
                x[-1, 2] = -5.0 * largest if total < 0 else 0.5
                yield x


class Convolutions(nn.Module):
    """Of images: each branch has a convolution."""

    def __init__(self):
        super().__init__()
        self.one, self.other, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, dilation=1), nn.Linear(4 * 3 * 4, 2)

    def forward(self, x):
        x = torch.cond(x.mean() > 0, lambda x: self.one(x).relu(), lambda x: self.other(x), (x,))
        return self.last(x.flatten(1))


class Looking(nn.Module):
    """A table that is looked into only where the ids are in it."""

    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(4, 6), nn.Linear(6, 2)

    def forward(self, ids):
        found = torch.cond(ids.max() < 4, lambda ids: self.table(ids), lambda ids: ids.unsqueeze(-1).expand(-1, -1, 6) / 7, (ids,))
        return self.last(found)
