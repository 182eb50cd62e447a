"""`--trust-torchscript`: the graphs of archives that torch.jit.save wrote, scripted, traced and frozen, become architectures that compute the
bits of the module; what is no layer is refused by its operator."""

import json
import subprocess

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_helpers import assert_close, keras, predict
from program import PROGRAM, h5bridge, needs_libtorch, needs_program, package, run_program

pytestmark = [needs_program, needs_libtorch]


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding="same", groups=2)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return F.relu(self.drop(self.conv2(y)) + x)


class Images(nn.Module):
    """A list of blocks, conditions that sizes and settings decide, a size in a view, a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.GELU())
        self.blocks = nn.ModuleList([Block(8), Block(8)])
        self.pool = nn.AdaptiveAvgPool2d((2, 1))
        self.head = nn.Linear(16, 5)
        self.scale = nn.Parameter(torch.randn(5))
        self.pools = True

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        if self.pools and x.size(0) > 0:
            x = self.pool(x)
        return self.head(x.view(x.size(0), -1)) * self.scale


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.rnn = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 4)

    def forward(self, ids):
        y, _ = self.rnn(self.embed(ids))
        return self.head(y[:, -1])


class Pair(nn.Module):
    """Two inputs, a dict of outputs, a list of tensors."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.norm = nn.Linear(3, 4), nn.Linear(5, 4), nn.LayerNorm(4)

    def forward(self, x, y):
        p, q = torch.cat([torch.tanh(self.a(x)), self.norm(self.b(y))], 1).chunk(2, 1)
        return {"p": p, "q": q * 2 + 1}


class Again(nn.Module):
    """One layer in a loop; two outputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        for i in range(3):
            x = torch.sigmoid(self.layer(x)) + i
        return x, x.mean(dim=1)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        return self.head(self.tok(ids))


NETWORKS = {
    "images": (Images, lambda batch: [torch.randn(batch, 3, 13, 11)]),
    "words": (Words, lambda batch: [torch.randint(0, 11, (batch, 6))]),
    "pair": (Pair, lambda batch: [torch.randn(batch, 3), torch.randn(batch, 5)]),
    "again": (Again, lambda batch: [torch.randn(batch, 4)]),
    "tied": (Tied, lambda batch: [torch.randint(0, 7, (batch, 5))]),
    "sequential": (lambda: nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.SiLU(), nn.Linear(8, 3), nn.Softmax(-1)), lambda batch: [torch.randn(batch, 6)]),
}  # fmt: skip


def randomised(module):
    torch.manual_seed(6)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if name.endswith("running_var") else tensor.normal_(0, 0.3)
    return module.eval()


def notes_of(*arguments):
    """What the program says beside its results."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def outputs_of(module, inputs):
    with torch.no_grad():
        y = module(*inputs)
    return list(y.values()) if isinstance(y, dict) else list(y) if isinstance(y, tuple) else [y]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name,how", [(name, how) for name in NETWORKS for how in ("script", "trace")] + [(name, "freeze") for name in ("images", "words", "tied")])
def test_the_graph_is_read(name, how, tmp_path):
    make, inputs_of = NETWORKS[name]
    module = randomised(make())
    archive = torch.jit.trace(module, tuple(inputs_of(3)), strict=False) if how == "trace" else torch.jit.script(module)
    archive = torch.jit.freeze(archive) if how == "freeze" else archive
    torch.jit.save(archive, tmp_path / "net.ts")
    h5bridge("convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "net.json", "-o", tmp_path / "net.pth")
    architecture = json.loads((tmp_path / "net.json").read_text())
    if how != "freeze":  # which has no names left
        state = torch.load(tmp_path / "net.pth")
        assert list(state) == list(module.state_dict()) and all(torch.equal(state[key], tensor) for key, tensor in module.state_dict().items())
    assert [entry["shape"][0] for entry in architecture["inputs"]] == ["batch"] * len(architecture["inputs"])
    inputs = inputs_of(1 if how == "script" else 3)
    np.savez(tmp_path / "x.npz", **{entry["name"]: x.numpy() for entry, x in zip(architecture["inputs"], inputs, strict=True)})
    h5bridge("run", tmp_path / "net.json", tmp_path / "net.pth", "--exact", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    found = list(np.load(tmp_path / "y.npz").values())
    expected = [y.numpy() for y in outputs_of(archive if how == "freeze" else module, inputs)]
    assert len(found) == len(expected)
    for y, other in zip(found, expected):
        if how == "freeze":  # LibTorch may fuse what it has frozen
            assert_close(y, other, 1e-6)
        else:
            assert y.tobytes() == other.tobytes()


def test_it_becomes_a_keras_file(tmp_path):
    module, (x,) = randomised(Images()), NETWORKS["images"][1](3)
    torch.jit.save(torch.jit.script(module), tmp_path / "net.ts")
    assert "--trust-torchscript" in run_program("convert", tmp_path / "net.ts", "-o", tmp_path / "net.keras", status=4)
    h5bridge("convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "net.keras")
    (found,) = predict(keras.models.load_model(tmp_path / "net.keras"), [x.numpy().transpose(0, 2, 3, 1)]).values()
    assert_close(found, outputs_of(module, [x])[0].numpy(), 1e-5)
    shown = json.loads(run_program("inspect", tmp_path / "net.ts", "--json", "--trust-torchscript"))
    assert [layer["type"] for layer in shown["architecture"]["layers"][:3]] == ["Conv2d", "BatchNorm2d", "GELU"]


def test_open_sizes_may_be_bound(tmp_path):
    module = randomised(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 4, 3)))
    torch.jit.save(torch.jit.script(module), tmp_path / "net.ts")
    assert "--fix-size" in run_program("convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "no.json", status=4)
    sizes = ["--fix-size", "height=8", "--fix-size", "width=6"]
    h5bridge("convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "net.json", *sizes)
    assert json.loads((tmp_path / "net.json").read_text())["inputs"][0]["shape"] == ["batch", 1, 8, 6]


class PicturesAndNumbers(nn.Module):
    """Inputs of different ranks, the numbers' first by no weight of the pictures'; a GroupNorm, which asks for sizes; an input that is
    called as a module is."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.numbers = nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Linear(4, 8)

    def forward(self, x, numbers):
        return self.norm(self.conv(x)).mean((2, 3)) + self.numbers(numbers) + torch.arange(8.0) * 0.5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["script", "trace"])
def test_each_input_has_its_own_rank_and_is_told(how, tmp_path):
    module, inputs = randomised(PicturesAndNumbers()), [torch.randn(3, 3, 9, 7), torch.randn(3, 4)]
    archive = torch.jit.script(module) if how == "script" else torch.jit.trace(module, tuple(inputs))
    torch.jit.save(archive, tmp_path / "net.ts")
    said = notes_of("convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "net.keras", "-o", tmp_path / "net.json", "--check")
    kinds = [layer["type"] for layer in json.loads((tmp_path / "net.json").read_text())["layers"]]
    assert "new_tensor" in kinds and not {"arange", "mul"} & set(kinds)  # what constants give is computed
    assert "x (batch, 3, height, width), numbers (batch, 4) are taken" in said
    (found,) = predict(keras.models.load_model(tmp_path / "net.keras"), [inputs[0].numpy().transpose(0, 2, 3, 1), inputs[1].numpy()]).values()
    assert_close(found, outputs_of(module, inputs)[0].numpy(), 1e-5)


def test_a_shape_that_is_stated_counts(tmp_path):
    torch.jit.save(torch.jit.script(randomised(nn.Sequential(nn.Linear(4, 3), nn.Tanh()))), tmp_path / "net.ts")
    convert = ["convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "net.json"]
    for shape, expected in (((2, 5, 4), ["batch", "length", 4]), ((2, 4), ["batch", 4])):
        said = notes_of(*convert, "--input-shape", f"input={','.join(map(str, shape))}")
        assert json.loads((tmp_path / "net.json").read_text())["inputs"][0]["shape"] == expected and "is taken" in said
    assert "which does not go with (2, 5)" in run_program(*convert, "--input-shape", "input=2,5", status=2)
    assert "did you mean input?" in run_program(*convert, "--input-shape", "inputs=2,4", status=2)
    assert 'no size is called "bach"' in run_program(*convert, "--fix-size", "bach=2", status=2)
    assert "(2, 4) is taken" in notes_of(*convert, "--fix-size", "batch=2")
    if package is not None:
        found = package.load(tmp_path / "net.ts", trust_torchscript=True, input_shapes={"input": (2, 5, 4)})
        assert found.architecture["inputs"][0]["shape"] == ["batch", "length", 4]


class Repeats(nn.Module):
    def forward(self, x):
        while bool(x.sum() > 0):
            x = x - 1
        return x


class Exponential(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x):
        return torch.linalg.matrix_exp(self.inner(x).unsqueeze(2) * x.unsqueeze(1))


class Raises(nn.Module):
    def forward(self, x):
        if x.dim() < 7:
            raise ValueError("too few axes")
        return x


@pytest.mark.parametrize(
    "module,words",
    [(Repeats(), "a condition depends on values"), (Exponential(), "aten.linalg_matrix_exp"), (Raises(), "raises an exception")],
    ids=["values", "operator", "exception"],
)
def test_what_is_no_layer_is_refused(module, words, tmp_path):
    torch.jit.save(torch.jit.script(module.eval()), tmp_path / "net.ts")
    message = run_program("convert", tmp_path / "net.ts", "--trust-torchscript", "-o", tmp_path / "no.json", status=4)
    assert words in message and message.count("\n") == 1
