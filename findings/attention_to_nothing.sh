#!/usr/bin/env bash
# What keras.layers.MultiHeadAttention answers where a query may attend to nothing, as in a sequence of padding alone.
#
# Versions    keras 3.15.1 on jax 0.10.2, numpy 2.4.6.
# One expects dropout to be nothing at inference, and asking for the attention scores to add an output and change none.
# What is so  With dropout=0 such a query gets the plain mean of all values, the masked ones included. With any other
#             rate, at inference, it gets zero, and so the output projection's bias. Asking for the scores brings the
#             zero as well. All other queries agree to rounding: a test whose masks leave something sees no difference.
# A converter must keep the dropout rate until it has decided what such a query gets, though it converts for inference
#             alone, and must compare with Keras in the way the model calls the layer: with scores or without.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6

export KERAS_BACKEND=jax KERAS_HOME=$work JAX_PLATFORMS=cpu
"$work/venv/bin/python" -I - <<'PYTHON'
import itertools
import sys

import jax
import keras
import numpy as np

print(f"keras {keras.__version__}, jax {jax.__version__}, numpy {np.__version__}")

query = np.array([[[1.0, 0.0], [0.0, 1.0]]], "float32")  # (batch, queries, features)
value = np.array([[[3.0, 0.0], [0.0, 6.0], [9.0, 12.0]]], "float32")  # (batch, values, features)
mask = np.array([[[True, True, False], [False, False, False]]])  # the second query may attend to nothing
mean, zero = value[0].mean(axis=0), np.zeros(2, "float32")
bias = np.array([0.25, 0.5], "float32")  # of the output projection, the only one that isn't zero


def attend(dropout, with_scores):
    """The layer's output for both queries (2, 2), at inference."""
    layer = keras.layers.MultiHeadAttention(num_heads=1, key_dim=2, dropout=dropout)
    layer.build(query.shape, value.shape)
    into_head = [np.eye(2).reshape(2, 1, 2), np.zeros((1, 2))]
    layer.set_weights([*into_head, *into_head, *into_head, np.eye(2).reshape(1, 2, 2), bias])
    answer = layer(query, value, attention_mask=mask, training=False, return_attention_scores=with_scores)
    return np.asarray(answer[0] if with_scores else answer)[0]


seen = {case: attend(*case) for case in itertools.product((0.0, 0.1), (False, True))}
for (dropout, with_scores), output in seen.items():
    expected = mean if (dropout, with_scores) == (0.0, False) else zero
    print(f"dropout {dropout}, {'with' if with_scores else 'no'} scores: {output[1]} for the query without values")
    if not np.allclose(output[1], expected + bias, atol=1e-5):
        sys.exit(f"changed: {expected + bias} was seen before")
    if not np.allclose(output[0], seen[0.0, False][0], atol=1e-5):
        sys.exit(f"changed: the other query gets {output[0]}, which was the same in all cases")
PYTHON
echo "as found"
