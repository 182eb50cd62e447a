#!/usr/bin/env bash
# How many optimizers a .keras file holds of a model around one that was trained by itself.
#
# Versions    keras 3.15.1 on jax 0.10.2, numpy 2.4.6, h5py 3.14.0.
# One expects one: that of the model that is saved. The encoder that it is built on was trained before and is frozen.
# What is so  Two: a model is an object like any other to saving/saving_lib.py, so the encoder's optimizer, with two moments
#             for each weight, is saved below the encoder, among the layers, and its compile_config within the
#             configuration. Loading passes it over with a warning, since a frozen encoder's new optimizer has nothing to
#             train: the file is larger by what nobody reads.
# A converter must not take what lies below a layer for that layer's weights; it leaves out `optimizer` of inner models,
#             or keeps it beside the model, and counts only the outermost as the training state.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 h5py==3.14.0

cat >"$work/look.py" <<'PYTHON'
import io
import json
import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np

print(f"keras {keras.__version__} on {keras.backend.backend()}, numpy {np.__version__}, h5py {h5py.__version__}")
L = keras.layers
rng = np.random.default_rng(0)
x = rng.normal(size=(12, 6)).astype("float32")
encoder = keras.Sequential([keras.Input((6,)), L.Dense(5), L.Dense(4)], name="encoder")
encoder.compile("adam", "mse")
encoder.fit(x, np.zeros((12, 4), "float32"), verbose=0)
encoder.trainable = False
start = keras.Input((6,))
model = keras.Model(start, L.Dense(3, name="head")(encoder(start)))
model.compile("sgd", "mse")
model.fit(x, np.zeros((12, 3), "float32"), verbose=0)
model.save(sys.argv[1])

with zipfile.ZipFile(sys.argv[1]) as archive:
    config = json.loads(archive.read("config.json"))
    with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        sizes = {}

        def note(name, item):
            if isinstance(item, h5py.Dataset):
                sizes.setdefault(name.rsplit("/", 2)[0], []).append(int(np.prod(item.shape)))

        file.visititems(note)
for place, found in sorted(sizes.items()):
    print(f"{place}: {len(found)} variables, {sum(found)} numbers")
inner = next(layer for layer in config["config"]["layers"] if layer["name"] == "encoder")
print(f"the encoder's configuration has compile_config: {'compile_config' in inner}")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    loaded = keras.models.load_model(sys.argv[1]).get_layer("encoder").optimizer
skipped = any("Skipping variable loading for optimizer" in str(warning.message) for warning in caught)
print(f"the loaded encoder has a {type(loaded).__name__} of {len(loaded.variables)} variables; a warning: {skipped}")
found = {place: (len(numbers), sum(numbers)) for place, numbers in sizes.items() if "optimizer" in place}
expected = {"layers/sequential/optimizer": (10, 120), "optimizer": (2, 2)}
if (found, "compile_config" in inner, len(loaded.variables), skipped) != (expected, True, 2, True):
    sys.exit(f"changed: {expected}, a compile_config, two loaded variables and a warning were seen before, {found} now")
PYTHON
KERAS_HOME=$work KERAS_BACKEND=jax "$work/venv/bin/python" -I "$work/look.py" "$work/model.keras"
echo "as found"
