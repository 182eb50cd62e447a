"""Files of Keras 0 and 1, crafted here, against what those versions computed: keras_1_formulas.py has the formulas."""

import json

import numpy as np
import pytest

from keras_1_files import (
    Layer,
    arrays_of,
    convolution,
    convolution_1d,
    dense,
    gates_of,
    gru,
    highway,
    input_layer,
    lstm,
    normalization,
    sequential,
    simple_rnn,
    taking,
    write,
    write_0,
    write_one,
)
from keras_1_formulas import Network
from keras_helpers import assert_close, h5py, keras, predict
from program import h5bridge, needs_libtorch, needs_program

pytestmark = [needs_program, needs_libtorch]
TOLERANCE = 1e-6  # of the largest value


def chain(first, *rest):
    return [first, *rest]


def softmax():
    return Layer("Activation", activation="softmax")


# Name: (layers, what they take, what wrote it).
CHAINS = {
    "dense": lambda: (chain(taking(dense(7, 5, activation="tanh"), 7), Layer("Dropout", p=0.5), dense(5, 3), softmax()), [7], "tensorflow"),
    "highway": lambda: (chain(taking(dense(6, 4), 6), highway(4, activation="relu"), Layer("GaussianNoise", sigma=0.1), highway(4, True)), [6], "theano"),
    "maxout": lambda: (chain(taking(Layer("MaxoutDense", [("W", (3, 6, 4)), ("b", (3, 4))], output_dim=4, nb_feature=3), 6), dense(4, 2)), [6], "theano"),
    "softplus": lambda: (chain(taking(dense(5, 4), 5), Layer("ParametricSoftplus", [("alphas", (4,)), ("betas", (4,))])), [5], "theano"),
    "softplus_of_images": lambda: (
        chain(taking(convolution((3, 3, 2, 4)), 8, 7, 2), Layer("ParametricSoftplus", [("alphas", (1, 1, 4)), ("betas", (1, 1, 4))])), [8, 7, 2], "tensorflow"),
    "activations": lambda: (
        chain(taking(dense(5, 4, activation="hard_sigmoid"), 5), Layer("LeakyReLU", alpha=0.2), Layer("PReLU", [("alphas", (4,))]),
              Layer("ELU", alpha=0.7), Layer("ThresholdedReLU", theta=0.1), Layer("Activation", activation="softsign")), [5], "theano"),
    "lstm": lambda: (chain(taking(Layer("Masking", mask_value=0.0), 5, 3), lstm(3, 4, return_sequences=True), lstm(4, 3, consume_less="gpu")), [5, 3], "tensorflow"),
    "gru": lambda: (chain(taking(gru(3, 4, return_sequences=True, inner_activation="sigmoid"), 5, 3), gru(4, 3, consume_less="gpu", go_backwards=True)), [5, 3], "theano"),
    "simple_rnn": lambda: (chain(taking(simple_rnn(3, 4, return_sequences=True, activation="relu"), 5, 3), simple_rnn(4, 2)), [5, 3], "theano"),
    "time_distributed_dense": lambda: (
        chain(taking(simple_rnn(3, 4, return_sequences=True), 5, 3), Layer("TimeDistributedDense", [("W", (4, 2)), ("b", (2,))], output_dim=2), softmax()), [5, 3], "theano"),
    "bidirectional": lambda: (
        chain(taking(Layer("Bidirectional", [("f_" + n, s) for n, s in gates_of(3, 4, "icfo")] + [("b_" + n, s) for n, s in gates_of(3, 4, "icfo")],
                           merge_mode="concat", layer=lstm(3, 4, return_sequences=True, inner_activation="sigmoid").entry()), 5, 3), simple_rnn(8, 2)), [5, 3], "tensorflow"),
    "embedding": lambda: (
        chain(taking(Layer("Embedding", [("W", (11, 4))], input_dim=11, output_dim=4, mask_zero=True, dropout=0.2), 6, dtype="int32"), lstm(4, 3)), [6], "theano"),
    "convolution_1d": lambda: (
        chain(taking(convolution_1d(3, 4, 5, border_mode="same", activation="relu"), 9, 4), Layer("MaxPooling1D", pool_length=2, stride=2, border_mode="valid"),
              convolution_1d(2, 5, 3, border_mode="same"), Layer("UpSampling1D", length=2), Layer("GlobalMaxPooling1D")), [9, 4], "theano"),
    "strided_1d_of_theano": lambda: (chain(taking(convolution_1d(3, 4, 5, border_mode="same", subsample_length=2), 8, 4), Layer("Flatten"), dense(20, 2)), [8, 4], "theano"),
    "atrous_1d": lambda: (chain(taking(convolution_1d(3, 4, 5, class_name="AtrousConvolution1D", atrous_rate=2), 9, 4), Layer("ZeroPadding1D", padding=2)), [9, 4], "tensorflow"),
    "th": lambda: (
        chain(taking(convolution((4, 2, 3, 3), dim_ordering="th", border_mode="same"), 2, 7, 6), normalization(4, 1), Layer("Activation", activation="relu"),
              Layer("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"), Layer("Flatten"), dense(36, 3)), [2, 7, 6], "theano"),
    "th_of_tensorflow": lambda: (
        chain(taking(convolution((4, 2, 3, 3), dim_ordering="th", subsample=[2, 2], border_mode="same"), 2, 8, 6), Layer("UpSampling2D", size=[2, 3]),
              Layer("ZeroPadding2D", padding=[1, 2]), Layer("Flatten"), dense(4 * 10 * 13, 3)), [2, 8, 6], "tensorflow"),
    "tf_of_theano": lambda: (
        chain(taking(convolution((3, 2, 2, 4)), 7, 6, 2), Layer("AveragePooling2D", pool_size=[2, 2], strides=[1, 2], border_mode="valid", dim_ordering="tf"),
              Layer("GlobalAveragePooling2D", dim_ordering="tf")), [7, 6, 2], "theano"),
    "same_of_theano": lambda: (
        chain(taking(convolution((3, 2, 2, 4), dim_ordering="th", border_mode="same"), 2, 7, 6), convolution((2, 3, 3, 3), dim_ordering="th", subsample=[2, 3], border_mode="same"),
              Layer("Flatten")), [2, 7, 6], "theano"),
    "padding": lambda: (
        chain(taking(Layer("ZeroPadding2D", padding=[1, 0, 2, 3]), 5, 4, 2), convolution((3, 3, 2, 3)), Layer("Cropping2D", cropping=[[1, 0], [0, 2]])), [5, 4, 2], "tensorflow"),
    "atrous_2d": lambda: (
        chain(taking(convolution((3, 3, 2, 4), class_name="AtrousConvolution2D", atrous_rate=[2, 1]), 9, 6, 2), Layer("Flatten"), dense(80, 2)), [9, 6, 2], "theano"),
    "convolution_3d": lambda: (chain(taking(convolution((3, 2, 2, 3, 2), dim_ordering="th"), 2, 4, 5, 4), Layer("Flatten"), dense(81, 2)), [2, 4, 5, 4], "theano"),
    "local_1d": lambda: (
        chain(taking(Layer("LocallyConnected1D", [("W", (4, 6, 3)), ("b", (4, 3))], nb_filter=3, filter_length=3, subsample_length=1, border_mode="valid", activation="tanh"), 6, 2)),
        [6, 2], "theano"),
    "local_2d": lambda: (
        chain(taking(Layer("LocallyConnected2D", [("W", (8, 12, 3)), ("b", (2, 4, 3))], nb_filter=3, nb_row=3, nb_col=2, subsample=[2, 1], border_mode="valid", dim_ordering="th"), 2, 5, 5),
              Layer("Flatten"), dense(24, 2)), [2, 5, 5], "theano"),
    "deconvolution": lambda: (
        chain(taking(convolution((3, 3, 2, 4), class_name="Deconvolution2D", output_shape=[None, 12, 8, 4], subsample=[2, 1]), 5, 6, 2), Layer("Flatten")), [5, 6, 2], "tensorflow"),
    "separable": lambda: (
        chain(taking(Layer("SeparableConvolution2D", [("depthwise_kernel", (3, 2, 3, 2)), ("pointwise_kernel", (1, 1, 6, 4)), ("b", (4,))], nb_filter=4, nb_row=3, nb_col=2,
                           depth_multiplier=2, dim_ordering="tf", border_mode="same"), 7, 6, 3)), [7, 6, 3], "tensorflow"),
    "shapes": lambda: (
        chain(taking(dense(6, 12), 6), Layer("Reshape", target_shape=[3, 4]), Layer("Permute", dims=[2, 1]), normalization(3), Layer("Flatten"), Layer("RepeatVector", n=2), simple_rnn(12, 2)),
        [6], "theano"),
    "flattened": lambda: (chain(taking(dense(6, 5), 6), dense(5, 4), dense(4, 2)), [6], "theano"),
}  # fmt: skip


def inputs_for(layers, shape):
    rng = np.random.default_rng(3)
    if layers[0].class_name == "Embedding":
        x = rng.integers(1, layers[0].config["input_dim"], (4, *shape)).astype("i4")
        x[0, 3:] = 0
        return x
    x = rng.normal(size=(4, *shape)).astype("f4")
    if layers[0].class_name == "Masking":
        x[0, 2:] = 0
        x[1, 0] = 0
    return x


def run(tmp_path, sources, inputs, *options):
    """What LibTorch makes of the files: as they are, and by way of PyTorch's."""
    np.savez(tmp_path / "inputs.npz", **inputs)
    ways = [list(sources), [tmp_path / "torch.json", tmp_path / "torch.pth", "--input-layout", "keras"]]
    found = []
    for way in ways:
        own = options if way[0] == sources[0] else ()
        if len(found) == 1:
            h5bridge("convert", *sources, *options, "-o", way[0], "-o", way[1])
        h5bridge("run", *way, *own, "--input", tmp_path / "inputs.npz", "-o", tmp_path / "outputs.npz")
        found.append(list(np.load(tmp_path / "outputs.npz").values()))
    return found


def notes(*arguments):
    return " ".join(json.loads(h5bridge("convert", *arguments, "--json"))["notes"])


def keras_3(tmp_path, sources, inputs, *options):
    """What real Keras 3 makes of what is written for it."""
    h5bridge("convert", *sources, *options, "-o", tmp_path / "keras_3.h5")
    model = keras.models.load_model(tmp_path / "keras_3.h5")
    return list(predict(model, [inputs[name] for name in inputs]).values())


def check(tmp_path, sources, inputs, expected, name, *options):
    for found in (*run(tmp_path, sources, inputs, *options), keras_3(tmp_path, sources, inputs, *options)):
        assert len(found) == len(expected)
        for value, answer in zip(found, expected):
            assert_close(value, answer, TOLERANCE, name)


@pytest.mark.parametrize("name", CHAINS)
def test_sequential_model_computes_what_it_did(name, tmp_path):
    layers, shape, backend = CHAINS[name]()
    model = sequential(layers)
    x = inputs_for(layers, shape)
    expected = Network(model, arrays_of(layers), backend, ordering="th" if name == "th_of_tensorflow" else "tf").predict(x)
    sources = write(tmp_path, h5py, model, layers, backend)
    check(tmp_path, sources, {f"{layers[0].name}_input": x}, expected, name)


def test_an_lstm_of_twelve_arrays_is_read_and_written_with_three(tmp_path):
    """Gate by gate, in Keras 1's order of them; CHAINS has what it computes. Nothing writes it so again."""
    layers = [taking(lstm(3, 4, inner_activation="sigmoid"), 5, 3)]
    arrays = dict(layers[0].arrays)
    assert [name[-3:] for name, _ in layers[0].arrays] == [f"{kind}_{gate}" for gate in "icfo" for kind in "WUb"]
    h5bridge("convert", *write(tmp_path, h5py, sequential(layers), layers), "-o", tmp_path / "k.h5")
    [lstm_now] = keras.models.load_model(tmp_path / "k.h5", compile=False).layers
    prefix = layers[0].arrays[0][0].removesuffix("W_i")
    for kind, variable in zip("WUb", (lstm_now.cell.kernel, lstm_now.cell.recurrent_kernel, lstm_now.cell.bias), strict=True):
        assert np.array_equal(variable.numpy(), np.concatenate([arrays[f"{prefix}{kind}_{gate}"] for gate in "ifco"], -1))


def test_one_file_of_architecture_and_weights(tmp_path):
    layers = [taking(dense(7, 5, activation="tanh"), 7), highway(5, True), dense(5, 3)]
    x = inputs_for(layers, [7])
    expected = Network(sequential(layers), arrays_of(layers)).predict(x)
    check(tmp_path, write_one(tmp_path, h5py, sequential(layers), layers), {f"{layers[0].name}_input": x}, expected, "one")


def test_the_optimizer_of_a_compiled_model_is_left_out_and_said(tmp_path):
    layers = [taking(dense(7, 5), 7)]
    sources = write_one(tmp_path, h5py, sequential(layers), layers)
    with h5py.File(sources[0], "a") as file:
        optimizer = {"class_name": "SGD", "config": {"lr": 0.1, "momentum": 0.9, "decay": 0.0, "nesterov": False}}
        file.attrs["training_config"] = json.dumps({"optimizer_config": optimizer, "loss": "mse", "metrics": [], "sample_weight_mode": None, "loss_weights": None})
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [b"param_0", b"param_1"]
        group["param_0"], group["param_1"] = np.zeros((7, 5), "f4"), np.zeros(5, "f4")
    assert "the optimizer is left out" in notes(*sources, "-o", tmp_path / "out.h5")
    x = inputs_for(layers, [7])
    check(tmp_path, sources, {f"{layers[0].name}_input": x}, Network(sequential(layers), arrays_of(layers)).predict(x), "compiled")


def test_text_in_a_text_is_an_architecture_too(tmp_path):
    layers = [taking(dense(7, 5), 7)]
    sources = write(tmp_path, h5py, sequential(layers), layers)
    sources[0].write_text(json.dumps(sources[0].read_text()))
    x = inputs_for(layers, [7])
    check(tmp_path, sources, {f"{layers[0].name}_input": x}, Network(sequential(layers), arrays_of(layers)).predict(x), "text")


def test_sequential_models_in_a_sequential_model_are_flattened(tmp_path):
    layers = [taking(dense(7, 5), 7), highway(5), dense(5, 3)]
    model = sequential([])
    model["config"] = [{"class_name": "Sequential", "config": [layer.entry() for layer in layers[:2]]}, layers[2].entry()]
    x = inputs_for(layers, [7])
    check(tmp_path, write(tmp_path, h5py, model, layers), {f"{layers[0].name}_input": x}, Network(model, arrays_of(layers)).predict(x), "inner")


@pytest.mark.parametrize("mode", ["sum", "mul", "ave", "max", "concat", "dot", "cos"])
def test_merge_begins_a_sequential_model(mode, tmp_path):
    left, right = [taking(dense(4, 3), 4)], [taking(dense(5, 3), 5), Layer("Dropout", p=0.1)]
    merge = Layer("Merge", mode=mode, dot_axes=[1, 1] if mode in ("dot", "cos") else -1)
    merge.config["layers"] = [{"class_name": "Sequential", "config": [layer.entry() for layer in branch]} for branch in (left, right)]
    last = dense({"concat": 6, "dot": 1, "cos": 1}.get(mode, 3), 2)
    layers = [*left, *right, merge, last]
    model = sequential([merge, last])
    rng = np.random.default_rng(5)
    inputs = {f"{left[0].name}_input": rng.normal(size=(4, 4)).astype("f4"), f"{right[0].name}_input": rng.normal(size=(4, 5)).astype("f4")}
    expected = Network(model, arrays_of(layers)).predict(*inputs.values())
    check(tmp_path, write(tmp_path, h5py, model, layers, "theano"), inputs, expected, mode)


def graph(layers, inputs, outputs):
    ports = [[[name, 0, 0] for name in names] for names in (inputs, outputs)]
    config = {"name": "model_1", "layers": layers, "input_layers": ports[0], "output_layers": ports[1]}
    return {"class_name": "Model", "config": config, "keras_version": "1.2.2"}


def test_graph_with_merges_and_a_layer_called_twice(tmp_path):
    shared, gate, merge, last = dense(4, 4, activation="tanh"), highway(4), Layer("Merge", mode="concat"), dense(8, 2)
    entries = [input_layer("a", 4), input_layer("b", 4), shared.called("a"), gate.called(), merge.called(), last.called(merge.name)]
    entries[2]["inbound_nodes"].append([["b", 0, 0]])
    entries[3]["inbound_nodes"] = [[[shared.name, 0, 0]], [[shared.name, 1, 0]]]
    entries[4]["inbound_nodes"] = [[[gate.name, 0, 0], [gate.name, 1, 0]]]
    model, layers = graph(entries, ["a", "b"], [last.name]), [shared, gate, merge, last]
    rng = np.random.default_rng(6)
    inputs = {name: rng.normal(size=(4, 4)).astype("f4") for name in "ab"}
    expected = Network(model, arrays_of(layers)).predict(*inputs.values())
    check(tmp_path, write(tmp_path, h5py, model, layers), inputs, expected, "graph")


# --- What a BatchNormalization's fourth array is.


@pytest.mark.parametrize("version,epsilon,deviation", [("1.0.4", 1e-3, True), ("1.2.2", 1e-3, False), ("", 1e-6, True), ("", 1e-3, False)])
def test_running_std_is_a_deviation_or_a_variance(version, epsilon, deviation, tmp_path):
    layers = [taking(dense(4, 3), 4), normalization(3, epsilon=epsilon)]
    model = sequential(layers, version)
    x = inputs_for(layers, [4])
    expected = Network(model, arrays_of(layers), "theano", deviation).predict(x)
    sources = write(tmp_path, h5py, model, layers, "theano")
    check(tmp_path, sources, {f"{layers[0].name}_input": x}, expected, version)
    note = notes(*sources, "-o", tmp_path / "note.h5")
    assert ("is taken for a deviation" in note, "is taken for a variance" in note) == (not version and deviation, not version and not deviation)


@pytest.mark.parametrize("mode,words", [(1, "its mode is 1"), (2, "statistics of the batch")])
def test_modes_of_batch_normalization_that_keras_3_has_not_are_refused(mode, words, tmp_path):
    layers = [taking(dense(4, 3), 4), normalization(3, mode=mode)]
    error = h5bridge("convert", *write(tmp_path, h5py, sequential(layers), layers), "-o", tmp_path / "out.h5", status=4)
    assert layers[1].name in error and words in error


# --- Theano or TensorFlow.


def images():
    return [taking(convolution((4, 2, 3, 3), dim_ordering="th", border_mode="same", subsample=[2, 2]), 2, 8, 6), Layer("Flatten"), dense(48, 3)]


def test_names_tell_who_wrote_it_and_the_user_overrides(tmp_path):
    layers = images()
    x = inputs_for(layers, [2, 8, 6])
    for named in ("theano", "tensorflow"):
        sources = write(tmp_path, h5py, sequential(layers), layers, named)
        for said in (None, "theano", "tensorflow"):
            expected = Network(sequential(layers), arrays_of(layers), said or named).predict(x)
            options = ["--written-by", said] if said else []
            check(tmp_path, sources, {f"{layers[0].name}_input": x}, expected, said, *options)
            note = notes(*sources, *options, "-o", tmp_path / "note.h5")
            assert ("Theano" in note) == (not said and named == "theano")


def test_th_of_keras_0_is_taken_for_theano(tmp_path):
    layers = images()
    x = inputs_for(layers, [2, 8, 6])
    sources = write_0(tmp_path, h5py, layers)
    for said in (None, "theano", "tensorflow"):
        expected = Network(sequential(layers), arrays_of(layers), said or "theano").predict(x)
        options = ["--written-by", said] if said else []
        for found in run(tmp_path, sources, {"convolution2d_input": x}, *options):
            assert_close(found[0], expected[0], TOLERANCE, said)
        note = notes(*sources, *options, "-o", tmp_path / "note.h5")
        assert ('dim_ordering "th"' in note) == (said is None)


def test_files_of_keras_0_have_deviations(tmp_path):
    layers = [taking(dense(4, 3), 4), normalization(3), Layer("Activation", activation="relu"), dense(3, 2), highway(2)]
    x = inputs_for(layers, [4])
    expected = Network(sequential(layers), arrays_of(layers), "theano", deviation=True).predict(x)
    check(tmp_path, write_0(tmp_path, h5py, layers), {"dense_1_input": x}, expected, "0")


# --- What is refused.

REFUSED = {
    "SReLU": (lambda: Layer("SReLU", [(end, (3,)) for end in ("t_left", "a_left", "t_right", "a_right")]), "SReLU"),
    "lambda": (lambda: Layer("Merge", mode=["code"], mode_type="lambda"), "function of Python's"),
    "full": (lambda: convolution((3, 3, 2, 4), border_mode="full"), 'its border_mode is "full"'),
    "pooling": (lambda: Layer("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="same", dim_ordering="tf"), "Theano put the padding before"),
    "deconvolution": (lambda: convolution((3, 3, 2, 4), class_name="Deconvolution2D", output_shape=[None, 11, 7, 2], subsample=[2, 2], border_mode="same"), "output_shape"),
    "eigenvalues": (lambda: dense(3, 2, W_regularizer={"name": "EigenvalueRegularizer", "k": 0.1}), "EigenvalueRegularizer"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_keras_3_has_nothing_like_is_refused_by_name(name, tmp_path):
    make, words = REFUSED[name]
    layers = [taking(dense(4, 3), 4), make()]
    error = h5bridge("convert", *write(tmp_path, h5py, sequential(layers), layers, "theano"), "-o", tmp_path / "out.h5", status=4)
    assert layers[1].name in error and words in error


def test_weights_that_are_too_few_are_said(tmp_path):
    layers = [taking(lstm(4, 3), 5, 4), dense(3, 2)]
    model = sequential(layers)
    layers[0].arrays.pop()
    error = h5bridge("convert", *write(tmp_path, h5py, model, layers), "-o", tmp_path / "out.h5", status=3)
    assert f"weights.h5: /{layers[0].name} holds 11 arrays, expected 12" in error and "model.json" not in error


# --- Models within the model


def inner_arrays(*layers):
    """A graph's file has an inner model's arrays together: those that are trained, then the others."""
    arrays = [array for layer in layers for array in layer.arrays]
    return [array for array in arrays if "running" not in array[0]] + [array for array in arrays if "running" in array[0]]


class Nested(Network):
    """The formulas of an inner Sequential model are those of its layers, one after the other."""

    def Sequential(self, config, x, arrays, mask):
        for entry in config["layers"]:
            x, _ = self.layer(entry["class_name"], entry["config"], x, None)
        return x


def test_graph_that_calls_a_sequential_model(tmp_path):
    inside = [taking(dense(4, 3), 4), normalization(3), highway(3), dense(3, 2)]
    last = dense(2, 2)
    inner = {"class_name": "Sequential", "name": "inner", "config": [layer.entry() for layer in inside], "inbound_nodes": [[["x", 0, 0]]]}
    model = graph([input_layer("x", 4), inner, {**last.called("inner"), "inbound_nodes": [[["inner", 1, 0]]]}], ["x"], [last.name])
    group = Layer("Model", name="inner")
    group.arrays = inner_arrays(*inside)
    x = np.random.default_rng(8).normal(size=(4, 4)).astype("f4")
    plain = graph([input_layer("x", 4), {"class_name": "Sequential", "name": "inner", "config": {"name": "inner", "layers": inner["config"]},
                                         "inbound_nodes": [[["x", 0, 0]]]}, last.called("inner")], ["x"], [last.name])  # fmt: skip
    expected = Nested(plain, arrays_of([*inside, last])).predict(x)
    check(tmp_path, write(tmp_path, h5py, model, [group, last]), {"x": x}, expected, "inner")
