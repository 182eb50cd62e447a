"""Forms of tf.keras and Keras 2 that Keras 3 reads no more, crafted here: CuDNN's layers, TensorFlow's functions as layers,
names and lists as older versions left them. What they compute is said in NumPy."""

import json

import numpy as np
import pytest

from keras_1_formulas import ACTIVATIONS, convolved
from keras_helpers import assert_close, h5py, keras, predict
from program import h5bridge, needs_libtorch, needs_program, run_program

pytestmark = [needs_program, needs_libtorch]
TOLERANCE = 1e-6  # of the largest value
RNG = np.random.default_rng(21)


def array(*shape):
    return (RNG.normal(size=shape) * 0.5).astype("f4")


def write(path, model, weights, version="2.4.0", backend="tensorflow", pieces=1):
    """`weights`: {layer: {name: array}}. `pieces`: of the list of layers and of the configuration."""
    with h5py.File(path, "w") as file:
        text = json.dumps(model)
        file.attrs["keras_version"], file.attrs["backend"], file.attrs["model_config"] = version, backend, text
        group = file.create_group("model_weights")
        names = [name.encode() for name in weights]
        if pieces == 1:
            group.attrs["layer_names"] = names
        for index in range(pieces if pieces > 1 else 0):
            group.attrs[f"layer_names{index}"] = names[index::pieces] if pieces == 1 else np.array_split(np.array(names), pieces)[index]
        for layer, variables in weights.items():
            own = group.create_group(layer)
            own.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in variables]
            for name, values in variables.items():
                own[f"{layer}/{name}:0"] = values
    return path


def sequential(*layers, version=None):
    entries = [{"class_name": class_name, "config": config} for class_name, config in layers]
    return {"class_name": "Sequential", "config": {"name": "s", "layers": entries}}


def functional(entries, inputs, outputs, class_name="Functional"):
    layers = [{"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes} for kind, name, config, nodes in entries]
    return {"class_name": class_name, "config": {"name": "m", "layers": layers, "input_layers": [[name, 0, 0] for name in inputs],
                                                 "output_layers": [[name, 0, 0] for name in outputs]}}  # fmt: skip


def given(name, *shape):
    return ("InputLayer", name, {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False}, [])


def check(tmp_path, path, inputs, expected, in_keras=True):
    np.savez(tmp_path / "inputs.npz", **inputs)
    h5bridge("run", path, "--input", tmp_path / "inputs.npz", "-o", tmp_path / "out.npz")
    ways = [list(np.load(tmp_path / "out.npz").values())]
    if in_keras:
        h5bridge("convert", path, "-o", tmp_path / "keras_3.h5")
        ways.append(list(predict(keras.models.load_model(tmp_path / "keras_3.h5"), list(inputs.values())).values()))
    for found in ways:
        assert len(found) == len(expected)
        for value, answer in zip(found, expected):
            assert_close(value, answer, TOLERANCE)


# --- CuDNN

RECURRENT = {"return_sequences": False, "return_state": False, "go_backwards": False, "stateful": False, "trainable": True,
             "kernel_initializer": "glorot_uniform", "recurrent_initializer": "orthogonal", "bias_initializer": "zeros",
             "kernel_regularizer": None, "recurrent_regularizer": None, "bias_regularizer": None, "activity_regularizer": None,
             "kernel_constraint": None, "recurrent_constraint": None, "bias_constraint": None}  # fmt: skip


def cudnn_arrays(inputs, units, gates):
    return {"kernel": array(inputs, gates * units), "recurrent_kernel": array(units, gates * units), "bias": array(2 * gates * units)}


def matrices(arrays, gates):
    """As CuDNN takes them: (units, inputs) row by row in the memory of each gate's block, and both biases."""
    units = arrays["recurrent_kernel"].shape[0]
    w = [np.ascontiguousarray(block).reshape(units, -1).astype("f8") for block in np.split(arrays["kernel"], gates, 1)]
    u = [block.astype("f8") for block in np.split(arrays["recurrent_kernel"], gates, 1)]
    bias = np.split(arrays["bias"].astype("f8"), 2 * gates)
    return w, u, bias[:gates], bias[gates:]


def cudnn_lstm(x, arrays):
    (wi, wf, wc, wo), (ui, uf, uc, uo), b, r = matrices(arrays, 4)
    sigmoid, outputs = ACTIVATIONS["sigmoid"], []
    h = c = np.zeros((len(x), ui.shape[0]))
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w.T + b[k] + h @ u.T + r[k] for k, (w, u) in enumerate(((wi, ui), (wf, uf), (wc, uc), (wo, uo))))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def cudnn_gru(x, arrays):
    (wz, wr, wh), (uz, ur, uh), b, r = matrices(arrays, 3)
    sigmoid, outputs = ACTIVATIONS["sigmoid"], []
    h = np.zeros((len(x), uz.shape[0]))
    for t in range(x.shape[1]):
        z = sigmoid(x[:, t] @ wz.T + b[0] + h @ uz.T + r[0])
        reset = sigmoid(x[:, t] @ wr.T + b[1] + h @ ur.T + r[1])
        h = z * h + (1 - z) * np.tanh(x[:, t] @ wh.T + b[2] + reset * (h @ uh.T + r[2]))
        outputs.append(h)
    return np.stack(outputs, 1)


@pytest.mark.parametrize("class_name,version", [("CuDNNLSTM", "2.2.4"), ("CuDNNGRU", "2.2.4"), ("CuDNNLSTM", "2.4.0"), ("CuDNNGRU", "2.1.6-tf")])
def test_layers_of_cudnn(class_name, version, tmp_path):
    gates, formula = (4, cudnn_lstm) if class_name == "CuDNNLSTM" else (3, cudnn_gru)
    first, second = cudnn_arrays(3, 4, gates), cudnn_arrays(4, 2, gates)
    model = sequential((class_name, {"name": "a", "batch_input_shape": [None, 5, 3], "units": 4, **RECURRENT, "return_sequences": True}),
                       (class_name, {"name": "b", "units": 2, **RECURRENT}))  # fmt: skip
    path = write(tmp_path / "m.h5", model, {"a": first, "b": second}, version)
    x = array(3, 5, 3)
    check(tmp_path, path, {"a_input": x}, [formula(formula(x, first), second)[:, -1]])


def test_bidirectional_of_cudnn(tmp_path):
    forward, backward = cudnn_arrays(3, 4, 4), cudnn_arrays(3, 4, 4)
    layer = {"class_name": "CuDNNLSTM", "config": {"name": "cu", "units": 4, **RECURRENT, "return_sequences": True}}
    model = sequential(("Bidirectional", {"name": "b", "batch_input_shape": [None, 5, 3], "merge_mode": "concat", "layer": layer}))
    variables = {f"{half}_cu/{name}": values for half, arrays in (("forward", forward), ("backward", backward)) for name, values in arrays.items()}
    x = array(3, 5, 3)
    expected = np.concatenate([cudnn_lstm(x, forward), cudnn_lstm(x[:, ::-1], backward)[:, ::-1]], -1)
    check(tmp_path, write(tmp_path / "m.h5", model, {"b": variables}, "2.2.4"), {"b_input": x}, [expected])


# --- TensorFlow's functions

DENSE = {"units": 4, "activation": "linear", "use_bias": True, "trainable": True, "dtype": "float32"}


def lambda_layer(function, node, name="f", kind="TFOpLambda"):
    return (kind, name, {"trainable": True, "dtype": "float32", "function": function}, [node])


X = ["x", 0, 0]
SLICE = {"start": None, "stop": None, "step": None}
# function: (node, formula of x and y, which are (batch, 3, 4))
FUNCTIONS = {
    "__operators__.add": ([*X, {"y": ["y", 0, 0], "name": None}], lambda x, y: x + y),
    "math.multiply": ([*X, {"y": 3.0, "name": None}], lambda x, y: 3 * x),
    "math.subtract": (["_CONSTANT_VALUE", -1, 1.0, {"y": X, "name": None}], lambda x, y: 1 - x),
    "math.truediv": ([*X, {"y": 4.0, "name": None}], lambda x, y: x / 4),
    "math.reduce_mean": ([*X, {"axis": -1, "keepdims": True}], lambda x, y: x.mean(-1, keepdims=True)),
    "math.reduce_sum": ([*X, {"axis": [1, 2]}], lambda x, y: x.sum((1, 2))),
    "math.reduce_max": ([*X, {"axis": 1}], lambda x, y: x.max(1)),
    "nn.relu": ([*X, {"name": None}], lambda x, y: np.maximum(x, 0)),
    "nn.leaky_relu": ([*X, {}], lambda x, y: np.where(x > 0, x, 0.2 * x)),
    "nn.softmax": ([*X, {"axis": -1}], lambda x, y: ACTIVATIONS["softmax"](x)),
    "nn.silu": ([*X, {}], lambda x, y: x * ACTIVATIONS["sigmoid"](x)),
    "clip_by_value": ([*X, {"clip_value_min": 0.0, "clip_value_max": 0.3}], lambda x, y: np.clip(x, 0, 0.3)),
    "reshape": ([*X, {"shape": [-1, 12]}], lambda x, y: x.reshape(-1, 12)),
    "transpose": ([*X, {"perm": [0, 2, 1]}], lambda x, y: x.transpose(0, 2, 1)),
    "concat": ([[*X, {"axis": -1}], ["y", 0, 0, {"axis": -1}]], lambda x, y: np.concatenate([x, y], -1)),
    "math.maximum": ([*X, {"y": ["y", 0, 0]}], np.maximum),
    "math.pow": ([*X, {"y": 2.0}], lambda x, y: x**2),
    "math.add": ([*X, {"y": [0.5, 1.0, -2.0, 0.0]}], lambda x, y: x + np.array([0.5, 1, -2, 0])),
    "linalg.matmul": ([*X, {"b": ["y", 0, 0], "transpose_b": True}], lambda x, y: x @ y.transpose(0, 2, 1)),
    "linalg.band_part": ([*X, {"num_lower": 0, "num_upper": -1}], lambda x, y: np.triu(x)),
    "compat.v1.gather": ([*X, {"indices": [2, 0], "axis": 1, "batch_dims": 0}], lambda x, y: x[:, [2, 0]]),
    "reverse": ([*X, {"axis": [2]}], lambda x, y: x[:, :, ::-1]),
    "math.cumsum": ([*X, {"axis": 1}], lambda x, y: x.cumsum(1)),
}  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_as_a_layer(function, tmp_path):
    node, formula = FUNCTIONS[function]
    model = functional([given("x", 3, 4), given("y", 3, 4), lambda_layer(function, node, "tf." + function),
                        ("Add", "keep", {"trainable": True}, [[["x", 0, 0, {}], ["y", 0, 0, {}]]])], ["x", "y"], ["tf." + function, "keep"])  # fmt: skip
    x, y = array(5, 3, 4), array(5, 3, 4)
    check(tmp_path, write(tmp_path / "m.h5", model, {}), {"x": x, "y": y}, [formula(x, y), x + y])


@pytest.mark.parametrize("spec,key", [([SLICE, {**SLICE, "start": 1, "stop": 3}], np.s_[:, 1:3]), ([SLICE, -1], np.s_[:, -1]), ([SLICE, SLICE, 0], np.s_[:, :, 0])])
def test_slice_as_a_layer(spec, key, tmp_path):
    node = [*X, {"slice_spec": spec, "name": None}]
    model = functional([given("x", 3, 4), lambda_layer("__operators__.getitem", node, "tf.__operators__.getitem", "SlicingOpLambda")], ["x"], ["tf.__operators__.getitem"])
    x = array(5, 3, 4)
    check(tmp_path, write(tmp_path / "m.h5", model, {}), {"x": x}, [x[key]])


def operation(op, constants, attributes=None):
    """What tf.keras 2.0 to 2.3 wrote."""
    node_def = json.dumps({"name": op, "op": op, "input": ["x"], "attr": {"T": {"type": "DT_FLOAT"}, **(attributes or {})}})
    return {"trainable": True, "dtype": "float32", "node_def": node_def, "constants": constants}


@pytest.mark.parametrize("config,formula", [
    (operation("Mul", {"1": 2.5}), lambda x: 2.5 * x),
    (operation("Sub", {"0": 1.0}), lambda x: 1 - x),
    (operation("Mean", {"1": -1}, {"keep_dims": {"b": True}}), lambda x: x.mean(-1, keepdims=True)),
    (operation("Relu", {}), lambda x: np.maximum(x, 0)),
    (operation("Reshape", {"1": [-1, 12]}), lambda x: x.reshape(-1, 12)),
])  # fmt: skip
def test_operation_as_a_layer(config, formula, tmp_path):
    model = functional([given("x", 3, 4), ("TensorFlowOpLayer", "tf_op", config, [[["x", 0, 0, {}]]])], ["x"], ["tf_op"], "Model")
    x = array(5, 3, 4)
    check(tmp_path, write(tmp_path / "m.h5", model, {}, "2.2.4-tf"), {"x": x}, [formula(x)])


@pytest.mark.parametrize("entry,words", [
    (lambda_layer("image.adjust_hue", [*X, {"delta": 0.1}]), "TensorFlow's image.adjust_hue"),
    (lambda_layer("linalg.matmul", [*X, {"b": ["x", 0, 0], "transpose_a": True}]), "transpose_a=true"),
    (("TensorFlowOpLayer", "f", operation("Betainc", {}), [[["x", 0, 0, {}]]]), "TensorFlow's Betainc"),
])  # fmt: skip
def test_what_keras_3_has_nothing_like_is_refused_by_its_name(entry, words, tmp_path):
    path = write(tmp_path / "m.h5", functional([given("x", 3, 4), entry], ["x"], ["f"]), {})
    error = h5bridge("convert", path, "-o", tmp_path / "out.h5", status=4)
    assert words in error and f'"f" ({entry[0]})' in error


# --- names, pieces, order


@pytest.mark.parametrize("block", ["block_1", "block.1"])
def test_layers_out_of_order_names_with_digits_and_dots_and_lists_in_pieces(block, tmp_path):
    names = ["1x1", block, "9"]
    arrays = {name: {"kernel": array(4, 4), "bias": array(4)} for name in names}
    entries = [("Dense", "9", DENSE, [[[block, 0, 0, {}]]]), ("Dense", "1x1", DENSE, [[["x", 0, 0, {}]]]), given("x", 4),
               ("Dense", block, DENSE, [[["1x1", 0, 0, {}]]])]  # fmt: skip
    path = write(tmp_path / "m.h5", functional(entries, ["x"], ["9"]), {name: arrays[name] for name in ("9", "1x1", block)}, pieces=2)
    x = array(5, 4)
    expected = x.astype("f8")
    for name in names:
        expected = expected @ arrays[name]["kernel"] + arrays[name]["bias"]
    check(tmp_path, path, {"x": x}, [expected], in_keras="." not in block)  # Keras on PyTorch cannot have dots


# --- Theano's padding

CONVOLUTION = {"padding": "same", "activation": "linear", "use_bias": True, "trainable": True, "kernel_initializer": "zeros", "bias_initializer": "zeros",
               "kernel_regularizer": None, "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None}  # fmt: skip


def convolution(size, strides, data_format="channels_last", **config):
    return {**CONVOLUTION, "filters": 4, "kernel_size": size, "strides": strides, "dilation_rate": [1] * len(size), "data_format": data_format, **config}


@pytest.mark.parametrize("size,strides", [([3, 3], [2, 2]), ([2, 4], [1, 1]), ([3, 5], [1, 1]), ([4, 3], [3, 2])])
@pytest.mark.parametrize("form", ["sequential", "functional"])
def test_theano_put_half_of_the_kernel_before_the_image(size, strides, form, tmp_path):
    arrays, x = {"kernel": array(*size, 3, 4), "bias": array(4)}, array(2, 8, 7, 3)
    if form == "sequential":
        model = sequential(("Conv2D", {"name": "c", "batch_input_shape": [None, 8, 7, 3], **convolution(size, strides)}))
        inputs = {"c_input": x}
    else:
        model = functional([given("x", 8, 7, 3), ("Conv2D", "c", convolution(size, strides), [[["x", 0, 0, {}]]]),
                            ("Activation", "a", {"activation": "tanh"}, [[["c", 0, 0, {}]]])], ["x"], ["a"], "Model")  # fmt: skip
        inputs = {"x": x}
    expected = convolved(x.astype("f8"), arrays["kernel"].astype("f8"), strides, "same", "theano") + arrays["bias"]
    path = write(tmp_path / "m.h5", model, {"c": arrays}, "2.2.4", "theano")
    check(tmp_path, path, inputs, [np.tanh(expected) if form == "functional" else expected])


def test_padding_of_theanos_poolings_is_refused(tmp_path):
    pooling = {"padding": "same", "pool_size": [2, 2], "strides": [2, 2], "data_format": "channels_last"}
    model = functional([given("x", 8, 7, 3), ("MaxPooling2D", "pool", pooling, [[["x", 0, 0, {}]]])], ["x"], ["pool"], "Model")
    error = h5bridge("convert", write(tmp_path / "m.h5", model, {}, "2.2.4", "theano"), "-o", tmp_path / "out.h5", status=4)
    assert '"pool" (MaxPooling2D)' in error and "Theano" in error


def test_who_wrote_a_file_that_says_it_is_no_question(tmp_path):
    model = sequential(("Dense", {**DENSE, "name": "a", "batch_input_shape": [None, 4]}))
    path = write(tmp_path / "m.h5", model, {"a": {"kernel": array(4, 4), "bias": array(4)}}, "2.2.4", "theano")
    h5bridge("convert", path, "--written-by", "theano", "-o", tmp_path / "out.h5")
    error = h5bridge("convert", path, "--written-by", "tensorflow", "-o", tmp_path / "out.h5", status=2)
    assert "states that theano wrote it" in error and "--written-by" in error and "m.h5" in error


# --- the least epsilon


@pytest.mark.parametrize("axis,least", [([3], True), (3, True), ([1], False)])
def test_epsilon_of_images_is_at_least_that_of_cudnn(axis, least, tmp_path):
    features = 4 if least else 5
    arrays = {"gamma": array(features), "beta": array(features), "moving_mean": array(features), "moving_variance": np.full(features, 1e-6, "f4")}
    config = {"axis": axis, "momentum": 0.9, "epsilon": 1e-7, "center": True, "scale": True, "trainable": True}
    shape = (3, 2, 4) if least else (5,)
    model = functional([given("x", *shape), ("BatchNormalization", "bn", config, [[["x", 0, 0, {}]]])], ["x"], ["bn"])
    x = array(2, *shape)
    root = np.sqrt(1e-6 + (1.001e-5 if least else 1e-7))
    expected = (x.astype("f8") - arrays["moving_mean"]) / root * arrays["gamma"] + arrays["beta"]
    check(tmp_path, write(tmp_path / "m.h5", model, {"bn": arrays}), {"x": x}, [expected])


def test_text_in_a_text_and_a_configuration_of_more_than_64_kilobytes(tmp_path):
    layers = [("Dense", {**DENSE, "name": f"{'long' * 60}_{i}", "units": 2}) for i in range(160)]
    layers[0][1]["batch_input_shape"] = [None, 2]
    arrays = {config["name"]: {"kernel": np.eye(2, dtype="f4") + 0.01 * array(2, 2), "bias": 0.1 * array(2)} for _, config in layers}
    model = sequential(*layers)
    expected = x = array(4, 2)
    for variables in arrays.values():
        expected = expected.astype("f8") @ variables["kernel"] + variables["bias"]
    path = write(tmp_path / "m.h5", json.dumps(model), arrays, pieces=3)
    with h5py.File(path) as file:
        assert len(file.attrs["model_config"]) > 64 * 1024
    check(tmp_path, path, {layers[0][1]["name"] + "_input": x}, [expected])


# --- what is nested


def test_an_activation_that_is_a_layer(tmp_path):
    leaky = {"class_name": "LeakyReLU", "config": {"name": "leaky", "trainable": True, "dtype": "float32", "alpha": 0.25}}
    arrays, x = {"kernel": array(4, 4), "bias": array(4)}, array(5, 4)
    model = functional([given("x", 4), ("Dense", "d", {**DENSE, "activation": leaky}, [[["x", 0, 0, {}]]])], ["x"], ["d"])
    made = x.astype("f8") @ arrays["kernel"] + arrays["bias"]
    check(tmp_path, write(tmp_path / "m.h5", model, {"d": arrays}), {"x": x}, [np.where(made > 0, made, 0.25 * made)])


def test_a_model_that_is_called_with_a_dict(tmp_path):
    inner = functional([given("p", 4), given("q", 4), ("Subtract", "s", {"trainable": True}, [[["q", 0, 0, {}], ["p", 0, 0, {}]]])], ["p", "q"], ["s"])
    config = {**inner["config"], "input_layers": {"q": ["q", 0, 0], "p": ["p", 0, 0]}}
    call = {"q": ["x", 0, 0, {}], "p": ["y", 0, 0, {}]}
    model = functional([given("x", 4), given("y", 4), ("Functional", "m", config, [call])], ["x", "y"], [])
    model["config"]["output_layers"] = [["m", 1, 0]]
    x, y = array(5, 4), array(5, 4)
    check(tmp_path, write(tmp_path / "m.h5", model, {}), {"x": x, "y": y}, [x - y])


def test_a_function_that_says_its_module(tmp_path):
    """As tf.keras of 2.13 and later has it in .keras and in to_json()."""
    model = functional([given("x", 4), lambda_layer("math.subtract", [*X, {"y": 1.5, "name": None}], "f")], ["x"], ["f"])
    for layer, module in zip(model["config"]["layers"], ("keras.layers", "keras.src.layers.core.tf_op_layer")):
        layer |= {"module": module, "registered_name": None if module == "keras.layers" else layer["class_name"]}
    x = array(5, 4)
    check(tmp_path, write(tmp_path / "m.h5", model, {}, "2.15.0"), {"x": x}, [x - 1.5])


def test_shares_of_nothing_are_said(tmp_path):
    call = [[["x", 0, 0, {"mask": ["y", 0, 0]}]]]
    model = functional([given("x", 4), given("y", 4), ("Softmax", "shares", {"trainable": True, "axis": -1}, call)], ["x", "y"], ["shares"])
    printed = json.loads(run_program("convert", write(tmp_path / "m.h5", model, {}), "-o", tmp_path / "k.json", "--json"))
    assert any('"shares" (Softmax)' in note and "equal shares, and Keras 3 zeros" in note for note in printed["notes"])


def test_a_number_may_say_that_nothing_is_trained(tmp_path):
    model = functional([given("x", 4), ("Dropout", "drop", {"trainable": True, "rate": 0.5, "noise_shape": None, "seed": None},
                                        [[["x", 0, 0, {"training": 0}]]])], ["x"], ["drop"])  # fmt: skip
    x = array(5, 4)
    check(tmp_path, write(tmp_path / "m.h5", model, {}), {"x": x}, [x])


@pytest.mark.parametrize("class_name", ["RandomHeight", "RandomWidth"])
def test_sizes_that_are_random_in_training(class_name, tmp_path):
    """Keras 3 has neither, and says so."""
    config = {"trainable": True, "dtype": "float32", "factor": 0.2, "interpolation": "bilinear", "seed": None, "batch_input_shape": [None, 3, 5, 2]}
    path = write(tmp_path / "m.h5", sequential((class_name, {"name": "random", **config}), ("Flatten", {"name": "flat", "trainable": True, "data_format": "channels_last"})), {})
    x = array(3, 3, 5, 2)
    check(tmp_path, path, {"random_input": x}, [x.reshape(3, -1)])
    printed = json.loads(run_program("convert", path, "-o", tmp_path / "k.json", "--json"))
    assert any(f'"random" ({class_name}): acts in training alone' in note for note in printed["notes"])
