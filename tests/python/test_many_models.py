"""convert --each and --dry-run: many models in one call, and what would come of it."""

import json

import numpy as np
import torch

from keras_helpers import keras
from program import needs_program
from test_checks import h5bridge

pytestmark = needs_program
L = keras.layers


def some_files(folder):
    """Two models, one that is no file of Keras's, and one with a layer whose code is not run."""
    (folder / "in").mkdir()
    for name, units in (("a", 2), ("b.v2", 3)):
        keras.Sequential([keras.Input((4,)), L.Dense(units, name="d")]).save(folder / "in" / f"{name}.h5")
    keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: x + 1, name="plus")]).save(folder / "in" / "code.h5")
    (folder / "in" / "other.h5").write_text("no model")
    return [f"in/{name}.h5" for name in ("a", "code", "other", "b.v2")]


def test_each_source_is_a_model_and_a_failure_stops_nobody(tmp_path):
    files = some_files(tmp_path)
    done = h5bridge("convert", "--each", *files, "--to", "torch", "-o", "out", folder=tmp_path, status=4)  # that of the first that failed
    lines = done.stdout.splitlines()
    assert lines[0] == "in/a.h5: wrote out/a.pth" and lines[3] == "in/b.v2.h5: wrote out/b.v2.pth"
    assert lines[1].startswith("in/code.h5: ") and '"plus" (Lambda)' in lines[1] and lines[2].startswith("in/other.h5: ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.pth", "b.v2.pth"]
    for name in ("a", "b.v2"):
        weight = torch.load(tmp_path / "out" / f"{name}.pth", weights_only=True)["d.weight"].numpy()
        kernel = keras.models.load_model(tmp_path / "in" / f"{name}.h5", compile=False).get_layer("d").kernel
        assert np.array_equal(weight.T, kernel.numpy())


def test_each_as_json(tmp_path):
    files = some_files(tmp_path)
    done = h5bridge("convert", "--json", "--each", *files, "--to", "safetensors", "-o", "out", folder=tmp_path, status=4)
    models = json.loads(done.stdout)["models"]
    assert [(model["source"], model["destination"], model["status"]) for model in models] == [
        ("in/a.h5", "out/a.safetensors", 0),
        ("in/code.h5", "out/code.safetensors", 4),
        ("in/other.h5", "out/other.safetensors", 3),
        ("in/b.v2.h5", "out/b.v2.safetensors", 0),
    ]
    assert [("error" in model) for model in models] == [False, True, True, False]


def test_two_sources_of_each_are_never_one_file(tmp_path):
    files = some_files(tmp_path)
    (tmp_path / "in" / "a.hdf5").write_bytes((tmp_path / files[0]).read_bytes())
    done = h5bridge("convert", "--each", files[0], "in/a.hdf5", "--to", "torch", "-o", "out", folder=tmp_path, status=2)
    assert "in/a.hdf5: would be written to out/a.pth, as in/a.h5 would" in done.stderr and not (tmp_path / "out").exists()


def test_sources_of_one_name_keep_their_folders(tmp_path):
    files = some_files(tmp_path)
    for folder in ("one/x", "two"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "model.h5").write_bytes((tmp_path / files[0]).read_bytes())
    sources = ["in/../one/x/model.h5", tmp_path / "two/model.h5", files[0]]
    command = ["convert", "--each", *sources, "--to", "torch", "-o", "a/out"]
    h5bridge(*command, "--dry-run", folder=tmp_path)
    assert not (tmp_path / "a").exists()
    done = h5bridge(*command, folder=tmp_path)
    assert done.stdout.splitlines()[0] == "in/../one/x/model.h5: wrote a/out/one/x/model.pth"
    written = sorted(path.relative_to(tmp_path / "a/out").as_posix() for path in (tmp_path / "a").rglob("*.pth"))
    assert written == ["a.pth", "one/x/model.pth", "two/model.pth"]


def test_each_needs_a_format_and_one_folder(tmp_path):
    (file, *_) = some_files(tmp_path)
    for arguments in (["-o", "out"], ["--to", "torch", "-o", "out", "-o", "more"]):
        assert "--each takes one folder" in h5bridge("convert", "--each", file, *arguments, folder=tmp_path, status=2).stderr


def test_a_dry_run_says_what_would_be_refused_and_writes_nothing(tmp_path):
    files = some_files(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = h5bridge("convert", "--dry-run", files[0], "-o", "a.pth", "-o", "a.json", folder=tmp_path)
    assert "would write a.pth" in done.stderr and "would write a.json" in done.stderr
    assert '"plus" (Lambda)' in h5bridge("convert", "--dry-run", files[1], "-o", "a.pth", folder=tmp_path, status=4).stderr
    assert not json.loads(h5bridge("convert", "--dry-run", "--json", files[0], "-o", "a.pth", folder=tmp_path).stdout)["written"]
    h5bridge("convert", "--dry-run", "--each", *files, "--to", "torch", "-o", "out", folder=tmp_path, status=4)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    (tmp_path / "old.pth").write_text("old")
    h5bridge("convert", "--dry-run", files[0], "-o", "old.pth", folder=tmp_path)
    assert (tmp_path / "old.pth").read_text() == "old"
