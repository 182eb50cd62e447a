"""The package h5bridge for Python, built beside the program: the same as the program does, in one process."""

import doctest
import io
import json
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch

from keras_helpers import assert_close, h5py, keras, weights_of
from program import PACKAGE, PROGRAM, ROOT, needs_program, package, run_program
from torch_helpers import assert_same_state, export_architecture

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)

DIGITS = [ROOT / "testdata/digits/model.json", ROOT / "testdata/digits/model.pth"]
MOSAIC = ROOT / "testdata/mosaic/model.h5"
pytestmark = needs_program


def in_a_new_process(folder, script):
    """The lines that a script prints, which has the package and else nothing."""
    script = f"import sys\nsys.path.insert(0, {str(PACKAGE)!r})\nimport h5bridge\n{script}"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_exit_status_has_a_class():
    header = (ROOT / "src/h5bridge/error.h").read_text()
    [line] = [line for line in header.splitlines() if line.startswith("enum class ExitStatus")]
    statuses = {int(part.split("=")[1].strip(" };")) for part in line.split(",") if "=" in part}
    assert set(package.errors.BY_STATUS) == statuses - {0}
    for status, each in package.errors.BY_STATUS.items():
        assert each.status == status and issubclass(each, package.Error) and f"class {each.__name__} : public Error" in header


def test_version():
    assert subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.strip() == f"h5bridge {package.__version__}"


# --- convert ------------------------------------------------------------------------------------------------------------------


def test_convert_writes_what_the_program_does(tmp_path):
    assert package.convert(DIGITS, tmp_path / "a.h5") == []
    run_program("convert", *DIGITS, "-o", tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    package.convert(str(tmp_path / "a.h5"), [tmp_path / "a.json", tmp_path / "a.pth"])
    assert_same_state(torch.load(tmp_path / "a.pth"), torch.load(DIGITS[1]))


def test_notes_are_those_of_the_program(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2))
    module[0].bias.requires_grad_(False)
    export_architecture(module, torch.zeros(2, 3), tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    sources = [tmp_path / "m.json", tmp_path / "m.pth"]
    notes = package.convert(sources, tmp_path / "out.pth")
    assert notes == json.loads(run_program("convert", *sources, "-o", tmp_path / "out.pth", "--json"))["notes"]
    assert len(notes) == 1 and "bias" in notes[0]
    with pytest.raises(package.Unsupported, match="bias"):
        package.convert(sources, tmp_path / "lossless.pth", lossless=True)
    assert not (tmp_path / "lossless.pth").exists()


OPTIONS = [
    ({"data_format": "channels_first"}, ["--data-format", "channels_first"], "out.h5"),
    ({"dtype": "bfloat16"}, ["--dtype", "bfloat16"], "out.pth"),
    ({"to": "safetensors"}, ["--to", "safetensors"], "out.bin"),
    ({"checkpoint": True, "epoch": 3, "loss": 0.25}, ["--checkpoint", "--epoch", 3, "--loss", 0.25], "out.pth"),
    ({"fix_size": {"batch": 5}}, ["--fix-size", "batch=5"], "out.json"),
    ({"optimizer": False, "allow_unexpected": True, "untie": True}, ["--no-optimizer", "--allow-unexpected", "--untie"], "out.h5"),
    ({"match": "name", "written_by": "theano"}, ["--match", "name", "--written-by", "theano"], "out.h5"),
]


@pytest.mark.parametrize("options, spelled, name", OPTIONS, ids=lambda value: "+".join(value) if isinstance(value, dict) else "")
def test_options_are_those_of_the_program(options, spelled, name, tmp_path, monkeypatch):
    for folder in ("package", "program"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "package")
    status, message = 0, None
    try:
        package.convert(DIGITS, name, **options)
    except package.Error as error:  # a checkpoint of a network that has no optimizer
        status, message = error.status, f"h5bridge: {error}\n"
    said = run_program("convert", *DIGITS, "-o", name, *spelled, status=status, folder=tmp_path / "program")
    if status:
        assert said == message
    else:
        assert Path(name).read_bytes() == (tmp_path / "program" / name).read_bytes()


def test_a_key_picks_the_state_dict(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2))
    torch.save({"a": module.state_dict(), "b": {name: tensor + 1 for name, tensor in module.state_dict().items()}}, tmp_path / "both.pth")
    for key, more in (("a", 0), ("b", 1)):
        found = package.load(tmp_path / "both.pth", key=key).state_dict()
        assert all(torch.equal(found[name], tensor + more) for name, tensor in module.state_dict().items())


def test_a_checkpoint_with_its_optimizer(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    optimizer = torch.optim.Adam([{"params": module[1].parameters(), "lr": 0.5}, {"params": module[0].parameters()}], lr=0.25)
    module(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    export_architecture(module, torch.zeros(2, 3), tmp_path / "m.json")
    checkpoint = {"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "epoch": 7, "loss": 0.125}
    torch.save(checkpoint, tmp_path / "m.ckpt")
    order = [["1.weight", "1.bias"], ["0.weight", "0.bias"]]
    training = package.load([tmp_path / "m.json", tmp_path / "m.ckpt"], param_order=order).training
    assert (training["epoch"], training["loss"], training["optimizer"]["name"]) == (7, 0.125, "Adam")
    assert [group["params"] for group in training["optimizer"]["groups"]] == order
    assert package.load([tmp_path / "m.json", tmp_path / "m.ckpt"], optimizer=False).training["optimizer"] is None


@pytest.mark.parametrize(
    "status, arguments, message",
    [
        (2, {"destination": "out.xyz"}, "its suffix does not tell the format"),
        (2, {"destination": "out.h5", "dtype": "int7"}, 'dtype="int7"'),
        (2, {"destination": "out.h5", "data_format": "sideways"}, 'data_format="sideways"'),
        (2, {"destination": "out.pth", "epoch": 3}, "checkpoint=True"),
        (5, {"sources": "nothing.pth", "destination": "out.h5"}, "nothing.pth"),
        (3, {"sources": __file__, "destination": "out.h5"}, "test_python_package.py"),
    ],
)
def test_errors_have_the_class_of_their_exit_status(status, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(package.errors.BY_STATUS[status]) as raised:
        package.convert(**{"sources": DIGITS} | arguments)
    assert message in str(raised.value) and "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    assert type(pickle.loads(pickle.dumps(raised.value))) is type(raised.value)  # as multiprocessing hands it on


def test_other_threads_go_on(tmp_path):
    """While a tensor of 64 MiB is read and written, a thread counts: it would stand still if the lock were held throughout."""
    torch.save({"weight": torch.zeros(1 << 24)}, tmp_path / "large.pth")
    counts, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counts[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)  # nobody is asked to hand the lock over: it is given away, or held
    thread.start()
    try:
        here = counts[0]
        package.convert(tmp_path / "large.pth", tmp_path / "large.safetensors")
        assert counts[0] > here
    finally:
        done.set()
        sys.setswitchinterval(before)
        thread.join()


# --- load ---------------------------------------------------------------------------------------------------------------------


def test_tensors_are_read_once_and_shared():
    model = package.load(DIGITS)
    expected = torch.load(DIGITS[1])
    assert list(model.tensors) == list(expected) and len(model.tensors) == len(expected)
    for name, tensor in expected.items():
        assert model.tensors.shape(name) == tuple(tensor.shape) and model.tensors.dtype(name) == str(tensor.dtype).removeprefix("torch.")
        array = model.tensors[name]
        assert array.dtype == tensor.numpy().dtype and np.array_equal(array, tensor.numpy())
        assert model.tensors[name] is array and not array.flags.owndata and not array.flags.writeable
        assert array.ctypes.data % 64 == 0
    with pytest.raises(KeyError, match="no such"):
        model.tensors["no such"]
    assert "no such" not in model.tensors


def test_tensors_outlive_their_model_and_their_file(tmp_path):
    torch.save({"weight": torch.arange(1000.0)}, tmp_path / "m.pth")
    model = package.load(tmp_path / "m.pth")
    array = model.tensors["weight"]
    del model
    (tmp_path / "m.pth").unlink()
    assert np.array_equal(array, np.arange(1000.0, dtype="float32"))


def dtypes():
    """The types that the library has, as PyTorch's."""
    header = (ROOT / "src/h5bridge/dtype.h").read_text()
    listed = re.search(r"enum class DType \{(.*?)\}", header, re.DOTALL)[1]
    return [getattr(torch, name) for name in re.sub(r"(E\dM\d)", r"_\1", listed.replace(",", " ")).lower().split()]


@pytest.mark.parametrize("dtype", dtypes(), ids=str)
def test_every_type_of_elements(dtype, tmp_path):
    given = {"a": torch.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype), "scalar": torch.tensor(1).to(dtype), "empty": torch.zeros(0, 3).to(dtype)}
    torch.save(given, tmp_path / "m.pth")
    model = package.load(tmp_path / "m.pth")
    assert_same_state(model.state_dict(), given)
    for name, tensor in given.items():
        array = model.tensors[name]
        called = str(dtype).removeprefix("torch.")
        assert array.dtype == np.dtype(getattr(ml_dtypes, called, None) or called)
        assert array.shape == tuple(tensor.shape) and array.tobytes() == bytes(tensor.reshape(-1).view(torch.uint8).tolist())


def test_without_ml_dtypes_bfloat16_is_named(tmp_path):
    torch.save({"weight": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "m.pth")
    # In a process of its own: once imported, ml_dtypes has told NumPy of its types.
    said = in_a_new_process(tmp_path, """
sys.modules["ml_dtypes"] = None
try:
    h5bridge.load("m.pth").tensors["weight"]
except h5bridge.Unsupported as error:
    print(error)
""")
    assert said == ['tensor "weight": NumPy has no bfloat16; install ml_dtypes, which has']


def test_architecture_and_the_rest_of_a_model(tmp_path):
    model = package.load(DIGITS)
    run_program("convert", *DIGITS, "-o", tmp_path / "said.json")
    assert model.architecture == json.loads((tmp_path / "said.json").read_text())
    assert (model.format, model.notes, model.training) == ("torch", [], None)
    assert model.metadata == package.load(DIGITS).metadata
    assert package.load(DIGITS[1]).architecture is None
    assert repr(model) == f"<h5bridge.Model {model.architecture['name']!r} from torch, {len(model.tensors)} tensors>"
    model.save([tmp_path / "a.h5", tmp_path / "a.json"])
    run_program("convert", *DIGITS, "-o", tmp_path / "b.h5", "-o", tmp_path / "b.json")
    for suffix in ("h5", "json"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_a_state_dict_is_in_pytorchs_layout(tmp_path):
    run_program("convert", MOSAIC, "-o", tmp_path / "m.pth")
    state = package.load(MOSAIC).state_dict()
    assert_bits(state, torch.load(tmp_path / "m.pth"))
    next(iter(state.values())).zero_()  # they are the caller's
    assert_bits(package.load(MOSAIC).state_dict(), torch.load(tmp_path / "m.pth"))


def assert_bits(found, expected):
    """As assert_same_state, but for the versions that torch.save notes of each module."""
    assert list(found) == list(expected)
    assert all(found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_model_of_pytorchs_in_keras():
    model = package.load(DIGITS).to_keras()
    arrays = np.load(ROOT / "testdata/digits/inputs.npz")
    inputs = [np.moveaxis(x, 1, -1) if x.ndim > 2 else x for x in arrays.values()]
    found = keras.ops.convert_to_numpy(model(inputs[0], training=False))
    [expected] = np.load(ROOT / "testdata/digits/outputs.npz").values()
    assert_close(found, expected, 1e-5)
    assert not model.compiled


def test_a_live_model_of_keras(tmp_path):
    inputs = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    given = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    given.compile(keras.optimizers.Adam(0.125), loss="mse")
    model = package.from_keras(given)
    assert model.training["optimizer"]["name"] == "Adam" and model.training["optimizer"]["config"]["lr"] == 0.125
    # Its temporary file is gone by now.
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    back = model.to_keras()
    assert np.array_equal(back.predict(x, verbose=0), given.predict(x, verbose=0))
    given.save(tmp_path / "given.h5"), back.save(tmp_path / "back.h5")
    assert [list(w.values()) for w in weights_of(tmp_path / "back.h5").values()][1][0].shape == (3, 3, 3, 4)
    with h5py.File(tmp_path / "given.h5") as a, h5py.File(tmp_path / "back.h5") as b:
        assert json.loads(a.attrs["model_config"]) == json.loads(b.attrs["model_config"])


def test_a_live_module_of_pytorch():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(96, 2))
    model = package.from_torch(module, torch.zeros(2, 3, 8, 6))
    assert model.architecture["inputs"][0]["shape"] == ["batch", 3, 8, 6] and module.training
    assert_bits(model.state_dict(), module.state_dict())
    x = torch.randn(5, 3, 8, 6)
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    assert_close(model.to_keras().predict(np.moveaxis(x.numpy(), 1, -1), verbose=0), expected, 1e-5)


def test_what_a_live_module_does_that_no_layer_says_is_named():
    class Module(torch.nn.Module):
        def forward(self, x):
            return x.cumprod(0) if x.sum() > 0 else torch.fft.fft(x)

    with pytest.raises(package.Unsupported) as raised:
        package.from_torch(Module(), torch.zeros(2, 3))
    assert "Module" in str(raised.value) and "\n" not in str(raised.value)


def plain():
    return torch.nn.Sequential(torch.nn.Linear(3, 2))


EXAMPLE = torch.zeros(2, 3)
OF_OTHERS = {
    "traced": (lambda: package.from_torch(torch.jit.trace(plain(), EXAMPLE), EXAMPLE), "Unsupported", "is TorchScript"),
    "scripted": (lambda: package.from_torch(torch.jit.script(plain()), EXAMPLE), "Unsupported", "is TorchScript"),
    "exported": (lambda: package.from_torch(torch.export.export(plain(), (EXAMPLE,)).module(), EXAMPLE), "Unsupported", "torch.export.save"),
    "no such device": (lambda: package.load(DIGITS).to_torch("bogus"), "UsageError", "device is 'bogus'"),
    "no such type": (lambda: package.load(DIGITS).to_torch(0.5), "UsageError", "device is 0.5 (float)"),
    "no weights": (lambda: package.load(DIGITS[0]).to_torch(), "UsageError", "needs weights"),
}


@pytest.mark.parametrize("case", OF_OTHERS)
def test_what_other_packages_raise_is_an_error_of_this_one(case):
    call, kind, message = OF_OTHERS[case]
    with pytest.raises(getattr(package, kind)) as raised:
        call()
    assert message in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_a_device_that_is_not_there():
    with pytest.raises(package.SystemFailure, match="^the device cuda: "):
        package.load(DIGITS).to_torch("cuda")


def test_what_keras_itself_cannot_load_or_save(monkeypatch):
    def fails(*arguments, **options):
        raise ValueError("not so\nor so")

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    monkeypatch.setattr(keras.saving, "load_model", fails)
    with pytest.raises(package.Unsupported, match="^Keras cannot load the model: ValueError: not so$"):
        package.load(DIGITS).to_keras()
    monkeypatch.setattr(model, "save", fails)
    with pytest.raises(package.Unsupported, match="^Keras cannot save the model: ValueError: not so$"):
        package.from_keras(model)


def test_there_is_no_room_for_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    with pytest.raises(package.SystemFailure, match="^no temporary folder: FileNotFoundError: "):
        package.load(DIGITS).to_torch()


def test_why_a_whole_module_gives_no_architecture_is_said_in_this_package_s_words(tmp_path):
    torch.save(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(5, 2)), tmp_path / "whole.pt")
    model = package.load(tmp_path / "whole.pt")
    [note] = model.notes
    messages = [note]
    for call in (model.to_keras, model.to_torch, lambda: model.save(tmp_path / "m.html")):
        with pytest.raises(package.Unsupported) as raised:
            call()
        messages.append(str(raised.value))
    assert all("expected 5 as the last size; bind open sizes (fix_size)" in message for message in messages), messages
    assert "expected 5 as the last size" in run_program("plot", tmp_path / "whole.pt", "-o", tmp_path / "m.dot", status=4)


WRONG = [
    (lambda: package.convert(5, "out.h5"), "sources is 5 (int), expected a path or a list of them"),
    (lambda: package.convert(DIGITS, None), "destination is None, expected a path or a list of them"),
    (lambda: package.convert(DIGITS, "out.h5", dtype=torch.float32), "dtype is torch.float32 (dtype), expected a str or None"),
    (lambda: package.convert(DIGITS, "out.pth", checkpoint=True, epoch="3"), "epoch is '3' (str), expected a whole number or None"),
    (lambda: package.convert(DIGITS, "out.pth", checkpoint=True, loss=torch.tensor(1.0)), "loss is tensor(1.) (Tensor), expected a number or None"),
    (lambda: package.load([*DIGITS, 5]), "paths is 5 (int), expected a path (str or os.PathLike)"),
    (lambda: package.load(b"model.h5"), "paths is b'model.h5' (bytes), expected a path or a list of them"),
    (lambda: package.load(DIGITS, key=5), "key is 5 (int), expected a str"),
    (lambda: package.load(DIGITS, optimizer="no"), "optimizer is 'no' (str), expected True or False"),
    (lambda: package.load(DIGITS, fix_size=["batch"]), "fix_size is ['batch'] (list), expected None or a dict of names and numbers"),
    (lambda: package.load(DIGITS, fix_size={"batch": True}), "fix_size['batch'] is True (bool), expected a whole number"),
    (lambda: package.load(DIGITS, param_order="weight"), "param_order is 'weight' (str), expected a list of names"),
    (lambda: package.load(DIGITS, param_order=[["weight"], 5]), "param_order is 5 (int), expected a list of names"),
    (lambda: package.inspect({"a": 1}), "sources is {'a': 1} (dict), expected a path or a list of them"),
    (lambda: package.compare(5, DIGITS), "a is 5 (int), expected a path or a list of them"),
    (lambda: package.compare(DIGITS, DIGITS, atol="1"), "atol is '1' (str), expected a number"),
    (lambda: package.from_keras(5), "model is 5 (int), expected a keras.Model"),
    (lambda: package.from_keras(keras.Model(), 5), "architecture is 5 (int), expected the path of an architecture JSON, a dict or None"),
    (lambda: package.from_torch(5, torch.zeros(2)), "module is 5 (int), expected a torch.nn.Module"),
    (lambda: package.from_torch(torch.nn.Linear(2, 2), 5), "example_inputs is 5 (int), expected a tensor"),
]


@pytest.mark.parametrize("call, message", WRONG, ids=[message.split(" is ")[0] for _, message in WRONG])
def test_an_argument_of_a_wrong_type_is_named(call, message):
    with pytest.raises(package.UsageError) as raised:
        call()
    assert message in str(raised.value) and isinstance(raised.value, TypeError)
    assert pickle.loads(pickle.dumps(raised.value)).status == 2


def test_messages_name_no_temporary_file():
    inputs = keras.Input((3,))
    with pytest.raises(package.Unsupported, match='^the Keras model: layer "lambda"'):
        package.from_keras(keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1, name="lambda")(inputs)))
    halves = package.from_torch(torch.nn.Sequential(torch.nn.Linear(3, 4)).bfloat16(), torch.zeros(2, 3, dtype=torch.bfloat16))
    with pytest.raises(package.Unsupported) as raised:
        halves.to_keras()
    assert str(raised.value).startswith('the Keras model: layer "0": variable "0/kernel" is bfloat16') and "(dtype)" in str(raised.value)
    found = halves.to_keras(dtype="float32").layers[1].kernel
    assert np.array_equal(keras.ops.convert_to_numpy(found), halves.state_dict()["0.weight"].float().numpy().T)


def test_a_warning_names_no_temporary_file():
    module = torch.nn.Sequential(torch.nn.Embedding(5, 4, padding_idx=0))
    with pytest.warns(UserWarning, match='^layer "0" \\(Embedding\\): padding_idx') as caught:
        package.from_torch(module, torch.zeros(2, 3, dtype=torch.long)).to_keras()
    assert not any("h5bridge-" in str(warning.message) for warning in caught)


def test_a_live_keras_model_goes_home_by_its_architecture(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sequential(torch.nn.Linear(4, 2)))
    export_architecture(module, torch.zeros(2, 3), tmp_path / "m.json")
    model = package.from_torch(module, torch.zeros(2, 3)).to_keras()
    for architecture in (tmp_path / "m.json", package.load(tmp_path / "m.json").architecture):
        assert_bits(package.from_keras(model, architecture).state_dict(), module.state_dict())
    inputs = keras.Input((3,))
    other = keras.Model(inputs, keras.layers.Dense(5, name="0")(inputs))
    with pytest.raises(package.MalformedFile, match="^the Keras model: "):
        package.from_keras(other, package.load(tmp_path / "m.json").architecture)


# --- compare ------------------------------------------------------------------------------------------------------------------


def test_a_keras_model_with_another_head_does_not_go_home_by_the_old_architecture():
    mine = package.from_torch(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)), torch.rand(2, 3))
    old = mine.to_keras()
    changed = keras.Model(old.input, keras.layers.Dense(5, name="head")(old.layers[-2].output))
    with pytest.raises(package.MalformedFile, match='not that of the architecture: it has no layer "2"; read it without the architecture'):
        package.from_keras(changed, architecture=mine.architecture)
    assert "head.weight" in package.from_keras(changed).state_dict()


def test_within_inference_mode_all_is_as_outside_of_it():
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    with torch.inference_mode():
        example = torch.rand(2, 3)
        mine = package.from_torch(module, example, reference=True)
        again, theirs = mine.to_torch(), mine.to_keras()
    again(torch.rand(3, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in again.parameters())
    theirs.compile("sgd", loss="mse")
    theirs.train_on_batch(np.ones((3, 3), "float32"), np.ones((3, 4), "float32"))
    assert_close(mine.reference["inputs"]["input"], example.numpy(), 0, 0)


def test_a_prefix_and_a_tensor_more_are_told_apart(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2))
    package.from_torch(module, torch.rand(2, 3)).save(tmp_path / "m.json")
    state = {"model." + name: tensor for name, tensor in module.state_dict().items()}
    torch.save({"state_dict": state | {"criterion.weight": torch.ones(2)}}, tmp_path / "m.pth")
    sources = [tmp_path / "m.json", tmp_path / "m.pth"]
    with pytest.raises(package.MalformedFile, match=re.escape(r"rename '^model\.=' takes it off, and allow_unexpected")):
        package.load(sources)
    found = package.load(sources, rename=[r"^model\.="], allow_unexpected=True)
    assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in module.state_dict().items())


def test_the_shape_of_an_archives_input_is_wrong_or_right(tmp_path):
    for shapes, message in [({"x": 3}, "a list of whole numbers"), ({"x": (-1,)}, "none of them negative"), ([], "a dict of names and shapes")]:
        with pytest.raises(package.UsageError, match=message):
            package.load(DIGITS, input_shapes=shapes)


def test_compare_finds_what_the_program_finds(tmp_path):
    state = torch.load(DIGITS[1])
    name = next(iter(state))
    package.convert(DIGITS, tmp_path / "same.h5")
    state[name] = state[name] + 0.5
    state["more"] = state.pop(list(state)[-1])
    torch.save(state, tmp_path / "other.pth")
    for other, status in ((tmp_path / "same.h5", 0), (tmp_path / "other.pth", 1)):
        found = package.compare(DIGITS[1], other)
        assert found == json.loads(run_program("compare", DIGITS[1], other, "--json", status=status))
        assert found["agrees"] == (status == 0)
    assert package.compare(package.load(DIGITS), tmp_path / "other.pth", atol=1)["only_in_b"] == ["more"]
    assert [tensor["name"] for tensor in found["tensors"] if not tensor["agrees"]] == [name]
    with pytest.raises(package.UsageError, match="^atol is -1.0, expected a number that is not negative$"):
        package.compare(*DIGITS, atol=-1)


# --- inspect ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", [DIGITS, [DIGITS[1]], [MOSAIC]], ids=lambda sources: sources[-1].name)
def test_inspect_says_what_the_program_does(sources):
    assert package.inspect(sources) == json.loads(run_program("inspect", *sources, "--json"))


def test_what_cannot_be_converted_is_inspected(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1), keras.layers.Dense(2)])
    model.save(tmp_path / "k.h5")
    found = package.inspect(tmp_path / "k.h5")
    assert "Lambda" in found["error"] and found["architecture"] is None
    assert [tensor["shape"] for tensor in found["tensors"]] == [[3, 2], [2]]


# --- beside other software ----------------------------------------------------------------------------------------------------


def test_neither_torch_nor_keras_nor_numpy_is_imported(tmp_path):
    first, *errors = in_a_new_process(tmp_path, f"""
h5bridge.convert({[str(path) for path in DIGITS]}, "out.h5")
print(len(h5bridge.load("out.h5").tensors), [name for name in ("torch", "keras", "numpy") if name in sys.modules])
sys.modules["torch"] = sys.modules["keras"] = None
for take in (h5bridge.load("out.h5").state_dict, h5bridge.load("out.h5").to_keras):
    try:
        take()
    except h5bridge.SystemFailure as error:
        print(error)
""")
    assert first == f"{len(torch.load(DIGITS[1]))} []"
    assert [error.split(" (")[0] for error in errors] == ["PyTorch is not installed", "Keras is not installed"]


def test_no_libtorch_is_loaded():
    [library] = PACKAGE.glob("h5bridge/_core*.so")
    needed = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    assert "libh5bridge.so" in needed and "torch" not in needed


# --- outputs, through PyTorch -------------------------------------------------------------------------------------------------


def test_verify_says_what_the_program_says(tmp_path):
    """Of a PyTorch network, and of its .h5, whose images are laid out as Keras has them."""
    folder = DIGITS[0].parent
    inputs, expected = (dict(np.load(folder / name)) for name in ("inputs.npz", "outputs.npz"))
    found = package.verify(DIGITS, inputs, expected)
    assert found["agrees"] and [output["agrees"] for output in found["outputs"]] == [True] * len(expected)
    package.convert(DIGITS, tmp_path / "m.h5")
    as_keras = [x.transpose(0, 2, 3, 1) for x in inputs.values()]
    assert package.verify(tmp_path / "m.h5", as_keras, list(expected.values()))["agrees"]
    assert package.verify(tmp_path / "m.h5", inputs, list(expected.values()), layout="torch")["agrees"]
    wrong = {name: y + 1 for name, y in expected.items()}
    found = package.verify(DIGITS, inputs, wrong)
    np.savez(tmp_path / "wrong.npz", **wrong)
    said = json.loads(run_program("verify", *DIGITS, "--input", folder / "inputs.npz", "--expect", tmp_path / "wrong.npz", "--json", status=1))
    assert not found["agrees"] and [set(output) for output in found["outputs"]] == [set(output) for output in said["outputs"]]
    with pytest.raises(package.UsageError, match="there is no input"):
        package.verify(DIGITS, {"nobody": np.zeros(1)}, expected)


def test_what_is_written_is_checked_first(tmp_path):
    """By the PyTorch of this process; a Disagreement is none of the program's own making, so one is made up."""
    notes = package.convert(DIGITS, [tmp_path / "m.keras", tmp_path / "m.pth"], check=True, reference=3)
    assert notes == [] and package.load(tmp_path / "m.keras").reference["by"] == f"PyTorch {torch.__version__}"
    assert [len(x) for x in package.load([DIGITS[0], tmp_path / "m.pth"]).reference["inputs"].values()] == [3]
    assert package.verify(tmp_path / "m.keras")["agrees"]
    run_program("verify", tmp_path / "m.keras")
    state = torch.load(DIGITS[1])
    state["bn1.running_var"] = -state["bn1.running_var"] - 1  # NaN on both sides agrees
    torch.save(state, tmp_path / "nan.pth")
    package.convert([DIGITS[0], tmp_path / "nan.pth"], tmp_path / "nan.h5", check=True)
    with pytest.raises(package.Unsupported, match="has no place for a reference"):
        package.convert(DIGITS, tmp_path / "m.json", reference=2)
    with pytest.raises(package.UsageError, match="^reference is 0, expected a whole number from 1 on$"):
        package.convert(DIGITS, tmp_path / "n.h5", reference=0)
    assert not (tmp_path / "n.h5").exists()


def test_what_computes_something_else_is_not_written(tmp_path):
    """A PyTorch that gives other numbers whenever a model comes from Keras stands for a fault of ours."""

    from h5bridge.running import core_tensor
    from h5bridge.tensors import read

    def faulty(core, device, dtype):
        run = package._forward_of(core, device, dtype)
        shift = float(core.format == "keras-h5")
        return lambda inputs: [core_tensor(torch, torch.from_numpy(read(made, "made")) + shift) for made in run(inputs)]

    package._core.run_with(package._engine, faulty)
    try:
        with pytest.raises(package.Disagreement, match='m.h5: computes something else from the layer "conv1" on.*nothing is written'):
            package.convert(DIGITS, tmp_path / "m.h5", check=True)
    finally:
        package._core.run_with(package._engine, package._forward_of)
    assert not (tmp_path / "m.h5").exists()


def test_compare_runs_both_models(tmp_path):
    package.convert(DIGITS, tmp_path / "m.h5")
    found = package.compare(tmp_path / "m.h5", DIGITS, random_inputs=3, seed=1)
    assert found["agrees"] and found["run"]["agrees"] and found["run"]["outputs"]
    state = torch.load(DIGITS[1])
    torch.save({name: tensor * 1.5 if tensor.is_floating_point() else tensor for name, tensor in state.items()}, tmp_path / "other.pth")
    found = package.compare(DIGITS, [DIGITS[0], tmp_path / "other.pth"], random_inputs=2)
    assert not found["agrees"] and not found["run"]["agrees"]
    with pytest.raises(package.UsageError, match="exclude each other"):
        package.compare(DIGITS, DIGITS, inputs=[], random_inputs=2)


def test_shards_are_as_large_as_they_are_asked_for(tmp_path):
    for size in (4096, "4KiB"):
        package.convert(DIGITS, tmp_path / "m.safetensors.index.json", shard_size=size)
        assert len(list(tmp_path.glob("m-*.safetensors"))) > 1
    with pytest.raises(package.UsageError, match="shard_size"):
        package.convert(DIGITS, tmp_path / "m.safetensors.index.json", shard_size="5 apples")


# --- what its readers see -----------------------------------------------------------------------------------------------------


def test_all_that_is_public_has_a_docstring():
    named = [getattr(package, name) for name in package.__all__]
    classes = [each for each in named if isinstance(each, type)]
    methods = [value for each in classes for name, value in vars(each).items() if not name.startswith("_") and hasattr(value, "__doc__")]
    methods = [value for value in methods if not isinstance(value, int)]  # an exit status
    assert len(methods) > 8
    assert [each for each in named + methods if not each.__doc__] == []


def test_the_package_has_types():
    assert (PACKAGE / "h5bridge/py.typed").exists()
    stub = (PACKAGE / "h5bridge/_core.pyi").read_text()
    for name in ("def load(", "def save(", "class Model", "class LoadOptions"):
        assert name in stub


def test_a_live_model_is_its_own_witness(tmp_path):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.ReLU()).train()
    example = torch.rand(3, 2, 5, 6)
    model = package.from_torch(module, example, reference=True)
    assert module.training and module[1].training and int(module[1].num_batches_tracked) == 0
    kept = model.reference
    assert kept["by"] == f"PyTorch {torch.__version__}"
    with torch.no_grad():
        expected = module.eval()(example).numpy()
    [found], [x] = kept["outputs"].values(), kept["inputs"].values()
    assert np.array_equal(found, expected) and np.array_equal(x, example.numpy())
    assert model.save([tmp_path / "x.keras", tmp_path / "x.pth"]) == []
    again = package.load(tmp_path / "x.keras")
    assert np.array_equal(again.reference["outputs"].popitem()[1], np.moveaxis(expected, 1, -1))
    told = package.verify(again)
    assert told["agrees"] and told["reference_by"] == kept["by"]
    with pytest.raises(package.UsageError, match="no reference"):
        package.verify(package.from_torch(module, example))
    assert package.from_torch(module, example).reference is None

    keras_model = model.to_keras()
    theirs = package.from_keras(keras_model, reference=np.moveaxis(example.numpy(), 1, -1))
    assert theirs.reference["by"].startswith(f"Keras {keras.__version__} on ")
    assert np.allclose(theirs.reference["outputs"].popitem()[1], np.moveaxis(expected, 1, -1), atol=1e-5)
    assert package.verify(theirs)["agrees"]


def test_what_layers_make_and_what_comes_out_is_computed_once(tmp_path):
    """A reference keeps both: the model has two convolutions."""
    called = []
    hook = torch.nn.modules.module.register_module_forward_hook(lambda module, *_: called.append(type(module).__name__))
    try:
        package.convert(DIGITS, tmp_path / "x.keras", reference=2)
    finally:
        hook.remove()
    assert called.count("Conv2d") == 2
    assert json.loads(run_program("inspect", tmp_path / "x.keras", "--json"))["format"] == "keras"
    assert package.verify(tmp_path / "x.keras")["agrees"]


def test_a_notebook_shows_layers_and_no_markup_of_a_stranger():
    model = package.load(DIGITS)
    shown = model._repr_html_()
    assert "conv1" in shown and "weight (16, 1, 3, 3)" in shown and "DigitsNet" in shown
    assert "conv1.weight" in package.load(DIGITS[1])._repr_html_()
    described = dict(model.architecture, name="<script>alert(1)</script>")
    strange = package.from_keras(model.to_keras(), described)
    assert "<script>" not in strange._repr_html_() and "&lt;script&gt;" in strange._repr_html_()


def test_a_terminal_shows_how_far_long_work_is(monkeypatch):
    from h5bridge import progress

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(progress, "_PATIENCE", 0.01)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.shown("convert"):
        while "convert" not in sys.stderr.getvalue():
            time.sleep(0.01)
    assert sys.stderr.getvalue().startswith("\r\x1b[Kh5bridge: convert, 0 s") and sys.stderr.getvalue().endswith("\r\x1b[K")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.shown("convert"):
        time.sleep(0.05)
    assert sys.stderr.getvalue() == ""


def test_examples_in_docstrings_are_right(tmp_path, monkeypatch):
    for name in ("model.json", "model.pth", "inputs.npz", "outputs.npz"):
        shutil.copy(DIGITS[0].parent / name, tmp_path / name.replace("model", "digits"))
    monkeypatch.chdir(tmp_path)
    tried = 0
    for name in ("convert", "load", "inspect", "compare", "verify", "from_torch", "from_keras", "Model"):
        finder = doctest.DocTestFinder(exclude_empty=True)
        for test in finder.find(getattr(package, name), globs={"h5bridge": package, "torch": torch, "keras": keras}):
            runner = doctest.DocTestRunner(optionflags=doctest.REPORT_ONLY_FIRST_FAILURE)
            runner.run(test)
            assert runner.summarize(verbose=False).failed == 0, test.name
            tried += bool(test.examples)
    assert tried >= 11
