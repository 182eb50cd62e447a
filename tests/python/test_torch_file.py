"""What torch.save writes is read, and what h5bridge writes torch.load takes: bit for bit, by the built program."""

import argparse
import json
import os
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("H5BRIDGE", ROOT / "build" / "h5bridge"))

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint64, torch.uint32, torch.uint16, torch.uint8,
    torch.bool, torch.complex64, torch.complex128,
]  # fmt: skip


def random_tensor(dtype, *shape):
    if dtype == torch.bool:
        return torch.randint(0, 2, shape).bool()
    return torch.randint(0, 256, (*shape[:-1], shape[-1] * dtype.itemsize), dtype=torch.uint8).view(dtype)


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same_tensors(expected, found):
    assert list(expected) == list(found)
    for name in expected:
        assert expected[name].dtype == found[name].dtype and expected[name].shape == found[name].shape, name
        assert bits(expected[name]) == bits(found[name]), name


def convert(*arguments, status=0):
    done = subprocess.run([PROGRAM, "convert", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stderr


def through(tmp_path, value, *options, **save_options):
    torch.save(value, tmp_path / "in.pth", **save_options)
    convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", *options)
    return torch.load(tmp_path / "out.pth", weights_only=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_and_layout(tmp_path, dtype):
    tensor = random_tensor(dtype, 3, 5)
    state_dict = OrderedDict(
        plain=tensor, scalar=tensor[1, 2].clone(), empty=torch.empty((0, 3), dtype=dtype), transposed=tensor.t(),
        part=tensor[1:, ::2], expanded=tensor[:1].expand(4, 5),
    )  # fmt: skip
    found = through(tmp_path, state_dict)
    assert_same_tensors(state_dict, found)
    assert all(tensor.is_contiguous() for tensor in found.values())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(tmp_path, protocol):
    state_dict = OrderedDict({"ünï.☃": torch.nn.Parameter(torch.randn(3)), "b": torch.zeros(2, dtype=torch.uint16)})
    assert_same_tensors(state_dict, through(tmp_path, state_dict, pickle_protocol=protocol))


def test_ties_and_metadata_are_kept(tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(11, 4)
            self.head = torch.nn.Linear(4, 11)
            self.head.weight = self.embedding.weight
            self.norm = torch.nn.BatchNorm1d(3)

    state_dict = Tied().state_dict()
    found = through(tmp_path, state_dict)
    assert_same_tensors(state_dict, found)
    assert found["embedding.weight"].data_ptr() == found["head.weight"].data_ptr()
    assert isinstance(found._metadata, OrderedDict) and found._metadata == state_dict._metadata


def test_the_archive_is_laid_out_as_torch_does(tmp_path):
    through(tmp_path, torch.nn.Linear(3, 5).state_dict())
    with zipfile.ZipFile(tmp_path / "out.pth") as archive:
        assert archive.testzip() is None
        names = [name.split("/", 1)[1] for name in archive.namelist()]
    assert names == ["data.pkl", ".format_version", ".storage_alignment", "byteorder", "data/0", "data/1", "version", ".data/serialization_id"]
    reader = torch._C.PyTorchFileReader(str(tmp_path / "out.pth"))
    assert all(reader.get_record_offset(name) % 64 == 0 for name in reader.get_all_records())


def test_deflated_archives_are_read(tmp_path):
    state_dict = torch.nn.Linear(30, 50).state_dict()
    torch.save(state_dict, tmp_path / "stored.pth")
    with zipfile.ZipFile(tmp_path / "stored.pth") as source, zipfile.ZipFile(tmp_path / "in.pth", "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth")
    assert_same_tensors(state_dict, torch.load(tmp_path / "out.pth", weights_only=True))


OPTIMIZERS = [
    ("SGD", {}), ("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("Adamax", {}), ("NAdam", {}), ("RAdam", {}),
    ("RMSprop", {}), ("Adagrad", {}), ("Adadelta", {}), ("ASGD", {}), ("Rprop", {}), ("Adafactor", {}),
]  # fmt: skip


@pytest.mark.parametrize("kind,settings", OPTIMIZERS, ids=[f"{kind}-{'-'.join(settings)}" for kind, settings in OPTIMIZERS])
@pytest.mark.parametrize("named", [False, True], ids=["numbered", "named"])
def test_checkpoints(tmp_path, kind, settings, named):
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2))
    parameters = (lambda module: module.named_parameters()) if named else (lambda module: module.parameters())
    groups = [{"params": list(parameters(net[0])), "lr": 0.125}] if not named else list(net.named_parameters())
    if not named:
        groups.append({"params": list(parameters(net[1]))})
    optimizer = getattr(torch.optim, kind)(groups, lr=0.1, **settings)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.randn(5, 4)).pow(2).sum().backward()
        optimizer.step()
    checkpoint = {
        "epoch": 7, "net": net.state_dict(), "optim": optimizer.state_dict(), "loss": torch.tensor(0.25),
        "args": argparse.Namespace(lr=0.1, betas=[(1, 2), None]), "best": np.float64(0.5),
    }  # fmt: skip
    found = through(tmp_path, checkpoint, "--checkpoint")
    assert list(found) == ["epoch", "model_state_dict", "optimizer_state_dict", "loss"]
    assert found["epoch"] == 7 and found["loss"] == 0.25
    assert_same_tensors(checkpoint["net"], found["model_state_dict"])
    # repr tells 0 from 0.0 and a tuple from a list.
    assert repr(found["optimizer_state_dict"]["param_groups"]) == repr(optimizer.state_dict()["param_groups"])
    assert list(found["optimizer_state_dict"]["state"]) == list(optimizer.state_dict()["state"])
    for number, slots in optimizer.state_dict()["state"].items():
        assert_same_tensors({k: v for k, v in slots.items() if v is not None}, found["optimizer_state_dict"]["state"][number])
    optimizer.load_state_dict(found["optimizer_state_dict"])


def test_a_checkpoint_without_optimizer_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "in.pth")
    assert "optimizer" in convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", "--checkpoint", status=4)
    assert not (tmp_path / "out.pth").exists()


def test_which_entry_is_the_state_dict(tmp_path):
    first, second = torch.nn.Linear(2, 2).state_dict(), torch.nn.Linear(3, 3).state_dict()
    torch.save({"model": first, "nested": {"ema.x": second}}, tmp_path / "in.pth")
    message = convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", status=2)
    assert "'model', 'nested.ema.x'" in message and "--key" in message
    convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", "--key", "nested.ema.x")
    assert_same_tensors(second, torch.load(tmp_path / "out.pth", weights_only=True))


@pytest.mark.parametrize(
    "value,message",
    [
        (torch.zeros(2, 2).to_sparse(), "a sparse tensor"),
        (torch.zeros(2, device="meta"), "a meta tensor"),
        (torch.zeros(2, dtype=torch.complex64).conj(), "a conjugated or negated view"),
    ],
)
def test_tensors_without_equivalent(tmp_path, value, message):
    torch.save({"weight": value}, tmp_path / "in.pth")
    assert f"tensor 'weight': it is {message}" in convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", status=4)


def test_truncated_files(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "in.pth")
    whole = (tmp_path / "in.pth").read_bytes()
    (tmp_path / "in.pth").write_bytes(whole[:-30])
    message = convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", status=3)
    assert message.count("\n") == 1 and "truncated?" in message


# ---- torch.save before PyTorch 1.6, which torch still writes when asked to ----


def legacy(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_and_layout_in_legacy_files(tmp_path, dtype):
    tensor = random_tensor(dtype, 3, 5)
    state_dict = OrderedDict(plain=tensor, scalar=tensor[1, 2].clone(), empty=torch.empty((0, 3), dtype=dtype),
                             transposed=tensor.t(), part=tensor[1:, ::2], again=tensor)  # fmt: skip
    legacy(state_dict, tmp_path / "in.pth")
    convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth")
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    assert_same_tensors(state_dict, found)
    assert found["plain"].data_ptr() == found["again"].data_ptr()


def test_legacy_checkpoints(tmp_path):
    torch.manual_seed(4)
    module = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    module(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    checkpoint = {"epoch": 3, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}
    legacy(checkpoint, tmp_path / "in.pth")
    convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", "--checkpoint")
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    assert_same_tensors(checkpoint["model_state_dict"], found["model_state_dict"])
    expected = checkpoint["optimizer_state_dict"]
    assert found["optimizer_state_dict"]["param_groups"] == expected["param_groups"]
    for number, slots in expected["state"].items():
        assert_same_tensors(slots, found["optimizer_state_dict"]["state"][number])


def test_legacy_pickles_of_any_length_before_large_storages(tmp_path):
    """How far the pickles reach shows only when they are read."""
    state_dict = OrderedDict((f"{'block.' * 20}{i}.weight", torch.randn(2)) for i in range(3000))
    state_dict["large"] = torch.randn(1 << 20)
    legacy(state_dict, tmp_path / "in.pth")
    convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth")
    assert_same_tensors(state_dict, torch.load(tmp_path / "out.pth", weights_only=True))


def test_cut_legacy_files(tmp_path):
    legacy(torch.nn.Linear(30, 50).state_dict(), tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    for size in [*range(20, 900, 97), len(content) - 1]:
        (tmp_path / "cut.pth").write_bytes(content[:size])
        convert(tmp_path / "cut.pth", "-o", tmp_path / "out.pth", status=3)


def test_a_legacy_file_that_somebody_made(tmp_path):
    source = ROOT.parent / "shared" / "files" / "torch-legacy" / "state_dict.pth"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    convert(source, "-o", tmp_path / "out.pth")
    assert_same_tensors(torch.load(source, weights_only=True, map_location="cpu"), torch.load(tmp_path / "out.pth", weights_only=True))


# ---- whole modules, torch.save(model) ----


class Part(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.randn(3))
        self.register_buffer("kept", torch.randn(2))
        self.register_buffer("dropped", torch.randn(2), persistent=False)
        self.line = torch.nn.Linear(3, 3, bias=False)


class Whole(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList([Part(), Part()])
        self.head = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 3))
        self.head[1].weight = self.blocks[0].line.weight
        self.again = self.blocks[1]
        self.width = 3


@pytest.mark.parametrize("legacy_form", [False, True], ids=["zip", "legacy"])
def test_tensors_of_a_whole_module_are_its_state_dict(tmp_path, legacy_form):
    torch.manual_seed(6)
    module = Whole()
    torch.save(module, tmp_path / "whole.pth", _use_new_zipfile_serialization=not legacy_form)
    said = convert(tmp_path / "whole.pth", "-o", tmp_path / "out.pth")
    assert "of the pickled module test_torch_file.Whole the tensors are read" in said
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    assert_same_tensors(module.state_dict(), found)
    assert found["head.1.weight"].data_ptr() == found["blocks.0.line.weight"].data_ptr()
    assert "test_torch_file.Whole" in convert(tmp_path / "whole.pth", "-o", tmp_path / "no.pth", "--lossless", status=4)
    message = convert(tmp_path / "whole.pth", "-o", tmp_path / "no.h5", status=4)
    assert "test_torch_file.Whole" in message and "tools/h5bridge_export.py" in message
    torch.save({"epoch": 1, "net": module}, tmp_path / "entry.pth")
    convert(tmp_path / "entry.pth", "-o", tmp_path / "entry_out.pth")
    assert_same_tensors(module.state_dict(), torch.load(tmp_path / "entry_out.pth", weights_only=True))
    shown = json.loads(subprocess.run([PROGRAM, "inspect", tmp_path / "whole.pth", "--json"], capture_output=True, text=True).stdout)
    assert set(module.state_dict()) - {tensor["name"] for tensor in shown["tensors"]} == {"head.1.weight", *(f"again.{name}" for name in Part().state_dict())}
    assert "test_torch_file.Whole" in shown["metadata"]["notes"][0]
    assert shown["metadata"]["contents"]["state"]["width"] == 3


def test_a_whole_module_that_somebody_made(tmp_path):
    source = ROOT.parent / "shared" / "files" / "torch-zip" / "whole_module.pth"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    convert(source, "-o", tmp_path / "out.pth")
    found = torch.load(tmp_path / "out.pth", weights_only=True)
    assert found and all(tensor.isfinite().all() for tensor in found.values())


# ---- checkpoints as people write them ----


def inspected(file, *options):
    return json.loads(subprocess.run([PROGRAM, "inspect", file, "--json", *options], capture_output=True, text=True, check=True).stdout)


def test_two_networks_in_one_state_dict(tmp_path):
    class Agent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.actor, self.critic = torch.nn.Sequential(torch.nn.Linear(3, 2)), torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Tanh())

    agent = Agent()
    torch.save({"model": agent.state_dict(), "step": 5}, tmp_path / "in.pth")
    assert inspected(tmp_path / "in.pth")["metadata"]["keys"] == {"actor": 2, "critic": 2, "model": 4}
    for key, part in (("actor", agent.actor), ("critic", agent.critic), ("model", agent)):
        convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", "--key", key)
        assert_same_tensors(part.state_dict(), torch.load(tmp_path / "out.pth", weights_only=True))
    assert "there is no entry 'act'" in convert(tmp_path / "in.pth", "-o", tmp_path / "out.pth", "--key", "act", status=2)


def test_what_may_be_meant_is_shown_with_its_key(tmp_path):
    first, second = torch.nn.Linear(2, 2).state_dict(), torch.nn.Linear(3, 3, bias=False).state_dict()
    torch.save({"model": first, "ema": {"shadow": second}, "args": argparse.Namespace(lr=0.1)}, tmp_path / "in.pth")
    assert inspected(tmp_path / "in.pth")["metadata"]["keys"] == {"ema.shadow": 1, "model": 2}


def test_names_that_do_not_fit_are_listed_with_the_nearest(tmp_path):
    """Their shapes do not tell them apart."""
    module = torch.nn.Sequential(OrderedDict(body=torch.nn.Linear(4, 4), head=torch.nn.Linear(4, 4)))
    (tmp_path / "net.json").write_text(json.dumps({
        "h5bridge": 1, "name": "Net", "inputs": [{"name": "x", "shape": ["batch", 4], "dtype": "float32"}],
        "layers": [{"name": "backbone", "type": "Linear", "attributes": {"in_features": 4, "out_features": 4}},
                   {"name": "headx", "type": "Linear", "attributes": {"in_features": 4, "out_features": 4}}],
        "outputs": ["headx"]}))  # fmt: skip
    torch.save(module.state_dict(), tmp_path / "net.pth")
    message = convert(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5", status=3)
    for theirs, ours in (("body.weight", "backbone.weight"), ("head.bias", "headx.bias")):
        assert f"{ours} (perhaps {theirs})" in message
    assert "unexpected: body.weight, body.bias, head.weight, head.bias" in message and message.count("\n") == 1


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_a_common_prefix_is_taken_off_and_said(tmp_path, prefix):
    (tmp_path / "net.json").write_text(json.dumps({
        "h5bridge": 1, "name": "Net", "inputs": [{"name": "x", "shape": ["batch", 4], "dtype": "float32"}],
        "layers": [{"name": "fc", "type": "Linear", "attributes": {"in_features": 4, "out_features": 3}}], "outputs": ["fc"]}))  # fmt: skip
    state = torch.nn.Sequential(OrderedDict(fc=torch.nn.Linear(4, 3))).state_dict()
    torch.save({"state_dict": {prefix + name: tensor for name, tensor in state.items()}}, tmp_path / "net.pth")
    said = convert(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "home.pth")
    assert f'without their prefix "{prefix}"' in said
    assert_same_tensors(state, torch.load(tmp_path / "home.pth", weights_only=True))
