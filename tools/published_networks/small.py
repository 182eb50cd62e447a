"""Writes testdata/published_networks: of each family a network so small that it may stand in the repository, as torch.export.save
has it, with random weights and statistics and its example inputs.

    python tools/published_networks/small.py [NAME...]

It wants what the table of published networks wants; the tests want PyTorch and Keras alone."""

import functools
import io
import sys
import zipfile
from pathlib import Path

import networks
import torch
import transformers_networks
from one import open_batch
from transformers_networks import DECODER, IMAGE, TEXT

FOLDER = Path(__file__).resolve().parents[2] / "testdata" / "published_networks"
SMALL_TEXT = {"vocab_size": 97, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 12}
SMALL_IMAGE = {"image_size": 16, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
PICTURE = 32


def timm(name, **settings):
    import timm

    size = settings.pop("picture", PICTURE)
    return timm.create_model(name, pretrained=False, num_classes=5, **settings), (torch.randn(2, 3, size, size),), {}


def torchvision_classification():
    from torchvision.models import ShuffleNetV2

    return ShuffleNetV2([1, 1, 1], [8, 16, 16, 16, 24], num_classes=5), (torch.randn(2, 3, PICTURE, PICTURE),), {}


def torchvision_segmentation():
    """The head of lraspp_mobilenet_v3 on layers of a few channels."""
    from torch import nn
    from torchvision.models._utils import IntermediateLayerGetter
    from torchvision.models.segmentation import LRASPP

    def stage(inner, outer):
        return nn.Sequential(nn.Conv2d(inner, outer, 3, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.Hardswish())

    stages = nn.Sequential(stage(3, 8), stage(8, 12), stage(12, 16))
    backbone = IntermediateLayerGetter(stages, {"1": "low", "2": "high"})
    return LRASPP(backbone, 12, 16, num_classes=3, inter_channels=8), (torch.randn(2, 3, PICTURE, PICTURE),), {}


def torchvision_video():
    from torchvision.models.video import SwinTransformer3d

    module = SwinTransformer3d([2, 4, 4], 8, [2], [2], [2, 4, 4], num_classes=5)
    return module, (torch.randn(2, 3, 4, 16, 16),), {}


def transformers(name):
    """As in the table, with fewer layers and features."""
    class_name, config, settings, inputs = transformers_networks.NETWORKS[name]
    smaller = {**dict.fromkeys(TEXT, SMALL_TEXT), **dict.fromkeys(IMAGE, SMALL_IMAGE), **dict.fromkeys(DECODER, SMALL_TEXT)}
    own = {key: smaller.get(key, {}).get(key, value) for key, value in settings.items()}
    own |= {key: SMALL_IMAGE[key] for key in SMALL_IMAGE if {key, "image_size"} <= settings.keys()} | LESS.get(name, {})
    size = own.get("image_size", own.get("vision_config", {}).get("image_size", PICTURE))
    inputs = {key: (kind, 2, 3, size, size) if shape[1:2] == [3] else (kind, *shape) for key, (kind, *shape) in inputs.items()}
    transformers_networks.NETWORKS["small"] = class_name, config, own, inputs
    return transformers_networks.build("small")


LESS = {
    "llama": {"num_key_value_heads": 1},
    "t5_encoder": {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2},
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 12},
    "distilbert": {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 12},
    "swin": {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 1], "num_heads": [2, 2], "window_size": 4},
    "convnext": {"hidden_sizes": [8, 8, 12, 16], "depths": [1, 1, 1, 1]},
    "clip": {"text_config": SMALL_TEXT | {"eos_token_id": 96, "bos_token_id": 95, "pad_token_id": 94}, "vision_config": SMALL_IMAGE},
    "wav2vec2": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24, "conv_dim": [8, 8, 8], "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2},
    "whisper_encoder": {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_attention_heads": 2, "decoder_ffn_dim": 24},
}  # fmt: skip
TIMM = {
    "vit": ("vit_tiny_patch16_224", {"img_size": 32, "patch_size": 8, "embed_dim": 12, "depth": 2, "num_heads": 3}),
    "vit_rope": ("vit_base_patch16_rope_224", {"img_size": 32, "patch_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 3}),
    "convnext": ("convnext_atto", {"depths": (1, 1, 1, 1), "dims": (8, 8, 12, 16)}),
    "swin": ("swin_tiny_patch4_window7_224", {"img_size": 32, "embed_dim": 8, "depths": (2, 1), "num_heads": (2, 2), "window_size": 4}),
    "cait": ("cait_xxs24_224", {"img_size": 32, "patch_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 3}),
}
NETWORKS = {
    "torchvision_classification": torchvision_classification,
    "torchvision_segmentation": torchvision_segmentation,
    "torchvision_video": torchvision_video,
    **{f"timm_{family}": functools.partial(timm, name, **settings) for family, (name, settings) in TIMM.items()},
    **{f"transformers_{name}": functools.partial(transformers, name) for name in (
        "bert", "roberta", "distilbert", "electra", "albert", "t5_encoder", "gpt2", "llama", "vit", "swin", "convnext", "wav2vec2", "whisper_encoder", "clip",
    )},
}  # fmt: skip


def exported(module, inputs, named_inputs):
    """With its batch open, and without the places in Python's sources."""
    shapes = {name: open_batch(value) for name, value in named_inputs.items()} if named_inputs else tuple(map(open_batch, inputs))
    with torch.no_grad():
        program = torch.export.export(module, inputs, named_inputs, dynamic_shapes=shapes)
    for graph in [part.graph for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]:
        for node in graph.nodes:
            for place in ("stack_trace", "source_fn_stack", "torch_fn", "from_node"):
                node.meta.pop(place, None)
    return program


def save(program, path):
    """Compressed, which PyTorch reads as well as what it writes itself."""
    written = io.BytesIO()
    torch.export.save(program, written)
    with zipfile.ZipFile(written) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as small:
        for entry in plain.infolist():
            small.writestr(zipfile.ZipInfo(entry.filename), plain.read(entry), zipfile.ZIP_DEFLATED, 9)


def main():
    FOLDER.mkdir(exist_ok=True)
    networks._torchvision()  # which transformers imports, too
    for name, build in NETWORKS.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            torch.manual_seed(1)
            module, inputs, named_inputs = build()
            save(exported(networks.randomized(module).eval(), inputs, named_inputs), FOLDER / f"{name}.pt2")
            print(name, (FOLDER / f"{name}.pt2").stat().st_size, flush=True)


if __name__ == "__main__":
    main()
