"""Keras on PyTorch's backend, and what the tests ask of its models and files. Import this instead of keras."""

import os
import subprocess
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402


def keras_layout(array):
    """A PyTorch array as Keras has it: channels last."""
    return np.ascontiguousarray(np.moveaxis(array, 1, -1)) if array.ndim > 2 else array


def as_keras_has_it(array, shape, moved=False):
    """`array`, or with its channels last: what fits, and where both do, the latter if `moved`. Open sizes fit all."""

    def fits(candidate):
        return candidate.ndim == len(shape) and all(size in (None, own) for size, own in zip(shape, candidate.shape))

    candidates = [candidate for candidate in (array, keras_layout(array)) if fits(candidate)]
    return candidates[-1 if moved else 0]


def by_name(result) -> dict:
    """A model's outputs as arrays, under names where it has some."""
    results = result if isinstance(result, dict) else dict(enumerate(keras.tree.flatten(result)))
    return {name: keras.ops.convert_to_numpy(value) for name, value in results.items()}


def input_names(model):
    return [tensor._keras_history.operation.name for tensor in model.inputs]


def predict(model, inputs) -> dict:
    return by_name(model(inputs[0] if len(inputs) == 1 else list(inputs), training=False))


def run_jax(folders):
    """Has Keras on JAX predict in a process of its own: jax_predictions.py says what lies in the folders."""
    subprocess.run([sys.executable, Path(__file__).with_name("jax_predictions.py"), *folders], check=True)


def jax_outputs(folder):
    """What run_jax left in a folder."""
    if (error := folder / "jax_error.txt").exists():
        raise AssertionError(error.read_text())
    return dict(np.load(folder / "jax.npz"))


def datasets(group) -> dict:
    """All arrays below a group of an H5 file, by path, in the order of the file's own lists."""
    found = {}
    group.visititems(lambda path, item: found.update({path: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def weights_of(path) -> dict:
    """The weights of a Keras H5 file, layer by layer as its lists tell: {layer: {weight name: array}}."""
    with h5py.File(path) as file:
        weights = file["model_weights"]
        return {
            layer: {name: weights[layer][name][()] for name in weights[layer].attrs["weight_names"] if len(name)}
            for layer in weights.attrs["layer_names"]
        }


def optimizer_of(path) -> dict:
    """The variables of a Keras H5 file's optimizer."""
    with h5py.File(path) as file:
        return datasets(file["optimizer_weights"])


def differences(found, expected, place="") -> list:
    """Where two configurations differ; a tuple is a list, as in their JSON."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        return [d for key in expected for d in differences(found[key], expected[key], f"{place}/{key}")]
    if isinstance(found, (list, tuple)) and isinstance(expected, (list, tuple)) and len(found) == len(expected):
        return [d for i, pair in enumerate(zip(found, expected)) for d in differences(*pair, f"{place}/{i}")]
    return [] if found == expected else [f"{place}: {found!r}, expected {expected!r}"]


ROUNDING = 2e-6  # what is left of float32 where a sum of numbers around 1 to 10 vanishes


def assert_close(found, expected, tolerance, name="", constant=False, each=True):
    """The largest error is within `tolerance` of the largest expected value, and with `each` every element's within ten times that of
    itself, or of what float32 leaves where sums cancel (what whole networks add up is bounded by the largest value alone). Unless all elements are equal by their nature, they must be worth comparing with. Truth
    values are equal."""
    assert found.shape == expected.shape, name
    if expected.dtype == bool:
        assert (found == expected).all(), name
        return
    assert constant or expected.size == 1 or expected.std() > 1e-3, f"{name}: nothing to compare with"
    error, largest = np.abs(found - expected).max(), np.abs(expected).max()
    assert error <= tolerance * largest, f"{name}: {error:.3g} off, where the largest value is {largest:.3g}"
    if not each:
        return
    own = np.abs(found - expected) - 10 * tolerance * np.abs(expected)
    assert own.max() <= max(tolerance, ROUNDING), f"{name}: an element is {np.abs(found - expected).flat[own.argmax()]:.3g} off, which is {expected.flat[own.argmax()]:.3g}"


def assert_same_weights(found, expected):
    """Two results of weights_of, bit for bit and in the same order."""
    assert list(found) == list(expected)
    for layer, weights in expected.items():
        assert list(found[layer]) == list(weights), layer
        for name, array in weights.items():
            assert found[layer][name].dtype == array.dtype and found[layer][name].shape == array.shape, name
            assert found[layer][name].tobytes() == array.tobytes(), name
