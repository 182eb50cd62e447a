"""Modules that make their weights in each call (weight_norm, spectral_norm), and modules of torch.nn that are the whole network."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from keras_helpers import assert_close, keras, keras_layout
from layer_samples import flattened
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture, exporter

pytestmark = [needs_program, needs_libtorch]

MADE = {
    "weight_norm": parametrizations.weight_norm,
    "weight_norm along the inputs": lambda module: parametrizations.weight_norm(module, dim=1),
    "weight_norm of all": lambda module: parametrizations.weight_norm(module, dim=None),
    "weight_norm of old": weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "spectral_norm of old": spectral_norm,
}


class Net(nn.Module):
    def __init__(self, made):
        super().__init__()
        self.conv, self.dense, self.last = made(nn.Conv2d(3, 4, 3, padding=1)), made(nn.Linear(4, 5)), nn.Linear(5, 2)

    def forward(self, x):
        return self.last(self.dense(self.conv(x).relu().mean((2, 3))))


def computes_the_same_everywhere(module, inputs, folder):
    """With real Keras and with LibTorch, and every tensor is at home again under its name."""
    for tensor in [*module.parameters(), *(buffer for buffer in module.buffers() if buffer.is_floating_point())]:
        with torch.no_grad():
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    export_architecture(module, inputs, folder / "m.json")
    torch.save(module.state_dict(), folder / "m.pth")
    h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.keras", "-o", folder / "m.py", "--check")
    h5bridge("convert", folder / "m.keras", "-o", folder / "home.pth")
    home, state = torch.load(folder / "home.pth"), module.state_dict()
    assert list(home) == list(state) and all(torch.equal(home[name], tensor) for name, tensor in state.items())
    expected = flattened(module(*inputs))
    np.save(folder / "x.npy", inputs[0].numpy())
    h5bridge("run", folder / "m.json", folder / "m.pth", "--exact", "--input", folder / "x.npy", "-o", folder / "y.npz")
    # PyTorch's own kernel sums up the norm of weights in another order.
    found = list(np.load(folder / "y.npz").values())
    assert len(found) == len(expected)
    for array, y in zip(found, expected):
        np.testing.assert_allclose(array, y.detach().numpy(), rtol=1e-5, atol=1e-6)
    (x,) = inputs
    model = keras.saving.load_model(folder / "m.keras", compile=False)
    is_moved = x.dim() > 2 and model.input_shape[-1] == x.shape[1]
    found = keras.tree.flatten(model(keras_layout(x.numpy()) if is_moved else x.numpy()))
    for array, y in zip(found, expected, strict=True):
        y = y.detach().numpy()
        assert_close(keras.ops.convert_to_numpy(array), keras_layout(y) if is_moved else y, 1e-5, "output")


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_weights_that_are_made_in_each_call(made, tmp_path):
    torch.manual_seed(3)
    computes_the_same_everywhere(Net(made).eval(), (torch.rand(3, 3, 5, 6),), tmp_path)


def test_a_recurrent_module_takes_no_computed_weights(tmp_path):
    module = nn.Sequential(parametrizations.weight_norm(nn.LSTM(3, 4, batch_first=True), "weight_hh_l0"))
    with pytest.raises(exporter.ExportError, match="0 .*has a parametrization.*remove_parametrizations"):
        export_architecture(module, torch.zeros(2, 5, 3), tmp_path / "m.json")
    torch.export.save(torch.export.export(module.eval(), (torch.zeros(2, 5, 3),)), tmp_path / "m.pt2")
    message = h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.pth", "-o", tmp_path / "m.json", status=4)
    assert "aten.lstm.input in 0 (ParametrizedLSTM)" in message and "as where a parametrization computes one" in message


ALONE = {
    "Linear": (nn.Linear(3, 4), (2, 3)),
    "Conv2d": (nn.Conv2d(3, 4, 3, stride=2, padding=2, padding_mode="reflect"), (3, 3, 7, 9)),
    "ConvTranspose2d": (nn.ConvTranspose2d(3, 4, 3, stride=2), (1, 3, 4, 5)),
    "BatchNorm2d": (nn.BatchNorm2d(3), (2, 3, 4, 5)),
    "LayerNorm": (nn.LayerNorm(5), (2, 3, 5)),
    "PReLU": (nn.PReLU(3), (2, 3, 5)),
    "Embedding": (nn.Embedding(9, 4), 9),
    "LSTMCell": (nn.LSTMCell(3, 4), (2, 3)),
    "GRU": (nn.GRU(3, 4, batch_first=True, bidirectional=True), (2, 5, 3)),
    "ReLU": (nn.ReLU(), (2, 3)),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_module_of_torch_nn_alone(name, tmp_path):
    """Its tensors have no prefix."""
    torch.manual_seed(4)
    module, shape = ALONE[name]
    x = torch.randint(shape, (2, 5)) if isinstance(shape, int) else torch.rand(shape)
    if name == "ReLU":  # no weights to check a file with
        export_architecture(module, x, tmp_path / "m.json")
        h5bridge("convert", tmp_path / "m.json", "-o", tmp_path / "m.py")
    else:
        computes_the_same_everywhere(module.eval(), (x,), tmp_path)


class Last(nn.GRU):
    def forward(self, x):
        return super().forward(x)[0][:, -1]


class Attending(nn.MultiheadAttention):
    def forward(self, x):
        return x + super().forward(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize("module", [Last(4, 3, batch_first=True), Attending(4, 2, batch_first=True)], ids=["GRU", "attention"])
@pytest.mark.parametrize("around", [False, True], ids=["alone", "within another"])
def test_a_class_derived_from_one_that_no_function_stands_for(module, around, tmp_path):
    """Its forward calls that of PyTorch's class, which is a layer."""
    computes_the_same_everywhere(nn.Sequential(module, nn.ReLU()).eval() if around else module.eval(), (torch.rand(2, 5, 4),), tmp_path)
    (kind,) = [layer["type"] for layer in json.loads((tmp_path / "m.json").read_text())["layers"] if layer["type"] in ("GRU", "MultiheadAttention")]
    assert issubclass(type(module), getattr(nn, kind))
