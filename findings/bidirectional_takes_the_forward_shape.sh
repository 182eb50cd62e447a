#!/usr/bin/env bash
# What shape a Keras Bidirectional of two layers with different units has.
#
# Versions    keras 3.15.1 on jax 0.10.2, numpy 2.4.6.
# One expects Bidirectional(LSTM(4), backward_layer=GRU(3, go_backwards=True)) to say that it gives 4 + 3 features, since
#             nothing refuses it and that is what it computes.
# What is so  It says 8: compute_output_shape doubles the forward layer's (layers/rnn/bidirectional.py). A Dense behind it
#             is built for 8 features and raises when the model runs; a model that ends there runs, and gives 7.
# A converter must take each half's own units, and not tell of such a model by the shapes in its configuration.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6

cat >"$work/look.py" <<'PYTHON'
import sys

import keras
import numpy as np

print(f"keras {keras.__version__} on {keras.backend.backend()}, numpy {np.__version__}")
L = keras.layers
x = keras.Input((5, 2))
both = L.Bidirectional(L.LSTM(4), backward_layer=L.GRU(3, go_backwards=True))(x)
data = np.ones((1, 5, 2), dtype="float32")
given = keras.Model(x, both).predict(data, verbose=0).shape
print(f"a Bidirectional of 4 and 3 units says that it gives {both.shape}, and gives {given}")
behind = L.Dense(1)
model = keras.Model(x, behind(both))
try:
    model.predict(data, verbose=0)
    outcome = "runs"
except Exception as error:  # whichever the backend raises
    outcome = f"raises {type(error).__name__}"
print(f"a Dense behind it has a kernel of {behind.kernel.shape}, and the model {outcome}")
if (both.shape, given, tuple(behind.kernel.shape), outcome != "runs") != ((None, 8), (1, 7), (8, 1), True):
    sys.exit("changed: (None, 8), (1, 7), (8, 1) and an error were seen before")
PYTHON
KERAS_HOME=$work KERAS_BACKEND=jax "$work/venv/bin/python" -I "$work/look.py"
echo "as found"
