"""What Keras's files have of how a model was trained besides its own optimizer: optimizers of models within the model, loss scales, LoRA,
quantisation. None of it gets into a state_dict, or keeps the rest from going home."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import datasets, h5py, keras, optimizer_of, predict
from program import ROOT, h5bridge, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = needs_program

L = keras.layers
SAVED = ["keras", "h5"]
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(8, 6)).astype("float32"), rng.normal(size=(8, 3)).astype("float32")


def notes_of(*arguments):
    return json.loads(run_program("convert", *arguments, "--json"))["notes"]


def trained(model, optimizer="adam", steps=3):
    model.compile(optimizer, "mse")
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return model


def dense(policy=None):
    keras.utils.set_random_seed(3)
    layers = [L.Dense(5, activation="relu", name="a", dtype=policy), L.Dense(3, name="b", dtype=policy)]
    return keras.Sequential([keras.Input((6,)), *layers])


def computed(path, folder):
    """What PyTorch computes by the state_dict in a file."""
    state = torch.load(path, weights_only=True)
    state = state.get("model_state_dict", state)
    module = nn.Sequential()
    module.a, module.relu, module.b = nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)
    module.load_state_dict(state)
    with torch.no_grad():
        return module(torch.from_numpy(X)).numpy()


def objects_of(path):
    with zipfile.ZipFile(path) as archive:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            return datasets(file), json.loads(archive.read("config.json"))


def backbone():
    """A model whose first part was compiled and trained itself."""
    keras.utils.set_random_seed(3)
    inner = keras.Sequential([keras.Input((6,)), L.Dense(5, name="dense"), L.BatchNormalization(name="batch_normalization")], name="bb")
    inner.compile("adam", "mse")
    inner.train_on_batch(X, np.zeros((8, 5), "float32"))
    inner.trainable = False
    inputs = keras.Input((6,))
    return trained(keras.Model(inputs, L.Dense(3, name="head")(inner(inputs))), "rmsprop")


def test_the_optimizer_of_a_model_within_is_left_out_aloud(tmp_path):
    model = backbone()
    model.save(tmp_path / "k.keras")
    for options in ([], ["--allow-unexpected"]):
        notes = notes_of(tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "--checkpoint", *options)
        assert sum('"bb"' in note and "optimizer" in note for note in notes) == 1, notes
        checkpoint = torch.load(tmp_path / "k.pth", weights_only=True)
        names = {"bb.dense.weight", "bb.dense.bias", "head.weight", "head.bias", "bb.batch_normalization.num_batches_tracked"}
        names |= {f"bb.batch_normalization.{name}" for name in ("weight", "bias", "running_mean", "running_var")}
        assert set(checkpoint["model_state_dict"]) == names
    assert '"bb"' in h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "no.json", "--lossless", status=4)
    assert not any('"bb"' in note for note in notes_of(tmp_path / "k.keras", "-o", tmp_path / "no.pth", "--no-optimizer"))

    # And home again, as the whole model's optimizer had it.
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / "home.keras")
    home = keras.models.load_model(tmp_path / "home.keras")
    assert np.allclose(predict(home, [X])[0], predict(model, [X])[0], atol=1e-6)
    for found, expected in zip(home.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.allclose(keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(expected), rtol=1e-6), expected.path


def test_weights_alone_of_a_model_with_compiled_parts(tmp_path):
    model = backbone()
    model.save(tmp_path / "k.keras")
    model.save_weights(tmp_path / "k.weights.h5")
    h5bridge("convert", tmp_path / "k.keras", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "--no-optimizer")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.weights.h5", "-o", tmp_path / "w.pth", "--no-optimizer")
    expected = torch.load(tmp_path / "k.pth", weights_only=True)
    found = torch.load(tmp_path / "w.pth", weights_only=True)
    assert list(found) == list(expected) and all(torch.equal(found[name], expected[name]) for name in expected)


def scaled(suffix, folder):
    """A model of mixed_float16, whose optimizer Keras wraps, and its file."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = trained(dense())
    finally:
        keras.config.set_dtype_policy("float32")
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    model.save(folder / f"k.{suffix}")
    return model, folder / f"k.{suffix}"


@pytest.mark.parametrize("suffix", SAVED)
def test_the_optimizer_within_a_loss_scale_goes_to_pytorch_and_back(suffix, tmp_path):
    model, path = scaled(suffix, tmp_path)
    notes = notes_of(path, "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", "--checkpoint")
    assert any("LossScaleOptimizer" in note and "GradScaler(init_scale=32768.0, growth_interval=2000)" in note for note in notes), notes
    checkpoint = torch.load(tmp_path / "k.pth", weights_only=True)
    within = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.optimizer.inner_optimizer.variables}
    state = checkpoint["optimizer_state_dict"]["state"]
    assert state[0]["step"] == 3 and len(state) == 4
    for number, name in enumerate(("a_kernel", "a_bias", "b_kernel", "b_bias")):
        for slot, kept in (("momentum", "exp_avg"), ("velocity", "exp_avg_sq")):
            assert np.array_equal(state[number][kept].numpy().T, next(v for k, v in within.items() if k.endswith(f"{name}_{slot}"))), (name, slot)

    for target in SAVED:
        for sources in ([path], [tmp_path / "k.json", tmp_path / "k.pth"]):
            h5bridge("convert", *sources, "-o", tmp_path / f"home.{target}")
            if target == "h5":
                found = optimizer_of(tmp_path / "home.h5")
                assert {name: found[name].tolist() for name in found if name.startswith("loss_scale_optimizer/")} == {
                    "loss_scale_optimizer/iteration": 0, "loss_scale_optimizer/learning_rate": 0.0, "loss_scale_optimizer/step_counter": 3,
                    "loss_scale_optimizer/dynamic_scale": 32768.0}  # fmt: skip
                assert all(np.array_equal(found[name], value) for name, value in within.items())
                continue
            home = keras.models.load_model(tmp_path / "home.keras")
            assert type(home.optimizer).__name__ == "LossScaleOptimizer"
            for one, other in zip(home.optimizer.variables, model.optimizer.variables, strict=True):
                assert one.path.rsplit("_", 3)[-1] == other.path.rsplit("_", 3)[-1]
                assert np.array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)), other.path


def test_a_loss_scale_around_what_pytorch_does_not_have_is_named(tmp_path):
    model = trained(dense(), keras.optimizers.LossScaleOptimizer(keras.optimizers.Nadam()))
    model.save(tmp_path / "k.h5")
    message = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", "--checkpoint", status=4)
    assert "LossScaleOptimizer around Nadam" in message and "--no-optimizer" in message


def adapted(suffix, folder):
    """A model that trained with LoRA, and the files of it and of the architecture before."""
    model = dense()
    model.save(folder / "before.keras")
    h5bridge("convert", folder / "before.keras", "-o", folder / "net.json")
    model.layers[0].enable_lora(2, lora_alpha=3)
    trained(model, keras.optimizers.Adam(0.1))
    model.save(folder / f"k.{suffix}")
    return model, folder / f"k.{suffix}"


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])
@pytest.mark.parametrize("suffix", SAVED)
def test_lora_is_merged(suffix, beside, tmp_path):
    model, path = adapted(suffix, tmp_path)
    sources = [path, tmp_path / "net.json"] if beside else [path]
    notes = notes_of(*sources, "-o", tmp_path / "k.pth")
    assert any('LoRA of layer "a" is merged' in note for note in notes), notes
    assert any("optimizer is left out" in note and "LoRA" in note for note in notes), notes
    assert np.allclose(computed(tmp_path / "k.pth", tmp_path), predict(model, [X])[0], atol=1e-6)
    message = h5bridge("convert", *sources, "-o", tmp_path / "no.pth", "--checkpoint", status=4)
    assert "LoRA" in message and not (tmp_path / "no.pth").exists()


def test_lora_of_an_embedding_and_a_convolution(tmp_path):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((7,), dtype="int32"), L.Embedding(9, 4, name="e"), L.Conv1D(5, 3, name="c")])
    for layer in model.layers:
        layer.enable_lora(2)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    tokens = rng.integers(0, 9, size=(4, 7)).astype("int32")
    for _ in range(3):
        model.train_on_batch(tokens, np.ones((4, 5, 5), "float32"))
    model.save(tmp_path / "k.h5")
    h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.pth", "--no-optimizer")
    state = torch.load(tmp_path / "k.pth", weights_only=True)
    embedding, convolution = nn.Embedding(9, 4), nn.Conv1d(4, 5, 3)
    embedding.weight.data, convolution.weight.data, convolution.bias.data = state["e.weight"], state["c.weight"], state["c.bias"]
    with torch.no_grad():
        found = convolution(embedding(torch.from_numpy(tokens)).transpose(1, 2)).transpose(1, 2).numpy()
    assert np.allclose(found, predict(model, [tokens])[0], atol=1e-5)


def test_quantised_weights_are_told_beside_an_architecture_too(tmp_path):
    model = dense()
    model.save(tmp_path / "plain.keras")
    h5bridge("convert", tmp_path / "plain.keras", "-o", tmp_path / "net.json")
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    for sources in ([tmp_path / "int8.keras"], [tmp_path / "net.json", tmp_path / "int8.keras"]):
        message = h5bridge("convert", *sources, "-o", tmp_path / "k.pth", status=4)
        assert 'layer "a" (Dense): it is quantised' in message, message


def test_a_checkpoint_that_goes_to_keras_needs_but_a_loss(tmp_path):
    """As README has it: PyTorch states no loss, and to give one keeps the optimizer's state."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)

    def step():
        optimizer.zero_grad()
        nn.functional.mse_loss(module(x), y).backward()
        optimizer.step()

    for _ in range(3):
        step()
    export_architecture(module, x[:2], tmp_path / "net.json")
    torch.save({"epoch": 1, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}, tmp_path / "net.pth")
    command = [tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.keras"]
    (note,) = notes_of(*command)
    call = re.search(r"model\.compile\(model\.optimizer, loss=", note)
    assert call and call[0] in (ROOT / "README.md").read_text()
    assert notes_of(*command, "--lossless") == []

    model = keras.models.load_model(tmp_path / "net.keras")
    before = [keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
    model.compile(model.optimizer, loss="mse")
    assert all(np.array_equal(keras.ops.convert_to_numpy(now), then) for now, then in zip(model.optimizer.variables, before, strict=True))
    for _ in range(2):
        model.train_on_batch(X, Y)
        step()
    expected = [parameter.detach().numpy().T for parameter in module.parameters()]
    assert all(np.allclose(found, wanted, atol=1e-5) for found, wanted in zip(model.get_weights(), expected, strict=True))
