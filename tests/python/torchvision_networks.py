"""ResNet-50, MobileNetV2, VGG-16 and U-Nets, built as torchvision (and the U-Nets' many authors) build them."""

import torch
import torch.nn.functional as F
from torch import nn

from torch_networks import Network


def conv_bn(inputs, outputs, kernel_size, stride=1, groups=1):
    convolution = nn.Conv2d(inputs, outputs, kernel_size, stride, padding=kernel_size // 2, groups=groups, bias=False)
    return convolution, nn.BatchNorm2d(outputs)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(inputs, width, 1)
        self.conv2, self.bn2 = conv_bn(width, width, 3, stride)
        self.conv3, self.bn3 = conv_bn(width, 4 * width, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(*conv_bn(inputs, 4 * width, 1, stride))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += identity
        return self.relu(out)


class ResNet50(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(3, 64, 7, 2)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        inputs = 64
        for i, (width, blocks, stride) in enumerate(((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)), start=1):
            stage = [Bottleneck(inputs, width, stride)]
            inputs = 4 * width
            stage += [Bottleneck(inputs, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{i}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class ConvBNReLU(nn.Sequential):
    def __init__(self, inputs, outputs, kernel_size=3, stride=1, groups=1):
        super().__init__(*conv_bn(inputs, outputs, kernel_size, stride, groups), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        self.use_res_connect = stride == 1 and inputs == outputs
        layers = [] if expansion == 1 else [ConvBNReLU(inputs, hidden, kernel_size=1)]
        layers += [ConvBNReLU(hidden, hidden, stride=stride, groups=hidden), *conv_bn(hidden, outputs, 1)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        inputs, features = 32, [ConvBNReLU(3, 32, stride=2)]
        for expansion, outputs, blocks, stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for i in range(blocks):
                features.append(InvertedResidual(inputs, outputs, stride if i == 0 else 1, expansion))
                inputs = outputs
        features.append(ConvBNReLU(inputs, 1280, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean([2, 3]))


class VGG16(nn.Module):
    """With a smaller classifier than the paper's, which is 120 million weights of nothing new."""

    def __init__(self, hidden=64, classes=100):
        super().__init__()
        inputs, features = 3, []
        for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"):
            if width == "M":
                features.append(nn.MaxPool2d(kernel_size=2, stride=2))
            else:
                features += [nn.Conv2d(inputs, width, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                inputs = width
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, hidden), nn.ReLU(True), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(),
            nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def double_conv(inputs, outputs):
    return nn.Sequential(*conv_bn(inputs, outputs, 3), nn.ReLU(inplace=True), *conv_bn(outputs, outputs, 3), nn.ReLU(inplace=True))


class UNet(nn.Module):
    """Down by pooling, up by transposed convolutions, the same sizes joined along the channels."""

    WIDTHS = (16, 32, 64, 128)

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.downs = nn.ModuleList(double_conv(a, b) for a, b in zip((3, *self.WIDTHS), self.WIDTHS))
        steps = list(zip(self.WIDTHS[:0:-1], self.WIDTHS[-2::-1]))
        self.ups = nn.ModuleList(self.up(a, b) for a, b in steps)
        self.convs = nn.ModuleList(double_conv(2 * b, b) for _, b in steps)
        self.head = nn.Conv2d(self.WIDTHS[0], 2, kernel_size=1)

    def up(self, inputs, outputs):
        return nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)

    def enlarge(self, up, x, like):
        return up(x)

    def forward(self, x):
        skips = []
        for down in self.downs:
            x = down(x if not skips else self.pool(x))
            skips.append(x)
        for up, conv, skip in zip(self.ups, self.convs, skips[-2::-1]):
            x = conv(torch.cat([skip, self.enlarge(up, x, skip)], dim=1))
        return self.head(x)


class PaddedUNet(UNet):
    """For any size of picture: what pooling rounded down is padded."""

    def enlarge(self, up, x, like):
        x = up(x)
        rows, columns = like.size(2) - x.size(2), like.size(3) - x.size(3)
        return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])


class ResizedUNet(UNet):
    """For any size of picture, too: up by interpolation to the size of what is joined."""

    def up(self, inputs, outputs):
        return nn.Conv2d(inputs, outputs, kernel_size=1)

    def enlarge(self, up, x, like):
        return up(F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False))


FIXED = ("--fix-size", "height=43", "--fix-size", "width=29")  # Keras pads and resizes by numbers alone

TORCHVISION_NETWORKS = [
    Network("resnet50", ResNet50, ((2, 3, 64, 48),), more_shapes=(((1, 3, 33, 70),),)),
    Network("mobilenet_v2", MobileNetV2, ((2, 3, 64, 48),), more_shapes=(((1, 3, 33, 70),),)),
    Network("vgg16", VGG16, ((2, 3, 64, 48),), more_shapes=(((1, 3, 33, 70),),)),
    Network("unet", UNet, ((2, 3, 40, 24),)),
    Network("unet_padded", PaddedUNet, ((2, 3, 43, 29),), options=FIXED),
    Network("unet_resized", ResizedUNet, ((2, 3, 43, 29),), options=FIXED),
]
