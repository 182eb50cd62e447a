"""Run by tests in a process of its own: loads H5 files by Keras on JAX and writes what the models give.

Arguments: folders, each with m.h5 and keras_inputs.npz (arrays in the model's order); written is jax.npz, or jax_error.txt.
"""

import os
import sys
import traceback
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
# What is compiled runs a few times: to optimise it takes longer than it runs.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

import jax  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

# All weights come from the files: random ones to begin with would cost a compilation for each shape.
for name in ("normal", "truncated_normal", "uniform"):
    setattr(keras.src.backend.random, name, lambda shape, *_, dtype=None, **__: np.zeros(shape, dtype or "float32"))


def predict(model, inputs):
    """Compiled as one, which takes less than compiling every operation."""
    trainable, others = ([variable.value for variable in variables] for variables in (model.trainable_variables, model.non_trainable_variables))
    run = jax.jit(lambda *arguments: model.stateless_call(*arguments, training=False)[0])
    return run(trainable, others, inputs[0] if len(inputs) == 1 else inputs)


def write_predictions(folder):
    model = keras.models.load_model(folder / "m.h5", compile=False)
    result = predict(model, list(np.load(folder / "keras_inputs.npz").values()))
    results = result if isinstance(result, dict) else dict(enumerate(result if isinstance(result, (list, tuple)) else [result]))
    np.savez(folder / "jax.npz", **{str(name): np.asarray(value) for name, value in results.items()})


for folder in map(Path, sys.argv[1:]):
    try:
        write_predictions(folder)
    except Exception:
        (folder / "jax_error.txt").write_text(traceback.format_exc())
