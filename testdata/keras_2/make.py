#!/usr/bin/env python3
"""Has real tf_keras load what `convert --keras 2` writes, and keeps its form beside this script: NAME.json.

    python -m venv OTHER
    OTHER/bin/pip install tf_keras tensorflow-cpu           # or an old one: tensorflow-cpu==2.12.1
    OTHER/bin/python testdata/keras_2/make.py [--check]     # only compares

It fails where outputs differ from those of Keras 3 by more than 1e-5 of the largest, or training goes on otherwise.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np  # noqa: E402

try:
    import tf_keras
except ImportError:  # TensorFlow before 2.16 has it
    from tensorflow import keras as tf_keras

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def difference(found, expected):
    assert found.shape == expected.shape, (found.shape, expected.shape)
    found, expected = found.astype("float64"), expected.astype("float64")
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


def predicted(folder):
    model = tf_keras.models.load_model(folder / "k2.h5")
    inputs = list(np.load(folder / "inputs.npz").values())
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    if not isinstance(outputs, dict):
        outputs = {str(i): output for i, output in enumerate(outputs if isinstance(outputs, list) else [outputs])}
    expected = dict(np.load(folder / "outputs.npz"))
    assert set(outputs) == set(expected)
    return max(difference(np.asarray(outputs[name]), expected[name]) for name in expected)


def trained(folder):
    model = tf_keras.models.load_model(folder / "k2.h5")
    data = np.load(folder / "training.npz")
    for _ in range(3):
        model.train_on_batch(data["x"], data["y"])
    expected = np.load(folder / "trained.npz").values()
    return max(difference(one, other) for one, other in zip(model.get_weights(), expected, strict=True))


def main():
    with tempfile.TemporaryDirectory() as name:
        command = [ROOT / ".venv/bin/python", ROOT / "tests/python/keras_2_networks.py", name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for folder in sorted(Path(name).iterdir()):
            form = folder / "form.json"
            worst = predicted(folder) if form.exists() else trained(folder)
            print(f"{folder.name:20} {worst:.1e}")
            assert worst < 1e-5, folder.name
            if form.exists() and "--check" not in sys.argv:
                shutil.copy(form, HERE / f"{folder.name}.json")


if __name__ == "__main__":
    main()
