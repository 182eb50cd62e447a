"""What is kept of a model elsewhere: unzipped .keras folders are read; checkpoints of TensorFlow, SavedModels and those
of Orbax are named, with what makes a .h5 of them."""

import json
import zipfile

import numpy as np
import pytest

from keras_helpers import keras
from program import needs_program, run_program

pytestmark = needs_program
L = keras.layers


def small():
    keras.backend.clear_session()
    return keras.Sequential([keras.Input((300,), name="x"), L.Dense(300, name="a"), L.Dense(200, name="b")], name="small")


def unzipped(model, folder):
    model.save(folder / "k.keras")
    with zipfile.ZipFile(folder / "k.keras") as archive:
        archive.extractall(folder / "k")
    return folder / "k"


def test_an_unzipped_archive_is_read(tmp_path):
    model = small()
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 300), "float32"), np.ones((2, 200), "float32"))
    folder = unzipped(model, tmp_path)
    for source, name in ((folder, "a"), (tmp_path / "k.keras", "b")):
        run_program("convert", source, "-o", tmp_path / f"{name}.pth", "--checkpoint", "--epoch", "1", "--loss", "0")
    run_program("compare", tmp_path / "a.pth", tmp_path / "b.pth", "--atol", "0", "--rtol", "0")
    assert json.loads(run_program("inspect", folder, "--json"))["format"] == "keras"


def test_an_unzipped_archive_with_its_weights_in_several_files_is_read(tmp_path):
    model = small()
    folder = unzipped(model, tmp_path)
    (folder / "model.weights.h5").unlink()
    model.save_weights(folder / "model.weights.json", max_shard_size=361_000 / 1024**3)
    for source, name in ((folder, "a"), (tmp_path / "k.keras", "b")):
        run_program("convert", source, "-o", tmp_path / f"{name}.pth")
    run_program("compare", tmp_path / "a.pth", tmp_path / "b.pth", "--atol", "0", "--rtol", "0")


TABLE_END = bytes.fromhex("57fb808b247547db")


@pytest.mark.parametrize(
    "files, source, words",
    [
        ({"saved_model.pb": b"x", "variables/variables.index": b"x"}, "", ("SavedModel", "tf_keras.models.load_model(")),
        ({"m.index": b"x" * 50 + TABLE_END}, "m.index", ("a checkpoint of TensorFlow", "model.load_weights(")),
        ({"checkpoint": b'model_checkpoint_path: "m"\n'}, "checkpoint", ("a checkpoint of TensorFlow", "model.load_weights(")),
        ({"m.index": b"x", "m.data-00000-of-00001": b"x"}, "", ("a checkpoint of TensorFlow", "model.load_weights(")),
        ({"7/_CHECKPOINT_METADATA": b"{}", "7/state/manifest.ocdbt": b"x"}, "", ("a checkpoint of Orbax", "keras.saving.load_model(")),
        ({"manifest.ocdbt": b"x", "d/0": b"x"}, "", ("a checkpoint of Orbax", "keras.saving.load_model(")),
    ],
    ids=["SavedModel", "table", "pointer", "folder of checkpoints", "steps of Orbax", "Orbax"],
)
def test_others_are_named_with_a_way_to_a_h5(files, source, words, tmp_path):
    for name, content in files.items():
        (tmp_path / "m" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / name).write_bytes(content)
    for command in (["convert", tmp_path / "m" / source, "-o", tmp_path / "x.pth"], ["inspect", tmp_path / "m" / source]):
        error = run_program(*command, status=4)
        assert all(word in error for word in (*words, 'model.save("model.h5")')) and error.count("\n") == 1, error


def test_weights_are_written_in_several_files_that_keras_loads(tmp_path):
    model = small()
    model.save(tmp_path / "k.keras")
    run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "w.weights.json", "--shard-size", "361KB")
    index = json.loads((tmp_path / "w.weights.json").read_text())
    assert sorted(path.name for path in tmp_path.glob("w_*")) == [f"w_{i:05}.weights.h5" for i in range(2)]
    assert index["metadata"]["total_size"] == sum(weight.nbytes for weight in model.get_weights())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    model.save_weights(theirs / "w.weights.json", max_shard_size=361_000 / 1024**3)
    assert index == json.loads((theirs / "w.weights.json").read_text())
    fresh = small()
    fresh.load_weights(tmp_path / "w.weights.json")
    for one, other in zip(fresh.get_weights(), model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_an_object_over_two_files_and_the_default_size(tmp_path):
    model = keras.Sequential([keras.Input((300,), name="x"), L.Dense(300, name="a"), L.Dense(300, name="b"), L.Dense(200, name="c")], name="m")
    model.save(tmp_path / "k.keras")
    (tmp_path / "config.json").write_text(model.to_json())
    run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "w.weights.json", "--shard-size", "360000")
    assert any(isinstance(files, list) for files in json.loads((tmp_path / "w.weights.json").read_text())["weight_map"].values())
    run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "one.weights.json")
    assert [path.name for path in tmp_path.glob("one_*")] == ["one_00000.weights.h5"]
    run_program("convert", tmp_path / "k.keras", "-o", tmp_path / "a.pth")
    for name in ("w", "one"):
        run_program("convert", tmp_path / f"{name}.weights.json", tmp_path / "config.json", "-o", tmp_path / "b.pth")
        run_program("compare", tmp_path / "a.pth", tmp_path / "b.pth", "--atol", "0", "--rtol", "0")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-o", "w.weights.h5", "--shard-size", "1MB"], "--shard-size: Keras has several files of weights by an index called NAME.weights.json"),
        (["-o", "w.pth", "--shard-size", "1MB"], "--shard-size is for formats of several files"),
        (["-o", "w.weights.json", "--shard-size", "5XB"], "--shard-size 5XB: expected a number of bytes"),
        (["-o", "w.weights.json", "--shard-size", "1KB"], "takes 360000 bytes, more than --shard-size"),
    ],
)
def test_a_size_that_makes_no_sense_is_wrong_usage(arguments, words, tmp_path):
    small().save(tmp_path / "k.keras")
    assert words in run_program("convert", "k.keras", *arguments, status=2, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.keras"]
