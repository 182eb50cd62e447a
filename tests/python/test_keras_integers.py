"""Integers and truth values in Keras's models become floats where something computes with floats, wherever they come from."""

import functools
import json

import h5py
import numpy as np
import pytest
import torch

from keras_helpers import jax_outputs, keras, run_jax
from program import h5bridge, needs_libtorch, needs_program
from run_together import result_of, run_together
from test_keras_layers_live import SAMPLES

pytestmark = [needs_program, needs_libtorch]
layers, ops = keras.layers, keras.ops

# What is computed of an input of that type.
FUNCTIONS = {
    "places": ("float32", lambda x: layers.Dense(2)(ops.argmax(x, axis=-1))),
    "a comparison": ("float32", lambda x: layers.Dense(2)(ops.greater(x, 0.5))),
    "a comparison of integers": ("int32", lambda x: layers.Dense(2)(ops.equal(x, 1))),
    "Boolean inputs": ("bool", lambda x: layers.Dense(2)(x)),
    "a sum": ("int32", lambda x: layers.Dense(2)(ops.sum(x, axis=1))),
    "a quotient": ("int32", lambda x: layers.Dense(2)(ops.true_divide(x, 3))),
    "what is cast": ("int32", lambda x: layers.Dense(2)(ops.cast(x, "float32"))),
    "mean": ("int32", lambda x: ops.mean(x, axis=-1)),
    "mean of truth values": ("bool", lambda x: ops.mean(x, axis=-1)),
    "standard deviation": ("int32", lambda x: ops.std(x, axis=1)),
    "variance": ("int32", lambda x: ops.var(x, axis=[1, 2])),
    "logarithm of a sum": ("int32", lambda x: ops.logaddexp(x, ops.negative(x))),
    "hypotenuse": ("int32", lambda x: ops.hypot(x, ops.add(x, 1))),
}  # fmt: skip


@pytest.mark.parametrize("what", FUNCTIONS)
def test_integers_become_floats(what, tmp_path):
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    dtype, function = FUNCTIONS[what]
    x = keras.Input((4, 3), dtype=dtype, name="x")
    model = keras.Model(x, function(x))
    model.save(tmp_path / "model.h5")
    numbers = np.random.default_rng(5).normal(size=(2, 4, 3)) if dtype == "float32" else np.arange(24).reshape(2, 4, 3) % 5
    numbers = numbers.astype(dtype)
    np.save(tmp_path / "x.npy", numbers)
    h5bridge("run", "model.h5", "--input", "x.npy", "-o", "y.npy", folder=tmp_path)
    expected = model.predict(numbers, verbose=0)
    found = np.load(tmp_path / "y.npy")
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    # A cast that Keras makes by itself is not written for it.
    h5bridge("convert", "model.h5", "-o", "model.json", "-o", "model.pth", folder=tmp_path)
    h5bridge("convert", "model.json", "model.pth", "-o", "again.h5", folder=tmp_path)
    configs = []
    for name in ("model.h5", "again.h5"):
        with h5py.File(tmp_path / name) as file:
            configs.append(json.loads(file.attrs["model_config"]))
    assert [layer["class_name"] for layer in configs[1]["config"]["layers"]] == [layer["class_name"] for layer in configs[0]["config"]["layers"]]


# What stays integers, also where LibTorch has it for floats alone, and what is rounded and kept within their range.
WHOLE = {
    "the largest": lambda x: layers.MaxPooling2D(2)(x),
    "the largest, padded": lambda x: layers.MaxPooling2D(3, 2, padding="same")(x),
    "the largest of a row": lambda x: layers.MaxPooling1D(2)(layers.Reshape((30, 3))(x)),
    "the largest of a row, padded": lambda x: layers.MaxPooling1D(4, 3, padding="same")(layers.Reshape((30, 3))(x)),
    "the largest of all": lambda x: layers.GlobalMaxPooling2D()(x),
    "the largest of all in a row": lambda x: layers.GlobalMaxPooling1D()(layers.Reshape((30, 3))(x)),
    "the largest of a volume": lambda x: layers.MaxPooling3D(2, padding="same")(layers.Reshape((6, 5, 3, 1))(x)),
    "nearest": lambda x: layers.UpSampling2D(2)(x),
    "nearest in a row": lambda x: layers.UpSampling1D(3)(layers.Reshape((30, 3))(x)),
    "nearest of another size": lambda x: layers.Resizing(4, 7, interpolation="nearest")(x),
    "between": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "beyond": lambda x: layers.UpSampling2D(3, interpolation="bicubic")(x),
    "resized": lambda x: layers.Resizing(4, 7)(x),
    "resized beyond": lambda x: layers.Resizing(9, 7, interpolation="bicubic")(x),
    "resized and cropped": lambda x: layers.Resizing(4, 4, crop_to_aspect_ratio=True)(x),
    "mean of all": lambda x: layers.GlobalAveragePooling2D()(x),
    "what follows": lambda x: layers.Dense(2)(layers.GlobalMaxPooling2D()(x)),
}  # fmt: skip


@pytest.fixture(scope="module", params=["int32", "uint8", "int8"])
def pictures(request, tmp_path_factory):
    """By what is computed: what Keras on JAX gives, and what LibTorch does of Keras's file and of PyTorch's."""
    folder, dtype = tmp_path_factory.mktemp("pictures"), request.param
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    x = keras.Input((6, 5, 3), dtype=dtype, name="x")
    keras.Model(x, [function(x) for function in WHOLE.values()]).save(folder / "m.h5")
    low, high = {"uint8": (0, 256), "int8": (-128, 128), "int32": (-100_000, 100_000)}[dtype]
    numbers = np.random.default_rng(5).integers(low, high, (2, 6, 5, 3)).astype(dtype)
    for name in ("keras_inputs.npz", "x.npz"):
        np.savez(folder / name, x=numbers)
    run_jax([folder])
    h5bridge("convert", folder / "m.h5", "-o", folder / "model.json", "-o", folder / "model.pth")
    results = [jax_outputs(folder)]
    for sources in (["m.h5"], ["model.json", "model.pth", "--input-layout", "keras"]):
        h5bridge("run", *sources, "--input", "x.npz", "-o", "y.npz", folder=folder)
        results.append(dict(np.load(folder / "y.npz")))
    h5bridge("convert", folder / "model.json", folder / "model.pth", "-o", folder / "again.h5")
    return dict(zip(WHOLE, zip(*(result.values() for result in results), strict=True), strict=True)), folder


@pytest.mark.parametrize("what", WHOLE)
def test_integers_of_pictures_are_keras_s(what, pictures):
    expected, *results = pictures[0][what]
    is_between = any(word in what for word in ("between", "beyond", "resized"))
    for found in results:
        assert found.dtype == expected.dtype and found.shape == expected.shape
        if found.dtype == np.float32:
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        else:  # a half may be a little more or less in float32
            off = np.abs(found.astype("int64") - expected.astype("int64"))
            assert off.max() <= is_between and (off > 0).mean() < 0.02


def test_what_keras_does_by_itself_is_not_written_for_it(pictures):
    files = [h5py.File(pictures[1] / name) for name in ("m.h5", "again.h5")]
    classes = [[layer["class_name"] for layer in json.loads(file.attrs["model_config"])["config"]["layers"]] for file in files]
    assert classes[0] == classes[1]


# What overflows in Keras, or loses its fractions.
OTHERWISE = {
    "layer": ("int32", lambda: layers.LayerNormalization()),
    "root mean square": ("int32", lambda: layers.RMSNormalization()),
    "groups": ("int32", lambda: layers.GroupNormalization(3)),
    "mean of a window": ("uint8", lambda: layers.AveragePooling2D(2)),
    "slopes": ("uint8", lambda: layers.PReLU()),
    "shares": ("uint8", lambda: layers.Softmax()),
    "shares by name": ("uint8", lambda: layers.Activation("softmax")),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERWISE)
def test_integers_with_which_keras_computes_otherwise_are_refused(what, tmp_path):
    dtype, layer = OTHERWISE[what]
    x = keras.Input((6, 5, 3), dtype=dtype, name="x")
    keras.Model(x, layer()(x)).save(tmp_path / "model.h5")
    said = h5bridge("run", "model.h5", "--input", "x.npy", "-o", "y.npy", folder=tmp_path, status=4)
    assert f"takes {dtype}, with which Keras computes otherwise" in said and "a cast to float32 before it" in said
    keras.Model(x, layer()(ops.cast(x, "float32"))).save(tmp_path / "model.h5")
    h5bridge("convert", "model.h5", "-o", "model.json", folder=tmp_path)


# Sums and products that leave the type that Keras has for them, which PyTorch's int64 does not.
OVERFLOWING = {
    "a sum": ("int32", lambda x: ops.sum(x, axis=1)),
    "a sum of all": ("int32", lambda x: ops.sum(x)),
    "a sum that is summed": ("int32", lambda x: ops.sum(ops.sum(x, axis=1), axis=0)),
    "a product": ("int32", lambda x: ops.prod(x, axis=1)),
    "a product of small ones": ("int8", lambda x: ops.prod(x, axis=1)),
    "sums so far": ("int32", lambda x: ops.cumsum(x, axis=1)),
    "sums of small ones so far": ("int8", lambda x: ops.cumsum(x, axis=1)),
    "products of small ones so far": ("uint8", lambda x: ops.cumprod(x, axis=1)),
    "sums of truth values so far": ("bool", lambda x: ops.cumsum(x, axis=1)),
    "a sum and a half": ("int32", lambda x: ops.multiply(ops.cast(ops.sum(x, axis=1), "float32"), 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("what", OVERFLOWING)
def test_sums_and_products_of_keras_overflow_as_there(what, tmp_path):
    keras.backend.clear_session()
    dtype, function = OVERFLOWING[what]
    x = keras.Input((6,), dtype=dtype, name="x")
    model = keras.Model(x, function(x))
    model.save(tmp_path / "model.h5")
    numbers = (np.arange(1, 13).reshape(2, 6) * (300_000_000 if dtype == "int32" else 17)).astype(dtype)
    np.save(tmp_path / "x.npy", numbers)
    h5bridge("run", "model.h5", "--input", "x.npy", "-o", "y.npy", folder=tmp_path)
    expected, found = keras.ops.convert_to_numpy(model(numbers)), np.load(tmp_path / "y.npy")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    h5bridge("convert", "model.h5", "-o", "model.json", "-o", "model.pth", folder=tmp_path)
    h5bridge("convert", "model.json", "model.pth", "-o", "again.h5", folder=tmp_path)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(keras.models.load_model(tmp_path / "again.h5", compile=False)(numbers)), expected)
    classes = [[layer["class_name"] for layer in json.loads(h5py.File(tmp_path / name).attrs["model_config"])["config"]["layers"]] for name in ("model.h5", "again.h5")]
    assert classes[0] == classes[1]


@pytest.mark.parametrize("kind, dtype", [("sum", "int32"), ("sum", "int8"), ("cumsum", "int8"), ("prod", "int8"), ("cumsum", "uint8")])
def test_sums_and_products_of_pytorch_do_not_overflow_in_keras(kind, dtype, tmp_path):
    """As far as Keras has a type for them: int64 for sums, int32 for others."""
    network = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3], "dtype": dtype}], "outputs": ["y"],
               "layers": [{"name": "y", "type": kind, "attributes": {"dim": 1}}]}  # fmt: skip
    (tmp_path / "net.json").write_text(json.dumps(network))
    torch.save({}, tmp_path / "net.pth")
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", folder=tmp_path)
    numbers = np.array([[90, 100, 110], [1, 2, 3]], dtype) * np.array(1 if dtype != "int32" else 20_000_000, dtype)
    expected = getattr(torch, kind)(torch.from_numpy(numbers), 1).numpy()
    model = keras.models.load_model(tmp_path / "net.h5", compile=False)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(numbers)), expected)
    h5bridge("convert", "net.h5", "-o", "back.json", folder=tmp_path)
    assert [layer["type"] for layer in json.loads((tmp_path / "back.json").read_text())["layers"]] == [kind]


@pytest.mark.parametrize("kind, dtype, is_told", [("prod", "int64", True), ("cumsum", "int64", True), ("sum", "int64", False), ("argmax", "int64", False),
                                                 ("prod", "float32", False)])  # fmt: skip
def test_numbers_that_keras_cannot_hold_are_told(kind, dtype, is_told, tmp_path):
    network = {"h5bridge": 1, "inputs": [{"name": "x", "shape": ["batch", 3], "dtype": dtype}], "outputs": ["y"],
               "layers": [{"name": "y", "type": kind, "attributes": {"dim": 1}}]}  # fmt: skip
    (tmp_path / "net.json").write_text(json.dumps(network))
    torch.save({}, tmp_path / "net.pth")
    notes = json.loads(h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--json", folder=tmp_path))["notes"]
    assert any("Keras computes it in int32" in note for note in notes) == is_told
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", "--lossless", folder=tmp_path, status=4 if is_told else 0)


# --- Every operation on integers of every type -----------------------------------------------------------------------------------

INTEGERS = ("int64", "int32", "int8", "uint8", "bool")
MERGING = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Dot")
# LibTorch does not compute them, and says so.
REFUSED = {
    "Round": INTEGERS[:4], "CDist": INTEGERS[:4], "Matmul": ("bool",), "Dot": ("bool",), "Pad": ("bool",), "SparsePlus": INTEGERS,
    **dict.fromkeys(("Abs", "Absolute", "Fabs", "Cbrt", "Ceil", "Floor", "Trunc", "Argmax", "Argmin", "Digitize"), ("bool",)),
}  # fmt: skip
# Keras computes in the integers' own type what is no integer, or reflects them as float32.
OF_FLOATS = ("Squareplus", "SparseSigmoid")
REFLECTED = ("Pad: reflect", "Pad: symmetric")
# Keras's backends differ, and it is JAX's type that is given.
AS_ON_JAX = {("Cbrt", "int64"), ("Deg2rad", "int64"), ("Rad2deg", "int64"), ("I0", "int64"), ("Heaviside", "bool")} | {("Relu6", dtype) for dtype in INTEGERS}


class OnIntegers:
    def __init__(self, sample, dtype):
        self.sample, self.dtype = sample, dtype
        self.name = f"{sample.name}, {dtype}"
        rng = np.random.default_rng(7)
        self.arrays = [x.astype(dtype) if sample.ids_below else self.large(rng, x.shape) for x in sample.inputs]

    def large(self, rng, shape):
        """Beyond what smaller types hold, and less than what rounding to float32 and back would leave the type with."""
        if self.dtype == "bool":
            return rng.integers(2, size=shape).astype(bool)
        bits = 8 * np.dtype(self.dtype).itemsize - (self.dtype != "uint8")
        low, high = 2 ** (bits - 4), 2 ** (bits - 1) + 2 ** (bits - 3)
        sign = 1 if self.dtype == "uint8" else rng.choice([-1, 1, 1], size=shape)
        return (rng.integers(min(low, 2**32), min(high, 2**34), size=shape) * sign).astype(self.dtype)

    def inputs(self, prefix):
        return [keras.Input(batch_shape=x.shape, dtype=self.dtype, name=f"{prefix}{k}") for k, x in enumerate(self.arrays)]

    @functools.cached_property
    def expected(self):
        """None where Keras does not take these integers."""
        try:
            inputs = self.inputs("x")
            model = keras.Model(inputs, self.sample.outputs(self.sample.operation("layer"), inputs))
            return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(self.arrays if len(inputs) > 1 else self.arrays[0]))]
        except Exception:
            return None


ON_INTEGERS = [
    OnIntegers(sample, dtype)
    for sample in SAMPLES
    if (sample.is_operation or sample.class_name in MERGING) and sample.class_name not in OF_FLOATS
    if sample.name not in REFLECTED and not sample.config.get("normalize")
    for dtype in INTEGERS
    if dtype not in sample.integers_not_known
]  # fmt: skip


def run_on_integers(cases, folder):
    inputs, outputs, arrays = [], [], {}
    for i, case in enumerate(cases):
        own = case.inputs(f"c{i}x")
        inputs += own
        outputs += keras.tree.flatten(case.sample.outputs(case.sample.operation(f"c{i}"), own))
        arrays |= {f"c{i}x{k}": x for k, x in enumerate(case.arrays)}
    keras.Model(inputs, outputs).save(folder / "all.h5")
    np.savez(folder / "x.npz", **arrays)
    h5bridge("run", folder / "all.h5", "--input", folder / "x.npz", "-o", folder / "y.npz")
    found = iter(np.load(folder / "y.npz").values())
    return {case.name: [next(found) for _ in case.expected] for case in cases}


@pytest.fixture(scope="module")
def results_on_integers(tmp_path_factory):
    cases = [case for case in ON_INTEGERS if case.dtype not in REFUSED.get(case.sample.class_name, ()) and case.expected is not None]
    return run_together(cases, lambda some: run_on_integers(some, tmp_path_factory.mktemp("integers")))


@pytest.mark.parametrize("case", ON_INTEGERS, ids=lambda case: case.name)
def test_operations_give_the_integers_that_keras_does(case, results_on_integers):
    if case.name not in results_on_integers:
        pytest.skip("LibTorch does not compute it" if case.expected is not None else "Keras does not compute it")
    for found, expected in zip(result_of(results_on_integers, case), case.expected, strict=True):
        if (case.sample.class_name, case.dtype) not in AS_ON_JAX:
            assert found.dtype == expected.dtype
        if expected.dtype.kind in "iub":
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


# --- Integers of PyTorch in Keras ------------------------------------------------------------------------------------------------

LARGE = np.array([[9_000_000_000, -7_000_000_001, 5], [-3_000_000_000, 2**62 + 1, -(2**62) - 3], [7, -8, 2**53 + 1]])
DIVISORS = np.array([[7, 3, -2], [-4_000_000_001, -1, 2**61 + 5], [-2, 3, 1]])
# (type, attributes, the inputs, what PyTorch computes)
OF_PYTORCH = {
    "a quotient rounded down": ("floor_divide", {}, (LARGE, DIVISORS), torch.floor_divide),
    "a quotient by a number rounded down": ("floor_divide", {"other": -3}, (LARGE,), lambda x: x // -3),
    "a number's quotient rounded down": ("floor_divide", {"self": 9_000_000_000}, (DIVISORS,), lambda x: 9_000_000_000 // x),
    "a division rounded down": ("div", {"rounding_mode": "floor"}, (LARGE, DIVISORS), lambda x, y: torch.div(x, y, rounding_mode="floor")),
    "a truncated division": ("div", {"rounding_mode": "trunc"}, (LARGE, DIVISORS), lambda x, y: torch.div(x, y, rounding_mode="trunc")),
    "a truncated division of int32": ("div", {"rounding_mode": "trunc", "other": -2}, (np.array([[2**31 - 1, -7, 5]], "int32"),), lambda x: torch.div(x, -2, rounding_mode="trunc")),
    "larger elements": ("maximum", {}, (LARGE, DIVISORS), torch.maximum),
    "smaller elements": ("minimum", {}, (LARGE, DIVISORS), torch.minimum),
    "the largest of three": ("maximum", {}, (LARGE, DIVISORS, LARGE[::-1].copy()), lambda *x: functools.reduce(torch.maximum, x)),
    "larger numbers": ("fmax", {}, (LARGE, DIVISORS), torch.fmax),
    "smaller numbers": ("fmin", {}, (LARGE, DIVISORS), torch.fmin),
    "a lower bound": ("clamp", {"min": 6}, (LARGE,), lambda x: x.clamp(min=6)),
    "an upper bound": ("clamp", {"max": 4_000_000_000}, (LARGE,), lambda x: x.clamp(max=4_000_000_000)),
    "a product of matrices": ("matmul", {}, (LARGE, DIVISORS), torch.matmul),
    "a product with a vector": ("matmul", {}, (np.stack([LARGE, DIVISORS]), DIVISORS[0]), torch.matmul),
    "a product of small matrices": ("matmul", {}, (np.full((2, 3), 100, "int8"), np.full((3, 2), 77, "int8")), torch.matmul),
    "an einsum of small ones": ("einsum", {"equation": "ij,jk->ik"}, (np.full((2, 3), 100, "int8"), np.full((3, 2), 77, "int8")), lambda x, y: torch.einsum("ij,jk->ik", x, y)),
    "integers rounded down": ("floor", {}, (np.array([[2**31 - 1, -7]], "int32"),), torch.floor),
    "integers rounded up": ("ceil", {}, (LARGE,), torch.ceil),
    "steps": ("heaviside", {}, (np.array([[-1, 0, 1]]), np.array([[2**53 + 1] * 3])), torch.heaviside),
    "places": ("argmax", {"dim": 1}, (LARGE,), lambda x: x.argmax(1)),
    "places in order": ("argsort", {"dim": 1}, (LARGE,), lambda x: x.argsort(1)),
    "truth of bytes": ("all", {"dim": 1}, (np.array([[1, 2], [0, 3]], "uint8"),), lambda x: x.all(1)),
    "a sum of truth values": ("sum", {"dim": 1}, (LARGE > 0,), lambda x: x.sum(1)),
}  # fmt: skip


@pytest.fixture(scope="module")
def integers_of_pytorch(tmp_path_factory):
    """All of them in one network, as Keras computes it and as it is when it has come home."""
    folder = tmp_path_factory.mktemp("integers_of_pytorch")
    network = {"h5bridge": 1, "inputs": [], "layers": [], "outputs": []}
    arrays = {}
    for i, (kind, attributes, own, _) in enumerate(OF_PYTORCH.values()):
        names = [f"x{i}_{k}" for k in range(len(own))]
        network["inputs"] += [{"name": name, "shape": list(x.shape), "dtype": str(x.dtype)} for name, x in zip(names, own)]
        network["layers"].append({"name": f"y{i}", "type": kind, "attributes": attributes, "inputs": names})
        network["outputs"].append(f"y{i}")
        arrays |= dict(zip(names, own))
    (folder / "net.json").write_text(json.dumps(network))
    torch.save({}, folder / "net.pth")
    h5bridge("convert", "net.json", "net.pth", "-o", "net.h5", folder=folder)
    model = keras.models.load_model(folder / "net.h5", compile=False)
    found = [keras.ops.convert_to_numpy(y) for y in model([arrays[tensor.name] for tensor in model.inputs])]
    h5bridge("convert", "net.h5", "-o", "back.json", folder=folder)
    kinds = [layer["type"] for layer in json.loads((folder / "back.json").read_text())["layers"]]
    return dict(zip(OF_PYTORCH, found)), kinds


@pytest.mark.parametrize("what", OF_PYTORCH)
def test_integers_of_pytorch_keep_value_and_type_in_keras(what, integers_of_pytorch):
    _, _, own, function = OF_PYTORCH[what]
    expected = function(*map(torch.from_numpy, own)).numpy()
    found = integers_of_pytorch[0][what]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_they_come_home_as_they_were(integers_of_pytorch):
    assert integers_of_pytorch[1] == [kind for kind, *_ in OF_PYTORCH.values()]
