#!/usr/bin/env python3
"""Makes one of the files beside it, with the PyTorch that runs this: what torch.export.save of that version writes.

    python testdata/exported_programs/make.py torch_2_8.pt2
"""

import sys

import torch
from torch import nn


class Written(nn.Module):
    """Tied weights, a buffer, a parameter and a constant of its own, and a dict of results."""

    def __init__(self):
        super().__init__()
        self.tokens, self.norm, self.head = nn.Embedding(11, 8), nn.LayerNorm(8), nn.Linear(8, 11, bias=False)
        self.head.weight = self.tokens.weight
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.register_buffer("offset", torch.rand(8))
        self.scale = nn.Parameter(torch.rand(8))

    def forward(self, ids):
        x = self.norm(self.tokens(ids)) * self.scale + self.offset
        x = torch.relu(self.conv(x.transpose(1, 2))).transpose(1, 2) * torch.tensor([1.0, 2.0] * 4)
        return {"logits": self.head(x), "mean": x.mean(1)}


if __name__ == "__main__":
    torch.manual_seed(1)
    with torch.no_grad():
        program = torch.export.export(Written().eval(), (torch.randint(11, (2, 5)),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, sys.argv[1])
