"""State of optimizers by name: PyTorch's numbers are understood as PyTorch gives them, or not at all; and numbers that we write are
those that PyTorch reads. Every network here has layers of one shape, so that nothing but the names tells them apart."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import keras, optimizer_of
from program import h5bridge, needs_libtorch, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program

STEPS = 4
SIZE = 4


class Shuffled(nn.Module):
    """Registered in another order than it is called, with a part that forward does not use."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(SIZE, SIZE)
        self.aux = nn.Linear(SIZE, SIZE)
        self.norm = nn.BatchNorm1d(SIZE)
        self.second = nn.Linear(SIZE, SIZE)
        self.first = nn.Linear(SIZE, SIZE)

    def forward(self, x):
        return self.out(torch.tanh(self.second(torch.tanh(self.norm(self.first(x))))))


class Twice(nn.Module):
    """A layer under two names, and two layers that share a weight."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(SIZE, SIZE)
        self.body = nn.Linear(SIZE, SIZE)
        self.layers = nn.ModuleList([self.body, nn.Linear(SIZE, SIZE)])
        self.last.weight = self.layers[1].weight

    def forward(self, x):
        return self.last(torch.tanh(self.layers[1](torch.tanh(self.body(x)))))


class Distinct(nn.Module):
    """No two parameters of one shape."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(7, 2)
        self.first = nn.Linear(SIZE, 7)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


def adam(parameters, **settings):
    return torch.optim.Adam(parameters, lr=0.01, **settings)


def train(module, optimizer, steps=STEPS, seed=1):
    generator = torch.Generator().manual_seed(seed)
    module.train()
    for _ in range(steps):
        x = torch.randn(8, SIZE, generator=generator)
        optimizer.zero_grad()
        (module(x) - x.flip(1)[:, : module(x).shape[1]]).square().mean().backward()
        optimizer.step()
    return module.eval()


def checkpoint_of(module, optimizer):
    return {"epoch": 3, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}


class Trained:
    """A network, its optimizer after some steps, and the files of both."""

    def __init__(self, folder, make, make_optimizer, change_json=None):
        torch.manual_seed(3)
        self.folder = folder
        self.make_optimizer = make_optimizer
        self.module = make()
        self.optimizer = make_optimizer(self.module)
        train(self.module, self.optimizer)
        self.json = folder / "net.json"
        export_architecture(self.module, torch.zeros(2, SIZE), self.json)
        if change_json:
            architecture = json.loads(self.json.read_text())
            change_json(architecture)
            self.json.write_text(json.dumps(architecture))
        self.checkpoint = folder / "ck.pth"
        torch.save(checkpoint_of(self.module, self.optimizer), self.checkpoint)

    def to_keras(self, *options, status=0):
        return h5bridge("convert", self.json, self.checkpoint, "-o", self.folder / "ck.h5", *options, status=status)

    def state(self, name, slot):
        parameter = dict(self.module.named_parameters(remove_duplicate=False))[name]
        return self.optimizer.state[parameter][slot].numpy()

    def assert_keras_has(self, *layers):
        """Keras's momentum of each layer is that layer's exp_avg."""
        variables = optimizer_of(self.folder / "ck.h5")
        for layer in layers:
            for weight, keras_name in (("weight", "kernel"), ("bias", "bias")):
                found = next(v for path, v in variables.items() if path.endswith(f"{layer}_{keras_name}_momentum"))
                assert np.array_equal(found, self.state(f"{layer}.{weight}", "exp_avg").T), (layer, weight)


def without_state_dict(architecture):
    """As exporters wrote it that did not know the order of registration."""
    for member in ("state_dict", "buffers", "frozen", "tied"):
        architecture.pop(member, None)


# --- PyTorch's numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change_json", [None, without_state_dict], ids=["order in the JSON", "order in the file"])
def test_numbers_count_what_forward_does_not_use(tmp_path, change_json):
    if change_json:
        # Nothing says which of these tensors of one shape are buffers, so that only a network without any is understood.
        trained = Trained(tmp_path, lambda: without_norm(Shuffled()), lambda m: adam(m.parameters()), change_json)
    else:
        trained = Trained(tmp_path, Shuffled, lambda m: adam(m.parameters()))
    trained.to_keras()
    trained.assert_keras_has("first", "second", "out")


def without_norm(module):
    module.norm = nn.Identity()
    return module


def test_names_in_the_file_count_always(tmp_path):
    def backwards(module):
        names = list(module.named_parameters())
        return adam([{"params": names[6:], "lr": 0.01}, {"params": names[:6]}])

    trained = Trained(tmp_path, Shuffled, backwards)
    trained.to_keras()
    trained.assert_keras_has("first", "second", "out")
    h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "back.pth", "--checkpoint")
    found, expected = torch.load(tmp_path / "back.pth")["optimizer_state_dict"], trained.optimizer.state_dict()
    assert found["param_groups"] == expected["param_groups"] and "param_names" in found["param_groups"][0]
    assert found["state"].keys() == expected["state"].keys()
    assert all(torch.equal(found["state"][i][slot], value) for i, slots in expected["state"].items() for slot, value in slots.items())


def test_a_parameter_of_several_names_counts_once(tmp_path):
    trained = Trained(tmp_path, Twice, lambda m: adam(m.parameters()))
    assert len(trained.optimizer.param_groups[0]["params"]) == 5
    h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "back.pth", "--checkpoint")
    inspected = json.loads(h5bridge("inspect", trained.json, trained.checkpoint, "--json"))["training"]["optimizer"]
    assert inspected["groups"][0]["params"] == [name for name, _ in trained.module.named_parameters()]
    resumed, optimizer = resume(tmp_path / "back.pth", Twice, trained.make_optimizer)
    assert_same_steps(trained, resumed, optimizer)


@pytest.mark.parametrize("frozen", [["out"], ["first"], ["second", "norm"]], ids="+".join)
def test_frozen_parameters_explain_a_shorter_optimizer(tmp_path, frozen):
    def freeze(module):
        for name in frozen:
            getattr(module, name).requires_grad_(False)
        return adam(p for p in module.parameters() if p.requires_grad)

    trained = Trained(tmp_path, Shuffled, freeze)
    trained.to_keras()
    trained.assert_keras_has(*({"first", "second", "out"} - set(frozen)))


def test_a_part_of_the_parameters_is_known_where_shapes_tell(tmp_path):
    trained = Trained(tmp_path, Distinct, lambda m: adam(m.last.parameters()))
    h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "back.pth", "--checkpoint")
    inspected = json.loads(h5bridge("inspect", trained.json, trained.checkpoint, "--json"))["training"]["optimizer"]
    assert inspected["groups"][0]["params"] == ["last.weight", "last.bias"]
    trained = Trained(tmp_path, Shuffled, lambda m: adam(m.second.parameters()))
    message = trained.to_keras(status=4)
    assert "number 0 could be 'out.weight' or " in message and "--param-order" in message and not (tmp_path / "ck.h5").exists()


def two_groups(module):
    return adam([{"params": module.first.parameters(), "lr": 1e-3}, {"params": [*module.second.parameters(), *module.out.parameters()]}])


def groups_alike(module):
    return adam([{"params": module.first.parameters()}, {"params": [*module.second.parameters(), *module.out.parameters()]}])


def groups_by_rank(module):
    parameters = list(module.parameters())
    return adam([{"params": [p for p in parameters if p.ndim > 1]}, {"params": [p for p in parameters if p.ndim == 1]}])


def test_two_orders_that_both_fit_are_refused(tmp_path):
    """The architecture knows the order of registration, and the file has its modules in another."""

    def by_module(module):
        trained = Trained(tmp_path, module, lambda m: adam(m.parameters()))
        checkpoint = torch.load(trained.checkpoint)
        checkpoint["model_state_dict"] = dict(sorted(checkpoint["model_state_dict"].items(), key=lambda item: item[0].split(".")[0]))
        torch.save(checkpoint, trained.checkpoint)
        return trained

    message = by_module(Shuffled).to_keras(status=4)
    assert "which of the model's parameters it has: number 0 could be 'out.weight' or 'aux.weight'" in message
    trained = by_module(Distinct)
    trained.to_keras()
    trained.assert_keras_has("first", "last")


def test_groups_are_known_where_shapes_tell(tmp_path):
    trained = Trained(tmp_path, Distinct, groups_by_rank)
    trained.to_keras()
    trained.assert_keras_has("first", "last")


@pytest.mark.parametrize("make_optimizer", [groups_alike, groups_by_rank])
def test_groups_that_could_be_several_are_refused(tmp_path, make_optimizer):
    trained = Trained(tmp_path, lambda: without_norm(Shuffled()), make_optimizer)
    message = trained.to_keras(status=4)
    assert "the file does not say in which order its 2 groups" in message and "number 0 could be 'out.weight' or" in message
    for advice in ("Adam(model.named_parameters())", "--param-order names.json", "--no-optimizer"):
        assert advice in message
    assert message.count("\n") == 1 and not (tmp_path / "ck.h5").exists()
    h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "ck.pth2", "--to", "torch", "--checkpoint", status=4)
    # Neither what has no place for it nor what does not need it minds.
    h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "weights.pth")
    trained.to_keras("--no-optimizer")
    h5bridge("validate", trained.json, trained.checkpoint)
    h5bridge("compare", trained.json, trained.checkpoint, "--with", trained.json, trained.checkpoint)
    inspected = json.loads(h5bridge("inspect", trained.json, trained.checkpoint, "--json"))
    assert any("does not say" in note for note in inspected["metadata"]["notes"])
    assert inspected["training"]["optimizer"]["groups"][0]["params"][0] == 0


def test_groups_that_keras_cannot_have_are_not_asked_for_their_order(tmp_path):
    """First: it would not help; a checkpoint of PyTorch's still wants it."""
    trained = Trained(tmp_path, lambda: without_norm(Shuffled()), two_groups)
    message = trained.to_keras(status=4)
    assert "the optimizer Adam has groups that differ in lr, and Keras's has one; --no-optimizer leaves the optimizer out" in message
    assert message.index("differ in lr") < message.index("order") and not (tmp_path / "ck.h5").exists()
    message = h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "home.pth", "--checkpoint", status=4)
    assert "does not say in which order its 2 groups" in message and "--param-order names.json" in message


@needs_libtorch
def test_running_needs_no_optimizer(tmp_path):
    trained = Trained(tmp_path, lambda: without_norm(Shuffled()), two_groups)
    x = torch.randn(2, SIZE)
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", trained.json, trained.checkpoint, "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    with torch.no_grad():
        assert np.allclose(np.load(tmp_path / "y.npy"), trained.module(x).numpy(), rtol=1e-5, atol=1e-6)


def test_an_optimizer_without_state_says_nothing_about_shapes(tmp_path):
    def plain(module):
        return torch.optim.SGD([{"params": module.first.parameters()}, {"params": module.last.parameters()}], lr=0.1)

    trained = Trained(tmp_path, Distinct, plain)
    assert "number 0 could be" in trained.to_keras(status=4)
    trained = Trained(tmp_path, Shuffled, lambda m: torch.optim.SGD(m.parameters(), lr=0.1))
    trained.to_keras()


def stated(folder, groups):
    (folder / "names.json").write_text(json.dumps(groups))
    return "--param-order", folder / "names.json"


def test_a_stated_order_is_followed(tmp_path):
    def same_rate(module):
        return adam([{"params": module.first.parameters()}, {"params": [*module.second.parameters(), *module.out.parameters()]}])

    trained = Trained(tmp_path, Shuffled, same_rate)
    first, rest = ["first.weight", "first.bias"], ["second.weight", "second.bias", "out.weight", "out.bias"]
    trained.to_keras(*stated(tmp_path, [first, rest]))
    trained.assert_keras_has("first", "second", "out")
    for groups, message in (
        (first + rest, "the optimizer has (2, 4) in 2"),
        ([first, rest[:3]], "--param-order names (2, 3) parameters in 2 group(s), the optimizer has (2, 4) in 2"),
        ([first, [*rest[:3], "out.bais"]], "--param-order: 'out.bais' is no parameter of the model"),
        ([first, [*rest[:3], "norm.running_mean"]], "'norm.running_mean' is no parameter of the model"),
        ([first, [*rest[:3], "first.bias"]], "--param-order: 'first.bias' is named twice"),
        ([first[::-1], rest], "the state of 'first.bias' has the shape (4, 4), but the parameter is (4,)"),
    ):
        assert message in trained.to_keras(*stated(tmp_path, groups), status=2)
    assert "no optimizer" in h5bridge("inspect", trained.json, *stated(tmp_path, first), status=2)


def test_no_optimizer_is_read_that_nobody_wants(tmp_path):
    """Also one that cannot be read at all, or of which there are two."""
    trained = Trained(tmp_path, Distinct, lambda m: adam(m.parameters()))
    state = trained.optimizer.state_dict()
    for optimizers in ({"optimizer_G": state, "optimizer_D": state}, {"optimizer_states": [state, state]}, {"optimizer": lbfgs_state()}):
        torch.save({"model": trained.module.state_dict(), **optimizers}, trained.checkpoint)
        message = trained.to_keras(status=4)
        assert "the optimizer cannot be kept" in message and "--no-optimizer" in message
        trained.to_keras("--no-optimizer")
        h5bridge("convert", trained.json, trained.checkpoint, "-o", tmp_path / "weights.pth")


def lbfgs_state():
    module = Distinct()
    optimizer = torch.optim.LBFGS(module.parameters())

    def closure():
        optimizer.zero_grad()
        loss = module(torch.ones(2, SIZE)).square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return optimizer.state_dict()


# --- Names with a prefix ----------------------------------------------------------------------------------------------------


def lightning(module, optimizer, prefix):
    return {
        "epoch": 3,
        "state_dict": {prefix + name: tensor for name, tensor in module.state_dict().items()},
        "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best_k_models": {"epoch=3.ckpt": torch.tensor(0.5)}}},
        "optimizer_states": [optimizer.state_dict()],
    }


@pytest.mark.parametrize("prefix", ["", "model.", "module.net."])
@pytest.mark.parametrize("named", [False, True], ids=["numbers", "names"])
def test_a_network_within_a_module(tmp_path, prefix, named):
    def make_optimizer(module):
        names = [(prefix + name, parameter) for name, parameter in module.named_parameters()]
        return adam(names) if named else adam(module.parameters())

    trained = Trained(tmp_path, Shuffled, make_optimizer)
    torch.save(lightning(trained.module, trained.optimizer, prefix), trained.checkpoint)
    trained.to_keras()
    trained.assert_keras_has("first", "second", "out")


@pytest.mark.parametrize("owner", ["gen.", "disc."])
def test_the_state_of_a_module_that_is_carried_along_is_not_taken(tmp_path, owner):
    """Of two networks alike, which have one file: the optimizer may be that of either."""
    trained = Trained(tmp_path, Shuffled, lambda m: adam(m.parameters()))
    both = lightning(trained.module, trained.optimizer, "gen.")
    both["state_dict"] |= lightning(Shuffled(), trained.optimizer, "disc.")["state_dict"]
    torch.save(both, trained.checkpoint)
    taken = ["--rename", f"^{owner.replace('.', chr(92) + '.')}=", "--allow-unexpected"]
    refused = trained.to_keras(*taken, status=4)
    assert "the file does not say which of the model's parameters it has: number 0 could be" in refused
    assert "--param-order" in refused and "--no-optimizer" in refused
    trained.to_keras(*taken, "--no-optimizer")


@pytest.mark.parametrize("wrap", [lambda model: model, nn.DataParallel], ids=["alone", "in parallel"])
def test_averages_of_a_network(tmp_path, wrap):
    """Their counter is no tensor of the network's."""
    module = Distinct()
    averages = torch.optim.swa_utils.AveragedModel(module)
    with torch.no_grad():
        for parameter in module.parameters():
            averages.update_parameters(module)
            parameter.add_(0.25)
    averages.update_parameters(module)
    export_architecture(module, [torch.randn(2, SIZE)], tmp_path / "m.json")
    torch.save(wrap(averages).state_dict(), tmp_path / "averages.pth")
    command = ["convert", tmp_path / "m.json", tmp_path / "averages.pth", "-o", tmp_path / "m.h5"]
    h5bridge(*command)
    assert "n_averaged" in h5bridge(*command, "--lossless", status=4)
    h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "back.pth")
    back, expected = torch.load(tmp_path / "back.pth"), averages.module.state_dict()
    assert list(back) == list(expected) and all(torch.equal(back[name], tensor) for name, tensor in expected.items())


def test_names_that_do_not_fit_are_named(tmp_path):
    """Not the number of an optimizer's parameters, which only follows from it."""
    trained = Trained(tmp_path, Distinct, lambda m: adam(m.parameters()))
    checkpoint = torch.load(trained.checkpoint)
    weights = checkpoint["model_state_dict"]
    weights["wrong.weight"] = weights.pop("last.weight")
    torch.save(checkpoint, trained.checkpoint)
    message = trained.to_keras(status=3)
    assert "missing: last.weight" in message and "unexpected: wrong.weight" in message and "optimizer" not in message
    h5bridge("validate", trained.json, trained.checkpoint, status=1)
    checkpoint["model_state_dict"] = {"net." + name: tensor for name, tensor in weights.items()}
    torch.save(checkpoint, trained.checkpoint)
    message = trained.to_keras(status=3)
    assert "missing: last.weight" in message and "unexpected: wrong.weight" in message


# --- Home from Keras --------------------------------------------------------------------------------------------------------


def fine_tune(source, saved, optimizer=None):
    """Keras trains on, and saves: what it does not know is gone."""
    model = keras.saving.load_model(source)
    model.compile(optimizer or keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError())
    x = np.random.default_rng(0).normal(size=(16, SIZE)).astype("float32")
    model.fit(x, x[:, : model.output_shape[1]] * 0.5, epochs=2, batch_size=8, verbose=0)
    model.save(saved)
    return model


def resume(path, make, make_optimizer):
    """As PyTorch's documentation does it."""
    checkpoint = torch.load(path, weights_only=True)
    module = make()
    optimizer = make_optimizer(module)
    module.load_state_dict(checkpoint["model_state_dict"], strict=False)
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    return module, optimizer


def assert_same_steps(trained, module, optimizer):
    """As many steps on give both the same weights."""
    train(trained.module, trained.optimizer, seed=5)
    train(module, optimizer, seed=5)
    for (name, one), other in zip(trained.module.named_parameters(), module.parameters(), strict=True):
        assert torch.equal(one, other), name


def assert_state_of(optimizer, module, variables, layers):
    for layer in layers:
        for weight, keras_name in (("weight", "kernel"), ("bias", "bias")):
            found = optimizer.state[getattr(getattr(module, layer), weight)]["exp_avg"].numpy()
            expected = next(v for path, v in variables.items() if path.endswith(f"{layer}_{keras_name}_momentum"))
            assert np.array_equal(found, expected.T), (layer, weight)


def assert_holds(found, expected):
    """All variables of an optimizer are there. Keras counts the optimizers of a session in their names: adam_1."""
    found = {path.split("/", 1)[1]: variable for path, variable in found.items()}
    assert all(np.array_equal(found[path.split("/", 1)[1]], variable) for path, variable in expected.items())


@pytest.mark.parametrize("frozen", [[], ["second"]], ids=["all trained", "a frozen layer"])
def test_home_in_the_order_of_registration(tmp_path, frozen):
    def make():
        module = Shuffled()
        for name in frozen:
            getattr(module, name).requires_grad_(False)
        return module

    trained = Trained(tmp_path, make, lambda m: adam(m.parameters()))
    trained.to_keras()
    model = keras.saving.load_model(tmp_path / "ck.h5")
    for name in frozen:
        model.get_layer(name).trainable = False
    model.save(tmp_path / "frozen.h5")
    fine_tune(tmp_path / "frozen.h5", tmp_path / "keras.h5")
    h5bridge("convert", trained.json, tmp_path / "keras.h5", "-o", tmp_path / "home.pth", "--checkpoint", "--epoch", 3, "--loss", 0)
    checkpoint = torch.load(tmp_path / "home.pth")
    assert list(checkpoint["model_state_dict"]) == [name for name in trained.module.state_dict() if not name.startswith("aux.")]
    module, optimizer = resume(tmp_path / "home.pth", make, trained.make_optimizer)
    assert_state_of(optimizer, module, optimizer_of(tmp_path / "keras.h5"), {"first", "second", "out"} - set(frozen))
    assert {p for p in module.parameters() if p in optimizer.state} == {
        p for name, p in module.named_parameters() if name.split(".")[0] not in {"aux", *frozen}
    }
    train(module, optimizer)
    # And to Keras again.
    h5bridge("convert", trained.json, tmp_path / "home.pth", "-o", tmp_path / "again.h5")
    assert_holds(optimizer_of(tmp_path / "again.h5"), optimizer_of(tmp_path / "keras.h5"))


def test_an_order_that_is_not_known_is_not_guessed(tmp_path):
    trained = Trained(tmp_path, lambda: without_norm(Shuffled()), lambda m: adam(m.parameters()), without_state_dict)
    trained.to_keras()
    fine_tune(tmp_path / "ck.h5", tmp_path / "keras.h5")
    convert = ["convert", trained.json, tmp_path / "keras.h5", "-o", tmp_path / "home.pth", "--checkpoint"]
    message = h5bridge(*convert, status=4)
    assert "does not say in which order PyTorch registers" in message and "--param-order" in message
    names = [name for name, _ in trained.module.named_parameters()]
    assert "'aux.weight' is no parameter" in h5bridge(*convert, *stated(tmp_path, names), status=2)
    names = [name for name in names if not name.startswith("aux.")]
    assert "'first.bias' is missing" in h5bridge(*convert, *stated(tmp_path, names[:-1]), status=2)
    h5bridge(*convert, *stated(tmp_path, names))
    group = torch.load(tmp_path / "home.pth")["optimizer_state_dict"]["param_groups"][0]
    assert group["param_names"] == ["out.weight", "out.bias", "second.weight", "second.bias", "first.weight", "first.bias"]


def test_a_frozen_layer_of_keras_comes_back(tmp_path):
    """Its own checkpoint, which counts all parameters, as Adam(model.parameters()) does."""
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((SIZE,)), keras.layers.Dense(SIZE, name="base"), keras.layers.Dense(SIZE, name="top")])
    model.layers[0].trainable = False
    model.compile("adam", keras.losses.MeanSquaredError())
    model.save(tmp_path / "model.h5")
    fine_tune(tmp_path / "model.h5", tmp_path / "model.h5", "adam")
    h5bridge("convert", tmp_path / "model.h5", "-o", tmp_path / "m.json", "-o", tmp_path / "m.pth", "--checkpoint")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "back.h5")
    expected, found = optimizer_of(tmp_path / "model.h5"), optimizer_of(tmp_path / "back.h5")
    assert len(expected) == 2 + 2 * 2 == len(found)
    assert_holds(found, expected)

    module = nn.Sequential()
    module.base, module.top = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
    module.base.requires_grad_(False)
    checkpoint = torch.load(tmp_path / "m.pth")
    optimizer = adam(module.parameters())
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    assert_state_of(optimizer, module, expected, ["top"])
    assert module.base.weight not in optimizer.state
    train(module, optimizer)


# --- What Keras has no place for --------------------------------------------------------------------------------------------


def frozen_later(folder):
    """A layer that was trained, and is frozen by now."""

    def trained_whole(module):
        optimizer = adam(module.parameters())
        train(module, optimizer, steps=2)
        return optimizer

    trained = Trained(folder, Shuffled, trained_whole)
    trained.module.second.requires_grad_(False)
    export_architecture(trained.module, torch.zeros(2, SIZE), trained.json)
    return trained


def test_state_of_what_was_frozen_later_is_said_to_be_kept_beside(tmp_path):
    trained = frozen_later(tmp_path)
    notes = json.loads(trained.to_keras("--json"))["notes"]
    (note,) = [note for note in notes if "kept where Keras does not read it" in note]
    assert "state of second.bias and second.weight" in note
    assert "second.weight" in trained.to_keras("--lossless", status=4)
    h5bridge("convert", tmp_path / "ck.h5", "-o", tmp_path / "back.pth", "--checkpoint")
    found = torch.load(tmp_path / "back.pth")["optimizer_state_dict"]["state"]
    expected = trained.optimizer.state_dict()["state"]
    assert list(found) == list(expected)
    assert all(torch.equal(found[i][slot], value) for i, slots in expected.items() for slot, value in slots.items())


def test_an_optimizer_over_a_part_is_said_to_be_one_over_all_in_keras(tmp_path):
    trained = Trained(tmp_path, Distinct, lambda m: adam(m.last.parameters()))
    notes = json.loads(trained.to_keras("--json"))["notes"]
    assert len(notes) == 1 and "without first.bias and first.weight, and all of them in Keras" in notes[0]
    assert "first.weight" in trained.to_keras("--lossless", status=4)
    # What is frozen is not trained in Keras, either.
    trained.module.first.requires_grad_(False)
    export_architecture(trained.module, torch.zeros(2, SIZE), trained.json)
    assert json.loads(trained.to_keras("--json", "--lossless"))["notes"] == []
