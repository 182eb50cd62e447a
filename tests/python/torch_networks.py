"""PyTorch networks that people write, with random weights: what the tests in Python convert."""

from dataclasses import dataclass
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import nn

import mtcnn_networks


class MyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 5)
        self.fc2 = nn.Linear(5, 1)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class TheModelClass(nn.Module):
    """The network of PyTorch's tutorial on saving and loading models."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class SmallResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(8, 8, 1), BasicBlock(8, 8, 1))
        self.layer2 = nn.Sequential(BasicBlock(8, 12, 2), BasicBlock(12, 12, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(12, 7)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class SmallVgg(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 3
        for width in (6, "M", 8, 8, "M"):
            if width == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(True)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * 4 * 5, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 6), nn.Softmax(dim=1)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


class Fire(nn.Module):
    def __init__(self, inputs, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SmallSqueezeNet(nn.Module):
    """Concatenation, pooling with ceil_mode over a padded rim, and a fully convolutional head."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), Fire(8, 4, 6), Fire(12, 4, 6),
            nn.MaxPool2d(2, 2, ceil_mode=True),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(12, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)))

    def forward(self, x):
        return torch.flatten(self.classifier(self.features(x)), 1)


class TwoInTwoOut(nn.Module):
    """An image and a vector in; a class and a map out, by name."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.head = nn.Conv2d(6, 2, 1)
        self.encode = nn.Linear(4, 5)
        self.classify = nn.Linear(6 * 3 * 4 + 5, 3)

    def forward(self, image, vector):
        features = F.elu(self.bn(self.conv(image)))
        pooled = F.avg_pool2d(features, 2).flatten(1)
        encoded = torch.tanh(self.encode(vector))
        return {"label": self.classify(torch.cat([pooled, encoded], dim=1)), "map": torch.sigmoid(self.head(features))}


class Siamese(nn.Module):
    """Layers that are called twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 5, 3)
        self.act = nn.PReLU(5)
        self.fc = nn.Linear(5 * 6 * 4, 8)
        self.compare = nn.Linear(16, 1)

    def embed(self, x):
        return self.fc(torch.flatten(F.max_pool2d(self.act(self.conv(x)), 2), 1))

    def forward(self, left, right):
        return self.compare(torch.cat([self.embed(left), self.embed(right)], 1))


class GroupedConvolutions(nn.Module):
    """MobileNet's blocks: depthwise and grouped convolutions, ReLU6, a residual, dilation, rectangular kernels."""

    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, (3, 5), padding=(1, 2), groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.project = nn.Sequential(nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4, affine=False))
        self.grouped = nn.Conv2d(4, 6, 3, dilation=2, groups=2)

    def forward(self, x):
        return self.grouped(x + self.project(self.depthwise(self.expand(x))))


class Waveform(nn.Module):
    """One-dimensional convolutions."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(2, 6, 5, stride=2, padding=2), nn.BatchNorm1d(6), nn.LeakyReLU(0.2), nn.MaxPool1d(2), nn.Conv1d(6, 4, 3)
        )
        self.head = nn.Linear(4 * 6, 3)

    def forward(self, x):
        return F.log_softmax(self.head(self.encoder(x).flatten(1)), dim=1)


def _mtcnn(name):
    def build():
        return getattr(mtcnn_networks.load(), name)(pretrained=True)

    return build


def _randomise(module):
    """Random weights that keep the signal's size, and batch statistics as training leaves them."""
    generator = torch.Generator().manual_seed(20)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.is_floating_point():
                tensor.copy_(torch.randint(1, 1000, tensor.shape, generator=generator))
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.ndim > 1:
                tensor.copy_(noise * (2 / tensor[0].numel()) ** 0.5)
            elif name.endswith("running_var"):
                tensor.copy_(0.5 + noise.abs())
            else:
                is_scale = name.endswith("weight")
                tensor.copy_(0.2 * noise + (1 if is_scale else 0))


@dataclass(frozen=True)
class Network:
    name: str
    build: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    tolerance: float = 1e-5  # of the largest reference value
    random_weights: bool = True
    permutes: int = 0  # that Keras's model needs
    options: tuple[str, ...] = ()  # of the conversion
    more_shapes: tuple[tuple[tuple[int, ...], ...], ...] = ()  # that the network takes, besides the exported ones

    def module(self):
        torch.manual_seed(1)
        module = self.build()
        if self.random_weights:
            _randomise(module)
        return module.eval()


def inputs_of(shapes, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def outputs_by_name(result) -> dict[str, Any]:
    """What a network gives, under the names that `h5bridge run` writes for a PyTorch model."""
    if isinstance(result, dict):
        return result
    results = result if isinstance(result, (tuple, list)) else (result,)
    return {"output" if i == 0 else f"output_{i}": value for i, value in enumerate(results)}


NETWORKS = [
    Network("my_model", MyModel, ((4, 10),)),
    Network("lenet", TheModelClass, ((4, 3, 32, 32),)),
    Network("pnet", _mtcnn("PNet"), ((2, 3, 36, 37),), random_weights=False, more_shapes=(((1, 3, 12, 12),), ((1, 3, 45, 64),))),
    Network("rnet", _mtcnn("RNet"), ((2, 3, 24, 24),), random_weights=False),
    Network("onet", _mtcnn("ONet"), ((2, 3, 48, 48),), random_weights=False),
    Network("resnet", SmallResNet, ((2, 3, 37, 41),), tolerance=1e-4, more_shapes=(((1, 3, 64, 50),),)),
    Network("vgg", SmallVgg, ((2, 3, 16, 20),)),
    Network("squeezenet", SmallSqueezeNet, ((2, 3, 38, 35),), tolerance=1e-4),
    Network("two_in_two_out", TwoInTwoOut, ((2, 3, 6, 8), (2, 4)), permutes=1),  # a flatten that is concatenated
    Network("siamese", Siamese, ((3, 2, 14, 10), (3, 2, 14, 10))),
    Network("mobile", GroupedConvolutions, ((2, 4, 9, 11),)),
    Network("waveform", Waveform, ((3, 2, 32),)),
]
