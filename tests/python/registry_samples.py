"""What h5bridge_generate tells of the registry: the samples that the tests take through real PyTorch and real Keras."""

import functools
import json
import subprocess

import pytest

from program import PROGRAM

GENERATE = PROGRAM.parent / "h5bridge_generate"
needs_registry = pytest.mark.skipif(not GENERATE.exists(), reason="h5bridge_generate is not built")


@functools.cache
def _said(option):
    return json.loads(subprocess.run([GENERATE, option], check=True, capture_output=True).stdout) if GENERATE.exists() else []


def layer_samples():
    """Every sample of every layer type."""
    return _said("--samples")


def keras_samples():
    """Every sample of every Keras class that is read."""
    return _said("--keras-samples")


def keras_classes_read():
    """Every Keras class that is read, as (module, name)."""
    return [(entry["module"], entry["class_name"]) for entry in _said("--keras-classes")]


def aten_rows():
    """How the arguments of each of ATen's operators are read."""
    return _said("--aten-rows")


def each(samples):
    return pytest.mark.parametrize("sample", samples, ids=lambda sample: sample.name)
