"""What tools/bench measures. Times are medians of several turns, the two sides taking turns: only ratios of one run tell."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "h5bridge"
PLAIN = ROOT / "build" / "h5bridge_plain"
sys.path[:0] = [str(ROOT / "testdata"), str(ROOT / "tools")]

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from bench_prediction import compare_prediction  # noqa: E402
from h5bridge_export import export_architecture  # noqa: E402

TURNS = 7


def program(*arguments):
    subprocess.run([PROGRAM, *arguments, "--quiet"], check=True, stdout=subprocess.DEVNULL)


RESULTS = []


def compare(what, ours, theirs, name):
    """Prints the median time of both, and their ratio."""
    times = {ours: [], theirs: []}
    for _ in range(TURNS):
        for work, results in times.items():
            start = time.perf_counter()
            work()
            results.append(time.perf_counter() - start)
    mine, other = (statistics.median(results) * 1000 for results in times.values())
    print(f"{what:44} {mine:8.1f} ms   ratio {mine / other:5.2f} to {name} ({other:.1f} ms)", flush=True)
    RESULTS.append({"what": what, "ms": mine, "ratio": mine / other, "to": name})


def run_plain(*arguments):
    subprocess.run([PLAIN, *arguments], check=True)


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


def list_of_torch(state_dict, path):
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    return listed(path, [(place, "/" + name.replace(".", "/"), axes[tensor.dim()], tensor.shape)
                         for name, place, tensor in places_in(state_dict) if tensor.dtype == torch.float32])  # fmt: skip


def list_of_keras(h5, path):
    axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    rows = []
    with h5py.File(h5) as file:
        file["model_weights"].visititems(
            lambda name, item: isinstance(item, h5py.Dataset)
            and rows.append((f"/model_weights/{name}", f"data/{len(rows)}", axes[item.ndim], item.shape))
        )
    return listed(path, rows)


def both_ways(what, architecture, state_dict, h5):
    """Beside a plain program that does the same with each tensor, and nothing else; and beside copying the file."""
    there, back = list_of_torch(state_dict, "there.list"), list_of_keras(h5, "back.list")
    plain = "a plain C++ program with HDF5"
    compare(f"{what}, .pth to .h5", lambda: program("convert", architecture, state_dict, "-o", "ours.h5"),
            lambda: run_plain("to-h5", state_dict, there, "plain.h5"), plain)  # fmt: skip
    compare(f"{what}, .h5 to .pth", lambda: program("convert", h5, "-o", "ours.pth"),
            lambda: run_plain("to-zip", h5, back, "plain.zip"), plain)  # fmt: skip
    compare(f"{what}, .h5 to .keras", lambda: program("convert", h5, "-o", "ours.keras"),
            lambda: program("convert", h5, "-o", "ours.h5"), ".h5 to .h5")  # fmt: skip
    compare(f"{what}, .pth to .h5", lambda: program("convert", architecture, state_dict, "-o", "ours.h5"),
            lambda: subprocess.run(["cp", "--reflink=never", h5, "copy.h5"], check=True), "cp")  # fmt: skip


def resnet50():
    """The files of Keras's ResNet50 with random weights: 103 MB."""
    script = ("import keras, numpy; model = keras.applications.ResNet50(weights=None); rng = numpy.random.default_rng(0)\n"
              "model.set_weights([rng.normal(size=w.shape, scale=0.05).astype('float32') for w in model.get_weights()])\n"
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


def main():
    sys.argv[1:] = [os.path.abspath(path) for path in sys.argv[1:]]
    os.chdir(tempfile.mkdtemp())
    digits = ROOT / "testdata" / "digits"
    small = [digits / "model.json", digits / "model.pth"]
    large = ["wide.json", "wide.pth"]
    network = wide_network()
    export_architecture(network, torch.zeros(2, 4000), large[0])
    torch.save(network.state_dict(), large[1])

    print(f"{TURNS} turns each, {torch.get_num_threads()} threads; medians\n")
    imports = [sys.executable, "-c", "import torch, h5py"]
    compare("inspect, 150 kB", lambda: program("inspect", *small), lambda: subprocess.run(imports, check=True), "import torch, h5py")
    compare("convert to .h5, 150 kB", lambda: program("convert", *small, "-o", "a.h5"), lambda: by_hand(small[1], "b.h5"), "torch.load + h5py, without Python's start")
    compare("convert to .h5, 256 MB", lambda: program("convert", *large, "-o", "a.h5"), lambda: by_hand(large[1], "b.h5"), "torch.load + h5py, without Python's start")
    program("convert", *large, "-o", "wide.h5")
    both_ways("256 MB of Linear", *large, "wide.h5")
    both_ways("ResNet-50", *resnet50())
    few, many, most = many_layers(1000), many_layers(3000), many_layers(10000)
    list_of_torch(most[1], "most.list")
    compare("convert to .h5, 10,000 small layers", lambda: program("convert", *most, "-o", "a.h5"),
            lambda: run_plain("to-h5", most[1], "most.list", "b.h5"), "a plain C++ program with HDF5")  # fmt: skip
    compare("convert to .h5, 3,000 small layers", lambda: program("convert", *many, "-o", "a.h5"), lambda: program("convert", *few, "-o", "b.h5"), "1,000 of them")
    compare_inference()
    RESULTS.extend(compare_prediction("."))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps({"threads": torch.get_num_threads(), "turns": TURNS, "results": RESULTS}, indent=1))


def compare_inference():
    """One process each, so that both start; many rows, so that the start weighs little."""
    from networks import FaceNet

    model = FaceNet().eval()
    export_architecture(model, torch.zeros(2, 3, 24, 24), "face.json")
    torch.save(model.state_dict(), "face.pth")
    rows = torch.randn(20000, 3, 24, 24)
    np.save("rows.npy", rows.numpy())
    script = (f"import sys; sys.path.insert(0, {str(ROOT / 'testdata')!r})\n"
              "import torch, numpy; from networks import FaceNet; torch.set_grad_enabled(False)\n"
              "model = FaceNet().eval(); model.load_state_dict(torch.load('face.pth', weights_only=True))\n"
              "outputs = model(torch.from_numpy(numpy.load('rows.npy'))); numpy.savez('theirs.npz', *[y.numpy() for y in outputs])\n")  # fmt: skip
    compare("run, 20000 rows of FaceNet, start included",
            lambda: program("run", "face.json", "face.pth", "--input", "rows.npy", "-o", "ours.npz"),
            lambda: subprocess.run([sys.executable, "-c", script], check=True), "eager PyTorch in Python")  # fmt: skip


if __name__ == "__main__":
    main()
