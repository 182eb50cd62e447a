"""What shells and `man` are told, which the program makes of its own commands and options."""

import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from program import PROGRAM, ROOT, needs_libtorch, needs_program, run_program

pytestmark = needs_program
COMMANDS = {"convert", "inspect", "validate", "run", "verify", "compare", "plot", "completion"}


def completed(*words):
    """What bash offers for the last of the words."""
    script = run_program("completion", "bash")
    line = "; ".join([f"COMP_WORDS=({' '.join(map(repr, words))})", f"COMP_CWORD={len(words) - 1}", "_h5bridge", 'printf "%s\\n" "${COMPREPLY[@]}"'])
    return set(subprocess.run(["bash", "-c", script + line], capture_output=True, text=True, check=True).stdout.split())


def test_bash_offers_commands_options_and_words(tmp_path):
    assert completed("h5bridge", "") == COMMANDS | {"--help", "--version"}
    assert completed("h5bridge", "con") == {"convert"}
    assert {"--data-format", "--dtype", "--dry-run", "--device"} == completed("h5bridge", "convert", "--d")
    assert completed("h5bridge", "run", "--exact") == {"--exact"} and "--exact" not in completed("h5bridge", "inspect", "--")
    assert completed("h5bridge", "convert", "--data-format", "") == {"channels_first", "channels_last"}
    assert completed("h5bridge", "inspect", "--t") == {"--trust-torchscript"}
    assert {"keras", "torch"} <= completed("h5bridge", "convert", "x.h5", "--to", "") and completed("h5bridge", "convert", "--to", "sa") == {"safetensors"}
    assert completed("h5bridge", "run", "--device", "cu") == {"cuda", "cuda:0"} and completed("h5bridge", "completion", "") == {"bash", "fish", "man", "zsh"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_of_all(shell):
    script = run_program("completion", shell)
    for name in COMMANDS:
        assert name in script
    assert "reference" in script and "channels_first channels_last" in script
    if shutil.which(shell):
        subprocess.run([shell, "--no-execute", "-c", script] if shell == "fish" else [shell, "-n", "-c", script], check=True)


def test_the_manual_page_is_one():
    page = run_program("completion", "man")
    assert page.startswith(".TH H5BRIDGE 1") and all(f"\n.B {name}\n" in page for name in COMMANDS)
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8"], input=page, capture_output=True, text=True, check=True)
        plain = re.sub(".\b", "", done.stdout).replace("\u2010", "-").replace("\u2212", "-")  # bold letters are struck twice
        assert done.stderr == "" and "--reference" in plain


@needs_libtorch
def test_each_command_has_examples_that_do_what_they_say(tmp_path):
    page = run_program("completion", "man").replace("\\-", "-")
    for name in ("json", "pth"):
        shutil.copy(ROOT / f"testdata/digits/model.{name}", tmp_path / f"net.{name}")
    np.save(tmp_path / "x.npy", np.moveaxis(np.load(ROOT / "testdata/digits/inputs.npz")["x"], 1, -1))
    for name in sorted(COMMANDS, key=["convert", "inspect", "validate", "run", "verify", "compare", "plot", "completion"].index):
        lines = re.findall(r"^  ((?:source <\()?h5bridge .*)$", run_program(name, "--help").split("Examples:")[1], re.MULTILINE)
        assert lines
        for line in lines:
            assert f".B {line}\n" in page
            if name == "plot" and not shutil.which("dot"):
                continue
            environment = os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
            done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert {"net.keras", "home.pth", "net.py", "guarded.keras", "y.npy", "difference.html"} <= {path.name for path in tmp_path.iterdir()}


def test_what_is_misspelled_is_guessed(tmp_path):
    sources = [ROOT / "testdata/digits/model.json", ROOT / "testdata/digits/model.pth"]
    for arguments, meant in (
        (["completion", "bsh"], "bash"),
        (["convert", *sources, "-o", tmp_path / "x.kers"], ".keras"),
        (["convert", *sources, "-o", tmp_path / "x", "--to", "keras-h"], "keras-h5"),
        (["convert", *sources, "-o", tmp_path / "x.h5", "--data-format", "chanels_last"], "channels_last"),
    ):
        assert f"did you mean {meant}?" in run_program(*arguments, status=2)
    right = json.loads(sources[0].read_text())
    for change, meant, status in (
        ({"inputs": ["conv11"]}, "conv1", 3),
        ({"type": "BatchNom2d"}, "BatchNorm2d", 4),
        ({"attributes": {"num_feature": 16}}, "num_features", 3),
    ):
        wrong = {**right, "layers": [right["layers"][0], right["layers"][1] | change, *right["layers"][2:]]}
        (tmp_path / "wrong.json").write_text(json.dumps(wrong))
        assert f"did you mean {meant}?" in run_program("validate", tmp_path / "wrong.json", status=status)
    assert "there is no folder" in run_program("convert", *sources, "-o", tmp_path / "none/x.h5", status=5)


def test_another_shell_is_refused():
    assert "bash, fish, man, zsh" in run_program("completion", "cmd", status=2)
    run_program("completion", status=2)
