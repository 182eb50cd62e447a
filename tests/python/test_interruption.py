"""Ctrl-C while files are written, and what a terminal sees of a command that takes long."""

import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest
import torch

from program import PROGRAM, needs_program

pytestmark = needs_program
SIZE = 7000  # 196 MB


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    layers = [{"name": "fc", "type": "Linear", "attributes": {"in_features": SIZE, "out_features": SIZE, "bias": False}}]
    document = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", SIZE]}], "layers": layers, "outputs": ["fc"]}
    (folder / "large.json").write_text(json.dumps(document))
    torch.save({"fc.weight": torch.zeros(SIZE, SIZE)}, folder / "large.pth")
    return [folder / "large.json", folder / "large.pth"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
def test_an_interrupted_conversion_leaves_nothing(number, large, tmp_path):
    (tmp_path / "old.h5").write_bytes(b"old")
    # Several, so that there is much to do yet when the first is seen, however busy the machine is.
    more = [argument for name in ("new.pth", "1.h5", "2.h5", "3.h5") for argument in ("-o", tmp_path / name)]
    arguments = [*large, *more, "-o", tmp_path / "old.h5", "--report", tmp_path / "report.json"]
    heed = lambda: signal.signal(number, signal.SIG_DFL)  # which these tests may be run without
    process = subprocess.Popen([PROGRAM, "convert", *arguments], stderr=subprocess.PIPE, preexec_fn=heed)
    while process.poll() is None and not any(path.stat().st_size > 1_000_000 for path in tmp_path.iterdir()):
        time.sleep(0.001)
    process.send_signal(number)
    assert process.wait(timeout=60) == -number
    assert process.stderr.read() == b""
    assert [path.name for path in tmp_path.iterdir()] == ["old.h5"] and (tmp_path / "old.h5").read_bytes() == b"old"


def test_what_is_ignored_stays_ignored(large, tmp_path):
    process = subprocess.Popen([PROGRAM, "convert", *large, "-o", tmp_path / "x.h5"], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    while process.poll() is None and not list(tmp_path.iterdir()):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0 and (tmp_path / "x.h5").exists()


def on_terminal(*arguments):
    ours, its = pty.openpty()
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=its)
    os.close(its)
    written = b""
    try:
        while part := os.read(ours, 65536):
            written += part
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 0
    return written.decode()


def test_progress_is_for_what_takes_long(large, tmp_path):
    assert on_terminal("inspect", *large) == ""
    destinations = [argument for number in range(6) for argument in ("-o", tmp_path / f"{number}.h5")]
    shown = on_terminal("convert", *large, *destinations)
    assert "convert, 1 s" in shown and re.search(r"convert, \d+ s, [\d.]+ [MG]B at [\d.]+ [MG]B/s, \d+ %, about \d+ s left", shown)
    # It is gone before anything else is written.
    assert shown.rindex("\r\x1b[K") > shown.rindex(" s left")
    assert "wrote" in shown.rsplit("\r\x1b[K", 1)[1]
    assert "left" not in on_terminal("convert", *large, *destinations, "--quiet")
    for number in range(6):
        (tmp_path / f"{number}.h5").unlink()
