"""The PyTorch networks of testdata/. Their files, made by make_pytorch.py, lie in the folder that each docstring names."""

import torch
from torch import nn
from torch.nn import functional as F


class MyModel(nn.Module):
    """my_model: two dense layers, as in many a first tutorial."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 5)
        self.fc2 = nn.Linear(5, 1)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class TheModelClass(nn.Module):
    """the_model_class: the network of PyTorch's tutorial on saving and loading."""

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


class FaceNet(nn.Module):
    """face_net: batch norm, PReLU, a pool in ceil mode, width before height in the flatten, two outputs."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.PReLU(12), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(12, 16, 3, bias=False), nn.BatchNorm2d(16, eps=1e-3, momentum=0.01), nn.PReLU(16), nn.MaxPool2d(2, 2, ceil_mode=True),
        )  # fmt: skip
        self.dense = nn.Linear(16 * 5 * 5, 24)
        self.prelu = nn.PReLU(24)
        self.score = nn.Linear(24, 2)
        self.box = nn.Linear(24, 4)

    def forward(self, x):
        x = self.features(x).permute(0, 3, 2, 1).contiguous()
        x = self.prelu(self.dense(x.view(x.shape[0], -1)))
        return self.box(x), F.softmax(self.score(x), dim=1)


class ScanNet(nn.Module):
    """scan_net: fully convolutional, for images of any size, two outputs."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.prelu1 = nn.PReLU(8)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(12)
        self.score = nn.Conv2d(12, 2, 1)
        self.box = nn.Conv2d(12, 4, 1)

    def forward(self, x):
        x = self.pool1(self.prelu1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.box(x), F.softmax(self.score(x), dim=1)


class DigitsNet(nn.Module):
    """digits: reads the handwritten digits of scikit-learn, 8 x 8 pixels each. Trained; tools/demo converts it."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 4 * 4, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.pool(F.relu(self.bn2(self.conv2(x))))
        x = self.dropout(torch.flatten(x, 1))
        return self.fc2(F.relu(self.fc1(x)))
