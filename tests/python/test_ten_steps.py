"""Ten steps of training in two frameworks: five in Keras on what PyTorch began, five more in PyTorch on what Keras saved,
equal ten in PyTorch alone. The network has all that makes names and order matter: modules registered in another order than
forward calls them, layers of one shape, a tie, frozen and unused parameters, an optimizer of named groups."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import h5py, keras
from program import h5bridge, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program

STEPS, BATCH, LENGTH, WORDS, WIDTH = 5, 3, 7, 11, 6
TOLERANCE = 1e-5
CALL = "optimizer.exclude_from_weight_decay("


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.auxiliary = nn.Linear(WIDTH, WIDTH)  # forward does not use it
        self.last = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.frozen = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.first = nn.Linear(WIDTH, WIDTH)
        self.tokens = nn.Embedding(WORDS, WIDTH)
        self.head.weight = self.tokens.weight

    def forward(self, ids):
        x = torch.tanh(self.first(self.tokens(ids)))
        x = self.norm(torch.relu(self.frozen(x)) + x)
        return self.head(torch.tanh(self.last(x)))


def groups_of(module, **settings):
    """Two named groups, the first of which holds what was registered last."""
    named = list(module.named_parameters())
    return [
        {"params": [pair for pair in named if pair[0].startswith(("first", "norm"))]},
        {"params": [pair for pair in named if not pair[0].startswith(("first", "norm"))], **settings},
    ]


OPTIMIZERS = {
    "sgd": lambda module: torch.optim.SGD(groups_of(module), lr=0.05),
    "momentum": lambda module: torch.optim.SGD(groups_of(module), lr=0.02, momentum=0.9),
    "adam": lambda module: torch.optim.Adam(groups_of(module), lr=0.002, betas=(0.85, 0.99)),
    "adamw": lambda module: torch.optim.AdamW(groups_of(module), lr=0.002, weight_decay=0.03),
    "adamw_with_undecayed": lambda module: torch.optim.AdamW(groups_of(module, weight_decay=0.0), lr=0.002, weight_decay=0.03),
}


def batches(seed):
    random = np.random.default_rng(seed)
    for _ in range(STEPS):
        yield random.integers(0, WORDS, (BATCH, LENGTH)), random.standard_normal((BATCH, LENGTH, WORDS), dtype=np.float32)


def train_in_pytorch(module, optimizer, seed):
    for ids, targets in batches(seed):
        optimizer.zero_grad()
        nn.functional.mse_loss(module(torch.from_numpy(ids)), torch.from_numpy(targets)).backward()
        optimizer.step()


def train_in_keras(path, exclude):
    """Real Keras, as README has it: load, compile again with the whole state, train, save in the same place."""
    model = keras.models.load_model(path)
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    eval(exclude, {"optimizer": optimizer, "model": model})
    model.compile(optimizer, loss="mse")
    optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        for variable in optimizer.variables:
            variable.assign(file["optimizer_weights"][variable.path][()])
    for ids, targets in batches(seed=1):
        model.train_on_batch(ids, targets)
    model.save(path)


def call_in(notes):
    """The call by which a note says what is to be left out of the weight decay."""
    said = [note[note.index(CALL) : note.rindex(")") + 1] for note in notes if CALL in note]
    return said[0] if said else "None"


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_five_steps_in_keras_and_five_in_pytorch_are_ten_in_pytorch(kind, tmp_path):
    torch.manual_seed(5)
    module = Network()
    reference, before = copy.deepcopy(module), copy.deepcopy(module.state_dict())
    optimizer = OPTIMIZERS[kind](module)
    export_architecture(module, torch.zeros(2, LENGTH, dtype=torch.long), tmp_path / "net.json")
    checkpoint = {"epoch": 0, "model_state_dict": module.state_dict(), "optimizer_state_dict": optimizer.state_dict(), "loss": 0.0}
    torch.save(checkpoint, tmp_path / "begun.pth")
    said = json.loads(h5bridge("convert", tmp_path / "net.json", tmp_path / "begun.pth", "-o", tmp_path / "net.h5", "--json"))

    exclude = call_in(said["notes"])
    assert (exclude != "None") == (kind == "adamw_with_undecayed")
    train_in_keras(tmp_path / "net.h5", exclude)

    groups = [[name for name, _ in group["params"]] for group in groups_of(module)]
    (tmp_path / "groups.json").write_text(json.dumps(groups))
    h5bridge("convert", tmp_path / "net.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth", "--checkpoint",
             "--epoch", 1, "--loss", 0, "--param-order", tmp_path / "groups.json")  # fmt: skip
    home = torch.load(tmp_path / "home.pth", weights_only=True)
    missing = module.load_state_dict(home["model_state_dict"], strict=False)
    assert not missing.unexpected_keys and all(name.startswith("auxiliary.") for name in missing.missing_keys)
    assert module.head.weight is module.tokens.weight
    decays = [group.get("weight_decay") for group in optimizer.param_groups]
    optimizer.load_state_dict(home["optimizer_state_dict"])
    for group, decay in zip(optimizer.param_groups, decays):
        group["weight_decay"] = decay  # Keras's file does not say what is left out
    train_in_pytorch(module, optimizer, seed=2)

    expected = OPTIMIZERS[kind](reference)
    train_in_pytorch(reference, expected, seed=1)
    train_in_pytorch(reference, expected, seed=2)
    for (name, found), (_, wanted) in zip(module.named_parameters(), reference.named_parameters()):
        difference, largest = (found - wanted).abs().max().item(), wanted.abs().max().item()
        assert difference <= TOLERANCE * largest, (name, difference, largest)
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in before if name.startswith(("frozen.", "auxiliary.")))
