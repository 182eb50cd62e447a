"""Checks that check: what verify, compare and --check must not pass over."""

import json
import subprocess

import h5py
import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import PROGRAM, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]
TWO_OUTPUTS = {
    "h5bridge": 1,
    "name": "Two",
    "inputs": [{"name": "x", "shape": ["batch", 4]}],
    "layers": [
        {"name": "a", "type": "Linear", "attributes": {"in_features": 4, "out_features": 3}},
        {"name": "b", "type": "ReLU"},
    ],
    "outputs": ["a", "b"],
}


def h5bridge(*arguments, status=0, folder=None):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, cwd=folder)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def strict(text):
    """JSON as others than Python read it: without NaN and Infinity."""

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def two(tmp_path):
    layer = torch.nn.Linear(4, 3)
    (tmp_path / "net.json").write_text(json.dumps(TWO_OUTPUTS))
    torch.save({f"a.{name}": tensor for name, tensor in layer.state_dict().items()}, tmp_path / "net.pth")
    x = torch.randn(2, 4)
    a = layer(x).detach()
    np.save(tmp_path / "x.npy", x.numpy())
    arrays = {"output": a.numpy(), "output_1": torch.relu(a).numpy()}
    np.savez(tmp_path / "both.npz", **arrays)
    np.savez(tmp_path / "one.npz", output=arrays["output"])
    np.savez(tmp_path / "more.npz", **arrays, third=arrays["output"])
    return tmp_path


def test_a_network_without_tensors_is_checked(tmp_path):
    """A slope below 0, which no layer of Keras's takes, and axes that Keras has last."""
    layers = [{"name": "leaky", "type": "LeakyReLU", "attributes": {"negative_slope": -0.3}}, {"name": "pool", "type": "MaxPool2d", "attributes": {"kernel_size": 2}}]
    net = {"h5bridge": 1, "name": "N", "inputs": [{"name": "x", "shape": ["batch", 3, 6, 4]}], "layers": layers, "outputs": ["pool"]}
    (tmp_path / "net.json").write_text(json.dumps(net))
    for destination in ("net.keras", "net.h5", "again.json"):
        assert "agrees" in h5bridge("convert", "net.json", "-o", destination, "--check", folder=tmp_path).stdout
    x = np.random.default_rng(0).normal(size=(3, 6, 4, 3)).astype(np.float32)
    y = keras.ops.convert_to_numpy(keras.saving.load_model(tmp_path / "net.keras")(x))
    expected = torch.nn.functional.max_pool2d(torch.nn.functional.leaky_relu(torch.from_numpy(x).permute(0, 3, 1, 2), -0.3), 2)
    assert np.allclose(y, expected.permute(0, 2, 3, 1), atol=1e-6)


VERIFY = ["verify", "net.json", "net.pth", "--input", "x.npy", "--expect"]


def test_outputs_that_are_missing_on_either_side_disagree(two):
    h5bridge(*VERIFY, "both.npz", folder=two)
    assert '"output_1" differs: is not among the expected arrays' in h5bridge(*VERIFY, "one.npz", folder=two, status=1).stdout
    assert '"third" differs: is expected' in h5bridge(*VERIFY, "more.npz", folder=two, status=1).stdout
    printed = strict(h5bridge(*VERIFY, "one.npz", "--json", folder=two, status=1).stdout)
    assert [output["agrees"] for output in printed["outputs"]] == [True, False]


def test_nan_agrees_with_nan_where_it_is_asked_for(two):
    np.save(two / "x.npy", np.full((2, 4), np.nan, np.float32))
    h5bridge("run", "net.json", "net.pth", "--input", "x.npy", "-o", "nan.npz", folder=two)
    strict_ones = h5bridge(*VERIFY, "nan.npz", folder=two, status=1).stdout
    assert "6 of 6 elements are NaN on both sides, which agree with --equal-nan" in strict_ones
    assert "found nan, expected nan" in strict_ones and " -nan" not in strict_ones
    h5bridge(*VERIFY, "nan.npz", "--equal-nan", folder=two)
    h5bridge(*VERIFY, "both.npz", "--equal-nan", folder=two, status=1)
    net = torch.load(two / "net.pth")
    net["a.bias"][1] = torch.nan
    torch.save(net, two / "nan.pth")
    assert "1 of 3 elements are NaN on both sides" in h5bridge("compare", "nan.pth", "--with", "nan.pth", folder=two, status=1).stdout
    h5bridge("compare", "nan.pth", "--with", "nan.pth", "--equal-nan", folder=two)
    h5bridge("compare", "nan.pth", "--with", "net.pth", "--equal-nan", folder=two, status=1)


POSITIONS = {
    "h5bridge": 1,
    "name": "Positions",
    "inputs": [{"name": "ids", "shape": ["batch", "length"], "dtype": "int64"}],
    "layers": [
        {"name": "tokens", "type": "Embedding", "attributes": {"num_embeddings": 9, "embedding_dim": 4}},
        {"name": "arange", "type": "arange", "attributes": {"end": "length"}, "inputs": []},
        {"name": "places", "type": "Embedding", "attributes": {"num_embeddings": 5, "embedding_dim": 4}},
        {"name": "add", "type": "add", "inputs": ["tokens", "places"]},
    ],
    "outputs": ["add"],
}


def test_random_lengths_stay_within_a_table_of_positions(tmp_path):
    torch.save({"tokens.weight": torch.randn(9, 4), "places.weight": torch.randn(5, 4)}, tmp_path / "net.pth")
    (tmp_path / "net.json").write_text(json.dumps(POSITIONS))
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--check", folder=tmp_path)
    h5bridge("compare", "net.json", "net.pth", "--with", "net.h5", "--random-inputs", "3", folder=tmp_path)


def test_random_lengths_stay_within_what_is_added_to_them(tmp_path):
    """A parameter of five positions, as many of which are added as there are words."""
    table = {"name": "table", "type": "Parameter", "attributes": {"shape": [5, 4]}, "inputs": []}
    part = {"name": "part", "type": "slice", "attributes": {"end": "length"}}
    layers = [POSITIONS["layers"][0], table, part, {"name": "add", "type": "add", "inputs": ["tokens", "part"]}]
    torch.save({"tokens.weight": torch.randn(9, 4), "table": torch.randn(5, 4)}, tmp_path / "net.pth")
    (tmp_path / "net.json").write_text(json.dumps(POSITIONS | {"layers": layers}))
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--check", "--reference", 3, folder=tmp_path)
    kept = json.loads(h5bridge("verify", "net.h5", "--json", folder=tmp_path).stdout)["outputs"]
    assert [output["elements"] for output in kept] == [3 * 5 * 4]
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--check", "--input-shape", "ids=2,4", folder=tmp_path)


def test_a_model_that_makes_nan_is_checked(two):
    """The logarithm of what is negative."""
    layers = [TWO_OUTPUTS["layers"][0], *({"name": kind, "type": kind} for kind in ("abs", "neg", "log"))]
    (two / "net.json").write_text(json.dumps(TWO_OUTPUTS | {"layers": layers, "outputs": ["log"]}))
    said = h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--check", "--seed", 1, folder=two).stdout
    assert "elements are NaN on both sides" in said


def test_inputs_that_a_layer_refuses(tmp_path):
    """Given ones do not fit the model; random ones nobody has given."""
    network = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}, {"name": "places", "shape": ["batch", 2], "dtype": "int64"}],
               "layers": [{"name": "gather", "type": "gather", "attributes": {"dim": 1}, "inputs": ["x", "places"]},
                          {"name": "fc", "type": "Linear", "attributes": {"in_features": 2, "out_features": 1}}], "outputs": ["fc"]}  # fmt: skip
    (tmp_path / "net.json").write_text(json.dumps(network))
    torch.save({f"fc.{name}": tensor for name, tensor in torch.nn.Linear(2, 1).state_dict().items()}, tmp_path / "net.pth")
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 3), np.float32), places=np.array([[0, 3]]))
    said = h5bridge("run", "net.json", "net.pth", "--input", "in.npz", folder=tmp_path, status=2).stderr
    assert '"gather" (gather): index 3 is out of bounds' in said
    said = h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--check", folder=tmp_path, status=4).stderr
    assert "random inputs do not fit the model" in said and '"gather" (gather)' in said
    assert not (tmp_path / "net.h5").exists()
    h5bridge("compare", "net.json", "net.pth", "--with", "net.json", "net.pth", "--random-inputs", 9, folder=tmp_path, status=4)
    h5bridge("compare", "net.json", "net.pth", "--with", "net.json", "net.pth", "--random-inputs", 9, "--device", "tpu", folder=tmp_path, status=2)


def test_integers_that_are_divided_by(tmp_path):
    network = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 9], "dtype": "int64"}, {"name": "y", "shape": ["batch", 9], "dtype": "int64"}],
               "layers": [{"name": "quotient", "type": "floor_divide", "inputs": ["x", "y"]}, {"name": "rest", "type": "remainder", "inputs": ["x", "y"]},
                          {"name": "both", "type": "add", "inputs": ["quotient", "rest"]}], "outputs": ["both"]}  # fmt: skip
    (tmp_path / "net.json").write_text(json.dumps(network))
    torch.save({}, tmp_path / "net.pth")
    h5bridge("compare", "net.json", "--with", "net.json", "--random-inputs", 9, folder=tmp_path)
    np.savez(tmp_path / "in.npz", x=np.ones((1, 9), np.int64), y=np.zeros((1, 9), np.int64))
    assert '"quotient" (floor_divide): ZeroDivisionError' in h5bridge("run", "net.json", "--input", "in.npz", folder=tmp_path, status=2).stderr


def test_json_is_valid_for_every_reader(two):
    np.save(two / "x.npy", np.full((2, 4), np.nan, np.float32))
    printed = strict(h5bridge("run", "net.json", "net.pth", "--input", "x.npy", "--json", folder=two).stdout)
    assert printed["outputs"][0]["mean"] == "NaN"
    strict(h5bridge(*VERIFY, "both.npz", "--json", folder=two, status=1).stdout)


@pytest.mark.parametrize(
    "arguments, status",
    [
        (["convert", "nothing.json", "-o", "a.h5"], 5),
        (["convert", "net.json", "net.pth", "-o", "a.xyz"], 2),
        (["run", "net.json", "net.pth", "--input", "y=x.npy"], 2),
        (["inspect", "broken.json"], 3),
        (["validate", "broken.json"], 3),
        (["compare", "net.pth", "broken.json"], 3),
        (["verify", "net.json", "net.pth", "--frobnicate"], 2),
    ],
)
def test_errors_are_json_where_it_is_asked_for(two, arguments, status):
    (two / "broken.json").write_text('{"h5bridge": 1, "inputs": [}')
    done = h5bridge(*arguments, "--json", folder=two, status=status)
    assert "error" in strict(done.stdout) and done.stderr.startswith("h5bridge: ")
    assert h5bridge(*arguments, folder=two, status=status).stdout == ""


@pytest.mark.parametrize("number", ["-1", "nan", "x"])
def test_tolerances_are_no_negative_numbers(two, number):
    done = h5bridge(*VERIFY, "both.npz", "--atol", number, folder=two, status=2)
    assert len(done.stderr) < 90 and f"--atol: {number}" in done.stderr, done.stderr


def test_names_of_outputs_are_the_same_in_either_layout(two):
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", folder=two)
    for sources, names in ((["net.json", "net.pth"], ["output", "output_1"]), (["net.h5"], ["a", "b"])):
        for layout in ("keras", "torch"):
            h5bridge("run", *sources, "--input", "x.npy", "--input-layout", layout, "-o", f"{layout}.npz", folder=two)
            assert list(np.load(two / f"{layout}.npz")) == names


def test_compare_tells_types(two):
    h5bridge("convert", "net.json", "net.pth", "--dtype", "float16", "-o", "half.pth", folder=two)
    done = h5bridge("compare", "net.pth", "half.pth", "--atol", "0.1", folder=two, status=1)
    assert 'tensor "a.weight": has dtype float16, expected float32' in done.stdout


def checkpoint(path, change=lambda state: None, **settings):
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 3)
    optimizer = torch.optim.SGD([layer.weight, layer.bias], **({"lr": 0.1, "momentum": 0.9} | settings))
    layer(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    state = optimizer.state_dict()
    change(state)
    weights = {f"a.{name}": tensor for name, tensor in layer.state_dict().items()}
    torch.save({"epoch": 1, "model_state_dict": weights, "optimizer_state_dict": state, "loss": 0.5}, path)


def test_compare_tells_optimizers(two):
    checkpoint(two / "a.tar")
    weights = torch.load(two / "a.tar")["model_state_dict"]
    torch.save(weights, two / "plain.pth")

    def compare(other, status):
        return h5bridge("compare", "net.json", "a.tar", "--with", "net.json", other, folder=two, status=status)

    compare("a.tar", 0)
    assert "only the first has an optimizer, SGD" in compare("plain.pth", 0).stderr
    h5bridge("convert", "net.json", "a.tar", "-o", "a.h5", folder=two)
    h5bridge("compare", "net.json", "a.tar", "--with", "a.h5", folder=two)

    def same_weights(**changes):
        checkpoint(two / "b.tar", **changes)
        both = torch.load(two / "b.tar")
        both["model_state_dict"] = weights
        torch.save(both, two / "b.tar")

    same_weights(lr=0.2)
    assert "the optimizer's lr is 0.2, expected 0.1" in compare("b.tar", 1).stdout
    same_weights(change=lambda state: state["state"][0]["momentum_buffer"].mul_(2))
    assert "the optimizer's momentum_buffer of a_weight: largest absolute error" in compare("b.tar", 1).stdout
    same_weights(change=lambda state: state["state"].pop(0))
    assert "the optimizer's momentum_buffer of a_weight is only in the first" in compare("b.tar", 1).stdout


@pytest.fixture
def text_model(tmp_path):
    """As in Keras's tutorials: the Input's dtype is float32."""
    keras.utils.set_random_seed(0)
    given = keras.Input((20,), name="tokens")
    x = keras.layers.Embedding(6, 8)(given)
    keras.Model(given, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(x))).save(tmp_path / "text.h5")
    return tmp_path


def test_random_indices_stay_within_a_table(text_model):
    h5bridge("convert", "text.h5", "-o", "text.json", "-o", "text.pth", "--check", folder=text_model)
    h5bridge("compare", "text.h5", "text.h5", "--random-inputs", 50, folder=text_model)


def test_random_indices_reach_the_whole_table(tmp_path):
    given = keras.Input((40,))
    model = keras.Model(given, keras.layers.Embedding(300, 2)(given))
    model.save(tmp_path / "a.h5")
    (table,) = model.get_weights()
    for row in (0, 11, 299):
        changed = table.copy()
        changed[row] += 1
        model.set_weights([changed])
        model.save(tmp_path / "b.h5")
        said = json.loads(h5bridge("compare", "a.h5", "--with", "b.h5", "--random-inputs", 90, "--json", folder=tmp_path, status=1).stdout)
        assert not said["run"]["agrees"], row


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float64"])
def test_keras_takes_integers_for_a_floating_point_input(text_model, dtype):
    tokens = np.arange(40).reshape(2, 20) % 6
    for name, array in (("ids.npy", tokens.astype(dtype)), ("floats.npy", tokens.astype("float32"))):
        np.save(text_model / name, array)
        h5bridge("run", "text.h5", "--input", name, "-o", "out.npy" if name == "ids.npy" else "expected.npy", folder=text_model)
    np.testing.assert_array_equal(np.load(text_model / "out.npy"), np.load(text_model / "expected.npy"))


def test_keras_takes_wider_integers_that_fit(tmp_path):
    given = keras.Input((3,), dtype="int32")
    keras.Model(given, keras.layers.Embedding(6, 2)(given)).save(tmp_path / "text.h5")
    np.save(tmp_path / "ids.npy", np.array([[0, 5, 2]]))
    h5bridge("run", "text.h5", "--input", "ids.npy", folder=tmp_path)
    np.save(tmp_path / "ids.npy", np.array([[0, 2**40, 2]]))
    done = h5bridge("run", "text.h5", "--input", "ids.npy", folder=tmp_path, status=2)
    assert "input" in done.stderr and "does not fit int32" in done.stderr


def test_formats_stand_in_help():
    help_of = h5bridge("convert", "--help").stdout
    for name in ("keras-h5", "torch", "architecture"):
        assert name in help_of[help_of.index("--to") :]


def test_files_that_are_not_read_yet_are_named(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["nb_layers"] = 1
        file.create_group("layer_0").attrs["nb_params"] = 1
        file["layer_0"]["param_0"] = np.zeros((3, 2), np.float32)
    assert "layer_0/param_0  (3, 2)  float32" in h5bridge("inspect", "old.h5", folder=tmp_path).stdout


def test_the_code_of_a_lambda_is_not_printed(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1, name="plus")])
    model.save(tmp_path / "m.h5")
    code = json.loads(h5py.File(tmp_path / "m.h5").attrs["model_config"])["config"]["layers"][1]["config"]["function"]
    for command in (["convert", "m.h5", "-o", "m.pth"], ["validate", "m.h5"], ["inspect", "m.h5"]):
        done = h5bridge(*command, folder=tmp_path, status=4)
        assert '"plus" (Lambda)' in done.stderr
        assert json.dumps(code)[:60] not in done.stdout + done.stderr and "code" not in done.stdout + done.stderr


def test_two_networks_without_weights_are_compared(two):
    """Their tensors agree, as there are none; beside tensors, another network is a note."""
    other = json.loads(json.dumps(TWO_OUTPUTS))
    other["layers"][1]["type"] = "GELU"
    (two / "other.json").write_text(json.dumps(other))
    assert h5bridge("compare", two / "net.json", two / "net.json").returncode == 0
    told = h5bridge("compare", two / "net.json", two / "other.json", status=1)
    assert 'layer "b" has GELU in the second, ReLU in the first' in told.stdout
    found = strict(h5bridge("compare", two / "net.json", two / "other.json", "--json", status=1).stdout)
    assert not found["agrees"] and len(found["architecture"]) == 1
    sides = [two / "net.json", two / "net.pth", "--with", two / "other.json", two / "net.pth"]
    assert "is another" in h5bridge("compare", *sides).stderr


def test_source_beside_what_is_checked(two):
    h5bridge("convert", two / "net.json", two / "net.pth", "-o", two / "net.py", "-o", two / "net.h5", "--check")
    assert (two / "net.py").exists() and (two / "net.h5").exists()


@pytest.mark.parametrize("option", ["--reference", "--random-inputs"])
@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5"])
def test_numbers_of_rows_are_from_one_on(option, number, two):
    command = ["convert", "net.json", "net.pth", "-o", "n.h5"] if option == "--reference" else ["compare", "net.json", "net.json"]
    message = h5bridge(*command, option, number, folder=two, status=2).stderr
    assert "expected a number from 1 on" in message and len(message) < 150
