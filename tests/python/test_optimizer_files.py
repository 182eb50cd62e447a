"""Optimizers whose state_dict is a file of its own, as Trainer and accelerate leave it, and checkpoints of several optimizers."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from program import h5bridge, needs_program, run_program
from torch_helpers import export_architecture

pytestmark = needs_program


def network(size=5):
    torch.manual_seed(size)
    module = nn.Sequential(nn.Linear(6, size), nn.Tanh(), nn.Linear(size, 3))
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.randn(4, 6)).square().mean().backward()
        optimizer.step()
    return module, optimizer


@pytest.fixture
def apart(tmp_path):
    module, optimizer = network()
    export_architecture(module, torch.zeros(2, 6), tmp_path / "net.json")
    state = module.state_dict()
    torch.save(state, tmp_path / "net.pth")
    save_file(state, tmp_path / "net.safetensors")
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pth")
    torch.save({"epoch": None, "model_state_dict": state, "optimizer_state_dict": optimizer.state_dict(), "loss": None}, tmp_path / "whole.pth")
    return tmp_path


def same_state(folder, expected, names=("home.pth",)):
    for name in names:
        found = torch.load(folder / name, weights_only=True)["optimizer_state_dict"]
        assert found["state"].keys() == expected["state"].keys()
        for number, slots in expected["state"].items():
            assert all(torch.equal(found["state"][number][slot], value) for slot, value in slots.items())


@pytest.mark.parametrize("weights", ["net.pth", "net.safetensors"])
def test_an_optimizer_in_a_file_of_its_own(weights, apart):
    sources = [apart / "net.json", apart / weights, apart / "optimizer.pth"]
    h5bridge("convert", *sources, "-o", apart / "z.keras")
    h5bridge("convert", apart / "z.keras", "-o", apart / "home.pth", "--checkpoint")
    h5bridge("convert", *reversed(sources), "-o", apart / "direct.pth", "--checkpoint")
    same_state(apart, torch.load(apart / "optimizer.pth", weights_only=True), ["home.pth", "direct.pth"])
    h5bridge("convert", *sources, "-o", apart / "none.keras", "--no-optimizer")
    h5bridge("convert", apart / "net.json", apart / weights, "-o", apart / "weights.keras")
    assert "no" in h5bridge("convert", apart / "none.keras", "-o", apart / "x.pth", "--checkpoint", status=4)


def test_an_optimizer_s_file_may_hold_it_as_an_entry(apart):
    state = torch.load(apart / "optimizer.pth", weights_only=True)
    other = state | {"param_groups": [group | {"lr": 0.5} for group in state["param_groups"]]}
    torch.save({"optimizer": state, "step": 3}, apart / "one.pth")
    torch.save({"optimizers": {"net": state, "head": other}}, apart / "two.pth")
    for name, options in ("one.pth", []), ("one.pth", ["--optimizer-key", "optimizer"]), ("two.pth", ["--optimizer-key", "optimizers.net"]):
        h5bridge("convert", apart / "net.json", apart / "net.pth", apart / name, "-o", apart / "home.pth", "--checkpoint", *options)
        same_state(apart, state)
        assert torch.load(apart / "home.pth")["optimizer_state_dict"]["param_groups"][0]["lr"] == 1e-2
    command = ["convert", apart / "net.json", apart / "net.pth", apart / "two.pth", "-o", apart / "home.pth"]
    assert "'optimizers.net', 'optimizers.head'; choose one with --optimizer-key" in h5bridge(*command, status=2)
    assert "there is no optimizer 'net' (--optimizer-key)" in h5bridge(*command, "--optimizer-key", "net", status=2)


def test_an_optimizer_s_file_needs_its_model_and_no_other_optimizer(apart):
    message = h5bridge("convert", apart / "net.json", apart / "optimizer.pth", "-o", apart / "z.keras", status=2)
    assert "optimizer.pth: is the state_dict of an optimizer" in message
    message = h5bridge("convert", apart / "net.json", apart / "whole.pth", apart / "optimizer.pth", "-o", apart / "z.keras", status=2)
    assert "optimizer.pth: is a second optimizer, besides that in" in message
    message = h5bridge("convert", apart / "net.json", apart / "net.pth", *[apart / "optimizer.pth"] * 2, "-o", apart / "z.keras", status=2)
    assert "is a second optimizer" in message


def test_an_optimizer_s_file_that_does_not_fit_is_named(apart):
    state = torch.load(apart / "optimizer.pth", weights_only=True)
    state["state"][0]["exp_avg"] = torch.zeros(2, 2)
    state["state"][0]["exp_avg_sq"] = torch.zeros(2, 2)
    torch.save(state, apart / "optimizer.pth")
    message = h5bridge("convert", apart / "net.json", apart / "net.pth", apart / "optimizer.pth", "-o", apart / "z.pth", "--checkpoint", status=4)
    assert "optimizer" in message and "--no-optimizer" in message


def test_a_checkpoint_without_an_optimizer_s_state_is_none(apart):
    message = h5bridge("convert", apart / "whole.pth", "-o", apart / "z.pth", "--checkpoint", "--no-optimizer", status=4)
    assert "--checkpoint" in message and "--no-optimizer" in message and not (apart / "z.pth").exists()


def test_of_several_optimizers_the_one_that_fits_is_taken(tmp_path):
    (one, its), (other, others) = network(5), network(4)
    export_architecture(one, torch.zeros(2, 6), tmp_path / "net.json")
    checkpoint = {"G": one.state_dict(), "D": other.state_dict(), "optD": others.state_dict(), "optG": its.state_dict()}
    torch.save(checkpoint, tmp_path / "gan.pth")
    command = ["convert", tmp_path / "net.json", tmp_path / "gan.pth", "--key", "G", "-o"]
    notes = json.loads(run_program(*command, tmp_path / "z.keras", "--json"))["notes"]
    assert any("'optG' is taken" in note for note in notes), notes
    h5bridge(*command, tmp_path / "home.pth", "--checkpoint")
    same_state(tmp_path, its.state_dict())


def test_optimizers_that_fit_alike_are_refused(tmp_path):
    (one, its), (other, others) = network(5), network(5)
    export_architecture(one, torch.zeros(2, 6), tmp_path / "net.json")
    torch.save({"G": one.state_dict(), "D": other.state_dict(), "first": others.state_dict(), "last": its.state_dict()}, tmp_path / "gan.pth")
    message = h5bridge("convert", tmp_path / "net.json", tmp_path / "gan.pth", "--key", "G", "-o", tmp_path / "z.keras", status=4)
    assert "there are several, 'first', 'last'" in message and "--no-optimizer" in message


OWNERS = {
    "beside its model an average has none": ({"model": 0, "ema": 1}, ["optimizer"], "ema", None),
    "a usual name": ({"state_dict": 0, "state_dict_ema": 1}, ["optimizer"], "state_dict", "optimizer"),
    "no average": ({"generator": 0, "generator_ema": 1}, ["optimizer"], "generator", "optimizer"),
    "nobody's": ({"G": 0, "D": 1}, ["optimizer"], "G", None),
    "the other's": ({"G": 0, "D": 1}, ["optimizer_D"], "G", None),
    "its own": ({"G": 0, "D": 1}, ["G_optimizer"], "G", "G_optimizer"),
    "its own of two": ({"netG": 0, "netD": 1}, ["optimizer_D", "optimizer_G"], "netG", "optimizer_G"),
}


@pytest.mark.parametrize("networks, optimizers, key, taken", OWNERS.values(), ids=OWNERS.keys())
def test_an_optimizer_is_of_the_network_that_names_tell(networks, optimizers, key, taken, tmp_path):
    """Where the file has others that it fits as well."""
    pairs = [network(5), network(5)]
    export_architecture(pairs[0][0], torch.zeros(2, 6), tmp_path / "net.json")
    checkpoint = {name: pairs[place][0].state_dict() for name, place in networks.items()}
    for place, name in enumerate(optimizers):
        pairs[place][1].param_groups[0]["lr"] = 0.25 if name == taken else 0.5
        checkpoint[name] = pairs[place][1].state_dict()
    torch.save(checkpoint, tmp_path / "all.pth")
    command = ["convert", tmp_path / "net.json", tmp_path / "all.pth", "--key", key]
    notes = json.loads(run_program(*command, "-o", tmp_path / "z.keras", "--json"))["notes"]
    training = json.loads(run_program("inspect", tmp_path / "z.keras", "--json"))["training"]
    if taken:
        assert training["optimizer"]["config"]["learning_rate"] == 0.25, notes
        return
    assert not training or not training.get("optimizer"), notes
    assert any("the optimizer is left out" in note and "--optimizer-key takes it" in note for note in notes), notes
    h5bridge(*command, "-o", tmp_path / "y.keras", "--lossless", status=4)
    run_program(*command, "--optimizer-key", optimizers[0], "-o", tmp_path / "x.keras")
    assert json.loads(run_program("inspect", tmp_path / "x.keras", "--json"))["training"]["optimizer"]


def test_of_optimizers_that_fit_alike_one_is_chosen(tmp_path):
    """By its name, or by its number in a list, as Lightning keeps them."""
    (one, its), (other, others) = network(5), network(5)
    others.param_groups[0]["lr"] = 0.5
    export_architecture(one, torch.zeros(2, 6), tmp_path / "net.json")
    torch.save({"G": one.state_dict(), "D": other.state_dict(), "first": others.state_dict(), "last": its.state_dict()}, tmp_path / "gan.pth")
    torch.save({"state_dict": one.state_dict(), "optimizer_states": [others.state_dict(), its.state_dict()]}, tmp_path / "lightning.ckpt")
    for sources, chosen in ((["gan.pth", "--key", "G"], "last"), (["lightning.ckpt"], "optimizer_states.1")):
        command = ["convert", tmp_path / "net.json", tmp_path / sources[0], *sources[1:], "-o", tmp_path / "home.pth", "--checkpoint"]
        h5bridge(*command, "--optimizer-key", chosen)
        same_state(tmp_path, its.state_dict())
        assert torch.load(tmp_path / "home.pth")["optimizer_state_dict"]["param_groups"][0]["lr"] == 1e-2
        message = h5bridge(*command, "--optimizer-key", "other", status=2)
        assert "there is no optimizer 'other' (--optimizer-key)" in message and chosen in message
        assert "--optimizer-key chooses one" in h5bridge(*command, status=4)


def test_an_optimizer_in_a_dict_of_optimizers_is_found(tmp_path):
    """The only one, or that of the network's name."""
    (one, its), (other, others) = network(5), network(5)
    export_architecture(one, torch.zeros(2, 6), tmp_path / "net.json")
    torch.save({"models": {"G": one.state_dict()}, "optimizers": {"main": its.state_dict()}}, tmp_path / "one.pth")
    several = {"models": {"D": other.state_dict(), "G": one.state_dict()}, "optimizers": {"D": others.state_dict(), "G": its.state_dict()}}
    torch.save(several, tmp_path / "two.pth")
    for name, options in ("one.pth", []), ("two.pth", ["--key", "models.G"]):
        h5bridge("convert", tmp_path / "net.json", tmp_path / name, "-o", tmp_path / "home.pth", "--checkpoint", *options)
        same_state(tmp_path, its.state_dict())


def test_an_optimizer_beside_its_network_is_found(tmp_path):
    """Of networks that a checkpoint holds with an optimizer each, that which lies beside the one that is meant."""
    (one, its), (other, others) = network(5), network(5)
    export_architecture(one, torch.zeros(2, 6), tmp_path / "net.json")
    parts = {name: {"model": module.state_dict(), "optimizer": of.state_dict()} for name, module, of in (("D", other, others), ("G", one, its))}
    torch.save(parts, tmp_path / "gan.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "gan.pth", "--key", "G.model", "-o", tmp_path / "home.pth", "--checkpoint")
    same_state(tmp_path, its.state_dict())
