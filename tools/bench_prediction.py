"""Prediction beside PyTorch's in Python, part of tools/bench: h5bridge::compile and the plain module (h5bridge_predict,
a process that is told when to compute), eager PyTorch and TorchScript optimised for inference, taking turns on equal threads.
`.venv/bin/python tools/bench_prediction.py [NAME...]` measures these networks alone."""

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "python"), str(ROOT / "tools")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from h5bridge_export import export_architecture  # noqa: E402

PREDICT = ROOT / "build" / "h5bridge_predict"
TURNS = 7
NAMES = {"module": "the plain module", "eager": "eager PyTorch in Python", "frozen": "TorchScript, optimised for inference"}
LEAST = 0.04  # seconds that a turn of each side takes


class LSTMClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(64, 128, num_layers=2, batch_first=True)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


def mlp():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))


def networks():
    """What is measured: how each is made, and its input without the batch."""
    from torchvision_networks import VGG16, MobileNetV2, ResNet50

    image = (3, 224, 224)
    return {"MLP": (mlp, (64,)), "LSTM": (LSTMClassifier, (50, 64)), "MobileNetV2": (MobileNetV2, image), "ResNet-50": (ResNet50, image),
            "VGG-16": (VGG16, image)}  # fmt: skip


class Predictor:
    """The program, which computes when it is told to."""

    def __init__(self, threads, *arguments):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([PREDICT, str(threads), *map(str, arguments)], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip

    def __call__(self, what, count=1):
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def in_python(work):
    def seconds(count):
        start = time.perf_counter()
        for _ in range(count):
            work()
        return (time.perf_counter() - start) / count

    return seconds


def medians(sides):
    """The median seconds of a call of each side, all of them taking turns."""
    counts = {}
    for name, seconds in sides.items():
        seconds(2)
        counts[name] = max(1, min(1000, int(LEAST / seconds(2))))
    times = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, seconds in sides.items():
            times[name].append(seconds(counts[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def random_network(make):
    """With statistics of normalisations that are not those of a new network."""
    torch.manual_seed(0)
    module = make().eval()
    for each in module.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(each.running_var, 0.5, 1.5)
            nn.init.normal_(each.running_mean, std=0.1)
    return module


def measure(name, make, shape, batch, threads, folder):
    module = random_network(make)
    files = [folder / f"{name}.json", folder / f"{name}.pth"]
    if not files[1].exists():
        export_architecture(module, torch.zeros(2, *shape), str(files[0]))
        torch.save(module.state_dict(), files[1])
    x = torch.randn(batch, *shape)
    array = folder / f"{name}-{batch}.npz"
    np.savez(array, **{json.loads(files[0].read_text())["inputs"][0]["name"]: x.numpy()})
    torch.set_num_threads(threads)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, x)))
        for _ in range(3):
            frozen(x)
        predictor = Predictor(threads, *files, "--input", array)
        difference = predictor("difference")
        times = medians({"plan": lambda count: predictor("plan", count), "module": lambda count: predictor("module", count),
                         "eager": in_python(lambda: module(x)), "frozen": in_python(lambda: frozen(x))})  # fmt: skip
        predictor.close()
    plan = times["plan"]
    ratios = {NAMES[other]: plan / seconds for other, seconds in times.items() if other != "plan"}
    print(f"{name:12} {batch:3} {threads:8} {plan * 1000:10.3f} ms " + "".join(f"{ratio:8.2f}" for ratio in ratios.values())
          + f"   {difference:.1e}", flush=True)  # fmt: skip
    what = f"predict {name}, batch {batch}, {threads} threads"
    return [{"what": what, "ms": plan * 1000, "ratio": ratio, "to": other, "difference": difference} for other, ratio in ratios.items()]


def compare_prediction(folder, names=None, batches=(1, 32), threads=(1, 2)):
    print(f"\n{'predict':12} batch threads    the plan    to module    eager   frozen   difference", flush=True)
    return [result for name, (make, shape) in networks().items() if not names or name in names for batch in batches for count in threads
            for result in measure(name, make, shape, batch, count, Path(folder))]  # fmt: skip


if __name__ == "__main__":
    import tempfile

    compare_prediction(os.environ.get("BENCH_FOLDER") or tempfile.mkdtemp(), sys.argv[1:])
