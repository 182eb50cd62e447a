"""From the start of a process to its first prediction, beside Keras, PyTorch and a C++ program with TorchScript."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from conversion import program, resnet50, run_plain
from h5bridge_export import export_architecture
from turns import BUILD

PART = "load"
BACKENDS = ("torch", "jax", "tensorflow")

# A user's script: the class that `-o model.py` wrote, and its weights.
IN_PYTORCH = """import inspect, numpy, torch, {stem} as source
torch.set_grad_enabled(False)
model = [c for c in vars(source).values() if inspect.isclass(c) and issubclass(c, torch.nn.Module) and c.__module__ == "{stem}"][-1]().eval()
model.load_state_dict(torch.load("{stem}.pth", weights_only=True))
model(torch.from_numpy(numpy.load("{stem}_first.npy")))
"""
IN_KERAS = """import keras, numpy
keras.saving.load_model("{stem}.keras", compile=False)(numpy.load("{stem}_last.npy"), training=False)
"""


def mlp():
    """The files of a network that is small against the libraries."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).eval()
    export_architecture(module, torch.zeros(2, 64), "mlp.json")
    torch.save(module.state_dict(), "mlp.pth")
    program("convert", "mlp.json", "mlp.pth", "-o", "mlp.h5")


def python(script, peers, backend=None):
    """Runs it, where it can be run."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", **({"KERAS_BACKEND": backend} if backend else {})}
    return lambda: subprocess.run([peers, "-W", "ignore", "-c", script], check=True, env=environment, stderr=subprocess.DEVNULL)


def run(stem, array):
    return lambda: program("run", f"{stem}.h5", "--input", array, "-o", "y.npy")


def others(report, stem, sizes, peers):
    """What loads the same and predicts once, by what it is."""
    program("convert", f"{stem}.h5", "-o", f"{stem}.py", "-o", f"{stem}.pth", "-o", f"{stem}.ts", "-o", f"{stem}.keras")
    sides = {"PyTorch": python(IN_PYTORCH.format(stem=stem), sys.executable),
             "jit::load in C++": lambda: subprocess.run([BUILD / "h5bridge_jit_load", f"{stem}.ts", *map(str, sizes)], check=True)}  # fmt: skip
    for backend in BACKENDS:
        work = python(IN_KERAS.format(stem=stem), peers, backend)
        try:
            work()
        except subprocess.CalledProcessError:
            report.note(f"Keras on {backend} is not here")
        else:
            sides[f"Keras on {backend}"] = work
    return sides


def measure(report, *, peers, **_):
    if not Path("resnet50.h5").exists():
        resnet50()
    mlp()
    image = np.random.default_rng(0).normal(size=(1, 224, 224, 3)).astype(np.float32)
    np.save("resnet50_last.npy", image)
    np.save("resnet50_first.npy", np.ascontiguousarray(image.transpose(0, 3, 1, 2)))
    row = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    np.save("mlp_last.npy", row)
    np.save("mlp_first.npy", row)
    most = {"PyTorch": 0.25, "jit::load in C++": 0.8, **{f"Keras on {backend}": 0.10 for backend in BACKENDS}}
    report.compare(PART, "ResNet-50, one prediction, whole process", run("resnet50", "resnet50_last.npy"),
                   others(report, "resnet50", (1, 3, 224, 224), peers), most=most)  # fmt: skip
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    alone = {"dlopen of LibTorch alone": lambda: run_plain("dlopen", library)}
    report.compare(PART, "MLP, one prediction, whole process", run("mlp", "mlp_last.npy"),
                   alone | others(report, "mlp", (1, 64), peers), most={"dlopen of LibTorch alone": 1.6})  # fmt: skip
    sharded_inspection(report)


def sharded_inspection(report):
    """safetensors of 4 and of 40 GiB that have no bytes on the disk, by `inspect`, and their headers by safetensors itself."""
    for gib in (4, 40):
        folder = Path(f"shards{gib}")
        folder.mkdir(exist_ok=True)
        weight_map = {}
        for shard in range(gib // 2):
            file = f"model-{shard + 1:05}-of-{gib // 2:05}.safetensors"
            size = 2**31 // 16
            header = {f"l{shard}.{i}.weight": {"dtype": "F32", "shape": [size // 4], "data_offsets": [i * size, (i + 1) * size]} for i in range(16)}
            text = json.dumps(header).encode()
            text += b" " * (-len(text) % 8)
            with open(folder / file, "wb") as out:
                out.write(len(text).to_bytes(8, "little") + text)
                out.truncate(8 + len(text) + 2**31)
            weight_map |= dict.fromkeys(header, file)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    script = ("import glob\nfrom safetensors import safe_open\nfor path in glob.glob('shards40/*.safetensors'):\n"
              "    with safe_open(path, framework='np') as file:\n        for name in file.keys(): file.get_slice(name).get_shape()\n")  # fmt: skip
    index = "model.safetensors.index.json"
    report.compare(PART, "inspect, 40 GiB of sharded safetensors", lambda: program("inspect", f"shards40/{index}"),
                   {"safetensors in Python": lambda: subprocess.run([sys.executable, "-c", script], check=True),
                    "4 GiB of them": lambda: program("inspect", f"shards4/{index}")}, most={"safetensors in Python": 0.3})  # fmt: skip
