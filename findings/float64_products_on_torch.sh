#!/usr/bin/env bash
# How exactly a float64 layer of Keras multiplies matrices on torch.
#
# Versions    keras 3.15.1 on torch 2.13.0, numpy 2.4.6.
# One expects a Dense whose dtype policy is float64 to compute in float64: its weights are, and so is what it gives.
# What is so  Off TensorFlow, Keras's result_type of two float64 is float32. On torch most operations go by torch's own
#             promotion all the same (a sum, einsum), but matmul computes in what result_type says: a Dense gives float64
#             with the digits of float32, and without a bias it gives float32.
# A converter must not take Keras on torch as the oracle of a float64 network, nor promise more digits than those of
#             float32 of it; EinsumDense has them all.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check keras==3.15.1 torch==2.13.0 numpy==2.4.6

cat >"$work/look.py" <<'PYTHON'
import importlib.metadata
import sys

import keras
import numpy as np

print(f"keras {keras.__version__} on torch {importlib.metadata.version('torch')}, numpy {np.__version__}")
random = np.random.default_rng(0)
rows, kernel = random.normal(size=(3, 5)), random.normal(size=(5, 4))


def see(what, seen, before):
    print(f"{what}: {seen}")
    if seen != before:
        sys.exit(f"changed: {before} was seen before")


def of_layer(layer):
    """The dtypes of the kernel and of the output, and how many of its digits are right."""
    layer.build(rows.shape)
    layer.kernel.assign(kernel)
    output = keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(rows, dtype="float64")))
    error = np.abs(output - rows @ kernel).max()
    return layer.kernel.dtype, str(output.dtype), "float64's" if error < 1e-14 else "float32's" if 1e-9 < error < 1e-5 else error


dense, einsum = keras.layers.Dense, keras.layers.EinsumDense
see("what two float64 promote to", keras.backend.result_type("float64", "float64"), "float32")
see("Dense", of_layer(dense(4, dtype="float64")), ("float64", "float64", "float32's"))
see("Dense without a bias", of_layer(dense(4, use_bias=False, dtype="float64")), ("float64", "float32", "float32's"))
see("EinsumDense", of_layer(einsum("ij,jk->ik", 4, dtype="float64")), ("float64", "float64", "float64's"))
PYTHON
KERAS_HOME=$work KERAS_BACKEND=torch "$work/venv/bin/python" -I "$work/look.py"
echo "as found"
