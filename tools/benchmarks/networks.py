"""What prediction is measured with, as PyTorch has it, with random weights and statistics."""

import sys

import torch
from torch import nn

from turns import ROOT

sys.path.append(str(ROOT / "tests" / "python"))
from torchvision_networks import VGG16, MobileNetV2, ResNet50, UNet  # noqa: E402


class LSTMClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 128, num_layers=2, batch_first=True)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class BertMini(nn.Module):
    """Four layers of 256, as the smallest of the published ones that are of use (Turc et al. 2019, BERT-mini)."""

    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(30522, 256), nn.Embedding(128, 256)
        self.norm = nn.LayerNorm(256)
        layer = nn.TransformerEncoderLayer(256, 4, 1024, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.classifier = nn.Linear(256, 2)

    def forward(self, ids):
        x = self.norm(self.tokens(ids) + self.positions.weight)
        return self.classifier(self.encoder(x)[:, 0])


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))))


def _convolution(inputs, outputs, kernel_size, stride=1, groups=1, activation=True):
    layers = [nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.SiLU()] if activation else []))


class MBConv(nn.Module):
    """Tan and Le 2019, EfficientNet."""

    def __init__(self, inputs, outputs, kernel_size, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        layers = [_convolution(inputs, wide, 1)] if expansion != 1 else []
        layers += [_convolution(wide, wide, kernel_size, stride, wide), SqueezeExcitation(wide, max(1, inputs // 4))]
        self.block = nn.Sequential(*layers, _convolution(wide, outputs, 1, activation=False))
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.is_residual else self.block(x)


class EfficientNetB0(nn.Module):
    # expansion, kernel size, stride, inputs, outputs, repeats
    STAGES = [(1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
              (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1)]  # fmt: skip

    def __init__(self):
        super().__init__()
        layers = [_convolution(3, 32, 3, 2)]
        for expansion, kernel_size, stride, inputs, outputs, repeats in self.STAGES:
            for i in range(repeats):
                layers.append(MBConv(inputs if i == 0 else outputs, outputs, kernel_size, stride if i == 0 else 1, expansion))
        self.features = nn.Sequential(*layers, _convolution(320, 1280, 1))
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


IMAGE = (3, 224, 224)
# How each is made, and one of its inputs without the batch; of ids, below how many they are.
NETWORKS = {"MLP": (mlp, (64,), None), "LSTM": (LSTMClassifier, (50, 64), None), "BERT-mini": (BertMini, (128,), 30522),
            "MobileNetV2": (MobileNetV2, IMAGE, None), "EfficientNetB0": (EfficientNetB0, IMAGE, None), "ResNet-50": (ResNet50, IMAGE, None),
            "U-Net": (UNet, (3, 128, 128), None), "VGG-16": (VGG16, IMAGE, None)}  # fmt: skip
# Where what surrounds the arithmetic weighs most, at batch 1.
LIGHT = {"MLP", "LSTM", "MobileNetV2", "EfficientNetB0", "BERT-mini"}


def build(name):
    """With statistics of normalisations that are not those of a new network."""
    torch.manual_seed(0)
    module = NETWORKS[name][0]().eval()
    for each in module.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(each.running_var, 0.5, 1.5)
            nn.init.normal_(each.running_mean, std=0.1)
    return module


def example(name, batch):
    _, shape, below = NETWORKS[name]
    torch.manual_seed(batch)
    return torch.randn(batch, *shape) if below is None else torch.randint(below, (batch, *shape))
