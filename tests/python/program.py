"""The built program, as the tests in Python call it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("H5BRIDGE", ROOT / "build" / "h5bridge")).absolute()
PACKAGE = PROGRAM.parent / "python"

needs_program = pytest.mark.skipif(not PROGRAM.exists(), reason="the program is not built")
needs_libtorch = pytest.mark.skipif(not (PROGRAM.parent / "libh5bridge_torch.so").exists(), reason="built without LibTorch")


def _package():
    """The Python package that is built beside the program, or None."""
    if not list(PACKAGE.glob("h5bridge/_core*.so")):
        return None
    sys.path.insert(0, str(PACKAGE))
    import h5bridge

    return h5bridge


package = _package()

# What `convert` is asked for most, as the package's convert() has it.
VALUES = {"--data-format": "data_format"}
FLAGS = {"--checkpoint": ("checkpoint", True), "--lossless": ("lossless", True), "--no-optimizer": ("optimizer", False)}


def as_options(arguments):
    """Sources, destinations and options of the package's convert() for the arguments of the program's; None where it takes others."""
    sources, destinations, options = [], [], {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "-o":
            destinations.append(next(rest))
        elif argument in VALUES and VALUES[argument] not in options:
            options[VALUES[argument]] = next(rest)
        elif argument in FLAGS:
            name, value = FLAGS[argument]
            options[name] = value
        elif argument.startswith("-"):
            return None
        else:
            sources.append(argument)
    return sources, destinations, options


def convert(sources, destinations, options):
    """What the program does, without a process for it, whose start takes ten times as long as a small network."""
    try:
        package.convert(sources, destinations, **options)
    except package.Error as error:
        raise AssertionError(f"convert {sources} {destinations} {options}: {error.status}\nh5bridge: {error}\n") from None
    return ""


def run_program(*arguments, status=0, folder=None):
    """Runs the program with as many threads as PyTorch has here, expects the exit status, and returns what it printed."""
    threads = str(torch.get_num_threads())
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    command = [PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == status, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if status in (0, 1) else done.stderr


def h5bridge(*arguments, status=0, folder=None):
    """The same, but that the package does what it can in this process: messages name options as the program has them."""
    if package and status == 0 and arguments[0] == "convert" and not folder and (taken := as_options(map(str, arguments[1:]))):
        return convert(*taken)
    return run_program(*arguments, status=status, folder=folder)


def run_keras_model(model, inputs, folder, by_pytorch):
    """What the program computes of a Keras model: from its .h5, or from the files for PyTorch that it makes of that."""
    model.save(folder / "k.h5")
    sources = [folder / "k.h5"]
    if by_pytorch:
        h5bridge("convert", *sources, "-o", folder / "k.json", "-o", folder / "k.pth")
        sources = [folder / "k.json", folder / "k.pth"]
    np.savez(folder / "x.npz", **inputs)
    h5bridge("run", *sources, "--input", folder / "x.npz", "-o", folder / "y.npz")
    return dict(np.load(folder / "y.npz"))
