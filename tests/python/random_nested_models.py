"""Random Keras models of models, and what there is to say of one: LibTorch predicts what Keras does, and it comes home to the letter."""

import random

import numpy as np

from keras_helpers import assert_close, assert_same_weights, by_name, differences, input_names, keras, weights_of
from program import h5bridge

L = keras.layers
TOLERANCE = 1e-5


class Maker:
    """Makes models of a depth; features are vectors of a few widths, or short sequences of them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0
        self.known = []  # models that may be called again

    def name(self, kind):
        self.count += 1
        return f"{kind}{self.count}"

    def layer(self, rank):
        r = self.random
        kinds = [
            lambda: L.Dense(r.choice((3, 4, 6)), activation=r.choice(("linear", "relu", "tanh")), name=self.name("dense")),
            lambda: L.BatchNormalization(name=self.name("bn")),
            lambda: L.LayerNormalization(name=self.name("ln")),
            lambda: L.Activation(r.choice(("elu", "sigmoid")), name=self.name("act")),
            lambda: L.Dropout(0.3, name=self.name("drop")),
        ]
        if rank == 3:
            kinds += [
                lambda: L.GRU(r.choice((3, 4)), return_sequences=True, name=self.name("gru")),
                lambda: L.Conv1D(r.choice((3, 5)), 2, padding="causal", name=self.name("conv")),
                lambda: L.Bidirectional(L.LSTM(2, return_sequences=True, name=self.name("lstm")), name=self.name("both")),
                lambda: L.TimeDistributed(self.layer(2), name=self.name("td")),
                lambda: L.TimeDistributed(self.sequential(None, 1), name=self.name("td")),
            ]
        layer = r.choice(kinds)()
        layer.trainable = r.random() > 0.2
        return layer

    def sequential(self, shape, depth):
        parts = []
        for _ in range(self.random.randint(1, 3)):
            inner = depth > 0 and self.random.random() < 0.4
            parts.append(self.sequential(None, depth - 1) if inner else self.layer(3 if shape and len(shape) == 2 else 2))
        first = [] if shape is None else [keras.Input(shape, name=self.name("in"))]
        return keras.Sequential([*first, *parts], name=self.name("seq"))

    def functional(self, shapes, depth):
        """Any number of inputs, of which one may be unused; any number of outputs, of which one may be an input."""
        r = self.random
        inputs = [keras.Input(shape, name=self.name("in")) for shape in shapes]
        values = list(inputs)
        for _ in range(r.randint(2, 4)):
            values += self.step(values, depth)
        outputs = r.sample(values[len(inputs) :], r.randint(1, min(2, len(values) - len(inputs))))
        if r.random() < 0.3:
            outputs.append(r.choice(inputs))
        if r.random() < 0.2:
            outputs = dict(zip(("b", "a", "c"), outputs))
        elif len(outputs) == 1:
            outputs = outputs[0]
        return keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs, name=self.name("model"))

    def step(self, values, depth):
        r = self.random
        x = r.choice(values)
        same = [y for y in values if tuple(y.shape) == tuple(x.shape)]
        choice = r.random()
        if self.known and choice < 0.25:  # once more
            model = r.choice(self.known)
            fitting = [[y for y in values if tuple(y.shape) == tuple(i.shape)] for i in model.inputs]
            if all(fitting):
                return self.call(model, [r.choice(candidates) for candidates in fitting])
        if depth > 0 and choice < 0.65:
            if r.random() < 0.4:
                model = self.sequential(x.shape[1:] if r.random() < 0.7 else None, depth - 1)
                if len(x.shape) == 3 and not model.built:
                    model = self.sequential(x.shape[1:], depth - 1)
                taken = [x]
            else:
                taken = [x] if r.random() < 0.6 else [x, r.choice(values)]
                known, self.known = self.known, []  # what is called in the model is not called outside
                model = self.functional([y.shape[1:] for y in taken], depth - 1)
                self.known = known
            made = self.call(model, taken)
            self.known.append(model)
            return made
        if len(same) > 1 and choice < 0.8:
            return [r.choice((L.Add, L.Multiply, L.Average))(name=self.name("merge"))(r.sample(same, 2))]
        return [self.layer(len(x.shape))(x)]

    def call(self, model, taken):
        keywords = {"training": False} if self.random.random() < 0.3 else {}
        given = taken[0] if len(taken) == 1 else taken
        return keras.tree.flatten(model(given, **keywords))


def random_model(seed):
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    maker = Maker(seed)
    shapes = [(4,)] if maker.random.random() < 0.5 else [(3, 4)]
    model = maker.functional(shapes * maker.random.randint(1, 2), 3)
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        noise = rng.normal(size=variable.shape) * 0.5
        variable.assign(np.abs(noise) + 0.5 if variable.path.endswith("variance") else noise)
    return model


def weights_in(path):
    """By the file's own names. A .keras has none: by those of the model that Keras makes of it, in their order, without
    the paths, which tell how the model was built."""
    if path.suffix == ".h5":
        return weights_of(path)
    weights = keras.models.load_model(path, compile=False).weights
    return {"": {f"{number} {variable.name}": variable.numpy() for number, variable in enumerate(weights)}}


def moved_by_rounding(model, inputs):
    """How far the outputs move where inputs and weights do by a bit: as far as float32 leaves them open, where sums cancel."""

    def outputs(inputs):
        return list(by_name(model(inputs[0] if len(inputs) == 1 else inputs, training=False)).values())

    def moved(x):
        return np.nextafter(x, x + rng.choice((-1, 1), x.shape).astype("float32"))

    rng, before, weights = np.random.default_rng(0), outputs(inputs), model.get_weights()
    furthest = [0.0] * len(before)
    for _ in range(8):
        model.set_weights([moved(weight) for weight in weights])
        furthest = [max(most, np.abs(y - wanted).max()) for most, y, wanted in zip(furthest, outputs([moved(x) for x in inputs]), before)]
    model.set_weights(weights)
    return furthest


def assert_computed(found, expected, model, inputs):
    assert len(found) == len(expected)
    try:
        for y, wanted in zip(found, expected):
            assert_close(y, wanted, TOLERANCE, constant=True)
    except AssertionError:
        for y, wanted, moved in zip(found, expected, moved_by_rounding(model, inputs)):
            assert y.shape == wanted.shape
            if np.abs(y - wanted).max() > 2 * moved:
                raise


def fault_of(seed, folder):
    """What is wrong with the model of this seed, in a .h5 or, of every other one, in a .keras; None if nothing is."""
    return fault_of_model(random_model(seed), seed, folder, ".keras" if seed % 2 else ".h5")


def fault_of_model(model, seed, folder, suffix):
    theirs, ours = folder / f"k{suffix}", folder / f"home{suffix}"
    if not model.weights:
        return None
    rng = np.random.default_rng(seed)
    names = input_names(model)
    inputs = [rng.normal(size=(2, *tensor.shape[1:])).astype("float32") for tensor in model.inputs]
    expected = list(by_name(model(inputs[0] if len(inputs) == 1 else inputs, training=False)).values())
    try:
        model.save(theirs)
        np.savez(folder / "x.npz", **dict(zip(names, inputs)))
        h5bridge("convert", theirs, "-o", folder / "k.json", "-o", folder / "k.pth")
        h5bridge("convert", folder / "k.json", folder / "k.pth", "-o", ours)
        h5bridge("run", theirs, "--input", folder / "x.npz", "-o", folder / "y.npz")
        found = list(dict(np.load(folder / "y.npz")).values())
        # The program gives what a dict holds in the order of the file, Keras in that of the keys.
        if not isinstance(model.output, dict):
            assert_computed(found, expected, model, inputs)
        assert_same_weights(weights_in(ours), weights_in(theirs))
        home = keras.models.load_model(ours, compile=False)
        # Not the model itself: of what is wrapped and frozen, Keras's own file is read as trained again.
        config = keras.models.load_model(theirs, compile=False).get_config()
        assert not (wrong := differences(home.get_config(), config)), wrong[:3]
        again = list(by_name(home(inputs[0] if len(inputs) == 1 else inputs, training=False)).values())
        assert all(np.array_equal(y, wanted) for y, wanted in zip(again, expected))
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return None
