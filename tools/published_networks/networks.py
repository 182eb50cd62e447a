"""The published networks by their names, "timm/resnet18": those that their libraries list, small and with random weights."""

import functools
import importlib
import importlib.util
import re
from pathlib import Path

import torch

import transformers_networks


@functools.cache
def _torchvision():
    """The library; where its C++ operators do not fit the PyTorch that is there, without these, which no network here calls."""
    folder = Path(importlib.util.find_spec("torchvision").origin).parent
    try:
        torch.ops.load_library(folder / "_C.so")
    except OSError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


class Torchvision:
    FIXED_SIZES = {"inception_v3": 299, "maxvit_t": 224}
    FOLDERS = {"models": "classification", "models.segmentation": "segmentation", "models.video": "video"}

    def names(self):
        models = _torchvision().models
        kinds = (models, models.segmentation, models.video)
        return [f"torchvision/{name}" for kind in kinds for name in models.list_models(kind) if not name.startswith("quantized")]

    def build(self, name):
        models = _torchvision().models
        kind = models.get_model_builder(name).__module__.removeprefix("torchvision.models.")
        options = {"weights": None}
        if kind.startswith("segmentation"):
            options["weights_backbone"] = None
        if name in ("googlenet", "inception_v3"):
            options["aux_logits"] = False
        module = models.get_model(name, **options)
        size = next((size for start, size in {"inception": 96, "vit_": 224, "maxvit": 224}.items() if name.startswith(start)), 64)
        shape = (2, 3, size, size)
        if kind.startswith("video"):
            shape = (2, 3, 16, 224, 224) if name.startswith(("mvit", "s3d")) else (2, 3, 8, 64, 64)
        return module, (torch.randn(shape),), {}


class Timm:
    # As many parameters, and pictures that leave memory for the rest.
    SMALLER_PICTURES = {"samvit_base_patch16": "samvit_base_patch16_224"}

    def names(self):
        """Of each of its files, the first network of the fewest parameters that its names promise: no weights are made for it."""
        _torchvision()
        timm = importlib.import_module("timm")
        found = []
        for file in timm.list_modules():
            networks = timm.list_models(module=file)
            if networks:
                smallest = min(networks, key=_size_by_name)
                found.append(self.SMALLER_PICTURES.get(smallest, smallest))
        return [f"timm/{name}" for name in found]

    def build(self, name):
        _torchvision()
        timm = importlib.import_module("timm")
        module = timm.create_model(name, pretrained=False)
        return module, (torch.randn(2, *self.input_size(module)),), {}

    @staticmethod
    def input_size(module):
        """What it has to have, else as small as all of its strides let."""
        settings = module.default_cfg
        channels, height, width = settings.get("input_size", (3, 224, 224))
        if settings.get("fixed_input_size") or getattr(module, "patch_embed", None) is not None:
            return channels, height, width
        smallest = settings.get("min_input_size")
        return (channels, *smallest[1:]) if smallest else (channels, min(height, 96), min(width, 96))


SIZES = ["test_", "zepto", "atto", "femto", "pico", "nano", "micro", "xx?s", "xxt", "xt", "tiny", "mini", "small", "_t[0-9]?(_|$)", "_s[0-9]?(_|$)", "_xs", "0(_|$)", "18|10", "lite", "b0|b1", "base"]


def _size_by_name(name):
    """A place among the sizes that names have: what is smallest by its name; numbers in it tell the rest."""
    place = next((place for place, size in enumerate(SIZES) if re.search(size, name)), len(SIZES))
    digits = [int(number) for number in re.findall(r"\d+", name)]
    return place, digits, len(name)


class Transformers:
    def names(self):
        return [f"transformers/{name}" for name in transformers_networks.NETWORKS]

    def build(self, name):
        return transformers_networks.build(name)


LIBRARIES = {"transformers": Transformers(), "torchvision": Torchvision(), "timm": Timm()}


def names(library=None):
    return [name for own, networks in LIBRARIES.items() if library in (None, own) for name in networks.names()]


def build(name):
    """A network of random weights and statistics, and what its forward is called with."""
    if importlib.util.find_spec("torchvision"):
        _torchvision()  # which transformers imports, too
    torch.manual_seed(1)
    library, _, own = name.partition("/")
    module, inputs, named_inputs = LIBRARIES[library].build(own)
    return randomized(module).eval(), inputs, named_inputs


def randomized(module):
    """Of what a fresh module has as zeros and ones, numbers that would show."""
    with torch.no_grad():
        for one in module.modules():
            if isinstance(one, torch.nn.modules.batchnorm._BatchNorm) and one.running_mean is not None:
                one.running_mean.normal_(0, 0.1)
                one.running_var.uniform_(0.5, 1.5)
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.numel() > 1 and (parameter == parameter.flatten()[0]).all():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return module
