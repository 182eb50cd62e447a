"""Networks of other libraries' forms, exported by torch.export, compute the same in Keras and, to the bit, in LibTorch."""

import numpy as np
import pytest
import torch

import attention_networks
from keras_helpers import as_keras_has_it, assert_close, keras
from program import h5bridge, needs_libtorch, needs_program
from test_exported_programs import assert_alike

pytestmark = needs_program

OPEN = {2: (0, 1), 3: (0, 1), 4: (0,)}  # axes, by the number of them


@pytest.fixture(scope="module", params=list(attention_networks.NETWORKS))
def converted(request, tmp_path_factory):
    module, inputs = attention_networks.network(request.param)
    folder = tmp_path_factory.mktemp("network")
    axes = tuple({axis: torch.export.Dim.AUTO for axis in OPEN[x.dim()]} for x in inputs)
    with torch.no_grad():
        torch.export.save(torch.export.export(module, inputs, dynamic_shapes=axes), folder / "m.pt2")
    h5bridge("convert", folder / "m.pt2", "-o", folder / "m.h5", "-o", folder / "m.py", "-o", folder / "m.pth")
    return request.param, module, inputs, folder


def smaller(inputs):
    return tuple(x[:1, :5] if x.dim() < 4 else x[:1] for x in inputs)


def test_keras_computes_the_same_and_moves_no_axes(converted):
    name, module, inputs, folder = converted
    model = keras.models.load_model(folder / "m.h5", compile=False)
    for given in (inputs, smaller(inputs)):
        arrays = [as_keras_has_it(x.numpy(), tensor.shape) for x, tensor in zip(given, model.inputs)]
        found = keras.ops.convert_to_numpy(model(arrays if len(arrays) > 1 else arrays[0]))
        expected = module(*given).detach().numpy()
        assert_close(found, as_keras_has_it(expected, found.shape), 1e-5, name, each=False)
    kinds = [type(operation).__name__ for operation in model.operations]
    assert sum(kinds.count(kind) for kind in ("Permute", "Transpose", "Moveaxis", "Swapaxes")) <= attention_networks.MOVES.get(name, 0)


@needs_libtorch
def test_libtorch_gives_the_same_bits(converted):
    _, module, inputs, folder = converted
    names = ["ids", "mask"] if len(inputs) == 2 else ["ids" if inputs[0].dtype == torch.int64 else "x"]
    for given in (inputs, smaller(inputs)):
        np.savez(folder / "x.npz", **{name: x.numpy() for name, x in zip(names, given)})
        h5bridge("run", folder / "m.pt2", "--exact", "--input", folder / "x.npz", "-o", folder / "y.npy")
        assert np.load(folder / "y.npy").tobytes() == module(*given).detach().numpy().tobytes()


def test_python_source_gives_the_same_bits(converted):
    _, module, inputs, folder = converted
    space = {"__name__": "source"}
    exec((folder / "m.py").read_text(), space)
    made = next(kind for key, kind in space.items() if isinstance(kind, type) and key == type(module).__name__)()
    made.load_state_dict(torch.load(folder / "m.pth"))
    for given in (inputs, smaller(inputs)):
        assert torch.equal(made.eval()(*given), module(*given))


@pytest.mark.parametrize("name", ["rotary decoder", "overlapping patches"])
def test_the_exporter_describes_the_same(name, tmp_path):
    module, inputs = attention_networks.network(name)
    assert_alike(module, inputs, tmp_path)
