#!/usr/bin/env bash
# What Keras makes of the optimizer in an .h5 that it saved itself, when it loads the model to train on.
#
# Versions    keras 3.15.1 on jax 0.10.2, numpy 2.4.6, h5py 3.14.0.
# One expects load_model to give a model that trains on from where it stood, or, where optimizer state is lost, to say
#             so and start the optimizer afresh.
# What is so  The file holds the moments of every variable. The model that is loaded has an optimizer of two variables,
#             iteration and learning rate, and its next fit() raises: the optimizer was built for no variable at all,
#             because loading hands it the model's own list, which is empty where variables are the layers'. The same
#             model saved as .keras trains on.
# A converter must not count on load_model where it promises that training resumes from an .h5: it must say that the
#             model has to be compiled again, the optimizer built for its variables and their state assigned from the
#             file's group optimizer_weights, which has it all by name.
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

import h5py
import jax
import keras
import numpy as np

logging.disable(logging.WARNING)
print(f"keras {keras.__version__}, jax {jax.__version__}, numpy {np.__version__}, h5py {h5py.__version__}")

x, y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")


def trained():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="net")
    model.compile(keras.optimizers.Adam(0.1), loss="mean_squared_error")
    model.fit(x, y, verbose=0)
    return model


def outcome(model):
    try:
        model.fit(x, y, verbose=0)
    except ValueError:
        return "raises ValueError"
    return "trains"


def resumed(path):
    """The way round: a new optimizer of the same settings, with the state that the file has."""
    model = keras.models.load_model(path)
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    model.compile(optimizer, loss="mean_squared_error")
    optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        for variable in optimizer.variables:
            variable.assign(file["optimizer_weights"][variable.path][()])
    return model


trained().save("model.h5")
trained().save("model.keras")
with h5py.File("model.h5") as file:
    in_file = len(file["optimizer_weights"].attrs["weight_names"])
reference, again = trained(), resumed("model.h5")
reference.fit(x, y, verbose=0)
again.fit(x, y, verbose=0)
difference = max(float(np.abs(a - b).max()) for a, b in zip(reference.get_weights(), again.get_weights()))

expected = {
    "optimizer variables in the .h5": 6,
    "optimizer variables after load_model of it": 2,
    "fit after load_model of the .h5": "raises ValueError",
    "fit after load_model of the .keras": "trains",
    "fit with the state assigned by hand is fit without interruption": True,
}
found = {
    "optimizer variables in the .h5": in_file,
    "optimizer variables after load_model of it": len(keras.models.load_model("model.h5").optimizer.variables),
    "fit after load_model of the .h5": outcome(keras.models.load_model("model.h5")),
    "fit after load_model of the .keras": outcome(keras.models.load_model("model.keras")),
    "fit with the state assigned by hand is fit without interruption": difference < 1e-6,
}
for what, value in found.items():
    print(f"{what}: {value}" + ("" if value == expected[what] else f"; expected {expected[what]}"))
if found != expected:
    sys.exit("this has changed")
print("as found")
PYTHON
