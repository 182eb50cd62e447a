"""A network whose modules use parameters, buffers and constants of their own, beside the layers of torch.nn."""

import numpy as np
import torch
from torch import nn

from keras_helpers import assert_close, keras, keras_layout, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state, export_architecture

pytestmark = needs_program
MEAN = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)


class Block(nn.Module):
    """As ConvNeXt has it: a scale for each channel, which the network trains."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.GroupNorm(2, channels)
        self.gamma = nn.Parameter(torch.randn(channels, 1, 1))
        self.register_buffer("shift", torch.randn(1, channels, 1, 1))

    def forward(self, x):
        return x + self.gamma * torch.relu(self.norm(self.conv(x))) + self.shift


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.blocks = nn.Sequential(Block(8), Block(8))
        self.fc = nn.Linear(8 * 6 * 7, 5)
        self.temperature = nn.Parameter(torch.tensor(1.7))

    def forward(self, x):
        return self.fc(self.blocks(self.stem((x - MEAN) / 2.5)).flatten(1)) * self.temperature


@needs_libtorch
def test_there_and_back(tmp_path):
    torch.manual_seed(3)
    network, x = Network().eval(), torch.randn(3, 3, 8, 9)
    with torch.no_grad():
        expected = network(x).numpy()
    export_architecture(network, x, tmp_path / "m.json")
    torch.save(network.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5")

    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert not any(isinstance(layer, keras.layers.Permute) for layer in model.layers)
    assert [w.path.split("/")[0] for w in model.trainable_weights].count("blocks_0_gamma") == 1
    assert "blocks_0_shift" in [w.path.split("/")[0] for w in model.non_trainable_weights]
    assert_close(predict(model, [keras_layout(x.numpy())])[0], expected, 1e-5)

    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    assert_same_state(torch.load(tmp_path / "back.pth"), network.state_dict())

    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", tmp_path / "m.h5", "--input", tmp_path / "x.npy", "--input-layout", "torch", "-o", tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").tobytes() == expected.tobytes()
