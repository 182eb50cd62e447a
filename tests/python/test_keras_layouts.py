"""Keras models whose layers do not all keep their channels where the others do, over PyTorch's layout and back."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_helpers import assert_close, assert_same_weights, by_name, keras, weights_of
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = [needs_program, needs_libtorch]
layers = keras.layers


def over_rows():
    """The last layer counts rows as its channels: its output stays where it is."""
    x = keras.Input((4, 6, 3), name="x")
    return keras.Model(x, layers.BatchNormalization(axis=1, name="rows")(layers.Conv2D(5, 3, padding="same", name="conv")(x)))


def both_ways():
    """One output is moved, the other is not."""
    x = keras.Input((4, 6, 3), name="x")
    y = layers.Conv2D(5, 3, padding="same", name="conv")(x)
    return keras.Model(x, [layers.BatchNormalization(axis=1, name="rows")(y), layers.ReLU(name="relu")(y)])


def of_one_size():
    """All axes are of one size, so that no shape tells what was moved."""
    x = keras.Input((5, 5, 5), name="x")
    y = layers.Conv2D(5, 3, padding="same", name="conv")(x)
    return keras.Model(x, layers.BatchNormalization(axis=2, name="columns")(y))


def steps():
    x = keras.Input((5, 5), name="x")
    return keras.Model(x, layers.BatchNormalization(axis=1, name="steps")(layers.Conv1D(5, 3, padding="same", name="conv")(x)))


def turned():
    x = keras.Input((4, 6, 3), name="x")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    return keras.Model(x, [layers.Permute((2, 3, 1), name="turned")(y), layers.Permute((3, 1, 2), name="first")(y)])


def volume():
    x = keras.Input((3, 4, 5, 2), name="x")
    return keras.Model(x, layers.BatchNormalization(axis=2, name="rows")(layers.Conv3D(3, 2, padding="same", name="conv")(x)))


@pytest.mark.parametrize("make", [over_rows, both_ways, of_one_size, steps, turned, volume])
def test_outputs_have_keras_layout_over_pytorch(make, tmp_path):
    keras.utils.set_random_seed(3)
    model = make()
    rng = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save(tmp_path / "m.h5")
    x = rng.normal(size=(2, *model.inputs[0].shape[1:])).astype("float32")
    np.savez(tmp_path / "in.npz", x=x)
    expected = list(by_name(model(x, training=False)).values())

    def run(*sources):
        h5bridge("run", *sources, "--input", "in.npz", "--input-layout", "keras", "-o", "out.npz", folder=tmp_path)
        return dict(np.load(tmp_path / "out.npz"))

    own = run("m.h5")
    h5bridge("convert", "m.h5", "-o", "m.json", "-o", "m.pth", folder=tmp_path)
    h5bridge("convert", "m.json", "m.pth", "-o", "again.json", "-o", "back.h5", folder=tmp_path)
    h5bridge("convert", "again.json", "m.pth", "-o", "twice.h5", folder=tmp_path)
    for sources in (["m.h5"], ["m.json", "m.pth"], ["again.json", "m.pth"], ["back.h5"], ["twice.h5"]):
        found = run(*sources)
        # Names are those of the sources' framework.
        names = list(own) if sources[0].endswith(".h5") else ["output", *(f"output_{i}" for i in range(1, len(own)))]
        assert list(found) == names, sources
        for array, wanted in zip(found.values(), expected):
            assert_close(array, wanted, 1e-5, sources)
    for back in ("back.h5", "twice.h5"):
        assert_same_weights(weights_of(tmp_path / back), weights_of(tmp_path / "m.h5"))
        assert keras.models.load_model(tmp_path / back).get_config() == model.get_config()


class Images(nn.Module):
    """Outputs that Keras makes by operations that say nothing of channels, or by layers that have them last alone."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5), nn.LayerNorm(5)

    def forward(self, x):
        y = self.conv(x)
        z = self.fc(y.permute(0, 2, 3, 1))
        return (F.interpolate(y, size=(7, 9)), F.interpolate(y, scale_factor=1.5), F.interpolate(y, (7, 9), mode="bilinear", align_corners=True),
                F.interpolate(y, size=(7, 9), mode="bicubic"), F.interpolate(y, size=(7, 9), mode="area"),
                F.adaptive_avg_pool2d(y, (3, None)), z.permute(0, 3, 1, 2), torch.tanh(self.norm(z)).permute(0, 3, 1, 2))  # fmt: skip


def test_images_of_a_file_that_keras_saved_again_are_as_pytorch_has_them(tmp_path):
    torch.manual_seed(5)
    module, x = Images().eval(), torch.randn(2, 3, 5, 6)
    with torch.no_grad():
        expected = [y.numpy() for y in module(x)]
    export_architecture(module, x, tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", "m.json", "m.pth", "-o", "m.keras", folder=tmp_path)
    model = keras.saving.load_model(tmp_path / "m.keras", compile=False)
    model.save(tmp_path / "again.keras")
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("convert", "again.keras", "-o", "again.json", "-o", "again.pth", folder=tmp_path)
    h5bridge("convert", "again.json", "again.pth", "-o", "back.keras", folder=tmp_path)
    for sources in (["again.keras"], ["again.json", "again.pth"], ["back.keras"]):
        h5bridge("run", *sources, "--input", "x.npy", "--input-layout", "torch", "-o", "y.npz", folder=tmp_path)
        for found, wanted in zip(np.load(tmp_path / "y.npz").values(), expected, strict=True):
            assert_close(found, wanted, 1e-5, sources)
    back = keras.saving.load_model(tmp_path / "back.keras", compile=False)
    for found, wanted in zip(back(np.moveaxis(x.numpy(), 1, -1)), expected, strict=True):
        assert_close(np.moveaxis(keras.ops.convert_to_numpy(found), -1, 1), wanted, 1e-5)


def test_a_file_that_says_no_data_format_tells_it_by_its_input(tmp_path):
    module = nn.Sequential(nn.BatchNorm2d(6, track_running_stats=False))
    nn.init.normal_(module[0].weight)
    export_architecture(module, torch.randn(2, 6, 5, 7), tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    h5bridge("convert", "m.json", "m.pth", "--data-format", "channels_first", "-o", "m.keras", folder=tmp_path)
    keras.saving.load_model(tmp_path / "m.keras", compile=False).save(tmp_path / "again.keras")
    h5bridge("convert", "again.keras", "m.json", "-o", "home.pth", folder=tmp_path)
    home = torch.load(tmp_path / "home.pth")
    assert {name: tensor.tolist() for name, tensor in home.items()} == {name: tensor.tolist() for name, tensor in module.state_dict().items()}
