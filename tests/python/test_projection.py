"""LSTM's projection, of which Keras has a product: of any length, and home from what Keras trained."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, keras, predict
from program import h5bridge, needs_program
from torch_helpers import assert_same_state

pytestmark = needs_program
TENSORS = [("x", ["batch", "time", 3]), ("h", [2, "batch", 2]), ("c", [2, "batch", 5])]


class Projected(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, proj_size=2, bidirectional=True, batch_first=True)

    def forward(self, x, *states):
        return self.lstm(x, states or None)


def converted(folder, with_states, *options, more=None, status=0):
    torch.manual_seed(11)
    module = Projected().eval()
    inputs = [{"name": name, "shape": shape} for name, shape in TENSORS[: 3 if with_states else 1]]
    attributes = {"input_size": 3, "hidden_size": 5, "proj_size": 2, "bidirectional": True, "batch_first": True}
    layer = {"name": "lstm", "type": "LSTM", "attributes": attributes, "inputs": [tensor["name"] for tensor in inputs]}
    outputs = {"y": "lstm", "h_n": "lstm:1", "c_n": "lstm:2"}
    (folder / "m.json").write_text(json.dumps({"h5bridge": 1, "name": "Net", "inputs": inputs, "layers": [layer], "outputs": outputs}))
    torch.save({"model_state_dict": module.state_dict()} | more(module) if more else module.state_dict(), folder / "m.pth")
    return module, h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5", *options, status=status)


@pytest.mark.parametrize("with_states", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_any_length(with_states, length, tmp_path):
    module, _ = converted(tmp_path, with_states)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    inputs = [torch.randn(4, length, 3), torch.randn(2, 4, 2), torch.randn(2, 4, 5)][: 3 if with_states else 1]
    found = predict(model, [x.numpy() for x in inputs])
    with torch.no_grad():
        y, (h, c) = module(*inputs)
    for name, expected in {"y": y, "h_n": h, "c_n": c}.items():
        assert_close(found[name], expected.numpy(), 1e-5, name)


def recurrent_kernels(model):
    kernels = [variable for variable in model.weights if variable.path.endswith("recurrent_kernel")]
    return {"l0_reverse" if "reverse" in kernel.path else "l0": kernel for kernel in kernels}


@pytest.mark.parametrize("with_states", [False, True], ids=["zeros", "states"])
def test_what_keras_trained_apart_is_refused(with_states, tmp_path):
    _, said = converted(tmp_path, with_states, "--json")
    for names in ("lstm.weight_hh_l0 and lstm.weight_hr_l0", "lstm.weight_hh_l0_reverse and lstm.weight_hr_l0_reverse"):
        assert any(f"{names} are one variable in Keras" in note for note in json.loads(said)["notes"])
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    kernel = recurrent_kernels(model)["l0_reverse"]
    kernel.assign(kernel.numpy() + 1e-3 * np.random.default_rng(1).normal(size=kernel.shape))
    model.save(tmp_path / "trained.h5")
    message = h5bridge("convert", tmp_path / "m.json", tmp_path / "trained.h5", "-o", tmp_path / "home.pth", status=4)
    assert "lstm.weight_hh_l0_reverse and lstm.weight_hr_l0_reverse: is not their product any more" in message
    assert not (tmp_path / "home.pth").exists()


def test_another_product_comes_home(tmp_path):
    module, _ = converted(tmp_path, False)
    model = keras.models.load_model(tmp_path / "m.h5", compile=False)
    wanted = {}
    for suffix, kernel in recurrent_kernels(model).items():
        wanted[suffix] = torch.randn(20, 2)
        kernel.assign((wanted[suffix].double() @ module.state_dict()[f"lstm.weight_hr_{suffix}"].double()).float().numpy().T)
    model.save(tmp_path / "trained.h5")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "trained.h5", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    for suffix, expected in wanted.items():
        assert_close(home[f"lstm.weight_hh_{suffix}"].numpy(), expected.numpy(), 1e-5)


def state_of_adam(module):
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(2, 4, 3))[0].sum().backward()
    optimizer.step()
    return {"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}


def test_the_optimizers_state_is_that_of_the_factors(tmp_path):
    _, message = converted(tmp_path, False, more=state_of_adam, status=4)
    assert "exp_avg of lstm.weight_hh_l0" in message and "is that of a factor" in message and "--no-optimizer" in message
    module, _ = converted(tmp_path, False, "--no-optimizer", more=state_of_adam)
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    assert_same_state(torch.load(tmp_path / "back.pth"), module.state_dict())
