"""Archives of torch.export.save, and architectures in the one form in which two of the same network can be compared."""

import json

import torch

from program import h5bridge
from torch_helpers import exporter


def exported_with_open_sizes(module, inputs, description):
    """The program of a module, whose sizes are open where the exporter's description has them so."""
    open_axes = [{axis: torch.export.Dim.AUTO for axis, size in enumerate(entry["shape"]) if isinstance(size, str)} for entry in description["inputs"]]
    with torch.no_grad():
        return torch.export.export(module, tuple(inputs), dynamic_shapes=tuple(axes or None for axes in open_axes))


def save_both(module, inputs, folder):
    """m.json, m.pth and m.pt2 of one module."""
    description = exporter.describe(module, tuple(inputs))
    (folder / "m.json").write_text(exporter.dumps(description))
    torch.save(module.state_dict(), folder / "m.pth")
    torch.export.save(exported_with_open_sizes(module, inputs, description), folder / "m.pt2")


def both_architectures(folder):
    """Of m.json and of m.pt2, as the program writes them."""
    for source, written in (("m.json", "by_exporter.json"), ("m.pt2", "by_program.json")):
        h5bridge("convert", folder / source, "-o", folder / written)
    return [json.loads((folder / name).read_text()) for name in ("by_exporter.json", "by_program.json")]


def value_name(value, names):
    name, colon, output = value.partition(":")
    return names[name] + colon + output


def setting(kind, name, value, attributes):
    """A setting in one of the spellings that mean the same."""
    if "Pool" in kind and name == "stride" and value is None:
        value = attributes["kernel_size"]
    if kind == "slice" and name == "start" and value == 0:
        value = None
    if kind == "Upsample" and name == "align_corners" and value is False:
        value = None
    if isinstance(value, list) and value and all(item == value[0] for item in value) and (kind == "Upsample" or name not in ("shape", "size", "data", "normalized_shape", "dims")):
        value = value[0]
    return value


def normal_form(architecture):
    """Layers with their settings and inputs, functions and inputs by their number; modules that do nothing are left out."""
    own = set(architecture.get("state_dict", []))
    modules = {name.rpartition(".")[0] for name in own} | own
    names, layers, kinds = {}, [], {}
    for number, entry in enumerate(architecture["inputs"]):
        names[entry["name"]] = f"input {number}"
    for entry in architecture["layers"]:
        inputs = [value_name(value, names) for value in entry["inputs"]]
        if entry.get("type") == "Identity":
            names[entry["name"]] = inputs[0]
            continue
        own_name = entry.get("layer", entry["name"])
        kinds[own_name] = kind = entry.get("type") or kinds[entry["call"]]
        attributes = entry.get("attributes", {})
        if kind == "new_tensor":  # constants stand in the order of their names, which are others
            names[entry["name"]] = f"constant {attributes.get('data')}"
            continue
        names[entry["name"]] = own_name if own_name in modules else f"function {len(layers)}"
        layers.append({
            "name": names[entry["name"]], "type": kind, "call": entry["call"] if entry.get("call") in modules else None,
            "attributes": {name: setting(kind, name, value, attributes) for name, value in attributes.items()
                           if setting(kind, name, value, attributes) is not None},
            "inputs": inputs, "named_inputs": {key: value_name(value, names) for key, value in entry.get("named_inputs", {}).items()},
        })  # fmt: skip
    outputs = architecture["outputs"]
    return {
        "inputs": [(entry["shape"], entry["dtype"]) for entry in architecture["inputs"]],
        "layers": layers,
        "outputs": {key: value_name(value, names) for key, value in outputs.items()} if isinstance(outputs, dict) else [value_name(value, names) for value in outputs],
    } | {key: architecture.get(key) for key in ("aliases", "unused", "state_dict", "buffers", "frozen", "tied")}  # fmt: skip
