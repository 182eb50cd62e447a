"""Layer types in PyTorch: what test_layers_live.py compares with.

`reference(type, attributes)` gives a module whose submodule "layer" has the layer's state_dict names, and whether PyTorch says
the layer by one module or function of its own. What only Keras says (an activation, `same` with strides, ...) is put
together here from PyTorch's functions, after Keras's documentation.
"""

import base64
import fnmatch
import re
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import torch_recurrent


def elements(data, shape, dtype="float32"):
    """A tensor of the JSON: a list of numbers, or bytes."""
    if isinstance(data, dict):
        data = np.frombuffer(base64.b64decode(data["base64"]), data["dtype"])
    return torch.tensor(data, dtype=getattr(torch, dtype)).view(shape)


def is_open(value):
    """Whether it is arithmetic on the batch's size, or has some in it."""
    return any(map(is_open, value)) if isinstance(value, list) else isinstance(value, str) and re.search(r"\bbatch\b", value) is not None


def at_batch(value, batch):
    """With a number in place of all that is open."""
    if isinstance(value, list):
        return [at_batch(item, batch) for item in value]
    return eval(value, {"__builtins__": {}}, {"batch": batch}) if is_open(value) else value


def aligned(inputs, at_batch):
    """Keras's merge layers put axes of size 1 behind the batch."""
    rank = max(x.ndim for x in inputs)
    return [x.reshape(len(x), *[1] * (rank - x.ndim), *x.shape[1:]) for x in inputs] if at_batch else inputs


def operator(function):
    """`function` of two tensors, or of a tensor and a number on either side; of more tensors, one after the other."""

    def call(*inputs, self=None, other=None, exponent=None, aligned_at_batch=False, **settings):
        other = exponent if other is None else other
        if self is not None:
            try:
                return function(self, *inputs, **settings)
            except TypeError:
                return function(torch.tensor(self, dtype=inputs[0].dtype), *inputs, **settings)
        if other is not None:
            return function(*inputs, other, **settings)
        return reduce(lambda x, y: function(x, y, **settings), aligned(inputs, aligned_at_batch))

    return call


def sliced(x, dim=0, start=None, end=None, step=1):
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def selected(x, *index_tensor, dim, index=None):
    from_the_front = lambda i: i + x.shape[dim] if i < 0 else i
    return torch.index_select(x, dim, *index_tensor or [torch.tensor([from_the_front(i) for i in ([index] if isinstance(index, int) else index)])])


def sparsemax(x):
    """As Keras has it: the threshold adds up all partial sums of the support."""
    ordered = x.sort(descending=True).values
    sums = ordered.cumsum(-1)
    support = ordered - (sums - 1) / torch.arange(1, x.shape[-1] + 1) > 0
    return torch.clamp(x - ((sums * support).sum(-1, keepdim=True) - 1) / support.sum(-1, keepdim=True), min=0)


class ShapedPReLU(nn.PReLU):
    """Keras's, whose weight has a shape without the batch."""

    def __init__(self, weight_shape, init=0.25):
        super().__init__(init=init)
        self.weight = nn.Parameter(torch.full(weight_shape, init))

    def forward(self, x):
        return torch.where(x > 0, x, self.weight * x)


def dotted(x, y, axes, normalize=False):
    first, second = [axes, axes] if isinstance(axes, int) else axes
    if normalize:
        x, y = F.normalize(x, dim=first), F.normalize(y, dim=second)
    x, y = x.movedim(first, -1), y.movedim(second, 1)
    product = torch.stack([torch.tensordot(one, other, 1) for one, other in zip(x, y)])
    return product.reshape(-1, 1) if product.ndim == 1 else product


def shuffled_blocks(kind, x, factor):
    """Keras's, whose channels are counted by their place in a block first."""
    n, c, h, w = x.shape
    if kind == "PixelShuffle":
        return x.view(n, factor, factor, -1, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * factor, w * factor)
    return x.view(n, c, h // factor, factor, w // factor, factor).permute(0, 3, 5, 1, 2, 4).reshape(n, -1, h // factor, w // factor)


def number_or(number, tensors):
    return tensors.pop(0) if number is None else number


def chosen(condition, *tensors, self=None, other=None):
    tensors = list(tensors)
    return torch.where(condition != 0, number_or(self, tensors), number_or(other, tensors))


def bounded(function, bound):
    """Keras's amax and amin, which have another element besides those of the input."""

    def call(x, dim=(), keepdim=False, initial=None):
        y = function(x, dim, keepdim)
        return y if initial is None else bound(y, torch.tensor(initial))

    return call


def product(x, dim=None, keepdim=False):
    """Over one axis or all; Keras's over several."""
    axes = sorted([dim] if isinstance(dim, int) else [axis % x.ndim for axis in dim or []], reverse=True)
    return reduce(lambda y, axis: y.prod(axis, keepdim=keepdim), axes, x) if axes else x.prod()


def attended(query, key, value, mask=None, steps_first=False, **settings):
    """PyTorch's, or with steps before heads, as Keras has them."""
    order = (lambda x: x.transpose(-3, -2)) if steps_first else (lambda x: x)
    return order(F.scaled_dot_product_attention(order(query), order(key), order(value), mask, **settings))


FUNCTIONS = {name: operator(getattr(torch, name)) for name in """add sub rsub mul div floor_divide remainder fmod pow maximum
    minimum fmax fmin atan2 hypot logaddexp eq ne lt le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or
    bitwise_xor""".split()}  # fmt: skip
FUNCTIONS |= {
    "Average": lambda *xs, aligned_at_batch=False: sum(aligned(xs, aligned_at_batch)) / len(xs),
    "Cbrt": lambda x: torch.copysign(x.abs() ** (1 / 3), x),
    "Dot": dotted,
    "einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    "SoftmaxOverAxes": lambda x, dim: torch.exp(x - torch.logsumexp(x, dim, keepdim=True)),
    "SparsePlus": lambda x: torch.where(x <= -1, 0.0, torch.where(x < 1, 0.25 * (x + 1) ** 2, x)),
    "SparseSigmoid": lambda x: torch.clamp(0.5 * (x + 1), 0, 1),
    "Sparsemax": lambda x, dim=-1: sparsemax(x.movedim(dim, -1)).movedim(-1, dim),
    "Squareplus": lambda x, b=4: (x + torch.sqrt(x**2 + b)) / 2,
    "RepeatVector": lambda x, n: x.unsqueeze(1).repeat(1, n, 1),
    "Unflatten": lambda x, dim, unflattened_size: x.unflatten(dim, unflattened_size),
    "amax": bounded(torch.amax, torch.maximum),
    "amin": bounded(torch.amin, torch.minimum),
    "bucketize": lambda x, *tensors, boundaries=None, **a: torch.bucketize(x, *tensors or [torch.tensor(boundaries)], **a),
    "arange": lambda x, end, start=0, step=1, dtype="int64": torch.arange(start, end, step, dtype=getattr(torch, dtype)),
    "zeros": lambda x, size, dtype="float32": torch.zeros(size, dtype=getattr(torch, dtype)),
    "ones": lambda x, size, dtype="float32": torch.ones(size, dtype=getattr(torch, dtype)),
    "full": lambda x, size, fill_value, dtype="float32": torch.full(size, fill_value, dtype=getattr(torch, dtype)),
    "batch_norm": lambda x, mean=None, variance=None, *affine, **settings: F.batch_norm(x, mean, variance, *affine, training=mean is None, **settings),
    "instance_norm": lambda x, *statistics, **settings: F.instance_norm(x, *statistics, use_input_stats=not statistics, **settings),
    "layer_norm": lambda x, *operands, normalized_shape, **settings: F.layer_norm(x, normalized_shape, *operands, **settings),
    "rms_norm": lambda x, *operands, normalized_shape, **settings: F.rms_norm(x, normalized_shape, *operands, **settings),
    "embedding": lambda ids, table, **settings: F.embedding(ids, table, **settings),
    "group_norm": lambda x, *operands, num_groups, **settings: F.group_norm(x, num_groups, *operands, **settings),
    "broadcast_to": lambda x, size: x.broadcast_to(size),
    "cat": lambda *xs, dim=0: torch.cat(xs, dim),
    "cond": lambda pred, one, other: one if pred else other,
    "cumprod": lambda x, dim: x.flatten().cumprod(0) if dim is None else x.cumprod(dim),
    "cumsum": lambda x, dim: x.flatten().cumsum(0) if dim is None else x.cumsum(dim),
    "expand": lambda x, size: x.expand(size),
    "full_like": lambda x, fill_value=0, dtype=None: torch.full_like(x, fill_value, dtype=dtype and getattr(torch, dtype)),
    "ones_like": lambda x, dtype=None: torch.ones_like(x, dtype=dtype and getattr(torch, dtype)),
    "zeros_like": lambda x, dtype=None: torch.zeros_like(x, dtype=dtype and getattr(torch, dtype)),
    "gather": lambda x, index, dim: torch.gather(x, dim, index),
    "getitem": lambda x, index: eval(f"x[{index}]"),
    "index_by_tensors": lambda x, *indices, dims: x[tuple(indices[dims.index(axis)] if axis in dims else slice(None) for axis in range(x.ndim))],
    "index_select": selected,
    "linalg_cross": torch.linalg.cross,
    "masked_fill": lambda x, mask, value: x.masked_fill(mask != 0, value),
    "norm": lambda x, p=2, dim=None, keepdim=False: torch.norm(x, p, dim, keepdim),
    "pad": lambda x, pad, mode="constant", value=None: padded(x, pad, mode, value),
    "Masking": lambda x, mask_value=0: x * (x != mask_value).any(-1, keepdim=True),
    "new_tensor": lambda x, **attributes: elements(**attributes),
    "permute": lambda x, dims: x.permute(dims),
    "prod": product,
    "repeat": lambda x, repeats: x.repeat(repeats),
    "reshape": lambda x, shape: x.reshape(shape),
    "slice": sliced,
    "split": lambda x, split_size, dim=0: torch.split(x, split_size, dim),
    "stack": lambda *xs, dim=0: torch.stack(xs, dim),
    "take_along_dim": lambda x, index, dim: torch.take_along_dim(x, index, dim),
    "tensor_split": lambda x, sections=None, indices=None, dim=0: torch.tensor_split(x, sections or indices, dim),
    "tile": lambda x, dims: x.tile(dims),
    "to": lambda x, dtype="float32": x.to(getattr(torch, dtype)),
    "meshgrid": lambda *xs, indexing="ij": torch.meshgrid(*xs, indexing=indexing),
    "one_hot": lambda x, num_classes, dtype="int64": F.one_hot(x, num_classes).to(getattr(torch, dtype)),
    "scaled_dot_product_attention": attended,
    "scatter": lambda x, index, *src, dim, value=None: torch.scatter(x, dim, index, *src or [value]),
    "scatter_add": lambda x, index, src, dim: torch.scatter_add(x, dim, index, src),
    "unfold": lambda x, dimension, size, step: x.unfold(dimension, size, step),
    "view": lambda x, shape: x.view(shape),
    "where": chosen,
}
# What nn.Module has no class for, and does nothing in evaluation: Keras's noise.
NOISE = ("GaussianDropout", "GaussianNoise", "ActivityRegularization")
NOISE += ("RandomFlip", "RandomGrayscale", "RandomPerspective", "RandomRotation", "RandomTranslation", "RandomZoom")
NOISE += ("AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
          "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomHue", "RandomInvert",
          "RandomPosterization", "RandomSaturation", "RandomSharpness", "Solarization")  # fmt: skip
ACTIVATIONS = {"relu": F.relu, "sigmoid": torch.sigmoid}


def spatial(value, axes):
    return [value] * axes if isinstance(value, int) else list(value)


def same_margins(x, kernel, stride, dilation):
    """F.pad's list for Keras's `same`: the odd one at the end."""
    margins = []
    for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation):
        total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
        margins = [total // 2, total - total // 2] + margins
    return margins


def padded(x, pad, mode, value=None):
    if mode != "symmetric":  # what only Keras has
        return F.pad(x, pad, mode, value)
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [tuple(pad[i : i + 2]) for i in range(len(pad) - 2, -2, -2)]
    return torch.from_numpy(np.pad(x.numpy(), widths, mode))


def cropped(x, margins):
    """Without the first and the last elements of its spatial axes; negative margins add zeros."""
    return F.pad(x, [-margin for pair in reversed(margins) for margin in pair])


def cropping(kind, a):
    axes = int(kind[-2])
    given = spatial(a["cropping"], 2 * axes)
    return Function(lambda x: cropped(x, list(zip(given[::2], given[1::2]))))


def transposed(kind, a):
    """Keras's words and output_padding: its documentation says how large the output is, and TensorFlow's `same` crops evenly,
    the odd element at the end."""
    if not isinstance(a.get("padding", 0), str):
        return Reference(getattr(nn, kind)(**a)), True
    axes = int(kind[-2])
    word, more = a["padding"], a["output_padding"]
    stride = spatial(a.get("stride", 1), axes)
    extent = [d * (k - 1) + 1 for k, d in zip(spatial(a["kernel_size"], axes), spatial(a.get("dilation", 1), axes))]
    more = [None] * axes if more is None else spatial(more, axes)
    margins = []
    for k, s, o in zip(extent, stride, more):
        if word == "valid":  # (size - 1) * s + max(k, s), or ... + k + o
            margins.append((0, -(max(s - k, 0) if o is None else o)))
        else:  # size * s, or (size - 1) * s + k % 2 + o
            total = k - s if o is None else k - k % 2 - o
            margins.append((max(total, 0) // 2, total - max(total, 0) // 2))
    layer = getattr(nn, kind)(**a | {"padding": 0, "output_padding": 0})

    class WithBias(Reference):
        """What is added at the end has the bias."""

        def forward(self, x):
            y = cropped(getattr(F, kind[:4].lower() + "_" + kind[4:].lower())(x, layer.weight, None, stride, 0, 0, 1, layer.dilation), margins)
            return self.after(y + layer.bias.view(-1, *[1] * axes))

    return WithBias(layer), False


class Separable(nn.Module):
    def __init__(self, convolution, a):
        super().__init__()
        between = a["in_channels"] * a.get("depth_multiplier", 1)
        window = {name: a[name] for name in ("stride", "dilation") if name in a}
        self.depthwise = convolution(a["in_channels"], between, a["kernel_size"], groups=a["in_channels"], bias=False, **window)
        self.pointwise = convolution(between, a["out_channels"], 1, bias=a.get("bias", True))

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class Reference(nn.Module):
    """`layer`, with `before` and `after` around it."""

    def __init__(self, layer, before=lambda x: x, after=lambda x: x):
        super().__init__()
        self.layer, self.before, self.after = layer, before, after

    def forward(self, *inputs):
        return self.after(self.layer(self.before(inputs[0]), *inputs[1:]))


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Scaled(nn.Module):
    """A function times a weight."""

    def __init__(self, shape, function):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.function = function

    def forward(self, x):
        return self.function(x) * self.weight


def along(axes, values, x):
    """Numbers as a tensor that broadcasts along axes of x."""
    values, axes = torch.as_tensor(values, dtype=x.dtype), [axes] if isinstance(axes, int) else axes
    kept = {axis % x.ndim for axis in axes}
    return values if values.numel() == 1 else values.reshape([size if i in kept else 1 for i, size in enumerate(x.shape)])


class Normalization(nn.Module):
    """Keras's layer."""

    def __init__(self, axes, sizes, mean=None, variance=None, invert=False):
        super().__init__()
        self.axes, self.sizes, self.invert = axes, sizes, invert
        if mean is None:
            self.register_buffer("mean", torch.zeros(sizes))
            self.register_buffer("variance", torch.ones(sizes))
            self.register_buffer("count", torch.zeros((), dtype=torch.int32))
        else:
            self.mean, self.variance = mean, variance

    def forward(self, x):
        assert [x.shape[axis] for axis in self.axes] == list(self.sizes)
        mean, variance = (along(self.axes, values, x) for values in (self.mean, self.variance))
        return mean + x * variance.sqrt() if self.invert else (x - mean) / variance.sqrt()


def keras_relu(max_value=None, negative_slope=0.0, threshold=0.0):
    def relu(x):
        ramp = torch.where(x >= threshold, x, negative_slope * (x - threshold))
        return ramp if max_value is None else torch.clamp(ramp, max=max_value)

    return relu


class OwnTensor(nn.Module):
    """A tensor of the model's own, "layer"; the input is what all models have."""

    def __init__(self, kind, shape, dtype="float32", data=None):
        super().__init__()
        value = torch.empty(shape) if data is None else elements(data, shape, dtype)
        self.layer = nn.Parameter(value) if kind == "Parameter" else nn.Buffer(value)

    def forward(self, x):
        return self.layer.detach()


def windowed(kind, a):
    """Convolutions and poolings; their `same` and `valid` are padding done before."""
    axes = int(kind[-2])
    pooling = "Pool" in kind
    padding = a.get("padding", 0)
    kernel = spatial(a["kernel_size"], axes)
    stride = spatial(a.get("stride") or (kernel if pooling else 1), axes)
    dilation = spatial(a.get("dilation", 1), axes)
    if kind.startswith("ConvTranspose"):
        return transposed(kind, a)
    mode = {"zeros": "constant"}.get(a.get("padding_mode", "zeros"), a.get("padding_mode"))
    if kind.startswith("Separable"):
        margins = same_margins if padding == "same" else lambda x, *window: [0, 0]
        return Reference(Separable(getattr(nn, "Conv" + kind[-2] + "d"), a), before=lambda x: F.pad(x, margins(x, kernel, stride, dilation))), False
    if padding == "causal":
        return Reference(getattr(nn, kind)(**a | {"padding": 0}), before=lambda x: F.pad(x, [dilation[0] * (kernel[0] - 1), 0])), False
    if kind == "LPPool1d":
        a["kernel_size"] = kernel[0]  # the one that wants no list
    if padding == "valid" and pooling:
        return Reference(getattr(nn, kind)(**a | {"padding": 0})), True
    if padding != "same" or (not pooling and set(stride) == {1}):
        return Reference(getattr(nn, kind)(**a)), True
    layer = getattr(nn, kind)(**a | {"padding": 0})
    fill = {"value": float("-inf")} if kind.startswith("Max") else {}
    reference = Reference(layer, before=lambda x: F.pad(x, same_margins(x, kernel, stride, dilation), mode, **fill))
    if kind.startswith("Avg"):  # what was added does not count
        return Function(lambda x: reference(x) / reference(torch.ones_like(x))), False
    return reference, False


def from_the_middle(x, height, width):
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def cropped_to_ratio(x, height, width):
    own_height, own_width = x.shape[2:]
    return from_the_middle(x, max(min(own_height, own_width * height // width), 1), max(min(own_width, own_height * width // height), 1))


def padded_to_ratio(x, height, width, value):
    own_height, own_width = x.shape[2:]
    rows = (max(own_height, own_width * height // width) - own_height) // 2
    columns = (max(own_width, own_height * width // height) - own_width) // 2
    return F.pad(x, [columns, columns, rows, rows], value=value)


def cubic(distance):
    """Keys's with a = -0.5."""
    inside = 1.5 * distance**3 - 2.5 * distance**2 + 1
    outside = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance < 1, inside, torch.where(distance < 2, outside, 0))


def lanczos(radius):
    return lambda distance: torch.sinc(distance) * torch.sinc(distance / radius) * (distance <= radius)


def resampled_along(x, axis, size, kernel, antialias):
    """jax.image.resize along one axis."""
    own = x.shape[axis]
    places = (torch.arange(size) + 0.5) * (own / size) - 0.5
    distance = (places[:, None] - torch.arange(own)).abs() / (max(own / size, 1) if antialias else 1)
    weights = kernel(distance)
    return torch.tensordot(x, weights / weights.sum(1, keepdim=True), ([axis], [1])).movedim(-1, axis)


def resampled(x, size, kernel, antialias):
    return resampled_along(resampled_along(x, 2, size[0], kernel, antialias), 3, size[1], kernel, antialias)


def resizing(size, interpolation="bilinear", antialias=False, crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, fill_value=0.0):
    """Keras's layer Resizing."""

    def run(x):
        x = cropped_to_ratio(x, *size) if crop_to_aspect_ratio else padded_to_ratio(x, *size, fill_value) if pad_to_aspect_ratio else x
        if interpolation.startswith("lanczos"):
            return resampled(x, size, lanczos(int(interpolation[-1])), antialias)
        if interpolation == "bicubic":
            return resampled(x, size, cubic, antialias)
        mode = {"nearest": "nearest-exact"}.get(interpolation, interpolation)
        return F.interpolate(x, size, mode=mode, antialias=antialias)

    return run


def center_crop(size):
    """Keras's layer CenterCrop."""
    fits = lambda x: all(own >= wanted for own, wanted in zip(x.shape[2:], size))
    return lambda x: from_the_middle(x, *size) if fits(x) else resizing(size, crop_to_aspect_ratio=True)(x)


def upsample(kind, a):
    """nn.Upsample, which wants tuples, or F.interpolate, which has one more argument; the cubic is Keras's."""
    if a.get("mode") == "cubic":
        scale = a.get("scale_factor")
        sizes = lambda x: a.get("size") or [int(own * (scale[0] if isinstance(scale, list) else scale)) for own in x.shape[2:]]
        return Function(lambda x: resampled(x, sizes(x), cubic, a.get("antialias", False)))
    a = {name: tuple(value) if isinstance(value, list) and len(value) > 1 else value[0] if isinstance(value, list) else value for name, value in a.items()}
    return Function(lambda x: F.interpolate(x, **a)) if "antialias" in a else Reference(getattr(nn, kind)(**a))


class Unpool(Reference):
    """Its output_size is an argument of the call."""

    def __init__(self, kind, output_size=None, **a):
        super().__init__(getattr(nn, kind)(**a))
        self.output_size = output_size

    def forward(self, x, indices):
        return self.layer(x, indices, self.output_size)


class EinsumDense(nn.Module):
    def __init__(self, equation, weight_shape, bias_shape=None, bias_axes=None):
        super().__init__()
        self.equation = equation
        self.weight = nn.Parameter(torch.empty(weight_shape))
        self.bias = nn.Parameter(torch.empty(bias_shape)) if bias_axes else None

    def forward(self, x):
        of_input, of_weight = self.equation.split("->")[0].split(",")
        sizes = dict(zip(of_weight, self.weight.shape))
        if any(sizes.get(letter, size) != size for letter, size in zip(reversed(of_input), reversed(x.shape))):
            raise ValueError("an input that does not fit the weight")  # torch.einsum takes a size of 1 for any
        y = torch.einsum(self.equation, x, self.weight)
        return y if self.bias is None else y + self.bias


class Attention(nn.Module):
    """Keras's two layers, a query at a time."""

    def __init__(self, kind, use_scale=None, score_mode="dot", features=None, use_causal_mask=False, return_attention_scores=False):
        super().__init__()
        self.additive, self.by_product = kind == "AdditiveAttention", kind == "Attention" and score_mode == "dot"
        self.causal, self.with_scores = use_causal_mask, return_attention_scores
        scaled = self.additive if use_scale is None else use_scale
        self.scale = nn.Parameter(torch.empty(features or ())) if scaled else None
        self.concat_score_weight = nn.Parameter(torch.empty(())) if score_mode == "concat" else None

    def scores(self, query, key):
        assert query.shape[-1] == key.shape[-1]  # Keras's product takes no others
        scale = 1 if self.scale is None else self.scale
        if self.by_product:
            return torch.einsum("bf,bsf->bs", query, key) * scale
        if self.additive:
            return (scale * torch.tanh(query[:, None] + key)).sum(-1)
        return torch.tanh(scale * (query[:, None] + key)).sum(-1) * self.concat_score_weight

    def forward(self, query, value, key=None):
        key = value if key is None else key
        weights = []
        for i in range(query.shape[1]):
            seen = min(i + 1, key.shape[1]) if self.causal else key.shape[1]
            share = torch.softmax(self.scores(query[:, i], key[:, :seen]), -1)
            weights.append(F.pad(share, (0, key.shape[1] - seen)))
        weights = torch.stack(weights, 1)
        result = torch.einsum("bqs,bsf->bqf", weights, value)
        return (result, weights) if self.with_scores else result


class ConvLSTM(nn.Module):
    """Keras's, a gate at a time."""

    def __init__(self, kind, in_channels, out_channels, kernel_size, stride=1, padding="valid", dilation=1, channels_last=False, bias=True,
                 activation="tanh", recurrent_activation="sigmoid", return_sequences=True, return_state=False, go_backwards=False,
                 dropout=0, recurrent_dropout=0):  # fmt: skip
        super().__init__()
        axes = int(kind[-2])
        self.kernel, self.stride, self.dilation = (spatial(value, axes) for value in (kernel_size, stride, dilation))
        self.weight_ih = nn.Parameter(torch.empty(4 * out_channels, in_channels, *self.kernel))
        self.weight_hh = nn.Parameter(torch.empty(4 * out_channels, out_channels, *self.kernel))
        self.bias = nn.Parameter(torch.empty(4 * out_channels)) if bias else None
        self.same, self.last, self.sequences, self.state, self.backwards = padding == "same", channels_last, return_sequences, return_state, go_backwards
        self.activation, self.gate = torch_recurrent.ACTIVATIONS[activation], torch_recurrent.ACTIVATIONS[recurrent_activation]
        self.convolution = getattr(F, f"conv{axes}d")

    def products(self, x, weight, bias, stride, dilation, same):
        if same:
            x = F.pad(x, same_margins(x, self.kernel, stride, dilation))
        return [self.convolution(x, w, b, stride, 0, dilation) for w, b in zip(weight.chunk(4), [None] * 4 if bias is None else bias.chunk(4))]

    def forward(self, x, *states):
        film = x.movedim(-1, 2) if self.last else x
        once, outputs = [1] * len(self.kernel), []
        for step in film.flip(1).unbind(1) if self.backwards else film.unbind(1):
            given = self.products(step, self.weight_ih, self.bias, self.stride, self.dilation, self.same)
            h, c = states or [torch.zeros_like(given[0])] * 2
            i, f, g, o = (a + b for a, b in zip(given, self.products(h, self.weight_hh, None, once, once, True)))
            c = self.gate(f) * c + self.gate(i) * self.activation(g)
            states = (self.gate(o) * self.activation(c), c)
            outputs.append(states[0])
        results = [torch.stack(outputs, 1) if self.sequences else outputs[-1], *(states if self.state else ())]
        channels = [2 if self.sequences else 1, 1, 1]
        return [y.movedim(axis, -1) if self.last else y for y, axis in zip(results, channels)]


class Projection(nn.Module):
    """A place for a weight and a bias."""

    def __init__(self, rows, columns, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))
        self.bias = nn.Parameter(torch.empty(rows)) if bias else None


class MultiheadAttention(nn.Module):
    """With what Keras's layer has besides, a head at a time. Batches stand first."""

    def __init__(self, embed_dim, num_heads, bias=True, kdim=None, vdim=None, key_dim=None, value_dim=None, output_dim=None, use_gate=False,
                 num_key_value_heads=None, sliding_window=None, use_causal_mask=False, need_weights=True, average_attn_weights=True, dropout=0, batch_first=True):  # fmt: skip
        super().__init__()
        self.heads, self.need_weights, self.average = num_heads, need_weights, average_attn_weights
        self.causal, self.window = use_causal_mask, sliding_window
        size = embed_dim // num_heads
        self.own = num_key_value_heads or num_heads  # of keys and values
        queries, values = (key_dim or size) * num_heads, (value_dim or size) * num_heads
        self.rows = [queries, queries * self.own // num_heads] + [values] * use_gate + [values * self.own // num_heads]
        columns = [embed_dim, kdim or embed_dim, embed_dim, vdim or embed_dim] if use_gate else [embed_dim, kdim or embed_dim, vdim or embed_dim]
        self.packed = not use_gate and {*self.rows, *columns} == {embed_dim}
        names = ["q", "k", "g", "v"] if use_gate else ["q", "k", "v"]
        if self.packed:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        else:
            for name in ("q", "k", "v", "g"):
                if name in names:
                    setattr(self, f"{name}_proj_weight", nn.Parameter(torch.empty(self.rows[names.index(name)], columns[names.index(name)])))
        self.names = names
        self.in_proj_bias = nn.Parameter(torch.empty(sum(self.rows))) if bias else None
        self.out_proj = Projection(output_dim or embed_dim, values, bias)

    def forward(self, query, key, value):
        weights = self.in_proj_weight.split(self.rows) if self.packed else [getattr(self, f"{name}_proj_weight") for name in self.names]
        biases = [0] * len(weights) if self.in_proj_bias is None else self.in_proj_bias.split(self.rows)
        inputs = {"q": query, "k": key, "v": value, "g": query}
        count = {"k": self.own, "v": self.own}
        q, k, v, *g = ([head for head in (inputs[name] @ w.T + b).chunk(count.get(name, self.heads), -1)]
                       for name, w, b in sorted(zip(self.names, weights, biases), key=lambda part: "qkvg".index(part[0])))  # fmt: skip
        i, j = torch.arange(query.shape[1])[:, None], torch.arange(key.shape[1])
        seen = (j <= i if self.causal else torch.tensor(True)) & ((i - j).abs() < self.window if self.window else torch.tensor(True))
        shares = []
        k, v = ([part[head * self.own // self.heads] for head in range(self.heads)] for part in (k, v))
        for head in range(self.heads):
            scores = torch.einsum("bqf,bkf->bqk", q[head], k[head]) / q[head].shape[-1] ** 0.5
            shares.append(torch.softmax(scores.masked_fill(~seen, -torch.inf), -1))
        heads = [share @ values for share, values in zip(shares, v)]
        if g:
            heads = [head * torch.sigmoid(gate) for head, gate in zip(heads, g[0])]
        result = torch.cat(heads, -1) @ self.out_proj.weight.T
        result = result if self.out_proj.bias is None else result + self.out_proj.bias
        shares = torch.stack(shares, 1)
        return (result, shares.mean(1) if self.average else shares) if self.need_weights else result


class Attending(Reference):
    """PyTorch's module, called with settings; without weights it gives none."""

    def __init__(self, layer, call):
        super().__init__(layer)
        self.call = call

    def forward(self, *inputs):
        result, weights = self.layer(*inputs, **self.call)
        return result if weights is None else (result, weights)


KERAS_ATTENTION = {"key_dim", "value_dim", "output_dim", "num_key_value_heads", "use_gate", "sliding_window", "use_causal_mask"}


def multihead_attention(kind, a):
    if KERAS_ATTENTION & set(a):
        return Reference(MultiheadAttention(**a))
    call = {name: a.pop(name) for name in ("need_weights", "average_attn_weights") if name in a}
    return Attending(nn.MultiheadAttention(**a), call)


class Lookup(Reference):
    """Embedding and EmbeddingBag scale their rows down to max_norm in place; here each call starts from the same ones."""

    def forward(self, ids, *others):
        kept = self.layer.weight.detach().clone() if self.layer.max_norm else None
        weights_alone = isinstance(self.layer, nn.EmbeddingBag) and ids.dim() == 2 and others
        y = self.layer(ids, None, *others) if weights_alone else self.layer(ids, *others)
        if kept is not None:
            self.layer.weight.data.copy_(kept)
        return y


# What is put together here, or cannot be exported: it takes constant tensors, or PyTorch reads beyond inputs of sizes that do not
# fit, which the exporter tries, or it does nothing to a tensor that is in order.
COMPOSED = {"_weight_norm", "contiguous", "Dot", "SoftmaxOverAxes", "SparsePlus", "SparseSigmoid", "Sparsemax", "Squareplus", "Average", "Cbrt", "RepeatVector", "cond", "getitem", "index_select", "masked_fill", "take_along_dim", "where"}
COMPOSED_ARGUMENTS = {"aligned_at_batch", "initial", "steps_first"}


# What is put together here in another order of sums and products than it is computed in. All else has its bits.
INEXACT = ("LSTM", "GRU", "RNN", "ConvTranspose*", "Resizing", "CenterCrop", "einsum", "Dot")


def is_inexact(kind, attributes):
    own_cubic = attributes.get("mode") == "cubic"  # Keras's, which the reference adds up in an order of its own
    own_convolution = kind.startswith("ConvLSTM")  # a gate at a time
    own_attention = kind == "MultiheadAttention" and KERAS_ATTENTION & set(attributes)
    return own_cubic or own_convolution or own_attention or any(fnmatch.fnmatchcase(kind, pattern) for pattern in INEXACT)


def is_alone(kind, a):
    """Whether PyTorch says it by a function of its own."""
    of_a_constant = kind in ("div", "floor_divide") and "self" in a or "boundaries" in a
    of_numbers = kind in ("arange", "zeros", "ones", "full") and not any("batch" in str(value) for value in a.values())  # a constant
    reordered = kind == "einsum" and a["equation"].count(",") > 1  # PyTorch's Python chooses the order of the products
    of_sizes = kind == "cross" and "dim" not in a  # the first axis of three elements may be the batch
    of_keras = of_sizes or kind == "one_hot" and "dtype" in a or kind == "prod" and isinstance(a.get("dim"), list) or kind.startswith("cum") and a["dim"] is None
    return not of_keras and not of_numbers and kind not in COMPOSED and not COMPOSED_ARGUMENTS & set(a) and not of_a_constant and not reordered and a.get("mode") != "symmetric"


def function(kind):
    """PyTorch's function of that name, whose arguments are the attributes; None for a module."""
    if kind in FUNCTIONS:
        return FUNCTIONS[kind]
    return next((getattr(home, kind) for home in (torch, F, torch.Tensor) if hasattr(home, kind)), None) if kind.islower() else None


def einsum_dense(kind, a):
    activation = a.pop("activation", None)
    return Reference(EinsumDense(**a), after=ACTIVATIONS[activation] if activation else lambda y: y)


def rescaling(kind, a):
    axis = a.get("axis", -1)
    return Function(lambda x: x * along(axis, a["scale"], x) + along(axis, a.get("offset", 0.0), x))


def scaled_by_deviation(kind, a):
    dims, eps = tuple(range(-len(a["normalized_shape"]), 0)), a.get("eps", 1e-5)
    scaled = lambda x: x * torch.rsqrt(x.var(dims, correction=0, keepdim=True) + eps)
    return Reference(Scaled(a["normalized_shape"], scaled)) if a.get("elementwise_affine", True) else Function(scaled)


def shuffled(kind, a):
    a.pop("blocks_first")
    return Function(lambda x: shuffled_blocks(kind, x, *a.values()))


def unchanged(kind, a):
    return Function(lambda x: x)


def always(exact):
    return lambda a: exact


# What is not just a function or a module of its name: by a pattern of names and, maybe, a setting that has to be there, how it is
# made, and whether PyTorch says it by one module or function. The first that fits.
COMPOSITIONS = [
    ("Cropping*", None, cropping, always(False)),
    ("Embedding*", None, lambda kind, a: Lookup(getattr(nn, kind)(**a)), lambda a: not a.get("max_norm")),
    ("Pixel*", "blocks_first", shuffled, always(False)),
    ("MaxUnpool*", None, lambda kind, a: Unpool(kind, **a), always(True)),
    ("EinsumDense", None, einsum_dense, always(False)),
    ("ConvLSTM*", None, lambda kind, a: Reference(ConvLSTM(kind, **a)), always(False)),
    ("MultiheadAttention", None, multihead_attention, lambda a: not KERAS_ATTENTION & set(a)),
    ("*Attention", None, lambda kind, a: Reference(Attention(kind, **a)), always(False)),
    ("Parameter", None, lambda kind, a: OwnTensor(kind, **a), always(True)),
    ("Buffer", None, lambda kind, a: OwnTensor(kind, **a), always(True)),
    ("PReLU", "weight_shape", lambda kind, a: Reference(ShapedPReLU(**a)), always(False)),
    *(("ReLU", name, lambda kind, a: Function(keras_relu(**a)), always(False)) for name in ("max_value", "negative_slope", "threshold")),
    ("Flatten", "channels_last_order", lambda kind, a: Reference(nn.Flatten(), before=lambda x: x.movedim(1, -1)), always(False)),
    *((name, None, unchanged, always(False)) for name in NOISE),
    ("*", "noise_shape", unchanged, always(False)),
    ("Normalization", None, lambda kind, a: Reference(Normalization(**a)), always(False)),
    ("Rescaling", None, rescaling, always(False)),
    ("Upsampl*", None, upsample, lambda a: a.get("mode") != "cubic"),
    ("Resizing", None, lambda kind, a: Function(resizing(**a)), always(False)),
    ("CenterCrop", None, lambda kind, a: Function(center_crop(**a)), always(False)),
    ("*", "rms_scaling", scaled_by_deviation, always(False)),
]
RECURRENT = ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "StackedRNNCells")


def reference(kind, attributes):
    if is_open(list(attributes.values())):
        at = lambda batch: reference(kind, {name: at_batch(value, batch) for name, value in attributes.items()})
        return Function(lambda *xs: at(len(xs[0]))[0](*xs)), bool(function(kind)) and is_alone(kind, attributes)
    a = dict(attributes)
    if kind in RECURRENT:
        return torch_recurrent.reference(kind, a)
    for pattern, setting, make, is_exact in COMPOSITIONS:
        if fnmatch.fnmatchcase(kind, pattern) and (setting is None or a.get(setting)):
            exact = is_exact(a)
            return make(kind, a), exact
    if found := function(kind):
        return Function(lambda *xs: found(*xs, **a)), is_alone(kind, a)
    return of_module(kind, a)


def of_module(kind, a):
    """PyTorch's module, with what only Keras's layer of its kind has besides around it."""
    activation = a.pop("activation", None)
    keepdims = a.pop("keepdims", True)
    dropped = [] if a.pop("scale", True) else ["weight"]
    channels = a.pop("axis", None)
    axes = a.pop("axes", None)
    module, exact = windowed(kind, a) if "kernel_size" in a and kind not in ("Unfold", "Fold") else (Reference(getattr(nn, kind)(**a)), True)
    for name in dropped:
        setattr(module.layer, name, None)
    if channels:
        module.before, module.after = lambda x: x.movedim(channels, 1), lambda x: x.movedim(1, channels)
    if axes:
        last = list(range(-len(axes), 0))
        module.before, module.after = lambda x: x.movedim(axes, last), lambda x: x.movedim(last, axes)
    if activation:
        module.after = ACTIVATIONS[activation]
    if not keepdims:
        module.after = lambda x: x.flatten(1)
    return module, exact and not (activation or dropped or channels or axes) and keepdims


def randomised(module):
    """With all parameters and statistics drawn at random; none of them where it would do nothing."""
    for name, tensor in module.state_dict().items():
        if name.endswith(("running_var", "variance")):
            tensor.uniform_(0.5, 2)
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(12345)
        elif tensor.is_floating_point():
            tensor.normal_().mul_(0.5).add_(0.1)
    return module.eval()
