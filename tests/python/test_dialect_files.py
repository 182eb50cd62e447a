"""Files of Keras 2 and tf.keras, to real Keras 3 and to PyTorch: those of testdata/dialects. test_keras_files.py has people's.

testdata/dialects/make.py tells what the version of each file computes, and the moments that its optimizer holds.
"""

from itertools import permutations

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, h5py, input_names, keras, predict
from program import ROOT, h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]

DIALECTS = sorted(path.parent for path in (ROOT / "testdata" / "dialects").glob("*/model.h5"))
WITH_OPTIMIZER = [folder for folder in DIALECTS if (folder / "optimizer.npz").exists()]
TOLERANCE = 1e-6  # of the largest value


def name_of(folder):
    return folder.name


def sources(file):
    """A file, and the configuration beside it where it has none of its own."""
    beside = file.with_suffix(".json")
    return [beside, file] if beside.exists() else [file]


def assert_keras_agrees(path, folder):
    model = keras.models.load_model(path)
    inputs, expected = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    found = predict(model, [inputs[name] for name in input_names(model)])
    assert len(found) == len(expected)
    for value, (name, answer) in zip(found.values(), expected.items()):
        assert_close(value, answer, TOLERANCE, name)


@pytest.mark.parametrize("folder", DIALECTS, ids=name_of)
def test_keras_3_loads_what_is_written(folder, tmp_path):
    h5bridge("convert", *sources(folder / "model.h5"), "-o", tmp_path / "back.h5")
    assert_keras_agrees(tmp_path / "back.h5", folder)


@pytest.mark.parametrize("folder", DIALECTS, ids=name_of)
def test_keras_3_loads_what_comes_back_from_pytorch(folder, tmp_path):
    in_torch = [tmp_path / "model.json", tmp_path / "model.pth"]
    h5bridge("convert", *sources(folder / "model.h5"), "-o", in_torch[0], "-o", in_torch[1])
    h5bridge("convert", *in_torch, "-o", tmp_path / "back.h5")
    assert_keras_agrees(tmp_path / "back.h5", folder)


def arrangements(array):
    """Functions that lay a Keras weight out in PyTorch's ways: axes in another order, a GRU's gates r, z, n, too."""

    def gates(x, order):
        return x if order is None else np.concatenate([np.split(x, 3, axis=-1)[i] for i in order], axis=-1)

    for order in (None, (1, 0, 2)) if array.shape[-1] % 3 == 0 else (None,):
        for axes in permutations(range(array.ndim)):
            yield lambda x, order=order, axes=axes: gates(x, order).transpose(axes)


def arrangement_of(parameter, weights):
    """(name of the Keras weight, its arrangement) that gives the parameter. Weights are random: there is one."""
    for name, weight in weights.items():
        if weight.size == parameter.size:
            for arranged in arrangements(weight):
                if np.array_equal(arranged(weight).reshape(parameter.shape), parameter):
                    return name, arranged
    raise AssertionError("no weight of the file is this parameter")


def variables_of(path):
    """All variables of the layers, by their names in the file without the number of the output."""
    with h5py.File(path) as file:
        groups = file["model_weights"]
        return {name.decode().removesuffix(":0"): groups[layer][name][()] for layer in groups
                for name in groups[layer].attrs["weight_names"]}  # fmt: skip


@pytest.mark.parametrize("folder", WITH_OPTIMIZER, ids=name_of)
def test_adams_moments_belong_to_their_parameters(folder, tmp_path):
    checkpoint = ["--checkpoint", "--epoch", 1, "--loss", 0]
    h5bridge("convert", folder / "model.h5", "-o", tmp_path / "model.json", "-o", tmp_path / "model.pth", *checkpoint)
    found = torch.load(tmp_path / "model.pth")
    moments = np.load(folder / "optimizer.npz")
    trained = {name.removesuffix("/m") for name in moments if name.endswith("/m")}
    weights = {name: value for name, value in variables_of(folder / "model.h5").items() if name in trained}
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    parameters = [p.numpy() for name, p in found["model_state_dict"].items() if not name.endswith(buffers)]
    optimizer = found["optimizer_state_dict"]
    assert optimizer["param_groups"][0]["lr"] == pytest.approx(0.002)
    assert optimizer["param_groups"][0]["betas"] == (0.9, 0.99)
    assert len(optimizer["state"]) == len(parameters)
    seen = set()
    for parameter, state in zip(parameters, optimizer["state"].values()):
        assert state["step"] == 37
        if not parameter.any():
            continue  # the second bias of a recurrent layer, of which Keras has one
        name, arranged = arrangement_of(parameter, weights)
        for slot, moment in (("exp_avg", "m"), ("exp_avg_sq", "v")):
            expected = arranged(moments[f"{name}/{moment}"]).reshape(parameter.shape)
            assert np.array_equal(state[slot].numpy(), expected), (name, slot)
        seen.add(name)
    assert seen == trained


def kept_beside(path):
    """What h5bridge keeps in its own group, by name."""
    with h5py.File(path) as file:
        tensors = file["h5bridge/tensors"].values()
        return {tensor.attrs["name"]: tensor[()] for tensor in tensors if tensor.attrs["name"].startswith("unscaled/")}


def test_gates_as_they_were_before_they_were_multiplied_stay_beside_them(tmp_path):
    """Multiplying by 1.2 cannot be undone to the bit."""
    source = ROOT / "testdata" / "dialects" / "keras_2_0" / "model.h5"
    h5bridge("convert", source, "-o", tmp_path / "once.h5")
    h5bridge("convert", tmp_path / "once.h5", "-o", tmp_path / "twice.h5")
    with h5py.File(source) as file:
        groups = file["model_weights"]
        expected = {f"unscaled/{layer}/{name.decode()}": groups[layer][name][()] for layer in ("gru_1", "lstm_1")
                    for name in groups[layer].attrs["weight_names"]}  # fmt: skip
    for path in (tmp_path / "once.h5", tmp_path / "twice.h5"):
        kept = kept_beside(path)
        assert kept.keys() == expected.keys() and len(kept) == 6
        assert all(np.array_equal(kept[name], expected[name]) for name in kept)
