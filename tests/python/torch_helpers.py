"""What the tests ask of PyTorch's files."""

import importlib.util
import json
import sys

import torch

from program import ROOT


def _exporter():
    """The package behind the script, which is loaded as a user's code loads it."""
    name = "h5bridge_export"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / "h5bridge_export.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name].exporter


exporter = _exporter()
export_architecture = exporter.export_architecture


def assert_asked_nothing(architecture):
    """The file says of no question that the network's code asks of open sizes: there was none that is to be told."""
    assert [note for note in json.loads(architecture.read_text()).get("notes", []) if "goes on" in note] == []


def _bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same_state(found, expected):
    """Two state_dicts: the same names in the same order, the same metadata, and the same bits."""
    assert list(found) == list(expected)
    assert type(found) is type(expected) and getattr(found, "_metadata", None) == getattr(expected, "_metadata", None)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, name
        assert _bits(found[name]) == _bits(tensor), name
