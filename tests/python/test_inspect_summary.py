"""The summary that `inspect` prints: counted by PyTorch itself, and what a terminal sees of it."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from digits import SOURCES, DigitsNet
from keras_helpers import keras
from program import PROGRAM, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = needs_program


class Mixed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 8, 3, stride=2, groups=2)
        self.up = torch.nn.ConvTranspose2d(8, 6, 3, stride=2, bias=False)
        self.norm = torch.nn.BatchNorm2d(6)
        self.fc = torch.nn.Linear(15, 7)

    def forward(self, x):
        return self.fc(self.norm(self.up(self.conv(x))))


def products_of(module, x):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(x)
    return counter.get_total_flops() // 2  # a product and a sum each


@pytest.mark.parametrize("make, shape", [(DigitsNet, (1, 8, 8)), (Mixed, (4, 15, 15))], ids=["digits", "mixed"])
def test_sums_are_pytorchs(make, shape, tmp_path):
    torch.manual_seed(1)
    module = make()
    if make is Mixed:
        module.conv.bias.requires_grad_(False)
    export_architecture(module, torch.zeros(2, *shape), tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    # The exporter leaves a height open that no layer needs to know.
    fixed = ["--fix-size", f"height={shape[1]}"] if "height" in (tmp_path / "m.json").read_text() else []
    printed = run_program("inspect", tmp_path / "m.json", tmp_path / "m.pth", *fixed)
    trainable = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    frozen = sum(parameter.numel() for parameter in module.parameters() if not parameter.requires_grad)
    buffers = sum(buffer.numel() for buffer in module.buffers())
    assert f": {trainable:,} trainable, {frozen:,} frozen, {buffers:,} in buffers" in printed
    assert f"of one example: {products_of(module, torch.zeros(1, *shape)):,}\n" in printed


def test_what_is_not_known_is_not_counted(tmp_path):
    layers = [{"name": "rnn", "type": "LSTM", "attributes": {"input_size": 3, "hidden_size": 4, "batch_first": True}}]
    for length, said in ((5, f"of one example: {5 * (4 * 4 * (3 + 4)):,}\n"), ("length", "without 1 call (?) whose sizes or settings do not tell (--fix-size length=N binds sizes)")):
        document = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", length, 3]}], "layers": layers, "outputs": ["rnn"]}
        (tmp_path / "m.json").write_text(json.dumps(document))
        assert said in run_program("inspect", tmp_path / "m.json")


def on_a_terminal(*arguments, columns=1000, **variables):
    """What the program writes to a terminal of so many columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | variables
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=its, stderr=subprocess.DEVNULL, env=environment)
    os.close(its)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait() == 0
    return written.decode().replace("\r\n", "\n")


def test_a_terminal_has_colours_and_a_width():
    plain = run_program("inspect", *SOURCES)
    assert "\x1b" not in plain
    coloured = on_a_terminal("inspect", *SOURCES)
    assert "\x1b[1mlayers, with the shapes" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    assert on_a_terminal("inspect", *SOURCES, NO_COLOR="1") == plain
    assert on_a_terminal("inspect", *SOURCES, TERM="dumb") == plain
    for columns in (50, 60, 80):
        narrow = on_a_terminal("inspect", *SOURCES, columns=columns, NO_COLOR="1")
        summary = narrow[narrow.index("layers, with") : narrow.index("multiply-adds with")]
        assert max(map(len, narrow.splitlines())) <= columns and ("…" in summary) == (columns < 80)
        assert {"24,624", "294,912", "4,640", "30,108"} <= set(summary.replace(":", " ").split())  # shapes are cut, and numbers are not


def test_activations_of_keras_are_shown(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax", name="d"), keras.layers.Dense(2, name="e")])
    model.save(tmp_path / "m.keras")
    printed = run_program("inspect", tmp_path / "m.keras")
    assert re.search(r"^  d +Linear, softmax +\(batch, 3\) +15 +12$", printed, re.MULTILINE) and re.search(r"^  e +Linear +\(", printed, re.MULTILINE)
    run_program("plot", tmp_path / "m.keras", "-o", tmp_path / "m.dot")
    assert "Linear, softmax" in (tmp_path / "m.dot").read_text()


def test_the_two_countings_say_what_they_count(tmp_path):
    run_program("convert", *SOURCES, "-o", tmp_path / "m.h5")
    printed = run_program("inspect", tmp_path / "m.h5")
    state = torch.load(SOURCES[1]).values()
    assert f"as PyTorch's modules have them: {sum(tensor.numel() for tensor in state):,} elements" in printed
    assert f"as these tensors have them: {sum(tensor.numel() for tensor in state if tensor.dim()):,} elements" in printed
    assert "num_batches_tracked" in printed.split("as these tensors")[1].splitlines()[0]


def test_parameters_of_an_optimizer_are_in_their_order(tmp_path):
    module = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(6)])
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, tmp_path / "m.pth")
    table = run_program("inspect", tmp_path / "m.pth").split("optimizer state:")[1]
    numbers = [int(number) for number in re.findall(r"^  (\d+) +exp_avg ", table, re.MULTILINE)]
    assert numbers == list(range(12)) and "(2, 2)" in table and "[" not in table.splitlines()[1]
