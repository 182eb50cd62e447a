"""From what was recorded to the architecture JSON."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Mapping

from torch import Tensor, nn

from .entries import OF_THE_MODEL, Entry, Value
from .errors import ExportError
from .modules import refuse_uninitialized, refuse_without_python, unwrapped
from .open_axes import Probe, Symbol, find_symbols, unique, with_fixed
from .outputs import notes_on_form, outputs_of
from .sizes import OpenText
from .tensors import leaves
from .tracing import Call, shape_of_input, trace_again
from .training import notes_on_modes, notes_on_training
from .untouched import left_as_it_was


def _values(outputs: list[Value] | dict[str, Value]) -> list[Value]:
    return list(outputs.values() if isinstance(outputs, dict) else outputs)


def _used(entries: list[Entry], outputs: list[Value]) -> list[Entry]:
    """Without calls whose result nobody takes. The first call of a module that is left defines its layer."""
    wanted = {id(value.entry) for value in outputs}
    kept = []
    for entry in reversed(entries):
        if id(entry) in wanted:
            wanted |= {id(value.entry) for value in [*entry.inputs, *entry.named_inputs.values()]}
            kept.append(entry)
    kept.reverse()
    defining: dict[int, Entry] = {}
    for entry in kept:
        if entry.call and id(entry.call) not in wanted:
            _define_again(entry, defining.setdefault(id(entry.call), entry))
    return kept


def _define_again(entry: Entry, defining: Entry) -> None:
    if entry is defining:
        entry.call, entry.attributes = None, entry.settings.whole()
    else:
        entry.call, entry.attributes = defining, entry.settings.other_than(defining.settings)


# Attributes that version 1 of the form has as sizes, which may be open; other integers may be since version 2.
SIZES = set("""view.shape reshape.shape Unflatten.unflattened_size expand.size broadcast_to.size repeat.repeats tile.dims pad.pad
    arange.start arange.end zeros.size ones.size full.size Upsample.size layer_norm.normalized_shape rms_norm.normalized_shape
    select.index slice.start slice.end narrow.start narrow.length MaxUnpool1d.output_size MaxUnpool2d.output_size
    MaxUnpool3d.output_size""".split())  # fmt: skip


def _needs_version_2(layer: dict) -> bool:
    """It has settings of a call, bytes, an open integer, or another name than its value."""
    attributes = layer.get("attributes", {})
    if "layer" in layer or "call" in layer and attributes or any(isinstance(value, dict) for value in attributes.values()):
        return True
    return any(isinstance(value, OpenText) for name, value in attributes.items() if f"{layer['type']}.{name}" not in SIZES for value in leaves(value))


def _version(layers: list[dict]) -> int:
    """The lowest version of the form that can say the layers."""
    return 2 if any(map(_needs_version_2, layers)) else 1


def describe(module: nn.Module, example_inputs: Any, *, fix_size: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The architecture of a module as the JSON's object; arguments as of export_architecture. Raises ExportError."""
    module = unwrapped(module)
    refuse_without_python(module)
    refuse_uninitialized(module)
    call = Call(module, example_inputs)
    modes = notes_on_modes(module)
    with left_as_it_was(module) as call.keeping:
        try:
            probe = Probe(call)
            symbols = with_fixed(probe, find_symbols(probe, call.tensors), fix_size or {})
        except ExportError:
            raise
        except Exception as error:
            raise ExportError(f"{type(module).__name__} fails on the example inputs: {type(error).__name__}: {str(error).splitlines()[0]}") from error
        recorder, inputs, result, symbols = trace_again(call, symbols)
        recorder.notes += modes + notes_on_training(call, symbols, recorder.asking)
        recorder.notes += probe.notes + (call.kept if call.kept and call.heeds_earlier_calls() else [])
        try:
            outputs = outputs_of(recorder, result)
        except ValueError as error:
            raise ExportError(f"{type(module).__name__}: forward's result: {error}") from None
    if not outputs:
        raise ExportError(f"{type(module).__name__}: forward returns no tensor")
    recorder.notes += notes_on_form(result, outputs)
    entries = _used(recorder.entries, _values(outputs))

    paths = set(recorder.paths.values())
    taken: set[str] = set()
    for entry in inputs.values():
        entry.name = unique(entry.wanted, taken)
        taken.add(entry.name)
    for entry in entries:
        own_path = entry.module and entry.call is None and entry.wanted not in taken
        entry.name = entry.wanted if own_path else unique(entry.wanted, taken | paths)
        entry.layer = entry.wanted if entry.module and entry.call is None else entry.name
        taken.add(entry.name)
    previous = next(iter(inputs.values()))
    layers = []
    for entry in entries:
        layer: dict[str, Any] = {"name": entry.name}
        if entry.call:
            layer["call"] = entry.call.layer
        else:
            layer["type"] = entry.type
            if entry.layer != entry.name:
                layer["layer"] = entry.layer
        if entry.attributes:
            layer["attributes"] = entry.attributes
        if entry.inputs != [Value(previous)]:
            layer["inputs"] = [value.written() for value in entry.inputs]
        if entry.named_inputs:
            layer["named_inputs"] = {name: value.written() for name, value in entry.named_inputs.items()}
        layers.append(layer)
        previous = entry

    def written(symbol: Symbol) -> str:
        return symbol.name if symbol.factor == 1 else f"{symbol.factor}*{symbol.name}"

    aliases, unused = other_names(module, entries)
    return {
        "h5bridge": _version(layers),
        "name": type(module).__name__,
        "inputs": [{"name": entry.name, "shape": shape_of_input(name, call.tensors[name], symbols, written), "dtype": recorder.json(call.tensors[name].dtype)}
                   for name, entry in inputs.items()],
        "layers": layers,
        "outputs": {key: value.written() for key, value in outputs.items()} if isinstance(outputs, dict)
                   else [value.written() for value in outputs],
    } | {key: value for key, value in ({"aliases": aliases, "unused": unused} | registered(module, aliases) | {"notes": recorder.notes}).items() if value}  # fmt: skip


def other_names(module: nn.Module, entries: list[Entry]) -> tuple[dict[str, str], list[str]]:
    """The names in the state_dict that are no layer's: further names of tensors that have one, and tensors that nothing takes."""
    modules = dict(module.named_modules())
    tensors = {name: tensor for name, tensor in module.state_dict(keep_vars=True).items() if isinstance(tensor, Tensor)}
    own = set()
    for entry in entries:
        if entry.module and entry.call is None:
            path = "" if entry.layer.startswith(OF_THE_MODEL) else entry.layer
            held = modules.get(path)
            own |= {entry.layer} if held is None else {f"{path}.{name}" if path else name for name in held.state_dict()}
    first = {id(tensors[name]): name for name in tensors if name in own}
    others = [name for name in tensors if name not in own]
    aliases = {name: first[id(tensors[name])] for name in others if id(tensors[name]) in first}
    return aliases, [name for name in others if name not in aliases]


def registered(module: nn.Module, aliases: dict[str, str]) -> dict[str, Any]:
    """What the order of registration and the identity of parameters say: an optimizer counts by it."""
    tensors = {name: tensor for name, tensor in module.state_dict(keep_vars=True).items() if isinstance(tensor, Tensor)}
    parameters = {name: tensor for name, tensor in tensors.items() if isinstance(tensor, nn.Parameter)}
    ties: dict[int, list[str]] = {}
    for name, parameter in parameters.items():
        if name not in aliases:
            ties.setdefault(id(parameter), []).append(name)
    return {
        "state_dict": list(tensors),
        "buffers": [name for name in tensors if name not in parameters],
        "frozen": [name for name, parameter in parameters.items() if not parameter.requires_grad],
        "tied": [names for names in ties.values() if len(names) > 1],
    }


def dumps(architecture: dict[str, Any]) -> str:
    """The JSON with a line for every input and layer."""
    members = []
    for key, value in architecture.items():
        if key in ("inputs", "layers") and value:
            lines = ",\n".join(f"    {json.dumps(item)}" for item in value)
            members.append(f"  {json.dumps(key)}: [\n{lines}\n  ]")
        else:
            members.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def export_architecture(
    module: nn.Module, example_inputs: Any, path: str | os.PathLike, *, fix_size: Mapping[str, int] | None = None
) -> list[str]:
    """Writes the architecture JSON of `module`: `example_inputs` is a tensor, a tuple of tensors, or a dict of them by
    the names of forward's parameters. Their batch size, and other sizes the module leaves open, become symbols, but for
    those that `fix_size` binds to numbers by their names, {"length": 128}. Returns notes, which the JSON has, too: what
    forward does and no layer says. Raises ExportError (SizeError where `fix_size` does not fit), and then leaves `path`
    as it was."""
    description = describe(module, example_inputs, fix_size=fix_size)
    text = dumps(description)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return description.get("notes", [])
