"""A network that somebody put into another model in Keras, which adds nothing to it, goes home by the architecture JSON of the network."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import keras
from program import h5bridge, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = needs_program

L = keras.layers
SAVED = ["keras", "h5"]
STEPS = 3
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 6)).astype("float32"), rng.normal(size=(8, 3)).astype("float32")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)
        self.norm = nn.BatchNorm1d(5)
        self.body = nn.Linear(6, 5)
        self.scale = nn.Parameter(torch.ones(5))

    def forward(self, x):
        return self.head(torch.tanh(self.norm(self.body(x))) * self.scale)


def functional(model):
    inputs = keras.Input((6,))
    return keras.Model(inputs, model(inputs))


WRAPPERS = {
    "functional": functional,
    "sequential": lambda model: keras.Sequential([keras.Input((6,)), model]),
    "twice": lambda model: functional(functional(model)),
    "frozen": lambda model: setattr(model, "trainable", False) or functional(model),
}


def in_keras(folder):
    """The network's architecture, and what it is in Keras, after some steps in PyTorch."""
    torch.manual_seed(0)
    module = Net()
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.mse_loss(module(torch.from_numpy(X)), torch.from_numpy(Y)).backward()
        optimizer.step()
    export_architecture(module, torch.zeros(2, 6), folder / "net.json")
    torch.save(module.state_dict(), folder / "net.pth")
    h5bridge("convert", folder / "net.json", folder / "net.pth", "-o", folder / "net.keras")
    return keras.models.load_model(folder / "net.keras")


def same_home(folder, model, *options):
    """That PyTorch computes by the state_dict in folder/home.pth what `model` does; gives the file's content."""
    content = torch.load(folder / "home.pth", weights_only=True)
    module = Net()
    module.load_state_dict(content.get("model_state_dict", content))
    with torch.no_grad():
        found = module.eval()(torch.from_numpy(X)).numpy()
    assert np.allclose(found, keras.ops.convert_to_numpy(model(X, training=False)), atol=1e-5)
    return content


@pytest.mark.parametrize("suffix", SAVED)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_network_within_another_model_goes_home(wrapper, suffix, tmp_path):
    model = WRAPPERS[wrapper](in_keras(tmp_path))
    path = tmp_path / f"tuned.{suffix}"
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    if wrapper != "frozen":
        for _ in range(STEPS):
            model.train_on_batch(X, Y)
    model.save(path)
    h5bridge("convert", tmp_path / "net.json", path, "-o", tmp_path / "home.pth", "--no-optimizer")
    same_home(tmp_path, model)
    if wrapper == "frozen":
        notes = json.loads(run_program("convert", tmp_path / "net.json", path, "-o", tmp_path / "home.json", "--json"))["notes"]
        assert any("Keras froze" in note for note in notes), notes
        return
    h5bridge("convert", tmp_path / "net.json", path, "-o", tmp_path / "home.pth", "--checkpoint")
    state = same_home(tmp_path, model)["optimizer_state_dict"]["state"]
    module = Net()
    optimizer = {variable.path.rsplit("/", 1)[-1]: keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables}
    for number, (name, parameter) in enumerate(module.named_parameters()):
        assert state[number]["step"] == STEPS and state[number]["exp_avg"].shape == parameter.shape, name
    momentum = next(value for name, value in optimizer.items() if name.endswith("body_kernel_momentum"))
    number = [name for name, _ in module.named_parameters()].index("body.weight")
    assert np.array_equal(state[number]["exp_avg"].numpy().T, momentum)


def grown(model):
    return keras.Sequential([keras.Input((6,)), model, L.Dense(2, name="more")])


@pytest.mark.parametrize("suffix", SAVED)
def test_a_model_with_more_in_it_is_another_network(suffix, tmp_path):
    path = tmp_path / f"tuned.{suffix}"
    grown(in_keras(tmp_path)).save(path)
    message = h5bridge("convert", tmp_path / "net.json", path, "-o", tmp_path / "home.pth", status=3)
    assert "its network is not that of" in message and "more" in message, message


@pytest.mark.parametrize("suffix", SAVED)
def test_a_layer_without_weights_before_it_is_said(suffix, tmp_path):
    """As where the layers are the model's own: the network is taken, which may be another."""
    inputs = keras.Input((6,))
    network = in_keras(tmp_path)
    keras.Model(inputs, L.Dropout(0.5, name="drop")(network(L.Rescaling(0.5, name="half")(inputs)))).save(tmp_path / f"tuned.{suffix}")
    note = run_program("convert", tmp_path / "net.json", tmp_path / f"tuned.{suffix}", "-o", tmp_path / "home.pth", "--json")
    assert any("may be another" in text and "half" in text for text in json.loads(note)["notes"]), note
    same_home(tmp_path, network)


@pytest.mark.parametrize("suffix", SAVED)
def test_a_network_that_was_built_anew_is_told_its_names(suffix, tmp_path):
    in_keras(tmp_path)
    keras.Sequential([keras.Input((6,)), L.Dense(5), L.BatchNormalization(), L.Dense(3)]).save(tmp_path / f"anew.{suffix}")
    message = h5bridge("convert", tmp_path / "net.json", tmp_path / f"anew.{suffix}", "-o", tmp_path / "home.pth", status=3)
    assert 'none of its layers with weights is called as those of the architecture beside it, layer "body"' in message, message


@pytest.mark.parametrize("suffix", SAVED)
def test_its_own_architecture_stays_one_of_two_models(suffix, tmp_path):
    """A JSON that was made of the whole has names with the inner model's, as before."""
    model = functional(in_keras(tmp_path))
    path = tmp_path / f"tuned.{suffix}"
    model.save(path)
    h5bridge("convert", path, "-o", tmp_path / "whole.json", "-o", tmp_path / "whole.pth")
    h5bridge("convert", tmp_path / "whole.json", path, "-o", tmp_path / "again.pth")
    expected, found = (torch.load(tmp_path / name, weights_only=True) for name in ("whole.pth", "again.pth"))
    assert list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)
