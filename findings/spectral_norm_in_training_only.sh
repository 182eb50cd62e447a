#!/usr/bin/env bash
# What keras.layers.SpectralNormalization does to the kernel: in a file, at inference, and on two backends.
#
# Versions    keras 3.15.1 on torch 2.13.0 and on jax 0.10.2, numpy 2.4.6.
# One expects what PyTorch's parametrization of that name does: each call, at inference, too, divides the kernel that is
#             trained and saved by its largest singular value.
# What is so  Keras never divides at inference. In training it divides and writes the quotient over the kernel; fit() on
#             torch keeps that, fit() on JAX throws it away. So a model that was trained on JAX computes other numbers
#             as soon as it no longer trains, and its file holds a kernel of any norm.
# A converter must take the file's kernel as it stands and leave the wrapper out at inference, and never make of it
#             PyTorch's spectral_norm; the other way, it must divide first and write an ordinary layer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  keras==3.15.1 torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6

cat >"$work/look.py" <<'PYTHON'
import importlib.metadata
import os
import sys

import keras
import numpy as np
import torch

backend = keras.config.backend()
print(f"keras {keras.__version__} on {backend} {importlib.metadata.version(backend)}, numpy {np.__version__}")

kernel = np.array([[3.0, 0.0], [0.0, 1.0]], "float32")  # (inputs, outputs), the largest singular value is 3
identity = np.eye(2, dtype="float32")  # as input: the output is the kernel that was used


def see(what, seen, before):
    print(f"{what}: {np.asarray(seen).tolist()}")
    if not np.allclose(seen, before, atol=1e-6):
        sys.exit(f"changed: {before.tolist()} was seen before")


linear = torch.nn.Linear(2, 2, bias=False)
linear.weight.data = torch.from_numpy(kernel.T.copy())
linear = torch.nn.utils.parametrizations.spectral_norm(linear, n_power_iterations=50).eval()
see("PyTorch, evaluating", linear(torch.from_numpy(identity)).detach().numpy(), kernel / 3)

layer = keras.layers.SpectralNormalization(keras.layers.Dense(2, use_bias=False), power_iterations=50)
model = keras.Sequential([keras.Input((2,)), layer])
layer.layer.set_weights([kernel])
see("Keras, predicting", model.predict(identity, verbose=0), kernel)

# A learning rate of 0: whatever changes was changed by the layer. The loss during training tells which kernel was used.
model.compile(keras.optimizers.SGD(0.0), "mse")
history = model.fit(identity, np.zeros((2, 2), "float32"), batch_size=2, verbose=0).history
see("loss while training", history["loss"][0], np.mean((kernel / 3) ** 2))

kept = kernel / 3 if backend == "torch" else kernel
model.save(os.path.join(sys.argv[1], f"{backend}.keras"))
again = keras.saving.load_model(os.path.join(sys.argv[1], f"{backend}.keras"))
see("kernel in the file after training", again.layers[0].layer.get_weights()[0], kept)
see("loss evaluated after training", again.evaluate(identity, np.zeros((2, 2)), verbose=0), np.mean(kept**2))
PYTHON
export KERAS_HOME=$work JAX_PLATFORMS=cpu
for backend in torch jax; do
  KERAS_BACKEND=$backend "$work/venv/bin/python" -I "$work/look.py" "$work"
done
echo "as found"
