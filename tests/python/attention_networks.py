"""What Hugging Face's and timm's Transformers are made of, by hand and small: masks made from ids, rotary embeddings, groups of
queries, relative positions, windows whose mask is written piece by piece, patches that overlap."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class MaskedEncoder(nn.Module):
    """A mask of ids becomes one of queries and keys by indices that are counted, as transformers makes it."""

    def __init__(self, causal):
        super().__init__()
        self.causal = causal
        self.tokens, self.norm = nn.Embedding(23, 24), nn.LayerNorm(24)
        self.query, self.key, self.value, self.out = (nn.Linear(24, 24) for _ in range(4))
        self.register_buffer("positions", torch.arange(16).unsqueeze(0), persistent=False)
        self.places = nn.Embedding(16, 24)

    def heads(self, x):
        return x.view(x.shape[0], x.shape[1], -1, 8).transpose(1, 2)

    def forward(self, ids, mask):
        batch, length = ids.shape
        x = self.norm(self.tokens(ids) + self.places(self.positions[:, :length]))
        rows, columns = torch.arange(batch)[:, None, None, None], torch.arange(length)[None, None, None, :]
        counts = columns >= 0
        if self.causal:
            counts = counts & (columns <= torch.arange(length)[None, None, :, None])
        counts = (counts & mask.bool()[rows, columns]).expand(batch, -1, length, length)
        attended = F.scaled_dot_product_attention(self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x)), attn_mask=counts, scale=0.3)
        return x + self.out(attended.transpose(1, 2).reshape(batch, length, -1))


class RotaryDecoder(nn.Module):
    """Llama's: angles by position, groups of queries that share keys, RMS normalisation step by step."""

    def __init__(self):
        super().__init__()
        self.tokens, self.weight = nn.Embedding(23, 24), nn.Parameter(torch.rand(24))
        self.query, self.key, self.value = nn.Linear(24, 32, bias=False), nn.Linear(24, 16, bias=False), nn.Linear(24, 16, bias=False)
        self.out = nn.Linear(32, 24, bias=False)
        self.register_buffer("frequencies", 1.0 / (100.0 ** (torch.arange(0, 8, 2) / 8)), persistent=False)

    def heads(self, x):
        return x.view(x.shape[0], x.shape[1], -1, 8).transpose(1, 2)

    @staticmethod
    def turned(x, cosines, sines):
        return x * cosines + torch.cat([-x[..., 4:], x[..., :4]], -1) * sines

    def forward(self, ids):
        x = self.tokens(ids)
        angles = torch.arange(ids.shape[1])[None, :, None].float() * self.frequencies
        cosines, sines = (function(torch.cat([angles, angles], -1)).unsqueeze(1) for function in (torch.cos, torch.sin))
        y = self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))
        query, key = self.turned(self.heads(self.query(y)), cosines, sines), self.turned(self.heads(self.key(y)), cosines, sines)
        attended = F.scaled_dot_product_attention(query, key, self.heads(self.value(y)), is_causal=True, enable_gqa=True)
        return x + self.out(attended.transpose(1, 2).flatten(2))


class RelativePositions(nn.Module):
    """T5's: a bias for each distance, whose logarithm tells the row of a table; scores are multiplied out, as eager code does."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(24, 24, bias=False) for _ in range(3))
        self.bias = nn.Embedding(16, 3)

    def buckets(self, length):
        distance = torch.arange(length)[None, :] - torch.arange(length)[:, None]
        buckets, distance = (distance > 0).long() * 8, distance.abs()
        far = 4 + (torch.log(distance.float() / 4) / math.log(8) * 4).long()
        return buckets + torch.where(distance < 4, distance, torch.min(far, torch.full_like(far, 7)))

    def forward(self, x):
        query, key, value = (layer(x).view(x.shape[0], -1, 3, 8).transpose(1, 2) for layer in (self.query, self.key, self.value))
        scores = torch.matmul(query, key.transpose(3, 2)) + self.bias(self.buckets(x.shape[1])).permute(2, 0, 1).unsqueeze(0)
        return torch.matmul(F.softmax(scores, -1), value).transpose(1, 2).reshape(x.shape)


class ShiftedWindows(nn.Module):
    """Swin's: windows that are shifted, one projection for all three, and a mask that is written piece by piece."""

    def __init__(self):
        super().__init__()
        self.project, self.out = nn.Linear(12, 36), nn.Linear(12, 12)

    def mask(self, x):
        regions = x.new_zeros((8, 8))
        for number, (rows, columns) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4), (6, 6))):
            regions[rows : rows + 4, columns : columns + 4] = number
        regions[-1, 1:3] += 7
        regions = regions.view(2, 4, 2, 4).permute(0, 2, 1, 3).reshape(4, 16)
        apart = regions.unsqueeze(1) - regions.unsqueeze(2)
        return apart.masked_fill(apart != 0, -100.0).masked_fill(apart == 0, 0.0)

    def forward(self, x):  # (batch, 8, 8, 12)
        windows = torch.roll(x, (-2, -2), (1, 2)).view(-1, 2, 4, 2, 4, 12).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, 12)
        query, key, value = self.project(windows).reshape(-1, 16, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        mask = self.mask(x).unsqueeze(1).unsqueeze(0).expand(x.shape[0], 4, 3, 16, 16).reshape(-1, 3, 16, 16)
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).reshape(-1, 16, 12)
        y = self.out(y).view(-1, 2, 2, 4, 4, 12).permute(0, 1, 3, 2, 4, 5).reshape(-1, 8, 8, 12)
        return torch.roll(y, (2, 2), (1, 2))


class OverlappingPatches(nn.Module):
    """VOLO's: windows as columns, and columns added up where they overlap."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(3, 4, 3, padding=1)
        self.unfold = nn.Unfold(3, padding=1, stride=2)

    def forward(self, x):
        columns = self.unfold(self.inner(x))
        return F.fold(columns.softmax(1), (9, 7), 3, padding=1, stride=2)


class WrittenOut(nn.Module):
    """Attention as products of matrices whose heads are moved before the steps: BERT's eager form."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(24, 24) for _ in range(4))

    def heads(self, x):
        return x.view(x.shape[0], x.shape[1], -1, 8).transpose(1, 2)

    def forward(self, x, added=None):
        scores = torch.matmul(self.heads(self.query(x)), self.heads(self.key(x)).transpose(-1, -2)) / math.sqrt(8)
        weights = F.softmax(scores if added is None else scores + added, dim=-1)
        attended = torch.matmul(weights, self.heads(self.value(x))).transpose(1, 2).contiguous()
        return self.out(attended.view(x.shape[0], x.shape[1], -1))


class EagerEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.norm, self.head = nn.Embedding(23, 24), nn.LayerNorm(24), nn.Linear(24, 4)
        self.blocks = nn.ModuleList(WrittenOut() for _ in range(2))

    def forward(self, ids, mask):
        added = (1.0 - mask[:, None, None, :].float()) * -10000.0
        x = self.tokens(ids)
        for block in self.blocks:
            x = self.norm(x + block(x, added))
        return self.head(x[:, 0])


class EagerPictures(nn.Module):
    """A ViT whose attention is timm's without the fused function: queries, keys and values of one layer."""

    def __init__(self):
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 24, 4, 4), nn.Parameter(torch.randn(1, 1, 24))
        self.together, self.out, self.head = nn.Linear(24, 72), nn.Linear(24, 24), nn.Linear(24, 4)
        self.apart = WrittenOut()

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        batch, length, features = x.shape
        query, key, value = self.together(x).reshape(batch, length, 3, 3, 8).permute(2, 0, 3, 1, 4).unbind(0)
        weights = ((query * 8**-0.5) @ key.transpose(-2, -1)).softmax(-1)
        x = x + self.out((weights @ value).transpose(1, 2).reshape(batch, length, features))
        return self.head((x + self.apart(x))[:, 0])


NETWORKS = {
    "masked encoder": (MaskedEncoder, (False,), "ids mask"),
    "masked decoder": (MaskedEncoder, (True,), "ids mask"),
    "rotary decoder": (RotaryDecoder, (), "ids"),
    "relative positions": (RelativePositions, (), (3, 7, 24)),
    "shifted windows": (ShiftedWindows, (), (3, 8, 8, 12)),
    "eager encoder": (EagerEncoder, (), "ids mask"),
    "eager pictures": (EagerPictures, (), (3, 3, 16, 12)),
    "overlapping patches": (OverlappingPatches, (), (3, 3, 9, 7)),
}  # fmt: skip
# Keras's nodes that move axes, where there are any: heads of scores that are multiplied out; windows, which are moved in the picture;
# and pictures that patches are taken of, whose channels PyTorch has first.
MOVES = {"relative positions": 6, "shifted windows": 3, "overlapping patches": 2}


def network(name):
    """It, and inputs whose batch and length may be any."""
    torch.manual_seed(1)
    kind, arguments, shape = NETWORKS[name]
    module = kind(*arguments).eval()
    if isinstance(shape, tuple):
        return module, (torch.randn(shape),)
    ids = torch.randint(23, (3, 7))
    mask = (torch.arange(7) < torch.tensor([[7], [4], [2]])).long()
    return module, (ids, mask) if "mask" in shape else (ids,)
