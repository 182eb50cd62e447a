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
    for length, said in ((5, f"of one example: {5 * (4 * 4 * (3 + 4)):,}\n"), ("length", "without 1 calls")):
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
    tables = [line for line in on_a_terminal("inspect", *SOURCES, columns=40, NO_COLOR="1").splitlines() if line.startswith("  ")]
    assert max(map(len, tables)) == 40 and any(line.endswith("…") for line in tables)
