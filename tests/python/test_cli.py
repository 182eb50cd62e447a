"""The command line: exit statuses, one-line errors, destinations that stay as they were, and what each command prints."""

import argparse
import json
import os
import shutil
import subprocess
from collections import OrderedDict

import h5py
import numpy as np
import pytest
import torch

ARCHITECTURE = {
    "h5bridge": 1,
    "name": "Net",
    "inputs": [{"name": "x", "shape": ["batch", 3, 8, 8]}],
    "layers": [
        {"name": "block.conv1", "type": "Conv2d", "attributes": {"in_channels": 3, "out_channels": 4, "kernel_size": 3}},
        {"name": "bn", "type": "BatchNorm2d", "attributes": {"num_features": 4}},
        {"name": "relu", "type": "ReLU"},
        {"name": "pool", "type": "MaxPool2d", "attributes": {"kernel_size": 2, "stride": 2}},
        {"name": "flatten", "type": "Flatten"},
        {"name": "fc", "type": "Linear", "attributes": {"in_features": 36, "out_features": 5}},
    ],
    "outputs": ["fc"],
}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.block = torch.nn.Sequential(OrderedDict(conv1=torch.nn.Conv2d(3, 4, 3)))
        self.bn = torch.nn.BatchNorm2d(4)
        self.pool = torch.nn.MaxPool2d(2)
        self.fc = torch.nn.Linear(36, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(torch.relu(self.bn(self.block(x)))), 1))


@pytest.fixture
def net(tmp_path):
    """A module whose architecture, weights, checkpoint, input and output lie in the test's folder."""
    module = Net()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module(torch.randn(4, 3, 8, 8)).square().mean().backward()
    optimizer.step()
    module.eval()
    (tmp_path / "net.json").write_text(json.dumps(ARCHITECTURE))
    torch.save(module.state_dict(), tmp_path / "net.pth")
    checkpoint = {"epoch": 3, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}
    torch.save(checkpoint, tmp_path / "checkpoint.tar")
    x = torch.randn(2, 3, 8, 8)
    np.save(tmp_path / "x.npy", x.numpy())
    np.save(tmp_path / "y.npy", module(x).detach().numpy())
    return module


@pytest.fixture
def net_h5(net, h5bridge, tmp_path):
    done = h5bridge("convert", "net.json", "net.pth", "-o", "net.h5")
    assert done.returncode == 0, done.stderr
    return tmp_path / "net.h5"


def assert_fails(done, status, *parts):
    """With this status, and one line on standard error that holds all parts."""
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("h5bridge: ") and done.stderr.endswith("\n") and done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr


def assert_refuses(h5bridge, tmp_path, sources, status, *parts):
    """Converting fails so, whether or not there is an old destination; nothing is left behind."""
    before = sorted(os.listdir(tmp_path))
    assert_fails(h5bridge("convert", *sources, "-o", "out.h5"), status, *parts)
    assert sorted(os.listdir(tmp_path)) == before
    (tmp_path / "out.h5").write_bytes(b"old")
    assert_fails(h5bridge("convert", *sources, "-o", "out.h5"), status, *parts)
    assert (tmp_path / "out.h5").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "out.h5"])


# ---- usage ----


@pytest.mark.parametrize(
    "arguments, part",
    [
        ([], "(h5bridge --help says what each does)"),
        (["frobnicate"], 'no command "frobnicate"'),
        (["plott", "net.json", "-o", "net.dot"], 'no command "plott"; there are convert, inspect, validate, run, verify, compare, plot, completion; did you mean plot?'),
        (["frobnicate", "inspect", "net.json"], 'no command "frobnicate"'),
        (["convert"], "SOURCE is required (h5bridge convert --help)"),
        (["convert", "net.json", "net.pth", "-o", "out.svg"], "h5bridge plot"),
        (["plot", "net.json", "-o", "out.html"], "h5bridge convert"),
        (["convert", "net.json", "net.pth"], "-o"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--frobnicate"], "--frobnicate"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--dtpye", "float16"], "did you mean --dtype?"),
        (["run", "net.json", "net.pth", "--inptu", "x.npy"], "did you mean --input?"),
        (["convert", "net.json", "net.pth", "-o", "out.xyz"], "out.xyz"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--to", "xyz"], "xyz"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--data-format", "nhwc"], "--data-format nhwc"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--dtype", "int8"], "--dtype int8"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--device", "gpu"], "--device gpu"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--fix-size", "batch"], "--fix-size batch"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--fix-size", "length=3"], "length"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "--fix-size", "batch=3", "--fix-size", "batch=4"], "given twice"),
        (["run", "net.json", "net.pth", "--input", "inputs.npz", "--batch-size", "0"], "at least 1"),
        (["convert", "net.json", "net.pth", "-o", "a.h5", "-o", "a.h5"], "a.h5"),
        (["convert", "net.pth", "-o", "a.h5"], "h5bridge_export.py FILE.py:CLASS"),
        (["convert", "net.json", "net.json", "-o", "a.h5"], "net.json"),
        (["convert", "net.json", "checkpoint.tar", "-o", "a.h5", "--key", "weights"], "weights"),
        (["convert", "net.json", "checkpoint.tar", "-o", "a.h5", "--key", "model_state"], "did you mean model_state_dict?"),
        (["run", "net.json", "net.pth"], "--input"),
        (["run", "net.json", "net.pth", "--input", "y=x.npy"], '"y"'),
        (["run", "net.json", "net.pth", "--input", "x.npy", "--input", "x.npy"], "more arrays"),
        (["run", "net.json", "net.pth", "--input", "x.npy", "-o", "out.txt"], "out.txt"),
        (["run", "net.json", "net.pth", "--input", "x.npy", "--input-layout", "nchw"], "--input-layout nchw"),
        (["verify", "net.json", "net.pth", "--input", "x.npy"], "--expect"),
        (["compare", "net.pth"], "two models"),
        (["compare", "net.pth", "net.pth", "--random-inputs", "2"], "architecture"),
        (["inspect"], "SOURCE"),
    ],
)
def test_wrong_usage(h5bridge, net, tmp_path, arguments, part):
    before = sorted(os.listdir(tmp_path))
    assert_fails(h5bridge(*arguments), 2, part)
    assert sorted(os.listdir(tmp_path)) == before


def test_source_code_of_a_network_has_to_be_exported(h5bridge, net, tmp_path):
    (tmp_path / "net.py").write_text("from torch import nn\n")
    assert_fails(h5bridge("convert", "net.py", "net.pth", "-o", "a.h5"), 3, "net.py: is Python source", "h5bridge_export.py net.py:CLASS", ".pt2")


def test_help_is_a_command_and_lists_suffixes(h5bridge):
    whole = h5bridge("help")
    assert whole.returncode == 0 and whole.stdout == h5bridge("--help").stdout
    text = h5bridge("help", "convert").stdout
    assert text == h5bridge("convert", "--help").stdout and ".keras" in text and ".pth.tar" in text


def test_a_checkpoint_may_be_called_pth_tar(h5bridge, net, tmp_path):
    assert h5bridge("convert", "net.json", "net.pth", "-o", "a.pth.tar").returncode == 0
    assert list(torch.load(tmp_path / "a.pth.tar")) == list(torch.load(tmp_path / "net.pth"))


def test_a_misspelled_file_has_neighbours(h5bridge, net):
    assert_fails(h5bridge("inspect", "nett.json"), 5, "nett.json: No such file or directory; did you mean net.json?")
    assert_fails(h5bridge("run", "net.json", "net.pt", "--map", "--input", "x.npy"), 5, "did you mean net.pth?")


def test_help_and_version(h5bridge):
    version = h5bridge("--version")
    assert version.returncode == 0 and version.stdout.startswith("h5bridge ") and version.stdout.count("\n") == 1
    overview = h5bridge("--help")
    assert overview.returncode == 0 and overview.stderr == ""
    for command in ["convert", "inspect", "validate", "run", "verify", "compare", "plot"]:
        assert command in overview.stdout
        help_of = h5bridge(command, "--help")
        assert help_of.returncode == 0 and "--json" in help_of.stdout
        assert h5bridge(command, "--version").stdout == version.stdout


# ---- sources that are no good ----


def truncated_zip(folder):
    data = (folder / "net.pth").read_bytes()
    (folder / "bad").write_bytes(data[: len(data) // 2])
    return ["net.json", "bad"]


def truncated_h5(folder):
    with h5py.File(folder / "whole", "w") as file:
        file.create_dataset("x", data=np.zeros(1000))
    data = (folder / "whole").read_bytes()
    (folder / "bad").write_bytes(data[:700])
    return ["bad"]


def alien_h5(folder):
    with h5py.File(folder / "bad", "w") as file:
        file.create_dataset("x", data=np.zeros(3))
    return ["bad"]


def empty_file(folder):
    (folder / "bad").write_bytes(b"")
    return ["bad"]


def noise(folder):
    (folder / "bad").write_bytes(b"\x00\x01 no model at all")
    return ["bad"]


def broken_json(folder):
    (folder / "bad").write_text('{"h5bridge": 1, "inputs": [}')
    return ["bad", "net.pth"]


def alien_json(folder):
    (folder / "bad").write_text('{"name": "x"}')
    return ["bad", "net.pth"]


def deep_json(folder):
    (folder / "bad").write_text('{"h5bridge":' + "[" * 100000)
    return ["bad", "net.pth"]


def bad_graph(folder):
    architecture = json.loads(json.dumps(ARCHITECTURE))
    architecture["outputs"] = ["nothing"]
    (folder / "bad").write_text(json.dumps(architecture))
    return ["bad", "net.pth"]


def control_characters(folder):
    architecture = json.loads(json.dumps(ARCHITECTURE))
    architecture["outputs"] = ["no\nthing\x1b[31m"]
    (folder / "bad").write_text(json.dumps(architecture))
    return ["bad", "net.pth"]


def misshapen(folder):
    state = torch.load(folder / "net.pth")
    state["fc.bias"] = torch.zeros(6)
    torch.save(state, folder / "bad")
    return ["net.json", "bad"]


def missing(folder):
    state = torch.load(folder / "net.pth")
    del state["fc.bias"]
    torch.save(state, folder / "bad")
    return ["net.json", "bad"]


def unexpected(folder):
    state = torch.load(folder / "net.pth")
    state["extra.weight"] = torch.zeros(2)
    torch.save(state, folder / "bad")
    return ["net.json", "bad"]


def unknown_layer(folder):
    architecture = json.loads(json.dumps(ARCHITECTURE))
    architecture["layers"][2]["type"] = "Frobnicate"
    (folder / "bad").write_text(json.dumps(architecture))
    return ["bad", "net.pth"]


def no_state_dict(folder):
    torch.save({"arguments": argparse.Namespace(lr=0.1)}, folder / "bad")
    return ["net.json", "bad"]


def no_such_file(folder):
    return ["net.json", "bad"]


def directory(folder):
    (folder / "bad").mkdir()
    return ["net.json", "bad"]


@pytest.mark.parametrize(
    "make, status, part",
    [
        (truncated_zip, 3, ""),
        (truncated_h5, 3, ""),
        (alien_h5, 3, "layer_names"),
        (empty_file, 3, "empty"),
        (noise, 3, ""),
        (broken_json, 3, ""),
        (alien_json, 3, ""),
        (deep_json, 3, ""),
        (bad_graph, 3, "nothing"),
        (control_characters, 3, "no\\x0athing\\x1b[31m"),
        (misshapen, 3, "fc.bias has shape (6,), expected (5,)"),
        (missing, 3, "missing: fc.bias"),
        (unexpected, 3, "unexpected: extra.weight"),
        (unknown_layer, 4, 'Frobnicate ("relu")'),
        (no_state_dict, 4, "state_dict"),
        (no_such_file, 5, ""),
        (directory, 5, ""),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_bad_source(h5bridge, net, tmp_path, make, status, part):
    assert_refuses(h5bridge, tmp_path, make(tmp_path), status, "bad: ", part)


def test_several_problems_are_reported_together(h5bridge, net, tmp_path):
    state = torch.load(tmp_path / "net.pth")
    state["fc.bias"] = torch.zeros(6)
    state["extra.weight"] = state.pop("bn.weight")
    torch.save(state, tmp_path / "bad")
    assert_fails(h5bridge("convert", "net.json", "bad", "-o", "out.h5"), 3, "missing: bn.weight", "unexpected: extra.weight", "misshapen: fc.bias")
    assert_fails(h5bridge("convert", "net.json", "bad", "-o", "out.h5", "--no-strict"), 3, "missing: bn.weight", "misshapen: fc.bias")


def test_unexpected_tensors_may_be_carried_along(h5bridge, net, tmp_path):
    for option in ["--allow-unexpected", "--no-strict"]:
        done = h5bridge("convert", *unexpected(tmp_path), "-o", "out.h5", option)
        assert done.returncode == 0, done.stderr


# ---- destinations ----


def test_unwritable_destination(h5bridge, net, tmp_path):
    assert_fails(h5bridge("convert", "net.json", "net.pth", "-o", "no/such/folder/out.h5"), 5, "no/such/folder/out.h5")
    (tmp_path / "folder.h5").mkdir()
    assert_fails(h5bridge("convert", "net.json", "net.pth", "-o", "folder.h5"), 5, "folder.h5: is a directory")
    # The other destination is not written, either.
    assert_fails(h5bridge("convert", "net.json", "net.pth", "-o", "good.h5", "-o", "folder.h5"), 5, "folder.h5")
    assert not (tmp_path / "good.h5").exists()


def test_disk_full(program, net, tmp_path):
    (tmp_path / "out.h5").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))
    small = "ulimit -f 4; trap '' XFSZ; exec \"$@\""
    for name in ["out.h5", "out.pth"]:
        done = subprocess.run(
            ["bash", "-c", small, "bash", program, "convert", "net.json", "net.pth", "-o", name],
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip
        assert_fails(done, 5, name)
    assert sorted(os.listdir(tmp_path)) == before and (tmp_path / "out.h5").read_bytes() == b"old"


def test_output_that_cannot_be_printed(program, net, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program, "inspect", "net.pth"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 5 and done.stderr == "h5bridge: cannot write to standard output\n"


def test_checkpoint_needs_an_optimizer(h5bridge, net, tmp_path):
    before = sorted(os.listdir(tmp_path))
    assert_fails(h5bridge("convert", "net.json", "net.pth", "-o", "out.pth", "--checkpoint", "--epoch", 3, "--loss", 0.5), 4, "optimizer")
    assert sorted(os.listdir(tmp_path)) == before


def test_recognises_by_content_and_in_any_order(h5bridge, net_h5, tmp_path):
    shutil.copy(tmp_path / "net.pth", tmp_path / "weights.h5")
    shutil.copy(tmp_path / "net.json", tmp_path / "architecture.pth")
    shutil.copy(net_h5, tmp_path / "model.json")
    for sources in [["weights.h5", "architecture.pth"], ["architecture.pth", "weights.h5"], ["model.json"]]:
        done = h5bridge("convert", *sources, "-o", "back.bin")
        assert done.returncode == 0, done.stderr
        expected, found = torch.load(tmp_path / "net.pth"), torch.load(tmp_path / "back.bin")
        assert list(expected) == list(found)
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_epoch_and_loss_complete_a_checkpoint(h5bridge, net, tmp_path):
    plain = torch.load(tmp_path / "checkpoint.tar")
    del plain["epoch"], plain["loss"]
    torch.save(plain, tmp_path / "plain.tar")
    for source, epoch, loss in [("plain.tar", 7, -0.25), ("checkpoint.tar", 3, 0.5)]:
        done = h5bridge("convert", "net.json", source, "-o", "out.pth", "--checkpoint", "--epoch", 7, "--loss", -0.25)
        assert done.returncode == 0, done.stderr
        written = torch.load(tmp_path / "out.pth")
        assert (written["epoch"], written["loss"]) == (epoch, loss)
        stays = source == "checkpoint.tar"
        assert ("the source has the epoch 3, which stays" in done.stderr) == stays
        assert ("the source has the loss 0.5, which stays" in done.stderr) == stays


@pytest.mark.parametrize("known", [{}, {"epoch": 7}, {"loss": 0.125}])
def test_epoch_and_loss_take_the_place_of_none(h5bridge, net, tmp_path, known):
    unknown = torch.load(tmp_path / "checkpoint.tar") | {"epoch": None, "loss": None} | known
    torch.save(unknown, tmp_path / "unknown.tar")
    h5bridge("convert", "net.json", "unknown.tar", "-o", "net.keras")
    for source in ("unknown.tar", "net.keras"):
        done = h5bridge("convert", "net.json", source, "-o", "out.pth", "--checkpoint", "--epoch", 5, "--loss", 0.25)
        assert done.returncode == 0, done.stderr
        written = torch.load(tmp_path / "out.pth")
        assert (written["epoch"], written["loss"]) == (known.get("epoch", 5), known.get("loss", 0.25))


def test_what_to_do_with_a_second_file_of_weights(h5bridge, net, tmp_path):
    h5bridge("convert", "net.json", "net.pth", "-o", "net.keras")
    assert_fails(h5bridge("convert", "net.keras", "net.pth", "-o", "x.keras"), 2, "second file of weights", "h5bridge convert net.keras -o net.json")


def test_quiet_and_json(h5bridge, net, tmp_path):
    done = h5bridge("convert", "net.json", "net.pth", "-o", "a.h5", "-o", "a.pth")
    assert done.stdout == "" and done.stderr == "h5bridge: wrote a.h5\nh5bridge: wrote a.pth\n"
    done = h5bridge("convert", "net.json", "net.pth", "-o", "a.h5", "--quiet", "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"sources": ["net.json", "net.pth"], "destinations": ["a.h5"], "written": True, "tensors": 9, "notes": []}


# ---- inspect ----


def inspected(h5bridge, *sources, status=0):
    done = h5bridge("inspect", *sources, "--json")
    assert done.returncode == status, done.stderr
    document = json.loads(done.stdout)
    failed = ["error"] if done.returncode else []
    assert list(document) == ["format", "architecture", "tensors", "training", "metadata", *failed]
    for tensor in document["tensors"]:
        assert list(tensor) == ["name", "shape", "dtype", "trainable"]
    return document


def test_inspect_state_dict(h5bridge, net):
    document = inspected(h5bridge, "net.pth")
    assert document["format"] == "torch" and document["architecture"] is None and document["training"] is None
    expected = [
        {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch."), "trainable": None}
        for name, tensor in net.state_dict().items()
    ]
    assert document["tensors"] == expected


def test_inspect_architecture_and_checkpoint(h5bridge, net):
    document = inspected(h5bridge, "net.json", "checkpoint.tar")
    assert document["format"] == "torch"
    layers = [(layer["name"], layer["type"]) for layer in document["architecture"]["layers"]]
    assert layers == [(layer["name"], layer["type"]) for layer in ARCHITECTURE["layers"]]
    training = document["training"]
    assert (training["epoch"], training["loss"]) == (3, 0.5)
    assert training["optimizer"]["name"] == "SGD" and training["optimizer"]["config"]["momentum"] == 0.9
    slots = {(slot["parameter"], slot["name"]): slot["shape"] for slot in training["optimizer"]["slots"]}
    assert slots == {(name, "momentum_buffer"): list(parameter.shape) for name, parameter in net.named_parameters()}
    assert inspected(h5bridge, "net.json")["format"] == "architecture"

    text = h5bridge("inspect", "net.json", "checkpoint.tar").stdout
    for part in ["block.conv1.weight", "(4, 3, 3, 3)", "(batch, 4, 6, 6)", "(batch, 3, 8, 8)", "channels_first", "momentum_buffer", "epoch: 3"]:
        assert part in text


def test_inspect_element_types(h5bridge, tmp_path):
    """Of what is not of the weights' precision; the rules themselves are LibTorch's (tests/torch/dtypes_test.cpp)."""
    document = {
        "h5bridge": 1,
        "inputs": [{"name": "x", "shape": ["batch", 8]}],
        "layers": [
            {"name": "fc", "type": "Linear", "attributes": {"in_features": 8, "out_features": 5}},
            {"name": "best", "type": "topk", "attributes": {"k": 2}},
        ],
        "outputs": ["best", "best:1", "fc"],
    }
    (tmp_path / "best.json").write_text(json.dumps(document))
    lines = [line.split() for line in h5bridge("inspect", "best.json").stdout.splitlines()]
    assert ["output", "(batch,", "2)", "float32"] in lines
    assert ["output_1", "(batch,", "2)", "int64"] in lines
    assert ["best", "topk", "(batch,", "2),", "(batch,", "2)", "int64"] in lines
    weights = {"fc.weight": torch.zeros(5, 8, dtype=torch.float16), "fc.bias": torch.zeros(5, dtype=torch.float16)}
    torch.save(weights, tmp_path / "best.pth")
    lines = [line.split() for line in h5bridge("inspect", "best.json", "best.pth").stdout.splitlines()]
    assert ["output", "(batch,", "2)", "float16"] in lines and ["output_1", "(batch,", "2)", "int64"] in lines


def test_inspect_keras(h5bridge, net_h5):
    document = inspected(h5bridge, net_h5)
    assert document["format"] == "keras-h5" and document["architecture"]["name"] == "Net"
    tensors = {tensor["name"]: tensor for tensor in document["tensors"]}
    with h5py.File(net_h5) as file:
        names = [name for layer in file["model_weights"].values() for name in layer.attrs.get("weight_names", [])]
    assert sorted(tensors) == sorted(str(name) for name in names)
    assert tensors["block_conv1/kernel"] == {"name": "block_conv1/kernel", "shape": [3, 3, 3, 4], "dtype": "float32", "trainable": True}
    assert tensors["bn/moving_mean"]["trainable"] is False
    text = h5bridge("inspect", net_h5).stdout
    for part in ["block_conv1/kernel", "(batch, 8, 8, 3)", "(batch, 6, 6, 4)", "channels_last"]:
        assert part in text


def test_inspect_frozen_layer(h5bridge, net_h5):
    with h5py.File(net_h5, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == "fc")["config"]["trainable"] = False
        file.attrs["model_config"] = json.dumps(config)
    trainable = {tensor["name"]: tensor["trainable"] for tensor in inspected(h5bridge, net_h5)["tensors"]}
    assert trainable["fc/kernel"] is False and trainable["fc/bias"] is False and trainable["block_conv1/kernel"] is True


def test_inspect_what_cannot_be_converted(h5bridge, net_h5, tmp_path):
    with h5py.File(net_h5, "r+") as file:
        del file["h5bridge"]
        file.attrs["model_config"] = file.attrs["model_config"].replace('"BatchNormalization"', '"Frobnicate"')
    document = inspected(h5bridge, net_h5, status=4)
    assert document["architecture"] is None and len(document["tensors"]) == 8
    assert "Frobnicate" in document["metadata"]["notes"][0] and "model_config" in document["metadata"]
    done = h5bridge("inspect", net_h5)
    assert done.returncode == 4 and "block_conv1/kernel" in done.stdout
    assert done.stderr.startswith("h5bridge: ") and "Frobnicate" in done.stderr and done.stderr.count("\n") == 1

    torch.save({"model": Net(), "arguments": argparse.Namespace(lr=0.1)}, tmp_path / "whole.pth")
    document = inspected(h5bridge, "whole.pth")
    assert [tensor["name"] for tensor in document["tensors"]] == ["model." + name for name in Net().state_dict()]
    assert document["metadata"]["contents"]["arguments"] == {"$class": "argparse.Namespace", "state": {"lr": 0.1}}
    assert document["metadata"]["notes"]
    assert h5bridge("inspect", "whole.pth").returncode == 0


@pytest.mark.parametrize(
    "config, wrong",
    [
        ("null", "null, expected an object"),
        ("[]", "an array, expected an object"),
        ("3", "an integer, expected an object"),
        ('"text"', "a string, expected an object"),
        ("{}", '"class_name"'),
        ('{"class_name": null, "config": {}}', "expected"),
        ('{"class_name": "Functional", "config": null}', "expected"),
    ],
)
def test_a_configuration_that_is_none_is_malformed(h5bridge, net_h5, config, wrong):
    with h5py.File(net_h5, "r+") as file:
        del file["h5bridge"]
        file.attrs["model_config"] = config
    document = inspected(h5bridge, net_h5, status=3)
    assert document["architecture"] is None and len(document["tensors"]) == 8
    for command in (["validate", net_h5], ["convert", net_h5, "-o", "out.pth"]):
        assert_fails(h5bridge(*command), 3, wrong)


def test_inspect_weights_alone(h5bridge, net_h5):
    """That an architecture is not there is no failure."""
    with h5py.File(net_h5, "r+") as file:
        del file["h5bridge"], file.attrs["model_config"]
    assert len(inspected(h5bridge, net_h5)["tensors"]) == 8


def test_inspect_shows_moved_axes(h5bridge, net, tmp_path):
    """An output of (batch, n, n) looks alike in either layout."""
    convolution = {"name": "conv", "type": "Conv1d", "attributes": {"in_channels": 5, "out_channels": 5, "kernel_size": 1}}
    (tmp_path / "square.json").write_text(json.dumps({"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 5, 5]}], "layers": [convolution], "outputs": ["conv"]}))
    torch.save(torch.nn.Sequential(OrderedDict(conv=torch.nn.Conv1d(5, 5, 1))).state_dict(), tmp_path / "square.pth")
    assert h5bridge("convert", "square.json", "square.pth", "-o", "square.h5").returncode == 0
    assert h5bridge("inspect", "square.h5").stdout.count("PyTorch's axes (0, 2, 1)") == 2
    assert "axes" not in h5bridge("inspect", "square.json", "square.pth").stdout


def test_inspect_never_runs_what_is_pickled(h5bridge, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch evil",)

    torch.save({"evil": Evil()}, tmp_path / "evil.pth")
    document = inspected(h5bridge, "evil.pth")
    assert document["metadata"]["contents"]["evil"]["args"] == ["touch evil"]
    assert not (tmp_path / "evil").exists()


def test_inspect_damaged_file_fails(h5bridge, net, tmp_path):
    truncated_zip(tmp_path)
    assert_fails(h5bridge("inspect", "bad"), 3, "bad: ")
    done = h5bridge("inspect", "bad", "--json")
    assert done.returncode == 3 and json.loads(done.stdout)["error"].startswith("bad: ")


# ---- validate ----


def test_validate(h5bridge, net_h5, tmp_path):
    for sources in [["net.json", "net.pth"], ["net.h5"], ["net.json"], ["net.pth"]]:
        done = h5bridge("validate", *sources)
        assert done.returncode == 0 and done.stdout.startswith("valid: "), done.stderr
    assert json.loads(h5bridge("validate", "net.h5", "--json").stdout)["agrees"] is True


def test_validate_lists_what_differs(h5bridge, net, tmp_path):
    state = torch.load(tmp_path / "net.pth")
    state["fc.bias"] = torch.zeros(6)
    state["extra.weight"] = state.pop("bn.weight")
    torch.save(state, tmp_path / "bad")
    problems = ["missing: bn.weight", "misshapen: fc.bias has shape (6,), expected (5,)", "unexpected: extra.weight"]
    done = h5bridge("validate", "net.json", "bad")
    assert done.returncode == 1 and done.stdout.splitlines() == problems and done.stderr == ""
    done = h5bridge("validate", "net.json", "bad", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1 and document["agrees"] is False and document["problems"] == problems


def test_validate_malformed(h5bridge, net, tmp_path):
    assert_fails(h5bridge("validate", *truncated_zip(tmp_path)), 3, "bad: ")
    assert_fails(h5bridge("validate", *unknown_layer(tmp_path)), 4, "Frobnicate")


# ---- run, verify, compare, --check ----


@pytest.mark.usefixtures("needs_libtorch")
def test_run(h5bridge, net, net_h5, tmp_path):
    x, y = np.load(tmp_path / "x.npy"), np.load(tmp_path / "y.npy")
    np.savez(tmp_path / "inputs.npz", x=x)
    np.save(tmp_path / "keras.npy", x.transpose(0, 2, 3, 1))
    torch_sources, keras_source = ["net.json", "net.pth"], ["net.h5"]
    for sources, options in [
        (torch_sources, ["--input", "x.npy"]),
        (torch_sources, ["--input", "x=x.npy"]),
        (torch_sources, ["--input", "inputs.npz", "--batch-size", "1"]),
        (torch_sources, ["--input", "keras.npy", "--input-layout", "keras"]),
        (keras_source, ["--input", "keras.npy"]),
        (keras_source, ["--input", "x.npy", "--input-layout", "torch"]),
    ]:
        done = h5bridge("run", *sources, *options, "-o", "out.npy")
        assert done.returncode == 0 and done.stdout == "", done.stderr
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), y, atol=1e-6)
    assert h5bridge("run", *torch_sources, "--input", "x.npy", "-o", "out.npz").returncode == 0
    assert list(np.load(tmp_path / "out.npz")) == ["output"]
    assert h5bridge("run", *keras_source, "--input", "keras.npy", "-o", "out.npz").returncode == 0
    assert list(np.load(tmp_path / "out.npz")) == ["fc"]

    done = h5bridge("run", *torch_sources, "--input", "x.npy")
    assert 'output "output": (2, 5) float32, values ' in done.stdout
    (output,) = json.loads(h5bridge("run", *torch_sources, "--input", "x.npy", "--json").stdout)["outputs"]
    np.testing.assert_allclose(output["values"], y.ravel(), atol=1e-6)


@pytest.mark.usefixtures("needs_libtorch")
def test_run_with_bad_input(h5bridge, net, tmp_path):
    np.save(tmp_path / "wrong.npy", np.zeros((2, 3, 8, 9), np.float32))
    assert_fails(h5bridge("run", "net.json", "net.pth", "--input", "wrong.npy", "-o", "out.npy"), 2, '"x"', "(2, 3, 8, 9)", "(batch, 3, 8, 8)")
    (tmp_path / "noise.npy").write_bytes(b"noise")
    assert_fails(h5bridge("run", "net.json", "net.pth", "--input", "noise.npy"), 3, "noise.npy")
    assert_fails(h5bridge("run", "net.json", "net.pth", "--input", "absent.npy"), 5, "absent.npy")
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.usefixtures("needs_libtorch")
def test_verify(h5bridge, net, tmp_path):
    command = ["verify", "net.json", "net.pth", "--input", "x.npy", "--expect"]
    done = h5bridge(*command, "y.npy")
    assert done.returncode == 0 and done.stdout.startswith("agrees: |found - expected| <= 1e-05 + 0.0001 |expected|")
    assert 'output "output" agrees: largest absolute error' in done.stdout
    y = np.load(tmp_path / "y.npy")
    np.savez(tmp_path / "y.npz", output=y)
    assert h5bridge(*command, "y.npz").returncode == 0

    wrong = y.copy()
    wrong[1, 3] += 0.5
    np.save(tmp_path / "wrong.npy", wrong)
    done = h5bridge(*command, "wrong.npy")
    assert done.stdout.startswith("does not agree: ") and 'output "output" differs: ' in done.stdout
    assert done.returncode == 1 and "the first at (1, 3)" in done.stdout and "1 of 10 elements differ" in done.stdout and done.stderr == ""
    assert h5bridge(*command, "wrong.npy", "--atol", 0.6).returncode == 0
    document = json.loads(h5bridge(*command, "wrong.npy", "--json").stdout)
    assert document["agrees"] is False and document["outputs"][0]["first_mismatch"]["index"] == [1, 3]
    assert document["outputs"][0]["largest_absolute"] == pytest.approx(0.5, abs=1e-5)

    np.save(tmp_path / "misshapen.npy", y[:1])
    done = h5bridge(*command, "misshapen.npy")
    assert done.returncode == 1 and "(2, 5), expected (1, 5)" in done.stdout
    wrong[1, 3] = np.nan
    np.save(tmp_path / "nan.npy", wrong)
    assert h5bridge(*command, "nan.npy", "--atol", 1000).returncode == 1
    np.savez(tmp_path / "named.npz", other=y)
    assert_fails(h5bridge(*command, "named.npz"), 2, '"other"')


def test_compare_tensors(h5bridge, net_h5, tmp_path):
    # net.h5 is channels_last and its layers have other names; with the group of ours gone, Keras's names are all there is.
    with h5py.File(net_h5, "r+") as file:
        del file["h5bridge"]
    state = torch.load(tmp_path / "net.pth")
    del state["bn.num_batches_tracked"]
    torch.save(state, tmp_path / "plain.pth")
    document = json.loads(h5bridge("compare", "plain.pth", "net.h5", "--json").stdout)
    assert document["only_in_a"] == [] and document["only_in_b"] in ([], ["bn.num_batches_tracked"])
    assert len(document["tensors"]) == 8 and all(tensor["agrees"] for tensor in document["tensors"])

    state["fc.weight"][2, 7] += 1
    torch.save(state, tmp_path / "other.pth")
    done = h5bridge("compare", "plain.pth", "other.pth")
    assert done.returncode == 1 and 'tensor "fc.weight"' in done.stdout and "the first at (2, 7)" in done.stdout
    assert h5bridge("compare", "plain.pth", "other.pth", "--atol", 1.01).returncode == 0
    del state["fc.bias"]
    torch.save(state, tmp_path / "other.pth")
    lines = h5bridge("compare", "plain.pth", "other.pth").stdout.splitlines()
    assert lines[0] == "A, the first, is what is expected; B, the second, is what is found" and lines[1] == "only in the first: fc.bias"
    assert lines[-1].startswith("6 tensors agree, of 8 in the first and 7 in the second, largest")
    torch.save({f"net.{name}": tensor for name, tensor in state.items()}, tmp_path / "renamed.pth")
    assert h5bridge("compare", "other.pth", "renamed.pth").stdout.splitlines()[-1] == "0 of 7 tensors agree"


@pytest.mark.usefixtures("needs_libtorch")
def test_compare_outputs(h5bridge, net_h5, tmp_path):
    same = h5bridge("compare", "net.json", "net.pth", "--with", "net.h5", "--random-inputs", 3, "--seed", 1)
    assert same.returncode == 0, same.stdout + same.stderr
    assert h5bridge("compare", "net.json", "net.pth", "--with", "net.h5", "--input", "x.npy").returncode == 0
    state = torch.load(tmp_path / "net.pth")
    state["bn.running_mean"] += 1
    torch.save(state, tmp_path / "other.pth")
    done = h5bridge("compare", "net.h5", "--with", "other.pth", "net.json", "--random-inputs", 3, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1 and document["run"]["first_layer"]["name"] == "bn"
    assert [tensor["name"] for tensor in document["tensors"] if not tensor["agrees"]] == ["bn.running_mean"]
    shapes = ["--random-inputs", 1, "--input-shape"]
    compare = ["compare", "net.json", "net.pth", "--with", "net.h5"]
    assert h5bridge(*compare, *shapes, "x=5,3,8,8").returncode == 0
    assert_fails(h5bridge(*compare, *shapes, "x=5,3,8,9"), 2, "(5, 3, 8, 9)")
    assert_fails(h5bridge(*compare, *shapes, "z=5,3,8,8"), 2, '"z"')


@pytest.mark.usefixtures("needs_libtorch")
def test_convert_with_check(h5bridge, net, tmp_path):
    done = h5bridge("convert", "net.json", "net.pth", "-o", "a.h5", "-o", "a.pth", "-o", "a.json", "--check", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [view["destination"] for view in document["check"]] == ["a.h5", "a.pth", "a.json"] and document["written"] is True
    assert all((tmp_path / name).exists() for name in ["a.h5", "a.pth", "a.json"])

    # Rounded weights do not compute the same.
    before = sorted(os.listdir(tmp_path))
    done = h5bridge("convert", "net.json", "net.pth", "-o", "half.h5", "--dtype", "float16", "--check", "--atol", 0, "--rtol", 0)
    assert done.returncode == 1 and "half.h5: does not agree" in done.stdout and "--atol 0.01" in done.stderr
    assert sorted(os.listdir(tmp_path)) == before


def test_fixed_sizes_hold_for_a_keras_file_beside_the_architecture(h5bridge, tmp_path):
    """What Keras is told in numbers alone is known before its weights are matched."""
    convolution = {"name": "conv", "type": "Conv2d", "attributes": {"in_channels": 3, "out_channels": 4, "kernel_size": 3}}
    padding = {"name": "pad", "type": "pad", "attributes": {"pad": [0, "width - 2*(width//2)"], "mode": "symmetric"}}
    net = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3, 8, "width"]}], "layers": [padding, convolution], "outputs": ["conv"]}
    (tmp_path / "net.json").write_text(json.dumps(net))
    state = {"conv.weight": torch.randn(4, 3, 3, 3), "conv.bias": torch.randn(4)}
    torch.save(state, tmp_path / "net.pth")
    assert_fails(h5bridge("convert", "net.json", "net.pth", "-o", "net.h5"), 4, "--fix-size")
    for arguments in [("net.json", "net.pth", "-o", "net.h5"), ("net.json", "net.h5", "-o", "back.pth")]:
        done = h5bridge("convert", *arguments, "--fix-size", "width=9")
        assert done.returncode == 0, done.stderr
    back = torch.load(tmp_path / "back.pth")
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


def test_without_libtorch(h5bridge, has_libtorch, net):
    if has_libtorch:
        pytest.skip("the program is built with LibTorch")
    assert_fails(h5bridge("run", "net.json", "net.pth", "--input", "x.npy"), 5, "without LibTorch")


def test_converting_loads_no_libtorch(program, net_h5, tmp_path):
    for arguments in [["inspect", "net.h5"], ["validate", "net.h5"], ["convert", "net.h5", "-o", "b.pth"], ["compare", "net.h5", "net.h5"]]:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "LD_DEBUG": "files"}
        )
        assert done.returncode == 0
        assert "libh5bridge.so" in done.stderr and "torch" not in done.stderr, arguments
