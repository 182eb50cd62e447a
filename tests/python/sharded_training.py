"""Run by test_distributed.py: four processes train one network that is sharded over them (gloo, FSDP2, Adam), and save it.

    python sharded_training.py FOLDER PORT
"""

import os
import sys

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

RANKS = 4


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.BatchNorm1d(10), nn.Linear(10, 3))


def run(rank, folder, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    module = network()
    mesh = init_device_mesh("cpu", (RANKS,))
    fully_shard(module[0], mesh=mesh)
    fully_shard(module, mesh=mesh)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        module(torch.randn(4, 6)).square().sum().backward()
        optimizer.step()
    model, state = get_state_dict(module, optimizer)
    dcp.save({"model": model, "optim": state, "epoch": 3}, checkpoint_id=folder)
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.multiprocessing.spawn(run, args=tuple(sys.argv[1:]), nprocs=RANKS)
