"""PyTorch source: what is written for every sample of the registry and for whole networks is imported, takes the state_dict strictly,
and computes the bits of LibTorch's module, which are PyTorch's."""

import ast
import copy
import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from digits import DIGITS, SOURCES, digits
from keras_helpers import keras
from keras_networks import KERAS_NETWORKS
from layer_samples import SAMPLES, flattened
from program import PACKAGE, ROOT, h5bridge, needs_libtorch, needs_program, package, run_program
from sampled import networks_in_turn
from registry_samples import each, needs_registry
from test_layers_live import assert_same_output
from torch_helpers import export_architecture
from torch_networks import NETWORKS, inputs_of
from torchvision_networks import TORCHVISION_NETWORKS

if package is None:
    pytest.skip("the Python package is not built", allow_module_level=True)
pytestmark = [needs_program, needs_registry]


def network_in(path):
    """The network of a file: its last class, made."""
    tree = ast.parse(path.read_text())
    name = [node.name for node in tree.body if isinstance(node, ast.ClassDef)][-1]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)()


def converted(folder, *sources):
    """The network of a source in `folder`, with its weights."""
    package.convert(list(sources), [folder / "network.py", folder / "network.pth"])
    network = network_in(folder / "network.py").eval()
    network.load_state_dict(torch.load(folder / "network.pth"), strict=True)
    return network


def run(network, inputs):
    with torch.no_grad():
        outputs = network(*inputs)
    return [y.detach().numpy() for y in flattened(list(outputs.values()) if isinstance(outputs, dict) else outputs)]


@each(SAMPLES)
def test_a_sample_computes_its_bits(sample, tmp_path):
    sample.write(tmp_path)
    sources = [tmp_path / "m.json", tmp_path / "m.pth"]
    network = converted(tmp_path, *sources)
    assert_same_output(sample, run(network, sample.inputs))


@pytest.fixture(scope="module", params=networks_in_turn(NETWORKS + TORCHVISION_NETWORKS, of=2), ids=lambda network: network.name)
def written(request, tmp_path_factory):
    """A network, the folder of what was written for it, and that as a module."""
    folder = tmp_path_factory.mktemp(request.param.name)
    module = request.param.module()
    inputs = inputs_of(request.param.shapes)
    torch.save(module.state_dict(), folder / "m.pth")
    export_architecture(module, inputs, folder / "m.json")
    return module, inputs, folder, converted(folder, folder / "m.json", folder / "m.pth")


def test_a_network_computes_its_bits(written):
    module, inputs, _, network = written
    assert list(network.state_dict()) == list(module.state_dict())
    expected = run(module, inputs)
    assert [y.tobytes() for y in run(network, inputs)] == [y.tobytes() for y in expected]


def test_its_torchscript_computes_its_bits(written):
    """As torch.jit.load has it, with another batch, too; at home it is the same architecture."""
    module, inputs, folder, _ = written
    package.convert([folder / "m.json", folder / "m.pth"], folder / "network.ts")
    network = torch.jit.load(folder / "network.ts")
    expected = module.state_dict()
    assert {name: (x.dtype, x.shape) for name, x in network.state_dict().items()} == {name: (x.dtype, x.shape) for name, x in expected.items()}
    assert all(torch.equal(x, expected[name]) for name, x in network.state_dict().items())
    assert [name for name, _ in network.named_parameters()] == [name for name, _ in module.named_parameters()]
    assert {name for name, p in network.named_parameters() if p.requires_grad} == {name for name, p in module.named_parameters() if p.requires_grad}
    one = [x[:1] for x in inputs]
    for given in (inputs, one, inputs):
        assert [y.tobytes() for y in run(network, given)] == [y.tobytes() for y in run(module, given)]
    home = package.load(folder / "network.ts")
    assert home.architecture == package.load([folder / "m.json", folder / "m.pth"]).architecture
    assert all(torch.equal(x, expected[name]) for name, x in home.state_dict().items())


def test_a_network_is_laid_out_as_black_does(written):
    text = (written[2] / "network.py").read_text()
    assert text.isascii() and "\t" not in text and text.endswith("\n") and not text.endswith("\n\n")
    assert all(len(line) <= 88 and line == line.rstrip() for line in text.splitlines())
    imports = [line for line in text.splitlines() if "import" in line]
    assert all(line in ("import torch", "import torch.nn.functional as F", "from torch import nn") for line in imports)


class Shuffled(torch.nn.Module):
    """Registered in another order than called; its optimizer counts by the order of registration."""

    def __init__(self):
        super().__init__()
        self.out = torch.nn.Linear(5, 5)
        self.blocks = torch.nn.ModuleList(torch.nn.ModuleDict({"last": torch.nn.Linear(5, 5), "first": torch.nn.Linear(5, 5)}) for _ in range(2))
        self.scale = torch.nn.Parameter(torch.rand(5))
        self.act = torch.nn.ReLU()
        self.shift = torch.nn.Parameter(torch.rand(5))
        self.norm = torch.nn.LayerNorm(5)

    def forward(self, x):
        x = self.norm(x) + self.shift
        for block in reversed(self.blocks):
            x = block["last"](self.act(block["first"](x)))
        return self.out(x * self.scale)


def test_an_optimizer_goes_on_with_what_is_written(tmp_path):
    """The same next step, of the same state_dict of an optimizer, in the class and in the TorchScript that were written."""
    torch.manual_seed(1)
    module, x = Shuffled(), torch.randn(3, 5)

    def step(network, optimizer):
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()

    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(2):
        step(module, optimizer)
    export_architecture(module, x, tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    networks = [converted(tmp_path, tmp_path / "m.json", tmp_path / "m.pth")]
    package.convert([tmp_path / "m.json", tmp_path / "m.pth"], tmp_path / "network.ts")
    networks.append(torch.jit.load(tmp_path / "network.ts"))
    saved = copy.deepcopy(optimizer.state_dict())
    step(module, optimizer)
    for network in networks:
        assert list(network.state_dict()) == list(module.state_dict())
        resumed = torch.optim.Adam(network.parameters())
        resumed.load_state_dict(copy.deepcopy(saved))
        step(network, resumed)
        found = dict(network.named_parameters())
        assert all(torch.equal(parameter, found[name]) for name, parameter in module.named_parameters())


def as_torch_has_it(array, shape):
    """`array`, or with its channels first: what fits."""
    moved = np.ascontiguousarray(np.moveaxis(array, -1, 1))
    fits = lambda x: all(isinstance(size, str) or size == own for size, own in zip(shape, x.shape))
    return array if fits(array) else moved


@needs_libtorch
@pytest.mark.parametrize("network", networks_in_turn(KERAS_NETWORKS, of=3), ids=lambda network: network.name)
def test_a_keras_model_computes_the_bits_of_libtorch(network, tmp_path):
    model = network.model()
    model.save(tmp_path / "k.h5")
    package.convert(tmp_path / "k.h5", [tmp_path / "k.json", tmp_path / "k.pth"])
    module = converted(tmp_path, tmp_path / "k.h5")
    described = json.loads((tmp_path / "k.json").read_text())["inputs"]
    inputs = [as_torch_has_it(x, own["shape"]) for x, own in zip(network.inputs(), described)]
    np.savez(tmp_path / "x.npz", **{own["name"]: x for x, own in zip(inputs, described)})
    h5bridge("run", tmp_path / "k.json", tmp_path / "k.pth", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    expected = [y.tobytes() for y in np.load(tmp_path / "y.npz").values()]
    assert [y.tobytes() for y in run(module, [torch.from_numpy(x) for x in inputs])] == expected
    package.convert(tmp_path / "k.h5", tmp_path / "k.ts")
    assert [y.tobytes() for y in run(torch.jit.load(tmp_path / "k.ts"), [torch.from_numpy(x) for x in inputs])] == expected


def test_values_are_called_what_they_are(tmp_path):
    """A mask is a mask, results have their keys' names, and what Keras's wrappers leave is no module."""
    networks = {network.name: network for network in KERAS_NETWORKS}
    for name in ("masked_tagger", "two_ways"):
        networks[name].model().save(tmp_path / "k.keras")
        package.convert(tmp_path / "k.keras", tmp_path / f"{name}.py")
    tagger, two_ways = ((tmp_path / f"{name}.py").read_text() for name in ("masked_tagger", "two_ways"))
    assert "mask = words != 0" in tagger and "mask=mask" in tagger and "nn.Identity" not in two_ways
    layers = [{"name": name, "type": "Linear", "attributes": {"in_features": 3, "out_features": 2}, "inputs": ["x"]} for name in ("a", "b")]
    layers += [{"name": f"t{name}", "type": "Tanh", "inputs": [name]} for name in ("a", "b")]
    inputs = [{"name": "x", "shape": ["batch", 3], "dtype": "float32"}]
    outputs = {"first_of_the_scores_of_this_network": "ta", "second_of_the_scores_of_this_network": "tb"}
    (tmp_path / "m.json").write_text(json.dumps({"h5bridge": 1, "name": "m", "inputs": inputs, "layers": layers, "outputs": outputs}))
    package.convert(tmp_path / "m.json", tmp_path / "m.py")
    assert all(f"{name} = " in (tmp_path / "m.py").read_text() for name in outputs)


class Blocks(torch.nn.Module):
    """Lists that are run through in every way, and an attention by hand."""

    def __init__(self):
        super().__init__()
        linear = lambda count: torch.nn.ModuleList(torch.nn.Linear(6, 6) for _ in range(count))
        self.layers, self.norms, self.back = linear(4), torch.nn.ModuleList(torch.nn.LayerNorm(6) for _ in range(4)), linear(3)
        self.rest, self.apart, self.scaled = linear(4), linear(3), linear(3)
        self.q, self.k, self.v = linear(1)[0], linear(1)[0], linear(1)[0]

    def forward(self, x):
        start, y = x, x
        for layer, norm in zip(self.layers, self.norms):
            y = y + torch.relu(norm(layer(y)))
        for layer in reversed(self.back):
            y = y + layer(y)
        for layer in self.rest[1:]:
            y = y * torch.sigmoid(layer(y))
        left, right = self.apart[0](y), self.apart[2](y)
        y = left * right + self.apart[1](left) + self.rest[0](y)
        for i, layer in enumerate(self.scaled):
            y = y + layer(y) * (i + 0.5)
        heads = lambda x: x.reshape(x.shape[0], x.shape[1], 2, 3).transpose(1, 2)
        scores = heads(self.q(y)) @ heads(self.k(y)).transpose(-1, -2) / 1.7
        return (torch.softmax(scores, -1) @ heads(self.v(y))).transpose(1, 2).reshape(y.shape[0], y.shape[1], 6) + (1.0 - start)


def test_what_is_repeated_is_a_loop(tmp_path):
    """Where it is the same but for the module; where it is not, or not in turn, it stays as it is. Values are called what they are for."""
    torch.manual_seed(4)
    module, x = Blocks().eval(), torch.randn(2, 5, 6)
    export_architecture(module, x, tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    for length in (5, 1):
        network, inputs = converted(tmp_path, tmp_path / "m.json", tmp_path / "m.pth"), [torch.randn(3, length, 6)]
        assert run(network, inputs)[0].tobytes() == run(module, inputs)[0].tobytes()
    text = (tmp_path / "network.py").read_text()
    for line in ("for layer, norm in zip(self.layers, self.norms):", "for layer in reversed(self.back):", "for layer in self.rest[1:]:",
                 "batch, length, _ = x.shape", "query = self.q(", "key = self.k(", "value = self.v(", "1.0 - x"):  # fmt: skip
        assert line in text, line
    assert all(f"self.{name}[{i}](" in text for name in ("apart", "scaled") for i in range(3))


NAMES = ["1_conv", "lambda", "a-b", "quo\"te", "it's", "back\\slash", "new\nline", "type", "train", "_modules", "__init__", "__x", "self",
         "x", "\u00e9", "\U0001f600", '"""', "#", "'); import os", "torch", "nn", "F", "forward", "None", "{name}", "%s"]  # fmt: skip


def test_any_name_is_escaped(tmp_path):
    """A stranger's names: of the network, its inputs, its layers, within nested ones as well."""
    layers, state, last = [], {}, NAMES[0]
    for i, name in enumerate(NAMES):
        for path in (name, f"nested.{name}", f"{name}.inner" if i % 2 else f"deep.{i}.{name}"):
            if any(layer["name"] == path.split(".")[0] for layer in layers) and "." in path and path.split(".")[0] in NAMES:
                continue
            layers.append({"name": path, "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}, "inputs": [last]})
            state[f"{path}.weight"], state[f"{path}.bias"] = torch.randn(3, 3), torch.randn(3)
            last = path
    inputs = [{"name": NAMES[0], "shape": ["batch", 3], "dtype": "float32"}]
    layers[0]["name"] = "first"
    layers[1]["inputs"] = ["first"]
    state["first.weight"], state["first.bias"] = state.pop("1_conv.weight"), state.pop("1_conv.bias")
    architecture = {"h5bridge": 1, "name": '"); import os #', "inputs": inputs, "layers": layers, "outputs": {"a\"b'": last}}
    (tmp_path / "m.json").write_text(json.dumps(architecture))
    torch.save(state, tmp_path / "m.pth")
    network = converted(tmp_path, tmp_path / "m.json", tmp_path / "m.pth")
    assert set(network.state_dict()) == set(state)
    names = {node.id for node in ast.walk(ast.parse((tmp_path / "network.py").read_text())) if isinstance(node, ast.Name)}
    assert "os" not in names
    x = torch.randn(2, 3)
    expected = x
    for layer in layers:
        expected = torch.nn.functional.linear(expected, state[f"{layer['name']}.weight"], state[f"{layer['name']}.bias"])
    with torch.no_grad():
        assert torch.equal(network(x)["a\"b'"], expected)


def test_what_nn_module_has_is_known():
    source = (ROOT / "src/facets/torch_source/python.cpp").read_text()
    for name in dir(torch.nn.Module):
        assert name.startswith("_") or f'"{name}"' in source, name


def test_all_that_has_no_source_is_named(tmp_path):
    layers = [{"name": name, "type": "NoSuchType"} for name in "ab"]
    architecture = {"h5bridge": 1, "name": "m", "inputs": [{"name": "x", "shape": ["batch", 3], "dtype": "float32"}], "layers": layers, "outputs": ["b"]}
    (tmp_path / "m.json").write_text(json.dumps(architecture))
    message = run_program("convert", tmp_path / "m.json", "-o", tmp_path / "m.py", status=4)
    assert "a" in message and "b" in message and "NoSuchType" in message
    assert not (tmp_path / "m.py").exists()


# --- to_torch -----------------------------------------------------------------------------------------------------------------

def test_to_torch_is_a_live_module():
    model = package.load(SOURCES)
    module = model.to_torch()
    assert module.training and all(p.requires_grad for p in module.parameters())
    assert list(module.state_dict()) == list(torch.load(SOURCES[1]))
    inputs = [torch.from_numpy(array) for array in np.load(DIGITS / "inputs.npz").values()]
    assert [y.tobytes() for y in run(module.eval(), inputs)] == [y.tobytes() for y in run(digits(), inputs)]
    assert {p.device.type for p in model.to_torch(device="meta").parameters()} == {"meta"}


def test_to_torch_trains_and_comes_home():
    """As any module: gradients, a step, and back."""
    module = package.load(SOURCES).to_torch()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    module(torch.rand(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(before[name], parameter) for name, parameter in module.named_parameters())
    home = package.from_torch(module, torch.rand(2, 1, 8, 8)).state_dict()
    assert all(torch.equal(tensor, home[name]) for name, tensor in module.state_dict().items())


def test_to_torch_keeps_ties_and_what_is_frozen(tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tok = torch.nn.Embedding(7, 4)
            self.norm = torch.nn.LayerNorm(4)
            self.head = torch.nn.Linear(4, 7, bias=False)
            self.head.weight = self.tok.weight
            self.norm.bias.requires_grad_(False)

        def forward(self, ids):
            return self.head(self.norm(self.tok(ids)))

    original = Tied()
    ids = torch.randint(7, (3, 5))
    module = package.from_torch(original, ids).to_torch()
    assert module.head.weight is module.tok.weight
    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["norm.bias"]
    assert torch.equal(module(ids), original(ids))


def test_to_torch_is_saved_whole_with_its_source(tmp_path):
    """Its class is in no module that another process could import."""
    model = keras.Sequential([keras.Input((5, 4)), keras.layers.LSTM(3, activation="gelu"), keras.layers.Dense(2)])
    module = package.from_keras(model).to_torch().eval()
    x = torch.rand(2, 5, 4)
    y = module(x)
    torch.save((module, x, y), tmp_path / "whole.pth")
    again = torch.load(tmp_path / "whole.pth", weights_only=False)[0]
    assert type(again) is type(module) and torch.equal(again(x), y) and torch.equal(copy.deepcopy(module)(x), y)
    script = f"""
import sys
sys.path.insert(0, {str(PACKAGE)!r})
import torch
module, x, y = torch.load({str(tmp_path / "whole.pth")!r}, weights_only=False)
assert torch.equal(module(x), y)
torch.save(module, {str(tmp_path / "twice.pth")!r})
assert torch.equal(torch.load({str(tmp_path / "twice.pth")!r}, weights_only=False)(x), y)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    message = run_program("convert", tmp_path / "twice.pth", "-o", tmp_path / "net.h5", status=4)
    assert "is code" in message


RECURRENT = {
    "LSTM": lambda L: [L.LSTM(3)],
    "GRU, backwards": lambda L: [L.GRU(3, go_backwards=True)],
    "both directions": lambda L: [L.Bidirectional(L.SimpleRNN(3), merge_mode="sum"), L.Dense(2)],
}


@pytest.mark.parametrize("layers", RECURRENT.values(), ids=RECURRENT)
def test_recurrent_layers_of_to_torch_go_on(layers):
    """As layers, whose classes are derived from PyTorch's own, and with an open length."""
    model = keras.Sequential([keras.Input((None, 4)), *layers(keras.layers)])
    module = package.from_keras(model).to_torch().eval()
    x = torch.rand(2, 5, 4)
    again = package.from_torch(module, x)
    assert [layer["type"] for layer in again.architecture["layers"] if layer["type"] in ("LSTM", "GRU", "RNN")]
    assert again.architecture["inputs"][0]["shape"] == ["batch", "length", 4]
    longer = torch.rand(3, 7, 4)
    assert torch.equal(again.to_torch().eval()(longer), module(longer))
    found = keras.ops.convert_to_numpy(again.to_keras()(longer.numpy()))
    np.testing.assert_allclose(found, module(longer).detach().numpy(), atol=1e-6)


def test_without_pytorch_to_torch_is_a_system_failure(tmp_path):
    script = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(PACKAGE)!r})
import h5bridge
try:
    h5bridge.load({[str(path) for path in SOURCES]}).to_torch()
except h5bridge.SystemFailure as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and "PyTorch is not installed" in done.stdout, done.stderr


@needs_libtorch
@pytest.mark.parametrize("masks", [{}, {"attn_mask": "bool"}, {"attn_mask": "float32", "key_padding_mask": "float32"}], ids="+".join)
@pytest.mark.parametrize("batch_first", [True, False])
def test_a_call_has_its_own_settings(batch_first, masks, tmp_path):
    """One attention, called twice: with the causal mask, and what else is masked, and without, with weights and without."""
    settings = {"embed_dim": 4, "num_heads": 2, "batch_first": batch_first}
    layers = [
        {"name": "attention", "type": "MultiheadAttention", "attributes": settings | {"need_weights": False}, "inputs": ["x", "x", "x"]},
        {"name": "again", "call": "attention", "attributes": {"use_causal_mask": True}, "inputs": ["attention"] * 3},
    ]
    if masks:
        layers[1]["named_inputs"] = {name: name for name in masks}
    architecture = {"h5bridge": 2, "name": "m", "layers": layers, "outputs": ["attention", "again"]}
    inputs = {"x": torch.randn(3, 3, 4), **{name: torch.randn(3, 3) for name in masks}}
    inputs = {name: value > 0.5 if masks.get(name) == "bool" else value for name, value in inputs.items()}
    for name in masks:
        inputs[name].fill_diagonal_(0)  # each query attends to something
    architecture["inputs"] = [{"name": name, "shape": list(value.shape), "dtype": masks.get(name, "float32")} for name, value in inputs.items()]
    (tmp_path / "m.json").write_text(json.dumps(architecture))
    torch.save(torch.nn.ModuleDict({"attention": torch.nn.MultiheadAttention(4, 2)}).state_dict(), tmp_path / "m.pth")
    network = converted(tmp_path, tmp_path / "m.json", tmp_path / "m.pth")
    np.savez(tmp_path / "x.npz", **{name: value.numpy() for name, value in inputs.items()})
    h5bridge("run", tmp_path / "m.json", tmp_path / "m.pth", "--input", tmp_path / "x.npz", "--exact", "-o", tmp_path / "y.npz")
    torch.backends.mha.set_fastpath_enabled(False)  # whose bits are others
    try:
        outputs = run(network, list(inputs.values()))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert [y.tobytes() for y in outputs] == [y.tobytes() for y in np.load(tmp_path / "y.npz").values()]


class Tempered(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.tensor(1.5))

    def forward(self, x):
        return x * self.temperature


def test_a_tensor_without_axes_comes_back_from_keras(tmp_path):
    package.from_torch(Tempered(), torch.zeros(2, 3)).to_keras().save(tmp_path / "m.keras")
    network, x = package.load(tmp_path / "m.keras").to_torch(), torch.randn(4, 3)
    assert torch.equal(network(x), x * 1.5)
