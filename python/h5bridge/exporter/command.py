"""The command line: h5bridge_export.py package.module:Class -o model.json."""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .description import export_architecture
from .errors import ExportError, SizeError


def load_model(where: str, arguments: dict[str, Any]) -> nn.Module:
    """`package.module:Class` or `path/to/file.py:Class`: a class or a function to be called, or a module itself."""
    source, _, name = where.rpartition(":")
    if not source or not name:
        raise ValueError(f"{where}: expected package.module:Class or file.py:Class")
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise ValueError(f"{source}: no such file")
        sys.path.insert(0, str(Path(source).resolve().parent))
        spec = importlib.util.spec_from_file_location(Path(source).stem, source)
        python = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = python
        spec.loader.exec_module(python)
    else:
        sys.path.insert(0, os.getcwd())
        python = importlib.import_module(source)
    try:
        found = functools.reduce(getattr, name.split("."), python)
    except AttributeError:
        raise ValueError(f"{source} has no {name}") from None
    model = found if isinstance(found, nn.Module) else made(found, arguments)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{where} is not an nn.Module")
    return model


def made(found: Any, arguments: dict[str, Any]) -> Any:
    """What the class or function gives. Raises ValueError where it takes other arguments, and whatever it raises itself."""
    try:
        inspect.signature(found).bind(**arguments)
    except TypeError as error:
        given = "" if arguments else "; --arguments gives a constructor what it takes, as a JSON object: --arguments '{\"NAME\": 17}'"
        raise ValueError(f"{found.__name__}{inspect.signature(found)}: {error}{given}") from None
    except ValueError:  # no signature is known
        pass
    return found(**arguments)


def parse_arguments(text: str) -> dict[str, Any]:
    """`{"classes": 17}`"""
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a JSON object of the constructor's arguments by name, as in '{{\"classes\": 17}}'")
    return arguments


def parse_input(text: str) -> tuple[str | None, Tensor]:
    """`2,3,32,32`, `ids=2,128:int64`: an example of that shape."""
    match = re.fullmatch(r"(?:(\w+)=)?([0-9]+(?:,[0-9]+)*)?(?::(\w+))?", text.replace(" ", ""))
    dtype = getattr(torch, match[3] or "float32", None) if match else None
    if not isinstance(dtype, torch.dtype):
        raise argparse.ArgumentTypeError(f"{text!r}: expected sizes as in 2,3,32,32 or ids=2,128:int64")
    shape = [int(size) for size in (match[2] or "").split(",") if size]
    return match[1], torch.rand(shape).to(dtype) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype)


def parse_size(text: str) -> tuple[str, int]:
    """`length=128`"""
    match = re.fullmatch(r"(\w+)=([0-9]+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME=N as in length=128")
    return match[1], int(match[2])


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the architecture JSON of a PyTorch module.")
    parser.add_argument("model", help="package.module:Class or path/to/file.py:Class")
    parser.add_argument("-o", "--output", required=True, help="the JSON file to write")
    parser.add_argument("--input-shape", required=True, action="append", type=parse_input, metavar="[NAME=]SIZES[:DTYPE]",
                        help="an input, such as 2,3,32,32 or ids=2,128:int64; once for each")  # fmt: skip
    parser.add_argument("--fix-size", default=[], action="append", type=parse_size, metavar="NAME=N",
                        help="bind an open size to a number, such as length=128; once for each")  # fmt: skip
    parser.add_argument("--arguments", default={}, type=parse_arguments, metavar="JSON",
                        help="""the constructor's arguments by name, as a JSON object: '{"classes": 17}'""")  # fmt: skip
    options = parser.parse_args()
    names = [name for name, _ in options.input_shape]
    if any(names) and not all(names):
        parser.error("--input-shape: name all inputs or none")
    if any(names):
        inputs = dict(options.input_shape)
    else:
        inputs = tuple(x for _, x in options.input_shape)
    try:
        model = load_model(options.model, options.arguments)
    except Exception as error:  # whatever a stranger's constructor raises
        print(f"h5bridge_export: {options.model}: {str(error) or type(error).__name__}", file=sys.stderr)
        return 2
    try:
        for note in export_architecture(model, inputs, options.output, fix_size=dict(options.fix_size)):
            print(f"h5bridge_export: note: {note}", file=sys.stderr)
    except ExportError as error:
        for line in str(error).splitlines():
            print(f"h5bridge_export: {line}", file=sys.stderr)
        return 2 if isinstance(error, SizeError) else 4
    except OSError as error:
        print(f"h5bridge_export: {options.output}: {error.strerror}", file=sys.stderr)
        return 5
    return 0
