"""What the tests ask of PyTorch's files."""

import importlib.util
import json
import sys

import torch

from program import ROOT


def _exporter():
    spec = importlib.util.spec_from_file_location("h5bridge_export", ROOT / "tools" / "h5bridge_export.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    if sys.modules[spec.name] is module:
        spec.loader.exec_module(module)
    return sys.modules[spec.name]


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
