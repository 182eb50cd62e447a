"""What tools/demo shows, once everything is built: the digits network from PyTorch to Keras, to LibTorch and back."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = Path("build/demo")
DIGITS = Path("testdata/digits")
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")

os.chdir(ROOT)
sys.stdout.reconfigure(line_buffering=True)
sys.path.insert(0, "testdata")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from networks import DigitsNet  # noqa: E402

failures = []


def heading(text):
    print(f"\n{BOLD}{text}{PLAIN}")


def say(text):
    print(f"  {text}")


def check(holds, claim):
    say(("ok: " if holds else "FAILED: ") + claim)
    if not holds:
        failures.append(claim)


def run(command):
    """Runs a command that the reader could type, too; returns the seconds that it took."""
    print(f"  {DIM}${PLAIN} {command}")
    words = shlex.split(command)
    start = time.perf_counter()
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.perf_counter() - start
    if result.returncode:
        sys.exit(f"{result.stdout}\ndemo: the command failed with exit status {result.returncode}")
    return seconds


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


class Reading:
    """What one framework made of the test images."""

    def __init__(self, framework, scores):
        self.framework = framework
        self.scores = scores

    def right(self, labels):
        return int((self.scores.argmax(1) == labels).sum())

    def difference(self, other):
        return float(np.abs(self.scores - other.scores).max() / np.abs(other.scores).max())


def main():
    started = time.perf_counter()
    WORK.mkdir(parents=True, exist_ok=True)
    images = np.load(DIGITS / "inputs.npz")["x"]  # (450, 1, 8, 8)
    labels = np.load(DIGITS / "labels.npy")

    heading("1  A network that PyTorch trained to read handwritten digits (testdata/networks.py: DigitsNet)")
    model = DigitsNet()
    state = torch.load(DIGITS / "model.pth", weights_only=True)
    model.load_state_dict(state)
    model.eval()
    with torch.no_grad():
        pytorch = Reading("PyTorch", model(torch.from_numpy(images)).numpy())
    torch.save(state, WORK / "digits.pth")
    say(f"{sum(tensor.numel() for tensor in state.values()):,} numbers in {len(state)} tensors, saved by torch.save in {WORK}/digits.pth")
    say("Its architecture is not in that file, so we ask the class for it, once:")
    run(f".venv/bin/python tools/h5bridge_export.py testdata/networks.py:DigitsNet --input-shape 2,1,8,8 -o {WORK}/digits.json")

    heading("2  To Keras")
    seconds = run(f"build/h5bridge convert {WORK}/digits.json {WORK}/digits.pth -o {WORK}/digits.h5")
    say(f"wrote {(WORK / 'digits.h5').stat().st_size:,} bytes in {seconds * 1000:.0f} ms, start of the program included")

    heading("3  Keras loads it, with none of our code, and reads the test images")
    import absl.logging

    absl.logging.set_verbosity(absl.logging.ERROR)
    import keras

    say(f'>>> keras.saving.load_model("{WORK}/digits.h5")  # Keras {keras.__version__}')
    keras_images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))  # Keras has the channels last
    keras_model = keras.saving.load_model(WORK / "digits.h5", compile=False)
    say("its layers: " + ", ".join(type(layer).__name__ for layer in keras_model.layers[1:]))
    in_keras = Reading("Keras", keras.ops.convert_to_numpy(keras_model(keras_images, training=False)))

    heading("4  LibTorch, in C++, runs the same Keras file")
    np.save(WORK / "images.npy", keras_images)
    run(f"build/h5bridge run {WORK}/digits.h5 --input {WORK}/images.npy -o {WORK}/scores.npy")
    libtorch = Reading("LibTorch", np.load(WORK / "scores.npy"))

    heading("5  And home again, for PyTorch")
    run(f"build/h5bridge convert {WORK}/digits.h5 -o {WORK}/home.pth")
    home = torch.load(WORK / "home.pth", weights_only=True)
    model.load_state_dict(home)

    heading("What came of it")
    say(f"{'':10}{'read right':>18}   largest difference from PyTorch, relative")
    for reading in (pytorch, in_keras, libtorch):
        right = reading.right(labels)
        share = f"{right} of {len(labels)}, {right / len(labels):.1%}"
        say(f"{reading.framework:10}{share:>18}   " + ("-" if reading is pytorch else f"{reading.difference(pytorch):.1e}"))
    check(pytorch.right(labels) >= 0.97 * len(labels), "PyTorch reads at least 97 % of the images right")
    for reading in (in_keras, libtorch):
        check(reading.right(labels) == pytorch.right(labels), f"{reading.framework} reads as many of them right")
        check(reading.difference(pytorch) < 1e-5, f"{reading.framework}'s scores are PyTorch's to 1e-5 of the largest")
    check(list(home) == list(state) and all(same_bits(home[name], state[name]) for name in state),
          f"all {len(state)} tensors came home: the same names, the same order, every bit")  # fmt: skip

    if failures:
        sys.exit(f"\ndemo: {len(failures)} checks failed")
    heading(f"Done in {time.perf_counter() - started:.0f} s. Your own model next:")
    print("  .venv/bin/python tools/h5bridge_export.py mynet.py:MyNet --input-shape 2,3,224,224 -o mynet.json")
    print("  build/h5bridge convert mynet.json mynet.pth -o mynet.h5")
    print("  build/h5bridge inspect mynet.h5")


if __name__ == "__main__":
    main()
