#!/usr/bin/env bash
# What keras.layers.AveragePooling2D with padding="same" averages at the border, on two of Keras's backends.
#
# Versions    keras 3.15.1 on torch 2.13.0 and on jax 0.10.2, numpy 2.4.6.
# One expects the same numbers of the same layer on every backend: the mean of those elements that a window covers, with
#             what is padded left out, as JAX and TensorFlow have it.
# What is so  Where "same" adds as much before as behind, both agree. Where it adds one more behind (an even size, a
#             window of 3, a stride of 2), torch repeats the last row and column and counts them as elements: the mean
#             of [7, 8] becomes that of [7, 8, 8]. Largest pooling shows no difference, as the largest of both is one.
# A converter must state which one it takes, compare "same" with Keras on JAX or TensorFlow, and test it at sizes where
#             the padding is uneven: tests at odd sizes alone see nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  keras==3.15.1 torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6

cat >"$work/look.py" <<'PYTHON'
import importlib.metadata
import sys

import keras
import numpy as np

backend = keras.config.backend()
print(f"keras {keras.__version__} on {backend} {importlib.metadata.version(backend)}, numpy {np.__version__}")


def see(what, seen, before):
    print(f"{what}: {np.asarray(seen).tolist()}")
    if not np.allclose(seen, before, atol=1e-6):
        sys.exit(f"changed: {np.asarray(before).tolist()} was seen before")


def pooled(line):
    """Means of three columns, two apart, of an image of one row (1, 1, columns, 1)."""
    image = np.array(line, "float32").reshape(1, 1, -1, 1)
    layer = keras.layers.AveragePooling2D((1, 3), (1, 2), padding="same", data_format="channels_last")
    return np.asarray(keras.ops.convert_to_numpy(layer(image))).ravel()


# Five columns: one is added on either side. Eight: one is added, behind the last.
see("means of five columns", pooled([1, 2, 3, 4, 5]), [1.5, 3, 4.5])
last = (7 + 8 + 8) / 3 if backend == "torch" else (7 + 8) / 2
see("means of eight columns", pooled([1, 2, 3, 4, 5, 6, 7, 8]), [2, 4, 6, last])

image = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
means = keras.layers.AveragePooling2D(3, 2, padding="same", data_format="channels_last")(image)
means = np.asarray(keras.ops.convert_to_numpy(means))[0, ..., 0]
corner = image[0, 6:, 6:, 0]
if backend == "torch":
    corner = np.pad(corner, (0, 1), mode="edge")
see("the mean in the last corner", means[-1, -1], corner.mean())
PYTHON
export KERAS_HOME=$work JAX_PLATFORMS=cpu
for backend in torch jax; do
  KERAS_BACKEND=$backend "$work/venv/bin/python" -I "$work/look.py"
done
echo "as found"
