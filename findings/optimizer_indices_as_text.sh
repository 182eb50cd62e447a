#!/usr/bin/env bash
# What an optimizer makes of its state after torch.distributed.checkpoint's own conversion into one torch.save file.
#
# Versions    torch 2.13.0, numpy 2.4.6. No process group, no second process.
# One expects dcp_to_torch_save to give back the dictionary that was saved, or load_state_dict to refuse another one, as
#             a module's does with keys that it doesn't know.
# What is so  The keys of "state" come back as text, '0' and '1', while "params" in the same file still counts 0 and 1.
#             load_state_dict takes that without a word and assigns none of it: Adam's next step is its first again, and
#             the foreign keys stay in the state and go into the next checkpoint.
# A converter must turn such keys into numbers when it reads a checkpoint, and check that each index in "params" that
#             should have state has it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6

"$work/venv/bin/python" -I - "$work" <<'PYTHON'
import copy
import sys
import warnings

import torch
from torch.distributed import checkpoint
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

print(f"torch {torch.__version__}")
work = sys.argv[1]


def see(what, seen, before):
    print(f"{what}: {seen}")
    if seen != before:
        sys.exit(f"changed: {before} was seen before")


def step(net, optimizer):
    optimizer.zero_grad()
    net(torch.ones(4, 3)).square().sum().backward()
    optimizer.step()


def next_step(net, state):
    """The weight after one more step by an Adam that loaded the state, that Adam's count of steps, its state's keys."""
    net = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    optimizer.load_state_dict(state)
    step(net, optimizer)
    return net.weight, optimizer.state[net.weight]["step"].item(), list(optimizer.state_dict()["state"])


torch.manual_seed(0)
net = torch.nn.Linear(3, 2)
adam = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(5):
    step(net, adam)
with warnings.catch_warnings(action="ignore"):  # it says that it assumes a single process
    checkpoint.save({"net": net.state_dict(), "adam": adam.state_dict()}, checkpoint_id=f"{work}/folder")
warnings.simplefilter("error")  # from here on nothing may warn
dcp_to_torch_save(f"{work}/folder", f"{work}/file.pt")
read = torch.load(f"{work}/file.pt", weights_only=True)

see("keys of the state", list(read["adam"]["state"]), ["0", "1"])
see("keys in params", read["adam"]["param_groups"][0]["params"], [0, 1])

numbered = {**read["adam"], "state": {int(index): slots for index, slots in read["adam"]["state"].items()}}
as_read, repaired = next_step(net, read["adam"]), next_step(net, numbered)
step(net, adam)
see("after 5 steps and one more, as read", as_read[1:], (1, ["0", "1", 0, 1]))
see("after 5 steps and one more, keys made numbers", repaired[1:], (6, [0, 1]))
see("resumed bit for bit, as read", torch.equal(as_read[0], net.weight), False)
see("resumed bit for bit, keys made numbers", torch.equal(repaired[0], net.weight), True)
PYTHON
echo "as found"
