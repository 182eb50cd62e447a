"""Netron, where it and Node are at hand: what it shows of files of ours, by its own sources (tools/netron.mjs)."""

import importlib.util
import json
import os
import shutil
import subprocess

import pytest
import torch

from digits import DIGITS, SOURCES
from program import ROOT, h5bridge, needs_program


def _netron():
    """The folder of the package, which H5BRIDGE_NETRON may name, or None."""
    found = importlib.util.find_spec("netron")
    return os.environ.get("H5BRIDGE_NETRON") or (found and found.submodule_search_locations[0])


NETRON, NODE = _netron(), shutil.which("node")
pytestmark = [needs_program, pytest.mark.skipif(not (NETRON and NODE), reason="no Netron or no Node at hand (H5BRIDGE_NETRON names its folder)")]

# Both frameworks' words for the layers of the network.
KERAS = {"Conv2D": 2, "BatchNormalization": 2, "ReLU": 3, "MaxPooling2D": 1, "Flatten": 1, "Dropout": 1, "Dense": 2}
SCRIPT = {"conv2d": 2, "batch_norm": 2, "relu": 3, "max_pool2d": 1, "flatten": 1, "dropout": 1, "linear": 2}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What Netron shows of each file, by its suffix."""
    folder = tmp_path_factory.mktemp("netron")
    suffixes = (".h5", ".keras", ".torchscript", ".pth", ".safetensors", ".weights.h5")
    for suffix in suffixes:
        h5bridge("convert", *SOURCES, "-o", folder / f"net{suffix}")
    command = [NODE, ROOT / "tools" / "netron.mjs", NETRON, *[folder / f"net{suffix}" for suffix in suffixes]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(suffixes, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("suffix, nodes", [(".h5", KERAS), (".keras", KERAS), (".torchscript", SCRIPT)])
def test_the_graph_is_shown(suffix, nodes, shown):
    assert shown[suffix]["nodes"] == nodes


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_all_tensors_are_shown(suffix, shown):
    assert set(shown[suffix]["tensors"]) == set(torch.load(DIGITS / "model.pth"))


def test_layers_with_weights_alone_are_shown(shown):
    assert shown[".weights.h5"]["nodes"] == {name: KERAS[name] for name in ("Conv2D", "BatchNormalization", "Dense")}
