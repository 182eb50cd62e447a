#!/usr/bin/env bash
# From which number the calls of a model within a Keras model are counted.
#
# Versions    keras 3.15.1 on torch 2.13.0, numpy 2.4.6.
# One expects a tensor to have one name in a configuration: [layer, call, output] is the same triple in inbound_nodes as
#             in output_layers.
# What is so  The first call of a Functional model is number 0 where another layer takes it (models/functional.py,
#             serialize_node) and number 1 where the model around it gives it out (get_config counts the making of the
#             inner model, which has no node any more). A Sequential model is counted from 0 in both. Keras reads it so.
# A converter must count by where the triple stands and by the class, or it exchanges the calls of a model that is called
#             twice.
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
x, a, b = (keras.Input((3,), name=name) for name in "xab")
models = {
    "Functional": keras.Model(x, keras.layers.Dense(2, name="d")(x), name="inner"),
    "Sequential": keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="d")], name="inner"),
}
expected = {"Functional": ([0, 1], [2, 1]), "Sequential": ([0, 1], [1, 0])}
for kind, inner in models.items():
    first, second = inner(a), inner(b)
    model = keras.Model([a, b], [keras.layers.Subtract(name="s")([first, second]), second, first], name="outer")
    config = model.get_config()
    (node,) = next(layer for layer in config["layers"] if layer["name"] == "s")["inbound_nodes"]
    taken = [tensor["config"]["keras_history"][1] for tensor in node["args"][0]]
    given = [call for name, call, _ in config["output_layers"] if name == "inner"]
    print(f"calls 1 and 2 of a {kind} model: {taken} among arguments; calls 2 and 1: {given} among outputs")
    if (taken, given) != expected[kind]:
        sys.exit(f"changed: {expected[kind]} was seen before")
    again = keras.Model.from_config(config)
    again.set_weights(model.get_weights())
    inputs = [np.eye(3, dtype="float32"), np.ones((3, 3), dtype="float32")]
    same = all(np.array_equal(p, q) for p, q in zip(model.predict(inputs, verbose=0), again.predict(inputs, verbose=0)))
    print(f"read again it predicts {'the same' if same else 'something else'}")
    if not same:
        sys.exit("changed: it predicted the same before")
PYTHON
KERAS_HOME=$work KERAS_BACKEND=torch "$work/venv/bin/python" -I "$work/look.py"
echo "as found"
