"""Parameters that are one (head.weight is tok.weight): in Keras as one variable where it can say that, and home again as one."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import h5py, keras, optimizer_of, weights_of
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


class UsedTwice(nn.Module):
    """An autoencoder that has one matrix, for both of its halves."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(WIDTH, 2, bias=False)

    def forward(self, x):
        return torch.tanh(self.encoder(x)) @ self.encoder.weight


def test_one_name_is_no_two_parameters(tmp_path):
    export_architecture(UsedTwice(), torch.zeros(2, WIDTH), tmp_path / "net.json")
    torch.save(UsedTwice().state_dict(), tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.keras")
    model = keras.models.load_model(tmp_path / "net.keras")
    model.get_layer("encoder").kernel.assign_add(np.ones((WIDTH, 2)))
    model.save(tmp_path / "torn.keras")
    message = h5bridge("convert", tmp_path / "torn.keras", tmp_path / "net.json", "-o", tmp_path / "home.pth", "--untie", status=4)
    assert "/kernel: the one tensor encoder.weight is that of the layers encoder and encoder_weight in Keras" in message
    assert "no second name in PyTorch" in message and "/model_weights" not in message


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


class Head(nn.Module):
    """A language model's: an embedding, whose table the head has as well."""

    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(WORDS, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        return self.head(torch.tanh(self.mix(self.tok(ids))))


class HeadFirst(nn.Module):
    """The head is called before the embedding, and registered before it; all of it is square."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(WIDTH, WIDTH, bias=False)
        self.tok = nn.Embedding(WIDTH, WIDTH)
        self.tok.weight = self.head.weight
        self.scale = nn.Parameter(torch.rand(LENGTH, WIDTH))

    def forward(self, ids):
        first = self.head(self.scale * ids[..., None])
        return first + 2 * self.tok(ids % WIDTH)


class Translator(nn.Module):
    """Two embeddings and a head with one table, as encoders and decoders have them."""

    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(WORDS, WIDTH)
        self.target = nn.Embedding(WORDS, WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.target.weight = self.head.weight = self.source.weight

    def forward(self, ids):
        mixed = torch.tanh(self.source(ids)) * self.target(ids.flip(1))
        return self.head(mixed), self.head(torch.sin(mixed))


class Layers(nn.Module):
    """Layers with a module each and parameters in common: the third has a bias of its own."""

    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(WORDS, WIDTH)
        self.a, self.b, self.c = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.b.weight, self.b.bias, self.c.weight = self.a.weight, self.a.bias, self.a.weight

    def forward(self, ids):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(self.tok(ids))))))


TIED = {
    Head: (["tok/embeddings", "mix/kernel", "mix/bias"], "ReversibleEmbedding", []),
    Translator: (["source/embeddings"], "ReversibleEmbedding", []),
    Layers: (["tok/embeddings", "a/kernel", "a/bias", "c/kernel", "c/bias"], "Dense", ["a.weight and c.weight"]),
}


def ids():
    return torch.randint(WORDS, (3, LENGTH), generator=torch.Generator().manual_seed(1))


def outputs(result):
    return [r.detach().numpy() if isinstance(r, torch.Tensor) else keras.ops.convert_to_numpy(r) for r in (result if isinstance(result, (list, tuple)) else [result])]


def assert_same_outputs(found, expected, tolerance=1e-5):
    for a, b in zip(outputs(found), outputs(expected), strict=True):
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize("kind", TIED)
def test_what_keras_can_say_is_one_variable_there(kind, tmp_path):
    variables, class_name, noted = TIED[kind]
    module = made(kind)
    architecture, state = files_of(module, tmp_path)
    said = json.loads(h5bridge("convert", architecture, state, "-o", tmp_path / "net.h5", "--json", "--check"))
    assert len(said["notes"]) == len(noted) and all(names in note for names, note in zip(noted, said["notes"]))
    model = keras.models.load_model(tmp_path / "net.h5")
    assert [variable.path for variable in model.weights] == variables
    assert any(type(layer).__name__ == class_name and len(layer._inbound_nodes) > 1 for layer in model.layers)
    assert_same_outputs(model(ids()), module(ids()))


def trained_in_keras(module, folder):
    """The files of a module after some steps in Keras, and what the Keras model computes."""
    architecture, state = files_of(module, folder)
    h5bridge("convert", architecture, state, "-o", folder / "net.h5")
    model = keras.models.load_model(folder / "net.h5")
    model.compile(keras.optimizers.Adam(0.02), "mse")
    targets = [np.ones_like(array) for array in outputs(model(ids()))]
    for _ in range(3):
        model.train_on_batch(ids().numpy(), targets if len(targets) > 1 else targets[0])
    model.save(folder / "trained.h5")
    return architecture, folder / "trained.h5", model(ids())


@pytest.mark.parametrize("kind", [Head, Translator])
def test_trained_as_one_it_comes_home_as_one(kind, tmp_path):
    module = made(kind)
    before = module.state_dict()["head.weight"].clone()
    architecture, trained, expected = trained_in_keras(module, tmp_path)
    h5bridge("convert", trained, architecture, "-o", tmp_path / "home.pth", "-o", tmp_path / "home.json")
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    assert list(home) == list(module.state_dict())
    assert len({home[name].data_ptr() for name in home if ".weight" in name and "mix" not in name}) == 1
    module.load_state_dict(home)
    assert not torch.equal(module.head.weight, before)
    assert_same_outputs(module(ids()), expected)
    assert json.loads((tmp_path / "home.json").read_text())["tied"] == json.loads(architecture.read_text())["tied"]
    h5bridge("validate", trained, architecture)


@pytest.mark.parametrize("kind", [Head, Translator])
def test_keras_own_reversible_embedding_is_an_embedding_and_a_head(kind, tmp_path):
    _, trained, expected = trained_in_keras(made(kind), tmp_path)
    h5bridge("convert", trained, "-o", tmp_path / "home.pth", "-o", tmp_path / "home.json")
    name = "source" if kind is Translator else "tok"
    assert json.loads((tmp_path / "home.json").read_text())["tied"] == [[f"{name}.weight", f"{name}_reverse.weight"]]
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    assert home[f"{name}.weight"].data_ptr() == home[f"{name}_reverse.weight"].data_ptr()
    h5bridge("convert", tmp_path / "home.json", tmp_path / "home.pth", "-o", tmp_path / "back.h5")
    back = keras.models.load_model(tmp_path / "back.h5")
    assert [type(layer).__name__ for layer in back.layers].count("ReversibleEmbedding") == 1
    assert_same_outputs(back(ids()), expected)


@needs_libtorch
@pytest.mark.parametrize("kind", TIED)
def test_libtorch_computes_what_both_do(kind, tmp_path):
    module = made(kind)
    architecture, trained, expected = trained_in_keras(module, tmp_path)
    np.savez(tmp_path / "inputs.npz", ids=ids().numpy())
    results = outputs(expected)
    h5bridge("run", trained, "--input", tmp_path / "inputs.npz", "-o", tmp_path / "out.npz")
    found = np.load(tmp_path / "out.npz")
    for name, array in zip(found.files, results, strict=True):
        assert np.abs(found[name] - array).max() <= 1e-5 * np.abs(array).max()
    if kind is Layers:  # what trained apart is refused
        assert "c.weight differs from a.weight" in h5bridge("compare", trained, "--with", architecture, trained, status=3)
    else:
        h5bridge("convert", trained, architecture, "-o", tmp_path / "home.pth")
        h5bridge("compare", architecture, tmp_path / "home.pth", "--with", trained, architecture, "--random-inputs", 2)


@pytest.mark.parametrize("settings", [{"logit_soft_cap": 3.0}, {"tie_weights": False}, {"mask_zero": True}], ids=str)
def test_settings_of_a_reversible_embedding_that_are_not_known_are_refused(settings, tmp_path):
    layer = keras.layers.ReversibleEmbedding(WORDS, WIDTH, name="tok", **settings)
    inputs = keras.Input((LENGTH,), dtype="int64")
    keras.Model(inputs, layer(layer(inputs), reverse=True)).save(tmp_path / "net.h5")
    refused = h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "net.json", "-o", tmp_path / "net.pth", status=4)
    assert '"tok" (ReversibleEmbedding)' in refused


def test_a_reversible_embedding_that_nothing_calls_in_reverse(tmp_path):
    layer = keras.layers.ReversibleEmbedding(WORDS, WIDTH, name="tok")
    inputs = keras.Input((LENGTH,), dtype="int64")
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "net.h5")
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "net.pth", "-o", tmp_path / "net.json")
    assert list(torch.load(tmp_path / "net.pth", weights_only=True)) == ["tok.weight"]
    assert "tied" not in json.loads((tmp_path / "net.json").read_text())


def test_the_head_may_be_called_before_the_embedding(tmp_path):
    module = made(HeadFirst)
    export_architecture(module, torch.zeros(2, LENGTH, dtype=torch.long), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5", "--check")
    model = keras.models.load_model(tmp_path / "net.h5")
    assert "ReversibleEmbedding" in [type(layer).__name__ for layer in model.layers]
    assert_same_outputs(model(ids()), module(ids()))
    model.save(tmp_path / "kept.h5")
    h5bridge("convert", tmp_path / "kept.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    assert all(torch.equal(home[name], tensor) for name, tensor in module.state_dict().items())


def test_optimizers_state_is_that_of_the_first_name(tmp_path):
    """Of one parameter there is one state, in PyTorch and in Keras."""
    module = made(Head)
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    module(ids()).sum().backward()
    optimizer.step()
    architecture, _ = files_of(module, tmp_path)
    torch.save({"model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, tmp_path / "ckpt.pth")
    h5bridge("convert", architecture, tmp_path / "ckpt.pth", "-o", tmp_path / "net.h5")
    model = keras.models.load_model(tmp_path / "net.h5")
    model.save(tmp_path / "kept.h5")
    h5bridge("convert", tmp_path / "net.h5", architecture, "-o", tmp_path / "home.pth", "--checkpoint", "--epoch", 1, "--loss", 0)
    home = torch.load(tmp_path / "home.pth", weights_only=True)["optimizer_state_dict"]
    assert list(home["state"]) == list(optimizer.state_dict()["state"])
    for number, state in optimizer.state_dict()["state"].items():
        assert all(torch.equal(home["state"][number][slot], tensor) for slot, tensor in state.items())


def checkpoint_of(module, folder, **settings):
    """The architecture and a checkpoint of a module after a step, and its optimizer."""
    optimizer = torch.optim.Adam(module.parameters(), 0.01, **settings)
    module(ids()).square().sum().backward()
    optimizer.step()
    architecture, _ = files_of(module, folder)
    torch.save({"epoch": 1, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}, folder / "ckpt.pth")
    return architecture, folder / "ckpt.pth", optimizer


def loose():
    """A Mismatched of two parameters."""
    module = Mismatched()
    module.head.weight = nn.Parameter(module.head.weight.detach().clone())
    return module


def assert_state_of_both(checkpoint, optimizer, tied):
    """The checkpoint's state fits an untied module, and both copies have what the one had."""
    module = loose()
    module.load_state_dict(checkpoint["model_state_dict"])
    resumed = torch.optim.Adam(module.parameters(), 0.01)
    resumed.load_state_dict(checkpoint["optimizer_state_dict"])
    for name, parameter in module.named_parameters():
        expected = optimizer.state[dict(tied.named_parameters(remove_duplicate=False))[name]]
        assert expected.keys() == resumed.state[parameter].keys()
        assert all(torch.equal(resumed.state[parameter][slot], value) for slot, value in expected.items()), name


@pytest.mark.parametrize("by_name", [False, True])
def test_untied_copies_of_a_state_dict_have_the_optimizer_s_state_of_the_one(by_name, tmp_path):
    module = made(Mismatched)
    architecture, checkpoint, optimizer = checkpoint_of(module, tmp_path)
    saved = torch.load(checkpoint)
    saved["model_state_dict"]["head.weight"] = saved["model_state_dict"]["head.weight"] + 1
    if by_name:
        saved["optimizer_state_dict"]["param_groups"][0]["param_names"] = [name for name, _ in module.named_parameters()]
    torch.save(saved, checkpoint)
    convert = ["convert", architecture, checkpoint, "--untie", "--json"]
    notes = json.loads(h5bridge(*convert, "-o", tmp_path / "home.pth", "--checkpoint"))["notes"]
    assert any("the optimizer has state of tok.weight alone" in note and "head.weight" in note for note in notes)
    assert_state_of_both(torch.load(tmp_path / "home.pth"), optimizer, module)
    h5bridge(*convert, "-o", tmp_path / "net.h5")
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "again.pth", "--checkpoint")
    assert_state_of_both(torch.load(tmp_path / "again.pth"), optimizer, module)


def test_untied_copies_of_our_file_have_the_optimizer_s_state(tmp_path):
    module = made(Mismatched)
    architecture, checkpoint, optimizer = checkpoint_of(module, tmp_path)
    h5bridge("convert", architecture, checkpoint, "-o", tmp_path / "net.h5")
    with h5py.File(tmp_path / "net.h5", "r+") as file:
        file["model_weights/head/head/kernel"][...] += 1
    h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "home.pth", "--checkpoint", "--untie")
    assert_state_of_both(torch.load(tmp_path / "home.pth"), optimizer, module)


def test_copies_that_keras_trained_apart_have_a_state_each(tmp_path):
    module = made(Mismatched)
    architecture, trained, _ = trained_in_keras(module, tmp_path)
    h5bridge("convert", architecture, trained, "-o", tmp_path / "home.pth", "--checkpoint", "--epoch", 1, "--loss", 0, "--untie")
    home = torch.load(tmp_path / "home.pth")
    variables = {path.split("/", 1)[1]: array for path, array in optimizer_of(trained).items()}
    resumed = torch.optim.Adam(loose().parameters())
    resumed.load_state_dict(home["optimizer_state_dict"])
    moments = [state["exp_avg"].numpy() for state in resumed.state.values()]
    assert np.array_equal(moments[0], variables["tok_embeddings_momentum"])
    assert np.array_equal(moments[1], variables["head_kernel_momentum"].T)
    assert np.array_equal(moments[2], variables["head_bias_momentum"])


@needs_libtorch
@pytest.mark.parametrize("kind", [Head, Translator])
def test_verify_takes_keras_s_names_of_what_is_one_layer_there(kind, tmp_path):
    module = made(kind)
    architecture, state = files_of(module, tmp_path)
    h5bridge("convert", architecture, state, "-o", tmp_path / "net.h5")
    model = keras.models.load_model(tmp_path / "net.h5")
    h5bridge("run", tmp_path / "net.h5", "--input", save(tmp_path / "ids.npy"), "-o", tmp_path / "keras.npz")
    assert list(np.load(tmp_path / "keras.npz"))[0] == model.output_names[0]
    h5bridge("verify", architecture, state, "--input", tmp_path / "ids.npy", "--expect", tmp_path / "keras.npz")


def save(path):
    np.save(path, ids().numpy())
    return path
