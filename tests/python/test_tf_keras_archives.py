"""Archives (.keras) of tf.keras: of its first form (2.12, 2.13), whose layers are counted in another way, and of today's."""

import numpy as np
import pytest

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
