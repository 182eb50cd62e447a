"""The folders of ../shared/faults of Keras 2 and tf.keras, in the form of test_shared_faults.py.

Their files were once refused, read wrong, or written so that no Keras could load them. Where the folders are missing,
their cases are skipped.
"""

import shlex
from typing import Callable, NamedTuple

import numpy as np
import pytest
import torch

from keras_helpers import assert_close, input_names, keras, predict
from program import ROOT, h5bridge, needs_libtorch, needs_program

FAULTS = ROOT.parent / "shared" / "faults"
TOLERANCE = 1e-6  # of the largest value
pytestmark = [needs_program, needs_libtorch]


def assert_answers(found, folder):
    """By position: an output behind a factor for the old hard_sigmoid has another layer's name."""
    expected = np.load(folder / "outputs.npz")
    assert len(found) == len(expected)
    for value, name in zip(found, expected):
        assert_close(value, expected[name], TOLERANCE, name)


def gives_outputs(file):
    """What was computed is the folder's outputs.npz."""

    def check(folder, tmp_path, printed):
        assert_answers(list(np.load(tmp_path / file).values()), folder)

    return check


def keras_loads(file):
    """Keras 3 loads it, compiled, and gives the folder's outputs.npz."""

    def check(folder, tmp_path, printed):
        model = keras.models.load_model(tmp_path / file)
        inputs = np.load(folder / "inputs.npz")
        assert_answers(list(predict(model, [inputs[name] for name in input_names(model)]).values()), folder)

    return check


def has_moments(folder, tmp_path, printed):
    """Those of a Dense layer, whose kernel PyTorch has transposed."""
    checkpoint = torch.load(tmp_path / "model.pth")
    state = checkpoint["optimizer_state_dict"]["state"]
    expected = np.load(folder / "optimizer.npz")
    assert list(checkpoint["model_state_dict"]) == ["dense.weight", "dense.bias"]
    assert state[0]["step"] == expected["iterations"]
    for index, weight in ((0, "kernel"), (1, "bias")):
        for slot, moment in (("exp_avg", "m"), ("exp_avg_sq", "v")):
            assert np.array_equal(state[index][slot].numpy(), expected[f"{weight}_{moment}"].T), (weight, moment)


class Case(NamedTuple):
    folder: str
    commands: list[str]
    expected: Callable


RUN = "run {}/model.h5 --input {}/inputs.npz -o out.npz"
DIRECT = "convert {}/model.h5 -o direct.h5"
TO_TORCH = "convert {}/model.h5 -o model.json -o model.pth"
CHECKPOINT = TO_TORCH + " --checkpoint --epoch 1 --loss 0"
RUN_TORCH = "run model.json model.pth --input {}/inputs.npz --input-layout keras -o out.npz"
BACK = "convert model.json model.pth -o back.h5"
OPTIMIZERS = ["keras2_optimizer/adam_keras22", "keras2_optimizer/adam_tf"]
FOLDERS = ["hard_sigmoid_of_keras_2/dense", "hard_sigmoid_of_keras_2/lstm", "keras22_functional",
           "keras2_recurrent/seq2seq", "keras2_recurrent/sequential_lstm", *OPTIMIZERS,
           "keras2_round_trip/batchnorm_axis", "keras2_round_trip/initializer_dtype"]  # fmt: skip

CASES = [
    *(
        Case(folder, commands, expected)
        for folder in FOLDERS
        for commands, expected in (
            ([RUN], gives_outputs("out.npz")),
            ([TO_TORCH, RUN_TORCH], gives_outputs("out.npz")),
            ([TO_TORCH, BACK], keras_loads("back.h5")),
            ([DIRECT], keras_loads("direct.h5")),
        )
    ),
    *(Case(folder, [CHECKPOINT], has_moments) for folder in OPTIMIZERS),
    *(Case(folder, [DIRECT + " --no-optimizer"], keras_loads("direct.h5")) for folder in OPTIMIZERS),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.folder}: {case.commands[-1].replace('{}/', '')}")
def test_shared_fault(case, tmp_path):
    folder = FAULTS / case.folder
    if not folder.exists():
        pytest.skip(f"{folder} is missing")
    for command in case.commands:
        printed = h5bridge(*(word.replace("{}", str(folder)) for word in shlex.split(command)), folder=tmp_path)
    case.expected(folder, tmp_path, printed)
