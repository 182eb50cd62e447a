"""Training state through the program: checkpoints of PyTorch's, with SGD's momentum and Adam's moments, to real Keras and
back, bit for bit; and models that Keras compiled and fitted, to checkpoints that PyTorch resumes."""

import copy
import json

import numpy as np
import pytest
import torch

from keras_helpers import h5py, keras, keras_layout, optimizer_of, weights_of
from keras_networks import DenseClassifier, dense_classifier
from program import h5bridge, needs_program, run_program
from torch_helpers import assert_same_state, export_architecture
from torch_networks import SmallVgg, TheModelClass

pytestmark = needs_program

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.001, momentum=0.9),
    "nesterov": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.8, nesterov=True),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.002, betas=(0.85, 0.99)),
    "amsgrad": lambda parameters: torch.optim.Adam(parameters, amsgrad=True),
}
EPOCH, LOSS, STEPS = 5, 0.4, 3
SPELLED_OUT = {"mse": "mean_squared_error", "mae": "mean_absolute_error", "bce": "binary_crossentropy"}


def train(module, optimizer, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x, y = torch.randn(4, 3, 32, 32, generator=generator), torch.randint(0, 10, (4,), generator=generator)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()


class Trained:
    """PyTorch's tutorial: a checkpoint of the network and of its optimizer, and that checkpoint through Keras's H5."""

    def __init__(self, make_optimizer, folder):
        torch.manual_seed(11)
        self.make_optimizer = make_optimizer
        self.folder = folder
        self.module = TheModelClass()
        self.optimizer = make_optimizer(self.module.parameters())
        train(self.module, self.optimizer, STEPS, seed=1)
        self.checkpoint = {
            "epoch": EPOCH,
            "model_state_dict": self.module.state_dict(),
            "optimizer_state_dict": self.optimizer.state_dict(),
            "loss": LOSS,
        }
        torch.save(self.checkpoint, folder / "ck.pth")
        export_architecture(self.module, torch.zeros(2, 3, 32, 32), folder / "lenet.json")
        h5bridge("convert", folder / "lenet.json", folder / "ck.pth", "-o", folder / "ck.h5")
        h5bridge("convert", folder / "ck.h5", "-o", folder / "back.pth", "--checkpoint")
        self.back = torch.load(folder / "back.pth")

    def slot(self, index, name):
        return self.checkpoint["optimizer_state_dict"]["state"][index][name].numpy()


@pytest.fixture(scope="module", params=OPTIMIZERS)
def trained(request, tmp_path_factory):
    return Trained(OPTIMIZERS[request.param], tmp_path_factory.mktemp(request.param))


def test_a_checkpoint_comes_home(trained):
    assert list(trained.back) == list(trained.checkpoint)
    assert trained.back["epoch"] == EPOCH and trained.back["loss"] == LOSS
    assert_same_state(trained.back["model_state_dict"], trained.checkpoint["model_state_dict"])
    found, expected = trained.back["optimizer_state_dict"], trained.checkpoint["optimizer_state_dict"]
    assert found["param_groups"] == expected["param_groups"]
    assert list(found["state"]) == list(expected["state"])
    for index, slots in expected["state"].items():
        assert list(found["state"][index]) == list(slots)
        for name, slot in slots.items():
            other = found["state"][index][name]
            assert other.dtype == slot.dtype and other.shape == slot.shape and torch.equal(other, slot), (index, name)


def test_training_goes_on_as_if_nothing_had_been(trained):
    straight = copy.deepcopy(trained.module)
    straight_optimizer = trained.make_optimizer(straight.parameters())
    straight_optimizer.load_state_dict(copy.deepcopy(trained.optimizer.state_dict()))
    train(straight, straight_optimizer, STEPS, seed=2)

    resumed = TheModelClass()
    optimizer = trained.make_optimizer(resumed.parameters())
    resumed.load_state_dict(trained.back["model_state_dict"])
    optimizer.load_state_dict(trained.back["optimizer_state_dict"])
    train(resumed, optimizer, STEPS, seed=2)
    assert_same_state(resumed.state_dict(), straight.state_dict())
    assert any(not torch.equal(a, b) for a, b in zip(resumed.parameters(), trained.module.parameters()))


def test_keras_sees_the_optimizer(trained):
    model = keras.models.load_model(trained.folder / "ck.h5")
    group = trained.checkpoint["optimizer_state_dict"]["param_groups"][0]
    variables = optimizer_of(trained.folder / "ck.h5")
    kind = type(model.optimizer).__name__
    assert kind == type(trained.optimizer).__name__
    assert float(model.optimizer.learning_rate) == np.float32(group["lr"])
    is_adam = kind == "Adam"
    # SGD in PyTorch does not count its steps.
    assert int(model.optimizer.iterations) == (STEPS if is_adam else 0)
    if is_adam:
        assert (model.optimizer.beta_1, model.optimizer.beta_2) == tuple(group["betas"])
        assert model.optimizer.epsilon == group["eps"] and model.optimizer.amsgrad == group["amsgrad"]
    else:
        assert model.optimizer.momentum == group["momentum"] and model.optimizer.nesterov == group["nesterov"]

    if is_adam:
        slots = [("exp_avg", "momentum", 1), ("exp_avg_sq", "velocity", 1)]
        slots += [("max_exp_avg_sq", "velocity_hat", 1)] if group["amsgrad"] else []
    else:
        slots = [("momentum_buffer", "momentum", np.float32(-group["lr"]))]
    names = [name for name, _ in trained.module.named_parameters()]
    flat = names.index("fc1.weight")
    for torch_name, keras_name, factor in slots:
        for index, name in enumerate(names):
            layer, weight = name.split(".")
            found = next(v for path, v in variables.items() if path.endswith(f"{layer}_{'kernel' if weight == 'weight' else 'bias'}_{keras_name}"))
            slot = trained.slot(index, torch_name) * factor
            if index == flat:  # its inputs are flattened pictures
                slot = keras_layout(slot.reshape(-1, 16, 5, 5)).reshape(slot.shape)
            expected = slot.transpose(2, 3, 1, 0) if slot.ndim == 4 else slot.T
            assert np.array_equal(found, expected), (name, keras_name)
    assert len(variables) == 2 + len(slots) * len(names)


def test_the_optimizer_may_stay_behind(trained):
    plain = trained.folder / "plain.h5"
    h5bridge("convert", trained.folder / "ck.h5", "-o", plain, "--no-optimizer")
    with h5py.File(plain) as file:
        assert "optimizer_weights" not in file and "training_config" not in file.attrs
    message = h5bridge("convert", plain, "-o", trained.folder / "no.pth", "--checkpoint", status=4)
    assert "optimizer" in message and not (trained.folder / "no.pth").exists()


# --- From Keras -------------------------------------------------------------------------------------------------------------


class Fitted:
    def __init__(self, optimizer, folder):
        keras.backend.clear_session()
        keras.utils.set_random_seed(4)
        rng = np.random.default_rng(4)
        self.folder = folder
        self.model = dense_classifier()
        self.model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
        x = rng.normal(size=(32, 5)).astype("float32")
        self.model.fit(x, (x.sum(1) > 0).astype("float32"), epochs=2, batch_size=8, verbose=0)
        self.model.save(folder / "my_model.h5")
        self.x = x
        h5bridge("convert", folder / "my_model.h5", "-o", folder / "my_model.pth", "-o", folder / "my_model.json")
        h5bridge("convert", folder / "my_model.h5", "-o", folder / "ck.pth", "--checkpoint")
        self.checkpoint = torch.load(folder / "ck.pth")


@pytest.fixture(scope="module", params=["adam", "sgd"])
def fitted(request, tmp_path_factory):
    optimizers = {"adam": "adam", "sgd": keras.optimizers.SGD(0.05, momentum=0.9)}
    return Fitted(optimizers[request.param], tmp_path_factory.mktemp("fitted_" + request.param))


def test_a_fitted_model_predicts_the_same_in_pytorch(fitted):
    module = DenseClassifier()
    module.load_state_dict(torch.load(fitted.folder / "my_model.pth", weights_only=True), strict=True)
    with torch.no_grad():
        found = module(torch.tensor(fitted.x)).numpy()
    expected = keras.ops.convert_to_numpy(fitted.model(fitted.x))
    assert expected.std() > 1e-3 and np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert_same_state(fitted.checkpoint["model_state_dict"], torch.load(fitted.folder / "my_model.pth"))


def test_pytorch_resumes_with_keras_s_moments(fitted):
    module = DenseClassifier()
    module.load_state_dict(fitted.checkpoint["model_state_dict"])
    keras_optimizer = fitted.model.optimizer
    is_adam = type(keras_optimizer).__name__ == "Adam"
    optimizer = (torch.optim.Adam if is_adam else torch.optim.SGD)(module.parameters())
    optimizer.load_state_dict(fitted.checkpoint["optimizer_state_dict"])
    group = optimizer.param_groups[0]
    lr = float(keras_optimizer.learning_rate)
    assert group["lr"] == lr
    if is_adam:
        assert group["betas"] == (0.9, 0.999) and group["eps"] == 1e-7
    else:
        assert group["momentum"] == 0.9

    variables = optimizer_of(fitted.folder / "my_model.h5")
    parameters = dict(module.named_parameters())
    assert len(optimizer.state) == len(parameters)
    for name, parameter in parameters.items():
        layer, weight = name.split(".")
        suffix = f"_{layer}_{'kernel' if weight == 'weight' else 'bias'}_"

        def variable(slot):
            return next(v for path, v in variables.items() if path.endswith(suffix + slot)).T

        state = optimizer.state[parameter]
        if is_adam:
            assert state["step"] == int(keras_optimizer.iterations) == 8
            assert np.array_equal(state["exp_avg"], variable("momentum"))
            assert np.array_equal(state["exp_avg_sq"], variable("velocity"))
        else:
            assert np.allclose(state["momentum_buffer"] * -lr, variable("momentum"), rtol=1e-6, atol=0)
        assert np.abs(variable("momentum")).max() > 0


def training_config(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["training_config"])


@pytest.mark.parametrize("sources", [["my_model.h5"], ["my_model.json", "ck.pth"]], ids=["h5", "checkpoint"])
def test_a_fitted_model_comes_back(fitted, sources):
    back = fitted.folder / "back.h5"
    h5bridge("convert", *[fitted.folder / source for source in sources], "-o", back)
    expected, found = weights_of(fitted.folder / "my_model.h5"), weights_of(back)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[layer][name], w) for layer, weights in expected.items() for name, w in weights.items())
    model = keras.models.load_model(back)
    assert type(model.optimizer).__name__ == type(fitted.model.optimizer).__name__
    assert float(model.optimizer.learning_rate) == float(fitted.model.optimizer.learning_rate)
    is_sgd = type(model.optimizer).__name__ == "SGD"
    expected, found = optimizer_of(fitted.folder / "my_model.h5"), optimizer_of(back)
    if sources == ["my_model.h5"]:
        assert training_config(back) == training_config(fitted.folder / "my_model.h5")
    assert list(found) == list(expected)
    for path, variable in expected.items():
        if sources != ["my_model.h5"] and is_sgd and path.endswith("iteration"):
            continue  # PyTorch's SGD does not count its steps
        tolerance = 1e-6 if is_sgd and sources != ["my_model.h5"] else 0  # times and divided by the learning rate
        assert found[path].dtype == variable.dtype and np.allclose(found[path], variable, rtol=tolerance, atol=0), path


def test_batchnorm_buffers_are_no_parameters_of_the_optimizer(tmp_path):
    """They stand among the parameters in the state_dict, but the optimizer does not count them."""
    torch.manual_seed(2)
    module = SmallVgg()
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(4, 3, 16, 20)).square().mean().backward()
    optimizer.step()
    checkpoint = {"epoch": 1, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 1.5}
    torch.save(checkpoint, tmp_path / "ck.pth")
    export_architecture(module.eval(), torch.zeros(2, 3, 16, 20), tmp_path / "vgg.json")
    h5bridge("convert", tmp_path / "vgg.json", tmp_path / "ck.pth", "-o", tmp_path / "ck.h5")
    h5bridge("convert", tmp_path / "ck.h5", "-o", tmp_path / "back.pth", "--checkpoint")
    back = torch.load(tmp_path / "back.pth")
    assert_same_state(back["model_state_dict"], checkpoint["model_state_dict"])
    for index, slots in checkpoint["optimizer_state_dict"]["state"].items():
        for name, slot in slots.items():
            assert torch.equal(back["optimizer_state_dict"]["state"][index][name], slot)
    model = keras.models.load_model(tmp_path / "ck.h5")
    found = optimizer_of(tmp_path / "ck.h5")
    trainable = [v.path.replace("/", "_") for v in model.trainable_variables]
    assert len(found) == 2 + 2 * len(trainable)
    assert {path.rsplit("/")[-1] for path in found} == {"iteration", "learning_rate"} | {f"{v}_{s}" for v in trainable for s in ("momentum", "velocity")}


@pytest.mark.parametrize("loss", ["mse", ["mae"], "bce", "MSE"], ids=str)
def test_losses_that_keras_cannot_find_by_their_short_names_are_spelled_out(loss, tmp_path):
    """Keras 3.15 does not load its own .h5 that was compiled with one of them."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="out")])
    model.compile("adam", loss=loss)
    model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    model.save(tmp_path / "short.h5")
    h5bridge("convert", tmp_path / "short.h5", "-o", tmp_path / "back.h5")
    again = keras.models.load_model(tmp_path / "back.h5")
    stated = keras.tree.flatten(again.loss)
    assert [getattr(name, "__name__", name) for name in stated] == [SPELLED_OUT[keras.tree.flatten(loss)[0].lower()]]


def saved_by_keras(folder):
    """The architecture of a network with BatchNorms that a scheduler trained, and its .h5 as Keras saves it again."""
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 5), torch.nn.BatchNorm1d(5))
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(3):
        module(torch.randn(5, 4)).square().sum().backward()
        optimizer.step()
        scheduler.step()
    export_architecture(module, torch.zeros(2, 4), folder / "net.json")
    state = {"epoch": 3, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}
    torch.save(state, folder / "net.pth")
    out = json.loads(run_program("convert", folder / "net.json", folder / "net.pth", "-o", folder / "ours.h5", "--json"))["notes"]
    keras.models.load_model(folder / "ours.h5").save(folder / "theirs.h5")
    return folder / "net.json", out


def test_what_keras_drops_of_a_run_is_said_while_it_is_known(tmp_path):
    architecture, out = saved_by_keras(tmp_path)
    assert sum("scheduler" in note and "initial_lr" in note for note in out) == 1, out
    options = ["-o", tmp_path / "home.pth", "--checkpoint", "--epoch", 3, "--loss", 0, "--json"]
    notes = json.loads(h5bridge("convert", architecture, tmp_path / "theirs.h5", *options))["notes"]
    assert any("1.num_batches_tracked and 1 more like it are 0" in note for note in notes)
    # Whether there was a scheduler, Keras's file does not say.
    assert not any("scheduler" in note for note in notes)
    home = torch.load(tmp_path / "home.pth")
    assert home["model_state_dict"]["1.num_batches_tracked"] == 0
    assert "initial_lr" not in home["optimizer_state_dict"]["param_groups"][0]
    # Ours still has all of it.
    ours = json.loads(h5bridge("convert", tmp_path / "ours.h5", *options[:3], "--json"))
    assert not any("num_batches_tracked" in note or "initial_lr" in note for note in ours["notes"])
    home = torch.load(tmp_path / "home.pth")
    assert home["model_state_dict"]["1.num_batches_tracked"] == 3
    assert home["optimizer_state_dict"]["param_groups"][0]["initial_lr"] == 1e-2


@pytest.mark.parametrize("epoch", [torch.tensor(5), torch.tensor([5], dtype=torch.int32)], ids=str)
def test_an_epoch_that_is_a_tensor(epoch, tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(3, 2))
    optimizer = torch.optim.Adam(module.parameters())
    export_architecture(module, torch.zeros(2, 3), tmp_path / "m.json")
    state = {"epoch": epoch, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}
    torch.save(state, tmp_path / "m.pth")
    notes = json.loads(h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", "--json"))["notes"]
    assert notes == []
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "home.pth", "--checkpoint")
    assert torch.load(tmp_path / "home.pth")["epoch"] == 5
