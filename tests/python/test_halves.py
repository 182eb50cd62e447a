"""An .h5 and an architecture JSON together: two descriptions of one network have to agree, however each framework puts it."""

import json
import subprocess
import zipfile

import h5py
import pytest
import torch
from torch import nn

from keras_helpers import keras
from program import PROGRAM, needs_program
from torch_helpers import export_architecture

pytestmark = needs_program

ARCHITECTURE = {
    "h5bridge": 1,
    "name": "Net",
    "inputs": [{"name": "x", "shape": ["batch", 3, 8, 8]}],
    "layers": [
        {"name": "stem.conv", "type": "Conv2d", "attributes": {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "padding": 1}},
        {"name": "stem.norm", "type": "BatchNorm2d", "attributes": {"num_features": 4}},
        {"name": "act", "type": "ReLU"},
        {"name": "left", "type": "Conv2d", "attributes": {"in_channels": 4, "out_channels": 4, "kernel_size": 1}},
        {"name": "right", "type": "Conv2d", "inputs": ["act"], "attributes": {"in_channels": 4, "out_channels": 4, "kernel_size": 1}},
        {"name": "both", "type": "add", "inputs": ["left", "right"]},
        {"name": "pool", "type": "MaxPool2d", "attributes": {"kernel_size": 2}},
        {"name": "drop", "type": "Dropout", "attributes": {"p": 0.25}},
        {"name": "flatten", "type": "Flatten"},
        {"name": "fc", "type": "Linear", "attributes": {"in_features": 64, "out_features": 5}},
        {"name": "soft", "type": "Softmax", "attributes": {"dim": 1}},
    ],
    "outputs": ["soft"],
}


def h5bridge(*arguments, status=0):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done


def state(architecture):
    modules = {"Conv2d": torch.nn.Conv2d, "BatchNorm2d": torch.nn.BatchNorm2d, "Linear": torch.nn.Linear}
    tensors = {}
    for layer in architecture["layers"]:
        if layer["type"] in modules:
            for name, tensor in modules[layer["type"]](**layer["attributes"]).state_dict().items():
                tensors[f"{layer['name']}.{name}"] = tensor
    return tensors


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """net.json, net.pth and net.h5, which is the same for Keras."""
    folder = tmp_path_factory.mktemp("net")
    (folder / "net.json").write_text(json.dumps(ARCHITECTURE))
    torch.save(state(ARCHITECTURE), folder / "net.pth")
    h5bridge("convert", folder / "net.json", folder / "net.pth", "-o", folder / "net.h5")
    return folder


def saved_by_keras(net, path, change=lambda layers: None, weights=True):
    """The network after Keras has loaded it and somebody has changed its configuration."""
    model = keras.models.load_model(net / "net.h5", compile=False)
    config = model.get_config()
    layers = {layer["name"]: layer for layer in config["layers"]}
    change(layers)
    for layer in [layer for layer in config["layers"] if layer["name"] not in layers]:
        config["layers"].remove(layer)
    for layer in [layer for name, layer in layers.items() if layer not in config["layers"]]:
        config["layers"].append(layer)
    changed = type(model).from_config(config)
    for layer in changed.layers if weights else []:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    changed.save(path)


def setting(layer, **settings):
    return lambda layers: layers[layer]["config"].update(settings)


def activation(name):
    def change(layers):
        layers["act"].update(class_name="Activation", module="keras.layers", registered_name=None)
        layers["act"]["config"] = {"name": "act", "activation": name}

    return change


def replace_pool(layers):
    layers["pool"]["class_name"] = "AveragePooling2D"


def multiply(layers):
    layers["both"].update(class_name="Multiply", module="keras.layers", registered_name=None)
    layers["both"]["config"] = {"name": "both"}
    tensors = [a for a in layers["both"]["inbound_nodes"][0]["args"]]
    layers["both"]["inbound_nodes"][0]["args"] = tensors if isinstance(tensors[0], list) else [tensors]


def retarget(layer, old, new):
    """What `layer` takes from `old` it takes from `new`."""

    def change(layers):
        nodes = json.loads(json.dumps(layers[layer]["inbound_nodes"]).replace(f'"{old}"', f'"{new}"'))
        layers[layer]["inbound_nodes"] = nodes

    return change


def without(layer, before):
    def change(layers):
        del layers[layer]
        for other in layers:
            retarget(other, layer, before)(layers)

    return change


DIFFERENCES = {
    "activation": (activation("gelu"), 'layer "act" has GELU here, ReLU there'),
    "leaky activation": (setting("act", negative_slope=0.2), 'layer "act" has negative_slope 0.2 here, 0.0 there'),
    "no activation": (without("act", "stem_norm"), 'layer "act" (ReLU) is only there'),
    "epsilon": (setting("stem_norm", epsilon=1e-3), 'layer "stem_norm" has eps 0.001 here, 1e-05 there'),
    "strides": (setting("left", dilation_rate=[2, 2]), 'layer "left" has dilation [2, 2] here, [1, 1] there'),
    "activation of its own": (setting("fc", activation="sigmoid"), 'layer "fc" (Sigmoid) is only here'),
    "pooling": (replace_pool, 'layer "pool" has AvgPool2d here, MaxPool2d there'),
    "merge": (multiply, 'layer "both" has mul here, add there'),
    "wiring": (retarget("right", "act", "left"), 'layer "right" takes what layer "left" makes here'),
    "a part left out": (retarget("both", "right", "left"), 'layer "right" is only there'),
}


@pytest.mark.parametrize("change, words", DIFFERENCES.values(), ids=DIFFERENCES)
def test_halves_that_disagree_are_refused(net, tmp_path, change, words):
    saved_by_keras(net, tmp_path / "changed.h5", change)
    done = h5bridge("validate", tmp_path / "changed.h5", net / "net.json", status=1)
    assert words in done.stdout, done.stdout
    for command in (["convert", "-o", tmp_path / "out.pth"], ["run", "--input", "x.npy"]):
        done = h5bridge(command[0], tmp_path / "changed.h5", net / "net.json", *command[1:], status=3)
        assert words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "out.pth").exists()


def test_units_are_named_before_the_weights_that_do_not_fit(net, tmp_path):
    saved_by_keras(net, tmp_path / "changed.h5", setting("fc", units=7), weights=False)
    done = h5bridge("convert", tmp_path / "changed.h5", net / "net.json", "-o", tmp_path / "out.pth", status=3)
    assert 'layer "fc" has out_features 7 here, 5 there' in done.stderr


def test_a_network_that_keras_saved_agrees(net, tmp_path):
    saved_by_keras(net, tmp_path / "saved.h5")
    done = h5bridge("convert", tmp_path / "saved.h5", net / "net.json", "-o", tmp_path / "out.pth")
    assert "note" not in done.stderr
    assert torch.load(tmp_path / "out.pth").keys() == torch.load(net / "net.pth").keys()


def test_what_only_training_differs_in_is_noted(net, tmp_path):
    saved_by_keras(net, tmp_path / "changed.h5", setting("drop", rate=0.5))
    done = h5bridge("validate", tmp_path / "changed.h5", net / "net.json")
    assert 'note: its network is trained otherwise' in done.stderr and 'layer "drop" has p 0.5 here, 0.25 there' in done.stderr


def by_hand(fused):
    """The network as somebody builds it in Keras: other kinds of layers, other names for what has no weights."""
    layers = keras.layers
    x = given = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem_conv")(x)
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name="stem_norm")(x)
    x = layers.Activation("relu")(x)
    x = layers.Add()([layers.Conv2D(4, 1, name="right")(x), layers.Conv2D(4, 1, name="left")(x)])
    x = layers.Flatten()(layers.Dropout(0.25)(layers.MaxPooling2D()(x)))
    x = layers.Dense(5, activation="softmax" if fused else None, name="fc")(x)
    return keras.Model(given, x if fused else layers.Softmax()(x))


@pytest.mark.parametrize("fused", [False, True])
def test_a_network_built_by_hand_agrees(net, tmp_path, fused):
    by_hand(fused).save(tmp_path / "own.h5")
    done = h5bridge("validate", tmp_path / "own.h5", net / "net.json")
    assert "note" not in done.stderr


def test_forms_that_may_be_the_same_are_noted(net, tmp_path):
    """A pooling to one element and a mean over axes; only its user knows."""
    architecture = {
        **ARCHITECTURE,
        "layers": [
            ARCHITECTURE["layers"][0],
            {"name": "mean", "type": "mean", "attributes": {"dim": [2, 3]}},
            {"name": "fc", "type": "Linear", "attributes": {"in_features": 4, "out_features": 5}},
        ],
        "outputs": ["fc"],
    }
    (tmp_path / "net.json").write_text(json.dumps(architecture))
    given = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="stem_conv")(given)
    x = keras.layers.Dense(5, name="fc")(keras.layers.GlobalAveragePooling2D()(x))
    keras.Model(given, x).save(tmp_path / "own.h5")
    done = h5bridge("validate", tmp_path / "own.h5", tmp_path / "net.json")
    assert "note: its network may be another" in done.stderr and "AdaptiveAvgPool2d here, mean there" in done.stderr


def test_a_json_of_keras_is_compared_too(net, tmp_path):
    saved_by_keras(net, tmp_path / "changed.h5", activation("gelu"))
    saved_by_keras(net, tmp_path / "saved.h5")
    (tmp_path / "keras.json").write_text(keras.models.load_model(tmp_path / "saved.h5", compile=False).to_json())
    h5bridge("validate", tmp_path / "saved.h5", tmp_path / "keras.json")
    done = h5bridge("validate", tmp_path / "changed.h5", tmp_path / "keras.json", status=1)
    assert 'layer "act" has GELU here, ReLU there' in done.stdout


def test_the_architecture_in_our_own_file_is_compared(net, tmp_path):
    architecture = json.loads(json.dumps(ARCHITECTURE))
    architecture["layers"][2]["type"] = "GELU"
    (tmp_path / "other.json").write_text(json.dumps(architecture))
    h5bridge("validate", net / "net.h5", net / "net.json")
    done = h5bridge("validate", net / "net.h5", tmp_path / "other.json", status=1)
    assert 'layer "act" has ReLU here, GELU there' in done.stdout


def test_weights_of_a_file_without_architecture_need_none(net, tmp_path):
    keras.models.load_model(net / "net.h5", compile=False).save(tmp_path / "whole.h5")
    with h5py.File(tmp_path / "whole.h5") as whole, h5py.File(tmp_path / "weights.h5", "w") as weights:
        for name, value in whole["model_weights"].attrs.items():
            weights.attrs[name] = value
        for name in whole["model_weights"]:
            whole.copy(whole["model_weights"][name], weights, name)
    architecture = json.loads(json.dumps(ARCHITECTURE))
    architecture["layers"][2]["type"] = "GELU"
    (tmp_path / "other.json").write_text(json.dumps(architecture))
    h5bridge("validate", tmp_path / "weights.h5", tmp_path / "other.json")


@pytest.mark.parametrize("masked", [False, True], ids=["plain file", "masked file"])
def test_a_mask_on_one_side_is_another_network(tmp_path, masked):
    """mask_zero in Keras: the same layers and weights, and other numbers at padding."""

    def saved(path, mask_zero):
        keras.utils.set_random_seed(1)
        layers = [keras.Input((9,)), keras.layers.Embedding(50, 8, mask_zero=mask_zero, name="e"), keras.layers.LSTM(6, name="l")]
        keras.Sequential(layers).save(path)

    for name, mask_zero in (("plain", False), ("masked", True)):
        saved(tmp_path / f"{name}.h5", mask_zero)
        h5bridge("convert", tmp_path / f"{name}.h5", "-o", tmp_path / f"{name}.json")
    file, json_file = (("masked", "plain") if masked else ("plain", "masked"))
    sources = tmp_path / f"{file}.h5", tmp_path / f"{json_file}.json"
    for command, status in ((("convert", *sources, "-o", tmp_path / "out.pth"), 3), (("validate", *sources), 1)):
        done = h5bridge(*command, status=status)
        assert ("takes a mask here, none there" if masked else "takes no mask here, one there") in done.stdout + done.stderr
    h5bridge("convert", tmp_path / f"{file}.h5", tmp_path / f"{file}.json", "-o", tmp_path / "out.pth")


class Normalised(torch.nn.Module):
    """Keras has an operation for it."""

    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 4)
        self.scale = torch.nn.Parameter(torch.ones(4))

    def forward(self, x):
        return torch.nn.functional.layer_norm(self.line(x), (4,), self.scale)


ADVICE = "its architecture JSON beside the file says what its operations are"


def test_what_helps_where_operations_are_not_known_is_said(tmp_path):
    module = Normalised().eval()
    export_architecture(module, torch.zeros(2, 4), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.h5")
    keras.models.load_model(tmp_path / "net.h5").save(tmp_path / "kept.h5")
    h5bridge("convert", tmp_path / "kept.h5", tmp_path / "net.json", "-o", tmp_path / "home.pth")
    assert torch.equal(torch.load(tmp_path / "home.pth")["scale"], module.scale)
    with h5py.File(tmp_path / "kept.h5", "r+") as file:  # as if there was no layer type for it
        file.attrs["model_config"] = file.attrs["model_config"].replace('"LayerNorm"', '"SomeNorm"')
    assert ADVICE in h5bridge("convert", tmp_path / "kept.h5", "-o", tmp_path / "home.pth", status=4).stderr


def test_a_layer_that_is_not_known_is_none_of_ours(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "net.h5")
    assert ADVICE not in h5bridge("convert", tmp_path / "net.h5", "-o", tmp_path / "home.pth", status=4).stderr


class Resized(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(8, 8)

    def forward(self, x):
        return nn.functional.interpolate(self.mix(x), size=(7, 5), mode="bilinear", align_corners=True)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_data_format_that_no_layer_of_keras_s_says_is_the_one_that_fits(data_format, tmp_path):
    module = Resized()
    export_architecture(module, torch.zeros(2, 3, 9, 8), tmp_path / "net.json")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "net.pth", "-o", tmp_path / "net.keras", "--data-format", data_format)
    keras.saving.load_model(tmp_path / "net.keras").save(tmp_path / "again.keras")
    h5bridge("convert", tmp_path / "again.keras", tmp_path / "net.json", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert all(torch.equal(home[name], tensor) for name, tensor in module.state_dict().items())


def edited(path, target, change, indent=None):
    """A copy of a Keras file whose configuration another program has changed."""
    if path.suffix == ".h5":
        target.write_bytes(path.read_bytes())
        with h5py.File(target, "r+") as file:
            text = file.attrs["model_config"]
            config = json.loads(text)
            change(config)
            file.attrs["model_config"] = json.dumps(config, indent=indent)
        return target
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for member in source.infolist():
            content = source.read(member)
            if member.filename == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config, indent=indent).encode()
            copy.writestr(member, content)
    return target


def layer_called(config, name):
    (found,) = [layer for layer in config["config"]["layers"] if layer["config"]["name"] == name]
    return found["config"]


@pytest.fixture(scope="module", params=[("net.h5", ()), ("net.keras", ()), ("net2.h5", ("--keras", 2))], ids=["h5", "keras", "keras 2"])
def ours(net, request):
    name, options = request.param
    h5bridge("convert", net / "net.json", net / "net.pth", "-o", net / name, *options)
    return net / name


def test_a_configuration_that_was_edited_is_another_network(ours, tmp_path):
    """Keras goes by the configuration; the architecture that we left beside it is of before."""
    file = edited(ours, tmp_path / ours.name, lambda config: layer_called(config, "left").update(activation="relu"))
    done = h5bridge("validate", file, status=1)
    assert "was edited" in done.stdout + done.stderr and '"left"' in done.stdout + done.stderr
    done = h5bridge("convert", file, "-o", tmp_path / "home.pth", status=3)
    assert "was edited" in done.stderr and "keras.models.load_model" in done.stderr
    assert not (tmp_path / "home.pth").exists()


def test_the_advice_for_an_edited_configuration_holds(net, tmp_path):
    file = edited(net / "net.h5", tmp_path / "net.h5", lambda config: layer_called(config, "left").update(activation="relu"))
    keras.models.load_model(file).save(tmp_path / "again.keras")
    h5bridge("convert", tmp_path / "again.keras", "-o", tmp_path / "again.json")
    (left,) = [layer for layer in json.loads((tmp_path / "again.json").read_text())["layers"] if layer["name"] == "left"]
    assert left["attributes"]["activation"] == "relu"


def test_a_configuration_that_was_only_written_anew_is_the_same(ours, tmp_path):
    file = edited(ours, tmp_path / ours.name, lambda config: None, indent=2)
    assert "edited" not in h5bridge("convert", file, "-o", tmp_path / "home.pth").stderr
    home, there = torch.load(tmp_path / "home.pth"), torch.load(ours.parent / "net.pth")
    assert list(home) == list(there) and all(torch.equal(home[name], there[name]) for name in there)


def test_what_was_edited_and_changes_no_number_is_noted(ours, tmp_path):
    file = edited(ours, tmp_path / ours.name, lambda config: layer_called(config, "drop").update(rate=0.5))
    assert "was edited" in h5bridge("convert", file, "-o", tmp_path / "home.pth").stderr


def test_beside_an_edited_configuration_the_architecture_given_counts_against_that(ours, tmp_path):
    file = edited(ours, tmp_path / ours.name, lambda config: layer_called(config, "left").update(activation="relu"))
    done = h5bridge("convert", file, ours.parent / "net.json", "-o", tmp_path / "home.pth", status=3)
    assert "net.json" in done.stderr and '"left"' in done.stderr


@pytest.mark.parametrize("option", ["--key", "--optimizer-key"])
def test_keys_of_what_has_no_entries_are_refused(ours, option, tmp_path):
    done = h5bridge("convert", ours, option, "ema", "-o", tmp_path / "home.pth", status=2)
    assert option in done.stderr and "checkpoint" in done.stderr
    assert not (tmp_path / "home.pth").exists()
