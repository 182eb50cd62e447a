"""Every module of torch.nn that is no loss, saved whole by torch.save: what is read of it computes the module's bits."""

import inspect
import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from keras_helpers import assert_close, keras, keras_layout, predict
from layer_samples import flattened
from program import h5bridge, needs_libtorch, needs_program, run_program
from run_together import result_of, run_together

pytestmark = needs_program

WITHOUT_FORWARD = "has no forward"
DRAWS = "draws its windows at random in evaluation, too"
IS_ANOTHER_AFTER_A_CALL = "becomes another class with its first input, and has no tensors before"
LEFT_OUT = {
    "AdaptiveLogSoftmaxWithLoss": "is a loss: forward takes the target, and gives the loss beside its parts",
    "Container": WITHOUT_FORWARD,
    "CrossMapLRN2d": "is LocalResponseNorm but that the first channel never leaves its window, which no layer says; PyTorch does not document it",
    "FractionalMaxPool2d": DRAWS,
    "FractionalMaxPool3d": DRAWS,
    "Module": WITHOUT_FORWARD,
    "ModuleDict": WITHOUT_FORWARD,
    "ModuleList": WITHOUT_FORWARD,
    "ParameterDict": WITHOUT_FORWARD,
    "ParameterList": WITHOUT_FORWARD,
    "RNNBase": "is what RNN, LSTM and GRU are derived from",
    "RNNCellBase": WITHOUT_FORWARD,
}


def classes():
    own = {value.__name__: value for value in vars(nn).values() if isinstance(value, type) and issubclass(value, nn.Module)}
    return {name: kind for name, kind in sorted(own.items()) if kind.__module__ != "torch.nn.modules.loss"}


def is_lazy(name):
    return name.startswith("Lazy")


IMAGES = {1: (3, 4, 8), 2: (3, 4, 8, 6), 3: (3, 4, 8, 6, 10)}
STEPS = (7, 3, 6)  # steps first, as PyTorch has them unless it is told otherwise
TRANSFORMER = dict(dim_feedforward=10, dropout=0.2)


def of_images(kind, *arguments, **settings):
    """Such a layer in each number of axes."""
    return {f"{kind}{n}d": ((*arguments,), settings, [IMAGES[n]]) for n in IMAGES if hasattr(nn, f"{kind}{n}d")}


def padded(kind, *more):
    return {f"{kind}{n}d": (([1, 2, 2, 1, 1, 3][: 2 * n], *more), {}, [IMAGES[n]]) for n in IMAGES}


# The constructor's arguments, settings, and the shapes of the inputs; without an entry there are no arguments.
CASES = {
    **of_images("AdaptiveAvgPool", 2), **of_images("AdaptiveMaxPool", 3), **of_images("AvgPool", 3, stride=2, padding=1),
    **of_images("BatchNorm", 4, eps=1e-3), **of_images("Conv", 4, 6, 3, padding=1, groups=2), **of_images("ConvTranspose", 4, 5, 3, stride=2, bias=False),
    **of_images("InstanceNorm", 4, affine=True, track_running_stats=True), **of_images("LPPool", 2, 3, stride=2),
    **of_images("MaxPool", 2, dilation=2, ceil_mode=True), **of_images("Dropout", 0.3),
    "BatchNorm1d": ((4,), {}, [(3, 4)]),  # as it is taken, where the file does not say whether there are steps
    "FeatureAlphaDropout": ((), {}, [IMAGES[2]]),
    **padded("CircularPad"), **padded("ConstantPad", 1.5), **padded("ReflectionPad"), **padded("ReplicationPad"), **padded("ZeroPad"),
    "Bilinear": ((4, 5, 6), {}, [(3, 4), (3, 5)]),
    "ChannelShuffle": ((2,), {}, [IMAGES[2]]),
    "CosineSimilarity": ((), {}, [(3, 6), (3, 6)]),
    "Embedding": ((9, 5), {"padding_idx": 2}, [9]),
    "EmbeddingBag": ((9, 5), {"mode": "sum"}, [9]),
    "Flatten": ((), {}, [IMAGES[2]]),
    "Fold": (((5, 6), (2, 3)), {"stride": (1, 2), "padding": (0, 1)}, [(3, 12, 12)]),
    "GRU": ((6, 4, 2), {"bidirectional": True}, [STEPS]),
    "GRUCell": ((6, 4), {}, [(3, 6)]),
    "GroupNorm": ((2, 4), {}, [IMAGES[2]]),
    "LSTM": ((6, 4), {"proj_size": 3, "bias": False}, [STEPS]),
    "LSTMCell": ((6, 4), {"bias": False}, [(3, 6)]),
    "LayerNorm": (((4, 6),), {}, [(3, 4, 6)]),
    "Linear": ((6, 4), {}, [(3, 6)]),
    "LocalResponseNorm": ((3,), {"alpha": 0.2}, [IMAGES[2]]),
    "LogSoftmax": ((1,), {}, [(3, 6)]),
    "MultiheadAttention": ((6, 2), {"kdim": 4, "vdim": 5, "bias": False}, [STEPS, (5, 3, 4), (5, 3, 5)]),
    "PReLU": ((6,), {}, [(3, 6)]),
    "PairwiseDistance": ((), {"p": 3.0, "keepdim": True}, [(3, 6), (3, 6)]),
    "PixelShuffle": ((2,), {}, [IMAGES[2]]),
    "PixelUnshuffle": ((2,), {}, [IMAGES[2]]),
    "RMSNorm": ((6,), {"eps": 1e-4}, [(3, 5, 6)]),
    "RNN": ((6, 4), {"nonlinearity": "relu", "batch_first": True}, [(3, 7, 6)]),
    "RNNCell": ((6, 4), {"nonlinearity": "relu"}, [(3, 6)]),
    "RReLU": ((0.1, 0.4), {}, [(3, 6)]),
    "Softmax": ((1,), {}, [(3, 6)]),
    "Softmax2d": ((), {}, [IMAGES[2]]),
    "Softmin": ((1,), {}, [(3, 6)]),
    "SyncBatchNorm": ((4,), {}, [(3, 4)]),
    "Threshold": ((0.2, -1.5), {}, [(3, 6)]),
    "Transformer": ((6, 2, 2, 1), TRANSFORMER, [STEPS, (5, 3, 6)]),
    "TransformerDecoderLayer": ((6, 2), TRANSFORMER | {"norm_first": True}, [STEPS, (5, 3, 6)]),
    "TransformerEncoderLayer": ((6, 2), TRANSFORMER | {"activation": "gelu", "batch_first": True}, [(3, 7, 6)]),
    "Unflatten": ((1, (2, 3)), {}, [(3, 6)]),
    "Unfold": ((2,), {"padding": 1}, [IMAGES[2]]),
    "Upsample": ((), {"scale_factor": 2, "mode": "bilinear", "align_corners": False}, [IMAGES[2]]),
    "UpsamplingBilinear2d": ((), {"scale_factor": 2}, [IMAGES[2]]),
    "UpsamplingNearest2d": ((), {"scale_factor": 3}, [IMAGES[2]]),
}  # fmt: skip
LAZY = {"LazyLinear": ((4,), {}, (3, 6))} | {
    f"Lazy{kind}{n}d": (arguments, {}, IMAGES[n])
    for kind, arguments in {"BatchNorm": (), "Conv": (5, 3), "ConvTranspose": (5, 3), "InstanceNorm": ()}.items()
    for n in IMAGES
} | {"LazyBatchNorm1d": ((), {}, (3, 4))}
MADE = {
    "DataParallel": lambda: (nn.DataParallel(nn.Sequential(nn.Linear(6, 4), nn.ReLU())), [(3, 6)]),
    "Sequential": lambda: (nn.Sequential(nn.Linear(6, 4), nn.GRU(4, 5)), [STEPS]),
    "TransformerDecoder": lambda: (nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, **TRANSFORMER), 2, nn.LayerNorm(6)), [STEPS, (5, 3, 6)]),
    "TransformerEncoder": lambda: (nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, bias=False, **TRANSFORMER), 2), [STEPS]),
} | {f"MaxUnpool{n}d": lambda n=n: (getattr(nn, f"MaxUnpool{n}d")(2), None) for n in IMAGES}  # fmt: skip


class Case:
    """A module with weights of its own, its inputs, and what PyTorch makes of them."""

    def __init__(self, name):
        self.name = name
        torch.manual_seed(7)
        if name in MADE:
            self.module, shapes = MADE[name]()
        elif name in LAZY:
            arguments, settings, shape = LAZY[name]
            self.module, shapes = getattr(nn, name)(*arguments, **settings), [shape]
            self.module(torch.zeros(shape))
        else:
            arguments, settings, shapes = CASES.get(name, ((), {}, [(3, 6)]))
            self.module = getattr(nn, name)(*arguments, **settings)
        self.module.eval()
        for key, tensor in self.module.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if key.endswith("running_var") else tensor.normal_(0, 0.4)
        self.inputs = [self.random(shape) for shape in shapes] if shapes else self.pooled(int(name[-2]))
        with torch.no_grad():
            self.expected = flattened(self.module(*self.inputs))

    @staticmethod
    def random(shape):
        return torch.randint(shape, (3, 5)) if isinstance(shape, int) else torch.randn(shape)

    @staticmethod
    def pooled(axes):
        return list(getattr(nn.functional, f"max_pool{axes}d")(torch.randn(IMAGES[axes]), 2, return_indices=True))

    def convert(self, folder):
        torch.save(self.module, folder / "whole.pth")
        h5bridge("convert", folder / "whole.pth", "-o", folder / "net.json", "-o", folder / "net.pth")
        return json.loads((folder / "net.json").read_text()), torch.load(folder / "net.pth", weights_only=True)


def bits(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.fixture(scope="module", autouse=True)
def plain_kernels():
    """The fast path of TransformerEncoder computes with other kernels than its parts."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(enabled)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return [Case(name) for name in classes() if name not in LEFT_OUT]


def side_by_side(cases, folder):
    """One network of all that was read, since each start of LibTorch takes its time."""
    merged = {"h5bridge": 2, "name": "Modules", "inputs": [], "layers": [], "outputs": {}}
    state, inputs = {}, {}
    for i, case in enumerate(cases):
        own_folder = folder / case.name
        own_folder.mkdir(exist_ok=True)
        architecture, own_state = case.convert(own_folder)

        def here(value):
            name, colon, output = value.partition(":")
            return (f"m{i}_{name}" if name in taken else f"m{i}" if name.startswith(".") else f"m{i}.{name}") + colon + output

        taken = [described["name"] for described in architecture["inputs"]]
        open_sizes = re.compile(r"\b[a-z]\w*\b")
        for described, x in zip(architecture["inputs"], case.inputs, strict=True):
            shape = [open_sizes.sub(lambda m: f"{m[0]}_{i}", size) if isinstance(size, str) else size for size in described["shape"]]
            merged["inputs"].append(described | {"name": here(described["name"]), "shape": shape})
            inputs[here(described["name"])] = x.numpy()
        for layer in architecture["layers"]:
            merged["layers"].append(layer | {"name": here(layer["name"]), "inputs": [here(value) for value in layer["inputs"]]})
        for k, value in enumerate(architecture["outputs"]):
            merged["outputs"][f"m{i}_{k}"] = here(value)
        # A layer that is the model itself is called m5 here, and its tensors m5.weight.
        state |= {f"m{i}.{name}": tensor for name, tensor in own_state.items()}
    (folder / "all.json").write_text(json.dumps(merged))
    torch.save(state, folder / "all.pth")
    np.savez(folder / "x.npz", **inputs)
    h5bridge("run", folder / "all.json", folder / "all.pth", "--exact", "--input", folder / "x.npz", "-o", folder / "y.npz")
    found = np.load(folder / "y.npz")
    return {case.name: [found[f"m{i}_{k}"] for k in range(sum(name.startswith(f"m{i}_") for name in found))] for i, case in enumerate(cases)}


@pytest.fixture(scope="module")
def results(cases, tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    return folder, run_together(cases, lambda some: side_by_side(some, folder))


@needs_libtorch
@pytest.mark.parametrize("name", [name for name in classes() if name not in LEFT_OUT])
def test_what_is_read_computes_the_modules_bits(name, cases, results):
    folder, by_name = results
    case = next(case for case in cases if case.name == name)
    found = result_of(by_name, case)
    assert len(found) == len(case.expected)
    for array, expected in zip(found, case.expected):
        assert array.shape == expected.shape and array.tobytes() == expected.contiguous().numpy().tobytes()
    architecture = json.loads((folder / name / "net.json").read_text())
    parameters = [p.name for p in inspect.signature(case.module.forward).parameters.values() if p.default is p.empty]
    if name not in ("DataParallel", "RMSNorm"):  # whose forward takes anything, or calls x what its layer calls input
        assert [described["name"] for described in architecture["inputs"]] == parameters
    state, found_state = case.module.state_dict(), torch.load(folder / name / "net.pth", weights_only=True)
    assert list(found_state) == list(state) and all(bits(found_state[key]) == bits(state[key]) for key in state)


def test_those_left_out_are_there_and_said(tmp_path):
    assert sorted(set(LEFT_OUT) - set(classes())) == []
    containers = {"ModuleList": nn.ModuleList([nn.Linear(3, 3)]), "ModuleDict": nn.ModuleDict({"a": nn.Linear(3, 3)}),
                  "ParameterList": nn.ParameterList([nn.Parameter(torch.ones(3))]), "ParameterDict": nn.ParameterDict({"a": nn.Parameter(torch.ones(3))}),
                  "AdaptiveLogSoftmaxWithLoss": nn.AdaptiveLogSoftmaxWithLoss(6, 20, [5, 10]), "CrossMapLRN2d": nn.CrossMapLRN2d(3)}  # fmt: skip
    for name, module in containers.items():
        torch.save(module, tmp_path / "whole.pth")
        message = run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.h5", status=4)
        assert f".{name} is code" in message and "tools/h5bridge_export.py" in message
        if not module.state_dict():
            continue
        h5bridge("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.pth")
        assert torch.load(tmp_path / "net.pth", weights_only=True).keys() == module.state_dict().keys()


def test_lazy_modules_without_tensors_are_refused(tmp_path):
    assert set(LAZY) == {name for name in classes() if is_lazy(name)}
    for module in (nn.LazyLinear(3), nn.Sequential(nn.ReLU(), nn.LazyBatchNorm2d())):
        torch.save(module, tmp_path / "whole.pth")
        message = run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.h5", status=4)
        assert "of a module that is lazy" in message and "call it and save it again" in message


# One that has tensors of its own, parts of its own, buffers, several inputs, and outputs.
THEMSELVES = ["GRU", "MultiheadAttention", "BatchNorm2d", "Bilinear"]


@needs_libtorch
@pytest.mark.parametrize("name", THEMSELVES)
def test_a_layer_that_is_the_model_in_every_format(name, tmp_path):
    case = Case(name)
    case.convert(tmp_path)
    files = [tmp_path / "net.json", tmp_path / "net.pth"]
    h5bridge("convert", *files, "-o", tmp_path / "net.py", "-o", tmp_path / "net.ts", "-o", tmp_path / "net.keras", "-o", tmp_path / "net.safetensors")
    environment = {}
    exec(compile((tmp_path / "net.py").read_text(), "net.py", "exec"), environment)
    made = environment[name]()
    made.load_state_dict(torch.load(tmp_path / "net.pth", weights_only=True), strict=True)
    scripted = torch.jit.load(tmp_path / "net.ts")
    assert list(made.state_dict()) == list(case.module.state_dict()) == list(scripted.state_dict())
    for network in (made.eval(), scripted.eval()):
        with torch.no_grad():
            found = flattened(network(*case.inputs))
        assert [bits(a) for a in found] == [bits(b) for b in case.expected]
    names = [described["name"] for described in json.loads((tmp_path / "net.json").read_text())["inputs"]]
    np.savez(tmp_path / "x.npz", **{key: x.numpy() for key, x in zip(names, case.inputs)})
    h5bridge("run", tmp_path / "whole.pth", "--exact", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    assert [array.tobytes() for array in np.load(tmp_path / "y.npz").values()] == [y.contiguous().numpy().tobytes() for y in case.expected]
    model = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    is_image = case.inputs[0].ndim == 4
    given = [keras_layout(x.numpy()) if is_image else x.numpy() for x in case.inputs]
    found = list(predict(model, given).values())
    for y, expected in zip(found, case.expected, strict=True):
        assert_close(y, keras_layout(expected.numpy()) if is_image else expected.numpy(), 1e-5, name)
    model.save(tmp_path / "back.keras")
    h5bridge("convert", tmp_path / "net.json", tmp_path / "back.keras", "-o", tmp_path / "home.pth")
    home, state = torch.load(tmp_path / "home.pth", weights_only=True), case.module.state_dict()
    assert list(home) == list(state) and all(bits(home[key]) == bits(state[key]) for key in state)


def test_torchscript_of_transformers_takes_the_kernels_that_pytorch_takes(tmp_path):
    """Those for all at once without gradients, and the parts' with them, bit for bit."""
    torch.backends.mha.set_fastpath_enabled(True)
    try:
        for name in ("TransformerEncoderLayer", "TransformerEncoder", "Transformer"):
            case = Case(name)
            torch.save(case.module, tmp_path / "whole.pth")
            h5bridge("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.ts")
            scripted = torch.jit.load(tmp_path / "net.ts").eval()
            for gradients in (False, True):
                with torch.set_grad_enabled(gradients):
                    found, expected = (flattened(network(*case.inputs)) for network in (scripted, case.module))
                assert [bits(y) for y in found] == [bits(y) for y in expected], (name, gradients)
    finally:
        torch.backends.mha.set_fastpath_enabled(False)


def hooked(module):
    module.register_forward_hook(print)
    return module


def with_forward(module):
    module.forward = print
    return module


@pytest.mark.parametrize("change", [hooked, with_forward])
@pytest.mark.parametrize("make", [lambda: nn.Sequential(nn.ReLU()), lambda: nn.TransformerEncoderLayer(4, 2, 8), lambda: nn.Linear(3, 3)], ids=["chain", "transformer", "layer"])
def test_code_of_a_modules_own_is_refused(make, change, tmp_path):
    torch.save(change(make()), tmp_path / "whole.pth")
    message = run_program("convert", tmp_path / "whole.pth", "-o", tmp_path / "net.json", status=4)
    assert ("has hooks, which are code" if change is hooked else "has a forward of its own, which is code") in message


def test_two_layers_cannot_be_the_model(tmp_path):
    layers = [{"name": f".{name}", "type": "Linear", "attributes": {"in_features": 3, "out_features": 3}} for name in "ab"]
    described = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3]}], "layers": layers, "outputs": [".b"]}
    (tmp_path / "net.json").write_text(json.dumps(described))
    message = run_program("validate", tmp_path / "net.json", status=3)
    assert 'layer ".a" (Linear) and layer ".b" (Linear) both begin with a dot' in message
