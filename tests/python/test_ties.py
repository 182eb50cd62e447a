"""Parameters that are one (head.weight is tok.weight): in Keras as one variable where it can say that, and home again as one."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import keras, weights_of
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program

WORDS, WIDTH, LENGTH = 11, 4, 5


class Mismatched(nn.Module):
    """A tie that Keras has no layer for: the head has a bias, too."""

    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(WORDS, WIDTH)
        self.head = nn.Linear(WIDTH, WORDS)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        return self.head(torch.tanh(self.tok(ids)))


def files_of(module, folder, length=LENGTH):
    """The architecture and the state_dict of a module, and inputs."""
    export_architecture(module.eval(), torch.zeros(2, length, dtype=torch.long), folder / "net.json")
    torch.save(module.state_dict(), folder / "net.pth")
    return folder / "net.json", folder / "net.pth"


def made(kind, seed=3):
    torch.manual_seed(seed)
    return kind()


def without_tie(architecture, folder):
    """The architecture as one who has not seen the tie wrote it."""
    written = json.loads(architecture.read_text())
    del written["tied"]
    (folder / "loose.json").write_text(json.dumps(written))
    return folder / "loose.json"


def torn(folder):
    """The files of a Mismatched of which Keras has trained one of two copies."""
    architecture, state = files_of(made(Mismatched), folder)
    h5bridge("convert", architecture, state, "-o", folder / "net.h5")
    model = keras.models.load_model(folder / "net.h5")
    kernel = model.get_layer("head").kernel
    kernel.assign(kernel + 1)
    model.save(folder / "trained.h5")
    return architecture, folder / "trained.h5"


def test_two_copies_are_noted_and_refused_with_lossless(tmp_path):
    architecture, state = files_of(made(Mismatched), tmp_path)
    said = json.loads(h5bridge("convert", architecture, state, "-o", tmp_path / "net.h5", "--json"))
    assert said["notes"] == [
        f"{tmp_path}/net.h5: tok.weight and head.weight are one tensor in PyTorch and two in Keras, which will train apart"
    ]
    refused = h5bridge("convert", architecture, state, "-o", tmp_path / "other.h5", "--lossless", status=4)
    assert "tok.weight and head.weight" in refused and not (tmp_path / "other.h5").exists()


def test_storage_tells_ties_that_the_architecture_does_not(tmp_path):
    architecture, state = files_of(made(Mismatched), tmp_path)
    loose = without_tie(architecture, tmp_path)
    said = json.loads(h5bridge("convert", loose, state, "-o", tmp_path / "net.h5", "-o", tmp_path / "all.json", "--json"))
    assert any("tok.weight and head.weight" in note for note in said["notes"])
    assert json.loads((tmp_path / "all.json").read_text())["tied"] == [["tok.weight", "head.weight"]]


def test_equal_copies_come_home_tied(tmp_path):
    module = made(Mismatched)
    architecture, state = files_of(module, tmp_path)
    h5bridge("convert", architecture, state, "-o", tmp_path / "net.h5")
    keras.models.load_model(tmp_path / "net.h5").save(tmp_path / "kept.h5")
    h5bridge("convert", tmp_path / "kept.h5", architecture, "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    assert home["tok.weight"].data_ptr() == home["head.weight"].data_ptr()
    assert torch.equal(home["tok.weight"], module.tok.weight)


@pytest.mark.parametrize("command", ["convert {} -o home.pth", "validate {}"])
def test_copies_that_differ_are_refused(command, tmp_path):
    architecture, trained = torn(tmp_path)
    words = command.split()
    words[1:2] = [architecture, trained]
    said = h5bridge(*words, status=1 if words[0] == "validate" else 3, folder=tmp_path)
    assert "head.weight differs from tok.weight" in said and "--untie" in said
    assert not (tmp_path / "home.pth").exists()


def test_untie_makes_them_two(tmp_path):
    architecture, trained = torn(tmp_path)
    h5bridge("convert", architecture, trained, "-o", tmp_path / "home.pth", "-o", tmp_path / "home.json", "--untie")
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    weights = {name: array for layer in weights_of(trained).values() for name, array in layer.items()}
    assert np.array_equal(home["tok.weight"].numpy(), weights["tok/embeddings"])
    assert np.array_equal(home["head.weight"].numpy(), weights["head/kernel"].T)
    assert "tied" not in json.loads((tmp_path / "home.json").read_text())
    h5bridge("validate", tmp_path / "home.json", tmp_path / "home.pth")


def test_a_state_dict_that_is_not_tied_as_its_architecture_says(tmp_path):
    architecture, state = files_of(made(Mismatched), tmp_path)
    tensors = torch.load(state, weights_only=True)
    tensors["head.weight"] = tensors["head.weight"] + 1
    torch.save(tensors, state)
    assert "head.weight differs from tok.weight" in h5bridge("convert", architecture, state, "-o", tmp_path / "net.h5", status=3)
    h5bridge("convert", architecture, state, "-o", tmp_path / "net.h5", "--untie")
