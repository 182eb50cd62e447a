"""What `convert --report` says was done: against the files themselves."""

import json

import h5py
import numpy as np
import pytest
import torch

from digits import DIGITS, SOURCES
from keras_helpers import keras
from program import needs_program, run_program

pytestmark = needs_program


def convert(folder, *arguments, status=0):
    run_program("convert", *arguments, "--report", folder / "report.json", status=status)
    return json.loads((folder / "report.json").read_text())


def test_each_tensor_is_followed_to_keras(tmp_path):
    report = convert(tmp_path, *SOURCES, "-o", tmp_path / "digits.h5")
    assert report["written"] and report["refused"] is None and report["framework"] == "PyTorch"
    (destination,) = report["destinations"]
    assert destination["format"] == "keras-h5"
    state = torch.load(DIGITS / "model.pth")
    layers = {layer.name: type(layer).__name__ for layer in keras.saving.load_model(tmp_path / "digits.h5").layers}
    followed = set()
    with h5py.File(tmp_path / "digits.h5") as file:
        for layer in destination["layers"]:
            if layer["destination"] is not None:
                assert layers[layer["destination"]] == layer["destination_type"]
            for weight in layer["weights"]:
                followed.add(weight["tensor"])
                assert weight["source"] == [weight["tensor"]] and weight["exact"]
                if len(weight["destination"]) != 1:
                    continue
                stored = file["model_weights"][layer["destination"]][weight["destination"][0]][()]
                expected = state[weight["tensor"]].numpy()
                assert stored.size == expected.size and np.array_equal(np.sort(stored.ravel()), np.sort(expected.ravel()))
                assert bool(weight["steps"]) == (stored.shape != expected.shape) or stored.ndim == 2
    assert followed == set(state)
    named = {layer["destination"] for layer in destination["layers"]} | {layer["name"] for layer in destination["added"]}
    assert set(layers) <= named


def test_the_way_home_names_keras_variables(tmp_path):
    run_program("convert", *SOURCES, "-o", tmp_path / "digits.h5")
    report = convert(tmp_path, tmp_path / "digits.h5", "-o", tmp_path / "home.pth", "-o", tmp_path / "home.json")
    assert report["framework"] == "Keras"
    torch_file = report["destinations"][0]
    assert torch_file["format"] == "torch"
    state = torch.load(tmp_path / "home.pth")
    with h5py.File(tmp_path / "digits.h5") as file:
        variables = {name for layer in file["model_weights"].values() if "weight_names" in layer.attrs for name in layer.attrs["weight_names"]}
    weights = [weight for layer in torch_file["layers"] for weight in layer["weights"]]
    assert {name for weight in weights for name in weight["source"]} == variables
    assert {name for weight in weights for name in weight["destination"]} == set(state)
    kernel = next(weight for weight in weights if any(name.endswith("kernel") for name in weight["source"]))
    assert kernel["undone"] and "axes" in kernel["undone"][0]


def test_notes_and_what_rides_along_are_told(tmp_path):
    state = torch.load(DIGITS / "model.pth") | {"extra.thing": torch.ones(2)}
    torch.save(state, tmp_path / "more.pth")
    report = convert(tmp_path, SOURCES[0], tmp_path / "more.pth", "-o", tmp_path / "x.h5", "--allow-unexpected")
    assert report["carried"] == ["extra.thing"] and "extra.thing" in report["destinations"][0]["tensors_beside"]
    (tmp_path / "x.h5").unlink()
    report = convert(tmp_path, *SOURCES, "-o", tmp_path / "x.h5", "--dry-run")
    assert not report["written"] and not (tmp_path / "x.h5").exists() and set(report["notes"]) == {"reading", "writing"}


@pytest.mark.parametrize("status", [2, 3, 5])
def test_a_refusal_is_told(status, tmp_path):
    torch.save({"other.weight": torch.ones(2)}, tmp_path / "other.pth")
    sources = {2: [SOURCES[1]], 3: [SOURCES[0], tmp_path / "other.pth"], 5: [tmp_path / "none.pth"]}[status]
    report = convert(tmp_path, *sources, "-o", tmp_path / "x.h5", status=status)
    assert report["refused"]["status"] == status and report["refused"]["message"] and not report["written"]
    assert not (tmp_path / "x.h5").exists()


def test_a_report_is_a_file_of_its_own(tmp_path):
    message = run_program("convert", *SOURCES, "-o", tmp_path / "x.json", "--report", tmp_path / "x.json", status=2)
    assert "twice" in message
    assert "--each" in run_program("convert", *SOURCES, "--each", "--to", "torch", "-o", tmp_path / "f", "--report", tmp_path / "r.json", status=2)
