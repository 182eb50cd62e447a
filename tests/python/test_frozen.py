"""What PyTorch says of training and Keras cannot, or says otherwise: parameters that are frozen one by one, a row that no
gradient reaches, averages of all batches, forwards that stop gradients. Said in a line, refused with --lossless, and back on
the way home where it can ride along."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import keras
from program import h5bridge, needs_program, package
from torch_helpers import export_architecture

pytestmark = needs_program


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(9, 5, padding_idx=0)
        self.first = nn.Linear(5, 4)
        self.norm = nn.BatchNorm1d(4)
        self.average = nn.BatchNorm1d(4, momentum=None)
        self.last = nn.Linear(4, 3)

    def forward(self, ids):
        x = self.norm(self.first(self.tokens(ids)).transpose(1, 2))
        return self.last(self.average(x).transpose(1, 2))


def made(freeze, seed=7):
    torch.manual_seed(seed)
    module = Network()
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(not name.startswith(freeze))
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2)
    return module.eval()


def exported(module, folder):
    export_architecture(module, torch.zeros(2, 6, dtype=torch.long), folder / "net.json")
    torch.save(module.state_dict(), folder / "net.pth")
    return folder / "net.json", folder / "net.pth"


def converted(folder, *arguments):
    """The notes of a conversion."""
    return json.loads(h5bridge("convert", *arguments, "--json"))["notes"]


WHOLE = ("first", "norm")


@pytest.fixture
def whole(tmp_path):
    module = made(WHOLE)
    notes = converted(tmp_path, *exported(module, tmp_path), "-o", tmp_path / "net.h5")
    return module, notes, tmp_path


def test_a_frozen_layer_is_frozen_in_keras(whole):
    module, notes, folder = whole
    model = keras.models.load_model(folder / "net.h5")
    trainable = {layer.name: layer.trainable for layer in model.layers if layer.weights}
    assert trainable == {"tokens": True, "first": False, "norm": False, "average": True, "last": True}
    (note,) = [note for note in notes if '"norm"' in note]
    assert "running statistics" in note


def test_frozen_names_come_home(whole):
    module, notes, folder = whole
    for source in (["net.h5"], ["resaved.h5", "net.json"]):
        if source[0] == "resaved.h5":
            keras.models.load_model(folder / "net.h5").save(folder / "resaved.h5")
        h5bridge("convert", *(folder / name for name in source), "-o", folder / "home.json", "-o", folder / "home.pth")
        home = json.loads((folder / "home.json").read_text())
        assert home["frozen"] == [name for name, p in module.named_parameters() if not p.requires_grad]
        shown = json.loads(h5bridge("inspect", *(folder / name for name in source), "--json"))
        assert shown["architecture"]["frozen"] == home["frozen"]


def test_what_keras_thaws_is_thawed(whole):
    module, notes, folder = whole
    model = keras.models.load_model(folder / "net.h5")
    model.get_layer("first").trainable = True
    model.get_layer("last").trainable = False
    model.save(folder / "thawed.h5")
    h5bridge("convert", folder / "thawed.h5", folder / "net.json", "-o", folder / "home.json")
    assert json.loads((folder / "home.json").read_text())["frozen"] == ["norm.weight", "norm.bias", "last.weight", "last.bias"]


def test_a_layer_that_is_frozen_in_part_is_said_and_comes_home(tmp_path):
    module = made(("last.bias",))
    sources = exported(module, tmp_path)
    notes = converted(tmp_path, *sources, "-o", tmp_path / "net.h5")
    (note,) = [note for note in notes if '"last"' in note]
    assert "last.bias" in note and "whole layers" in note
    assert keras.models.load_model(tmp_path / "net.h5").get_layer("last").trainable
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "home.json")
    assert json.loads((tmp_path / "home.json").read_text())["frozen"] == ["last.bias"]
    assert "last.bias" in h5bridge("convert", *sources, "-o", tmp_path / "no.h5", "--lossless", status=4)
    assert not (tmp_path / "no.h5").exists()


def test_settings_of_training_without_a_word_in_keras(tmp_path):
    notes = converted(tmp_path, *exported(made(()), tmp_path), "-o", tmp_path / "net.h5")
    assert len(notes) == 2
    assert any('"tokens"' in note and "padding_idx = 0" in note for note in notes)
    assert any('"average"' in note and "momentum = null" in note for note in notes)
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "home.json")
    attributes = {layer["name"]: layer.get("attributes") for layer in json.loads((tmp_path / "home.json").read_text())["layers"]}
    assert attributes["tokens"]["padding_idx"] == 0 and attributes["average"]["momentum"] is None


class Silent(nn.Module):
    @torch.no_grad()
    def forward(self, x):
        return x * 2


class Stops(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what, self.line, self.silent = what, nn.Linear(3, 3), Silent()

    def forward(self, x):
        y = self.line(x)
        if self.what == "detach":
            return y.detach() + x
        if self.what == "data":
            return y.data + x
        if self.what == "detach_":
            y.detach_()
            return y + x
        if self.what == "decorated":
            return self.silent(y)
        if self.what == "no_grad":
            with torch.no_grad():
                return self.line(y)
        if self.what == "autocast":
            with torch.autocast("cpu", dtype=torch.bfloat16):
                y = y + x
        return y


@pytest.mark.parametrize("what, words", [("detach", None), ("data", None), ("detach_", None),
                                         ("decorated", "in silent (Silent): torch.no_grad:"), ("no_grad", "in forward: torch.no_grad:"),
                                         ("autocast", "in forward: torch.autocast:"), ("nothing", None)])  # fmt: skip
def test_what_forward_does_beside_computing(what, words, tmp_path):
    module = Stops(what).eval()
    noted = export_architecture(module, torch.zeros(2, 3), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    assert json.loads((tmp_path / "net.json").read_text()).get("notes", []) == noted
    assert len(noted) == (words is not None) and all(note.startswith(words) for note in noted)
    sources = tmp_path / "net.json", tmp_path / "net.pth"
    notes = converted(tmp_path, *sources, "-o", tmp_path / "net.h5")
    assert [note.split(": ", 1)[1] for note in notes] == noted
    h5bridge("convert", *sources, "-o", tmp_path / "lossless.h5", "--lossless", status=4 if words else 0)
    x = torch.randn(2, 3)
    found = keras.ops.convert_to_numpy(keras.models.load_model(tmp_path / "net.h5")(x.numpy()))
    with torch.no_grad():
        expected = module(x).float().numpy()
    assert np.abs(found - expected).max() <= (0.02 if what == "autocast" else 1e-6) * np.abs(expected).max()
    if what in ("detach", "data", "detach_"):
        assert not trains_its_kernel(keras.models.load_model(tmp_path / "net.h5"), x)
        h5bridge("convert", *sources, "-o", tmp_path / "net.py")
        assert ".detach()" in (tmp_path / "net.py").read_text()


def trains_its_kernel(model, x):
    loss = model(x).sum()
    if not loss.requires_grad:
        return False
    loss.backward()
    gradients = [variable.value.grad for variable in model.trainable_variables]
    return any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]


@pytest.mark.parametrize("frozen", ["bias_hh_l0", "bias_ih_l0", "weight_hh_l0"])
def test_one_frozen_bias_of_two_is_a_part_of_keras_s_one(frozen, tmp_path):
    module = Recurrent()
    for name, parameter in module.rnn.named_parameters():
        parameter.requires_grad_(name != frozen)
    export_architecture(module, torch.zeros(2, 5, 3), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    (note,) = converted(tmp_path, tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5")
    is_sum = frozen.startswith("bias")
    assert ("for the sum of rnn.bias_ih_l0 and rnn.bias_hh_l0, and trains it" in note) == is_sum
    assert ("Keras freezes whole layers" in note) != is_sum and f"rnn.{frozen}" in note


class TwoLayouts(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x, y):
        return self.norm(x), self.norm(y)


def test_a_layer_that_layouts_would_change_in_two_ways_has_a_way_out(tmp_path):
    module = TwoLayouts().eval()
    export_architecture(module, (torch.zeros(2, 4), torch.zeros(2, 4, 5)), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    said = h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5", status=4)
    assert 'layer "norm" (BatchNorm1d) is called twice' in said and "a layer for each call can be written" in said


@pytest.mark.skipif(package is None, reason="the Python package is not built")
def test_a_live_model_of_keras_says_what_is_frozen_now(tmp_path):
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[0].requires_grad_(False)
    model = package.from_torch(module, torch.zeros(2, 3))
    live = model.to_keras()
    live.layers[1].trainable, live.layers[2].trainable = True, False
    home = package.from_keras(live, model.architecture)
    home.save([tmp_path / "home.json", tmp_path / "home.pth"])
    saved = json.loads((tmp_path / "home.json").read_text())["frozen"]
    assert home.architecture["frozen"] == saved == ["1.weight", "1.bias"]
