"""What PyTorch says of training and Keras cannot, or says otherwise: parameters that are frozen one by one, a row that no
gradient reaches, averages of all batches, forwards that stop gradients. Said in a line, refused with --lossless, and back on
the way home where it can ride along."""

import json

import h5py
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


FROZEN = {"trainable": False}


def chain(*layers, shape=(4, 5)):
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(2, name="head")])


def attending(make):
    x = keras.Input((4, 6))
    return keras.Model(x, keras.layers.Dense(2, name="head")(make(x)))


def holding(make, thaw=False):
    x = keras.Input((4, 5))
    inner = make(x)
    return keras.Model(x, keras.layers.Dense(2, name="head")(inner(x)))


def functional(trainable):
    x = keras.Input((4, 5), name="within")
    return keras.Model(x, keras.layers.Dense(3, name="d")(x), name="inner", trainable=trainable)


def thawed_within():
    inner = keras.Sequential([keras.Input((4, 5)), keras.layers.Dense(3, name="a"), keras.layers.Dense(3, name="b")], name="inner")
    inner.trainable = False
    inner.get_layer("b").trainable = True
    return inner


# What is made of layers, frozen by its own argument, by that of a layer within, or by both.
layers = keras.layers
COMPOSITES = {
    "time_distributed": lambda: chain(layers.TimeDistributed(layers.Dense(3, name="d"), **FROZEN)),
    "time_distributed, within": lambda: chain(layers.TimeDistributed(layers.Dense(3, name="d", **FROZEN))),
    "time_distributed model": lambda: chain(layers.TimeDistributed(
        keras.Sequential([keras.Input((5,)), layers.Dense(3, name="d")], name="inner"), **FROZEN)),
    "bidirectional": lambda: chain(layers.Bidirectional(layers.LSTM(3, name="r"), name="both", **FROZEN)),
    "bidirectional, within": lambda: chain(layers.Bidirectional(layers.LSTM(3, name="r", **FROZEN), name="both")),
    "bidirectional, one": lambda: chain(layers.Bidirectional(
        layers.LSTM(3, name="r", **FROZEN), backward_layer=layers.LSTM(3, go_backwards=True, name="s"), name="both")),
    "bidirectional of two": lambda: chain(layers.Bidirectional(
        layers.LSTM(3, name="r"), backward_layer=layers.GRU(3, go_backwards=True, name="s", **FROZEN), name="both", **FROZEN)),
    "lstm": lambda: chain(layers.LSTM(3, name="r", **FROZEN)),
    "rnn": lambda: chain(layers.RNN(layers.LSTMCell(3, name="c"), name="r", **FROZEN)),
    "rnn, within": lambda: chain(layers.RNN(layers.LSTMCell(3, name="c", **FROZEN), name="r")),
    "rnn of cells": lambda: chain(layers.RNN([layers.LSTMCell(3, name="c"), layers.LSTMCell(3, name="d")], name="r", **FROZEN)),
    "rnn of cells, one": lambda: chain(layers.RNN([layers.LSTMCell(3, name="c"), layers.LSTMCell(3, name="d", **FROZEN)], name="r")),
    "stacked": lambda: chain(layers.RNN(
        layers.StackedRNNCells([layers.LSTMCell(3, name="c"), layers.GRUCell(3, name="d", **FROZEN)], name="s", **FROZEN), name="r")),
    "conv_lstm": lambda: chain(layers.ConvLSTM1D(3, 2, name="r", **FROZEN), layers.Flatten(), shape=(4, 5, 3)),
    "attention": lambda: attending(lambda x: layers.MultiHeadAttention(2, 3, name="m", **FROZEN)(x, x)),
    "grouped attention": lambda: attending(lambda x: layers.GroupQueryAttention(2, 2, 1, name="m", **FROZEN)(x, x)),
    "spectral": lambda: chain(layers.SpectralNormalization(layers.Dense(3, name="d"), name="s", **FROZEN)),
    "sequential": lambda: holding(lambda x: keras.Sequential([keras.Input((4, 5)), layers.Dense(3, name="d")], name="inner", **FROZEN)),
    "functional": lambda: holding(lambda x: functional(False)),
    "thawed within": lambda: holding(lambda x: thawed_within()),
    "whole functional": lambda: functional(False),
}  # fmt: skip


def places(paths):
    """Of variables: Keras does not always have all that is around a layer in its variables' paths."""
    return sorted("/".join(path.split("/")[-3 if "_cell/" in path else -2 :]) for path in paths)


def trained_in(model):
    return places(variable.path for variable in model.trainable_variables)


@pytest.mark.parametrize("what", COMPOSITES)
def test_layers_of_layers_train_what_keras_trains(what, tmp_path):
    theirs, back = ([tmp_path / f"{name}.{form}" for form in ("keras", "h5")] for name in ("theirs", "back"))
    model = COMPOSITES[what]()
    x = np.random.default_rng(1).standard_normal((2, *model.inputs[0].shape[1:]), dtype="float32")
    outputs = keras.ops.convert_to_numpy(model(x))
    for path in theirs:
        model.save(path)
    expected = trained_in(keras.models.load_model(theirs[0]))
    shown = [json.loads(h5bridge("inspect", path, "--json"))["tensors"] for path in theirs]
    assert places(tensor["name"] for tensor in shown[1] if tensor["trainable"]) == expected
    assert [sum(bool(tensor["trainable"]) for tensor in tensors) for tensors in shown] == [len(expected)] * 2
    for path in theirs:
        h5bridge("convert", path, "-o", tmp_path / "home.json", "-o", tmp_path / "home.pth")
        h5bridge("convert", tmp_path / "home.json", tmp_path / "home.pth", "-o", back[0], "-o", back[1])
        for again in (keras.models.load_model(path) for path in back):
            assert trained_in(again) == expected
            np.testing.assert_allclose(keras.ops.convert_to_numpy(again(x)), outputs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("what", ["time_distributed", "bidirectional", "rnn of cells", "attention"])
def test_in_keras_2_nothing_trains_in_a_frozen_layer(what, tmp_path):
    """As keras 2.15's engine/base_layer.py, trainable_weights, has it; Keras 3 is told by what is within."""
    COMPOSITES[what]().save(tmp_path / "theirs.keras")
    old = tmp_path / "old.h5"
    h5bridge("convert", tmp_path / "theirs.keras", "--keras", 2, "-o", old)
    with h5py.File(old, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        entries = model["config"] if isinstance(model["config"], list) else model["config"]["layers"]
        (layer,) = [entry["config"] for entry in entries if entry["class_name"] not in ("Dense", "InputLayer")]
        assert layer["trainable"]  # what is within trains in Keras 3
        layer["trainable"] = False
        file.attrs["model_config"] = json.dumps(model)
        del file["h5bridge"]
    shown = json.loads(h5bridge("inspect", old, "--json"))["tensors"]
    assert places(tensor["name"].split(":")[0] for tensor in shown if tensor["trainable"]) == ["head/bias", "head/kernel"]
    h5bridge("convert", old, "-o", tmp_path / "net.ts", "-o", tmp_path / "back.keras")
    assert {name for name, p in torch.jit.load(tmp_path / "net.ts").named_parameters() if p.requires_grad} == {"head.weight", "head.bias"}
    if what != "attention":  # which Keras 3 makes anew
        assert trained_in(keras.models.load_model(tmp_path / "back.keras")) == ["head/bias", "head/kernel"]


@pytest.mark.skipif(package is None, reason="the Python package is not built")
@pytest.mark.parametrize("what, trained", [("time_distributed", True), ("bidirectional, within", False), ("attention", True),
                                           ("whole functional", False), ("spectral", True), ("rnn", True), ("rnn, within", False)])  # fmt: skip
def test_layers_of_layers_take_gradients_in_pytorch_as_in_keras(what, trained, tmp_path):
    COMPOSITES[what]().save(tmp_path / "theirs.keras")
    module = package.load(tmp_path / "theirs.keras").to_torch()
    assert {p.requires_grad for name, p in module.named_parameters() if not name.startswith("head")} == {trained}


@pytest.mark.parametrize("what", ["time_distributed", "bidirectional", "rnn of cells", "spectral", "bidirectional of two"])
def test_what_pytorch_freezes_of_layers_of_layers_is_frozen_in_keras(what, tmp_path):
    COMPOSITES[what]().save(tmp_path / "theirs.keras")
    h5bridge("convert", tmp_path / "theirs.keras", "-o", tmp_path / "home.json", "-o", tmp_path / "home.pth")
    document = json.loads((tmp_path / "home.json").read_text())
    names = [name for name in torch.load(tmp_path / "home.pth") if not name.startswith("head")]
    (tmp_path / "frozen.json").write_text(json.dumps({**document, "frozen": names}))
    h5bridge("convert", tmp_path / "frozen.json", tmp_path / "home.pth", "-o", tmp_path / "back.keras")
    assert trained_in(keras.models.load_model(tmp_path / "back.keras")) == ["head/bias", "head/kernel"]


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize("is_set", [True, False])
def test_an_attention_that_says_frozen_is_what_its_optimizer_says(is_set, form, tmp_path):
    """By argument it trains on; by attribute it is frozen until it is loaded again."""
    model = COMPOSITES["attention"]()
    model.get_layer("m").trainable = not is_set
    if not is_set:
        model.get_layer("m")._trainable = False
    model.compile("adam", "mse")
    x = np.ones((2, 4, 6), dtype="float32")
    model.train_on_batch(x, np.ones((2, 4, 2)))
    trained = len(model.trainable_variables)
    assert trained == (2 if is_set else 10)
    model.save(tmp_path / f"theirs.{form}")
    notes = converted(tmp_path, tmp_path / f"theirs.{form}", "-o", tmp_path / "home.json", "-o", tmp_path / "home.ckpt", "--checkpoint")
    assert ["Keras trains it once it has loaded the file" in note for note in notes if '"m"' in note] == ([] if is_set else [True])
    saved = torch.load(tmp_path / "home.ckpt")["optimizer_state_dict"]["state"]
    frozen = json.loads((tmp_path / "home.json").read_text()).get("frozen", [])
    assert any(name.startswith("m.") for name in frozen) == is_set and len(saved) == (2 if is_set else 6)
