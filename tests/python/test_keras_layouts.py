"""Keras models whose layers do not all keep their channels where the others do, over PyTorch's layout and back."""

import numpy as np
import pytest

from keras_helpers import assert_close, assert_same_weights, by_name, keras, weights_of
from program import h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]
layers = keras.layers


def over_rows():
    """The last layer counts rows as its channels: its output stays where it is."""
    x = keras.Input((4, 6, 3), name="x")
    return keras.Model(x, layers.BatchNormalization(axis=1, name="rows")(layers.Conv2D(5, 3, padding="same", name="conv")(x)))


def both_ways():
    """One output is moved, the other is not."""
    x = keras.Input((4, 6, 3), name="x")
    y = layers.Conv2D(5, 3, padding="same", name="conv")(x)
    return keras.Model(x, [layers.BatchNormalization(axis=1, name="rows")(y), layers.ReLU(name="relu")(y)])


def of_one_size():
    """All axes are of one size, so that no shape tells what was moved."""
    x = keras.Input((5, 5, 5), name="x")
    y = layers.Conv2D(5, 3, padding="same", name="conv")(x)
    return keras.Model(x, layers.BatchNormalization(axis=2, name="columns")(y))


def steps():
    x = keras.Input((5, 5), name="x")
    return keras.Model(x, layers.BatchNormalization(axis=1, name="steps")(layers.Conv1D(5, 3, padding="same", name="conv")(x)))


def turned():
    x = keras.Input((4, 6, 3), name="x")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(x)
    return keras.Model(x, [layers.Permute((2, 3, 1), name="turned")(y), layers.Permute((3, 1, 2), name="first")(y)])


def volume():
    x = keras.Input((3, 4, 5, 2), name="x")
    return keras.Model(x, layers.BatchNormalization(axis=2, name="rows")(layers.Conv3D(3, 2, padding="same", name="conv")(x)))


@pytest.mark.parametrize("make", [over_rows, both_ways, of_one_size, steps, turned, volume])
def test_outputs_have_keras_layout_over_pytorch(make, tmp_path):
    keras.utils.set_random_seed(3)
    model = make()
    rng = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save(tmp_path / "m.h5")
    x = rng.normal(size=(2, *model.inputs[0].shape[1:])).astype("float32")
    np.savez(tmp_path / "in.npz", x=x)
    expected = list(by_name(model(x, training=False)).values())

    def run(*sources):
        h5bridge("run", *sources, "--input", "in.npz", "--input-layout", "keras", "-o", "out.npz", folder=tmp_path)
        return dict(np.load(tmp_path / "out.npz"))

    own = run("m.h5")
    h5bridge("convert", "m.h5", "-o", "m.json", "-o", "m.pth", folder=tmp_path)
    h5bridge("convert", "m.json", "m.pth", "-o", "again.json", "-o", "back.h5", folder=tmp_path)
    h5bridge("convert", "again.json", "m.pth", "-o", "twice.h5", folder=tmp_path)
    for sources in (["m.h5"], ["m.json", "m.pth"], ["again.json", "m.pth"], ["back.h5"], ["twice.h5"]):
        found = run(*sources)
        # Names are those of the sources' framework.
        names = list(own) if sources[0].endswith(".h5") else ["output", *(f"output_{i}" for i in range(1, len(own)))]
        assert list(found) == names, sources
        for array, wanted in zip(found.values(), expected):
            assert_close(array, wanted, 1e-5, sources)
    for back in ("back.h5", "twice.h5"):
        assert_same_weights(weights_of(tmp_path / back), weights_of(tmp_path / "m.h5"))
        assert keras.models.load_model(tmp_path / back).get_config() == model.get_config()
