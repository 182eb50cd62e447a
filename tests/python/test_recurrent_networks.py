"""Recurrent networks written in torch.nn, exported, to Keras and back: the same predictions, every bit, and the optimizer's state."""

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, keras, optimizer_of, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state, export_architecture

pytestmark = needs_program
WORDS, TAGS = 40, 7


class Tagger(nn.Module):
    """A tag for each word, and what the sentence leaves behind."""

    def __init__(self, kind, batch_first=True):
        super().__init__()
        self.embed = nn.Embedding(WORDS, 12, padding_idx=0)
        self.drop = nn.Dropout(0.2)
        self.rnn = kind(12, 9, num_layers=2, bidirectional=True, dropout=0.3, batch_first=batch_first)
        self.norm = nn.LayerNorm(18)
        self.tag = nn.Linear(18, TAGS)

    def forward(self, ids):
        words = self.drop(self.embed(ids))
        features, state = self.rnn(words)
        hidden = state[0] if isinstance(state, tuple) else state
        return {"tags": torch.log_softmax(self.tag(self.norm(features)), dim=-1), "hidden": hidden}


class Decoder(nn.Module):
    """A sequence that begins where another one ended."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(5, 6, batch_first=True)
        self.decoder = nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, source, target):
        _, (h, c) = self.encoder(source)
        return {"y": self.head(self.decoder(target, (h, c))[0])}


def ids(*shape):
    return torch.randint(WORDS, shape)


NETWORKS = {
    "LSTM tagger": (lambda: Tagger(nn.LSTM), lambda batch, length: [ids(batch, length)]),
    "GRU tagger, time first": (lambda: Tagger(nn.GRU, batch_first=False), lambda batch, length: [ids(length, batch)]),
    "decoder": (Decoder, lambda batch, length: [torch.randn(batch, length, 5), torch.randn(batch, length + 1, 4)]),
}


class Converted:
    def __init__(self, name, folder):
        torch.manual_seed(7)
        make, self.inputs_of = NETWORKS[name]
        self.folder, self.module = folder, make().eval()
        example = self.inputs_of(3, 8)
        export_architecture(self.module, example, folder / "m.json")
        torch.save(self.module.state_dict(), folder / "m.pth")
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
        self.keras = keras.models.load_model(folder / "m.h5", compile=False)

    def expected(self, inputs):
        with torch.no_grad():
            return {name: y.numpy() for name, y in self.module(*inputs).items()}


@pytest.fixture(scope="module", params=NETWORKS)
def converted(request, tmp_path_factory):
    return Converted(request.param, tmp_path_factory.mktemp("network"))


@pytest.mark.parametrize("batch, length", [(3, 8), (1, 1), (4, 13)])
def test_keras_predicts_what_pytorch_does(converted, batch, length):
    inputs = converted.inputs_of(batch, length)
    found = predict(converted.keras, [x.numpy() for x in inputs])
    for name, expected in converted.expected(inputs).items():
        assert_close(found[name], expected, 1e-5, name)


def test_every_bit_comes_home(converted):
    folder = converted.folder
    h5bridge("convert", folder / "m.h5", "-o", folder / "back.pth")
    assert_same_state(torch.load(folder / "back.pth"), converted.module.state_dict())


@needs_libtorch
@pytest.mark.parametrize("sources", [["m.h5"], ["m.json", "m.pth"]], ids=["h5", "pth"])
def test_libtorch_gives_pytorchs_bits(converted, sources):
    inputs = converted.inputs_of(4, 9)
    names = [x.name for x in converted.keras.inputs]
    np.savez(converted.folder / "x.npz", **{name: x.numpy() for name, x in zip(names, inputs)})
    h5bridge("run", *[converted.folder / source for source in sources], "--input", converted.folder / "x.npz", "-o", converted.folder / "y.npz")
    found = np.load(converted.folder / "y.npz")
    for (name, expected), array in zip(converted.expected(inputs).items(), found.values()):
        assert array.shape == expected.shape and array.tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("make", [lambda p: torch.optim.Adam(p, 0.01), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)], ids=["Adam", "SGD"])
def test_the_optimizers_state_comes_home(make, tmp_path):
    """Keras has one bias where PyTorch has two, which have the same gradient."""
    torch.manual_seed(3)
    model = Tagger(nn.LSTM)
    optimizer = make(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        model(ids(4, 6))["tags"].square().mean().backward()
        optimizer.step()
    model.eval()
    export_architecture(model, [ids(3, 8)], tmp_path / "m.json")
    torch.save({"epoch": 2, "loss": 0.5, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, tmp_path / "c.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "c.pth", "-o", tmp_path / "m.h5")
    slots = [name for name in optimizer_of(tmp_path / "m.h5") if "lstm_cell_bias" in name]
    assert len(slots) == (8 if isinstance(optimizer, torch.optim.Adam) else 4)
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth", "--checkpoint")
    back = torch.load(tmp_path / "back.pth")["optimizer_state_dict"]
    for index, state in optimizer.state_dict()["state"].items():
        for slot, value in state.items():
            assert torch.equal(back["state"][index][slot], value), (index, slot)


def test_biases_with_states_of_their_own_are_refused(tmp_path):
    model = nn.Sequential(nn.LSTM(3, 2, batch_first=True))
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = model[0]

        def forward(self, x):
            return self.lstm(x)[0]

    net = Net().eval()
    export_architecture(net, [torch.randn(2, 4, 3)], tmp_path / "m.json")
    torch.save({"model_state_dict": net.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, tmp_path / "c.pth")
    message = h5bridge("convert", tmp_path / "m.json", tmp_path / "c.pth", "-o", tmp_path / "m.h5", status=4)
    assert "lstm.bias_ih_l0 and lstm.bias_hh_l0 differ" in message
