"""torch.cond, whose branches stand in the graph like all else: one of them is computed, and Keras computes both."""

import numpy as np
import pytest
import torch
from torch import nn
from torch._higher_order_ops import scan, while_loop
from torch._higher_order_ops.map import map as torch_map

from condition_networks import Branching, Convolutions, Looking, plainly, ways, written
from exported_programs import both_architectures, normal_form, save_both
from keras_helpers import assert_close, keras, predict
from program import h5bridge, needs_libtorch, needs_program, package, run_program
from torch_helpers import export_architecture, exporter

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = needs_program


def bits(tensors):
    return [tensor.detach().numpy().tobytes() for tensor in (tensors if isinstance(tensors, (list, tuple)) else [tensors])]


def outputs_of(folder, source, x):
    np.save(folder / "x.npy", x.numpy())
    h5bridge("run", *source, "--exact", "--input", folder / "x.npy", "-o", folder / "y.npz")
    with np.load(folder / "y.npz") as made:
        return [made[name].tobytes() for name in made]


@pytest.fixture(scope="module")
def branching(tmp_path_factory):
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("branching")
    module = Branching().eval()
    save_both(module, (torch.randn(3, 5),), folder)
    return module, folder


def test_the_exporter_and_an_exported_program_say_the_same(branching):
    by_exporter, by_program = map(normal_form, both_architectures(branching[1]))
    assert by_program == by_exporter
    assert [layer["type"] for layer in by_exporter["layers"]].count("cond") == 4


@needs_libtorch
def test_each_way_has_pytorch_s_bits(branching):
    module, folder = branching
    for batch, source in ((3, [folder / "m.pt2"]), (1, [folder / "m.json", folder / "m.pth"])):
        for x in list(ways(batch))[::3]:
            assert outputs_of(folder, source, x) == bits(plainly(module, x))


def test_python_source_has_an_if(branching):
    module, folder = branching
    package.convert(folder / "m.pt2", [folder / "n.py", folder / "n.pth"])
    text = (folder / "n.py").read_text()
    assert text.count("if ") == text.count("else:") == 3 and text.count("\n            if ") == 1
    network = written(folder, "Branching")
    for batch in (3, 1):
        for x in ways(batch):
            assert bits(network(x)) == bits(plainly(module, x))


def test_torchscript_has_an_if_and_comes_home(branching):
    module, folder = branching
    sources = [folder / "m.json", folder / "m.pth"]
    package.convert(sources, folder / "m.ts")
    network = torch.jit.load(folder / "m.ts")
    for batch in (3, 1):
        for x in ways(batch):
            assert bits(network(x)) == bits(plainly(module, x))
    assert package.load(folder / "m.ts").architecture == package.load(sources).architecture


def test_scripted_conditions_are_read(tmp_path):
    """Python's own `if` on a tensor's values, as torch.jit.script has it."""

    class Scripted(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 6), nn.Linear(4, 6)

        def forward(self, x):
            if bool(x.sum() > 0):
                y, scale = self.first(x), 2.0
            else:
                y, scale = self.second(x).relu_(), 2.0
            return y * scale

    torch.manual_seed(4)
    module = torch.jit.script(Scripted()).eval()
    module.save(tmp_path / "m.ts")
    run_program("convert", tmp_path / "m.ts", "--trust-torchscript", "-o", tmp_path / "n.py", "-o", tmp_path / "n.pth")
    network = written(tmp_path, "Scripted")
    for x in (torch.rand(3, 4), -torch.rand(1, 4)):
        assert bits(network(x)) == bits(plainly(module, x))


def test_keras_computes_both_and_says_so(branching):
    module, folder = branching
    run_program("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.keras", "--report", folder / "report.json")
    assert "computes both" in (folder / "report.json").read_text()
    model = keras.models.load_model(folder / "m.keras")
    for x in ways(3):
        for found, expected in zip(predict(model, [x.numpy()]).values(), plainly(module, x), strict=True):
            assert_close(found, expected.numpy(), 1e-6)
    assert "computes both" in run_program("convert", folder / "m.pt2", "-o", folder / "l.keras", "--lossless", status=4)


@needs_libtorch
def test_images_choose_before_their_channels_move(tmp_path):
    torch.manual_seed(5)
    module = Convolutions().eval()
    export_architecture(module, torch.randn(3, 3, 5, 6), tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    package.convert([tmp_path / "m.json", tmp_path / "m.pth"], tmp_path / "m.keras")
    model = keras.models.load_model(tmp_path / "m.keras")
    assert not [layer for layer in model.layers if "permute" in layer.name.lower()]
    for x in (torch.rand(3, 3, 5, 6), -torch.rand(1, 3, 5, 6)):
        assert_close(next(iter(predict(model, [x.permute(0, 2, 3, 1).numpy()]).values())), plainly(module, x).numpy(), 1e-5)
        assert outputs_of(tmp_path, [tmp_path / "m.json", tmp_path / "m.pth"], x) == bits(plainly(module, x))


@needs_libtorch
def test_the_other_branch_is_not_computed(tmp_path):
    """It would be an error."""
    torch.manual_seed(6)
    module, known, unknown = Looking().eval(), torch.tensor([[0, 3], [2, 1]]), torch.tensor([[9, -3]])
    save_both(module, (known,), tmp_path)
    package.convert(tmp_path / "m.pt2", [tmp_path / "n.py", tmp_path / "n.pth", tmp_path / "n.ts"])
    network = written(tmp_path, "Looking")
    for x in (known, unknown):
        expected = bits(plainly(module, x))
        assert outputs_of(tmp_path, [tmp_path / "m.pt2"], x) == expected
        assert bits(network(x)) == bits(torch.jit.load(tmp_path / "n.ts")(x)) == expected


LOOPS = {
    "while_loop": lambda x: while_loop(lambda i, y: i.sum() < 3, lambda i, y: (i + 1, y * 2), (torch.zeros(1), x))[1],
    "scan": lambda x: scan(lambda carry, y: (carry + y, carry.clone()), x[0], x)[1],
    "map": lambda x: torch_map(lambda y: y.sin(), x),
}


class Of(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_are_refused_by_name(loop, tmp_path):
    module, x = Of(LOOPS[loop]), torch.randn(3, 4)
    with pytest.raises(exporter.ExportError, match=f"in forward: {loop} calls a function over and over, which no layer does"):
        exporter.describe(module, (x,))
    torch._dynamo.reset()  # what ran the example is in the way of the export
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    assert loop in run_program("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", status=4)


REFUSED = {
    "a branch changes a tensor in place that it has not made itself": lambda x: torch.cond(x.sum() > 0, lambda a: a.add_(1), lambda a: a * 1, (x * 1,)),
    "its branches give results of two kinds": lambda x: torch.cond(x.sum() > 0, lambda a: a + 1, lambda a: (a * 1).int(), (x,)),
    "its branches give results of two forms": lambda x: torch.cond(x.sum() > 0, lambda a: (a + 1, a * 2), lambda a: a * 1, (x,)),
}  # fmt: skip


@pytest.mark.parametrize("problem", REFUSED)
def test_what_no_condition_may_do(problem):
    with pytest.raises(exporter.ExportError, match=f"in forward: torch.cond: {problem}"):
        exporter.describe(Of(REFUSED[problem]), (torch.randn(3, 4),))
