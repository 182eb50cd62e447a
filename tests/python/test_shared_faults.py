"""The folders of ../shared/faults: files of real Keras and PyTorch that were once read wrong, with the right answers.

A case is a folder, commands of the program in a row ("{}" is the folder), and what holds after the last one. The folders are no part
of the sources; where they are missing, their cases are skipped.
"""

import importlib
import json
import shlex
import sys
from typing import Callable, NamedTuple

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, assert_same_weights, h5py, optimizer_of, weights_of
from program import ROOT, h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

FAULTS = ROOT.parent / "shared" / "faults"
TOLERANCE = 1e-5
pytestmark = [needs_program, needs_libtorch]


def folder_of(name):
    folder = FAULTS / name
    if not folder.exists():
        pytest.skip(f"{folder} is missing")
    return folder


def gives_outputs(file, framework="keras"):
    """What was computed is the folder's outputs.npz, under the names that the framework of the sources has for it."""

    def check(folder, tmp_path, printed):
        expected = np.load(folder / "outputs.npz")
        found = np.load(tmp_path / file)
        if framework == "any":  # one output, which the two frameworks call differently
            names = list(found)
        else:
            names = list(expected) if framework == "keras" else ["output", *(f"output_{i}" for i in range(1, len(expected)))]
        assert sorted(found) == sorted(names)
        for name, keras_name in zip(names, expected, strict=True):
            assert_close(found[name], expected[keras_name], TOLERANCE, name)

    return check


def has_weights_of_model(file):
    """Every weight of the folder's model.h5 is there, by its name and bit for bit."""

    def check(folder, tmp_path, printed):
        assert_same_weights(weights_of(tmp_path / file), weights_of(folder / "model.h5"))

    return check


def has_optimizer_of_model(file):
    """The optimizer is the folder's model.h5's: settings, state, and what it was compiled with."""

    def check(folder, tmp_path, printed):
        for path in (tmp_path / file, folder / "model.h5"):
            with h5py.File(path) as h5:
                config = json.loads(h5.attrs["training_config"])
            assert config["optimizer_config"]["config"]["weight_decay"] == 0.1 and config["optimizer_config"]["config"]["clipnorm"] == 0.5
        found, expected = optimizer_of(tmp_path / file), optimizer_of(folder / "model.h5")
        assert list(found) == list(expected) and all(np.array_equal(found[name], expected[name]) for name in expected)

    return check


def says(*parts):
    def check(folder, tmp_path, printed):
        for part in parts:
            assert part in printed

    return check


def has_momentum_by_name(file, truth):
    """Keras's momentum of every layer is the exp_avg that PyTorch has of it, in the folder's `truth`."""

    def check(folder, tmp_path, printed):
        variables, expected = optimizer_of(tmp_path / file), np.load(folder / truth)
        for name in expected:
            layer, weight = name.split(".")
            suffix = f"{layer}_{'kernel' if weight == 'weight' else 'bias'}_momentum"
            found = next(variable for path, variable in variables.items() if path.endswith(suffix))
            assert np.array_equal(found, expected[name].T), name

    return check


def has_optimizer_of_model(file):
    """Every variable of the optimizer of the folder's model.h5 is there; Keras counts optimizers in their names."""

    def check(folder, tmp_path, printed):
        found = {path.split("/", 1)[1]: v for path, v in optimizer_of(tmp_path / file).items()}
        expected = {path.split("/", 1)[1]: v for path, v in optimizer_of(folder / "model.h5").items()}
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], variable) for name, variable in expected.items())

    return check


class Case(NamedTuple):
    folder: str
    commands: list[str]
    expected: Callable
    status: int = 0  # of the last command


RUN = "run {}/model.h5 --input {}/inputs.npz -o out.npz"
TO_TORCH = "convert {}/model.h5 -o model.json -o model.pth"
RUN_TORCH = "run model.json model.pth --input {}/inputs.npz --input-layout keras -o out.npz"
BACK = "convert model.json model.pth -o back.h5"
TO_KERAS = "convert {}/model.json {}/%s -o model.h5"
RUN_KERAS = "run model.h5 --input {}/inputs.npz --input-layout torch -o out.npz"
TWO_WAYS = says("in which order its 2 groups", "named_parameters()", "--param-order", "--no-optimizer")
TO_CHECKPOINT = "convert {}/model.h5 -o ck.pth --checkpoint"
OTHER_NETWORK = says('layer "act" has GELU here, ReLU there')

CASES = [
    *(
        Case(f"shared_layer_names/{network}", commands, expected)
        for network in ("siamese", "three_calls")
        for commands, expected in (
            ([RUN], gives_outputs("out.npz")),
            ([TO_TORCH, RUN_TORCH], gives_outputs("out.npz", "torch")),
            ([TO_TORCH, BACK], has_weights_of_model("back.h5")),
            ([TO_TORCH, BACK, "run back.h5 --input {}/inputs.npz -o out.npz"], gives_outputs("out.npz")),
        )
    ),
    Case("layout_of_outputs", [RUN], gives_outputs("out.npz")),
    Case("layout_of_outputs", [TO_TORCH, RUN_TORCH], gives_outputs("out.npz", "torch")),
    Case("layout_of_outputs", [TO_TORCH, BACK], has_weights_of_model("back.h5")),
    Case("nested_model_called_twice", ["inspect {}/model.h5"], says("base.")),
    Case("nested_model_called_twice", ["validate {}/model.h5"], says("valid")),
    Case("nested_model_called_twice", [RUN], gives_outputs("out.npz", "keras")),
    Case("nested_model_called_twice", [TO_TORCH, BACK], has_weights_of_model("back.h5")),
    *(
        Case("optimizer_groups_same_shape", [command], TWO_WAYS, 4)
        for command in (TO_KERAS % "two.pth", TO_KERAS % "two_lr.pth", "convert {}/model.json {}/two.pth -o two.ckpt --checkpoint")
    ),
    Case("optimizer_groups_same_shape", ["validate {}/model.json {}/two.pth"], says("valid")),
    Case("optimizer_groups_same_shape", [TO_KERAS % "two.pth --no-optimizer", RUN_KERAS], gives_outputs("out.npz", "any")),
    Case("unused_parameters", [TO_KERAS % "model.ckpt.pth", RUN_KERAS], gives_outputs("out.npz", "any")),
    Case("unused_parameters", [TO_KERAS % "model.ckpt.pth --no-optimizer"], says("")),
    Case("unused_parameters", ["validate {}/model.json {}/model.ckpt.pth"], says("valid")),
    Case("lightning_prefix", [TO_KERAS % "lightning.ckpt", "validate {}/model.json {}/lightning.ckpt"], says("valid")),
    *(
        Case(f"lightning_checkpoint/{names}", [TO_KERAS % "last.ckpt", RUN_KERAS], gives_outputs("out.npz", "any"))
        for names in ("plain", "prefixed")
    ),
    Case("transfer_checkpoint_refused", ["convert {}/m.json {}/m.ckpt.pth -o back.h5"], has_optimizer_of_model("back.h5")),
    Case(
        "transfer_checkpoint_refused",
        ["convert {}/model.h5 -o m.json -o m.ckpt.pth --checkpoint", "convert m.json m.ckpt.pth -o back.h5"],
        has_optimizer_of_model("back.h5"),
    ),
    *(
        Case("tied_weights", [TO_KERAS % file, RUN_KERAS], expected)
        for file, expected in (("model.pth", gives_outputs("out.npz", "any")), ("ckpt.pth", gives_outputs("out.npz", "any")))
    ),
    Case("json_overrides_h5", ["validate {}/model.h5 {}/net.json"], OTHER_NETWORK, 1),
    Case("json_overrides_h5", ["convert {}/model.h5 {}/net.json -o out.pth --check"], OTHER_NETWORK, 3),
    Case("json_overrides_h5", ["verify {}/model.h5 {}/net.json --input {}/inputs.npz --expect {}/outputs.npz"], OTHER_NETWORK, 3),
    Case("check_float_embedding", ["convert {}/model.h5 -o m.pth --check"], says("m.pth: agrees")),
    Case("check_float_embedding", ["compare {}/model.h5 {}/model.h5 --random-inputs 50"], says("tensors agree")),
    Case("bicubic_of_tensorflow", [RUN], gives_outputs("out.npz")),
    Case("bicubic_of_tensorflow", [TO_TORCH, RUN_TORCH], gives_outputs("out.npz", "torch")),
    Case("bicubic_of_tensorflow", [TO_TORCH, BACK, "run back.h5 --input {}/inputs.npz -o out.npz"], gives_outputs("out.npz")),
    Case("keras_optimizer_settings_dropped", [TO_CHECKPOINT + " --json"], says("weight_decay = 0.1", "AdamW", "clipnorm = 0.5 is left out")),
    Case("keras_optimizer_settings_dropped", [TO_CHECKPOINT + " --lossless"], says("weight_decay = 0.1"), 4),
    Case("keras_optimizer_settings_dropped", [TO_CHECKPOINT, "convert {}/m.json ck.pth -o back.h5"], has_optimizer_of_model("back.h5")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder}: {case.commands[-1].split()[0]} after {len(case.commands) - 1}")
def test_shared_fault(case, tmp_path):
    folder = folder_of(case.folder)
    for command in case.commands:
        status = case.status if command is case.commands[-1] else 0
        printed = h5bridge(*(word.replace("{}", str(folder)) for word in shlex.split(command)), status=status, folder=tmp_path)
    case.expected(folder, tmp_path, printed)


def test_groups_of_one_shape_whose_order_is_stated(tmp_path):
    folder = folder_of("optimizer_groups_same_shape")
    names = [[f"{layer}.{weight}" for layer in group for weight in ("weight", "bias")] for group in (["first"], ["second", "out"])]
    (tmp_path / "names.json").write_text(json.dumps(names))
    h5bridge("convert", folder / "model.json", folder / "two.pth", "-o", "two.h5", "--param-order", "names.json", folder=tmp_path)
    has_momentum_by_name("two.h5", "two.truth.npz")(folder, tmp_path, "")


def test_the_order_of_registration_on_the_way_home(tmp_path, monkeypatch):
    folder = folder_of("optimizer_order")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "net", raising=False)
    module = importlib.import_module("net").Net()
    monkeypatch.delitem(sys.modules, "net")
    export_architecture(module, torch.zeros(2, 4), tmp_path / "model.json")
    convert = ["convert", folder / "keras.h5", "-o", tmp_path / "home.pth", "--checkpoint"]
    # The folder's own architecture is from before it said in which order PyTorch registers parameters.
    assert "export it again" in h5bridge(*convert, folder / "model.json", status=4)
    h5bridge(*convert, tmp_path / "model.json")
    checkpoint = torch.load(tmp_path / "home.pth")
    assert list(checkpoint["model_state_dict"]) == list(module.state_dict())
    optimizer = torch.optim.Adam(module.parameters())
    module.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    variables = np.load(folder / "keras_optimizer.npz")
    for name, parameter in module.named_parameters():
        layer, weight = name.split(".")
        path = next(p for p in variables if p.endswith(f"{layer}_{'kernel' if weight == 'weight' else 'bias'}_momentum"))
        assert np.array_equal(optimizer.state[parameter]["exp_avg"].numpy().T, variables[path]), name


def test_copies_that_keras_trained_apart(tmp_path):
    folder = folder_of("tied_weights")
    tied = json.loads((folder / "model.json").read_text()) | {"tied": [["tok.weight", "head.weight"]]}  # as the exporter says it now
    (tmp_path / "tied.json").write_text(json.dumps(tied))
    convert = ["convert", folder / "keras.h5", "tied.json", "-o", "home.pth"]
    assert "head.weight differs from tok.weight" in h5bridge(*convert, status=3, folder=tmp_path)
    h5bridge(*convert, "--untie", folder=tmp_path)
