"""Functions of torch.nn.functional whose parameters are values: a network's own, computed from them, or those of another layer."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_helpers import as_keras_has_it, assert_close, keras, keras_layout, predict
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import assert_same_state, export_architecture

pytestmark = needs_program


class Network(nn.Module):
    """A function of an input and of tensors of the network's own; those with "mean" or "variance" in their names are buffers."""

    def __init__(self, function, **shapes):
        super().__init__()
        self.function = function
        for name, shape in shapes.items():
            value = torch.rand(shape) + 0.5 if name == "variance" else torch.randn(shape)
            if name in ("mean", "variance", "blur"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, nn.Parameter(value))

    def forward(self, x):
        return self.function(self, x)


def standardised(weight):
    return (weight - weight.mean((1, 2, 3), keepdim=True)) / (weight.std((1, 2, 3), keepdim=True) + 1e-5)


IMAGE = (3, 4, 7, 8)
CASES = {
    "linear": (lambda s, x: F.linear(x, s.w, s.b), {"w": (5, 4), "b": (5,)}, (3, 4)),
    "linear without bias": (lambda s, x: F.linear(x, s.w), {"w": (5, 4)}, (3, 6, 4)),
    "bilinear": (lambda s, x: F.bilinear(x, x * 2 + 1, s.w, s.b), {"w": (5, 4, 4), "b": (5,)}, (3, 4)),
    "conv1d": (lambda s, x: F.conv1d(x, s.w, s.b, padding=1), {"w": (6, 4, 3), "b": (6,)}, (3, 4, 9)),
    "conv2d": (lambda s, x: F.conv2d(x, s.w, s.b, stride=2, padding=1), {"w": (6, 4, 3, 3), "b": (6,)}, IMAGE),
    "conv2d, same": (lambda s, x: F.conv2d(x, s.w, padding="same", groups=2), {"w": (6, 2, 3, 3)}, IMAGE),
    "conv3d": (lambda s, x: F.conv3d(x, s.w, s.b), {"w": (6, 4, 2, 3, 3), "b": (6,)}, (3, 4, 5, 6, 7)),
    "weight standardisation": (lambda s, x: F.conv2d(x, standardised(s.w), s.b, padding=1), {"w": (6, 4, 3, 3), "b": (6,)}, IMAGE),
    "blurred pooling": (lambda s, x: F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), s.blur, stride=2, groups=4), {"blur": (4, 1, 3, 3)}, IMAGE),
    "conv_transpose1d": (lambda s, x: F.conv_transpose1d(x, s.w, s.b, stride=2), {"w": (4, 6, 3), "b": (6,)}, (3, 4, 5)),
    "conv_transpose2d": (lambda s, x: F.conv_transpose2d(x, s.w, s.b, 2, 1, 1, 2), {"w": (4, 3, 3, 3), "b": (6,)}, IMAGE),
    "batch_norm": (lambda s, x: F.batch_norm(x, s.mean, s.variance, s.w, s.b), {"mean": 4, "variance": 4, "w": 4, "b": 4}, IMAGE),
    "batch_norm, bias alone": (lambda s, x: F.batch_norm(x, s.mean, s.variance, bias=s.b), {"mean": 4, "variance": 4, "b": 4}, (3, 4)),
    "batch_norm of the batch": (lambda s, x: F.batch_norm(x, None, None, s.w, s.b, training=True), {"w": 4, "b": 4}, IMAGE),
    "instance_norm": (lambda s, x: F.instance_norm(x, weight=s.w, bias=s.b), {"w": 4, "b": 4}, IMAGE),
    "group_norm": (lambda s, x: F.group_norm(x, 2, s.w, s.b), {"w": 4, "b": 4}, IMAGE),
    "group_norm, bias alone": (lambda s, x: F.group_norm(x, 2, bias=s.b), {"b": 4}, IMAGE),
    "layer_norm": (lambda s, x: F.layer_norm(x, (4,), s.w, s.b, 1e-6), {"w": 4, "b": 4}, (3, 5, 4)),
    "layer_norm, bias alone": (lambda s, x: F.layer_norm(x, (4,), bias=s.b), {"b": 4}, (3, 5, 4)),
    "layer_norm of open sizes": (lambda s, x: F.layer_norm(x, x.shape[1:]) * s.w, {"w": 4}, (3, 5, 4)),
    "layer_norm, channels last": (lambda s, x: F.layer_norm(x.permute(0, 2, 3, 1), (4,), s.w, s.b).permute(0, 3, 1, 2), {"w": 4, "b": 4}, IMAGE),
    "rms_norm": (lambda s, x: F.rms_norm(x, (4,), s.w, 1e-6), {"w": 4}, (3, 5, 4)),
    "prelu": (lambda s, x: F.prelu(x, s.w), {"w": 4}, IMAGE),
    "embedding": (lambda s, x: F.embedding((x * x).clamp(max=8).long(), s.w), {"w": (9, 5)}, (3, 6)),
    "repeat": (lambda s, x: torch.cat([s.w.repeat(x.shape[0], 1, 1), x.amax(1, keepdim=True).repeat(1, x.shape[1], 1)], 1), {"w": (1, 1, 4)}, (3, 5, 4)),
    "not": (lambda s, x: torch.where(~(x > 0) & torch.logical_not(x > -1), s.w, x), {"w": 4}, (3, 4)),
}  # fmt: skip


def converted(network, x, folder):
    """What the network gives, as LibTorch does bit for bit, and Keras's model of it; m.json, m.pth and m.h5 lie in the folder."""
    with torch.no_grad():
        expected = network(x).numpy()
    export_architecture(network, x, folder / "m.json")
    torch.save(network.state_dict(), folder / "m.pth")
    np.save(folder / "x.npy", x.numpy())
    h5bridge("run", folder / "m.json", folder / "m.pth", "--input", folder / "x.npy", "-o", folder / "y.npy")
    assert np.load(folder / "y.npy").tobytes() == expected.tobytes()
    h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
    return expected, keras.models.load_model(folder / "m.h5", compile=False)


@needs_libtorch
@pytest.mark.parametrize("case", CASES)
def test_there_and_back(case, tmp_path):
    function, shapes, shape = CASES[case]
    torch.manual_seed(3)
    network, x = Network(function, **shapes).eval(), torch.randn(shape)
    expected, model = converted(network, x, tmp_path)
    own = as_keras_has_it(x.numpy(), model.inputs[0].shape)
    inputs, moved = [own], keras_layout if own.shape != x.shape else lambda y: y
    assert_close(predict(model, inputs)[0], moved(expected), 1e-5)
    for variable in model.weights:
        kept = variable.numpy().copy()
        variable.assign(kept * 1.5 + 0.25 * np.arange(kept.size).reshape(kept.shape))
        changed = predict(model, inputs)[0]
        variable.assign(kept)
        assert np.abs(changed - moved(expected)).max() > 1e-3, variable.path

    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    assert_same_state(torch.load(tmp_path / "back.pth"), network.state_dict())
    model.save(tmp_path / "again.h5")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "again.h5", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert {name: tensor.tolist() for name, tensor in home.items()} == {name: tensor.tolist() for name, tensor in network.state_dict().items()}


def test_statistics_that_change_are_refused(tmp_path):
    network = Network(lambda s, x: F.batch_norm(x, s.mean, s.variance, training=True), mean=4, variance=4)
    with pytest.raises(Exception, match="changes its running statistics|changes a tensor in place"):
        export_architecture(network, torch.randn(3, 4), tmp_path / "m.json")


class TiedDecoder(nn.Module):
    """A language model's: the decoder's weight is the embedding's."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 5)
        self.mix = nn.Linear(5, 5)

    def forward(self, ids):
        return F.linear(torch.tanh(self.mix(self.embed(ids))), self.embed.weight)


@needs_libtorch
def test_a_weight_that_two_layers_share(tmp_path):
    torch.manual_seed(3)
    network, ids = TiedDecoder().eval(), torch.randint(0, 9, (3, 7))
    expected, model = converted(network, ids, tmp_path)
    assert_close(predict(model, [ids.numpy()])[0], expected, 1e-5)
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    assert_same_state(torch.load(tmp_path / "back.pth"), network.state_dict())

    # Keras trains two copies; what differs is no longer one tensor.
    model.get_layer("embed").set_weights([network.embed.weight.detach().numpy() + 1])
    model.save(tmp_path / "trained.h5")
    message = h5bridge("convert", tmp_path / "m.json", tmp_path / "trained.h5", "-o", tmp_path / "home.pth", status=4)
    assert "it has no second name in PyTorch to be two by (--untie)" in message
