"""tools/progress: on a terminal one line says how far a command is, and what it says beside counting is kept."""

import os
import pty
import subprocess
import sys

import pytest

from program import ROOT

PROGRESS = ROOT / "tools" / "progress"
NINJA = """
rule touch
  command = echo warning of $out; touch $out
rule fail
  command = echo error of $out; exit 3
build one: touch
build two: touch
build three: fail one two
"""
CMAKE = """
cmake_minimum_required(VERSION 3.25)
project(counting NONE)
enable_testing()
add_test(NAME good COMMAND echo quiet)
add_test(NAME bad COMMAND sh -c "echo loud; exit 1")
set_tests_properties(bad PROPERTIES DEPENDS good)
"""
PYTEST = """
import pytest

@pytest.mark.parametrize("i", range(4))
def test_it(i):
    assert i != 2
"""


def progress(folder, *command, terminal):
    """Runs the command in the folder under tools/progress; returns its exit status and what came out."""
    command = [PROGRESS, "counting", *command]
    if not terminal:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        output = b""
        try:
            while data := os.read(ours, 65536):
                output += data
        except OSError:  # what Linux calls the end of it
            pass
    os.close(ours)
    return process.returncode, output.decode().replace("\r\n", "\n")


def kept(output):
    """The lines that stay on the terminal."""
    return [line.rpartition("\033[K")[2] for line in output.split("\n")]


def test_ninja(tmp_path):
    (tmp_path / "build.ninja").write_text(NINJA)
    status, output = progress(tmp_path, "ninja", "-j1", terminal=True)
    assert status == 1
    assert "counting: 33 %, 1 of 3, about 5 s left" in output
    assert "counting: 100 %, 3 of 3" in output
    assert ["warning of one", "warning of two"] == [line for line in kept(output) if line.startswith("warning")]
    assert "error of three" in kept(output)
    assert not any(line.startswith(("[", "counting")) for line in kept(output))
    assert kept(output)[-1] == ""


def test_ctest(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(CMAKE)
    subprocess.run(["cmake", "-S", ".", "-B", ".", "-G", "Ninja"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    status, output = progress(tmp_path, "ctest", "--output-on-failure", terminal=True)
    assert status == 8
    assert "counting: 50 %, 1 of 2, about 5 s left" in output
    assert "loud" in kept(output) and "quiet" not in kept(output)
    assert [line for line in kept(output) if "Test #" in line and "bad" in line]
    assert not [line for line in kept(output) if "Test #" in line and "good" in line]


@pytest.mark.parametrize("workers", [[], ["--numprocesses", "1"]], ids=["alone", "by a worker"])
def test_pytest(workers, tmp_path):
    (tmp_path / "test_counting.py").write_text(PYTEST)
    command = [sys.executable, "-m", "pytest", "-v", "--no-header", "-o", "console_output_style=count", *workers]
    status, output = progress(tmp_path, *command, terminal=True)
    assert status == 1
    assert "counting: 25 %, 1 of 4, about 5 s left" in output
    assert not [line for line in kept(output) if "PASSED" in line or line.endswith("::test_it[1]")]
    assert [line for line in kept(output) if "test_it[2]" in line and "FAILED" in line and "/4]" in line]
    assert "E       assert 2 != 2" in kept(output)


@pytest.mark.parametrize("terminal", [True, False])
def test_exit_status(tmp_path, terminal):
    status, output = progress(tmp_path, "sh", "-c", "printf '[1/2] one\nand more'; exit 7", terminal=terminal)
    assert status == 7
    assert kept(output) == (["and more", ""] if terminal else ["[1/2] one", "and more"])
