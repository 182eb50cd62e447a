#!/usr/bin/env python3
"""Has real tf_keras load every sample of the registry that `convert --keras 2` writes, and compares what it computes.

    KERAS_BACKEND=torch .venv/bin/python testdata/keras_2/samples.py write FOLDER   # about 10 minutes
    OTHER/bin/python testdata/keras_2/samples.py check FOLDER                       # with tf_keras, as make.py says

The first writes FOLDER/NUMBER: k2.h5, the inputs, and what PyTorch or Keras 3 computes; FOLDER/refused.txt has what was
refused. The second names the samples that do not load, or differ by more than 2e-5 of the largest. Among those are what
TensorFlow computes on GPUs alone (channels_first, dilated transposed convolutions over one axis), and layers that are
random because a call says training=True. Bicubic interpolation differs as Keras's own does between its backends.
"""

import os
import subprocess
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent


def torch_samples(folder):
    from layer_samples import ALL_WITH_KERAS

    for i, sample in enumerate(ALL_WITH_KERAS):
        at = folder / f"torch{i}"
        at.mkdir(parents=True)
        model = sample.convert(at)
        yield sample.name, at, [at / "m.json", at / "m.pth"], sample.keras_inputs(model), sample.keras_expected(model)


def keras_samples(folder):
    import test_keras_layers_live as live
    from keras_helpers import predict

    for i, sample in enumerate(live.samples()):
        at = folder / f"keras{i}"
        at.mkdir(parents=True)
        source = at / f"m{sample.suffix}"
        sample.functional.save(source)
        if not sample.on_jax:
            yield sample.name, at, [source], sample.inputs, list(predict(sample.functional, sample.inputs).values())


def arrays(values):
    return {f"{i:03}": np.asarray(value) for i, value in enumerate(values)}


def write(folder):
    sys.path.insert(0, str(ROOT / "tests" / "python"))
    from program import PROGRAM

    folder.mkdir()
    with open(folder / "refused.txt", "w") as refused:
        for samples in (torch_samples, keras_samples):
            for name, at, sources, inputs, outputs in samples(folder):
                command = [PROGRAM, "convert", *sources, "-o", at / "k2.h5", "--keras", "2"]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    print(name, done.stderr.strip(), file=refused)
                    continue
                (at / "name.txt").write_text(name)
                np.savez(at / "inputs.npz", **arrays(inputs))
                np.savez(at / "outputs.npz", **arrays(outputs))


def flat(value):
    values = value.values() if isinstance(value, dict) else value
    return [one for part in values for one in flat(part)] if isinstance(value, (dict, list, tuple)) else [np.asarray(value)]


def check_sample(tf_keras, at):
    inputs = list(np.load(at / "inputs.npz").values())
    model = tf_keras.models.load_model(at / "k2.h5", compile=False)
    found = flat(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    expected = list(np.load(at / "outputs.npz").values())
    assert [one.shape for one in found] == [one.shape for one in expected], "shapes"
    for one, other in zip(found, expected):
        one, other = one.astype("float64"), other.astype("float64")
        largest = np.max(np.abs(other[np.isfinite(other)]), initial=0)
        assert np.allclose(one, other, rtol=0, atol=2e-5 * largest, equal_nan=True), "numbers"


def check(folder):
    try:
        import tf_keras
    except ImportError:  # TensorFlow before 2.16 has it
        from tensorflow import keras as tf_keras
    failures = 0
    places = sorted(path.parent for path in folder.glob("*/name.txt"))
    for at in places:
        try:
            check_sample(tf_keras, at)
        except Exception as error:
            failures += 1
            print((at / "name.txt").read_text(), repr(error)[:200], flush=True)
    print(f"{len(places)} samples, {failures} do not load or differ")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](Path(sys.argv[2]))
