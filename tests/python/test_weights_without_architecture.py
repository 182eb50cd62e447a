"""HDF5 files of weights alone, whose layers find those of an architecture beside them by order or by name."""

import json

import numpy as np
import pytest

import keras_1_files
from keras_helpers import h5py, keras
from program import h5bridge, needs_program

pytestmark = needs_program
RNG = np.random.default_rng(11)


def dense_arrays(inputs, units):
    return [RNG.normal(size=shape).astype("f4") for shape in ((inputs, units), (units,))]


def write_weights(path, groups):
    """What model.save_weights("x.h5") of Keras 2.2 wrote: {layer: [kernel, bias]}, in the layers' order."""
    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        file.attrs["layer_names"] = [name.encode() for name in groups]
        for name, arrays in groups.items():
            group = file.create_group(name)
            names = [f"{name}/{end}:0" for end in ("kernel", "bias")[: len(arrays)]]
            group.attrs["weight_names"] = [each.encode() for each in names]
            for each, array in zip(names, arrays):
                group[each] = array


def architecture(folder, *layers, form="keras"):
    """Of a chain of Dense, (name, units) each, that takes four numbers: a to_json() file, or ours."""
    model = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(units, name=name) for name, units in layers)])
    (folder / "model.json").write_text(model.to_json())
    if form == "ours":
        model.save(folder / "k.h5")
        h5bridge("convert", folder / "k.h5", "-o", folder / "model.json")
    return folder / "model.json"


def read(folder, sources, *options):
    """The weights by PyTorch's names as Keras has them, and the notes."""
    done = h5bridge("convert", *sources, *options, "-o", folder / "out.h5", "--json")
    with h5py.File(folder / "out.h5") as file:
        found = {}
        file["model_weights"].visititems(lambda path, item: found.update({path.split("/")[0]: found.get(path.split("/")[0], []) + [item[()]]})
                                         if isinstance(item, h5py.Dataset) else None)  # fmt: skip
    return {name: sorted(arrays, key=lambda a: -a.ndim) for name, arrays in found.items()}, json.loads(done)["notes"]


def assert_weights(found, **expected):
    for name, arrays in expected.items():
        assert all(np.array_equal(a, b) for a, b in zip(found[name], arrays, strict=True)), name


@pytest.mark.parametrize("form", ["keras", "ours"])
def test_other_names_are_taken_by_order(form, tmp_path):
    first, second = dense_arrays(4, 4), dense_arrays(4, 4)
    write_weights(tmp_path / "w.h5", {"dense_7": first, "dropout_3": [], "dense_8": second})
    sources = [architecture(tmp_path, ("a", 4), ("b", 4), form=form), tmp_path / "w.h5"]
    found, notes = read(tmp_path, sources)
    assert_weights(found, a=first, b=second)
    assert any("dense_7 as a, dense_8 as b" in note for note in notes)


@pytest.mark.parametrize("form", ["keras", "ours"])
def test_the_same_names_are_taken_by_name_where_order_does_not_fit(form, tmp_path):
    first, second = dense_arrays(4, 3), dense_arrays(3, 2)
    write_weights(tmp_path / "w.h5", {"b": second, "a": first})
    found, notes = read(tmp_path, [architecture(tmp_path, ("a", 3), ("b", 2), form=form), tmp_path / "w.h5"])
    assert_weights(found, a=first, b=second)
    assert not any("order" in note for note in notes)


@pytest.mark.parametrize("form", ["keras", "ours"])
def test_names_are_not_taken_where_order_alone_fits(form, tmp_path):
    first, second = dense_arrays(4, 3), dense_arrays(3, 2)
    write_weights(tmp_path / "w.h5", {"b": first, "a": second})
    found, _ = read(tmp_path, [architecture(tmp_path, ("a", 3), ("b", 2), form=form), tmp_path / "w.h5"])
    assert_weights(found, a=first, b=second)


@pytest.mark.parametrize("form", ["keras", "ours"])
def test_names_and_order_that_both_fit_are_a_question(form, tmp_path):
    one, other = dense_arrays(4, 4), dense_arrays(4, 4)
    write_weights(tmp_path / "w.h5", {"b": one, "a": other})
    sources = [architecture(tmp_path, ("a", 4), ("b", 4), form=form), tmp_path / "w.h5"]
    error = h5bridge("convert", *sources, "-o", tmp_path / "out.h5", status=3)
    assert "w.h5" in error and "--match" in error and '"a"' in error and '"b"' in error
    assert not (tmp_path / "out.h5").exists()
    assert_weights(read(tmp_path, sources, "--match", "order")[0], a=one, b=other)
    assert_weights(read(tmp_path, sources, "--match", "name")[0], a=other, b=one)


def test_the_user_may_ask_for_names_or_order_anyway(tmp_path):
    first, second = dense_arrays(4, 4), dense_arrays(4, 4)
    write_weights(tmp_path / "w.h5", {"a": first, "c": second})
    sources = [architecture(tmp_path, ("a", 4), ("b", 4)), tmp_path / "w.h5"]
    assert "b.weight" in h5bridge("convert", *sources, "--match", "name", "-o", tmp_path / "out.h5", status=3)
    assert "expected name|order" in h5bridge("convert", *sources, "--match", "both", "-o", tmp_path / "out.h5", status=2)
    write_weights(tmp_path / "w.h5", {"a": first})
    error = h5bridge("convert", *sources, "--match", "order", "-o", tmp_path / "out.h5", status=3)
    assert "holds weights of 1 layer, the architecture has 2" in error


def test_the_same_of_keras_1(tmp_path):
    first, second = keras_1_files.taking(keras_1_files.dense(4, 4), 4), keras_1_files.dense(4, 4)
    model = keras_1_files.sequential([first, second])
    names = [first.name, second.name]
    arrays = [[values for _, values in layer.arrays] for layer in (first, second)]
    sources = keras_1_files.write(tmp_path, h5py, model, [second, first])
    assert "--match" in h5bridge("convert", *sources, "-o", tmp_path / "out.h5", status=3)
    assert_weights(read(tmp_path, sources, "--match", "name")[0], **dict(zip(names, arrays)))
    assert_weights(read(tmp_path, sources, "--match", "order")[0], **dict(zip(names, arrays[::-1])))
    for layer in (first, second):
        layer.config["name"] = "other_" + layer.name
    sources = keras_1_files.write(tmp_path, h5py, model, [first, second])
    model["config"] = [{**entry, "config": {**entry["config"], "name": name}} for entry, name in zip(model["config"], names)]
    (tmp_path / "model.json").write_text(json.dumps(model))
    assert_weights(read(tmp_path, sources)[0], **dict(zip(names, arrays)))
