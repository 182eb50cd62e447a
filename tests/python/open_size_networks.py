"""Code as people write it for sizes that are not known beforehand: batches and lengths merged and taken apart, positions of an
image as tokens, maps resized to one another."""

import torch
from torch import nn
from torch.nn import functional as F


class Written(nn.Module):
    """A forward function with the layers that it uses."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.function = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def merged_dense(m, x):
    b, t, c = x.shape
    y = F.relu(m.first(x.view(b * t, c)))
    return m.second(m.norm(y)).view(b, t, -1)


def merged_by_flatten(m, x):
    b, t = x.shape[:2]
    return m.second(m.norm(torch.tanh(m.first(x.flatten(0, 1))))).unflatten(0, (b, t))


def merged_batch_norm(m, x):
    b, t, c = x.shape
    return m.norm(m.first(x.reshape(b * t, c))).reshape(b, t, -1)


def frames(m, x):
    b, t, c, h, w = x.shape
    y = m.cnn(x.view(b * t, c, h, w))
    return m.lstm(y.view(b, t, -1))[0]


def attention(m, x):
    b, t, c = x.shape
    q, k, v = (layer(x).view(b, t, 4, c // 4).transpose(1, 2) for layer in (m.q, m.k, m.v))
    weights = (q @ k.transpose(-2, -1) / 2.0).softmax(-1)
    return m.out((weights @ v).transpose(1, 2).reshape(b, t, c))


def merged_heads(m, x):
    b, t, c = x.shape
    q, k, v = (layer(x).view(b, t, 4, c // 4).transpose(1, 2).reshape(b * 4, t, c // 4) for layer in (m.q, m.k, m.v))
    weights = torch.bmm(q, k.transpose(1, 2)).softmax(-1)
    return m.out(torch.bmm(weights, v).view(b, 4, t, c // 4).transpose(1, 2).reshape(b, t, c))


def non_local(m, x):
    b, c, h, w = x.shape
    q = m.q(x).view(b, 4, -1).transpose(1, 2)
    k = m.k(x).view(b, 4, -1)
    v = m.v(x).view(b, 4, -1).transpose(1, 2)
    y = (torch.bmm(q, k).softmax(-1) @ v).transpose(1, 2).reshape(b, 4, h, w)
    return x + m.out(y)


def tokens(m, x):
    b, c, h, w = x.shape
    y = m.norm(x.flatten(2).transpose(1, 2))
    y = m.second(F.gelu(m.first(y)))
    return y.transpose(1, 2).view(b, -1, h, w)


def channel_shuffle(m, x):
    b, c, h, w = x.shape
    return m.conv(x).view(b, 2, 4, h, w).transpose(1, 2).reshape(b, 8, h, w)


def squeeze_excite(m, x):
    b, c = x.shape[:2]
    y = m.second(F.relu(m.first(x.mean((2, 3)).view(b, c)))).sigmoid().view(b, c, 1, 1)
    return x * y.expand_as(x)


def pixel_shuffle(m, x):
    b, c, h, w = x.shape
    y = m.conv(x)
    return y.view(b, 2, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, 2, 2 * h, 2 * w)


def spatial_softmax(m, x):
    b, c, h, w = x.shape
    return F.softmax(m.conv(x).view(b, 4, -1), dim=-1).view(b, 4, h, w)


def merged_lstm(m, x):
    b, s, t, c = x.shape
    y = m.lstm(x.reshape(b * s, t, c))[0][:, -1]
    return m.second(y.view(b, s, -1))


def merged_conv1d(m, x):
    b, s, t, c = x.shape
    y = m.conv(x.view(b * s, t, c).transpose(1, 2)).transpose(1, 2)
    return y.reshape(b, s, t, -1)


def merged_embedding(m, ids):
    b, s, t = ids.shape
    y = m.embedding(ids.view(-1, t)).mean(1)
    return m.second(y.view(b, s, -1))


def residual_of_merged(m, x):
    b, t, c = x.shape
    flat = x.reshape(-1, c)
    y = flat + m.second(F.relu(m.first(flat)))
    return m.norm(y).reshape(b, t, c)


def temporal_shift(m, x):
    b, t, c, h, w = x.shape
    y = m.conv(x.flatten(0, 1))
    return y.view(b, t, *y.shape[1:]).mean(1)


def per_pixel(m, x):
    b, c, h, w = x.shape
    y = x.permute(0, 2, 3, 1).reshape(-1, c)
    y = m.second(F.relu(m.first(y)))
    return y.view(b, h, w, -1).permute(0, 3, 1, 2)


def up_to(m, x):
    deep = F.relu(m.second(F.relu(m.first(x))))
    return m.last(torch.cat([x, F.interpolate(deep, size=x.shape[2:], mode="nearest")], 1))


def up_to_bilinear(m, x):
    deep = F.relu(m.second(F.relu(m.first(x))))
    return m.last(torch.cat([x, F.interpolate(deep, size=x.shape[2:], mode="bilinear", align_corners=False)], 1))


def up_to_aligned(m, x):
    deep = F.relu(m.first(x))
    return x.mean(1, keepdim=True) + F.interpolate(deep, size=x.shape[-2:], mode="bilinear", align_corners=True)


def by_half(m, x):
    return F.interpolate(m.first(x), scale_factor=1.5, mode="bilinear", align_corners=False)


def down(m, x):
    return F.interpolate(m.first(x), scale_factor=0.5, mode="bilinear", align_corners=False)


def up_to_bicubic(m, x):
    return x.mean(1, keepdim=True) + F.interpolate(F.relu(m.first(x)), size=x.shape[2:], mode="bicubic", align_corners=False)


def up_to_exact(m, x):
    return x.mean(1, keepdim=True) + F.interpolate(F.relu(m.first(x)), size=x.shape[2:], mode="nearest-exact")


def down_area(m, x):
    deep = m.first(x)
    return deep + F.interpolate(x, size=deep.shape[2:], mode="area").mean(1, keepdim=True)


def down_smoothly(m, x):
    y = F.interpolate(x, scale_factor=0.375, mode="bilinear", antialias=True) + F.interpolate(x, scale_factor=0.375, mode="bicubic", antialias=True)
    return m.first(y)


def twice_the_half(m, x):
    half = F.max_pool2d(x, 2)
    return m.first(F.interpolate(half, size=(2 * half.shape[2], 2 * half.shape[3]), mode="nearest"))


def pyramid(m, x):
    c1 = F.relu(m.first(x))
    c2 = F.relu(m.second(c1))
    c3 = F.relu(m.third(c2))
    p2 = m.lateral(c2) + F.interpolate(c3, size=c2.shape[-2:], mode="nearest")
    p1 = c1 + F.interpolate(p2, size=c1.shape[-2:], mode="nearest")
    return torch.cat([y.mean((2, 3)) for y in (p1, p2, c3)], 1)


def padded_evenly(m, x):
    y = F.interpolate(F.max_pool2d(m.first(x), 4), scale_factor=4)
    dh, dw = x.shape[2] - y.shape[2], x.shape[3] - y.shape[3]
    return torch.cat([x, F.pad(y, [dw // 2, dw - dw // 2, dh // 2, dh - dh // 2], mode="replicate")], 1)


def cut_in_two(m, x):
    one, two = m.first(x).chunk(2, 1)
    a, b, c = torch.tensor_split(x, 3, 1)
    return m.norm(one.sum(1)) + m.norm(two.sum(1)) + m.first(a.sum(1) - b.sum(1) * 2 + c.sum(1))


def last_of_length(m, x):
    t = x.shape[1]
    return m.first(x[:, 1 : t - 1].sum(1)) + m.first(x[:, t // 2 : t - 1].sum(1))


def first_steps(m, x):
    return m.first(x[:, :4, :6].flatten(1))


def narrowed(m, x):
    return m.first(m.norm(x.narrow(1, 1, 4)).transpose(1, 2))


def last_steps(m, x):
    steps = m.lstm(x)[0][:, -3:]
    return m.first(steps.flatten(1)) + m.first((steps * 2).reshape(x.size(0), -1))


def largest_steps(m, x):
    return m.first(torch.topk(x, 3, 1)[0].flatten(1))


def first_channels(m, x):
    return m.conv(x[:, :, :4].transpose(1, 2))


def average_of_first(m, x):
    return m.first(x[:, :4].sum(1)) / x[:, :4].shape[1]


def average_of_last(m, x):
    y = x[:, -4:]
    return m.first(y.sum(1)) / y.shape[1] + y.size(1)


def average_between(m, x):
    y = x[:, 1:6]
    return m.first(x).sum(1) * (y.shape[1] % 3 + 1) - y.shape[1] ** 2


def average_of_halves(m, x):
    return torch.cat([m.first(y.sum(1)) / y.shape[1] for y in (*x.chunk(2, 1), *torch.tensor_split(x, 2, 1))], 1)


def first_and_others(m, x):
    one, others = x.split([3, x.shape[1] - 3], 1)
    return m.first(one).mean(1) - m.first(others).sum(1) / len(others[0])


def shortened(m, x):
    """Lengths below the limit stay what they are."""
    y = x[:, :6]
    return m.first(y + m.lstm(y)[0])


def started(m, x):
    """From a state that is not zeros, behind steps that are made of numbers alone."""
    state = torch.ones(1, x.size(0), 5)
    y, _ = m.lstm(torch.cat([x.new_zeros(x.size(0), 2, 8), x], 1), (state, torch.full((1, len(x), 5), 0.5)))
    return m.first(y)


def causal(m, x):
    t = x.size(1)
    later = torch.triu(torch.full((t, t), float("-inf")), 1)
    return m.first((x @ x.transpose(1, 2) + later).softmax(-1) @ x)


def down_nearest(m, x):
    return F.interpolate(m.first(x), scale_factor=0.5)


def barely_resized(m, x):
    """Scales by which some sizes stay as they are, and some are doubled."""
    y = F.interpolate(m.first(x), scale_factor=(1.125, 2.125))
    return y + F.interpolate(m.first(x), scale_factor=(1.125, 2.125), mode="bilinear")


def to_fixed(m, x):
    return F.interpolate(m.first(x), size=(6, 7), mode="bilinear", align_corners=True)


def padded_to_other(m, x):
    y = F.interpolate(F.max_pool2d(m.first(x), 2), scale_factor=2)
    dh, dw = x.shape[2] - y.shape[2], x.shape[3] - y.shape[3]
    return x.mean(1, keepdim=True) + F.pad(y, [0, dw, 0, dh])


def unbiased(m, x):
    y = m.conv(x)
    return (y - y.mean((2, 3), keepdim=True)) / (y.std((2, 3), keepdim=True) + 1e-3) + y.var((0, 2, 3), keepdim=True)


def adaptive(m, x):
    return F.adaptive_avg_pool2d(m.conv(x), (3, 2)).flatten(1)


def adaptive_to_columns(m, x):
    return m.pool(m.conv(x))


def adaptive_maxima(m, x):
    return m.pool(m.conv(x))


def adaptive_rows(m, x):
    return m.pool(m.conv(x)).squeeze(2).transpose(1, 2)


def adaptive_max(m, x):
    return F.adaptive_max_pool2d(m.conv(x), (3, 2)).flatten(1)


def stretched(m, x):
    b, t, c = x.shape
    whole = m.first(x.mean(1))
    return torch.cat([x, whole.unsqueeze(1).expand(b, t, 4)], 2)


def positions(m, x):
    b, t, c = x.shape
    return x + m.table[:t]


def learned_positions(m, ids):
    return m.tokens(ids) + m.places(torch.arange(ids.shape[1], device=ids.device))


def sinusoidal_positions(m, x):
    """Every second number up to the length, whatever it is, against some frequencies."""
    places = torch.arange(0, x.shape[1], 2, dtype=torch.float32, device=x.device)
    angles = places[:, None] * torch.exp(torch.arange(8) * -0.3)
    return m.first(x[:, ::2]) + torch.sin(angles)


def backwards(m, x):
    return x * torch.arange(x.size(1), 0, -1, device=x.device)[:, None]


def half_of_length(m, x):
    t = x.shape[1]
    return x[:, : t // 2] + x[:, t - t // 2 :]


def chunks(m, x):
    one, two = m.first(x).chunk(2, 1)
    return one * two.sigmoid()


def class_token(m, x):
    b = x.shape[0]
    y = x.flatten(2).transpose(1, 2)
    return m.first(torch.cat([m.token.expand(b, -1, -1), y], 1))


def conv(inner, outer, kernel=3, stride=1):
    return nn.Conv2d(inner, outer, kernel, stride, kernel // 2)


def pooled_whole(m, x):
    y = m.conv(x)
    return torch.cat([F.avg_pool2d(y, y.shape[2:]), F.max_pool2d(y, (y.shape[2], y.shape[3]))], 1).flatten(1)


def shifted_by_half(m, x):
    return m.first(torch.roll(x, (x.shape[1] // 2, 1), (1, 2)))


def repeated_by_length(m, x):
    n = x.shape[1]
    return m.first(x.repeat_interleave(n, 1)).view(x.shape[0], n, n, -1).sum(2)


def pooled_to_half(m, x):
    y = m.conv(x)
    return F.adaptive_avg_pool2d(y, (y.shape[2] // 2, y.shape[3] // 2)) + F.adaptive_max_pool2d(y, (y.shape[2] // 2, y.shape[3] // 2))


def every_third(m, x):
    n = x.shape[1]
    return m.first(x[:, torch.arange(0, n, 3)]) + m.places(torch.arange(-(-n // 3)))


def banded(m, x):
    scores = m.first(x) @ x.transpose(1, 2)
    return torch.tril(scores, x.shape[1] // 3) - torch.triu(scores, x.shape[1] // 2)


def one_of_length(m, x):
    return F.one_hot(m.first(x).argmax(1), x.shape[1]).float()


class Code:
    def __init__(self, forward, layers, shape, more_shapes, ids_below=0):
        self.name = forward.__name__
        self.forward = forward
        self.layers = layers
        self.shape = shape
        self.more_shapes = more_shapes
        self.ids_below = ids_below

    def module(self):
        torch.manual_seed(1)
        return Written(self.forward, **self.layers()).eval()

    def inputs(self, shape):
        torch.manual_seed(2)
        return [torch.randint(self.ids_below, shape) if self.ids_below else torch.randn(shape)]


SEQUENCE, SEQUENCES = (2, 5, 8), [(3, 7, 8), (1, 4, 8), (2, 1, 8)]
IMAGE, IMAGES = (2, 3, 8, 10), [(3, 3, 7, 9), (1, 3, 12, 5), (2, 3, 9, 9)]
VIDEO, VIDEOS = (2, 5, 3, 8, 10), [(3, 2, 3, 7, 9), (1, 4, 3, 12, 5)]


def dense(first=(8, 6), second=(6, 4)):
    return lambda: {"first": nn.Linear(*first), "second": nn.Linear(*second), "norm": nn.LayerNorm(first[1])}


def qkv():
    return {name: nn.Linear(8, 8) for name in ("q", "k", "v", "out")}


def tails(m, x):
    """As WaveNet has it: what a convolution without padding is shorter by is cut off the front of what goes past it."""
    y = m.wide(x.transpose(1, 2))
    return y + m.past(x)[:, -y.shape[2] :].transpose(1, 2)[:, :, -y.size(2) :]


CODE = [
    Code(merged_dense, dense(), SEQUENCE, SEQUENCES),
    Code(tails, lambda: {"wide": nn.Conv1d(8, 6, 3), "past": nn.Linear(8, 6)}, SEQUENCE, [(3, 7, 8), (1, 4, 8), (2, 6, 8)]),
    Code(merged_by_flatten, dense(), SEQUENCE, SEQUENCES),
    Code(merged_batch_norm, lambda: {"first": nn.Linear(8, 6), "norm": nn.BatchNorm1d(6)}, SEQUENCE, SEQUENCES),
    Code(frames, lambda: {"cnn": nn.Sequential(conv(3, 4), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "lstm": nn.LSTM(4, 5, batch_first=True)}, VIDEO, VIDEOS),
    Code(attention, qkv, SEQUENCE, SEQUENCES),
    Code(merged_heads, qkv, SEQUENCE, SEQUENCES),
    Code(non_local, lambda: {"q": conv(3, 4, 1), "k": conv(3, 4, 1), "v": conv(3, 4, 1), "out": conv(4, 3, 1)}, IMAGE, IMAGES),
    Code(tokens, lambda: {"norm": nn.LayerNorm(3), "first": nn.Linear(3, 7), "second": nn.Linear(7, 4)}, IMAGE, IMAGES),
    Code(channel_shuffle, lambda: {"conv": conv(3, 8)}, IMAGE, IMAGES),
    Code(squeeze_excite, lambda: {"first": nn.Linear(3, 2), "second": nn.Linear(2, 3)}, IMAGE, IMAGES),
    Code(pixel_shuffle, lambda: {"conv": conv(3, 8)}, IMAGE, IMAGES),
    Code(spatial_softmax, lambda: {"conv": conv(3, 4)}, IMAGE, IMAGES),
    Code(merged_lstm, lambda: {"lstm": nn.LSTM(6, 5, batch_first=True), "second": nn.Linear(5, 4)}, (2, 3, 5, 6), [(3, 4, 7, 6), (1, 2, 3, 6)]),
    Code(merged_conv1d, lambda: {"conv": nn.Conv1d(6, 4, 3, padding=1)}, (2, 3, 5, 6), [(3, 4, 7, 6), (1, 2, 3, 6)]),
    Code(merged_embedding, lambda: {"embedding": nn.Embedding(11, 6), "second": nn.Linear(6, 4)}, (2, 3, 5), [(3, 4, 7), (1, 2, 3)], 11),
    Code(residual_of_merged, lambda: {"first": nn.Linear(8, 6), "second": nn.Linear(6, 8), "norm": nn.LayerNorm(8)}, SEQUENCE, SEQUENCES),
    Code(temporal_shift, lambda: {"conv": conv(3, 4)}, VIDEO, VIDEOS),
    Code(per_pixel, lambda: {"first": nn.Linear(3, 6), "second": nn.Linear(6, 4)}, IMAGE, IMAGES),
    Code(up_to, lambda: {"first": conv(3, 4, stride=2), "second": conv(4, 4, stride=2), "last": conv(7, 3)}, IMAGE, IMAGES),
    Code(up_to_bilinear, lambda: {"first": conv(3, 4, stride=2), "second": conv(4, 4, stride=2), "last": conv(7, 3)}, IMAGE, IMAGES),
    Code(up_to_aligned, lambda: {"first": conv(3, 4, stride=2)}, IMAGE, IMAGES),
    Code(by_half, lambda: {"first": conv(3, 4)}, IMAGE, IMAGES),
    Code(down, lambda: {"first": conv(3, 4)}, IMAGE, IMAGES),
    Code(up_to_bicubic, lambda: {"first": conv(3, 1, stride=2)}, IMAGE, IMAGES),
    Code(up_to_exact, lambda: {"first": conv(3, 1, stride=2)}, IMAGE, IMAGES),
    Code(down_area, lambda: {"first": conv(3, 1, stride=2)}, IMAGE, IMAGES),
    Code(down_smoothly, lambda: {"first": conv(3, 4)}, IMAGE, [(3, 3, 7, 9), (1, 3, 12, 17)]),
    Code(twice_the_half, lambda: {"first": conv(3, 4)}, IMAGE, IMAGES),
    Code(pyramid, lambda: {"first": conv(3, 4, stride=2), "second": conv(4, 4, stride=2), "third": conv(4, 4, stride=2), "lateral": conv(4, 4, 1)}, (2, 3, 17, 22), [(1, 3, 16, 19), (3, 3, 9, 12)]),
    Code(padded_evenly, lambda: {"first": conv(3, 2)}, (2, 3, 9, 11), [(1, 3, 8, 14), (3, 3, 15, 4)]),
    Code(cut_in_two, lambda: {"first": nn.Linear(8, 6), "norm": nn.LayerNorm(6)}, (2, 5, 8), [(3, 8, 8), (1, 6, 8)]),
    Code(last_of_length, lambda: {"first": nn.Linear(8, 6)}, (2, 5, 8), [(3, 8, 8), (1, 6, 8)]),
    Code(first_steps, lambda: {"first": nn.Linear(24, 3)}, SEQUENCE, [(3, 7, 8), (1, 4, 8)]),
    Code(narrowed, lambda: {"norm": nn.LayerNorm((4, 8)), "first": nn.Linear(4, 3)}, SEQUENCE, [(3, 7, 8), (1, 6, 8)]),
    Code(last_steps, lambda: {"lstm": nn.LSTM(8, 5, batch_first=True), "first": nn.Linear(15, 3)}, SEQUENCE, [(3, 7, 8), (1, 4, 8)]),
    Code(largest_steps, lambda: {"first": nn.Linear(24, 3)}, SEQUENCE, [(3, 7, 8), (1, 4, 8)]),
    Code(first_channels, lambda: {"conv": nn.Conv1d(4, 3, 2)}, (2, 8, 5), [(3, 8, 7), (1, 8, 4)]),
    Code(average_of_first, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES),
    Code(average_of_last, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES),
    Code(average_between, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES),
    Code(average_of_halves, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES[:2]),
    Code(first_and_others, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES[:2]),
    Code(shortened, lambda: {"lstm": nn.LSTM(8, 8, batch_first=True), "first": nn.Linear(8, 3)}, (2, 7, 8), [(3, 9, 8), (1, 5, 8)]),
    Code(started, lambda: {"lstm": nn.LSTM(8, 5, batch_first=True), "first": nn.Linear(5, 3)}, SEQUENCE, SEQUENCES),
    Code(causal, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES),
    Code(down_nearest, lambda: {"first": conv(3, 4)}, IMAGE, IMAGES),
    Code(barely_resized, lambda: {"first": conv(3, 4)}, IMAGE, [(1, 3, 5, 7), (1, 3, 120, 4)]),
    Code(to_fixed, lambda: {"first": conv(3, 4)}, IMAGE, IMAGES),
    Code(padded_to_other, lambda: {"first": conv(3, 1)}, IMAGE, IMAGES),
    Code(unbiased, lambda: {"conv": conv(3, 4)}, IMAGE, IMAGES),
    Code(adaptive, lambda: {"conv": conv(3, 4)}, IMAGE, IMAGES),
    Code(adaptive_to_columns, lambda: {"conv": conv(3, 4), "pool": nn.AdaptiveAvgPool2d((None, 3))}, IMAGE, IMAGES),
    Code(adaptive_maxima, lambda: {"conv": conv(3, 4), "pool": nn.AdaptiveMaxPool2d((3, None))}, IMAGE, [(3, 3, 7, 10), (1, 3, 12, 10)]),
    Code(adaptive_rows, lambda: {"conv": conv(3, 4), "pool": nn.AdaptiveAvgPool2d((1, None))}, IMAGE, IMAGES),
    Code(adaptive_max, lambda: {"conv": conv(3, 4)}, IMAGE, IMAGES),
    Code(stretched, lambda: {"first": nn.Linear(8, 4)}, SEQUENCE, SEQUENCES),
    Code(positions, lambda: {"table": nn.Parameter(torch.randn(20, 8))}, SEQUENCE, SEQUENCES),
    Code(learned_positions, lambda: {"tokens": nn.Embedding(11, 6), "places": nn.Embedding(20, 6)}, (2, 5), [(3, 7), (1, 4), (2, 1)], 11),
    Code(sinusoidal_positions, lambda: {"first": nn.Linear(8, 8)}, SEQUENCE, SEQUENCES),
    Code(backwards, dict, SEQUENCE, SEQUENCES),
    Code(half_of_length, dict, SEQUENCE, SEQUENCES[:2]),
    Code(chunks, lambda: {"first": conv(3, 8)}, IMAGE, IMAGES),
    Code(pooled_whole, lambda: {"conv": conv(3, 4)}, IMAGE, IMAGES),
    Code(shifted_by_half, lambda: {"first": nn.Linear(8, 4)}, SEQUENCE, SEQUENCES),
    Code(repeated_by_length, lambda: {"first": nn.Linear(8, 4)}, SEQUENCE, SEQUENCES),
    Code(pooled_to_half, lambda: {"conv": conv(3, 4)}, IMAGE, IMAGES),
    Code(every_third, lambda: {"first": nn.Linear(8, 4), "places": nn.Embedding(9, 4)}, SEQUENCE, SEQUENCES),
    Code(banded, lambda: {"first": nn.Linear(8, 8)}, SEQUENCE, SEQUENCES[:2]),
    Code(one_of_length, lambda: {"first": nn.Linear(8, 3)}, SEQUENCE, SEQUENCES[:2]),
    Code(class_token, lambda: {"token": nn.Parameter(torch.randn(1, 1, 3)), "first": nn.Linear(3, 4)}, IMAGE, IMAGES),
]
