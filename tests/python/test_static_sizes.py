"""Networks of which every size is a number, the batch's too: Keras's layers ask more of these than of open ones."""

import numpy as np
import torch
from torch import nn

from keras_helpers import assert_close, keras, predict
from program import h5bridge, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program


class Positions(nn.Module):
    """Tensors with a first size of 1 beside the batch, vectors, and a layer that is given a vector."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(1, 7, 4))
        self.gate = nn.Parameter(torch.randn(7, 1))
        self.scale, self.one, self.vector = (nn.Parameter(torch.randn(size)) for size in (4, 1, 3))
        self.mix = nn.Linear(4, 4)
        self.style = nn.Linear(3, 4)
        self.plain = nn.Linear(3, 4, bias=False)

    def forward(self, x):
        x = torch.maximum(x + self.positions, self.positions) * self.gate[None]
        steps = torch.arange(4.0) * torch.tensor([2.0])
        return self.mix(x) - self.scale * self.one, torch.relu(self.style(self.vector)) * steps, self.plain(self.vector)


def converted(module, x, folder, *options):
    """What Keras computes of the exported program and of the architecture, and what PyTorch does."""
    torch.export.save(torch.export.export(module, (x,)), folder / "net.pt2")
    export_architecture(module, x, folder / "net.json")
    torch.save(module.state_dict(), folder / "net.pth")
    h5bridge("convert", folder / "net.pt2", "-o", folder / "program.h5")
    h5bridge("convert", folder / "net.json", folder / "net.pth", *options, "-o", folder / "module.keras")
    with torch.no_grad():
        expected = module(x)
    found = [predict(keras.models.load_model(folder / name), [x.numpy()]) for name in ("program.h5", "module.keras")]
    return found, expected if isinstance(expected, tuple) else (expected,)


def assert_all_agree(found, expected):
    for outputs in found:
        for value, y in zip(outputs.values(), expected, strict=True):
            assert_close(value, y.numpy(), 1e-5)


def test_keras_adds_what_has_batches_of_two_sizes(tmp_path):
    torch.manual_seed(2)
    assert_all_agree(*converted(Positions(), torch.randn(2, 7, 4), tmp_path, "--fix-size", "batch=2"))


class Folded(nn.Module):
    """Parts of a row as rows of their own, as TNT has it (Han et al. 2021), beside a tensor whose first size is 1."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(1, 2, 4))

    def forward(self, x):
        return torch.tanh(x.reshape(-1, 2, 4) + self.positions).reshape(-1, 3, 8)


def test_keras_keeps_a_batch_open_beside_a_first_size_of_1(tmp_path):
    torch.manual_seed(3)
    module, x = Folded(), torch.randn(2, 3, 8)
    export_architecture(module, x, tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.keras")
    model = keras.models.load_model(tmp_path / "net.keras")
    assert model.output_shape == (None, 3, 8)
    assert_close(next(iter(predict(model, [x.numpy()]).values())), module(x).detach().numpy(), 1e-5)


def test_a_layer_may_have_a_vector_for_its_input(tmp_path):
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert_all_agree(*converted(module, torch.randn(4), tmp_path))
    # What Keras keeps of the file goes home.
    keras.models.load_model(tmp_path / "program.h5").save(tmp_path / "kept.h5")
    h5bridge("convert", tmp_path / "kept.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    assert all(np.array_equal(home[name], tensor) for name, tensor in module.state_dict().items())
