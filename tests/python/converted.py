"""A PyTorch network taken to Keras, and what its tests ask of the files."""

import numpy as np
import torch

from keras_helpers import assert_close, h5py, input_names, keras, keras_layout
from program import h5bridge
from torch_helpers import export_architecture
from torch_networks import inputs_of, outputs_by_name


class Converted:
    """A network, its files, and what PyTorch says it gives."""

    def __init__(self, network, folder):
        self.network = network
        self.folder = folder
        self.module = network.module()
        self.inputs = inputs_of(network.shapes)
        torch.save(self.module.state_dict(), folder / "m.pth")
        export_architecture(self.module, self.inputs, folder / "m.json")
        h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5", *network.options)
        self.keras = keras.models.load_model(folder / "m.h5", compile=False)
        self.expected = self.run(self.inputs)
        np.savez(folder / "keras_inputs.npz", **dict(zip(input_names(self.keras), self.keras_inputs())))
        np.savez(folder / "torch_inputs.npz", **{name: x.numpy() for name, x in zip(input_names(self.keras), self.inputs)})

    def keras_inputs(self):
        return [keras_layout(x.numpy()) for x in self.inputs]

    def run(self, inputs):
        with torch.no_grad():
            return {name: y.numpy() for name, y in outputs_by_name(self.module(*inputs)).items()}

    def assert_keras_agrees(self, found, expected):
        """`found` by Keras's names and layout; without names the order tells."""
        assert len(found) == len(expected)
        for i, (name, y) in enumerate(expected.items()):
            assert_close(found[name] if name in found else list(found.values())[i], keras_layout(y), self.network.tolerance, name, each=False)

    def assert_no_permutes(self):
        """Flattens are folded into the layer behind them, and everything else runs in Keras's own layout."""
        kinds = [type(operation).__name__ for operation in self.keras.operations]
        assert kinds.count("Permute") == self.network.permutes
        assert not {"Lambda", "Transpose", "Moveaxis", "Swapaxes"} & set(kinds)

    def assert_libtorch_gives_pytorchs_bits(self, sources, inputs):
        out = self.folder / "out.npz"
        h5bridge("run", *[self.folder / source for source in sources], "--input", self.folder / inputs, "-o", out)
        found = np.load(out)
        as_keras = sources == ["m.h5"]
        assert as_keras or list(found) == list(self.expected)
        assert len(found) == len(self.expected)
        for array, y in zip(found.values(), self.expected.values()):
            y = keras_layout(y) if as_keras else y
            assert array.shape == y.shape and array.tobytes() == np.ascontiguousarray(y).tobytes()


def assert_same_h5(found, expected):
    with h5py.File(found) as a, h5py.File(expected) as b:
        assert a.attrs["model_config"] == b.attrs["model_config"]
        paths = []
        b["model_weights"].visit(paths.append)
        for path in paths:
            if isinstance(b["model_weights"][path], h5py.Dataset):
                assert a["model_weights"][path][()].tobytes() == b["model_weights"][path][()].tobytes(), path
