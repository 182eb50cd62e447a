"""Run by test_networks.py in a process of its own: loads H5 files by Keras on JAX and writes what the models give.

Arguments: folders, each with m.h5 and keras_inputs.npz (arrays in the model's order); written is jax.npz.
"""

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import keras  # noqa: E402
import numpy as np  # noqa: E402

for folder in map(Path, sys.argv[1:]):
    model = keras.models.load_model(folder / "m.h5", compile=False)
    inputs = list(np.load(folder / "keras_inputs.npz").values())
    result = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
    results = result if isinstance(result, dict) else dict(enumerate(result if isinstance(result, (list, tuple)) else [result]))
    np.savez(folder / "jax.npz", **{str(name): np.asarray(value) for name, value in results.items()})
