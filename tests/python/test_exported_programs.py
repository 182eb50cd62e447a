"""What torch.export.save writes (.pt2) becomes the architecture that tools/h5bridge_export.py gives the same network, and every
tensor comes along."""

import io
import json
import re
import zipfile

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._export.serde.schema import SCHEMA_VERSION
from torch._export.serde.serialize import serialize

import torchvision_networks
from exported_programs import both_architectures, exported_with_open_sizes, normal_form, save_both
from open_size_networks import CODE
from program import ROOT, h5bridge, needs_libtorch, needs_program
from registry_samples import each, needs_registry
from sampled import one_in_turn
from torch_helpers import exporter
from torch_networks import NETWORKS, inputs_of

pytestmark = needs_program


# Inputs whose sizes the exporter found to be multiples, without which skip connections do not fit; the graph does not say it.
MULTIPLES = {"UNet": [(["batch", 3, "height", "width"], "float32")]}


def assert_alike(module, inputs, folder, own_inputs=None):
    save_both(module, inputs, folder)
    by_exporter, by_program = map(normal_form, both_architectures(folder))
    if own_inputs:
        by_exporter["inputs"] = own_inputs
    for key in by_exporter:
        assert by_program[key] == by_exporter[key], key
    h5bridge("convert", folder / "m.pt2", "-o", folder / "p.pth")
    found, expected = torch.load(folder / "p.pth"), module.state_dict()
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_it_is_the_network_that_the_exporter_describes(network, tmp_path):
    assert_alike(network.module(), inputs_of(network.shapes), tmp_path)


@pytest.mark.parametrize("name", one_in_turn(["ResNet50", "MobileNetV2", "UNet"]))
def test_networks_of_torchvision_are_those_that_the_exporter_describes(name, tmp_path):
    torch.manual_seed(1)
    assert_alike(getattr(torchvision_networks, name)().eval(), (torch.randn(2, 3, 64, 64),), tmp_path, MULTIPLES.get(name))


class TenNodes(nn.Module):
    """Ten operators of ATen, one after the other but for a sum."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.fc1, self.fc2 = nn.Linear(16, 5), nn.Linear(5, 5)

    def forward(self, x):
        h = F.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        h = torch.tanh(self.fc1(torch.flatten(h, 1)))
        return torch.softmax(self.fc2(h) + h, 1)


@needs_libtorch
def test_a_graph_of_ten_nodes(tmp_path):
    """Node by node: a layer for each, in its order, with the module's tensors, that computes what PyTorch does."""
    torch.manual_seed(1)
    module, x = TenNodes().eval(), torch.randn(3, 3, 7, 6)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    nodes = [node.target.overloadpacket.__name__ for node in program.graph.nodes if node.op == "call_function"]
    assert nodes == ["conv2d", "batch_norm", "relu", "max_pool2d", "flatten", "linear", "tanh", "linear", "add", "softmax"]
    torch.export.save(program, tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", "-o", tmp_path / "m.pth")
    layers = json.loads((tmp_path / "m.json").read_text())["layers"]
    assert [layer["type"] for layer in layers] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "Tanh", "Linear", "add", "Softmax"]
    assert [layer["name"] for layer in layers if layer["type"] in ("Conv2d", "BatchNorm2d", "Linear")] == ["conv", "norm", "fc1", "fc2"]
    assert layers[8]["inputs"] == [layers[7]["name"], layers[6]["name"]]
    found = torch.load(tmp_path / "m.pth")
    assert list(found) == list(module.state_dict()) and all(torch.equal(found[name], tensor) for name, tensor in module.state_dict().items())
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", tmp_path / "m.pt2", "--exact", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), module(x).detach().numpy())


def known_operators():
    """By docs/aten.md, whose rows are those of the program."""
    rows = re.findall(r"^\| (`.*?) \| ", (ROOT / "docs" / "aten.md").read_text(), re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


# Of PyTorch's core operators, those that no layer is, by why.
NO_LAYER = {
    "they are of training": "_adaptive_avg_pool2d_backward avg_pool2d_backward convolution_backward embedding_dense_backward max_pool2d_with_indices_backward "
    "native_group_norm_backward native_layer_norm_backward",
    "they give sizes, which are read with the graph": "sym_is_contiguous sym_numel sym_size sym_storage_offset sym_stride",
    "they read a tensor's values, or their result has a size that hangs on them": "_local_scalar_dense nonzero",
    "they are random": "rand randn randperm",
    "they look at how memory is laid out, or write into it": "as_strided empty empty_strided index_put masked_scatter resize_ scatter_reduce",
    "no layer of h5bridge's does that": "_cdist_forward _embedding_bag _fft_c2r _fft_r2c _pdist_forward",
}


def test_every_core_operator_of_pytorch_is_known_or_has_a_reason():
    names = {name.removeprefix("aten::").partition(".")[::2] for name in torch._C._dispatch_get_all_op_names() if name.startswith("aten::")}
    core = {name for name, overload in names if torch.Tag.core in getattr(getattr(torch.ops.aten, name), overload or "default", torch.ops.aten.add.Tensor).tags}
    left_out = {name for names in NO_LAYER.values() for name in names.split()}
    assert len(core) > 150
    assert core - known_operators() - left_out - {"add"} == set()
    assert left_out & known_operators() == set() and left_out - core == set()


class Refused(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Sequential(nn.FractionalMaxPool2d(2, output_size=2))

    def forward(self, x):
        y = torch.fft.fft(self.first(x)).real
        return y + self.second(x.view(-1, 1, 2, 2).repeat(1, 1, 3, 3)).sum((1, 2, 3), keepdim=True)[..., 0, 0]


def test_all_that_no_layer_is_is_named_at_once(tmp_path):
    torch.export.save(torch.export.export(Refused().eval(), (torch.randn(2, 4),)), tmp_path / "m.pt2")
    message = h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", status=4)
    assert message.count("\n") == 1 and "m.pt2: operator aten." in message
    assert "fft" in message and "operator aten.fractional_max_pool2d.default in second.0 (FractionalMaxPool2d): no layer is known that it is" in message
    assert not (tmp_path / "m.json").exists()


class Various(nn.Module):
    """What the example of a module that people export has, and what it may have besides."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(11, 8)
        self.norm = nn.LayerNorm(8)
        self.shared = nn.Linear(8, 8)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.tokens.weight
        self.frozen = nn.Linear(8, 8).requires_grad_(False)
        self.scale = nn.Parameter(torch.rand(8))
        self.unused = nn.Parameter(torch.rand(3))
        self.register_buffer("offset", torch.rand(8))
        self.register_buffer("places", torch.arange(8.0), persistent=False)

    def forward(self, ids):
        x = self.norm(self.tokens(ids))
        x = self.shared(F.relu(self.shared(x), inplace=True)) * self.scale + self.offset
        x += self.places * torch.tensor([1.0, 2.0] * 4)
        with torch.no_grad():
            y = torch.sin(x) * x.shape[1]
        x = self.norm(self.frozen(y) + x)
        return {"logits": self.head(x), "states": [x.mean(1), x[:, -1]]}


def test_ties_shared_modules_constants_and_results_come_along(tmp_path):
    torch.manual_seed(1)
    assert_alike(Various().eval(), (torch.randint(11, (2, 5)),), tmp_path)


class NamedAlike(nn.Module):
    """Inputs called as a module, a parameter and a function are."""

    def __init__(self):
        super().__init__()
        self.x, self.y, self.z = nn.Linear(4, 4), nn.Linear(4, 4), nn.Parameter(torch.rand(4))

    def forward(self, x, z, add):
        return self.x(self.x(x)) + self.y(z) * self.z + add


@needs_libtorch
def test_an_input_keeps_its_name_whatever_layers_are_called(tmp_path):
    torch.manual_seed(1)
    module, inputs = NamedAlike().eval(), {name: torch.randn(3, 4) for name in ("x", "z", "add")}
    assert_alike(module, tuple(inputs.values()), tmp_path)
    np.savez(tmp_path / "x.npz", **{name: x.numpy() for name, x in inputs.items()})
    np.save(tmp_path / "y.npy", module(**inputs).detach().numpy())
    for source in ("m.json", "m.pt2"):
        sources = [tmp_path / source, *([tmp_path / "m.pth"] if source == "m.json" else [])]
        h5bridge("convert", *sources, "-o", tmp_path / "m.h5", "-o", tmp_path / "m.py", "-o", tmp_path / "again.json")
        config = json.loads(h5py.File(tmp_path / "m.h5").attrs["model_config"])
        assert [layer["config"]["name"] for layer in config["config"]["layers"] if layer["class_name"] == "InputLayer"] == ["x", "z", "add"]
        assert [entry["name"] for entry in json.loads((tmp_path / "again.json").read_text())["inputs"]] == ["x", "z", "add"]
        for one in ([tmp_path / "m.h5"], [tmp_path / "again.json", tmp_path / "m.pth"]):
            h5bridge("verify", *one, "--input", tmp_path / "x.npz", "--expect", tmp_path / "y.npy")
        h5bridge("convert", tmp_path / "m.h5", "-o", tmp_path / "home.pth", "-o", tmp_path / "home.json")
        assert list(torch.load(tmp_path / "home.pth")) == list(module.state_dict())
        assert json.loads((tmp_path / "home.json").read_text())["layers"] == json.loads((tmp_path / "again.json").read_text())["layers"]
    scope = {}
    exec((tmp_path / "m.py").read_text(), scope)
    written = scope["NamedAlike"]().eval()
    written.load_state_dict(torch.load(tmp_path / "m.pth"))
    assert torch.equal(written(**inputs), module(**inputs))


class UnderTwoNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.again = self.norm
        self.dense = nn.Linear(8, 8)

    def forward(self, x):
        return self.again(self.dense(self.norm(x)))


@needs_libtorch
def test_a_module_under_two_names_is_two_that_are_tied(tmp_path):
    """Which of them was called is in the graph; the exporter, which has the module, takes it for one with an alias."""
    torch.manual_seed(1)
    module, x = UnderTwoNames().eval(), torch.randn(2, 5, 8)
    nn.init.normal_(module.norm.weight)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    assert "note" not in h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "p.json", "-o", tmp_path / "p.pth")
    assert json.loads((tmp_path / "p.json").read_text())["tied"] == [["norm.weight", "again.weight"], ["norm.bias", "again.bias"]]
    assert list(torch.load(tmp_path / "p.pth")) == list(module.state_dict())
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", tmp_path / "m.pt2", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), module(x).detach().numpy())


@needs_libtorch
def test_a_decomposed_program_computes_the_same(tmp_path):
    torch.manual_seed(1)
    network = next(network for network in NETWORKS if network.name == "resnet")
    module, inputs = network.module(), inputs_of(network.shapes)
    program = exported_with_open_sizes(module, inputs, exporter.describe(module, inputs)).run_decompositions()
    torch.export.save(program, tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.h5", "-o", tmp_path / "p.pth")
    assert list(torch.load(tmp_path / "p.pth")) == list(module.state_dict())
    with torch.no_grad():
        np.savez(tmp_path / "y.npz", output=module(*inputs).numpy())
    np.savez(tmp_path / "x.npz", x=inputs[0].numpy())
    h5bridge("verify", tmp_path / "m.h5", "--input", tmp_path / "x.npz", "--input-layout", "torch", "--expect", tmp_path / "y.npz")


def test_the_form_of_before_pytorch_2_8_is_read(tmp_path):
    """As torch.export.save had it, and torch.export.load still reads it."""
    torch.manual_seed(1)
    module, inputs = Various().eval(), (torch.randint(11, (2, 5)),)
    save_both(module, inputs, tmp_path)
    artifact = serialize(torch.export.load(tmp_path / "m.pt2"))
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr("version", ".".join(map(str, SCHEMA_VERSION)))
        for name, content in (("exported_program.json", artifact.exported_program), ("state_dict.pt", artifact.state_dict),
                              ("constants.pt", artifact.constants), ("example_inputs.pt", artifact.example_inputs)):  # fmt: skip
            archive.writestr(f"serialized_{name}", content)
    torch.export.load(tmp_path / "m.pt2")
    by_exporter, by_program = map(normal_form, both_architectures(tmp_path))
    assert by_program == by_exporter


OF_OTHERS = ROOT / "testdata" / "exported_programs"


def test_a_schema_of_before_is_refused_by_its_version(tmp_path):
    """That of PyTorch 2.5, which this one does not load either."""
    message = h5bridge("convert", OF_OTHERS / "torch_2_5.pt2", "-o", tmp_path / "m.h5", status=4)
    assert "its exported program is of version 7, expected 8" in message


@needs_libtorch
@pytest.mark.parametrize("file", [OF_OTHERS / "torch_2_7.pt2", OF_OTHERS / "torch_2_8.pt2"], ids=lambda file: file.stem)
def test_files_of_other_versions_are_read(file, tmp_path):
    """Written by that PyTorch itself (testdata/exported_programs/make.py); this one reads it, too."""
    program, ids = torch.export.load(file), torch.tensor([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [0, 10, 7, 8, 2]])
    np.save(tmp_path / "x.npy", ids.numpy())
    h5bridge("convert", file, "-o", tmp_path / "m.json", "-o", tmp_path / "m.pth", "-o", tmp_path / "m.h5")
    found = torch.load(tmp_path / "m.pth")
    assert sorted(found) == sorted(program.state_dict)
    assert all(torch.equal(found[name], tensor) for name, tensor in program.state_dict.items())
    described = json.loads((tmp_path / "m.json").read_text())
    assert described["tied"] == [["tokens.weight", "head.weight"]] and described["buffers"] == ["offset"]
    with torch.no_grad():
        expected = program.module()(ids)
    for source, exact in ((file, ["--exact"]), (tmp_path / "m.h5", [])):
        h5bridge("run", source, *exact, "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npz")
        given = np.load(tmp_path / "y.npz")
        assert sorted(given) == sorted(expected)
        for name, y in expected.items():
            assert np.abs(given[name] - y.numpy()).max() < 1e-5 and (not exact or given[name].tobytes() == y.numpy().tobytes())


class OfItsOwn(torch.Tensor):
    """A class of tensors, whose weights torch.export.save pickles."""


@pytest.mark.parametrize("of_its_own", [False, True], ids=["a parameter", "of its own"])
def test_pickled_tensors_are_read_unless_their_class_means_something_else(of_its_own, tmp_path):
    torch.manual_seed(1)
    save_both(Various().eval(), (torch.randint(11, (2, 5)),), tmp_path)
    weight = torch.rand(8, 8)
    pickled = io.BytesIO()
    torch.save(nn.Parameter(weight.as_subclass(OfItsOwn) if of_its_own else weight), pickled)
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive, zipfile.ZipFile(tmp_path / "p.pt2", "w") as changed:
        contents = {name: archive.read(name) for name in archive.namelist()}
        place = next(name for name in contents if name.endswith("model_weights_config.json"))
        config = json.loads(contents[place])
        entry = config["config"]["frozen.weight"]
        entry["use_pickle"] = True
        contents |= {place: json.dumps(config), f"{place.rpartition('/')[0]}/{entry['path_name']}": pickled.getvalue()}
        for name, content in contents.items():
            changed.writestr(name, content)
    read = torch.export.load(tmp_path / "p.pt2").state_dict["frozen.weight"]
    assert torch.equal(read.as_subclass(torch.Tensor), weight) and (type(read.data) is OfItsOwn) == of_its_own
    message = h5bridge("convert", tmp_path / "p.pt2", "-o", tmp_path / "p.pth", status=4 if of_its_own else 0)
    if of_its_own:
        assert "frozen.weight" in message and "OfItsOwn" in message
        return
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.pth")
    found, before = torch.load(tmp_path / "p.pth"), torch.load(tmp_path / "m.pth")
    assert list(found) == list(before) and torch.equal(found["frozen.weight"], weight)


class NormUnderTwoNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.again = self.norm

    def forward(self, x):
        return self.again(torch.tanh(self.norm(x)))


def test_statistics_of_a_module_under_two_names_are_one(tmp_path):
    """Ties hold parameters together, and no buffers."""
    module = NormUnderTwoNames().eval()
    module.norm.running_mean.uniform_()
    torch.export.save(torch.export.export(module, (torch.randn(3, 4),)), tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "p.json", "-o", tmp_path / "p.pth")
    described = json.loads((tmp_path / "p.json").read_text())
    assert [layer["type"] for layer in described["layers"] if "type" in layer] == ["BatchNorm1d", "Tanh"]
    assert described["aliases"]["again.running_mean"] == "norm.running_mean" and "tied" not in described
    found = torch.load(tmp_path / "p.pth")
    assert list(found) == list(module.state_dict()) and torch.equal(found["again.running_mean"], module.norm.running_mean)


@pytest.mark.parametrize("need_weights", [False, True])
def test_what_attention_drops_in_training_is_known_of_a_module_exported_in_training(need_weights, tmp_path):
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, dropout=0.25, batch_first=True)

        def forward(self, x):
            return self.attention(x, x, x, need_weights=need_weights)[0]

    module = Attending()
    torch.export.save(torch.export.export(module, (torch.randn(3, 5, 8),)), tmp_path / "m.pt2")
    torch.export.save(torch.export.export(module.eval(), (torch.randn(3, 5, 8),)), tmp_path / "evaluated.pt2")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    note = "in attention (MultiheadAttention): dropout is 0 here"
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", "-o", tmp_path / "m.h5")
    h5bridge("convert", tmp_path / "evaluated.pt2", "-o", tmp_path / "evaluated.json")
    for name, is_said in (("m", False), ("evaluated", True)):
        notes = json.loads((tmp_path / f"{name}.json").read_text()).get("notes", [])
        assert any(one.startswith(note) for one in notes) == is_said
    (layer,) = json.loads((tmp_path / "m.json").read_text())["layers"]
    assert (layer["type"], layer["attributes"]["dropout"]) == ("MultiheadAttention", 0.25)
    with h5py.File(tmp_path / "m.h5") as file:
        assert '"dropout": 0.25' in file.attrs["model_config"]


class Padded(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.MultiheadAttention(8, 2, batch_first=True)
        self.second = nn.MultiheadAttention(8, 4, batch_first=True)
        self.bias = nn.Parameter(torch.randn(5, 5))

    def forward(self, x, padding):
        x = self.first(x, x, x, key_padding_mask=padding, need_weights=False)[0]
        x, weights = self.second(x, x, x, key_padding_mask=padding, attn_mask=self.bias)
        return self.first(x, x, x, attn_mask=self.bias, need_weights=False)[0], weights


@needs_libtorch
def test_attention_with_masks_is_the_module_again(tmp_path):
    torch.manual_seed(1)
    module, inputs = Padded().eval(), (torch.randn(3, 5, 8), torch.arange(5) >= torch.tensor([[5], [3], [1]]))
    shapes = ({0: torch.export.Dim.AUTO}, {0: torch.export.Dim.AUTO})
    with torch.no_grad():
        torch.export.save(torch.export.export(module, inputs, dynamic_shapes=shapes), tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json")
    layers = json.loads((tmp_path / "m.json").read_text())["layers"]
    assert [layer.get("type", layer.get("call")) for layer in layers] == ["MultiheadAttention", "Parameter", "MultiheadAttention", "first"]
    assert [sorted(layer.get("named_inputs", {})) for layer in layers] == [["key_padding_mask"], [], ["attn_mask", "key_padding_mask"], ["attn_mask"]]
    np.savez(tmp_path / "x.npz", x=inputs[0].numpy(), padding=inputs[1].numpy())
    h5bridge("run", tmp_path / "m.pt2", "--exact", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    expected = module(*inputs)  # with gradients, which keep PyTorch from an operator of other bits
    for found, array in zip(np.load(tmp_path / "y.npz").values(), expected, strict=True):
        assert found.tobytes() == array.detach().numpy().tobytes()


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x, padding):
        return self.encoder(x, src_key_padding_mask=padding)


@needs_libtorch
def test_truth_values_that_a_transformer_made_numbers_of_are_its_masks(tmp_path):
    """Keras's attention takes no numbers."""
    torch.manual_seed(1)
    module, inputs = Encoder().eval(), (torch.randn(3, 5, 8), torch.arange(5) >= torch.tensor([[5], [3], [1]]))
    torch.export.save(torch.export.export(module, inputs, dynamic_shapes=({0: torch.export.Dim.AUTO}, {0: torch.export.Dim.AUTO})), tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", "-o", tmp_path / "m.keras")
    layers = json.loads((tmp_path / "m.json").read_text())["layers"]
    masks = [layer["named_inputs"]["key_padding_mask"] for layer in layers if layer.get("type") == "MultiheadAttention"]
    assert masks == ["padding", "padding"]
    np.savez(tmp_path / "x.npz", x=inputs[0].numpy(), padding=inputs[1].numpy())
    h5bridge("run", tmp_path / "m.keras", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npy")
    assert np.abs(np.load(tmp_path / "y.npy") - module(*inputs).detach().numpy()).max() < 1e-5


class PartlyCast(nn.Module):
    def __init__(self, enabled):
        super().__init__()
        self.enabled = enabled
        self.before, self.within = nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x):
        y = self.before(x)
        with torch.autocast("cpu", enabled=self.enabled):
            z = torch.tanh(self.within(y))
        return z - y.sum()


@needs_libtorch
def test_a_part_without_autocast_is_as_the_rest(tmp_path):
    """What networks say around parts that need their precision. Where it is on, the numbers are others, and it is refused."""
    torch.manual_seed(1)
    module, x = PartlyCast(False), torch.randn(3, 5)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", tmp_path / "m.pt2", "--exact", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").tobytes() == module(x).detach().numpy().tobytes()
    torch.export.save(torch.export.export(PartlyCast(True), (x,)), tmp_path / "m.pt2")
    assert "wrap_with_autocast" in h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.json", status=4)


class Written(nn.Module):
    """In place, through views, and views of views."""

    def forward(self, x):
        y = torch.zeros_like(x)
        y[:, 1:] = x[:, :-1]
        y[:, -1, 2] = 3
        y.transpose(1, 2)[:, 0].add_(1)
        y.view(-1, 20)[:, 4:6] *= 2
        z = x.clone()
        z[0] = y[0]
        return y, torch.slice_scatter(z, x[:, :2], 1, 1, 3), torch.select_scatter(z, x[:, :, 1], 2, -1)


@needs_libtorch
def test_writing_into_a_part_of_a_tensor_changes_the_whole(tmp_path):
    torch.manual_seed(1)
    x = torch.randn(3, 5, 4)
    program = torch.export.export(Written(), (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    np.savez(tmp_path / "x.npz", x=x.numpy())
    for name, one in (("plain", program), ("decomposed", program.run_decompositions())):
        torch.export.save(one, tmp_path / f"{name}.pt2")
        h5bridge("run", tmp_path / f"{name}.pt2", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
        for found, array in zip(np.load(tmp_path / "y.npz").values(), Written()(x), strict=True):
            assert np.array_equal(found, array.numpy())


def test_what_was_decomposed_in_training_mode_is_refused_with_what_to_do(tmp_path):
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).train()
    torch.export.save(torch.export.export(module, (torch.randn(3, 4),)).run_decompositions(), tmp_path / "m.pt2")
    message = h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "m.keras", status=4)
    assert "in 1 (BatchNorm1d): was exported in training mode; export module.eval()" in message


class WithDiagonal(nn.Module):
    def forward(self, x):
        return x * torch.eye(x.shape[1], 4)


@needs_libtorch
def test_ones_on_a_diagonal_are_compared_numbers(tmp_path):
    x = torch.randn(3, 5, 4)
    torch.export.save(torch.export.export(WithDiagonal(), (x,)), tmp_path / "m.pt2")
    np.save(tmp_path / "x.npy", x.numpy())
    h5bridge("run", tmp_path / "m.pt2", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), WithDiagonal()(x).numpy())
