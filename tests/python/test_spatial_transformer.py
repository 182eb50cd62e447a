"""A spatial transformer, which moves its image by a matrix that it computes, and the settings of distances: by the exporter and by .pt2."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from exported_programs import save_both
from keras_helpers import assert_close, keras, keras_layout
from program import h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]


class SpatialTransformer(nn.Module):
    def __init__(self, aligned):
        super().__init__()
        self.aligned = aligned
        self.localization = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.matrix = nn.Linear(16, 6)
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x):
        matrix = self.matrix(self.localization(x)).view(-1, 2, 3)
        grid = F.affine_grid(matrix, x.size(), align_corners=self.aligned)
        return self.conv(F.grid_sample(x, grid, align_corners=self.aligned))


@pytest.mark.parametrize("source", [("m.json", "m.pth"), ("m.pt2",)], ids=["exporter", "pt2"])
@pytest.mark.parametrize("aligned", [False, True])
def test_a_spatial_transformer_goes_to_keras_and_runs(aligned, source, tmp_path):
    torch.manual_seed(2)
    network, x = SpatialTransformer(aligned).eval(), torch.randn(3, 3, 9, 11)
    save_both(network, (x,), tmp_path)
    expected = network(x).detach().numpy()
    sources = [tmp_path / name for name in source]
    h5bridge("convert", *sources, "-o", tmp_path / "m.keras", "-o", tmp_path / "read.json")
    found = keras.models.load_model(tmp_path / "m.keras").predict(keras_layout(x.numpy()), verbose=0)
    assert_close(np.moveaxis(found, -1, 1), expected, 1e-5)
    name = json.loads((tmp_path / "read.json").read_text())["inputs"][0]["name"]
    np.savez(tmp_path / "x.npz", **{name: x.numpy()})
    h5bridge("run", *sources, "--exact", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


@pytest.mark.parametrize("mode", ["use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist", "use_mm_for_euclid_dist_if_necessary"])
def test_the_way_to_distances_is_kept(mode, tmp_path):
    class Distances(nn.Module):
        def forward(self, x, y):
            return torch.cdist(x, y, compute_mode=mode)

    x, y = torch.randn(30, 5), torch.randn(31, 5)
    torch.export.save(torch.export.export(Distances(), (x, y)), tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json")
    (layer,) = json.loads((tmp_path / "m.json").read_text())["layers"]
    assert layer.get("attributes", {}).get("compute_mode", "use_mm_for_euclid_dist_if_necessary") == mode
