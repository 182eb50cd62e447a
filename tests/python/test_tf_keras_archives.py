"""Archives (.keras) of tf.keras: of its first form (2.12, 2.13), whose layers are counted in another way, and of today's."""

import numpy as np
import pytest
import torch

from keras_helpers import assert_close
from program import ROOT, needs_libtorch, needs_program, run_program

pytestmark = [needs_program, needs_libtorch]
FOLDER = ROOT / "testdata" / "tf_keras_archives"


@pytest.mark.parametrize("name", ["tf_keras_2_12", "tf_keras_2_21"])
def test_it_computes_what_it_did(name, tmp_path):
    data = np.load(FOLDER / f"{name}.npz")
    np.save(tmp_path / "x.npy", data["x"])
    run_program("run", FOLDER / f"{name}.keras", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert_close(np.load(tmp_path / "y.npy"), data["y"], 1e-6, name)


@pytest.mark.parametrize("name", ["tf_keras_2_12", "tf_keras_2_21"])
def test_keras_3_and_2_load_what_it_becomes(name, tmp_path):
    data = np.load(FOLDER / f"{name}.npz")
    np.save(tmp_path / "x.npy", data["x"])
    for suffix, arguments in (("keras", []), ("h5", ["--keras", "2"])):
        run_program("convert", FOLDER / f"{name}.keras", "-o", tmp_path / f"k.{suffix}", *arguments)
        run_program("run", tmp_path / f"k.{suffix}", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
        assert_close(np.load(tmp_path / "y.npy"), data["y"], 1e-6, name)


@pytest.mark.parametrize("name", ["tf_keras_2_12", "tf_keras_2_21"])
def test_the_optimizer_goes_on_in_pytorch(name, tmp_path):
    """It was compiled with "adam", and has made one step: of a gradient g its moments are 0.1 g and 0.001 g * g."""
    run_program("convert", FOLDER / f"{name}.keras", "-o", tmp_path / "m.json", "-o", tmp_path / "m.pth", "--checkpoint", "--epoch", "1", "--loss", "0")
    checkpoint = torch.load(tmp_path / "m.pth", weights_only=True)
    shapes = [tuple(tensor.shape) for key, tensor in checkpoint["model_state_dict"].items() if "running" not in key and "num_batches" not in key]
    state = checkpoint["optimizer_state_dict"]["state"]
    assert [tuple(slots["exp_avg"].shape) for slots in state.values()] == shapes
    assert checkpoint["optimizer_state_dict"]["param_groups"][0]["lr"] == pytest.approx(0.001)
    for slots in state.values():
        assert int(slots["step"]) == 1
        assert_close((slots["exp_avg"] ** 2 / 10).numpy(), slots["exp_avg_sq"].numpy(), 1e-4, constant=True)
    assert sum(slots["exp_avg"].abs().max() > 0 for slots in state.values()) > len(state) / 2
