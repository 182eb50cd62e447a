"""What somebody who works in Keras meets on the way to PyTorch and back: parts of a layer that are frozen, nested
inputs and outputs, LoRA beside its weights, names that no module can have, schedules that go by way of tf.keras."""

import json

import h5py
import numpy as np
import pytest
import torch

from keras_helpers import keras
from program import h5bridge, needs_program, package

pytestmark = [needs_program, pytest.mark.skipif(package is None, reason="the Python package is not built")]
L = keras.layers


def inputs(*shape, seed=5):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def trained(model, *shape, **settings):
    """The model after a step on random numbers, so that its optimizer has state."""
    model.compile(loss="mean_squared_error", **settings)
    x = inputs(*shape)
    model.fit(x, inputs(*np.shape(model(x)), seed=6), verbose=0)
    return model


def notes_of(*arguments):
    return json.loads(h5bridge("convert", *arguments, "--json"))["notes"]


def frozen_in(model):
    return [variable.path for variable in model.weights if not variable.trainable]


@pytest.fixture(scope="module")
def half_frozen(tmp_path_factory):
    """A Bidirectional of which one direction is frozen, trained, with what was made of its file."""
    folder = tmp_path_factory.mktemp("half_frozen")
    x = keras.Input((4, 6))
    two_ways = L.Bidirectional(L.GRU(3), name="bi")
    model = keras.Model(x, two_ways(x))
    two_ways.forward_layer.trainable = False
    trained(model, 3, 4, 6, optimizer="adam").save(folder / "net.keras")
    h5bridge("convert", folder / "net.keras", "-o", folder / "net.json", "-o", folder / "net.pth", "--checkpoint")
    return model, folder


def test_one_frozen_direction_is_told_by_parameter(half_frozen):
    model, folder = half_frozen
    expected = ["bi.weight_ih_l0", "bi.weight_hh_l0", "bi.bias_ih_l0", "bi.bias_hh_l0"]
    assert json.loads((folder / "net.json").read_text())["frozen"] == expected
    module = package.load([folder / "net.json", folder / "net.pth"]).to_torch()
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == expected


def test_state_of_the_direction_that_trains_comes_back(half_frozen):
    model, folder = half_frozen
    state = torch.load(folder / "net.pth")["optimizer_state_dict"]["state"]
    assert len(state) == 4  # of eight parameters
    assert notes_of(folder / "net.json", folder / "net.pth", "-o", folder / "back.keras") == []
    back = keras.saving.load_model(folder / "back.keras")
    assert frozen_in(back) == frozen_in(model)
    for ours, theirs in zip(back.optimizer.variables, model.optimizer.variables, strict=True):
        assert ours.path == theirs.path
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def attention(frozen):
    x = keras.Input((4, 6))
    layer = L.MultiHeadAttention(2, 3, name="a")
    model = keras.Model(x, L.Dense(2, name="d")(layer(x, x)))
    (layer if frozen == "all" else layer._query_dense).trainable = False
    return model


def test_frozen_attention_stays_so_in_a_live_model_and_is_noted_in_a_file(tmp_path, recwarn):
    model = trained(attention("all"), 3, 4, 6, optimizer="adam")
    live = package.from_keras(model)
    assert live.notes == []
    assert [v.path for v in live.to_keras().trainable_variables] == ["d/kernel", "d/bias"]
    assert not any("frozen" in str(warning.message) for warning in recwarn)
    (note,) = live.save(tmp_path / "net.keras")
    assert 'layer "a" is frozen' in note and "trainable = False" in note
    assert len(keras.saving.load_model(tmp_path / "net.keras", compile=False).trainable_variables) == 10  # as it says


def test_a_frozen_part_of_attention_is_noted(tmp_path):
    (note,) = package.from_keras(attention("query")).notes
    assert 'layer "a"' in note and "a/query/kernel" in note and "a/query/bias" in note and "does not save" in note


def test_variables_that_an_optimizer_does_not_decay_are_noted():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="d")])
    optimizer = keras.optimizers.AdamW(weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    (note,) = package.from_keras(trained(model, 2, 4, optimizer=optimizer)).notes
    assert "d/bias" in note and "d/kernel" not in note and "exclude_from_weight_decay" in note


def test_layers_that_were_frozen_since_compile(tmp_path):
    model = trained(keras.Sequential([keras.Input((4,)), L.Dense(3), L.Dense(2)]), 2, 4, optimizer="adam")
    model.layers[0].trainable = False
    model.save(tmp_path / "net.keras")
    error = h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "net.pth", "--checkpoint", status=4)
    assert "compile the model again" in error and "--no-optimizer" in error


STRUCTURES = {
    "list with a dict": lambda x, y: ([x, {"a": y}], None),
    "dict with a list": lambda x, y: ({"b": [x, y], "a": x}, ["a", "b.0", "b.1"]),
    "dict in a dict": lambda x, y: ({"z": {"y": x, "x": y}, "k": y}, ["k", "z.x", "z.y"]),
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_nested_outputs(what, tmp_path):
    x = keras.Input((3,))
    structure, names = STRUCTURES[what](L.Dense(2, name="one")(x), L.Dense(4, name="two")(x))
    model = keras.Model(x, structure)
    model.save(tmp_path / "net.keras")
    h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "net.json", "-o", tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.keras")
    h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "again.keras")
    value = inputs(3, 3)
    expected = model(value)
    for name in ("back.keras", "again.keras"):
        found = keras.saving.load_model(tmp_path / name)(value)
        keras.tree.assert_same_structure(found, expected)
        for ours, theirs in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs))
    made = package.load([tmp_path / "net.json", tmp_path / "net.pth"]).to_torch()(torch.from_numpy(value))
    if names is None:
        assert isinstance(made, tuple)
        return
    assert sorted(made) == names
    for name, tensor in made.items():
        theirs = expected
        for key in name.split("."):
            theirs = theirs[int(key) if isinstance(theirs, list) else key]
        np.testing.assert_allclose(tensor.detach(), keras.ops.convert_to_numpy(theirs), rtol=1e-5, atol=1e-6)


def test_a_list_of_one_stays_a_list(tmp_path):
    x, given = keras.Input((3,)), keras.Input((3,))
    inner = keras.Model([x], [L.Dense(2)(x)])
    model = keras.Model([given], L.Concatenate()([*inner([given]), given]))
    model.save(tmp_path / "net.keras")
    h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "net.json", "-o", tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.keras")
    back = keras.saving.load_model(tmp_path / "back.keras")
    assert isinstance(back.input, list) and not isinstance(back.output, list)
    (found,) = [layer for layer in back.layers if isinstance(layer, keras.Model)]
    assert isinstance(found.input, list) and isinstance(found.output, list)
    value = inputs(3, 3)
    expected, again = (keras.ops.convert_to_numpy(each([value])) for each in (model, back))
    np.testing.assert_array_equal(again, expected)


def test_nested_inputs(tmp_path):
    one, two, three = (keras.Input((size,), name=name) for size, name in ((3, "i"), (4, "j"), (2, "k")))
    model = keras.Model({"x": [one, two], "w": {"k": three}}, L.Dense(2)(L.Concatenate()([one, two, three])))
    model.save(tmp_path / "net.keras")
    h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "net.json", "-o", tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.keras")
    value = {"x": [inputs(3, 3), inputs(3, 4)], "w": {"k": inputs(3, 2)}}
    back = keras.saving.load_model(tmp_path / "back.keras")
    expected, found = (keras.ops.convert_to_numpy(each(value)) for each in (model, back))
    np.testing.assert_array_equal(found, expected)
    module = package.load([tmp_path / "net.json", tmp_path / "net.pth"]).to_torch()
    by_name = {"i": value["x"][0], "j": value["x"][1], "k": value["w"]["k"]}
    described = json.loads((tmp_path / "net.json").read_text())
    made = module(*(torch.from_numpy(by_name[each["name"]]) for each in described["inputs"]))
    np.testing.assert_allclose(made.detach(), expected, rtol=1e-5, atol=1e-6)


S = keras.optimizers.schedules
SCHEDULES = {
    "cosine": lambda: S.CosineDecay(0.01, 50),
    "warm-up": lambda: S.CosineDecay(0.01, 50, warmup_target=0.1, warmup_steps=4),
    "exponential": lambda: S.ExponentialDecay(0.1, 10, 0.9),
    "pieces": lambda: S.PiecewiseConstantDecay([2, 4], [0.1, 0.05, 0.01]),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder, and a network that is compiled anew by each test."""
    return tmp_path_factory.mktemp("plain"), keras.Sequential([keras.Input((3,)), L.Dense(2)])


@pytest.mark.parametrize("what", SCHEDULES)
def test_a_schedule_goes_by_way_of_tf_keras(what, plain):
    folder, model = plain
    schedule = SCHEDULES[what]()
    trained(model, 2, 3, optimizer=keras.optimizers.SGD(schedule)).save(folder / "net.keras")
    notes = notes_of(folder / "net.keras", "-o", folder / "old.h5", "--keras", "2")
    with h5py.File(folder / "old.h5") as file:
        stated = json.loads(file.attrs["training_config"])["optimizer_config"]["config"]["learning_rate"]["config"]
    assert ("warmup_target" in stated) == ("warmup_steps" in stated) == (what == "warm-up")
    assert any("warm-up" in note and "2.13" in note for note in notes) == (what == "warm-up")
    for name in ("home.keras", "home.h5"):
        h5bridge("convert", folder / "old.h5", "-o", folder / name)
        found = keras.saving.load_model(folder / name).optimizer._learning_rate
        assert type(found) is type(schedule) and found.get_config() == schedule.get_config()


def test_what_tf_keras_cannot_have_takes_the_loss_with_it(plain):
    folder, model = plain
    trained(model, 2, 3, optimizer="adamw", metrics=["mae"]).save(folder / "adamw.keras")
    (note,) = notes_of(folder / "adamw.keras", "-o", folder / "adamw.h5", "--keras", "2")
    assert "AdamW" in note and "loss" in note and "metrics" in note and "2.9" in note


def test_lora_beside_its_weights(tmp_path):
    x = keras.Input((5,))
    layer = L.Dense(6, name="d")
    model = keras.Model(x, layer(x))
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(inputs(2, 6))
    model.save_weights(tmp_path / "net.weights.h5")
    (tmp_path / "net.json").write_text(model.to_json())
    notes = notes_of(tmp_path / "net.json", tmp_path / "net.weights.h5", "-o", tmp_path / "net.pth")
    assert len(notes) == 1 and "LoRA" in notes[0]
    weight = torch.load(tmp_path / "net.pth")["d.weight"].numpy().T
    np.testing.assert_allclose(weight, keras.ops.convert_to_numpy(layer.kernel), rtol=1e-6, atol=1e-7)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.line = L.Dense(2)

    def call(self, x):
        return self.line(x)


def test_a_model_of_one_s_own_is_told_what_helps():
    model = Own()
    model(inputs(2, 3))
    with pytest.raises(package.Unsupported, match="in its code alone; only Sequential and Functional models"):
        package.from_keras(model)


def renamed(path, names):
    """The architecture with its layers, and whatever names them, called otherwise."""
    text = path.read_text()
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    path.write_text(text)


def test_a_layer_within_another_s_tensor(tmp_path):
    """As JAX lets layers be called: Keras's backend here does not."""
    x = keras.Input((5,))
    model = keras.Model(x, L.Dense(4, name="b")(L.Dense(5, name="a")(x)))
    path = tmp_path / "config.json"
    path.write_text(model.to_json())
    renamed(path, {"b": "a.weight"})
    error = h5bridge("convert", path, "-o", tmp_path / "net.py", status=4)
    assert '"a" (Linear)' in error and '"a.weight" (Linear)' in error
    renamed(path, {"a.weight": ".c"})
    assert "is the model itself" in h5bridge("convert", path, "-o", tmp_path / "net.py", status=4)
    renamed(path, {".c": "c:1"})
    assert '"c:1" (Dense)' in h5bridge("convert", path, "-o", tmp_path / "home.json", status=4)
