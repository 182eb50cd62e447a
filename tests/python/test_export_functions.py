"""Functions that the exporter writes as others: PyTorch's bits come of them, and of the Keras model its values."""

import math
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from program import package
from torch_helpers import assert_same_state

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)

TABLE = torch.randn(3, 2, 5)
PLACES = torch.tensor([[[2, 0, 1, 4, 4, 3]]])


class Network(nn.Module):
    """Functions of a tensor of an open batch, an open length and 5 features."""

    def __init__(self, functions):
        super().__init__()
        self.functions, self.fc = functions, nn.Linear(5, 5)
        self.order = nn.Parameter(torch.tensor([2, 0, 4]), requires_grad=False)

    def forward(self, x):
        x = self.fc(x)
        return {name: function(x) for name, function in self.functions.items()} | {"by a parameter": x[..., self.order]}


FUNCTIONS = {
    "layer_norm": lambda x: F.layer_norm(x, (5,)),
    "layer_norm, epsilon": lambda x: F.layer_norm(x, [5], eps=1e-3),
    "rms_norm": lambda x: F.rms_norm(x, (5,)),
    "take_along_dim, stretched indices": lambda x: torch.take_along_dim(x, PLACES, 2),
    "take_along_dim, stretched": lambda x: torch.take_along_dim(x.mean(1, keepdim=True), x.argsort(-1), dim=-1),
    "take_along_dim, of a keepdim": lambda x: x.take_along_dim(x.argmin(-1, keepdim=True), -1),
    "take_along_dim, all": lambda x: torch.take_along_dim(x, x.argsort(-1, descending=True), 2),
    "take_along_dim, flat": lambda x: x * torch.take_along_dim(x, x.argmax()),
    "rot90": lambda x: torch.rot90(x, 1, (1, 2)),
    "rot90, back": lambda x: x.rot90(-1, [2, 1]),
    "rot90, twice": lambda x: torch.rot90(x, 2, dims=(1, -1)),
    "rot90, thrice": lambda x: torch.rot90(x, 7, (1, 2)),
    "rot90, four times": lambda x: x.rot90(4, (1, 2)),
    "diag_embed": lambda x: torch.diag_embed(x / (x > 0)),
    "diag_embed, above": lambda x: x.diag_embed(2),
    "diag_embed, below": lambda x: torch.diag_embed(x, -1, dim1=1, dim2=3),
    "diag_embed, open": lambda x: torch.diag_embed(x.mean(-1), 1, -1, 1),
    "tensordot": lambda x: torch.tensordot(x, TABLE.permute(2, 0, 1), 1),
    "tensordot, axes": lambda x: torch.tensordot(x, TABLE, dims=([-1], [2])),
    "tensordot, several axes": lambda x: torch.tensordot(x, x.mean(-1), ([1, 0], [1, 0])),
    "inner": lambda x: torch.inner(x, TABLE),
    "inner, vectors": lambda x: x + torch.inner(x[0, 0], x[-1, -1]),
    "mse_loss": lambda x: F.mse_loss(x, x.sin(), reduction="none"),
    "mse_loss, mean": lambda x: F.mse_loss(x, x.sin()),
    "l1_loss, sum": lambda x: F.l1_loss(x, x.sin(), reduction="sum"),
    "l1_loss": lambda x: F.l1_loss(x, x.cos(), None, None, "none"),
    "matrix_norm": lambda x: torch.linalg.matrix_norm(x),
    "matrix_norm, axes": lambda x: torch.linalg.matrix_norm(x, "fro", (2, 1), True),
    "matrix_norm, columns": lambda x: torch.linalg.matrix_norm(x, 1),
    "matrix_norm, rows": lambda x: torch.linalg.matrix_norm(x, -math.inf, keepdim=True),
    "linalg.norm of matrices": lambda x: torch.linalg.norm(x, math.inf, dim=(1, 2)),
    "linalg.norm of matrices, Frobenius's": lambda x: torch.linalg.norm(x, "fro", (1, 2)),
    "linalg.norm of vectors": lambda x: torch.linalg.norm(x, 3, dim=1),
}  # fmt: skip


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return Network(FUNCTIONS).eval()


@pytest.fixture(scope="module")
def model(network):
    return package.from_torch(network, torch.randn(2, 7, 5))


@pytest.mark.parametrize("batch, length", [(1, 3), (3, 8)])
def test_functions_in_other_words_give_the_bits_of_pytorch(network, model, batch, length):
    assert model.architecture["inputs"][0]["shape"] == ["batch", "length", 5]
    x = torch.randn(batch, length, 5)
    expected, found = network(x), model.to_torch().eval()(x)
    differing = [name for name in expected if not torch.equal(found[name].nan_to_num(7), expected[name].nan_to_num(7))]
    assert list(found) == list(expected) and differing == []


def test_keras_computes_the_same(network, model):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras_model, x = model.to_keras(), torch.randn(3, 6, 5)
    with torch.no_grad():
        expected = network(x)
        found = keras_model(x.numpy())
    for name, y in expected.items():
        values = found[name].cpu() if isinstance(found[name], torch.Tensor) else found[name]
        np.testing.assert_allclose(np.asarray(values), y.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_parameter_of_whole_numbers_keeps_its_place(network, model, tmp_path):
    assert_same_state(dict(model.state_dict()), dict(network.state_dict()))
    assert "order" not in model.architecture.get("buffers", [])
    model.save(tmp_path / "m.h5")
    model.save(tmp_path / "m.json")
    home = package.load([tmp_path / "m.json", tmp_path / "m.h5"])
    assert_same_state(dict(home.state_dict()), dict(network.state_dict()))
