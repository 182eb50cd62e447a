"""Arguments that a call has by name, or as numbers for words: the exporter and what torch.export.save writes have them alike."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from exported_programs import both_architectures, normal_form, save_both
from keras_helpers import assert_close, keras, predict
from program import h5bridge, needs_libtorch, needs_program

pytestmark = needs_program


def runs_to(folder, source, inputs):
    np.savez(folder / "x.npz", **{name: x.numpy() for name, x in inputs.items()})
    h5bridge("run", *source, "--exact", "--input", folder / "x.npz", "-o", folder / "y.npy")
    return np.load(folder / "y.npy")


class Bags(nn.Module):
    """Bags of one length, whose members count as much as `weights` say."""

    def __init__(self, call):
        super().__init__()
        self.bag, self.call = nn.EmbeddingBag(9, 5, mode="sum"), call

    def forward(self, ids, weights):
        return self.call(self.bag, ids, weights)


CALLS = {
    "by name": lambda bag, ids, weights: bag(ids, per_sample_weights=weights),
    "all by name": lambda bag, ids, weights: bag(per_sample_weights=weights, input=ids),
    "in order": lambda bag, ids, weights: bag(ids, None, weights),
    "behind offsets": lambda bag, ids, weights: bag(ids.flatten(), torch.tensor([0, 3, 6, 9]), weights.flatten()),
    "before offsets": lambda bag, ids, weights: bag(ids.flatten(), per_sample_weights=weights.flatten(), offsets=torch.tensor([0, 2, 7])),
}


@needs_libtorch
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_weights_of_bags_count_however_they_are_given(call, tmp_path):
    torch.manual_seed(2)
    module = Bags(call).eval()
    inputs = {"ids": torch.randint(9, (4, 3)), "weights": torch.rand(4, 3)}
    expected = module(**inputs).detach().numpy()
    save_both(module, tuple(inputs.values()), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program["layers"] == by_exporter["layers"]
    for source in ([tmp_path / "m.pt2"], [tmp_path / "m.json", tmp_path / "m.pth"]):
        assert runs_to(tmp_path, source, inputs).tobytes() == expected.tobytes()
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.keras")
    (found,) = predict(keras.saving.load_model(tmp_path / "m.keras"), list(inputs.values())).values()
    assert_close(found, expected, 1e-6)


@needs_libtorch
def test_weights_of_bags_may_be_named_in_the_description(tmp_path):
    torch.manual_seed(2)
    module = Bags(CALLS["by name"]).eval()
    inputs = {"ids": torch.randint(9, (4, 3)), "weights": torch.rand(4, 3)}
    expected = module(**inputs).detach().numpy()
    save_both(module, tuple(inputs.values()), tmp_path)
    description = json.loads((tmp_path / "m.json").read_text())
    description["layers"][0] |= {"inputs": ["ids"], "named_inputs": {"per_sample_weights": "weights"}}
    (tmp_path / "m.json").write_text(json.dumps(description))
    source = [tmp_path / "m.json", tmp_path / "m.pth"]
    assert runs_to(tmp_path, source, inputs).tobytes() == expected.tobytes()
    h5bridge("convert", *source, "-o", tmp_path / "m.keras")
    (found,) = predict(keras.saving.load_model(tmp_path / "m.keras"), list(inputs.values())).values()
    assert_close(found, expected, 1e-6)


class Distances(nn.Module):
    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def forward(self, x, y):
        return torch.cdist(x, y, compute_mode=self.mode)


@needs_libtorch
@pytest.mark.parametrize("mode", ["use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"])
def test_how_distances_are_computed_is_told(mode, tmp_path):
    torch.manual_seed(3)
    module, inputs = Distances(mode), {"x": 40 + torch.randn(2, 30, 4), "y": 40 + torch.randn(2, 28, 4)}
    save_both(module, tuple(inputs.values()), tmp_path)
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program["layers"] == by_exporter["layers"]
    assert runs_to(tmp_path, [tmp_path / "m.pt2"], inputs).tobytes() == module(**inputs).numpy().tobytes()
