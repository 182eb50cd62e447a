"""Predicting again and again: h5bridge::compile and the plain module (h5bridge_predict, a process that is told when to
compute), beside other engines, a process each (engines.py), taking turns on equal threads."""

import json
import os
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

import networks
from conversion import program
from h5bridge_export import export_architecture
from turns import BUILD, TURNS, Row

PART = "predict"
ENGINES = {"eager": "eager PyTorch", "frozen": "TorchScript for inference", "compile": "torch.compile, frozen", "tensorflow": "TensorFlow, traced",
           "jax": "JAX, jit", "openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}  # fmt: skip
LEAST = 0.04  # seconds that a turn of each side takes


class Told:
    """A process that computes when it is told to."""

    def __init__(self, command, threads, command_line="{count}"):
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
        self.line = command_line
        self.process = subprocess.Popen([str(word) for word in command], env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("it ended")
        return float(line)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def seconds(self, count):
        return self.ask(self.line.format(count=count))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def prepare(name, batches):
    """The network's files, for all of the engines."""
    module, x = networks.build(name), networks.example(name, 2)
    export_architecture(module, x, f"{name}.json")
    torch.save(module.state_dict(), f"{name}.pth")
    program("convert", f"{name}.json", f"{name}.pth", "-o", f"{name}.keras")
    for batch in batches:
        x = networks.example(name, batch)
        is_image = x.dim() == 4
        np.save(f"{name}-{batch}-first.npy", x.numpy())
        np.save(f"{name}-{batch}-last.npy", np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy()) if is_image else x.numpy())
        np.savez(f"{name}-{batch}.npz", **{json.loads(Path(f"{name}.json").read_text())["inputs"][0]["name"]: x.numpy()})


def write_onnx(name, batch, peers):
    """By the older of PyTorch's two exporters, in the Python that has onnx."""
    script = ("import sys, torch, networks\n"
              f"module = networks.build({name!r}); module.load_state_dict(torch.load({name + '.pth'!r}))\n"
              f"torch.onnx.export(module, (networks.example({name!r}, {batch}),), {f'{name}-{batch}.onnx'!r}, dynamo=False, opset_version=17)\n")  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run([peers, "-W", "ignore", "-c", script], env=environment, capture_output=True).returncode == 0


def taking_turns(sides):
    """The median seconds of a call of each side."""
    counts = {}
    for name, seconds in sides.items():
        seconds(2)
        counts[name] = max(1, min(1000, int(LEAST / seconds(2))))
    times = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, seconds in sides.items():
            times[name].append(seconds(counts[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def started_engines(report, name, batch, threads, peers, squares):
    """Those that compute the network as it is."""
    result = {}
    for engine, what in ENGINES.items():
        command = [peers, Path(__file__).with_name("engines.py"), engine, threads, os.getcwd(), name, batch]
        told = Told(command, threads)
        try:
            found = told.answer()
        except RuntimeError:
            report.note(f"{what} does not run {name} here")
            continue
        if abs(found - squares) > 1e-2 * squares:
            report.note(f"{what} computes something else of {name}")
            told.close()
            continue
        result[what] = told
    return result


def measure_one(report, name, batch, threads, peers):
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
    files = [f"{name}.json", f"{name}.pth", "--input", f"{name}-{batch}.npz"]
    ours = Told(["taskset", "-c", cores, BUILD / "h5bridge_predict", threads, *files], threads)
    difference = ours.ask("difference")
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        squares = float((networks.build(name)(networks.example(name, batch)).double() ** 2).sum())
    others = started_engines(report, name, batch, threads, peers, squares)
    sides = {"": lambda count: ours.ask(f"plan {count}"), "the plain module": lambda count: ours.ask(f"module {count}")}
    times = taking_turns(sides | {what: told.seconds for what, told in others.items()})
    for told in (ours, *others.values()):
        told.close()
    aim = 0.9 if batch == 1 and name in networks.LIGHT else 1.0
    what = f"{name}, batch {batch}, {threads} thread{'s' * (threads > 1)}"
    for other, seconds in times.items():
        if other:
            report.add(Row(PART, what, times[""] * 1000, other, times[""] / seconds, None if other == "the plain module" else aim, True))
    if difference > 1e-5:
        report.note(f"{what}: the plan differs by {difference:.1e} of the output's largest value")


def measure(report, *, peers=Path(sys.executable), batches=(1, 32), threads=(1, 2), **more):
    names = more.get("networks") or list(networks.NETWORKS)
    if unknown := [name for name in names if name not in networks.NETWORKS]:
        raise SystemExit(f"tools/bench: no network is called {unknown[0]}; there are {', '.join(networks.NETWORKS)}")
    for name in names:
        prepare(name, batches)
        for batch in batches:
            if not write_onnx(name, batch, peers):
                report.note(f"there is no ONNX of {name}")
            for count in threads:
                measure_one(report, name, batch, count, peers)
