"""torch.save(module): what of it needs no code becomes an architecture, and what does is said; the tensors are read in any case."""

import inspect
import json

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, keras, predict
from program import ROOT, h5bridge, needs_libtorch, needs_program, run_program
from registry_samples import layer_samples, needs_registry
from test_every_torch_module import LAZY, LEFT_OUT
from test_every_torch_module import classes as every_class
from torch_helpers import exporter

pytestmark = needs_program
CRAFTED = ROOT / "testdata" / "torch_files"

IS_COMPOSED = "is several layers"
WHOLE_MODULES_LEFT_OUT = {
    "TransformerEncoder": IS_COMPOSED,
    "TransformerEncoderLayer": IS_COMPOSED,
}


def takes_one_value(kind):
    given = [p for p in inspect.signature(kind.forward).parameters.values() if p.default is p.empty]
    return len(given) == 2  # self beside it


def classes():
    """What may stand in an nn.Sequential; a lazy module becomes another class with its first input."""
    there = {name: kind for name, kind in every_class().items() if name not in (*LEFT_OUT, *LAZY, "Sequential")}
    return [name for name, kind in there.items() if takes_one_value(kind)]


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def read(module, folder, sizes={}):
    """What is read of the pickled module: its architecture, and its tensors by way of a .pth."""
    torch.save(module, folder / "whole.pth")
    bound = [word for name, size in sizes.items() for word in ("--fix-size", f"{name}={size}")]
    h5bridge("convert", folder / "whole.pth", "-o", folder / "read.json", "-o", folder / "read.pth", *bound)
    found = torch.load(folder / "read.pth", weights_only=True)
    state = module.state_dict()
    assert list(found) == list(state) and all(bits(found[name]) == bits(state[name]) for name in state)
    return json.loads((folder / "read.json").read_text())


def is_pytorchs(sample):
    """Whether PyTorch's own module says it, by the arguments of its constructor."""
    attributes = sample["attributes"]
    words_of_keras = attributes.get("padding") in ("valid", "same", "causal") or attributes.get("nonlinearity", "tanh") not in ("tanh", "relu")
    windows = [attributes.get(name) for name in ("kernel_size", "stride", "output_size")]
    open_sizes = any(isinstance(size, str) for value in [*attributes.values(), windows] if isinstance(value, list) for size in value)
    return set(attributes) <= set(exporter.modules.constructor(getattr(nn, sample["type"]))) and not words_of_keras and not open_sizes


def samples_of(kind):
    return [sample for sample in layer_samples() if sample["type"] == kind and is_pytorchs(sample)]


def made(kind, attributes):
    return getattr(nn, kind)(**{name: tuple(value) if isinstance(value, list) else value for name, value in attributes.items()})


def stated(layer):
    """A layer's attributes, in one spelling of what PyTorch's modules keep in another than they are told."""
    attributes = dict(layer.get("attributes", {}))
    for name in ("kernel_size", "stride", "padding", "dilation", "output_padding", "output_size", "scale_factor", "size"):
        value = attributes.get(name)
        if isinstance(value, list) and value == value[:1] * len(value):
            attributes[name] = value[0]  # one for all axes
    if "Pool" in layer["type"] and attributes.get("stride") == attributes.get("kernel_size"):
        attributes.pop("stride", None)  # the window, where none is told
    if attributes.get("padding_idx", 0) is not None and attributes.get("padding_idx", 0) < 0:
        attributes["padding_idx"] += attributes["num_embeddings"]
    return attributes


def in_one_form(architecture, folder):
    """As the program writes it: without what is at its default."""
    (folder / "told.json").write_text(json.dumps(architecture))
    h5bridge("convert", folder / "told.json", "-o", folder / "form.json")
    return json.loads((folder / "form.json").read_text())


def sizes_to_bind(sample):
    """The spatial sizes, where a scale that is no whole number leaves them no arithmetic."""
    scales = sample["attributes"].get("scale_factor") or 1
    if all(float(scale).is_integer() for scale in (scales if isinstance(scales, list) else [scales])):
        return {}
    shape = sample["input_shapes"][0]
    return dict(zip({3: ["length_1"], 4: ["height", "width"], 5: ["depth", "height", "width"]}[len(shape)], shape[2:]))


def fits(shape, sizes):
    """Whether a shape with open sizes is that of numbers."""
    return len(shape) == len(sizes) and all(isinstance(size, str) or size == number for size, number in zip(shape, sizes))


@needs_registry
@pytest.mark.parametrize("kind", [name for name in classes() if name not in WHOLE_MODULES_LEFT_OUT])
def test_every_module_of_torch_nn(kind, tmp_path):
    samples = samples_of(kind)
    assert samples
    for number, sample in enumerate(samples):
        architecture = read(nn.Sequential(made(kind, sample["attributes"])), tmp_path, sizes_to_bind(sample))
        (expected,) = in_one_form(sample["architecture"], tmp_path)["layers"]
        (found,) = architecture["layers"]
        assert stated(found) == stated(expected), sample["sample"]
        assert (found["name"], found["type"]) == ("0", kind)
        if number == 0:
            assert fits(architecture["inputs"][0]["shape"], sample["input_shapes"][0]), architecture["inputs"]


def test_those_left_out_are_there():
    assert sorted(set(WHOLE_MODULES_LEFT_OUT) - set(classes())) == []


def randomised(module):
    torch.manual_seed(5)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if name.endswith("running_var") else tensor.normal_(0, 0.3)
    return module.eval()


def images():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True)),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8), nn.GELU(), nn.Dropout2d(0.25)),
        nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(8, 5), nn.Softmax(dim=1),
    )  # fmt: skip


def shared():
    activation, twice = nn.Tanh(), nn.Linear(4, 4)
    module = nn.Sequential(nn.Linear(6, 4), activation, twice, activation, twice, nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4)))
    module[5][1].bias = module[0].bias
    module[0].weight.requires_grad_(False)
    return module


NETWORKS = {
    "images": (images, torch.randn(3, 3, 12, 10, generator=torch.Generator().manual_seed(1))),
    "shared": (shared, torch.randn(3, 6, generator=torch.Generator().manual_seed(2))),
    "words": (lambda: nn.Sequential(nn.Embedding(11, 5), nn.Linear(5, 3), nn.ELU()), torch.randint(0, 11, (4, 7), generator=torch.Generator().manual_seed(3))),
}  # fmt: skip


@needs_libtorch
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_as_the_exporter_has_them(name, legacy, tmp_path):
    make, x = NETWORKS[name]
    module = randomised(make())
    torch.save(module, tmp_path / "whole.pth", _use_new_zipfile_serialization=not legacy)
    h5bridge("convert", tmp_path / "whole.pth", "-o", tmp_path / "read.json", "-o", tmp_path / "net.h5")
    exporter.export_architecture(module, x, tmp_path / "as_exported.json")
    h5bridge("convert", tmp_path / "as_exported.json", "-o", tmp_path / "exported.json")  # in one spelling
    read, exported = (json.loads((tmp_path / file).read_text()) for file in ("read.json", "exported.json"))
    assert read.pop("inputs")[0]["dtype"] == exported.pop("inputs")[0]["dtype"]
    exported.pop("notes", None)  # of what forward does beside
    for architecture in (read, exported):
        architecture["layers"] = [layer | {"attributes": stated(layer)} if "type" in layer else layer for layer in architecture["layers"]]
    assert read == exported
    with torch.no_grad():
        expected = module(x).numpy()
    np.save(tmp_path / "x.npy", x.numpy())
    run_program("run", tmp_path / "whole.pth", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.array_equal(np.load(tmp_path / "y.npy"), expected)
    shown = x.numpy().transpose(0, 2, 3, 1) if x.ndim == 4 else x.numpy()
    (found,) = predict(keras.models.load_model(tmp_path / "net.h5"), [shown]).values()
    assert_close(found, expected, 1e-5, name)


def test_the_shape_that_is_taken_is_said_and_open_sizes_may_be_bound(tmp_path):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 6 * 4, 3))
    torch.save(module, tmp_path / "whole.pth")
    message = run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.h5", status=4)
    assert 'layer "2" (Linear)' in message and "--fix-size" in message and "(batch, 1, height, width)" not in message
    run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.json", "--fix-size", "height=8", "--fix-size", "width=6")
    assert json.loads((tmp_path / "net.json").read_text())["inputs"][0]["shape"] == ["batch", 1, 8, 6]
    torch.save(module[:1], tmp_path / "whole.pth")
    run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.pth", "--lossless", status=4)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.width = 4


@pytest.mark.parametrize(
    "module,words",
    [
        (Own(), "the forward of test_whole_modules.Own is code"),
        (nn.Sequential(nn.Linear(3, 3), Own()), 'module "1" (test_whole_modules.Own) has a forward that is code'),
        (nn.Sequential(nn.MultiheadAttention(4, 2)), "takes query, key, value"),
        (nn.ModuleList([nn.Linear(3, 3)]), "the forward of torch.nn.modules.container.ModuleList is code"),
        (nn.Sequential(torch.nn.utils.spectral_norm(nn.Linear(3, 3))), 'module "0" (torch.nn.modules.linear.Linear) has hooks'),
    ],
    ids=["own class", "own class inside", "several inputs", "list", "hooks"],
)
def test_what_needs_code_is_said_and_its_tensors_are_read(module, words, tmp_path):
    torch.save(module, tmp_path / "whole.pth")
    message = run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.h5", status=4)
    assert words in message and "tools/h5bridge_export.py" in message and message.count("\n") == 1
    h5bridge("convert", tmp_path / "whole.pth", "-o", tmp_path / "out.pth")
    assert torch.load(tmp_path / "out.pth", weights_only=True).keys() == module.state_dict().keys()


def test_inspect_shows_the_modules_and_their_settings(tmp_path):
    torch.save({"net": Own(), "epoch": 1}, tmp_path / "whole.pth")
    shown = json.loads(run_program("inspect", tmp_path / "whole.pth", "--json"))
    modules = {module["name"]: (module["class"], module["settings"]) for module in shown["metadata"]["modules"]}
    assert list(modules) == ["", "body", "body.0", "body.1"]
    assert modules[""] == ("test_whole_modules.Own", {"width": 4})
    assert modules["body.0"] == ("torch.nn.modules.linear.Linear", {"in_features": 3, "out_features": 4})
    table = run_program("inspect", tmp_path / "whole.pth")
    assert "body.0  torch.nn.modules.linear.Linear" in table and "in_features=3, out_features=4" in table


def test_settings_that_old_versions_did_not_have(tmp_path):
    h5bridge("convert", CRAFTED / "torch_0_3_module.pth", "-o", tmp_path / "old.json", "-o", tmp_path / "old.h5")
    layers = json.loads((tmp_path / "old.json").read_text())["layers"]
    assert [layer.pop("inputs") for layer in layers] == [["input"], ["0"], ["1"]]
    assert layers == [{"name": "0", "type": "Linear", "attributes": {"in_features": 3, "out_features": 2}},
                      {"name": "1", "type": "ReLU"}, {"name": "2", "type": "BatchNorm1d", "attributes": {"num_features": 2}}]  # fmt: skip
    x = np.array([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]], "float32")
    hidden = np.maximum(x @ np.array([[0.5, -1.25, 2.0], [3.5, -4.75, 6.0]], "float32").T + np.array([0.125, -0.25], "float32"), 0)
    expected = (hidden - [0.5, 1.0]) / np.sqrt(np.array([2.0, 0.75]) + 1e-5) * [1.5, 0.5] + [0.25, -1.0]
    (found,) = predict(keras.models.load_model(tmp_path / "old.h5"), [x]).values()
    assert_close(found, expected, 1e-6, "of torch 0.3")
