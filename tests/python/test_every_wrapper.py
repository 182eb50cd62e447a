"""Each wrapper of keras.layers around each class that it accepts, found by introspection: LibTorch predicts what Keras does, and it
comes home to the letter."""

import copy
import inspect
import zlib

import numpy as np
import pytest

from keras_helpers import assert_close, differences, keras, predict
from program import h5bridge, needs_libtorch, needs_program
from registry_samples import needs_registry
from run_together import result_of, run_together
from test_keras_layers_live import CONSTANT, LAYERS, randomised

pytestmark = [needs_program, needs_registry]
L = keras.layers
STEPS = 2


def wrappers():
    """The classes whose constructor takes a layer."""
    classes = {c for c in vars(L).values() if inspect.isclass(c) and c is not L.Wrapper}
    return sorted(c.__name__ for c in classes if "layer" in inspect.signature(c.__init__).parameters)


class Wrapped:
    """A class's first sample of one input, in a wrapper."""

    def __init__(self, wrapper, sample):
        self.wrapper, self.sample = wrapper, sample
        self.name = f"{wrapper}: {sample.name}"
        self.class_name = sample.class_name
        shape = sample.input_shapes[0]
        self.shape = (shape[0], STEPS, *shape[1:]) if wrapper == "TimeDistributed" else tuple(shape)

    def operation(self, name):
        config = copy.deepcopy(self.sample.config) | {"name": f"{name}_inner"}
        layer = getattr(L, self.class_name).from_config(config)
        return getattr(L, self.wrapper)(layer, name=name)

    def inputs(self, name):
        return keras.Input(batch_shape=self.shape, dtype="int64" if self.sample.ids_below else "float32", name=name)

    @property
    def array(self):
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return rng.integers(self.sample.ids_below, size=self.shape) if self.sample.ids_below else rng.normal(size=self.shape).astype("float32")

    def is_accepted(self):
        """Whether Keras computes it at all."""
        try:
            x = self.inputs("x")
            predict(keras.Model(x, self.operation("layer")(x)), [self.array])
        except Exception:
            return False
        return True


def first_samples():
    """Of each class one that has one input and says nothing in its call."""
    seen = {}
    for sample in LAYERS:
        if len(sample.input_shapes) == 1 and not (sample.call or sample.inputs_as_list or sample.on_jax or sample.config.get("stateful")):
            seen.setdefault(sample.class_name, sample)
    return list(seen.values())


def cases():
    for wrapper in wrappers():
        for sample in first_samples():
            case = Wrapped(wrapper, sample)
            if wrapper != sample.class_name and case.is_accepted():
                yield case


CASES = list(cases())


def whole(some):
    """One model of them side by side."""
    inputs = [case.inputs(f"x{i}") for i, case in enumerate(some)]
    outputs = [case.operation(f"w{i}")(x) for i, (case, x) in enumerate(zip(some, inputs))]
    return randomised(keras.Model(inputs, outputs, name="wrapped"), "wrapped")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of each case what LibTorch computes and what Keras does."""

    def run(some):
        folder = tmp_path_factory.mktemp("wrapped")
        model = whole(some)
        model.save(folder / "k.keras")
        h5bridge("convert", folder / "k.keras", "-o", folder / "k.json", "-o", folder / "k.pth")
        h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", folder / "back.keras")
        np.savez(folder / "x.npz", **{f"x{i}": case.array for i, case in enumerate(some)})
        h5bridge("run", folder / "k.keras", "--input", folder / "x.npz", "-o", folder / "y.npz")
        found = np.load(folder / "y.npz").values()
        expected = predict(model, [case.array for case in some]).values()
        back = keras.models.load_model(folder / "back.keras", compile=False)
        home = differences(back.get_config(), model.get_config())
        pairs_of_weights = zip(back.weights, model.weights, strict=True)
        home += [one.path for one, other in pairs_of_weights if not np.array_equal(one.numpy(), other.numpy())]
        pairs = zip(some, found, expected, strict=True)
        return {case.name: (one, other, home) for case, one, other in pairs}

    return run_together(CASES, run)


@needs_libtorch
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrapped_layer_computes_what_it_does_in_keras(case, results):
    found, expected, home = result_of(results, case)
    assert_close(found, expected, 1e-5, constant=case.class_name in CONSTANT)
    assert home == []


def test_every_wrapper_is_read():
    assert sorted({case.wrapper for case in CASES}) == wrappers()
