"""Transposed convolutions that Keras has no layer for, where what they take is not in a row in memory: behind a convolution whose
channels come last, on both of Keras's backends."""

import json

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, jax_outputs, keras, keras_layout, predict, run_jax
from program import h5bridge, needs_program

pytestmark = needs_program

NETWORKS = {
    "1d": ([4, 9], (4, 6, 3), (6, 4, 3), {"stride": 2, "groups": 2}),
    "2d": ([4, 5, 6], (4, 6, 3), (6, 4, 3), {"stride": [2, 3], "groups": 2, "output_padding": 1}),
    "2d, open": ([4, "height", "width"], (4, 6, 3), (6, 4, 3), {"stride": [3, 2], "groups": 2, "padding": 1}),
    "3d": ([4, 4, 5, 6], (4, 6, 2), (6, 4, 2), {"stride": [2, 1, 2], "groups": 2}),
    "with dilation": ([4, 5, 6], (4, 6, 3), (6, 4, 3), {"stride": 2, "dilation": 2}),
}


def made(name, folder):
    """The files of one of them, what it is given and what PyTorch gives."""
    shape, convolution, transposed, settings = NETWORKS[name]
    torch.manual_seed(1)
    axes = len(shape) - 1
    module = torch.nn.Sequential(
        getattr(torch.nn, f"Conv{axes}d")(*convolution, padding=1),
        getattr(torch.nn, f"ConvTranspose{axes}d")(*transposed, **{key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}),
    )
    attributes = [dict(zip(("in_channels", "out_channels", "kernel_size"), of)) for of in (convolution, transposed)]
    layers = [{"name": "0", "type": f"Conv{axes}d", "attributes": attributes[0] | {"padding": 1}},
              {"name": "1", "type": f"ConvTranspose{axes}d", "attributes": attributes[1] | settings}]  # fmt: skip
    network = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", *shape], "dtype": "float32"}], "layers": layers, "outputs": ["1"]}
    (folder / "m.json").write_text(json.dumps(network))
    torch.save(module.state_dict(), folder / "m.pth")
    x = torch.randn(2, *(7 if isinstance(size, str) else size for size in shape))
    np.savez(folder / "keras_inputs.npz", x=keras_layout(x.numpy()))
    h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
    return keras_layout(module(x).detach().numpy())


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp("spread") for name in NETWORKS}
    expected = {name: made(name, folder) for name, folder in folders.items()}
    run_jax(folders.values())
    return folders, expected


@pytest.mark.parametrize("name", NETWORKS)
def test_keras_gives_what_pytorch_does(name, networks):
    folder, expected = networks[0][name], networks[1][name]
    model = keras.models.load_model(folder / "m.h5", compile=False)
    on_torch = predict(model, list(np.load(folder / "keras_inputs.npz").values()))
    for found in (*on_torch.values(), *jax_outputs(folder).values()):
        assert_close(found, expected, 1e-5, name)
