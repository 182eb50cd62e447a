"""What comes of each Keras file that people published, in ../shared/files; where that is missing, each is skipped by name.

A file is converted and computes what it did: its own answers where it has some, else what formulas in NumPy give
(keras_0, keras_1: keras_1_formulas.py; keras_2: keras_2_formulas.py). Others have an exit status and words of the message.
"""

import json
from typing import NamedTuple

import numpy as np
import pytest

from keras_1_formulas import Network, arrays_by_name
from keras_2_formulas import Network2, configuration, variables_by_name
from keras_helpers import assert_close, h5py, input_names, keras, predict
from program import ROOT, h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]
SHARED = ROOT.parent / "shared" / "files"
TOLERANCE = 1e-6  # of the largest value


class Answers(NamedTuple):
    """NAME.inputs.npz and NAME.expected.npz beside the file."""


class Formulas(NamedTuple):
    """Inputs of these shapes. Those that are one_hot are what the network was made for: others are chaos in it."""

    shapes: tuple
    backend: str = "tensorflow"
    one_hot: bool = False
    ids_below: tuple = ()  # where the inputs are indices


class OfKeras(NamedTuple):
    """What Keras 3 makes of the file is the answer."""


class Refused(NamedTuple):
    status: int
    words: str


# What reads weights alone with the architecture beside them is listed by the file of weights.
FILES = {
    "keras-0/layers.weights.h5": Formulas(((5, 100),), "theano"),
    "keras-1-th/convolutions.h5": Formulas(((2, 1, 28, 28),), "theano"),
    "keras-1.1/mlp.h5": Formulas(((5, 24),)),
    "keras-1/gru.h5": Formulas(((3, 30, 19),), "theano"),
    "keras-1/highway.h5": Formulas(((5, 6),), "theano"),
    "keras-2.0/conv1d.h5": Formulas(((3, 10, 4),)),
    "keras-2.0/gru_sequence.h5": Answers(),
    "keras-2.0/lstm.h5": Answers(),
    "keras-2.0/separable.hdf5": Formulas(((2, 64, 64, 1),)),
    "keras-2.1-tf/conv1d.h5": Formulas(((3, 26, 3),)),
    "keras-2.1/pooled_conv1d.h5": Formulas(((3, 30, 4),)),
    "keras-2.10/conv1d_paddings.h5": Answers(),
    "keras-2.14/depthwise.h5": Formulas(((2, 30, 1, 40),)),
    "keras-2.15/mlp_custom_adam.h5": Formulas(((5, 12),)),
    "keras-2.2-tf/written_from_r.h5": Formulas(((5, 4),)),
    "keras-2.2/encoder_decoder.h5": Formulas(((3, 85), (3, 45)), ids_below=(54, 89)),
    "keras-2.2/lstm_hdf5_inside.keras": Formulas(((3, 40, 23),), one_hot=True),
    "keras-2.2/open_size_images.h5": Formulas(((2, 33, 33, 1),)),
    "keras-2.3/masked_lstm.h5": Formulas(((4, 3, 5),)),
    "keras-2.4/average_pooling.h5": Formulas(((2, 40, 256, 1),)),
    "keras-2.4/simple_rnn.h5": Answers(),
    "keras-3.5/mlp.keras": OfKeras(),
    "keras-3/unknown.weights.h5": Refused(2, "holds weights only"),
}
READ = [name for name, row in FILES.items() if not isinstance(row, Refused)]
REFUSED = [name for name, row in FILES.items() if isinstance(row, Refused)]


def shared(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return path


def beside(path):
    """The architecture of a file that has none of its own."""
    return path.with_name(path.name.removesuffix(".h5").removesuffix(".weights") + ".json")


def sources(path):
    return [*([beside(path)] if beside(path).exists() else []), path]


def numbered_arrays(path, model):
    """Of a file of Keras 0, a layer's arrays by the name that it gets here."""
    with h5py.File(path) as file:
        arrays = {f"layer_{i}": [file[f"layer_{i}"][f"param_{p}"][()] for p in range(file[f"layer_{i}"].attrs["nb_params"])]
                  for i in range(file.attrs["nb_layers"])}  # fmt: skip
    layers = [{"class_name": layer["name"], "config": {**layer, "name": f"layer_{i}"}} for i, layer in enumerate(model["layers"])]
    return {"class_name": "Sequential", "config": layers}, lambda name: arrays[name]


def network(name, path, backend):
    if name.startswith("keras-0"):
        return Network(*numbered_arrays(path, json.loads(beside(path).read_text())), backend, deviation=True)
    if name.startswith("keras-1"):
        with h5py.File(path) as file:
            return Network(json.loads(beside(path).read_text()), arrays_by_name(file), backend)
    return Network2(configuration(path, h5py), variables_by_name(path, h5py), backend)


def question(name, path):
    """What goes in, by the names of inputs here, and what came out."""
    row = FILES[name]
    if isinstance(row, Answers):
        inputs, expected = (dict(np.load(path.with_suffix(end))) for end in (".inputs.npz", ".expected.npz"))
        return list(inputs.values()), list(expected.values())
    rng = np.random.default_rng(1)
    if isinstance(row, OfKeras):
        model = keras.models.load_model(path, compile=False)
        arrays = [rng.normal(size=(3, *x.shape[1:])).astype("f4") for x in model.inputs]
        return arrays, list(predict(model, arrays).values())
    if row.ids_below:
        arrays = [rng.integers(0, below, shape).astype("f4") for below, shape in zip(row.ids_below, row.shapes)]
        return arrays, network(name, path, row.backend).predict(*(array.astype("f8") for array in arrays))
    arrays = [np.eye(shape[-1], dtype="f4")[rng.integers(0, shape[-1], shape[:-1])] if row.one_hot else rng.normal(size=shape).astype("f4")
              for shape in row.shapes]  # fmt: skip
    if "masked" in name or "gru" in name:
        arrays[0][0, -1] = 0
    return arrays, network(name, path, row.backend).predict(*(array.astype("f8") for array in arrays))


def run(tmp_path, inputs, *arguments):
    np.savez(tmp_path / "inputs.npz", **inputs)
    h5bridge("run", *arguments, "--input", tmp_path / "inputs.npz", "-o", tmp_path / "out.npz")
    return list(np.load(tmp_path / "out.npz").values())


def outputs_of_keras(path, arrays):
    model = keras.models.load_model(path)
    assert len(input_names(model)) == len(arrays)
    return list(predict(model, arrays).values())


@pytest.mark.parametrize("name", READ)
def test_file_computes_what_it_did(name, tmp_path):
    path = shared(name)
    arrays, expected = question(name, path)
    in_torch, direct, back = [tmp_path / "model.json", tmp_path / "model.pth"], tmp_path / "direct.h5", tmp_path / "back.h5"
    h5bridge("convert", *sources(path), "-o", in_torch[0], "-o", in_torch[1])
    h5bridge("convert", *sources(path), "-o", direct)
    h5bridge("convert", *in_torch, "-o", back)
    inputs = {each["name"]: array for each, array in zip(json.loads(in_torch[0].read_text())["inputs"], arrays, strict=True)}
    ways = {
        "as it is": run(tmp_path, inputs, *sources(path)),
        "in PyTorch": run(tmp_path, inputs, *in_torch, "--input-layout", "keras"),
        "in Keras 3": outputs_of_keras(direct, arrays),
        "in Keras 3, from PyTorch": outputs_of_keras(back, arrays),
    }
    for way, found in ways.items():
        assert len(found) == len(expected), way
        for value, answer in zip(found, expected):
            assert_close(value, answer, TOLERANCE, f"{name} {way}", each=False)


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_by_name(name, tmp_path):
    row, path = FILES[name], shared(name)
    error = h5bridge("convert", *sources(path), "-o", tmp_path / "out.pth", status=row.status)
    assert row.words in error and path.name.split(".")[0] in error


def test_each_file_has_a_row():
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is missing")
    found = {path.relative_to(SHARED).as_posix() for folder in SHARED.glob("keras-*") for path in folder.iterdir()
             if path.suffix in (".h5", ".hdf5", ".keras")}  # fmt: skip
    assert found == set(FILES)
