"""Conversion beside a plain C++ program that moves the same tensors (plain.cpp), beside copying, and beside a script."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from h5bridge_export import export_architecture  # noqa: E402
from turns import BUILD, ROOT  # noqa: E402

PART = "convert"
PLAIN = "a plain C++ program with HDF5"


def program(*arguments):
    subprocess.run([BUILD / "h5bridge", *arguments, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def run_plain(*arguments):
    subprocess.run([BUILD / "h5bridge_plain", *arguments], check=True)


def places_in(state_dict):
    """Where the bytes of each tensor of a file by torch.save begin."""
    with zipfile.ZipFile(state_dict) as archive, open(state_dict, "rb") as file:
        places = {}
        for entry in archive.infolist():
            file.seek(entry.header_offset)
            header = file.read(30)
            sizes = [int.from_bytes(header[at : at + 2], "little") for at in (26, 28)]
            places[entry.filename.split("/", 1)[1]] = entry.header_offset + 30 + sum(sizes)
    tensors = torch.load(state_dict, weights_only=True)
    # torch.save numbers storages as it meets them.
    return [(name, places[f"data/{i}"], tensor) for i, (name, tensor) in enumerate(tensors.items())]


def listed(path, rows):
    Path(path).write_text("".join(f"{place} {name} {','.join(map(str, axes))} {','.join(map(str, shape))}\n"
                                  for place, name, axes, shape in rows))  # fmt: skip
    return path


def list_of_torch(state_dict, path, place_of=lambda name: "/" + name.replace(".", "/")):
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    return listed(path, [(place, place_of(name), axes[tensor.dim()], tensor.shape)
                         for name, place, tensor in places_in(state_dict) if tensor.dtype == torch.float32])  # fmt: skip


def list_of_keras(h5, path):
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    rows = []

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            rows.append((f"/model_weights/{name}", f"data/{len(rows)}", axes[item.ndim], item.shape))

    with h5py.File(h5) as file:
        file["model_weights"].visititems(add)
    return listed(path, rows)


def shape_of(h5, path):
    """The groups and attributes of a file, for the plain program to make the same."""
    lines = []

    def add(name, item):
        if isinstance(item, h5py.Group) and name:
            lines.append(f"group /{name}")
        for attribute, value in item.attrs.items():
            texts = [text.decode() if isinstance(text, bytes) else str(text) for text in np.atleast_1d(value)]
            if any(len(text) > 1000 for text in texts):
                Path(f"{path}.{attribute}").write_text(texts[0])
                lines.append(f"file /{name} {attribute} {path}.{attribute}")
            elif texts:
                lines.append(f"attribute /{name} {attribute} {' '.join(texts)}")

    with h5py.File(h5) as file:
        add("", file)
        file.visititems(add)
    Path(path).write_text("".join(line + "\n" for line in lines))
    return path


def many_layers_beside_plain(report, architecture, state_dict):
    """The plain program makes the groups, attributes and data sets of Keras's file, and knows nothing of layers."""
    program("convert", architecture, state_dict, "-o", "shaped.h5")
    shape = shape_of("shaped.h5", "shaped.shape")
    tensors = list_of_torch(state_dict, "shaped.list", lambda name: "/model_weights/{0}/{0}/{1}".format(*name.split(".")).replace("/weight", "/kernel"))
    report.compare(PART, "10,000 small layers to .h5", lambda: program("convert", architecture, state_dict, "-o", "a.h5"),
                   {PLAIN: lambda: run_plain("to-h5", state_dict, tensors, "b.h5", shape)}, most=2.0)  # fmt: skip


def both_ways(report, what, architecture, state_dict, h5):
    """Beside a plain program that does the same with each tensor, and nothing else; and beside copying the file."""
    there, back = list_of_torch(state_dict, "there.list"), list_of_keras(h5, "back.list")
    report.compare(PART, f"{what}, .pth to .h5", lambda: program("convert", architecture, state_dict, "-o", "ours.h5"),
                   {PLAIN: lambda: run_plain("to-h5", state_dict, there, "plain.h5"),
                    "cp": lambda: subprocess.run(["cp", "--reflink=never", h5, "copy.h5"], check=True)},
                   most={PLAIN: 1.0})  # fmt: skip
    report.compare(PART, f"{what}, .h5 to .pth", lambda: program("convert", h5, "-o", "ours.pth"),
                   {PLAIN: lambda: run_plain("to-zip", h5, back, "plain.zip")}, most=1.0)  # fmt: skip
    for direction, source, destination in ((".h5 to .keras", h5, "ours.keras"), (".keras to .h5", "ours.keras", "ours.h5")):
        report.compare(PART, f"{what}, {direction}", lambda: program("convert", source, "-o", destination),
                       {".h5 to .h5": lambda: program("convert", h5, "-o", "again.h5")}, most=1.3)  # fmt: skip


def peaks(report, what, architecture, state_dict):
    """The memory that conversions take."""
    layers = len(json.loads(Path(architecture).read_text())["layers"])
    for sources, destination in (((architecture, state_dict), "peak.h5"), (("peak.h5",), "peak.pth"),
                                 ((architecture, state_dict), "peak.keras"), (("peak.keras",), "peak.pth")):  # fmt: skip
        source = ".json + .pth" if len(sources) > 1 else Path(sources[0]).suffix
        command = [BUILD / "h5bridge", "convert", *sources, "-o", destination, "--quiet"]
        report.add_memory(f"{what}, {source} to {Path(destination).suffix}", command, layers)


def resnet50():
    """The files of Keras's ResNet50 with random weights: 103 MB."""
    script = ("import keras, numpy; model = keras.applications.ResNet50(weights=None); rng = numpy.random.default_rng(0)\n"
              "model.set_weights([abs(x) + 0.5 if 'variance' in v.path else x for v in model.weights for x in [rng.normal(size=v.shape, scale=0.05)]])\n"
              "model.save('resnet50.h5')")  # fmt: skip
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, env={**os.environ, "KERAS_BACKEND": "torch"},
                   stderr=subprocess.DEVNULL)  # fmt: skip
    program("convert", "resnet50.h5", "-o", "resnet50.json", "-o", "resnet50.pth")
    return "resnet50.json", "resnet50.pth", "resnet50.h5"


def by_hand(state_dict, destination):
    """What a script of one's own would do: load, transpose, write. It writes no architecture."""
    with h5py.File(destination, "w") as file:
        for name, tensor in torch.load(state_dict, weights_only=True).items():
            array = tensor.numpy()
            if array.ndim == 4:
                array = array.transpose(2, 3, 1, 0)
            elif array.ndim == 2:
                array = array.T
            file.create_dataset(name, data=np.ascontiguousarray(array))


def wide_network():
    """64 million parameters, 256 MB."""
    return nn.Sequential(*[nn.Linear(4000, 4000) for _ in range(4)])


def many_layers(count):
    """The files of a network of so many small layers."""
    layers = [{"name": f"l{i}", "type": "Linear", "attributes": {"in_features": 4, "out_features": 4}} for i in range(count)]
    inputs = [{"name": "x", "shape": ["batch", 4], "dtype": "float32"}]
    architecture = {"h5bridge": 1, "name": "Deep", "inputs": inputs, "layers": layers, "outputs": [f"l{count - 1}"]}
    Path(f"deep{count}.json").write_text(json.dumps(architecture))
    shapes = {f"l{i}.{name}": shape for i in range(count) for name, shape in (("weight", (4, 4)), ("bias", (4,)))}
    torch.save({name: torch.randn(shape) for name, shape in shapes.items()}, f"deep{count}.pth")
    return f"deep{count}.json", f"deep{count}.pth"


def exported_resnet50():
    """ResNet-50 as torch.export saves it, and by the exporter with its state_dict."""
    sys.path.append(str(ROOT / "tests" / "python"))
    from torchvision_networks import ResNet50

    module = ResNet50().eval()
    example = torch.zeros(2, 3, 64, 64)
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},)), "exported.pt2")
    export_architecture(module, example, "exported.json")
    torch.save(module.state_dict(), "exported.pth")


def measure(report, **_):
    digits = ROOT / "testdata" / "digits"
    small = [digits / "model.json", digits / "model.pth"]
    imports = [sys.executable, "-c", "import torch, h5py"]
    report.compare(PART, "inspect, 150 kB", lambda: program("inspect", *small), {"import torch, h5py": lambda: subprocess.run(imports, check=True)})
    report.compare(PART, "150 kB to .h5", lambda: program("convert", *small, "-o", "a.h5"),
                   {"torch.load + h5py, without Python's start": lambda: by_hand(small[1], "b.h5")})  # fmt: skip
    network = wide_network()
    export_architecture(network, torch.zeros(2, 4000), "wide.json")
    torch.save(network.state_dict(), "wide.pth")
    program("convert", "wide.json", "wide.pth", "-o", "wide.h5")
    both_ways(report, "256 MB of Linear", "wide.json", "wide.pth", "wide.h5")
    both_ways(report, "ResNet-50", *resnet50())
    exported_resnet50()
    report.compare(PART, "ResNet-50, .pt2 to .h5", lambda: program("convert", "exported.pt2", "-o", "a.h5"),
                   {".json + .pth to .h5": lambda: program("convert", "exported.json", "exported.pth", "-o", "b.h5")}, most=1.2)  # fmt: skip
    few, many, most = many_layers(1000), many_layers(3000), many_layers(10000)
    many_layers_beside_plain(report, *most)
    report.compare(PART, "3,000 small layers to .h5", lambda: program("convert", *many, "-o", "a.h5"),
                   {"1,000 of them": lambda: program("convert", *few, "-o", "b.h5")})  # fmt: skip
    report.compare(PART, "inspect, 10,000 small layers", lambda: program("inspect", *most), {"3,000 of them": lambda: program("inspect", *many)})
    peaks(report, "ResNet-50", "resnet50.json", "resnet50.pth")
    peaks(report, "10,000 small layers", *most)
