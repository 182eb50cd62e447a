#!/usr/bin/env python3
"""Makes the PyTorch half of testdata/: .venv/bin/python testdata/make_pytorch.py

Each folder holds what a user of that network has (model.json and model.pth, in some model.pt2, too), and inputs.npz with
PyTorch's own answers in outputs.npz, by the names that h5bridge uses. Weights are random, batch norm's statistics among them.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]

import networks  # noqa: E402
from h5bridge_export import export_architecture  # noqa: E402


def randomise(module):
    """Random statistics and scales, too, so that none of them can be mixed up or left out unnoticed."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            layer.num_batches_tracked.fill_(int(torch.randint(1, 1000, ())))
        elif isinstance(layer, nn.PReLU):
            nn.init.uniform_(layer.weight, -0.5, 0.5)


def write(name, module, inputs, state=None):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    module.eval()
    with torch.no_grad():
        outputs = module(inputs)
    if torch.is_tensor(outputs):
        outputs = [outputs]
    export_architecture(module, inputs[:2], folder / "model.json")
    torch.save(module.state_dict() if state is None else state, folder / "model.pth")
    np.savez(folder / "inputs.npz", x=inputs.numpy())
    np.savez(folder / "outputs.npz", **{f"output_{i}" if i else "output": y.numpy() for i, y in enumerate(outputs)})


def write_exported(name, module, inputs, open_axes):
    """model.pt2 of a network that has been written."""
    sizes = {axis: torch.export.Dim.AUTO for axis in open_axes}
    program = torch.export.export(module.eval(), (inputs,), dynamic_shapes=(sizes,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of the machine that it was made on
    torch.export.save(program, HERE / name / "model.pt2")


def make_my_model():
    write("my_model", networks.MyModel(), torch.randn(16, 10))


def make_the_model_class():
    """A checkpoint, as the tutorial on saving and loading writes it, after some steps of training."""
    model = networks.TheModelClass()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.randn(8, 3, 32, 32)), torch.randint(10, (8,)))
        loss.backward()
        optimizer.step()
    state = {
        "epoch": 5,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "loss": loss.item(),
    }
    write("the_model_class", model, torch.randn(4, 3, 32, 32), state)


def make_face_net():
    model = networks.FaceNet()
    randomise(model)
    write("face_net", model, torch.randn(4, 3, 24, 24))
    write_exported("face_net", model, torch.randn(4, 3, 24, 24), [0])


def make_scan_net():
    model = networks.ScanNet()
    randomise(model)
    write("scan_net", model, torch.randn(2, 3, 25, 38))
    write_exported("scan_net", model, torch.randn(2, 3, 25, 38), [0, 2, 3])


def make_digits():
    """A quarter of the digits is kept for testing; labels.npy has the truth about them."""
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(images))
    test, train = order[:450], order[450:]
    model = networks.DigitsNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(25):
        for batch in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    write("digits", model, images[test])
    np.save(HERE / "digits" / "labels.npy", labels[test].numpy())
    with torch.no_grad():
        accuracy = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    print(f"digits: {accuracy:.2%} of {len(test)} test images right")
    assert accuracy >= 0.97


def main():
    torch.set_num_threads(1)  # sums in the same order on every machine
    for seed, make in enumerate([make_my_model, make_the_model_class, make_face_net, make_scan_net, make_digits]):
        torch.manual_seed(seed)
        make()


if __name__ == "__main__":
    main()
