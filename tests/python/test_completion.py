"""What shells and `man` are told, which the program makes of its own commands and options."""

import re
import shutil
import subprocess

import pytest

from program import needs_program, run_program

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
    assert "--trust-torchscript" not in completed("h5bridge", "inspect", "--t")


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


def test_another_shell_is_refused():
    assert "bash, fish, man, zsh" in run_program("completion", "cmd", status=2)
    run_program("completion", status=2)
