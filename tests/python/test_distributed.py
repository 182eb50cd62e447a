"""Folders of torch.distributed.checkpoint, saved by one process and by several: what torch itself makes of them is what comes out."""

import json
import shutil
import socket
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from keras_helpers import assert_close, keras, predict
from program import ROOT, h5bridge, needs_program, run_program
from sharded_training import network
from torch_helpers import export_architecture

pytestmark = needs_program


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same_tensors(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape and bits(found[name]) == bits(tensor), name


def trained(dtype=torch.float32):
    module = network().to(dtype)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.02, betas=(0.8, 0.99))
    for _ in range(2):
        optimizer.zero_grad()
        module(torch.randn(4, 6, dtype=dtype)).square().sum().backward()
        optimizer.step()
    return module, optimizer


@pytest.fixture
def saved(tmp_path):
    module, optimizer = trained()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is but one process
        dcp.save({"net": module.state_dict(), "optim": optimizer.state_dict(), "epoch": 3, "loss": 0.25, "tags": ["a", {"b": None}]}, checkpoint_id=tmp_path / "ck")
    return module, optimizer, tmp_path / "ck"


def test_a_checkpoint_of_one_process(saved, tmp_path):
    module, optimizer, folder = saved
    h5bridge("convert", folder, "-o", tmp_path / "plain.pth")
    assert_same_tensors(torch.load(tmp_path / "plain.pth", weights_only=True), module.state_dict())
    h5bridge("convert", folder, "-o", tmp_path / "ck.pth", "--checkpoint")
    found = torch.load(tmp_path / "ck.pth", weights_only=True)
    assert (found["epoch"], found["loss"], found["tags"]) == (3, 0.25, ["a", {"b": None}])
    # torch's own way to one file makes texts of the optimizer's numbers, and load_state_dict then takes none of its state.
    expected = optimizer.state_dict()
    assert list(found["optimizer_state_dict"]["state"]) == [0, 1, 2, 3, 4, 5]
    assert found["optimizer_state_dict"]["param_groups"] == expected["param_groups"]
    for number, slots in expected["state"].items():
        assert_same_tensors(found["optimizer_state_dict"]["state"][number], slots)
    shown = json.loads(run_program("inspect", folder, "--json"))
    assert {tensor["name"]: tensor["shape"] for tensor in shown["tensors"]} == {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    assert shown["training"]["epoch"] == 3 and shown["training"]["optimizer"]["name"] == "AdamW"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e4m3fn, torch.int16, torch.uint16, torch.bool, torch.complex64], ids=str)
def test_every_kind_of_tensor(dtype, tmp_path):
    state = {"a": torch.randint(0, 2, (3, 5)).to(dtype), "none": torch.empty((0, 3), dtype=dtype), "scalar": torch.ones((), dtype=dtype),
             "turned": torch.randint(0, 2, (4, 3)).to(dtype).t()}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(state, checkpoint_id=tmp_path / "ck")
    h5bridge("convert", tmp_path / "ck", "-o", tmp_path / "out.pth")
    assert_same_tensors(torch.load(tmp_path / "out.pth", weights_only=True), state)


def test_a_damaged_folder(saved, tmp_path):
    _, _, folder = saved
    (folder / "__0_0.distcp").rename(folder / "elsewhere")
    assert "__0_0.distcp" in run_program("convert", folder, "-o", tmp_path / "out.pth", status=5)
    (folder / "__0_0.distcp").write_bytes((folder / "elsewhere").read_bytes()[:18000])
    assert "__0_0.distcp" in run_program("convert", folder, "-o", tmp_path / "out.pth", status=3)
    (folder / ".metadata").write_bytes((folder / ".metadata").read_bytes()[:-200])
    assert ".metadata" in run_program("convert", folder, "-o", tmp_path / "out.pth", status=3)
    shutil.rmtree(folder)
    folder.mkdir()
    assert "ck" in run_program("convert", folder, "-o", tmp_path / "out.pth", status=5)
    assert not (tmp_path / "out.pth").exists()


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def test_four_ranks_become_a_keras_file(tmp_path):
    """FSDP2 names parameters in the optimizer's state, and cuts tensors into uneven rows, some of them none."""
    command = [sys.executable, ROOT / "tests" / "python" / "sharded_training.py", tmp_path / "ck", free_port()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "ck").glob("*.distcp"))) == 4
    dcp_to_torch_save(tmp_path / "ck", tmp_path / "torch.pth")
    expected = torch.load(tmp_path / "torch.pth", weights_only=False)
    module = network().eval()
    export_architecture(module, torch.zeros(4, 6), tmp_path / "net.json")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "ck", "-o", tmp_path / "net.h5", "-o", tmp_path / "net.keras")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "ck", "-o", tmp_path / "ck.pth", "--checkpoint", "--loss", "0")
    found = torch.load(tmp_path / "ck.pth", weights_only=True)
    assert found["epoch"] == 3
    assert found["model_state_dict"].keys() == expected["model"].keys()
    for name, tensor in expected["model"].items():
        assert bits(found["model_state_dict"][name]) == bits(tensor), name
    for number, (name, _) in enumerate(module.named_parameters()):
        slots = expected["optim"]["state"][name]
        assert {slot: bits(tensor) for slot, tensor in found["optimizer_state_dict"]["state"][number].items()} == {slot: bits(tensor) for slot, tensor in slots.items()}
    module.load_state_dict(found["model_state_dict"])
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        outputs = module(x).numpy()
    for file in ("net.h5", "net.keras"):
        (result,) = predict(keras.models.load_model(tmp_path / file), [x.numpy()]).values()
        assert_close(result, outputs, 1e-5, file)
    assert np.isfinite(outputs).all()
