"""The folders of ../shared/faults: files of real Keras and PyTorch that were once read wrong, with the right answers.

A case is a folder, commands of the program in a row ("{}" is the folder), and what holds after the last one. The folders are no part
of the sources; where they are missing, their cases are skipped.
"""

import shlex
from typing import Callable, NamedTuple

import numpy as np
import pytest

from keras_helpers import assert_close, assert_same_weights, weights_of
from program import ROOT, h5bridge, needs_libtorch, needs_program

FAULTS = ROOT.parent / "shared" / "faults"
TOLERANCE = 1e-5
pytestmark = [needs_program, needs_libtorch]


def gives_outputs(file):
    """What was computed is the folder's outputs.npz."""

    def check(folder, tmp_path, printed):
        expected = np.load(folder / "outputs.npz")
        found = np.load(tmp_path / file)
        assert sorted(found) == sorted(expected)
        for name in expected:
            assert_close(found[name], expected[name], TOLERANCE, name)

    return check


def has_weights_of_model(file):
    """Every weight of the folder's model.h5 is there, by its name and bit for bit."""

    def check(folder, tmp_path, printed):
        assert_same_weights(weights_of(tmp_path / file), weights_of(folder / "model.h5"))

    return check


def says(*parts):
    def check(folder, tmp_path, printed):
        for part in parts:
            assert part in printed

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
REFUSED_MODEL = says('layer "base" (Sequential)')

CASES = [
    *(
        Case(f"shared_layer_names/{network}", commands, expected)
        for network in ("siamese", "three_calls")
        for commands, expected in (
            ([RUN], gives_outputs("out.npz")),
            ([TO_TORCH, RUN_TORCH], gives_outputs("out.npz")),
            ([TO_TORCH, BACK], has_weights_of_model("back.h5")),
            ([TO_TORCH, BACK, "run back.h5 --input {}/inputs.npz -o out.npz"], gives_outputs("out.npz")),
        )
    ),
    Case("layout_of_outputs", [RUN], gives_outputs("out.npz")),
    Case("layout_of_outputs", [TO_TORCH, RUN_TORCH], gives_outputs("out.npz")),
    Case("layout_of_outputs", [TO_TORCH, BACK], has_weights_of_model("back.h5")),
    Case("nested_model_called_twice", ["inspect {}/model.h5"], REFUSED_MODEL, 4),
    Case("nested_model_called_twice", ["convert {}/model.h5 -o model.pth"], REFUSED_MODEL, 4),
    Case("nested_model_called_twice", ["validate {}/model.h5"], REFUSED_MODEL, 4),
    Case("nested_model_called_twice", [RUN], REFUSED_MODEL, 4),
    Case("bicubic_of_tensorflow", [RUN], gives_outputs("out.npz")),
    Case("bicubic_of_tensorflow", [TO_TORCH, RUN_TORCH], gives_outputs("out.npz")),
    Case("bicubic_of_tensorflow", [TO_TORCH, BACK, "run back.h5 --input {}/inputs.npz -o out.npz"], gives_outputs("out.npz")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder}: {case.commands[-1].split()[0]} after {len(case.commands) - 1}")
def test_shared_fault(case, tmp_path):
    folder = FAULTS / case.folder
    if not folder.exists():
        pytest.skip(f"{folder} is missing")
    for command in case.commands:
        status = case.status if command is case.commands[-1] else 0
        printed = h5bridge(*(word.replace("{}", str(folder)) for word in shlex.split(command)), status=status, folder=tmp_path)
    case.expected(folder, tmp_path, printed)
