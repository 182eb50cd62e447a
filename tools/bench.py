"""What tools/bench measures. Times are the least of several turns, the two sides taking turns."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "h5bridge"
sys.path[:0] = [str(ROOT / "testdata"), str(ROOT / "tools")]

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from h5bridge_export import export_architecture  # noqa: E402

TURNS = 7


def program(*arguments):
    subprocess.run([PROGRAM, *arguments, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def compare(what, ours, theirs, name):
    """Prints the least time of both, and their ratio."""
    times = {ours: [], theirs: []}
    for _ in range(TURNS):
        for work, results in times.items():
            start = time.perf_counter()
            work()
            results.append(time.perf_counter() - start)
    mine, other = (min(results) * 1000 for results in times.values())
    print(f"{what:44} {mine:8.1f} ms   ratio {mine / other:5.2f} to {name} ({other:.1f} ms)")


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
    os.chdir(tempfile.mkdtemp())
    digits = ROOT / "testdata" / "digits"
    small = [digits / "model.json", digits / "model.pth"]
    large = ["wide.json", "wide.pth"]
    network = wide_network()
    export_architecture(network, torch.zeros(2, 4000), large[0])
    torch.save(network.state_dict(), large[1])

    print(f"{TURNS} turns each, {torch.get_num_threads()} threads; the least time\n")
    imports = [sys.executable, "-c", "import torch, h5py"]
    compare("inspect, 150 kB", lambda: program("inspect", *small), lambda: subprocess.run(imports, check=True), "import torch, h5py")
    compare("convert to .h5, 150 kB", lambda: program("convert", *small, "-o", "a.h5"), lambda: by_hand(small[1], "b.h5"), "torch.load + h5py, without Python's start")
    compare("convert to .h5, 256 MB", lambda: program("convert", *large, "-o", "a.h5"), lambda: by_hand(large[1], "b.h5"), "torch.load + h5py, without Python's start")
    few, many = many_layers(1000), many_layers(3000)
    compare("convert to .h5, 3,000 small layers", lambda: program("convert", *many, "-o", "a.h5"), lambda: program("convert", *few, "-o", "b.h5"), "1,000 of them")
    compare_inference()


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
