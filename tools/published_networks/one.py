"""One network, in a process of its own: exported, taken to Keras, run by LibTorch, and brought home. Prints its row as JSON."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np  # noqa: E402
import torch  # noqa: E402

import networks  # noqa: E402

TOLERANCE = 1e-4  # of the largest value


class Stop(Exception):
    """What ends a network's way, and how."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def one_line(error):
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"[:300]


def open_batch(value):
    """The batch and, of ids, the length."""
    axes = [0, 1] if value.dtype == torch.int64 and value.dim() == 2 else [0]
    return {axis: torch.export.Dim.AUTO for axis in axes}


def exported(module, inputs, named_inputs):
    """The program, and whether its batch is open."""
    with torch.no_grad():
        try:
            shapes = tuple(map(open_batch, inputs)), {name: open_batch(value) for name, value in named_inputs.items()}
            program = torch.export.export(module, inputs, named_inputs, dynamic_shapes=shapes[1] if named_inputs else shapes[0])
        except Exception as error:  # what a network asks of its sizes ends in errors of many kinds
            try:
                return torch.export.export(module, inputs, named_inputs), False
            except Exception:
                raise Stop("export", one_line(error)) from None
    batches = [node.meta["val"].shape[0] for node in program.graph.nodes if node.op == "placeholder" and node.name in program.graph_signature.user_inputs]
    return program, bool(batches) and not isinstance(batches[0], int)


def tensors_of(result):
    leaves = torch.utils._pytree.tree_leaves(result)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def keys_of(result):
    """Of all tensors, those of a dict in a dict behind its own: "text_model_output.pooler_output"."""
    if isinstance(result, torch.Tensor):
        return [""]
    items = result.items() if isinstance(result, Mapping) else enumerate(result) if isinstance(result, (list, tuple)) else ()
    return [f"{key}.{below}" if below else str(key) for key, value in items for below in keys_of(value)]


def prepare(name, folder):
    """m.pt2, m.pth, x.npz and the outputs, made once."""
    module, inputs, named_inputs = networks.build(name)
    program, is_open = exported(module, inputs, named_inputs)
    torch.export.save(program, folder / "m.pt2")
    torch.save(module.state_dict(), folder / "m.pth")
    with torch.no_grad():
        result = module(*inputs, **named_inputs)
    outputs = tensors_of(result)
    keys = keys_of(result) if isinstance(result, Mapping) else []
    given = dict(zip(program.graph_signature.user_inputs, [*inputs, *named_inputs.values()]))
    np.savez(folder / "x.npz", **{key: value.numpy() for key, value in given.items()})
    np.savez(folder / "y.npz", *[output.float().numpy() if output.dtype == torch.bfloat16 else output.numpy() for output in outputs])
    (folder / "prepared.json").write_text(json.dumps({"open": is_open, "outputs": keys, "parameters": sum(p.numel() for p in module.parameters())}))


def h5bridge(program, *arguments):
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads()), "MKL_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Stop("refused" if done.returncode == 4 else "failed", done.stderr.strip().removeprefix("h5bridge: ").removeprefix(str(arguments[1]) + ": "))
    return done


def error_of(found, expected):
    """The largest difference in units of the largest value."""
    if found.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=0) or 1
    return float(np.where(same, 0, np.abs(found - expected)).max() / largest)


def as_shaped(array, shape):
    """With its channels last where only that fits."""
    fits = lambda one: all(size in (None, own) for size, own in zip(shape, one.shape)) and len(shape) == one.ndim  # noqa: E731
    last = np.ascontiguousarray(np.moveaxis(array, 1, -1)) if array.ndim > 2 else array
    return last if fits(last) else array


def keras_error(path, inputs, expected, keys):
    """`keys`: the outputs' in PyTorch's order, where they are a dict; Keras goes through one by its sorted keys."""
    import keras

    model = keras.saving.load_model(path, compile=False)
    given = {tensor._keras_history.operation.name: tensor for tensor in model.inputs}
    arrays = [as_shaped(inputs[name], tensor.shape) for name, tensor in given.items()]
    result = model(arrays if len(arrays) > 1 else arrays[0], training=False)
    values = [result[key] for key in keys] if isinstance(result, dict) else keras.tree.flatten(result)
    found = [keras.ops.convert_to_numpy(value) for value in values]
    if len(found) != len(expected):
        raise Stop("failed", f"Keras gives {len(found)} outputs, PyTorch {len(expected)}")
    kinds = [type(operation).__name__ for operation in model.operations]
    moves = sum(kinds.count(kind) for kind in ("Permute", "Transpose", "Moveaxis", "Swapaxes"))
    return max(error_of(one if one.shape == other.shape else np.moveaxis(one, -1, 1), other) for one, other in zip(found, expected)), moves


def same_state(found, expected):
    return list(found) == list(expected) and all(
        found[name].dtype == tensor.dtype and found[name].shape == tensor.shape and found[name].contiguous().view(-1).view(torch.uint8).equal(tensor.contiguous().view(-1).view(torch.uint8))
        for name, tensor in expected.items()
    )


def check(folder, program, steps):
    row = json.loads((folder / "prepared.json").read_text())
    inputs, outputs = dict(np.load(folder / "x.npz")), list(np.load(folder / "y.npz").values())
    h5bridge(program, "convert", folder / "m.pt2", "-o", folder / "m.h5")
    if "run" in steps:
        h5bridge(program, "run", folder / "m.pt2", "--exact", "--input", folder / "x.npz", "-o", folder / "z.npz")
        found = list(np.load(folder / "z.npz").values())
        row["bits"] = len(found) == len(outputs) and all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in zip(found, outputs))
        row["libtorch"] = max(map(error_of, found, outputs)) if len(found) == len(outputs) else float("inf")
    if "home" in steps:
        h5bridge(program, "convert", folder / "m.h5", "-o", folder / "home.pth")
        row["home"] = same_state(torch.load(folder / "home.pth"), torch.load(folder / "m.pth"))
    if "keras" in steps:
        try:
            row["keras"], row["moves"] = keras_error(folder / "m.h5", inputs, outputs, row.pop("outputs", []))
        except Stop:
            raise
        except Exception as error:
            raise Stop("failed", "Keras: " + one_line(error)) from None
    return row


def differences_of(row):
    """What keeps a network that runs from passing."""
    if not row.get("bits", True):
        yield f"LibTorch's outputs have other bits than PyTorch's, by up to {row['libtorch']:.1e} of the largest value"
    if not row.get("home", True):
        yield "what comes home is not the .pth"
    if row.get("keras", 0) > TOLERANCE:
        yield f"Keras differs by {row['keras']:.1e} of the largest value"


def own_error(name, inputs):
    """How far PyTorch's results in floats are from those in doubles: what no other program can be asked to do better than."""
    module, _, named_inputs = networks.build(name)
    given = [torch.from_numpy(array) for array in inputs.values()]
    in_doubles = [x.double() if x.is_floating_point() else x for x in given]
    with torch.no_grad():
        call = (lambda values: module(**dict(zip(named_inputs, values)))) if named_inputs else lambda values: module(*values)
        expected = tensors_of(call(given))
        module.double()
        return max(error_of(one.double().numpy(), other.numpy()) for one, other in zip(expected, tensors_of(call(in_doubles))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--steps", default="run,home,keras")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    began, row = time.monotonic(), {}
    try:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        if not (arguments.folder / "prepared.json").exists():
            prepare(arguments.name, arguments.folder)
        if arguments.steps != "export":
            row = check(arguments.folder, arguments.program, arguments.steps.split(","))
        good = row.get("bits", True) and row.get("home", True) and row.get("keras", 0) <= TOLERANCE
        row["result"] = "passes" if good else "differs"
        if not good:
            said = [*differences_of(row)]
            if row.get("keras", 0) > TOLERANCE:
                said.append(f"PyTorch's own floats are {own_error(arguments.name, dict(np.load(arguments.folder / 'x.npz'))):.1e} from its doubles")
            row["message"] = "; ".join(said)
    except Stop as stop:
        row |= {"result": stop.kind, "message": str(stop)}
    except Exception as error:
        row |= {"result": "export", "message": one_line(error)}
    row["seconds"] = round(time.monotonic() - began, 1)
    sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
