"""Layers that share their parameters in PyTorch are one layer of Keras's where it can say that: a ReversibleEmbedding, or a layer that
is called again; and Keras's own come to PyTorch as layers that share."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, keras, optimizer_of
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = [needs_program, needs_libtorch]
VOCABULARY, LENGTH = 20, 6


class Language(nn.Module):
    """A language model's usual tie."""

    def __init__(self, bias=False):
        super().__init__()
        self.tok = nn.Embedding(VOCABULARY, 8)
        self.gru = nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, VOCABULARY, bias=bias)
        self.head.weight = self.tok.weight

    def forward(self, x):
        return self.head(self.gru(self.tok(x))[0])


class Twice(nn.Module):
    """Two layers of one kind that share all they have, and a third that shares its weight alone."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5)
        self.b.weight, self.b.bias = self.a.weight, self.a.bias
        self.c.weight = self.a.weight

    def forward(self, x):
        return self.c(torch.relu(self.b(torch.relu(self.a(x)))))


def tokens(seed=0):
    return torch.randint(VOCABULARY, (4, LENGTH), generator=torch.Generator().manual_seed(seed))


def written(module, inputs, folder):
    """The module's files, and the Keras model that they become."""
    torch.save(module.state_dict(), folder / "net.pth")
    export_architecture(module, inputs, folder / "net.json")
    h5bridge("convert", folder / "net.json", folder / "net.pth", "-o", folder / "net.h5", "--check")
    return keras.saving.load_model(folder / "net.h5")


def notes_of(*arguments):
    return json.loads(h5bridge("convert", *arguments, "--json"))["notes"]


def fine_tune(model, x, y, path):
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=5, verbose=0)
    model.save(path)
    return model.predict(x, verbose=0)


@pytest.fixture
def language(tmp_path):
    torch.manual_seed(1)
    return Language().eval()


def test_an_embedding_and_its_head_are_one_layer_of_keras(language, tmp_path):
    model = written(language, tokens(), tmp_path)
    assert model.count_params() == sum(p.numel() for p in language.parameters())
    assert isinstance(model.get_layer("tok"), keras.layers.ReversibleEmbedding)
    with torch.no_grad():
        assert_close(model.predict(tokens().numpy(), verbose=0), language(tokens()).numpy(), 1e-5)
    assert notes_of(tmp_path / "net.h5", "-o", tmp_path / "again.pth") == []
    again = torch.load(tmp_path / "again.pth")
    assert again["tok.weight"].data_ptr() == again["head.weight"].data_ptr()
    for name, tensor in language.state_dict().items():
        assert torch.equal(again[name], tensor)


def test_a_tied_model_comes_home_from_training_in_keras(language, tmp_path):
    model = written(language, tokens(), tmp_path)
    expected = fine_tune(model, tokens().numpy(), tokens().numpy(), tmp_path / "tuned.h5")
    h5bridge("convert", tmp_path / "tuned.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert home["tok.weight"].data_ptr() == home["head.weight"].data_ptr()
    assert not torch.equal(home["tok.weight"], language.tok.weight)
    language.load_state_dict(home)
    with torch.no_grad():
        assert_close(language(tokens()).numpy(), expected, 1e-5)


def test_a_description_that_knows_no_ties_learns_them_from_the_file(language, tmp_path):
    written(language, tokens(), tmp_path)
    description = json.loads((tmp_path / "net.json").read_text())
    for member in ("tied", "state_dict"):
        del description[member]
    (tmp_path / "old.json").write_text(json.dumps(description))
    h5bridge("convert", tmp_path / "old.json", tmp_path / "net.pth", "-o", tmp_path / "old.h5", "--check")
    model = keras.saving.load_model(tmp_path / "old.h5")
    assert isinstance(model.get_layer("tok"), keras.layers.ReversibleEmbedding)
    model.save(tmp_path / "keras.h5")
    h5bridge("convert", tmp_path / "keras.h5", tmp_path / "old.json", "-o", tmp_path / "home.pth")
    for name, tensor in torch.load(tmp_path / "home.pth").items():
        assert torch.equal(tensor, language.state_dict()[name])


def test_keras_own_reversible_embedding(tmp_path):
    ids = keras.Input((None,), dtype="int64", name="ids")
    embedding = keras.layers.ReversibleEmbedding(VOCABULARY, 8, name="tok")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(embedding(ids))
    model = keras.Model(ids, [embedding(hidden, reverse=True), hidden])
    model.save(tmp_path / "own.h5")
    np.savez(tmp_path / "in.npz", ids=tokens().numpy())
    h5bridge("run", tmp_path / "own.h5", "--input", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    for found, expected in zip(np.load(tmp_path / "out.npz").values(), model.predict(tokens().numpy(), verbose=0)):
        assert_close(found, expected, 1e-5)
    h5bridge("convert", tmp_path / "own.h5", "-o", tmp_path / "own.json", "-o", tmp_path / "own.pth")
    state = torch.load(tmp_path / "own.pth")
    assert json.loads((tmp_path / "own.json").read_text())["tied"] == [["tok.weight", "tok_reverse.weight"]]
    assert state["tok.weight"].data_ptr() == state["tok_reverse.weight"].data_ptr()
    h5bridge("convert", tmp_path / "own.json", tmp_path / "own.pth", "-o", tmp_path / "back.h5", "--check")
    back = keras.saving.load_model(tmp_path / "back.h5")
    assert back.get_config() == model.get_config()
    for found, expected in zip(back.weights, model.weights):
        assert np.array_equal(found.numpy(), expected.numpy())


def test_layers_that_share_all_they_have_are_one_and_the_others_are_told(tmp_path):
    torch.manual_seed(2)
    module, x = Twice().eval(), torch.randn(3, 5)
    model = written(module, x, tmp_path)
    assert [layer.name for layer in model.layers if layer.weights] == ["a", "c"]
    with torch.no_grad():
        assert_close(model.predict(x.numpy(), verbose=0), module(x).numpy(), 1e-5)
    notes = notes_of(tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5")
    assert len(notes) == 1 and "a.weight and c.weight are one tensor in PyTorch and two in Keras" in notes[0]
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "none.h5", "--lossless", status=4)
    assert not (tmp_path / "none.h5").exists()


@pytest.mark.parametrize("bias", (False, True), ids=("one variable", "two variables"))
def test_the_state_of_tied_parameters_is_in_pytorch_once(bias, tmp_path):
    torch.manual_seed(4)
    module = Language(bias)
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(tokens()).transpose(1, 2), tokens()).backward()
        optimizer.step()
    checkpoint = {"epoch": 3, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.0}
    torch.save(checkpoint, tmp_path / "net.ckpt")
    export_architecture(module, tokens(), tmp_path / "net.json")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.ckpt", "-o", tmp_path / "net.h5")
    moment = optimizer.state[module.tok.weight]["exp_avg"].numpy()
    moments = {path: array for path, array in optimizer_of(tmp_path / "net.h5").items() if path.endswith("_momentum")}
    assert np.array_equal(next(array for path, array in moments.items() if "tok" in path), moment)
    copies = [array for path, array in moments.items() if path.endswith("head_kernel_momentum")]
    assert len(copies) == bias and all(np.array_equal(copy.T, moment) for copy in copies)
    model = keras.saving.load_model(tmp_path / "net.h5")
    model.compile(keras.optimizers.Adam(1e-2, epsilon=1e-8))  # Keras does not restore the state of an .h5 by itself
    model.optimizer.build(model.trainable_variables)
    for variable in model.optimizer.variables:
        variable.assign(optimizer_of(tmp_path / "net.h5")[f"adam/{variable.path.split('/', 1)[1]}"])
    model.save(tmp_path / "keras.h5")
    for source in ([tmp_path / "net.h5"], [tmp_path / "keras.h5", tmp_path / "net.json"]):
        h5bridge("convert", *source, "-o", tmp_path / "home.ckpt", "--checkpoint")
        home = torch.load(tmp_path / "home.ckpt")["optimizer_state_dict"]
        assert home["param_groups"][0]["params"] == checkpoint["optimizer_state_dict"]["param_groups"][0]["params"]
        for number, state in checkpoint["optimizer_state_dict"]["state"].items():
            assert all(torch.equal(home["state"][number][name], slot) for name, slot in state.items())


def test_layers_that_are_one_are_frozen_and_thawed_together(language, tmp_path):
    language.tok.requires_grad_(False)
    model = written(language, tokens(), tmp_path)
    assert not model.get_layer("tok").trainable
    for trainable, frozen in ((False, ["tok.weight", "head.weight"]), (True, [])):
        model.get_layer("tok").trainable = trainable
        model.save(tmp_path / "keras.h5")
        h5bridge("convert", tmp_path / "keras.h5", tmp_path / "net.json", "-o", tmp_path / "home.json")
        assert sorted(json.loads((tmp_path / "home.json").read_text()).get("frozen", [])) == sorted(frozen)


def test_a_file_with_two_copies_of_what_could_be_one_layer(language, tmp_path):
    """As it was written before ties were known."""
    written(language, tokens(), tmp_path)
    description = json.loads((tmp_path / "net.json").read_text())
    state = {name: tensor.clone() for name, tensor in language.state_dict().items()}
    torch.save(state, tmp_path / "copies.pth")
    (tmp_path / "loose.json").write_text(json.dumps({key: value for key, value in description.items() if key != "tied"}))
    h5bridge("convert", tmp_path / "loose.json", tmp_path / "copies.pth", "-o", tmp_path / "copies.h5")
    model = keras.saving.load_model(tmp_path / "copies.h5")
    assert {"tok", "head"} <= {layer.name for layer in model.layers}
    model.save(tmp_path / "keras.h5")
    h5bridge("convert", tmp_path / "keras.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert home["tok.weight"].data_ptr() == home["head.weight"].data_ptr()
    fine_tune(model, tokens().numpy(), tokens().numpy(), tmp_path / "keras.h5")
    printed = h5bridge("convert", tmp_path / "keras.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth", status=3)
    assert "head.weight differs from tok.weight" in printed
