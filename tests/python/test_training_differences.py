"""Where a training run that goes on in the other framework does not go on alike, a note says so, and nowhere else: steps are taken in
real PyTorch and real Keras."""

import json
import subprocess

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import keras
from program import PROGRAM, h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program
L = keras.layers
RATE, IN, OUT, BATCH, LENGTH = 0.1, 5, 4, 3, 6


def notes_of(*arguments):
    return json.loads(h5bridge("convert", *arguments, "--json"))["notes"]


def inputs():
    return np.random.default_rng(3).standard_normal((BATCH, LENGTH, IN), dtype=np.float32)


def step_in_keras(model):
    model.zero_grad()
    model(inputs(), training=True).square().mean().backward()
    model.optimizer.apply([variable.value.grad for variable in model.trainable_variables], model.trainable_variables)


def step_in_pytorch(module, optimizer):
    optimizer.zero_grad()
    module(torch.from_numpy(inputs())).square().mean().backward()
    optimizer.step()


class Recurrent(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.core = make()

    def forward(self, x):
        return self.core(x)[0]


class Step(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.core = make()

    def forward(self, x):
        state = self.core(x[:, 0])
        return state[0] if isinstance(state, tuple) else state


TORCH = {
    "LSTM": lambda: Recurrent(lambda: nn.LSTM(IN, OUT, batch_first=True)),
    "LSTM without bias": lambda: Recurrent(lambda: nn.LSTM(IN, OUT, batch_first=True, bias=False)),
    "bidirectional LSTM": lambda: Recurrent(lambda: nn.LSTM(IN, OUT, batch_first=True, bidirectional=True)),
    "frozen LSTM": lambda: Recurrent(lambda: nn.LSTM(IN, OUT, batch_first=True).requires_grad_(False)),
    "GRU": lambda: Recurrent(lambda: nn.GRU(IN, OUT, batch_first=True)),
    "RNN": lambda: Recurrent(lambda: nn.RNN(IN, OUT, batch_first=True)),
    "LSTMCell": lambda: Step(lambda: nn.LSTMCell(IN, OUT)),
    "GRUCell": lambda: Step(lambda: nn.GRUCell(IN, OUT)),
    "RNNCell": lambda: Step(lambda: nn.RNNCell(IN, OUT)),
}


class Network(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.recurrent = TORCH[kind]()
        self.out = nn.Linear(2 * OUT if "bidirectional" in kind else OUT, 2)

    def forward(self, x):
        return self.out(self.recurrent(x))


def biases(state):
    """The sums of what is added up, or what stands alone."""
    pairs = {name: name.replace("bias_ih", "bias_hh") for name in state if "bias_ih" in name}
    return [(name, state[name] + state[other], [name, other]) for name, other in pairs.items()]


@pytest.mark.parametrize("kind", TORCH)
def test_a_sum_of_biases_moves_twice_as_far_in_pytorch(kind, tmp_path):
    torch.manual_seed(1)
    module = Network(kind)
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=RATE)
    export_architecture(module, torch.zeros(BATCH, LENGTH, IN), tmp_path / "net.json")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    torch.save({"epoch": 0, "model_state_dict": before, "optimizer_state_dict": optimizer.state_dict(), "loss": 0.0}, tmp_path / "ck.pth")
    sources = tmp_path / "net.json", tmp_path / "ck.pth"
    notes = notes_of(*sources, "-o", tmp_path / "net.h5")

    model = keras.models.load_model(tmp_path / "net.h5")
    model.compile(type(model.optimizer).from_config(model.optimizer.get_config()), loss="mse")
    model.optimizer.build(model.trainable_variables)
    step_in_keras(model)
    model.save(tmp_path / "tuned.h5")
    h5bridge("convert", tmp_path / "tuned.h5", tmp_path / "net.json", "-o", tmp_path / "tuned.pth", "--no-optimizer")
    in_keras = torch.load(tmp_path / "tuned.pth", weights_only=True)
    step_in_pytorch(module, optimizer)
    in_torch = module.state_dict()

    factors = {1.0}
    for name, start, pair in biases(before):
        moved = [in_torch[pair[0]] + in_torch[pair[1]] - start, in_keras[pair[0]] + in_keras[pair[1]] - start]
        if moved[0].abs().max() > 0:
            factors.add(round((moved[0].norm() / moved[1].norm()).item(), 3))
    for name in before:
        if "bias_" not in name:
            torch.testing.assert_close(in_keras[name], in_torch[name], atol=1e-6, rtol=1e-5)
    assert factors <= {1.0, 2.0}
    assert [("core" in note and "two biases" in note) for note in notes] == [True] * (len(factors) - 1)
    h5bridge("convert", *sources, "-o", tmp_path / "net.h5", "--lossless", status=4 if notes else 0)
    h5bridge("convert", *sources, "-o", tmp_path / "net.h5", "--lossless", "--no-optimizer")  # another run is as good


KERAS = {
    "LSTM": (lambda: L.LSTM(OUT, name="core"), True),
    "LSTM without bias": (lambda: L.LSTM(OUT, use_bias=False, name="core"), False),
    "bidirectional LSTM": (lambda: L.Bidirectional(L.LSTM(OUT), name="core"), True),
    "frozen LSTM": (lambda: L.LSTM(OUT, trainable=False, name="core"), False),
    "GRU": (lambda: L.GRU(OUT, name="core"), False),
    "GRU that resets before": (lambda: L.GRU(OUT, reset_after=False, name="core"), False),
    "RNN": (lambda: L.SimpleRNN(OUT, name="core"), True),
    "RNN of LSTMCell": (lambda: L.RNN(L.LSTMCell(OUT), name="core"), True),
}


@pytest.mark.parametrize("kind", KERAS)
def test_keras_s_one_bias_that_becomes_two_is_said(kind, tmp_path):
    make, noted = KERAS[kind]
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((LENGTH, IN)), make(), L.Dense(2, name="out")])
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    model.save(tmp_path / "net.h5")
    step_in_keras(model)
    notes = notes_of(tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--checkpoint", "-o", tmp_path / "net.json")
    assert [("core" in note and "two biases" in note) for note in notes] == [True] * noted
    plain = [part for name in ("plain.pth", "plain.json", "again.h5") for part in ("-o", tmp_path / name)]  # the JSON says what is frozen
    assert notes_of(tmp_path / "net.h5", *plain, "--no-optimizer", "--lossless") == []
    home = torch.load(tmp_path / "net.pth", weights_only=True)["model_state_dict"]
    layer = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}.get(kind)
    if not layer:
        return assert_biases(kind, home, noted)

    module = Recurrent(lambda: layer(IN, OUT, batch_first=True))
    module.load_state_dict({name: tensor for name, tensor in home.items() if name.startswith("core")})
    out = nn.Linear(OUT, 2)
    out.load_state_dict({name.removeprefix("out."): tensor for name, tensor in home.items() if name.startswith("out")})
    optimizer = torch.optim.SGD([*module.parameters(), *out.parameters()], lr=RATE)
    step_in_pytorch(nn.Sequential(module, Last(), out), optimizer)
    for parameter, (name, start, pair) in [(module.core.bias_ih_l0 + module.core.bias_hh_l0, bias) for bias in biases(home)]:
        kernel = model.get_layer("core").weights[2].numpy()
        if kind == "GRU":
            update, reset, new = np.split(kernel.sum(0), 3)
            kernel = np.concatenate([reset, update, new])
        moved = (parameter - start).norm().item() / np.linalg.norm(kernel - start.numpy())
        assert moved == pytest.approx(2.0 if noted else 1.0, rel=1e-3)


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


def assert_biases(kind, state, noted):
    """PyTorch has no module for some of what Keras trains; its state_dict tells which biases there would be."""
    assert noted == (any("bias_hh" in name for name in state) and "frozen" not in kind)


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(IN, 3)
        self.auxiliary = nn.Linear(2, 2)
        self.b = nn.Linear(3, 2)

    def forward(self, x):
        return self.b(self.a(x))


@pytest.fixture
def tuned(tmp_path):
    """A network with parameters that nothing uses, trained by Keras, which does not keep them."""
    torch.manual_seed(4)
    module = Unused()
    export_architecture(module, torch.zeros(BATCH, IN), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    assert notes_of(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5", "--lossless") == []
    model = keras.models.load_model(tmp_path / "net.h5")
    model.compile("adam", loss="mse")
    model.save(tmp_path / "tuned.h5")
    return tmp_path


@pytest.mark.parametrize("options", [["home.pth"], ["home.pth", "--checkpoint"], ["home.safetensors"]], ids=lambda options: options[-1])
def test_parameters_that_nothing_uses_are_missed_aloud(tuned, options):
    plain = [] if "--checkpoint" in options else ["--no-optimizer"]
    command = [tuned / "tuned.h5", tuned / "net.json", "-o", tuned / options[0], *options[1:], *plain]
    note, *others = notes_of(*command)
    assert "auxiliary.weight, auxiliary.bias" in note and "strict=False" in note
    assert len(others) == ("--checkpoint" in options) and all("saved by Keras" in other for other in others)
    (tuned / options[0]).unlink()
    assert "auxiliary.weight" in h5bridge("convert", *command, "--lossless", status=4)
    assert not (tuned / options[0]).exists()
    assert notes_of(tuned / "tuned.h5", tuned / "net.json", "-o", tuned / "again.h5", "-o", tuned / "again.json") == []
    assert notes_of(tuned / "net.h5", "-o", tuned / "home.pth", "--lossless") == []  # as Keras has not saved it


SPARED = {
    "adamw": (lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1), "weight_decay = 0.1 is that of all parameters"),
    "adam with decay": (lambda: keras.optimizers.Adam(0.01, weight_decay=0.1), "PyTorch's AdamW, which decays all parameters"),
    "sgd": (lambda: keras.optimizers.SGD(0.01, weight_decay=0.1), "weight_decay = 0.1 is that of all parameters"),
    "adamw without decay": (lambda: keras.optimizers.AdamW(0.01, weight_decay=0.0), None),
}


@pytest.mark.parametrize("kind", SPARED)
def test_what_keras_spared_of_the_decay_is_said_not_to_be_known(kind, tmp_path):
    make, words = SPARED[kind]
    model = keras.Sequential([keras.Input((IN,)), L.Dense(3, name="a"), L.Dense(2, name="b")])
    optimizer = make()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, loss="mse")
    model.save(tmp_path / "net.h5")
    notes = notes_of(tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--checkpoint")
    assert len(notes) == (words is not None)
    if words:
        assert words in notes[0] and "exclude_from_weight_decay" in notes[0]
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "no.pth", "--checkpoint", "--lossless", status=4 if words else 0)


SCHEDULED = {"scheduler_state_dict": None, "best_acc": 0.875, "history": [{"loss": 1.5, "kept": True}, {"loss": 1.25, "kept": None}], "args": {"name": "net"}}


@pytest.fixture
def kept(tmp_path):
    """A checkpoint with what people keep beside the state."""
    torch.manual_seed(4)
    module = Unused()
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    export_architecture(module, torch.zeros(BATCH, IN), tmp_path / "net.json")
    state = {"epoch": 2, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}
    return tmp_path, state | SCHEDULED | {"scheduler_state_dict": scheduler.state_dict()}


def test_plain_entries_of_a_checkpoint_stay(kept):
    folder, state = kept
    torch.save(state, folder / "ck.pth")
    assert notes_of(folder / "net.json", folder / "ck.pth", "-o", folder / "again.pth", "--checkpoint", "-o", folder / "net.h5", "--lossless") == []
    h5bridge("convert", folder / "net.h5", "-o", folder / "home.pth", "--checkpoint", "--lossless")
    h5bridge("convert", folder / "ck.pth", "-o", folder / "alone.pth", "--checkpoint", "--lossless")
    for name in ["again.pth", "home.pth", "alone.pth"]:
        found = torch.load(folder / name, weights_only=True)
        assert list(found) == list(state)
        assert {key: found[key] for key in SCHEDULED} == {key: state[key] for key in SCHEDULED}, name
        assert type(found["scheduler_state_dict"]["base_lrs"]) is list and found["epoch"] == 2 and found["loss"] == 0.5
    for suffix in ["pth", "safetensors"]:
        notes = notes_of(folder / "ck.pth", "-o", folder / f"plain.{suffix}")
        assert any("'scheduler_state_dict', 'best_acc', 'history', 'args'" in note for note in notes)
        assert notes_of(folder / "ck.pth", "-o", folder / f"plain.{suffix}", "--no-optimizer") == []


def test_entries_of_a_checkpoint_that_are_no_plain_data_are_named(kept):
    folder, state = kept
    torch.save(state | {"ema": {"a.weight": torch.ones(2)}, "betas": (0.5, 0.25), "rng": {1: 2}}, folder / "ck.pth")
    for options in [["net.h5"], ["again.pth", "--checkpoint"]]:
        command = folder / "net.json", folder / "ck.pth", "--key", "model_state_dict", "-o", folder / options[0], *options[1:]
        (note,) = [note for note in notes_of(*command) if "initial_lr" not in note]
        assert "'ema', 'betas', 'rng'" in note and "best_acc" not in note
        (folder / options[0]).unlink()
        assert "'ema'" in h5bridge("convert", *command, "--lossless", status=4) and not (folder / options[0]).exists()


def test_a_loss_that_is_no_number_stays(kept):
    folder, state = kept
    torch.save(state | {"epoch": "last", "loss": [1.5, 1.25]}, folder / "ck.pth")
    assert notes_of(folder / "net.json", folder / "ck.pth", "-o", folder / "again.pth", "--checkpoint") == []
    found = torch.load(folder / "again.pth", weights_only=True)
    assert found["epoch"] == "last" and found["loss"] == [1.5, 1.25] and list(found) == list(state)


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_what_was_frozen_after_training_keeps_its_state(kind, tmp_path):
    make = {"adam": lambda: keras.optimizers.Adam(RATE), "sgd": lambda: keras.optimizers.SGD(RATE, momentum=0.9)}[kind]
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((LENGTH, IN)), L.Dense(3, name="a"), L.Dense(2, name="b")])
    model.compile(make(), loss="mse")
    model.optimizer.build(model.trainable_variables)
    step_in_keras(model)
    model.get_layer("a").trainable = False
    model.save(tmp_path / "net.h5")
    assert notes_of(tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--checkpoint", "-o", tmp_path / "net.json") == []

    checkpoint = torch.load(tmp_path / "net.pth", weights_only=True)
    module = nn.Sequential()
    module.add_module("a", nn.Linear(IN, 3))
    module.add_module("b", nn.Linear(3, 2))
    module.load_state_dict(checkpoint["model_state_dict"])
    optimizer = (torch.optim.Adam if kind == "adam" else torch.optim.SGD)(module.parameters(), lr=RATE)
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    variables = {variable.path: variable.numpy() for variable in model.optimizer.variables}
    for name, parameter in module.named_parameters():
        path = name.replace(".weight", "_kernel").replace(".bias", "_bias")
        (moment,) = [value for key, value in variables.items() if path in key and key.endswith("momentum")]
        found = optimizer.state[parameter]["exp_avg" if kind == "adam" else "momentum_buffer"].numpy().T
        np.testing.assert_allclose(found * (1 if kind == "adam" else -RATE), moment, rtol=1e-6)
        assert np.abs(found).max() > 0

    (note,) = notes_of(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.h5")
    assert "state of a.bias and a.weight" in note and "where Keras does not read it" in note
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "no.h5", "--lossless", status=4)
    h5bridge("convert", tmp_path / "back.h5", "-o", tmp_path / "again.pth", "--checkpoint")
    again = torch.load(tmp_path / "again.pth", weights_only=True)["optimizer_state_dict"]["state"]
    expected = checkpoint["optimizer_state_dict"]["state"]
    assert list(again) == list(expected) == [0, 1, 2, 3]
    for number, slots in expected.items():
        assert list(again[number]) == list(slots) and all(torch.equal(again[number][slot], slots[slot]) for slot in slots)


def regularised(folder, name="net.h5", frozen=False, plain=False):
    """What Keras adds to the loss or does after a step, in a layer and in a wrapper's."""
    settings = {} if plain else {"kernel_regularizer": keras.regularizers.L2(0.01), "bias_constraint": "non_neg"}
    activity = {} if plain else {"activity_regularizer": keras.regularizers.L1(0.1)}
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((LENGTH, IN), name="x"),
            L.Bidirectional(L.GRU(OUT, **settings), name="core"),
            L.Dense(3, name="a", trainable=not frozen, **settings),
            L.Dense(2, name="b", trainable=not frozen, **activity),
        ]
    )
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    model.save(folder / name)


@pytest.mark.parametrize("frozen", [False, True])
def test_regularizers_and_constraints_are_left_out_aloud(frozen, tmp_path):
    regularised(tmp_path, frozen=frozen)
    (note,) = notes_of(tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--checkpoint", "-o", tmp_path / "net.json")
    for setting in ["kernel_regularizer", "bias_constraint"]:
        assert f'{setting} of "core"' + ("" if frozen else ', "a"') in note
    assert ('"a"' not in note) == frozen
    assert 'activity_regularizer of "b"' in note
    assert "regularizer" in h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "no.pth", "--checkpoint", "--lossless", status=4)
    assert notes_of(tmp_path / "net.h5", "-o", tmp_path / "again.h5", "-o", tmp_path / "net.json", "--lossless") == []
    assert notes_of(tmp_path / "net.h5", tmp_path / "net.json", "-o", tmp_path / "again.h5", "--lossless") == []  # as it is
    assert notes_of(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.h5") == []
    back, before = (keras.models.load_model(tmp_path / name, compile=False) for name in ["back.h5", "net.h5"])
    for alone in ["alone.pth", "alone.py", "alone.safetensors", "alone.ts"]:  # of an architecture that keeps them
        notes = notes_of(tmp_path / "net.h5", "-o", tmp_path / alone)
        assert any('activity_regularizer of "b"' in note for note in notes) == (alone != "alone.ts"), alone
    assert back.get_layer("core").forward_layer.get_config() == before.get_layer("core").forward_layer.get_config()
    assert all(back.get_layer(name).get_config() == before.get_layer(name).get_config() for name in "ab")


class Slopes(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope, self.fixed = nn.RReLU(), nn.RReLU(0.2, 0.2)
        self.used, self.spared = nn.Linear(IN, IN), nn.Linear(IN, IN)

    def forward(self, x):
        return self.spared(self.fixed(self.slope(self.used(x))))


def test_slopes_at_random_and_steps_that_were_not_taken_are_said(tmp_path):
    """A parameter without a gradient has no state in PyTorch, whose first step of it is then its first; state of another's
    making has no place in Keras."""
    torch.manual_seed(2)
    module = Slopes()
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    for _ in range(4):
        optimizer.zero_grad()
        module.used(torch.from_numpy(inputs())).square().mean().backward()
        optimizer.step()
    for state in optimizer.state.values():
        state["foo"] = torch.ones_like(state["exp_avg"])
    export_architecture(module, torch.zeros(2, IN), tmp_path / "net.json")
    torch.save({"model": module.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "net.pth")
    notes = notes_of(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5")
    (slope,) = [note for note in notes if "RReLU" in note]
    assert '"slope" (RReLU): PyTorch draws' in slope
    (steps,) = [note for note in notes if "no step of" in note]
    assert "no step of spared.weight, spared.bias yet" in steps and "Keras counts the 4" in steps
    assert any("foo of used.weight and other parameters is left out" in note for note in notes) and len(notes) == 3, notes


def test_a_json_without_the_file_s_regularizers_trains_otherwise(tmp_path):
    regularised(tmp_path)
    regularised(tmp_path, "plain.h5", plain=True)
    h5bridge("convert", tmp_path / "plain.h5", "-o", tmp_path / "plain.json")
    (note,) = notes_of(tmp_path / "net.h5", tmp_path / "plain.json", "-o", tmp_path / "net.pth", "--no-optimizer")
    assert "trained otherwise" in note and 'layer "core" has backward_layer/bias_constraint NonNeg' in note and "none there" in note
    h5bridge("convert", tmp_path / "net.h5", tmp_path / "plain.json", "-o", tmp_path / "net.pth", "--no-optimizer", "--lossless", status=4)
    h5bridge("convert", tmp_path / "plain.h5", tmp_path / "plain.json", "-o", tmp_path / "net.pth", "--no-optimizer", "--lossless")


def test_a_layer_that_only_adds_to_the_loss_is_said(tmp_path):
    model = keras.Sequential([keras.Input((IN,)), L.ActivityRegularization(l2=0.25, name="extra"), L.Dense(2, name="c")])
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    model.save(tmp_path / "net.h5")
    (note,) = notes_of(tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--checkpoint", "-o", tmp_path / "net.json")
    assert "l2 = 0.25" in note and '"extra"' in note and "loss" in note
    assert notes_of(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.h5", "--lossless") == []


@pytest.mark.parametrize(
    "make",
    [
        lambda **settings: L.Activation("tanh", **settings),
        lambda **settings: L.Softmax(**settings),
        lambda **settings: L.BatchNormalization(**settings),
        lambda **settings: L.Dropout(0.5, **settings),
        lambda **settings: L.Reshape((IN, 1), **settings),
        lambda **settings: L.Bidirectional(L.SimpleRNN(2, use_bias=False), **settings),
    ],
    ids=["Activation", "Softmax", "BatchNormalization", "Dropout", "Reshape", "Bidirectional"],
)
def test_every_layer_of_keras_may_have_an_activity_regularizer(make, tmp_path):
    layer = make(name="extra", activity_regularizer=keras.regularizers.L2(0.125))
    shape = (LENGTH, IN) if isinstance(layer, L.Bidirectional) else (IN,)
    model = keras.Sequential([keras.Input(shape), layer, L.Flatten(), L.Dense(2, name="c")])
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    model.save(tmp_path / "net.h5")
    notes = notes_of(tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--checkpoint", "-o", tmp_path / "net.json")
    assert any('activity_regularizer of "extra"' in note for note in notes)
    assert "regularizer" in h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "no.pth", "--checkpoint", "--lossless", status=4)
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "back.h5")
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "again.h5", "--lossless")
    for name in ["back.h5", "again.h5"]:
        back = keras.models.load_model(tmp_path / name, compile=False)
        assert back.get_layer("extra").get_config() == model.get_layer("extra").get_config()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float32"])
def test_mixed_precision_is_said_to_be_left_out(policy, tmp_path):
    keras.utils.set_random_seed(2)
    layers = [L.Conv1D(3, 2, dtype=policy, name="a"), L.Dense(3, dtype=policy, name="b")]
    model = keras.Sequential([keras.Input((LENGTH, IN)), *layers])
    model.save(tmp_path / "net.h5")
    np.save(tmp_path / "x.npy", inputs().astype("float16" if policy == "float16" else "float32"))
    np.save(tmp_path / "y.npy", model(inputs(), training=False).detach().float().numpy())
    is_mixed = policy.startswith("mixed")

    commands = [["convert", tmp_path / "net.h5", "-o", tmp_path / "net.pth"], ["convert", tmp_path / "net.h5", "-o", tmp_path / "net.safetensors"]]
    if needs_libtorch.args[0] is False:
        commands.append(["run", tmp_path / "net.h5", "--input", tmp_path / "x.npy"])
        commands.append(["verify", tmp_path / "net.h5", "--input", tmp_path / "x.npy", "--expect", tmp_path / "y.npy", "--atol", "0.1"])
    for arguments in commands:
        done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
        notes = [line for line in done.stderr.splitlines() if "note:" in line and policy in line and "2 layers" in line]
        assert done.returncode == 0 and len(notes) == is_mixed, done.stderr
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "net.pth", "--lossless", status=4 if is_mixed else 0)
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "again.h5", "-o", tmp_path / "net.json", "--lossless")


@pytest.mark.parametrize("frozen", [True, False])
def test_a_json_that_freezes_other_layers_than_the_file_is_said(frozen, tmp_path):
    regularised(tmp_path, "before.h5", frozen=not frozen, plain=True)
    regularised(tmp_path, "after.h5", frozen=frozen, plain=True)
    for name in ["before", "after"]:
        h5bridge("convert", tmp_path / f"{name}.h5", "-o", tmp_path / f"{name}.json")
    written = ["-o", tmp_path / "net.pth", "-o", tmp_path / "net.json", "--no-optimizer"]
    (note,) = notes_of(tmp_path / "after.h5", tmp_path / "before.json", *written)
    assert ("Keras froze " if frozen else "Keras trains ") in note
    assert 'layer "a", layer "b"' in note and "core" not in note
    assert ("a.weight" in json.loads((tmp_path / "net.json").read_text()).get("frozen", [])) == frozen
    h5bridge("convert", tmp_path / "after.h5", tmp_path / "before.json", *written, "--lossless", status=4)
    assert notes_of(tmp_path / "after.h5", tmp_path / "after.json", *written, "--lossless") == []
    assert notes_of(tmp_path / "after.h5", tmp_path / "net.json", *written, "--lossless") == []


def tokens(*layers):
    return keras.Sequential([keras.Input((5,), dtype="int32"), L.Embedding(9, 4, mask_zero=True), *layers])


def of_two_outputs():
    ids = keras.Input((5,), dtype="int32")
    embedded = L.Embedding(9, 4, mask_zero=True)(ids)
    return keras.Model(ids, [L.Dense(2, name="steps")(embedded), L.LSTM(2, name="last")(embedded)])


def of_a_model():
    ids = keras.Input((5,), dtype="int32")
    inner = tokens(L.Dense(3))
    inner.name = "inner"
    return keras.Model(ids, inner(ids))


MASKED = {
    "steps": lambda: tokens(L.LSTM(3, return_sequences=True), L.Dense(2, name="steps")),
    "last": lambda: tokens(L.LSTM(3), L.Dense(2)),
    "flat": lambda: tokens(L.Flatten(), L.Dense(2)),
    "pooled": lambda: tokens(L.GlobalAveragePooling1D(), L.Dense(2)),
    "convolved": lambda: tokens(L.Conv1D(2, 3, padding="same")),
    "wrapped": lambda: tokens(L.TimeDistributed(L.Dense(2), name="steps")),
    "two outputs": of_two_outputs,
    "a model": of_a_model,
}


@pytest.mark.parametrize("what", MASKED)
def test_a_loss_that_keras_masks_is_said(what, tmp_path):
    model = MASKED[what]()
    model.compile("adam", "mse")
    ids = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 0, 0]], "int32")
    outputs = keras.tree.flatten(model(ids))
    names = model.output_names if isinstance(model, keras.src.models.Functional) else [model.layers[-1].name]
    masked = [name for name, output in zip(names, outputs) if keras.src.backend.get_keras_mask(output) is not None]
    targets = [np.ones(output.shape, np.float32) for output in outputs]
    model.train_on_batch(ids, targets if len(targets) > 1 else targets[0])
    model.save(tmp_path / "net.keras")
    notes = notes_of(tmp_path / "net.keras", "-o", tmp_path / "net.ckpt", "--checkpoint")
    said = [note for note in notes if "masked in the outputs of" in note]
    assert [f"outputs of {', '.join(masked)}, and" in note for note in said] == ([True] if masked else [])
    h5bridge("convert", tmp_path / "net.keras", "-o", tmp_path / "no.ckpt", "--checkpoint", "--lossless", status=4 if masked or notes else 0)
