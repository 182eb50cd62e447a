"""Folders of DeepSpeed's save_checkpoint, put together here as its zero_to_fp32.py takes them apart: DeepSpeed itself is not installed."""

import math

import pytest
import torch
from torch import nn

from program import h5bridge, needs_program, run_program

pytestmark = needs_program
RANKS = 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 2)
        self.again = self.first


def rows_by_group(groups):
    """Stages 1 and 2: all of a group in a row, filled up and cut into as many parts as there are ranks."""
    rows = []
    for group in groups:
        row = torch.cat([parameter.detach().flatten() for _, parameter in group])
        row = torch.cat([row, torch.full((-len(row) % (2 * RANKS),), math.nan)])
        rows.append(row.chunk(RANKS))
    return [[parts[rank].clone() for parts in rows] for rank in range(RANKS)]


def rows_by_parameter(groups):
    """Stage 3: each parameter filled up and cut; a rank has its parts in a row, a group behind the other."""
    rows = [[] for _ in range(RANKS)]
    for group in groups:
        for rank in range(RANKS):
            parts = []
            for _, parameter in group:
                flat = parameter.detach().flatten()
                parts.append(torch.cat([flat, torch.full((-len(flat) % RANKS,), math.nan)]).chunk(RANKS)[rank])
            rows[rank].append(torch.cat(parts))
    return rows


def groups_of(module):
    named = list(module.named_parameters())
    return [named[:3], named[3:]]


def cut(groups, stage):
    return rows_by_group(groups) if stage < 3 else rows_by_parameter(groups)


def save(module, folder, stage, optimizers=None):
    """`optimizers`: of each rank the state_dict of the one that it has for its rows."""
    groups = groups_of(module)
    rows = cut(groups, stage)
    key = "single_partition_of_fp32_groups" if stage < 3 else "fp32_flat_groups"
    (folder / "global_step7").mkdir(parents=True)
    (folder / "latest").write_text("global_step7")
    for rank in range(RANKS):
        state = {"zero_stage": stage, "partition_count": [RANKS, RANKS], key: rows[rank]}
        state["base_optimizer_state" if stage < 3 else "optimizer_state_dict"] = optimizers[rank] if optimizers else {"state": {}}
        torch.save({"optimizer_state_dict": state}, folder / "global_step7" / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    buffers = [name for name, _ in module.named_buffers()]
    halves = {name: tensor.half() if name not in buffers else tensor for name, tensor in module.state_dict().items()}
    states = {"module": halves, "buffer_names": buffers, "param_shapes": [{name: parameter.shape for name, parameter in group} for group in groups],
              "shared_params": {"again.weight": "first.weight", "again.bias": "first.bias"}, "frozen_param_shapes": None, "frozen_param_fragments": None,
              "ds_version": "0.16.0", "global_steps": 7}  # fmt: skip
    torch.save(states, folder / "global_step7" / ("mp_rank_00_model_states.pt" if stage < 3 else "zero_pp_rank_0_mp_rank_00_model_states.pt"))


@pytest.mark.parametrize("at", ["", "global_step7"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_parameters_are_whole_and_in_float32(stage, at, tmp_path):
    torch.manual_seed(1)
    module = Net()
    save(module, tmp_path / "ck", stage)
    h5bridge("convert", tmp_path / "ck" / at, "-o", tmp_path / "out.pth", "--no-optimizer")
    found, expected = torch.load(tmp_path / "out.pth", weights_only=True), module.state_dict()
    assert list(found) == list(expected)
    assert all(found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert found["again.weight"].data_ptr() == found["first.weight"].data_ptr()


SETTINGS = [{"lr": 0.01}, {"lr": 0.03, "weight_decay": 0.2}]


def trained(module, stage, make):
    """`module` after some steps of an optimizer of two groups, which is given back, with the state_dicts of those that ranks have for their
    rows, which take the same steps on their own."""
    groups = groups_of(module)
    optimizer = make([{"params": [p for _, p in group], **own} for group, own in zip(groups, SETTINGS)])
    rows = [[nn.Parameter(row.nan_to_num()) for row in rank] for rank in cut(groups, stage)]
    of_ranks = [make([{"params": [row], **own} for row, own in zip(rank, SETTINGS)]) for rank in rows]
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.randn(4, 5)).square().sum().backward()
        gradients = cut([[(name, p.grad) for name, p in group] for group in groups], stage)
        for rank, own, parts in zip(rows, of_ranks, gradients):
            for row, part in zip(rank, parts):
                row.grad = part.nan_to_num()
            own.step()
        optimizer.step()
    return optimizer, [own.state_dict() for own in of_ranks]


class Called(Net):
    def forward(self, x):
        return self.last(self.norm(self.first(x)).tanh())


OPTIMIZERS = {
    "AdamW": torch.optim.AdamW,
    "Adam, amsgrad": lambda groups: torch.optim.Adam(groups, amsgrad=True, betas=(0.8, 0.9)),
    "SGD": lambda groups: torch.optim.SGD(groups, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("stage", [2, 3])
def test_the_optimizer_is_whole(stage, name, tmp_path):
    torch.manual_seed(2)
    module = Called()
    optimizer, of_ranks = trained(module, stage, OPTIMIZERS[name])
    save(module, tmp_path / "ck", stage, of_ranks)
    h5bridge("convert", tmp_path / "ck", "-o", tmp_path / "out.pth", "--checkpoint")
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    assert all(torch.equal(found["model_state_dict"][key], tensor) for key, tensor in module.state_dict().items())
    state, expected = found["optimizer_state_dict"], optimizer.state_dict()
    assert state["param_groups"] == expected["param_groups"]
    assert state["state"].keys() == expected["state"].keys()
    for number, slots in expected["state"].items():
        assert state["state"][number].keys() == slots.keys()
        assert all(torch.equal(torch.as_tensor(state["state"][number][slot]), torch.as_tensor(value)) for slot, value in slots.items())


def test_an_optimizer_that_cannot_be_told_is_left_out_and_why(tmp_path):
    torch.manual_seed(3)
    module = Called()
    _, of_ranks = trained(module, 2, torch.optim.Adam)
    for own in of_ranks:  # as DeepSpeed's own Adam has it, whose weight_decay may be AdamW's
        for group in own["param_groups"]:
            group["bias_correction"] = True
    save(module, tmp_path / "own", 2, of_ranks)
    assert "does not say whether that is AdamW's" in run_program("convert", tmp_path / "own", "-o", tmp_path / "out.pth", "--checkpoint", status=4)
    of_ranks[1]["state"][0]["exp_avg"] = of_ranks[1]["state"][0]["exp_avg"][:-1]
    save(module, tmp_path / "short", 2, of_ranks)
    assert 'its slot "exp_avg"' in run_program("convert", tmp_path / "short", "-o", tmp_path / "out.pth", "--checkpoint", status=4)
    save(module, tmp_path / "none", 2)
    assert "no state of the optimizer" in run_program("convert", tmp_path / "none", "-o", tmp_path / "out.pth", "--checkpoint", status=4)


def test_what_is_missing_is_said(tmp_path):
    save(Net(), tmp_path / "ck", 2)
    folder = tmp_path / "ck" / "global_step7"
    (folder / "zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    run_program("convert", tmp_path / "ck", "-o", tmp_path / "out.pth", status=3)
    (folder / "zero_pp_rank_1_mp_rank_01_optim_states.pt").write_bytes(b"")
    assert "tensor parallelism" in run_program("convert", tmp_path / "ck", "-o", tmp_path / "out.pth", status=4)
    assert not (tmp_path / "out.pth").exists()


@pytest.mark.parametrize("shape", [[2**62], [2**61, 2], [2**63 - 1], [2**40, 2**40], [6]], ids=str)
@pytest.mark.parametrize("stage", [2, 3])
def test_parameters_that_are_larger_than_the_ranks_rows_are_refused(stage, shape, tmp_path):
    save(Net(), tmp_path / "ck", stage)
    (path,) = (tmp_path / "ck" / "global_step7").glob("*model_states.pt")
    states = torch.load(path)
    states["param_shapes"][1]["last.bias"] = shape
    torch.save(states, path)
    message = run_program("convert", tmp_path / "ck", "-o", tmp_path / "out.pth", status=3)
    assert "last.bias" in message and "internal" not in message
    assert not (tmp_path / "out.pth").exists()


@pytest.mark.parametrize("stage", [2, 3])
def test_ranks_that_have_nothing_or_are_not_numbered_are_refused(stage, tmp_path):
    save(Net(), tmp_path / "ck", stage)
    folder = tmp_path / "ck" / "global_step7"
    first = folder / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    for name in ("zero_pp_rank_99999999999999999999_mp_rank_00_optim_states.pt", "zero_pp_rank_x_mp_rank_00_optim_states.pt"):
        first.rename(folder / name)
        assert "which rank" in run_program("convert", tmp_path / "ck", "-o", tmp_path / "out.pth", status=3)
        (folder / name).rename(first)
    for path in folder.glob("*optim_states.pt"):
        states = torch.load(path)
        states["optimizer_state_dict"]["single_partition_of_fp32_groups" if stage < 3 else "fp32_flat_groups"] = []
        torch.save(states, path)
    assert "have no parameters" in run_program("convert", tmp_path / "ck", "-o", tmp_path / "out.pth", status=3)
