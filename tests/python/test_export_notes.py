"""What the exporter says of a forward beside its layers, what it leaves as it was, and which sizes it fixes."""

import importlib
import json
import os
import subprocess
import sys
from collections import namedtuple

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from program import ROOT, package
from torch_helpers import assert_same_state, exporter

needs_package = pytest.mark.skipif(package is None, reason="the Python package is not built")
EVALUATION = "the layers are those of evaluation"


class Forward(nn.Module):
    """A Linear, and then a function that is told the module and the Linear's result."""

    def __init__(self, function, features=4):
        super().__init__()
        self.function, self.fc, self.table = function, nn.Linear(features, features), None
        self.register_buffer("mean", torch.zeros(features))

    def forward(self, x):
        return self.function(self, self.fc(x))


# --- What is done in training alone ----------------------------------------------------------------------------------


class DropPath(nn.Module):
    def __init__(self, probability):
        super().__init__()
        self.probability = probability

    def forward(self, x):
        if not self.training or self.probability == 0:
            return x
        kept = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(1 - self.probability)
        return x * kept / (1 - self.probability)


class Block(nn.Module):
    """In which F.dropout, of what another module does in training, is a layer."""

    def __init__(self, probability):
        super().__init__()
        self.fc, self.drop_path = nn.Linear(4, 4), DropPath(probability)

    def forward(self, x):
        return F.dropout(x + self.drop_path(self.fc(x)), 0.1, self.training)


def test_the_modules_that_do_something_else_in_training_are_named():
    blocks = nn.Sequential(Block(0.0), Block(0.25), Block(0.5), nn.Dropout(0.5)).train()
    notes = exporter.describe(blocks, torch.zeros(2, 4))["notes"]
    assert notes == [f"in 1.drop_path (DropPath): asks whether it is training, as 1 more DropPath do; {EVALUATION}"]
    assert all(module.training for module in blocks.modules())


def update_in_training(module, x):
    if module.training:
        module.mean.copy_(x.mean(0))
    return x - module.mean


def auxiliary_in_training(module, x):
    return (x, module.fc(x)) if module.training else (x, x)


def fails_in_training(module, x):
    if module.training:
        raise ValueError("no targets")
    return x * 2


def turns_what_it_is_given(module, x):
    return x.t_() if module.training else x * 2


@pytest.mark.parametrize("function", [
    lambda module, x: x if module.training else x.softmax(-1),
    lambda module, x: x.relu() if module.training else x,
    lambda module, x: {"a": x, "b": x.exp()} if module.training else {"b": x, "a": x.exp()},
    lambda module, x: F.dropout(x, 0.5, True) if module.training else x,
    lambda module, x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5 if module.training else 0.0),
    lambda module, x: F.batch_norm(x, module.mean, module.mean + 1, training=module.training),
    lambda module, x: x * x.mean().item() if module.training else x,
    update_in_training, auxiliary_in_training, fails_in_training, turns_what_it_is_given,
])  # fmt: skip
def test_what_forward_does_in_training_alone_is_noted(function):
    module = nn.Sequential(Forward(function))
    notes = exporter.describe(module, torch.rand(2, 4))["notes"]
    assert notes[:1] == [f"in 0 (Forward): asks whether it is training; {EVALUATION}"]
    assert notes[1:] == [] and torch.equal(module[0].mean, torch.zeros(4))


class Turned(nn.Module):
    """Whose first part turns its own input in training, so that evaluation cannot go on from there."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.last = DropPath(0.5)

    def forward(self, x):
        if self.training:
            x.t_()
        return self.last(self.fc(x + 1))


def test_what_could_not_be_compared_is_named_as_well():
    notes = exporter.describe(nn.Sequential(nn.Linear(4, 4), Turned()), torch.rand(3, 4))["notes"]
    assert notes == [
        f"in 1 (Turned): asks whether it is training; {EVALUATION}",
        f"in 1.last (DropPath): asks whether it is training; {EVALUATION}",
    ]


def cached(module, x):
    if module.table is None:
        module.table = torch.arange(4.0)
    return F.dropout(x + module.table, training=module.training)


@pytest.mark.parametrize("function", [
    cached,
    lambda module, x: F.dropout(x, 0.25, module.training),
    lambda module, x: F.feature_alpha_dropout(torch.dropout(x, 0.5, train=module.training), 0.5, module.training),
    lambda module, x: F.rrelu(x, training=module.training),
    lambda module, x: x.relu() if module.training else F.relu(x),
], ids=range(5))  # fmt: skip
def test_dropouts_that_are_layers_need_no_note(function):
    assert "notes" not in exporter.describe(Forward(function), torch.rand(2, 4))


def test_modules_of_pytorchs_own_need_no_note():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1, enable_nested_tensor=False)
    module = nn.Sequential(encoder, nn.BatchNorm1d(5), nn.Dropout())
    assert "notes" not in exporter.describe(module.train(), torch.rand(2, 5, 4))


def test_a_normalisation_that_is_kept_in_evaluation_is_noted():
    def notes(module):
        return exporter.describe(module, torch.rand(2, 3)).get("notes", [])

    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4))
    assert not notes(module) and not notes(module.eval())
    module.train()[1].eval()
    assert any("in 1 (BatchNorm1d): is in eval() inside a module in train()" in note for note in notes(module))
    module[1].requires_grad_(False)  # as Keras's, which then keeps its statistics
    assert not notes(module)


def test_a_part_that_is_assigned_is_refused_with_what_to_write_instead():
    def assigned(module, y):
        y[:, 0] = 0
        return y

    with pytest.raises(exporter.ExportError, match="__setitem__ changes a tensor in place: torch.where and torch.cat"):
        exporter.describe(Forward(assigned), torch.rand(2, 4))


@pytest.mark.parametrize("arguments", (["--help"], ["x.py:X", "-o", "x.json", "--input-shape", "2,3"]), ids=("help", "run"))
def test_without_pytorch_the_program_says_so_in_a_line(arguments, tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    done = subprocess.run([sys.executable, ROOT / "tools/h5bridge_export.py", *arguments], cwd=tmp_path,
                          env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 5 and len(done.stderr.splitlines()) == 1 and "PyTorch is not installed" in done.stderr, done.stderr


def test_a_spectral_norm_is_that_of_evaluation():
    module = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    [note] = exporter.describe(module, torch.rand(2, 4))["notes"]
    assert note == f"in 0.parametrizations.weight.0 (_SpectralNorm): asks whether it is training; {EVALUATION}"
    assert_same_state(dict(module.state_dict()), before)


# --- The form of what forward returns --------------------------------------------------------------------------------

Pair = namedtuple("Pair", "first second")


class Output(dict):
    """As other packages' results are, whose items are attributes, too."""


FORMS = [
    (lambda x: (x,), "gives (Tensor,), which here is Tensor"),
    (lambda x: [x], "gives [Tensor], which here is Tensor"),
    (lambda x: (x, None), "gives (Tensor, None), which here is Tensor"),
    (lambda x: [x, x * 2], "gives [Tensor, Tensor], which here is (Tensor, Tensor)"),
    (lambda x: Pair(x, x * 2), "gives Pair(first=Tensor, second=Tensor), which here is (Tensor, Tensor)"),
    (lambda x: (x, (x * 2, x + 1)), "gives (Tensor, (Tensor, Tensor)), which here is (Tensor, Tensor, Tensor)"),
    (lambda x: {"b": [x, (x * 2,)], "a": {"c": x}},
     "gives {'b': [Tensor, (Tensor,)], 'a': {'c': Tensor}}, which here is "
     "{'b.0': Tensor, 'b.1': Tensor, 'a.c': Tensor}"),
    (lambda x: {0: x}, "gives {0: Tensor}, which here is {'0': Tensor}"),
    (lambda x: {"a": x, "b": None}, "gives {'a': Tensor, 'b': None}, which here is {'a': Tensor}"),
    (lambda x: Output(logits=x), "gives Output{'logits': Tensor}, which here is {'logits': Tensor}"),
]  # fmt: skip


@pytest.mark.parametrize("function, note", FORMS)
def test_another_form_of_the_outputs_is_noted(function, note):
    module = Forward(lambda module, x: function(x))
    assert exporter.describe(module, torch.zeros(2, 4))["notes"] == [f"in forward: {note}"]


@pytest.mark.parametrize("function", [lambda x: x, lambda x: (x, x * 2), lambda x: {"a": x, "b": x * 2}])
def test_the_form_that_stays_needs_no_note(function):
    assert "notes" not in exporter.describe(Forward(lambda module, x: function(x)), torch.zeros(2, 4))


def test_a_long_form_is_shortened():
    [note] = exporter.describe(Forward(lambda module, x: [x] * 40), torch.zeros(2, 4))["notes"]
    assert len(note) < 300 and note.count("...") == 2


@needs_package
def test_the_notes_of_a_live_module_are_those_of_its_files(tmp_path):
    def kept(module, x):
        module.mean += 1
        return (x - module.mean if module.training else x + module.mean,)

    model = package.from_torch(Forward(kept), torch.rand(2, 4))
    assert [note.split()[2] for note in model.notes] == ["asks", "keeps", "gives"]
    files = [tmp_path / "m.json", tmp_path / "m.pth"]
    assert model.save(files) == []
    assert package.load(files).notes == model.notes
    printed = package.convert(files, tmp_path / "m.keras")
    assert [note.partition(": ")[2] for note in printed] == model.notes


# --- The module as it was --------------------------------------------------------------------------------------------


def in_place(module, x):
    with torch.no_grad():
        module.fc.weight.mul_(0.5)
        torch.add(module.fc.bias.detach(), 1, out=module.fc.bias)
    return x


def other_memory(module, x):
    module.fc.weight.data = module.fc.weight.data * 2
    return x


@pytest.mark.parametrize("function", [in_place, other_memory])
def test_parameters_that_forward_changes_are_those_from_before(function):
    module = Forward(function)
    shared = torch.rand(20)  # as an RNN on a GPU has its parameters
    module.fc.weight, module.fc.bias = nn.Parameter(shared[:16].view(4, 4)), nn.Parameter(shared[16:])
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    places = [parameter.data_ptr() for parameter in module.parameters()]
    try:
        exporter.describe(module, torch.rand(2, 4))
    except exporter.ExportError:
        pass  # what it does may have no layer
    assert_same_state(dict(module.state_dict()), before)
    assert [p.data_ptr() for p in module.parameters()] == places


@needs_package
def test_a_table_that_lookups_shorten_has_the_values_from_before():
    module = nn.Sequential(nn.Embedding(9, 4, max_norm=1.0), nn.Linear(4, 2))
    with torch.no_grad():
        module[0].weight.mul_(10)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    model = package.from_torch(module, torch.arange(6).view(2, 3))
    assert_same_state(dict(module.state_dict()), before)
    assert_same_state(dict(model.state_dict()), before)


def test_a_lazy_module_that_was_never_called_is_named():
    module = nn.Sequential(nn.Linear(3, 4), nn.LazyLinear(2))
    for call in (exporter.describe, *([package.from_torch] if package else [])):
        with pytest.raises((exporter.ExportError, *([package.Unsupported] if package else []))) as error:
            call(module, torch.zeros(2, 3))
        assert "1 (LazyLinear): is not initialised" in str(error.value) and "call the module once" in str(error.value)
    assert isinstance(module[1], nn.LazyLinear)
    module(torch.zeros(2, 3))
    assert [layer["type"] for layer in exporter.describe(module, torch.zeros(2, 3))["layers"]] == ["Linear", "Linear"]


# --- Sizes -----------------------------------------------------------------------------------------------------------


class Pooled(nn.Module):
    """Whose length is open, and whose pictures are halved."""

    def forward(self, ids, pictures):
        halves = F.interpolate(F.max_pool2d(pictures, 2), scale_factor=2)
        return ids.float().mean(1) + (pictures + halves).mean((1, 2, 3))


INPUTS = {"ids": torch.zeros(2, 7, dtype=torch.int64), "pictures": torch.rand(2, 3, 8, 12)}


def test_sizes_are_bound_to_numbers():
    def shapes(**sizes):
        return [x["shape"] for x in exporter.describe(Pooled(), INPUTS, fix_size=sizes)["inputs"]]

    open_sizes = [["batch", "length"], ["batch", "channels", "2*height_by_2", "2*width_by_2"]]
    assert [x["shape"] for x in exporter.describe(Pooled(), INPUTS)["inputs"]] == open_sizes == shapes()
    assert shapes(length=128, width_by_2=5) == [["batch", 128], ["batch", "channels", "2*height_by_2", 10]]
    assert shapes(batch=4, height_by_2=4) == [[4, "length"], [4, "channels", 8, "2*width_by_2"]]
    assert INPUTS["ids"].shape == (2, 7)


@pytest.mark.parametrize("sizes, message", [
    ({"lenght": 3}, 'no size is called "lenght"; the open sizes are: batch, channels, height_by_2, length, width_by_2'),
    ({"length": 0}, 'the size "length" is 0, expected at least 1'),
])  # fmt: skip
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(exporter.SizeError, match=message):
        exporter.describe(Pooled(), INPUTS, fix_size=sizes)


@needs_package
def test_a_live_module_has_its_sizes_bound():
    module = Forward(lambda module, x: x.transpose(1, 2))
    model = package.from_torch(module, torch.zeros(2, 5, 4), fix_size={"length": 9})
    assert model.architecture["inputs"][0]["shape"] == ["batch", 9, 4]
    with pytest.raises(package.UsageError, match='no size is called "height"; the open sizes are: batch, length'):
        package.from_torch(module, torch.zeros(2, 5, 4), fix_size={"height": 9})
    with pytest.raises(package.UsageError, match="fix_size"):
        package.from_torch(module, torch.zeros(2, 5, 4), fix_size=9)


def test_the_program_binds_sizes(tmp_path, monkeypatch, capsys):
    (tmp_path / "net.py").write_text("from torch import nn\nnet = nn.Linear(4, 2)\n")
    written = tmp_path / "net.json"
    main = importlib.import_module(f"{exporter.__name__}.command").main

    def run(size):
        given = [f"{tmp_path / 'net.py'}:net", "--input-shape", "2,5,4", "-o", str(written), "--fix-size", size]
        monkeypatch.setattr(sys, "argv", ["h5bridge_export", *given])
        monkeypatch.setattr(sys, "path", list(sys.path))
        return main(), capsys.readouterr().err

    assert run("length=9") == (0, "") and json.loads(written.read_text())["inputs"][0]["shape"] == ["batch", 9, 4]
    assert run("depth=9") == (2, 'h5bridge_export: no size is called "depth"; the open sizes are: batch, length\n')
    with pytest.raises(SystemExit):
        run("length")
    assert "expected NAME=N" in capsys.readouterr().err


def test_the_program_names_arguments_and_lines_of_the_user(tmp_path, monkeypatch, capsys):
    (tmp_path / "user_net.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self, classes, decides=False):\n        super().__init__()\n"
        "        self.fc = nn.Linear(4, classes)\n        self.decides = decides\n\n    def forward(self, x):\n"
        "        if self.decides and x.sum() > 0:\n            x = -x\n        return self.fc(x)\n"
    )
    main = importlib.import_module(f"{exporter.__name__}.command").main

    def run(*arguments):
        given = [f"{tmp_path / 'user_net.py'}:Net", "--input-shape", "2,4", "-o", str(tmp_path / "net.json"), *arguments]
        monkeypatch.setattr(sys, "argv", ["h5bridge_export", *given])
        monkeypatch.setattr(sys, "path", list(sys.path))
        return main(), capsys.readouterr().err

    status, said = run()
    assert status == 2 and "Net(classes, decides=False): missing a required argument: 'classes'; --arguments" in said
    assert run("--arguments", '{"classes": 3}')[0] == 0 and (tmp_path / "net.json").exists()
    assert run("--arguments", '{"clases": 3}')[0] == 2
    status, said = run("--arguments", '{"classes": 3, "decides": true}')
    assert status == 4 and "__bool__ makes the graph depend on a tensor's values (user_net.py, line 11)" in said
    for wrong in ("17", "{"):
        with pytest.raises(SystemExit):
            run("--arguments", wrong)
        assert "expected a JSON object of the constructor's arguments" in capsys.readouterr().err


FIXED = {
    "instance_norm": (lambda x: F.instance_norm(x), (2, 3, 4), ["batch", 3, 4]),
    "group_norm": (lambda x: F.group_norm(x, 1), (2, 3, 4), ["batch", 3, 4]),
    "fold": (lambda x: F.fold(F.unfold(x, 3, padding=1), (5, 4), 3, padding=1), (2, 3, 5, 4), ["batch", 3, 5, 4]),
    "Fold": (lambda x: nn.Fold((5, 4), 3, padding=1)(F.unfold(x, 3, padding=1)), (2, 3, 5, 4), ["batch", 3, 5, 4]),
    "interpolate": (lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True),
                    (2, 3, 5, 4), ["batch", "channels", 5, 4]),
}  # fmt: skip


@needs_package
@pytest.mark.parametrize("name", FIXED)
def test_sizes_that_a_layer_takes_for_numbers_are_fixed(name):
    function, shape, expected = FIXED[name]
    module = Forward(lambda module, x: function(x)).eval()
    model = package.from_torch(module, torch.rand(shape))
    assert model.architecture["inputs"][0]["shape"] == expected
    assert model.notes and all("for a number, and so the size" in note for note in model.notes)
    found = model.to_torch().eval()
    for batch in (1, 3):
        x = torch.randn(batch, *shape[1:])
        assert torch.equal(found(x), module(x))


@needs_package
def test_open_sizes_times_an_even_scale_stay_open():
    model = package.from_torch(Forward(lambda module, x: F.interpolate(x, scale_factor=1.75)), torch.rand(2, 3, 5, 4))
    assert model.architecture["inputs"][0]["shape"] == ["batch", "channels", "height", 4] and model.notes == []


# --- How inputs are called -------------------------------------------------------------------------------------------


def test_an_input_keeps_its_name_whatever_layers_are_called():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.x, self.y, self.z = nn.Linear(4, 4), nn.Linear(4, 4), nn.Parameter(torch.rand(4))

        def forward(self, x, z):
            return self.x(self.x(x)) + self.y(z) * self.z

    described = exporter.describe(Named(), (torch.zeros(2, 4), torch.zeros(2, 4)))
    assert [entry["name"] for entry in described["inputs"]] == ["x", "z"] and "notes" not in described and described["h5bridge"] == 2
    entries = [(entry["name"], entry.get("layer"), entry.get("call")) for entry in described["layers"]]
    assert entries == [("x_1", "x", None), ("x_2", None, "x"), ("y", None, None), ("z_1", "z", None), ("mul", None, None), ("add", None, None)]
