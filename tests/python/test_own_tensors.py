"""Networks whose modules use parameters, buffers and constants of their own, beside the layers of torch.nn, and whose state_dict
has names that are no layer's."""

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import as_keras_has_it, assert_close, keras, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state, export_architecture
from torch_layers import randomised

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


class Indices(nn.Module):
    """Buffers that are no weights in Keras: integers, truth values, and what is in no state_dict."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 5)
        self.register_buffer("order", torch.tensor([4, 0, 2, 2]))
        self.register_buffer("hidden", torch.tensor([[True, False, False, True]]))
        self.register_buffer("counts", torch.tensor([[3], [1]], dtype=torch.int32))
        self.register_buffer("causal", torch.full((4, 4), float("-inf")).triu(1), persistent=False)

    def forward(self, x):
        y = self.fc(x)[:, :, self.order].masked_fill(self.hidden, 0.25) * self.counts
        return torch.softmax(y.transpose(1, 2) @ y + self.causal, -1)


class OtherNames(nn.Module):
    """As in a TCN: layers under their own names and in a Sequential, of which forward calls one; and a layer for training alone."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(3, 4, 2)
        self.norm1 = nn.BatchNorm1d(4)
        self.net = nn.Sequential(self.conv1, self.norm1, nn.ReLU())
        self.auxiliary = nn.Linear(4, 2)
        self.twin = self.net

    def forward(self, x):
        return self.twin(x)


class Positions(nn.Module):
    """Constants that functions make of numbers alone: positions, of which a layer takes their embeddings, and a mask."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.mix = nn.Linear(4, 4)

    def forward(self, x):
        y = self.mix(x) + self.embed(torch.arange(5, device=x.device))
        hidden = torch.tril(torch.ones(5, 5)) == 0
        return torch.softmax((y @ y.mT).masked_fill(hidden, float("-inf")), -1) @ x + torch.eye(4)[1] * torch.linspace(0, 1, 4)


class Tables(nn.Module):
    """Attention along a long sequence: tables of more elements than a list in the JSON should have, in the state_dict or not."""

    def __init__(self, length=300):
        super().__init__()
        offsets = torch.arange(length)[:, None] - torch.arange(length)
        self.fc = nn.Linear(4, 6)
        self.bias = nn.Embedding(8, 1)
        self.register_buffer("hidden", offsets < 0)
        self.register_buffer("distances", offsets.abs().clamp(max=7), persistent=False)
        self.register_buffer("decay", torch.exp(-offsets.abs() / 50), persistent=False)

    def forward(self, x):
        queries, keys = self.fc(x).chunk(2, -1)
        scores = queries @ keys.mT * self.decay + self.bias(self.distances).squeeze(-1)
        return torch.softmax(scores.masked_fill(self.hidden, float("-inf")), -1) @ x


class Pairs(nn.Module):
    """Some pairs of features' products, as recommenders have them."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(5, 12)
        self.top = nn.Linear(3, 2)

    def forward(self, x):
        y = self.fc(x).view(-1, 3, 4)
        return self.top(torch.bmm(y, y.mT)[:, [1, 2, 2], [0, 0, 1]])


NETWORKS = {
    "own_weights": (Network, lambda: torch.randn(3, 3, 8, 9)),
    "indices": (Indices, lambda: torch.randn(3, 2, 6)),
    "positions": (Positions, lambda: torch.randn(3, 5, 4)),
    "tables": (Tables, lambda: torch.randn(2, 300, 4)),
    "pairs": (Pairs, lambda: torch.randn(4, 5)),
    "other_names": (OtherNames, lambda: torch.randn(3, 3, 7)),
}


@pytest.fixture(params=NETWORKS)
def converted(request, tmp_path):
    torch.manual_seed(3)
    build, example = NETWORKS[request.param]
    network, x = randomised(build()).eval(), example()
    export_architecture(network, x, tmp_path / "m.json")
    torch.save(network.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5")
    with torch.no_grad():
        return tmp_path, network, x, network(x).numpy()


def test_keras_predicts_what_pytorch_does(converted):
    folder, network, x, expected = converted
    model = keras.models.load_model(folder / "m.h5", compile=False)
    found = predict(model, [as_keras_has_it(x.numpy(), model.inputs[0].shape)])[0]
    assert_close(as_keras_has_it(expected, found.shape), found, 1e-5)
    model.save(folder / "saved.h5")
    h5bridge("convert", folder / "m.json", folder / "saved.h5", "-o", folder / "home.pth")
    home, state = torch.load(folder / "home.pth"), network.state_dict()
    unused = {name for name in state if name.startswith("auxiliary")}  # Keras never had them, nor the counts
    assert set(home) == set(state) - unused
    assert all(torch.equal(tensor, state[name]) for name, tensor in home.items() if not name.endswith("num_batches_tracked"))


def test_every_tensor_comes_home(converted):
    folder, network, _, _ = converted
    h5bridge("convert", folder / "m.h5", "-o", folder / "back.pth")
    assert_same_state(torch.load(folder / "back.pth"), network.state_dict())
    h5bridge("validate", folder / "m.h5")


@needs_libtorch
@pytest.mark.parametrize("sources", [["m.h5"], ["m.json", "m.pth"]], ids=["h5", "pth"])
def test_libtorch_gives_pytorchs_bits(converted, sources):
    folder, _, x, expected = converted
    np.save(folder / "x.npy", x.numpy())
    h5bridge("run", *[folder / source for source in sources], "--input", folder / "x.npy", "--input-layout", "torch", "-o", folder / "y.npy")
    assert np.load(folder / "y.npy").tobytes() == expected.tobytes()


def test_own_weights_are_keras_s_weights(tmp_path):
    network = Network().eval()
    export_architecture(network, torch.randn(3, 3, 8, 9), tmp_path / "m.json")
    torch.save(network.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5")
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert not any(isinstance(layer, keras.layers.Permute) for layer in model.layers)
    assert [w.path.split("/")[0] for w in model.trainable_weights].count("blocks_0_gamma") == 1
    assert "blocks_0_shift" in [w.path.split("/")[0] for w in model.non_trainable_weights]


class Nothing(nn.Module):
    def __init__(self):
        super().__init__()
        self.none, self.dense = nn.Parameter(torch.zeros(0)), nn.Linear(4, 4)

    def forward(self, x):
        return self.dense(x) + self.none.sum()


def test_a_weight_of_no_elements_is_none_of_keras_s(tmp_path):
    export_architecture(Nothing(), torch.zeros(2, 4), tmp_path / "m.json")
    torch.save(Nothing().state_dict(), tmp_path / "m.pth")
    message = h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", status=4)
    assert '"none" (Parameter)' in message and "has no elements" in message


def test_a_constant_that_is_another_in_the_state_dict_is_refused(tmp_path):
    network = Indices().eval()
    export_architecture(network, torch.randn(3, 2, 6), tmp_path / "m.json")
    torch.save(network.state_dict() | {"order": torch.tensor([1, 0, 2, 2])}, tmp_path / "m.pth")
    message = h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", status=3)
    assert "the tensor order is not what the architecture has" in message


def test_a_file_of_ours_tells_its_data_format_where_no_layer_does(tmp_path):
    network = nn.Sequential(nn.PReLU(5), nn.InstanceNorm2d(5, affine=True)).eval()
    randomised(network)
    export_architecture(network, torch.randn(2, 5, 4, 3), tmp_path / "m.json")
    torch.save(network.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", "--data-format", "channels_first")
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    assert_same_state(torch.load(tmp_path / "back.pth"), network.state_dict())
