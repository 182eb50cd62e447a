#!/usr/bin/env bash
# What saving a compiled Keras model as .h5 does to the model that is saved.
#
# Versions    keras 3.15.1 on jax 0.10.2, numpy 2.4.6, h5py 3.14.0.
# One expects save("model.h5") to leave the model in memory as it is, so that a save("model.keras") behind it holds what
#             it would have held before.
# What is so  The optimizer goes out of what the model was compiled with: it is popped from the live model's own
#             configuration, and not from a copy. The model trains on with its Adam, but every .keras that is saved of
#             it from then on is loaded with compile()'s default, an RMSprop with another learning rate and no state,
#             and a warning that variables are skipped. Saving says nothing. A second .h5 is right: it asks the
#             optimizer itself.
# A converter must not save a live model as .h5 on its user's behalf, only as .keras.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 h5py==3.14.0

cd "$work"
export KERAS_BACKEND=jax KERAS_HOME=$work JAX_PLATFORMS=cpu
"$work/venv/bin/python" -I - <<'PYTHON'
import logging
import sys
import warnings

import h5py
import jax
import keras
import numpy as np

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")
print(f"keras {keras.__version__}, jax {jax.__version__}, numpy {np.__version__}, h5py {h5py.__version__}")

keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="net")
model.compile(keras.optimizers.Adam(0.1), loss="mean_squared_error")
model.fit(np.ones((4, 3), "float32"), np.zeros((4, 2), "float32"), verbose=0)


def optimizer_in(path):
    model.save(path)
    return type(keras.models.load_model(path).optimizer).__name__


found = {
    "in a .keras": optimizer_in("before.keras"),
    "in a .h5": optimizer_in("first.h5"),
    "in a .keras behind it": optimizer_in("behind.keras"),
    "in a .h5 behind that": optimizer_in("second.h5"),
    "in the model": type(model.optimizer).__name__,
}
expected = {
    "in a .keras": "Adam",
    "in a .h5": "Adam",
    "in a .keras behind it": "RMSprop",
    "in a .h5 behind that": "Adam",
    "in the model": "Adam",
}
for what, value in found.items():
    print(f"{what}: {value}" + ("" if value == expected[what] else f"; expected {expected[what]}"))
if found != expected:
    sys.exit("this has changed")
print("as found")
PYTHON
