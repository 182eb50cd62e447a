"""The samples of the registry against the real signatures: every class of the families that h5bridge knows is read, and every
constructor argument has some sample that sets it to another value than its default. So a class or an argument that a new version
of PyTorch or Keras brings makes these tests fail until a sample covers it."""

import ast
import importlib
import inspect
import re
import textwrap
from collections import defaultdict
from pathlib import Path

import torch

from keras_helpers import keras
from program import ROOT, needs_program
from registry_samples import keras_classes_read, keras_samples, layer_samples, needs_registry
from torch_helpers import exporter

pytestmark = [needs_program, needs_registry]


def missing(wanted, covered, left_out):
    """What is neither covered nor left out. What is covered or does not exist, and so is left out for no reason, is told, too."""
    found = {name: name if name in left_out else name.rpartition(".")[2] for name in wanted}
    needless = [name for name in left_out if all(found[w] != name or w in covered for w in wanted)]
    return [name for name in wanted if name not in covered and found[name] not in left_out] + [f"{name}, left out" for name in needless]


# --- PyTorch ----------------------------------------------------------------------------------------------------------------

TORCH_FAMILIES = """conv pooling padding activation normalization batchnorm instancenorm dropout linear sparse rnn upsampling
    flatten pixelshuffle channelshuffle distance""".split()
TORCH_CLASSES_LEFT_OUT = {
    "CrossMapLRN2d": "an old form of LocalResponseNorm that PyTorch does not document",
    "FractionalMaxPool2d": "draws its windows at random in evaluation, too",
    "FractionalMaxPool3d": "draws its windows at random in evaluation, too",
    "RNNBase": "what the others derive from",
    "RNNCellBase": "what the others derive from",
}
TORCH_ARGUMENTS_LEFT_OUT = {
    "ConvTranspose1d.padding_mode": "takes no other value",
    "ConvTranspose2d.padding_mode": "takes no other value",
    "ConvTranspose3d.padding_mode": "takes no other value",
    "GRU.proj_size": "of LSTM alone, though the signature of all three has it",
    "Hardtanh.max_value": "an old name of max_val",
    "Hardtanh.min_value": "an old name of min_val",
    "RNN.proj_size": "of LSTM alone, though the signature of all three has it",
    "SyncBatchNorm.process_group": "of several processes, which are not in a model",
}
TORCH_FUNCTION_ARGUMENTS_LEFT_OUT = {
    "dtype": "written as a cast before",
    "expand.implicit": "for PyTorch's own use",
    "repeat_interleave.output_size": "what follows from the others, to be quick",
    "cudnn_enable": "how it is computed",
    "cudnn_enabled": "how it is computed",
    "embedding.max_norm": "changes the table in place",
    "embedding.norm_type": "of max_norm",
    "instance_norm.use_input_stats": "without running statistics it does",
    "out_dtype": "an element type of the result's own",
    "scatter.reduce": "an old spelling of scatter_add",
    "searchsorted.self": "a number in place of a tensor",
    "sort.reverse": "of lists, not of tensors",
    "split.split_sizes": "split_size with several numbers",
    "std.unbiased": "written as correction",
    "unfold.dilation": "of F.unfold, which is the module Unfold",
    "unfold.kernel_size": "of F.unfold, which is the module Unfold",
    "unfold.padding": "of F.unfold, which is the module Unfold",
    "unfold.stride": "of F.unfold, which is the module Unfold",
    "var.unbiased": "written as correction",
}


def torch_samples():
    """The attributes of the samples of each layer type."""
    result = defaultdict(list)
    for sample in layer_samples():
        result[sample["type"]].append(sample["attributes"])
    return result


def torch_classes():
    modules = [getattr(torch.nn.modules, family) for family in TORCH_FAMILIES]
    own = [c for module in modules for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    return sorted({c.__name__ for c in own if getattr(torch.nn, c.__name__, None) is c and not c.__name__.startswith("Lazy")})


def torch_arguments(samples):
    """Of each module class among the layer types: which arguments there are, and which some sample sets."""
    wanted, covered = [], set()
    for name, attributes in samples.items():
        if kind := getattr(torch.nn, name, None):
            for argument, default in exporter.modules.constructor(kind).items():
                wanted.append(f"{name}.{argument}")
                if any(argument in a and not exporter.modules.is_default(a[argument], default) for a in attributes):
                    covered.add(wanted[-1])
    return wanted, covered


def takes_functions(name):
    """Of torch.cond and its like the calls of what they are given are written, not the arguments."""
    return hasattr(torch.ops.higher_order, name)


def function_arguments(name):
    """The arguments of a function or a method of tensors that are no tensors, by the names that the exporter writes."""
    for home in (torch.nn.functional, torch, torch.Tensor):
        signature = exporter.arguments.python_signature(getattr(home, name)) if hasattr(home, name) else None
        if signature and "__torch_function__" not in str(signature):
            tensors = ("input", "tensor", "tensors", "self", "out", "x", "other", "x1", "x2", "grid", "theta") if home is not torch.Tensor else ("self",)
            tensors += exporter.tables.OPERANDS.get(name, ())
            yield from (p for p in signature.parameters if p not in tensors and not p.startswith("_"))
    for schema in exporter.arguments.schemas(name):
        first, *others = schema.arguments
        kinds = [str(a.type) for a in schema.arguments]
        if "Tensor" in str(first.type) and not any(a.is_out for a in others) and not any("Dimname" in kind for kind in kinds):
            yield from (a.name for a in others if "Tensor" not in str(a.type))


def torch_function_arguments(samples):
    wanted, covered = [], set()
    for name, attributes in samples.items():
        if name == name.lower() and not takes_functions(name):
            named = (exporter.tables.DOCUMENTED_ARGUMENT.get((name, argument), argument) for argument in function_arguments(name))
            names = dict.fromkeys(argument for argument in named if argument not in exporter.tables.NO_ATTRIBUTES)
            wanted += [f"{name}.{argument}" for argument in names]
            covered |= {f"{name}.{argument}" for argument in names if any(argument in a for a in attributes)}
    return wanted, covered


def test_every_argument_of_pytorch_s_functions_has_a_sample():
    wanted, covered = torch_function_arguments(torch_samples())
    assert missing(wanted, covered, TORCH_FUNCTION_ARGUMENTS_LEFT_OUT) == []


def test_every_class_of_pytorch_is_a_layer_type():
    assert missing(torch_classes(), torch_samples(), TORCH_CLASSES_LEFT_OUT) == []


def test_every_argument_of_pytorch_s_classes_has_a_sample():
    wanted, covered = torch_arguments(torch_samples())
    assert missing(wanted, covered, TORCH_ARGUMENTS_LEFT_OUT) == []


# --- Keras --------------------------------------------------------------------------------------------------------------------

KERAS_FAMILIES = "attention convolutional pooling normalization activations regularization core reshaping merging rnn".split()
KERAS_PREPROCESSING = """CenterCrop Normalization Rescaling Resizing
    AugMix CutMix MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
    RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomTranslation RandomZoom Solarization""".split()
# What else keras.layers has, and why it is not read: refused by its name, but for its weights.
OF_STRINGS = "works on strings or on tables of integers, for which PyTorch has no tensors"
KERAS_LAYERS_NOT_READ = {
    "AutoContrast": "changes pictures by their own range, in evaluation, too",
    "CategoryEncoding": OF_STRINGS,
    "ContrastLimitedAdaptiveHistogramEqualization": "counts the values of pictures, in evaluation, too",
    "Discretization": OF_STRINGS,
    "Equalization": "counts the values of pictures, in evaluation, too",
    "FlaxLayer": "is code of JAX",
    "HashedCrossing": OF_STRINGS,
    "Hashing": OF_STRINGS,
    "IntegerLookup": OF_STRINGS,
    "JaxLayer": "is code of JAX",
    "Layer": "what others derive from",
    "MaxNumBoundingBoxes": "works on boxes, which no network computes with",
    "MelSpectrogram": "is a subject of its own",
    "Pipeline": "is code that calls layers",
    "RandomShear": "Keras 3.15 cannot load what it saves of it",
    "STFTSpectrogram": "is a subject of its own",
    "StringLookup": OF_STRINGS,
    "TFSMLayer": "is a graph of TensorFlow's",
    "TextVectorization": OF_STRINGS,
    "TorchModuleWrapper": "is code of PyTorch",
}
KERAS_CLASSES_LEFT_OUT = {
    "InputLayer": "an input of the architecture, and no layer of it",
    "Lambda": "code, which is never run",
    "Wrapper": "what others derive from",
    "ReversibleEmbedding": "is called in two ways, as language models do",
}
# By the argument alone, whatever the class, or by both.
KERAS_ARGUMENTS_LEFT_OUT = {
    "AlphaDropout.noise_shape": "Keras cannot save it as .h5",
    "BatchNormalization.synchronized": "for TensorFlow alone",
    "fill_mode": "has one value where pictures are resized",
    "Cross.axis": "PyTorch's backend takes the last axis alone",
    "Cross.axisa": "PyTorch's backend takes the last axis alone",
    "Cross.axisb": "PyTorch's backend takes the last axis alone",
    "Cross.axisc": "PyTorch's backend takes the last axis alone",
    "OneHot.axis": "one_hot's classes stand on the last axis",
    "OneHot.sparse": "of sparse tensors",
    "bounding_box_format": "of boxes in pictures, which no network computes with",
    "gptq_unpacked_column_size": "of quantised weights",
    "lora_alpha": "of weights for fine-tuning",
    "lora_rank": "of weights for fine-tuning",
    "quantization_config": "of quantised weights",
}
BASE_ARGUMENTS_LEFT_OUT = {
    "autocast": "is in no file",
    "dtype": "of models in other element types, which are a subject of their own",
    "name": "every layer has one",
}
NO_ACTIVATIONS = {
    "deserialize": "makes an activation",
    "get": "makes an activation",
    "serialize": "writes an activation",
    "threshold": "takes arguments, for which no configuration has a place",
}


def keras_families():
    """The samples of each class that the registry reads, by module and name; those of cells stand in samples of RNN."""
    result = defaultdict(list)
    for sample in keras_samples():
        result[sample["module"], sample["class_name"]].append(sample)
        for cell in cells_of(sample["config"]):
            result[cell["module"], cell["class_name"]].append(sample | {"config": cell["config"], "call": {}})
    return result


def cells_of(config):
    for cell in [config[name] for name in ("cell", "cells") if name in config]:
        for each in cell if isinstance(cell, list) else [cell]:
            yield each
            yield from cells_of(each["config"])


def keras_classes():
    families = tuple(f"keras.src.layers.{family}." for family in KERAS_FAMILIES)
    classes = {c for c in vars(keras.layers).values() if inspect.isclass(c) and c.__module__.startswith(families)}
    return sorted({c.__name__ for c in classes} | set(KERAS_PREPROCESSING))


def own_arguments(kind):
    """The arguments of a constructor. What it takes as **kwargs it hands on to the class it derives from: those that it does
    not itself give to that class's constructor are arguments, too, up to Layer's."""
    arguments, given = {}, set()
    for base in kind.__mro__:
        if base in (keras.Layer, keras.Operation):
            break
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        arguments |= {p.name: p.default for i, p in enumerate(named) if p.name not in arguments and p.name not in given and i not in given}
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
        given = given_to_super(base)
    return arguments


def given_to_super(kind):
    """The names of the arguments, or the places of the positional ones, that a constructor gives to the one above it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind.__init__)))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__")
    return {given for call in calls for given in [*range(len(call.args)), *(keyword.arg for keyword in call.keywords)]}


def is_set(config, argument, default):
    if argument not in config:
        return False
    value, default = config[argument], list(default) if isinstance(default, tuple) else default
    return default is inspect.Parameter.empty or value != default


def is_kept(kind, argument):
    """Whether a layer's configuration has the argument; one that says how it is computed (use_cudnn) is in no file."""
    sources = [inspect.getsource(base.get_config) for base in kind.__mro__ if "get_config" in vars(base) and base not in (keras.Layer, keras.Operation)]
    return not issubclass(kind, keras.Layer) or not sources or any(f'"{argument}"' in source for source in sources)


def keras_arguments(families):
    """Of each class that is read: which arguments there are, and which some sample sets."""
    base = base_arguments()
    wanted, covered = [], set()
    for (module, name), samples in families.items():
        kind = getattr(importlib.import_module(module), name)
        for argument, default in own_arguments(kind).items():
            if argument in base or not is_kept(kind, argument):
                continue
            wanted.append(f"{name}.{argument}")
            if any(is_set(sample["config"] | sample["call"], argument, default) for sample in samples):
                covered.add(wanted[-1])
    return wanted, covered


def base_arguments():
    parameters = inspect.signature(keras.Layer.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def test_every_class_and_operation_that_is_read_has_samples():
    assert [name for name in keras_classes_read() if name not in keras_families()] == []


def test_every_class_of_keras_is_read():
    # Wrappers that are taken apart have networks in place of samples: keras_nested_networks.py.
    taken_apart = set(re.findall(r'\.class_name = "([A-Z]\w+)"', (ROOT / "src" / "keras" / "wrapper_kinds.cpp").read_text(), re.MULTILINE))
    used = {name for name in taken_apart if f"L.{name}(" in Path(__file__).with_name("keras_nested_networks.py").read_text()}
    assert used == taken_apart
    sampled = {getattr(importlib.import_module(module), name).__name__ for module, name in keras_families()}
    assert missing(keras_classes(), sampled | used, KERAS_CLASSES_LEFT_OUT) == []


def test_every_class_of_keras_layers_is_read_or_stands_here_with_the_reason():
    classes = {c.__name__ for c in vars(keras.layers).values() if inspect.isclass(c) and issubclass(c, keras.Layer)}
    assert missing(sorted(classes - set(keras_classes())), set(), KERAS_LAYERS_NOT_READ) == []


def test_every_argument_of_keras_s_classes_has_a_sample():
    wanted, covered = keras_arguments(keras_families())
    assert missing(wanted, covered, KERAS_ARGUMENTS_LEFT_OUT) == []


def test_what_every_layer_of_keras_takes_is_set_somewhere():
    configs = [sample["config"] for sample in keras_samples() if sample["module"] == "keras.layers"]
    covered = {name for name, default in base_arguments().items() if any(is_set(config, name, default) for config in configs)}
    assert missing(list(base_arguments()), covered, BASE_ARGUMENTS_LEFT_OUT) == []


def activations_missing():
    """The names in keras.activations that no sample of the layer Activation has; a function may have two names."""
    names = [name for name in dir(keras.activations) if not name.startswith("_") and name not in NO_ACTIVATIONS]
    said = {sample["config"].get("activation") for sample in keras_families()["keras.layers", "Activation"]}
    covered = {getattr(keras.activations, name) for name in said if name in names}
    return [name for name in names if callable(getattr(keras.activations, name)) and getattr(keras.activations, name) not in covered]


def test_every_activation_of_keras_is_read():
    assert activations_missing() == []
