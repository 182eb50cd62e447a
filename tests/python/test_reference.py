"""Inputs and outputs that a file keeps of its model: written by `convert`, replayed by `verify`, carried from file to file."""

import base64
import json

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch

from digits import DIGITS, SOURCES, digits
from keras_helpers import keras
from program import needs_libtorch, needs_program, run_program
from test_checks import h5bridge as run

pytestmark = [needs_program, needs_libtorch]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "digits.h5"
    run_program("convert", *SOURCES, "-o", path, "--reference", 3, "--seed", 5)
    return path


def arrays_in(path):
    with h5py.File(path) as file:
        tensors = file["h5bridge/tensors"].values()
        return {tensor.attrs["name"]: tensor[()] for tensor in tensors if tensor.attrs["name"].startswith("reference/")}


def test_inspect_says_whose_it_is(kept, tmp_path):
    run_program("convert", kept, "-o", tmp_path / "x.pth")
    for path in (kept, tmp_path / "x.pth"):
        reference = json.loads(run_program("inspect", "--json", path))["metadata"]["reference"]
        assert reference["by"].startswith("LibTorch 2") and reference["inputs"] == {"x": [3, 1, 8, 8]}
        assert "reference: by LibTorch 2" in run_program("inspect", path)


def test_what_is_kept_is_what_pytorch_computes(kept):
    arrays = arrays_in(kept)
    assert arrays["reference/inputs/0"].shape[0] == 3
    with torch.no_grad():
        expected = digits()(torch.from_numpy(arrays["reference/inputs/0"])).numpy()
    assert np.allclose(arrays["reference/outputs/0"], expected, rtol=1e-5, atol=1e-6)


def test_a_file_that_computes_the_same_agrees(kept):
    printed = run_program("verify", kept)
    assert "LibTorch" in printed and "agrees" in printed
    found = json.loads(run_program("verify", kept, "--json"))
    assert found["agrees"] and found["reference_by"].startswith("LibTorch 2") and len(found["outputs"]) == 1


@pytest.mark.parametrize("options", [["x.keras"], ["x.weights.h5"], ["x.h5", "--data-format", "channels_first"]], ids=lambda options: options[0])
def test_it_goes_on_to_other_files(kept, tmp_path, options):
    name, *rest = options
    run_program("convert", kept, "-o", tmp_path / name, *rest)
    beside = [] if not name.endswith(".weights.h5") else [DIGITS / "model.json"]
    assert "agrees" in run_program("verify", *beside, tmp_path / name)
    run_program("convert", *beside, tmp_path / name, "-o", tmp_path / "again.h5")
    assert {name: array.tobytes() for name, array in arrays_in(tmp_path / "again.h5").items()} == {
        name: array.tobytes() for name, array in arrays_in(kept).items()
    }


def test_what_is_left_out_of_several_is_said_once(kept, tmp_path):
    said = run("convert", kept, "-o", "a.json", "-o", "b.json", folder=tmp_path).stderr
    assert "note: a.json, b.json: left out: the reference" in said and said.count("left out: the reference") == 1


def test_rows_that_contradict_each_other_are_refused(tmp_path):
    command = ["convert", *SOURCES, "-o", tmp_path / "x.h5", "--reference", 4, "--input-shape"]
    assert "--reference 4 asks for 4 rows, and the shape given for an input has 2" in run_program(*command, "x=2,1,8,8", status=2)
    assert not list(tmp_path.iterdir())
    run_program(*command, "x=4,1,8,8")


def test_keras_loads_the_file_as_ever(kept):
    model = keras.saving.load_model(kept)
    arrays = arrays_in(kept)
    found = model(np.moveaxis(arrays["reference/inputs/0"], 1, -1))
    assert np.allclose(keras.ops.convert_to_numpy(found), arrays["reference/outputs/0"], rtol=1e-4, atol=1e-5)


def test_the_layer_that_was_changed_is_named(kept, tmp_path):
    path = tmp_path / "changed.h5"
    path.write_bytes(kept.read_bytes())
    with h5py.File(path, "r+") as file:
        names = list(file["model_weights"].attrs["layer_names"])
        layer = [name for name in names if len(file["model_weights"][name].attrs["weight_names"])][1]
        weights = file["model_weights"][layer]
        kernel = weights[weights.attrs["weight_names"][0]]
        kernel[...] = kernel[()] * 1.5 + 0.1
    printed = run_program("verify", path, status=1)
    assert "does not agree" in printed
    found = json.loads(run_program("verify", path, "--json", status=1))
    assert found["first_layer"]["name"].replace(".", "_") == layer
    assert "expected" in found["first_layer"]["problem"] and f'"{found["first_layer"]["name"]}"' in printed


def test_outputs_of_the_framework_itself_are_kept(tmp_path):
    given = ["--input", DIGITS / "inputs.npz", "--expect", DIGITS / "outputs.npz"]
    run_program("convert", *SOURCES, "-o", tmp_path / "digits.h5", *given)
    assert arrays_in(tmp_path / "digits.h5")["reference/outputs/0"].tobytes() == np.load(DIGITS / "outputs.npz")["output"].tobytes()
    printed = run_program("verify", tmp_path / "digits.h5")
    assert "whoever gave the outputs" in printed and "agrees" in printed
    # Laid out as Keras has them they are the same.
    x = np.load(DIGITS / "inputs.npz")["x"]
    np.save(tmp_path / "x.npy", np.moveaxis(x, 1, -1))
    run_program("convert", tmp_path / "digits.h5", "-o", tmp_path / "keras.h5", "--input", tmp_path / "x.npy", "--expect", DIGITS / "outputs.npz")
    assert arrays_in(tmp_path / "keras.h5")["reference/inputs/0"].tobytes() == x.tobytes()
    np.save(tmp_path / "wrong.npy", np.load(DIGITS / "outputs.npz")["output"] + 1)
    run_program("convert", *SOURCES, "-o", tmp_path / "wrong.h5", *given[:2], "--expect", tmp_path / "wrong.npy")
    assert "does not agree" in run_program("verify", tmp_path / "wrong.h5", status=1)


def test_rounded_weights_have_a_reference_of_their_own(kept, tmp_path):
    run_program("convert", *SOURCES, "-o", tmp_path / "half.h5", "--dtype", "float16", "--reference", 2)
    assert "agrees" in run_program("verify", tmp_path / "half.h5")
    assert "agrees" in run_program("verify", kept, "--dtype", "float16", "--atol", "0.1")
    run_program("convert", kept, "-o", tmp_path / "rounded.h5", "--dtype", "float16")
    assert arrays_in(tmp_path / "rounded.h5") == {}


def test_what_has_no_reference_says_how_to_make_one(tmp_path):
    run_program("convert", *SOURCES, "-o", tmp_path / "digits.h5")
    message = run_program("verify", tmp_path / "digits.h5", status=2)
    assert "--reference" in message and "--expect" in message
    for half in (["--input", DIGITS / "inputs.npz"], ["--expect", DIGITS / "outputs.npz"]):
        assert "--expect" in run_program("verify", *SOURCES, *half, status=2)


@pytest.mark.parametrize("suffix", ["pth", "ts", "safetensors"])
def test_files_of_pytorch_keep_it_out_of_the_way(suffix, kept, tmp_path):
    path = tmp_path / f"x.{suffix}"
    run_program("convert", kept, "-o", path)
    beside = [] if suffix == "ts" else [DIGITS / "model.json"]
    assert "the reference by LibTorch" in run_program("verify", *beside, path)
    run_program("convert", *beside, path, "-o", tmp_path / "again.h5", *(["-o", tmp_path / "again.safetensors"] if suffix == "pth" else []))
    assert {name: array.tobytes() for name, array in arrays_in(tmp_path / "again.h5").items()} == {
        name: array.tobytes() for name, array in arrays_in(kept).items()
    }
    # PyTorch and safetensors find the file that they would find without it.
    expected, x = digits(), torch.from_numpy(arrays_in(kept)["reference/inputs/0"])
    if suffix == "pth":
        assert list(torch.load(path)) == list(expected.state_dict())
        expected.load_state_dict(torch.load(path, mmap=True), strict=True)
    elif suffix == "ts":
        with torch.no_grad():
            assert torch.equal(torch.jit.load(path)(x), expected(x))
    else:
        assert set(safetensors.torch.load_file(path)) == set(expected.state_dict())
        assert safetensors.torch.load_model(expected, path) == (set(), [])
    # Another model's numbers under it: what was kept does not belong to them.
    state = {name: tensor + 0.5 if tensor.is_floating_point() else tensor for name, tensor in expected.state_dict().items()}
    torch.save(state, tmp_path / "other.pth")
    if suffix == "safetensors":
        with safetensors.safe_open(path, "pt") as file:
            safetensors.torch.save_file(state, tmp_path / "other.safetensors", metadata=file.metadata())
        assert "does not agree" in run_program("verify", *beside, tmp_path / "other.safetensors", status=1)


def test_a_damaged_one_is_an_error(tmp_path):
    state = {name: tensor.contiguous() for name, tensor in digits().state_dict().items()}
    for text in ("no base64", base64.b64encode(b"no tensors").decode()):
        safetensors.torch.save_file(state, tmp_path / "x.safetensors", metadata={"h5bridge.reference": text})
        run_program("verify", DIGITS / "model.json", tmp_path / "x.safetensors", status=3)


def test_a_destination_without_a_place_says_so(kept, tmp_path):
    message = run_program("convert", *SOURCES, "-o", tmp_path / "x.py", "--reference", 2, status=4)
    assert "reference" in message and not (tmp_path / "x.py").exists()
    shards = run_program("convert", *SOURCES, "-o", tmp_path / "x.safetensors.index.json", "--reference", 2, status=4)
    assert "reference" in shards and not list(tmp_path.glob("x*"))
    lossless = run_program("convert", kept, "-o", tmp_path / "x.json", "--lossless", status=4)
    assert "reference" in lossless
    run_program("convert", kept, "-o", tmp_path / "x.json", "-o", tmp_path / "x.pth", "--lossless")
    run_program("convert", *SOURCES, "-o", tmp_path / "y.h5", "--reference", 2, "--input", DIGITS / "inputs.npz", status=2)
