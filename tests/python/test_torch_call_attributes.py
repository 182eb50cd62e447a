"""PyTorch's calls of one module that differ: what an attention gives besides, and the size that something going upwards is to have.
LibTorch gives what PyTorch does, and Keras, where one layer of its can be called so."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, by_name, keras
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state, export_architecture

pytestmark = needs_program


class Attention(nn.Module):
    """Weights of all heads together, no weights and no later steps, and weights of each head."""

    shapes = [(2, 5, 8), (3, 7, 8)]
    settings = [None, {"need_weights": False, "use_causal_mask": True}, {"average_attn_weights": False}]

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        together, weights = self.attention(x, x, x)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        causal, _ = self.attention(together, x, x, need_weights=False, attn_mask=later)
        return causal, weights, *self.attention(causal, x, x, average_attn_weights=False)


class Upwards(nn.Module):
    """To the size of what it was made of, whatever that is, and to its own."""

    shapes = [(2, 3, 8, 11), (1, 3, 7, 8), (3, 3, 9, 9)]
    settings = [{"output_padding": ["-2*((height - 1)//2) + height - 1", "-2*((width - 1)//2) + width - 1"]}, {"output_padding": 0}]

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1)

    def forward(self, x):
        y = self.down(x)
        return self.up(y, output_size=x.shape[2:]), self.up(y)


class OnceUpwards(Upwards):
    settings = Upwards.settings[:1]

    def forward(self, x):
        return self.up(self.down(x), output_size=x.shape[2:])


class Unpooled(nn.Module):
    """To what the windows cover, and to one more."""

    shapes = [(2, 3, 8, 10), (1, 3, 6, 10)]
    settings = [{"kernel_size": 2, "stride": 2}, {"output_size": ["2*height_by_2 + 1", 11]}]

    def __init__(self):
        super().__init__()
        self.down = nn.MaxPool2d(2, return_indices=True)
        self.up = nn.MaxUnpool2d(2)

    def forward(self, x):
        y, places = self.down(x)
        return self.up(y, places), self.up(y, places, output_size=(x.shape[2] + 1, x.shape[3] + 1))


def answers(module, x):
    with torch.no_grad():
        found = module(x)
    return [y.numpy() for y in (found if isinstance(found, tuple) else (found,))]


@pytest.fixture
def written(tmp_path):
    """A function that writes a module's two files, and gives the module."""

    def write(kind):
        torch.manual_seed(4)
        module = kind().eval()
        export_architecture(module, torch.randn(kind.shapes[0]), tmp_path / "m.json")
        torch.save(module.state_dict(), tmp_path / "m.pth")
        return module

    return write


@pytest.mark.parametrize("kind", [Attention, Upwards, OnceUpwards, Unpooled])
def test_each_call_has_its_own_settings(kind, written, tmp_path):
    written(kind)
    document = json.loads((tmp_path / "m.json").read_text())
    assert document["h5bridge"] == 2
    (first,) = [layer for layer in document["layers"] if layer["name"] in ("attention", "up")]
    more = [layer.get("attributes") for layer in document["layers"] if "call" in layer]
    own = {name: first["attributes"].get(name) for name in kind.settings[0] or {}}
    assert [own or None, *more] == kind.settings
    h5bridge("validate", "m.json", "m.pth", folder=tmp_path)


@needs_libtorch
@pytest.mark.parametrize("kind", [Attention, Upwards, OnceUpwards, Unpooled])
def test_libtorch_gives_what_pytorch_does_at_every_size(kind, written, tmp_path):
    module = written(kind)
    for shape in kind.shapes:
        x = torch.randn(shape)
        np.save(tmp_path / "x.npy", x.numpy())
        h5bridge("run", "m.json", "m.pth", "--input", "x.npy", "-o", "y.npz", folder=tmp_path)
        expected = answers(module, x)
        found = list(np.load(tmp_path / "y.npz").values())
        assert len(found) == len(expected)
        for value, answer in zip(found, expected):
            assert value.shape == answer.shape
            assert_close(value, answer, 1e-6)


def test_attention_is_called_so_in_keras(written, tmp_path):
    module = written(Attention)
    h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", folder=tmp_path)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert len([layer for layer in model.layers if type(layer).__name__ == "MultiHeadAttention"]) == 1
    for shape in Attention.shapes:
        x = torch.randn(shape)
        for value, answer in zip(by_name(model(x.numpy(), training=False)).values(), answers(module, x), strict=True):
            assert_close(value, answer, 1e-5)
    h5bridge("convert", "m.h5", "-o", "back.pth", folder=tmp_path)
    assert_same_state(torch.load(tmp_path / "back.pth"), module.state_dict())


def test_keras_has_no_open_size_of_a_call(written, tmp_path):
    written(Upwards)
    said = h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", folder=tmp_path, status=4)
    assert 'layer "up" (ConvTranspose2d): "output_padding" is open (["-2*((height' in said


def test_keras_has_two_calls_whose_sizes_are_fixed(written, tmp_path):
    """One layer of Keras's without its margins, and a cropping a call."""
    module = written(Upwards)
    h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", "--fix-size", "height=8", "--fix-size", "width=11", folder=tmp_path)
    x = torch.randn(2, 3, 8, 11)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    for found, expected in zip(model.predict(x.permute(0, 2, 3, 1).numpy(), verbose=0), answers(module, x), strict=True):
        assert_close(found.transpose(0, 3, 1, 2), expected, 1e-5)


def test_keras_has_a_size_that_is_fixed(written, tmp_path):
    module = written(OnceUpwards)
    h5bridge("convert", "m.json", "m.pth", "-o", "m.h5", "--fix-size", "height=8", "--fix-size", "width=11", folder=tmp_path)
    x = torch.randn(2, 3, 8, 11)
    found = keras.models.load_model(tmp_path / "m.h5", compile=False).predict(x.permute(0, 2, 3, 1).numpy(), verbose=0)
    assert_close(found.transpose(0, 3, 1, 2), answers(module, x)[0], 1e-5)


def test_a_size_that_does_not_fit_is_said(written, tmp_path):
    """PyTorch's own limits are those of the numbers that a call comes to."""
    written(OnceUpwards)
    text = (tmp_path / "m.json").read_text().replace("-2*((height - 1)//2) + height - 1", "height")
    (tmp_path / "m.json").write_text(text)
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 8, 11), "float32"))
    said = h5bridge("run", "m.json", "m.pth", "--input", "x.npy", "-o", "y.npy", folder=tmp_path, status=2)
    assert 'node "up" (ConvTranspose2d): layer "up" (ConvTranspose2d): "output_padding" is 8, expected less than 2' in said
