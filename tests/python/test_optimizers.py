"""Optimizers between PyTorch and Keras: trained in one, continued in the other and at home again, which is as if nothing had been; and
what one of them has no place for is said, and comes back."""

import json
import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, h5py, keras, optimizer_of
from program import ROOT, h5bridge, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program
L, O = keras.layers, keras.optimizers
SCHEDULES = keras.optimizers.schedules
STEPS, TOLERANCE = 4, 1e-5
TINY = 1e-14  # an epsilon that changes nothing, since its meaning differs


class Net(nn.Module):
    """No bias before the normalisation, where its gradient would be rounding alone."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, bias=False)
        self.bn = nn.BatchNorm2d(3, eps=1e-3)
        self.fc = nn.Linear(3 * 5 * 4, 5)

    def forward(self, x):
        return self.fc(torch.flatten(torch.tanh(self.bn(self.conv(x))), 1))


def keras_net():
    return keras.Sequential(
        [
            keras.Input((7, 6, 2)),
            L.Conv2D(3, 3, use_bias=False, name="conv"),
            L.BatchNormalization(name="bn"),
            L.Activation("tanh", name="act"),
            L.Flatten(name="flat"),
            L.Dense(5, name="fc"),
        ],
        name="net",
    )


def batches(seed):
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(9, 2, 7, 6, generator=generator), torch.randn(9, 5, generator=generator)) for _ in range(STEPS)]


def train_torch(module, optimizer, seed):
    module.train()
    for x, y in batches(seed):
        optimizer.zero_grad()
        (module(x) - y).square().mean().backward()
        optimizer.step()


def train_keras(model, seed):
    variables = model.trainable_variables
    for x, y in batches(seed):
        model.zero_grad()
        (model(x.permute(0, 2, 3, 1), training=True) - y).square().mean().backward()
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in variables], variables)


RESUMING = re.search(r"```python\n([^`]*?import h5py\nimport keras\n\nmodel = keras.models.load_model.*?)```", (ROOT / "README.md").read_text(), re.S)[1]


def load_whole(path):
    """As README has it: Keras itself takes no more than two of the optimizer's variables, and leaves it one that does not train."""
    names = {"keras": keras, "h5py": h5py}
    exec(RESUMING.replace("model.h5", str(path)), names)
    variables = [variable.path for variable in names["optimizer"].variables]
    with h5py.File(path) as file:
        assert variables == [name if isinstance(name, str) else name.decode() for name in file["optimizer_weights"].attrs["weight_names"]]
    return names["model"]


def compile_keras(model, optimizer):
    model.compile(optimizer, loss="mean_squared_error")
    return model


def notes_of(*arguments):
    return json.loads(h5bridge("convert", *arguments, "--json"))["notes"]


def save_checkpoint(module, optimizer, path):
    torch.save({"epoch": 1, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}, path)


def parameters_in(path):
    """A checkpoint's parameters and their slots, by name."""
    checkpoint = torch.load(path, weights_only=True)
    weights = checkpoint["model_state_dict"]
    names = [name for name in weights if not name.startswith("bn.running") and not name.endswith("tracked")]
    state = checkpoint["optimizer_state_dict"]["state"]
    slots = {f"{names[i]}/{slot}": value for i, kept in state.items() for slot, value in kept.items()}
    return {name: weights[name] for name in names} | slots


def assert_same_training(found, module, optimizer, but=()):
    expected = dict(module.named_parameters())
    for name, parameter in list(expected.items()):
        expected |= {f"{name}/{slot}": value for slot, value in optimizer.state.get(parameter, {}).items() if value is not None}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if name.rsplit("/")[-1] not in but:
            assert_close(np.array(found[name].detach()), np.array(value.detach()), TOLERANCE, name, constant=True, each=False)


# --- PyTorch, Keras, PyTorch ------------------------------------------------------------------------------------------------

T = torch.optim
FROM_TORCH = {
    "sgd": lambda p: T.SGD(p, lr=0.05),
    "sgd_decay": lambda p: T.SGD(p, lr=0.05, weight_decay=0.1),
    "sgd_nesterov": lambda p: T.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
    "adam": lambda p: T.Adam(p, lr=0.01, betas=(0.8, 0.95)),
    "amsgrad": lambda p: T.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: T.AdamW(p, lr=0.01, weight_decay=0.1),
    "adamw_amsgrad": lambda p: T.AdamW(p, lr=0.01, weight_decay=0.2, amsgrad=True),
    "rmsprop": lambda p: T.RMSprop(p, lr=0.002, alpha=0.9, eps=TINY),
    "rmsprop_centered": lambda p: T.RMSprop(p, lr=0.002, alpha=0.8, eps=TINY, momentum=0.7, centered=True),
    "adagrad": lambda p: T.Adagrad(p, lr=0.02, initial_accumulator_value=0.2, eps=TINY),
    "adadelta": lambda p: T.Adadelta(p, lr=0.5, rho=0.8, eps=1e-5),
    "adamax": lambda p: T.Adamax(p, lr=0.01, betas=(0.8, 0.95)),
}


class Start(NamedTuple):
    make: object
    module: nn.Module
    optimizer: torch.optim.Optimizer
    folder: object


@pytest.fixture(params=FROM_TORCH)
def start(request, tmp_path):
    torch.manual_seed(3)
    make, module = FROM_TORCH[request.param], Net()
    optimizer = make(module.parameters())
    train_torch(module, optimizer, seed=1)
    save_checkpoint(module, optimizer, tmp_path / "ck.pth")
    export_architecture(Net(), torch.zeros(2, 2, 7, 6), tmp_path / "net.json")
    return Start(make, module, optimizer, tmp_path)


def test_training_goes_on_in_keras_and_at_home(start):
    module, optimizer, folder = start.module, start.optimizer, start.folder
    h5bridge("convert", folder / "net.json", folder / "ck.pth", "-o", folder / "ck.h5", "--lossless")
    model = load_whole(folder / "ck.h5")
    assert type(model.optimizer).__name__ == type(optimizer).__name__

    train_keras(model, seed=2)
    train_torch(module, optimizer, seed=2)
    model.save(folder / "tuned.h5")
    h5bridge("convert", folder / "net.json", folder / "tuned.h5", "-o", folder / "tuned.pth", "--checkpoint")
    assert_same_training(parameters_in(folder / "tuned.pth"), module, optimizer, but=("step",))

    home = Net()
    resumed = start.make(home.parameters())
    checkpoint = torch.load(folder / "tuned.pth", weights_only=True)
    home.load_state_dict(checkpoint["model_state_dict"])
    resumed.load_state_dict(checkpoint["optimizer_state_dict"])
    for parameter, state in optimizer.state.items():
        assert "step" not in state or int(state["step"]) == 2 * STEPS
    assert all(int(state["step"]) == 2 * STEPS for state in resumed.state.values() if "step" in state)
    train_torch(home, resumed, seed=5)
    train_torch(module, optimizer, seed=5)
    save_checkpoint(home, resumed, folder / "home.pth")
    assert_same_training(parameters_in(folder / "home.pth"), module, optimizer)


def test_a_checkpoint_is_the_same_at_home(start):
    folder = start.folder
    h5bridge("convert", folder / "net.json", folder / "ck.pth", "-o", folder / "ck.h5")
    h5bridge("convert", folder / "ck.h5", "-o", folder / "back.pth", "--checkpoint", "--lossless")
    back = torch.load(folder / "back.pth", weights_only=True)["optimizer_state_dict"]
    expected = start.optimizer.state_dict()
    assert back["param_groups"] == expected["param_groups"]
    for index, slots in expected["state"].items():
        assert list(back["state"][index]) == [name for name, slot in slots.items() if slot is not None]
        assert all(torch.equal(back["state"][index][name], slot) for name, slot in slots.items() if slot is not None)


# --- Keras, PyTorch, Keras --------------------------------------------------------------------------------------------------

FROM_KERAS = {
    "sgd": lambda: O.SGD(0.05),
    "sgd_decay": lambda: O.SGD(0.05, weight_decay=0.1),
    "sgd_nesterov": lambda: O.SGD(0.02, momentum=0.9, nesterov=True),
    "adam": lambda: O.Adam(0.01, beta_1=0.8, amsgrad=True),
    "adam_decay": lambda: O.Adam(0.01, weight_decay=0.1),
    "adamw": lambda: O.AdamW(0.01, weight_decay=0.1),
    "rmsprop": lambda: O.RMSprop(0.002, epsilon=TINY),
    "rmsprop_centered": lambda: O.RMSprop(0.002, rho=0.8, momentum=0.7, centered=True, epsilon=TINY),
    "adagrad": lambda: O.Adagrad(0.02, initial_accumulator_value=0.3, epsilon=TINY),
    "adadelta": lambda: O.Adadelta(0.5, rho=0.8, epsilon=1e-5),
    "adamax": lambda: O.Adamax(0.01, beta_1=0.8),
}


def resume_in_torch(folder):
    """As people do who do not read the optimizer's settings: all of them are the file's."""
    checkpoint = torch.load(folder / "ck.pth", weights_only=True)
    module = Net()
    module.load_state_dict(checkpoint["model_state_dict"])
    group = checkpoint["optimizer_state_dict"]["param_groups"][0]
    kinds = {"decoupled_weight_decay": T.AdamW if group.get("decoupled_weight_decay") else T.Adam, "alpha": T.RMSprop, "lr_decay": T.Adagrad, "rho": T.Adadelta, "betas": T.Adamax}
    kind = next((kind for key, kind in kinds.items() if key in group), T.SGD)
    optimizer = kind(module.parameters())
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    return module, optimizer


def optimizer_config(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["training_config"])["optimizer_config"]


def assert_same_variables(found, expected, but=()):
    assert list(found) == list(expected)
    for name, value in expected.items():
        if name.rsplit("/")[-1] not in but:
            assert found[name].dtype == value.dtype
            assert_close(np.array(found[name]), np.array(value), TOLERANCE, name, constant=True, each=False)


@pytest.fixture(params=FROM_KERAS)
def fitted(request, tmp_path):
    keras.utils.set_random_seed(5)
    model = compile_keras(keras_net(), FROM_KERAS[request.param]())
    train_keras(model, seed=1)
    model.save(tmp_path / "model.h5")
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "model.json")
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint")
    return model, tmp_path


def test_training_goes_on_in_pytorch_and_at_home(fitted):
    model, folder = fitted
    module, optimizer = resume_in_torch(folder)
    train_torch(module, optimizer, seed=2)
    train_keras(model, seed=2)
    model.save(folder / "expected.h5")
    save_checkpoint(module, optimizer, folder / "tuned.pth")
    h5bridge("convert", folder / "model.json", folder / "tuned.pth", "-o", folder / "back.h5", "--lossless")
    assert optimizer_config(folder / "back.h5") == optimizer_config(folder / "expected.h5")
    # PyTorch's SGD does not count its steps.
    assert_same_variables(optimizer_of(folder / "back.h5"), optimizer_of(folder / "expected.h5"), ["iteration"] if optimizer.__class__ is T.SGD else [])

    home = load_whole(folder / "back.h5")
    train_keras(home, seed=5)
    train_keras(model, seed=5)
    for found, expected in zip(home.trainable_variables, model.trainable_variables):
        assert_close(np.array(found), np.array(expected), TOLERANCE, expected.path, constant=True, each=False)


# --- What has no counterpart ------------------------------------------------------------------------------------------------


def small_keras(folder, optimizer, iteration=0):
    """A compiled model on disk, after one step with a count of our own."""
    keras.utils.set_random_seed(6)
    model = compile_keras(keras.Sequential([keras.Input((4,)), L.Dense(3, name="a"), L.Dense(2, name="y")], name="small"), optimizer)
    optimizer.build(model.trainable_variables)
    x = torch.randn(5, 4)
    model(x).square().mean().backward()
    with torch.no_grad():
        optimizer.apply([v.value.grad for v in model.trainable_variables])
    optimizer.iterations.assign(iteration) if not optimizer.gradient_accumulation_steps else optimizer._iterations.assign(iteration)
    model.save(folder / "model.h5")
    return model


def group_of(path):
    return torch.load(path, weights_only=True)["optimizer_state_dict"]["param_groups"][0]


def counter_in(path, name):
    return next(value for variable, value in optimizer_of(path).items() if variable.endswith("/" + name))


KERAS_ALONE = {
    "clipnorm": (lambda: O.Adam(clipnorm=0.5), ["clipnorm = 0.5 is left out", "clip_grad_norm_"]),
    "global_clipnorm": (lambda: O.SGD(global_clipnorm=0.25), ["global_clipnorm = 0.25 is left out"]),
    "clipvalue": (lambda: O.AdamW(clipvalue=0.1, weight_decay=0.0), ["clipvalue = 0.1 is left out", "clip_grad_value_"]),
    "use_ema": (lambda: O.Adam(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=5), ["use_ema = true is left out"]),
    "loss_scale_factor": (lambda: O.Adam(loss_scale_factor=8.0), ["loss_scale_factor = 8.0 is left out"]),
    "accumulation": (lambda: O.Adam(gradient_accumulation_steps=3), ["gradient_accumulation_steps = 3 is left out"]),
    "adagrad accumulation": (lambda: O.Adagrad(epsilon=TINY, gradient_accumulation_steps=3), ["gradient_accumulation_steps = 3 is left out"]),
    "adam decay": (lambda: O.Adam(weight_decay=0.1), ["weight_decay = 0.1", "AdamW"]),
    "sgd decay": (lambda: O.SGD(momentum=0.5, weight_decay=0.1), ["weight_decay = 0.1 is left out"]),
    "rmsprop decay": (lambda: O.RMSprop(weight_decay=0.1, epsilon=TINY), ["weight_decay = 0.1 is left out"]),
    "adagrad decay": (lambda: O.Adagrad(weight_decay=0.1, epsilon=TINY), ["weight_decay = 0.1 is left out"]),
    "schedule": (lambda: O.Adam(SCHEDULES.InverseTimeDecay(0.1, 5, 0.5)), ["InverseTimeDecay is left out"]),
    "rmsprop epsilon": (lambda: O.RMSprop(), ["eps = 1e-07", "sqrt(v + epsilon)"]),
    "adagrad epsilon": (lambda: O.Adagrad(), ["eps = 1e-07", "sqrt(accumulator + epsilon)"]),
    "adam epsilon": (lambda: O.Adam(epsilon=0.1), ["eps = 0.1"]),
}


@pytest.mark.parametrize("case", KERAS_ALONE)
def test_what_keras_alone_has_is_said_and_comes_back(case, tmp_path):
    make, parts = KERAS_ALONE[case]
    small_keras(tmp_path, make(), iteration=7)
    notes = notes_of(tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint")
    summed_up = [note for note in notes if "summed up for its next step" in note]
    assert len(summed_up) == ("accumulation" in case)
    notes = [note for note in notes if note not in summed_up]
    assert len(notes) == 1 and all(part in notes[0] for part in parts), notes
    message = h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "no.pth", "--checkpoint", "--lossless", status=4)
    assert parts[0] in message and not (tmp_path / "no.pth").exists()

    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "model.json", "--lossless")
    again = notes_of(tmp_path / "model.json", tmp_path / "ck.pth", "-o", tmp_path / "back.h5")
    said_again = {"use_ema": "moving averages", "accumulation": "starts again at 0", "adagrad accumulation": "starts again at 0"}.get(case)
    assert [said_again in note for note in again] == [True] if said_again else again == []
    assert optimizer_config(tmp_path / "back.h5") == optimizer_config(tmp_path / "model.h5")
    accumulators = [name for name in optimizer_of(tmp_path / "model.h5") if name.endswith(("_gradient_accumulator", "_average"))]
    names = [name.rsplit("/")[-1] for name in accumulators]
    assert_same_variables(optimizer_of(tmp_path / "back.h5"), optimizer_of(tmp_path / "model.h5"), names)
    load_whole(tmp_path / "back.h5")


def test_what_keras_accumulates_is_one_step_in_pytorch(tmp_path):
    small_keras(tmp_path, O.Adam(gradient_accumulation_steps=3), iteration=7)
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "model.json")
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint")
    checkpoint = torch.load(tmp_path / "ck.pth", weights_only=True)
    state = checkpoint["optimizer_state_dict"]["state"]
    assert {int(slots["step"]) for slots in state.values()} == {2}
    for slots in state.values():
        slots["step"] += 1
    torch.save(checkpoint, tmp_path / "ck.pth")
    h5bridge("convert", tmp_path / "model.json", tmp_path / "ck.pth", "-o", tmp_path / "back.h5")
    assert counter_in(tmp_path / "back.h5", "iteration") == 9


RATES = {
    "exponential": SCHEDULES.ExponentialDecay(0.1, 7, 0.8),
    "staircase": SCHEDULES.ExponentialDecay(0.1, 7, 0.8, staircase=True),
    "inverse": SCHEDULES.InverseTimeDecay(0.1, 5, 0.5),
    "inverse staircase": SCHEDULES.InverseTimeDecay(0.1, 5, 0.5, staircase=True),
    "piecewise": SCHEDULES.PiecewiseConstantDecay([3, 14], [0.3, 0.2, 0.1]),
    "polynomial": SCHEDULES.PolynomialDecay(0.1, 11, power=1.5),
    "polynomial cycle": SCHEDULES.PolynomialDecay(0.1, 11, cycle=True),
    "cosine": SCHEDULES.CosineDecay(0.1, 20, alpha=0.1),
    "cosine warmup": SCHEDULES.CosineDecay(0.01, 20, alpha=0.1, warmup_target=0.2, warmup_steps=10),
    "restarts": SCHEDULES.CosineDecayRestarts(0.1, 6, t_mul=2.0, m_mul=0.9, alpha=0.05),
    "even restarts": SCHEDULES.CosineDecayRestarts(0.1, 6, t_mul=1.0, m_mul=0.9),
}


@pytest.mark.parametrize("iteration", [0, 3, 14, 41])
@pytest.mark.parametrize("rate", RATES)
def test_a_schedule_is_what_it_gives_now(rate, iteration, tmp_path):
    small_keras(tmp_path, O.SGD(RATES[rate], momentum=0.9), iteration)
    notes = notes_of(tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint")
    found, expected = group_of(tmp_path / "ck.pth")["lr"], float(RATES[rate](iteration))
    assert abs(found - expected) <= 1e-6 * abs(expected) and expected > 0
    assert len(notes) == 1 and f"{type(RATES[rate]).__name__} is left out" in notes[0] and str(found) in notes[0]


def test_a_schedule_comes_back_unless_pytorch_has_set_another_rate(tmp_path):
    small_keras(tmp_path, O.SGD(RATES["cosine"], momentum=0.9, clipnorm=0.5), iteration=3)
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "model.json")
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint")
    notes = notes_of(tmp_path / "model.json", tmp_path / "ck.pth", "-o", tmp_path / "back.h5")
    assert len(notes) == 1 and "iteration is 3, as Keras had it" in notes[0]
    original = optimizer_config(tmp_path / "model.h5")
    assert optimizer_config(tmp_path / "back.h5") == original
    assert counter_in(tmp_path / "back.h5", "iteration") == 3

    checkpoint = torch.load(tmp_path / "ck.pth", weights_only=True)
    checkpoint["optimizer_state_dict"]["param_groups"][0]["lr"] = 0.125
    checkpoint["optimizer_state_dict"]["param_groups"][0]["momentum"] = 0.75
    torch.save(checkpoint, tmp_path / "ck.pth")
    assert notes_of(tmp_path / "model.json", tmp_path / "ck.pth", "-o", tmp_path / "back.h5") == []
    original["config"] |= {"learning_rate": 0.125, "momentum": 0.75}
    assert optimizer_config(tmp_path / "back.h5") == original
    assert counter_in(tmp_path / "back.h5", "learning_rate") == 0.125
    load_whole(tmp_path / "back.h5")


def test_a_schedule_of_the_user_s_is_refused(tmp_path):
    @keras.saving.register_keras_serializable(package="mine")
    class CosineDecay(SCHEDULES.LearningRateSchedule):
        def __call__(self, step):
            return 0.5

        def get_config(self):
            return {"initial_learning_rate": 0.1, "decay_steps": 5, "alpha": 0.0}

    small_keras(tmp_path, O.SGD(CosineDecay()))
    message = h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint", status=4)
    assert 'the schedule "CosineDecay"' in message and "--no-optimizer" in message
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "plain.pth")


def test_an_optimizer_that_pytorch_does_not_have_is_refused(tmp_path):
    small_keras(tmp_path, O.Lion())
    message = h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint", status=4)
    assert "the optimizer Lion has no PyTorch" in message and "schedule" not in message and "--no-optimizer" in message
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "plain.pth", "--no-optimizer")


def test_keras_s_accumulators_start_in_pytorch_where_they_would(tmp_path):
    keras.utils.set_random_seed(6)
    model = compile_keras(keras.Sequential([keras.Input((4,)), L.Dense(3, name="a")]), O.Adagrad(initial_accumulator_value=0.4, epsilon=TINY))
    model.save(tmp_path / "model.h5")
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "ck.pth", "--checkpoint")
    state = torch.load(tmp_path / "ck.pth", weights_only=True)["optimizer_state_dict"]["state"]
    assert [tuple(state[i]["sum"].shape) for i in sorted(state)] == [(3, 4), (3,)]
    assert all(slots["step"] == 0 and (slots["sum"] == np.float32(0.4)).all() for slots in state.values())


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.y = nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)

    def forward(self, x):
        return self.y(torch.tanh(self.norm(self.a(x))))


def small_torch(folder, make, change=lambda groups: None):
    torch.manual_seed(8)
    module = Small()
    optimizer = make(module)
    module(torch.randn(6, 4)).square().mean().backward()
    optimizer.step()
    change(optimizer.param_groups)
    save_checkpoint(module, optimizer, folder / "ck.pth")
    export_architecture(Small(), torch.zeros(2, 4), folder / "net.json")
    return module, optimizer


TORCH_ALONE = {
    "adam decay": (lambda m: T.Adam(m.parameters(), weight_decay=0.125), ["weight_decay = 0.125 is left out"]),
    "sgd decay": (lambda m: T.SGD(m.parameters(), momentum=0.9, weight_decay=0.125), ["weight_decay = 0.125 is left out"]),
    "rmsprop decay": (lambda m: T.RMSprop(m.parameters(), weight_decay=0.125, eps=TINY), ["weight_decay = 0.125 is left out"]),
    "adagrad decay": (lambda m: T.Adagrad(m.parameters(), weight_decay=0.125, eps=TINY), ["weight_decay = 0.125 is left out"]),
    "dampening": (lambda m: T.SGD(m.parameters(), momentum=0.9, dampening=0.1), ["dampening = 0.1 is left out"]),
    "maximize": (lambda m: T.AdamW(m.parameters(), maximize=True), ["maximize = true is left out"]),
    "lr_decay": (lambda m: T.Adagrad(m.parameters(), lr_decay=0.5, eps=TINY), ["lr_decay = 0.5 is left out"]),
    "epsilon": (lambda m: T.RMSprop(m.parameters()), ["eps = 1e-08", "sqrt(v + epsilon)"]),
}


@pytest.mark.parametrize("case", TORCH_ALONE)
def test_what_pytorch_alone_has_is_said_and_comes_back(case, tmp_path):
    make, parts = TORCH_ALONE[case]
    _, optimizer = small_torch(tmp_path, make)
    notes = notes_of(tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.h5")
    summed_up = [note for note in notes if "summed up for its next step" in note]
    assert len(summed_up) == ("accumulation" in case)
    notes = [note for note in notes if note not in summed_up]
    assert len(notes) == 1 and all(part in notes[0] for part in parts), notes
    message = h5bridge("convert", tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "no.h5", "--lossless", status=4)
    assert parts[0] in message and not (tmp_path / "no.h5").exists()
    assert optimizer_config(tmp_path / "ck.h5")["config"]["weight_decay"] == (0.01 if case == "maximize" else None)
    h5bridge("convert", tmp_path / "ck.h5", "-o", tmp_path / "back.pth", "--checkpoint")
    assert group_of(tmp_path / "back.pth") == optimizer.state_dict()["param_groups"][0]


@pytest.mark.parametrize("case, lost", [("maximize", "maximize"), ("sgd decay", "dampening, weight_decay, maximize")])
def test_what_pytorch_alone_has_is_at_its_default_once_keras_has_saved(case, lost, tmp_path):
    small_torch(tmp_path, TORCH_ALONE[case][0])
    h5bridge("convert", tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.keras")
    model = keras.saving.load_model(tmp_path / "ck.keras")
    model.compile(model.optimizer, "mse")
    model.save(tmp_path / "saved.keras")
    to_checkpoint = ["-o", tmp_path / "back.pth", "--checkpoint"]
    notes = notes_of(tmp_path / "net.json", tmp_path / "saved.keras", *to_checkpoint)
    assert [f"nothing like PyTorch's {lost}: what is written has the defaults" in note for note in notes].count(True) == 1, notes
    assert not group_of(tmp_path / "back.pth")["maximize"]
    # Keras's own network never had others.
    assert not any("has the defaults" in note for note in notes_of(tmp_path / "saved.keras", *to_checkpoint))


def test_unknown_settings_are_said_and_settings_of_speed_are_not(tmp_path):
    small_torch(tmp_path, lambda m: T.SGD(m.parameters(), lr=0.1, foreach=True), lambda groups: groups[0].update(wobble=3, initial_lr=0.5))
    notes = notes_of(tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.h5")
    assert len(notes) == 2 and "wobble = 3 is left out" in notes[0] and "initial_lr" in notes[1]


def test_steps_that_differ_are_said(tmp_path):
    _, optimizer = small_torch(tmp_path, lambda m: T.Adam(m.parameters()))
    checkpoint = torch.load(tmp_path / "ck.pth", weights_only=True)
    checkpoint["optimizer_state_dict"]["state"][0]["step"] += 4
    torch.save(checkpoint, tmp_path / "ck.pth")
    notes = notes_of(tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.h5")
    assert len(notes) == 1 and "1 steps of some parameters and 5 of others" in notes[0]
    assert counter_in(tmp_path / "ck.h5", "iteration") == 5
    h5bridge("convert", tmp_path / "ck.h5", "-o", tmp_path / "back.pth", "--checkpoint")
    assert torch.load(tmp_path / "back.pth", weights_only=True)["optimizer_state_dict"]["state"][0]["step"] == 5


# --- Groups -----------------------------------------------------------------------------------------------------------------


def grouped(make, spared):
    """An optimizer with two groups, one of them without decay, of named parameters, as the program asks for them."""

    def of(module):
        named = list(module.named_parameters())
        return make(
            [
                {"params": [(n, p) for n, p in named if not spared(n)]},
                {"params": [(n, p) for n, p in named if spared(n)], "weight_decay": 0.0},
            ]
        )

    return of


GROUPS = {
    "biases": (lambda n: n.endswith("bias") or n.startswith("norm"), 'var_names=["beta", "bias", "gamma"]'),
    "one layer": (lambda n: n.startswith("y."), 'v.path in ["y/kernel", "y/bias"]'),
}
DECAYING = {"adamw": lambda groups: T.AdamW(groups, lr=0.01, weight_decay=0.1, eps=TINY), "sgd": lambda groups: T.SGD(groups, lr=0.05, weight_decay=0.1)}


@pytest.mark.parametrize("kind", DECAYING)
@pytest.mark.parametrize("groups", GROUPS)
def test_groups_without_decay_are_said_as_keras_says_them(groups, kind, tmp_path):
    spared, wanted = GROUPS[groups]
    module, optimizer = small_torch(tmp_path, grouped(DECAYING[kind], spared))
    notes = notes_of(tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.h5")
    assert len(notes) == 1 and wanted in notes[0], notes
    model = load_whole(tmp_path / "ck.h5")
    call = notes[0][notes[0].index("optimizer.exclude_from_weight_decay") :]
    eval(call, {"optimizer": model.optimizer, "model": model})
    excluded = {v.path for v in model.trainable_variables if not model.optimizer._use_weight_decay(v)}
    names = {"weight": "kernel", "bias": "bias"}, {"weight": "gamma", "bias": "beta"}
    paths = {f"{layer}/{names[layer == 'norm'][weight]}" for layer, weight in (n.split(".") for n, _ in module.named_parameters() if spared(n))}
    assert excluded == paths

    x = torch.randn(6, 4)
    for _ in range(STEPS):
        optimizer.zero_grad()
        module(x).square().mean().backward()
        optimizer.step()
        model.zero_grad()
        model(x, training=True).square().mean().backward()
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in model.trainable_variables], model.trainable_variables)
    parameters = dict(module.named_parameters())
    for variable in model.trainable_variables:
        layer, name = variable.path.split("/")
        expected = parameters[f"{layer}.{'weight' if name in ('kernel', 'gamma') else 'bias'}"].detach().numpy().T
        # a's bias goes into a normalisation, so that its gradient is rounding alone.
        if variable.path != "a/bias" or kind == "sgd":
            assert_close(np.array(variable), expected, TOLERANCE, variable.path, constant=True, each=False)

    h5bridge("convert", tmp_path / "ck.h5", "-o", tmp_path / "back.pth", "--checkpoint")
    back = torch.load(tmp_path / "back.pth", weights_only=True)["optimizer_state_dict"]["param_groups"]
    assert back == torch.load(tmp_path / "ck.pth", weights_only=True)["optimizer_state_dict"]["param_groups"]


class Attends(nn.Module):
    """A layer whose weights and whose biases are one tensor each for PyTorch, or apart, and three variables each for Keras."""

    def __init__(self, **sizes):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True, **sizes)

    def forward(self, x):
        keys = x[..., : self.attention.kdim]
        return self.attention(x, keys, keys)[0]


def attending(folder, spared, **sizes):
    torch.manual_seed(8)
    module = Attends(**sizes)
    optimizer = grouped(DECAYING["adamw"], spared)(module)
    module(torch.randn(3, 4, 6)).square().mean().backward()
    optimizer.step()
    save_checkpoint(module, optimizer, folder / "ck.pth")
    export_architecture(module, torch.zeros(2, 4, 6), folder / "net.json")


SPARED = {
    "biases": (lambda n: n.endswith("bias"), {}, ("query", "key", "value", "attention_output")),
    "biases, weights apart": (lambda n: n.endswith("bias"), {"kdim": 5, "vdim": 5}, ("query", "key", "value", "attention_output")),
    "some biases": (lambda n: n.endswith("in_proj_bias"), {}, ("query", "key", "value")),
}


@pytest.mark.parametrize("case", SPARED)
def test_weights_of_attention_decay_and_biases_do_not(case, tmp_path):
    spared, sizes, parts = SPARED[case]
    attending(tmp_path, spared, **sizes)
    notes = notes_of(tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.keras")
    [note] = [note for note in notes if "exclude_from_weight_decay" in note]
    model = keras.models.load_model(tmp_path / "ck.keras")
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    eval(note[note.index("optimizer.exclude_from_weight_decay") :], {"optimizer": optimizer, "model": model})
    optimizer.build(model.trainable_variables)
    excluded = {v.path for v in model.trainable_variables if not optimizer._use_weight_decay(v)}
    assert excluded == {f"attention/{part}/bias" for part in parts}


def test_a_variable_some_of_which_decays_is_named(tmp_path):
    module = nn.Sequential(nn.LSTM(4, 3))
    optimizer = grouped(DECAYING["adamw"], lambda n: "bias_ih" in n)(module)
    save_checkpoint(module, optimizer, tmp_path / "lstm.pth")
    export_architecture(module, torch.zeros(5, 2, 4), tmp_path / "lstm.json")
    message = h5bridge("convert", tmp_path / "lstm.json", tmp_path / "lstm.pth", "-o", tmp_path / "no.h5", status=4)
    assert re.search("decays some of the parameters that are Keras's one variable 0/.*bias", message)


@pytest.mark.parametrize("settings", [{"lr": 0.5}, {"weight_decay": 0.3}, {"betas": (0.5, 0.6)}], ids=lambda settings: next(iter(settings)))
def test_groups_that_differ_otherwise_are_refused(settings, tmp_path):
    def change(groups):
        groups[1].update(settings)

    small_torch(tmp_path, grouped(DECAYING["adamw"], lambda n: n.endswith("bias")), change)
    message = h5bridge("convert", tmp_path / "net.json", tmp_path / "ck.pth", "-o", tmp_path / "no.h5", status=4)
    assert f"differ in {next(iter(settings))}" in message and not (tmp_path / "no.h5").exists()


# --- Files of weights alone -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_training_state_that_is_left_out_is_said(suffix, tmp_path):
    small_keras(tmp_path, O.Adam())
    plain = tmp_path / f"plain.{suffix}"
    notes = notes_of(tmp_path / "model.h5", "-o", plain)
    assert len(notes) == 1 and "the optimizer's state" in notes[0] and ("--checkpoint" in notes[0]) == (suffix == "pth")
    plain.unlink()
    assert "the optimizer's state" in h5bridge("convert", tmp_path / "model.h5", "-o", plain, "--lossless", status=4)
    assert not plain.exists()
    assert notes_of(tmp_path / "model.h5", "-o", plain, "--no-optimizer", "--lossless") == []
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "same.h5", "--lossless")

    small_torch(tmp_path, lambda m: T.SGD(m.parameters(), lr=0.1, momentum=0.9))
    notes = notes_of(tmp_path / "net.json", tmp_path / "ck.pth", "-o", plain)
    assert len(notes) == 1 and all(part in notes[0] for part in ("the optimizer's state", "the epoch", "the loss"))


@pytest.mark.parametrize("kind", ["SGD", "RMSprop"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=str)
def test_momentum_of_other_types_comes_home(dtype, kind, tmp_path):
    """In Keras it is in units of the learning rate, so that it is multiplied, in its own type."""
    torch.manual_seed(6)
    module = nn.Sequential(nn.Linear(3, 4)).to(dtype)
    optimizer = getattr(torch.optim, kind)(module.parameters(), lr=0.25, momentum=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        module(torch.randn(5, 3, dtype=dtype)).square().sum().backward()
        optimizer.step()
    export_architecture(module, torch.zeros(2, 3, dtype=dtype), tmp_path / "m.json")
    save_checkpoint(module, optimizer, tmp_path / "m.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.keras")
    h5bridge("convert", tmp_path / "m.keras", "-o", tmp_path / "home.pth", "--checkpoint")
    found, expected = (torch.load(tmp_path / name)["optimizer_state_dict"]["state"] for name in ("home.pth", "m.pth"))
    for number, slots in expected.items():
        assert all(torch.equal(torch.as_tensor(found[number][slot]), torch.as_tensor(value)) for slot, value in slots.items())
    if dtype == torch.float64 and kind == "SGD":
        loaded = keras.saving.load_model(tmp_path / "m.keras")
        (momentum,) = (variable for variable in loaded.optimizer.variables if "kernel_momentum" in variable.path)
        in_units_of_the_rate = -0.25 * expected[0]["momentum_buffer"].numpy()
        assert_close(keras.ops.convert_to_numpy(momentum).T, in_units_of_the_rate, 1e-15, "momentum")
