"""`convert --keras 2`: .h5 files for tf.keras of TensorFlow 2.

Their form is the one that real tf_keras has loaded and computed the same with (testdata/keras_2/make.py), and our own
reader, which takes them for Keras 2's once our group is gone, computes what Keras 3 does."""

import functools
import json

import h5py
import numpy as np
import pytest
import torch

from keras_2_networks import NETWORKS, form_of, optimised
from keras_helpers import as_keras_has_it, assert_close, keras, keras_layout, predict
from program import ROOT, needs_libtorch, needs_program, run_program

pytestmark = needs_program
L = keras.layers
each_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a network's files and its model, made when first asked for."""

    @functools.cache
    def made(network):
        folder, model = tmp_path_factory.mktemp(network.name), network.model()
        model.save(folder / "k.h5")
        run_program("convert", folder / "k.h5", "-o", folder / "k2.h5", "--keras", "2")
        return folder, model

    return made


def without_ours(path):
    """The file as tf.keras would save it again."""
    with h5py.File(path, "r+") as file:
        del file["h5bridge"]
    return path


@each_network
def test_the_form_is_what_tf_keras_has_loaded(network, written):
    golden = json.loads((ROOT / "testdata" / "keras_2" / f"{network.name}.json").read_text())
    assert form_of(written(network)[0] / "k2.h5") == golden


@needs_libtorch
@each_network
def test_it_computes_the_same_as_keras_2s(network, written, tmp_path):
    inputs = network.inputs()
    folder, model = written(network)
    expected = predict(model, inputs)
    path = tmp_path / "k2.h5"
    path.write_bytes((folder / "k2.h5").read_bytes())
    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    np.savez(tmp_path / "x.npz", **dict(zip(names, inputs)))
    run_program("run", without_ours(path), "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    found = dict(np.load(tmp_path / "y.npz"))
    by_place = dict(zip(expected, found.values(), strict=True))  # the names are the layers'; those of a dict are Keras's
    for name, value in expected.items():
        assert_close(found.get(name, by_place[name]), value, 1e-5, name)


@each_network
def test_it_comes_back_to_keras_3_as_it_was(network, written, tmp_path):
    folder, _ = written(network)
    run_program("convert", folder / "k.h5", "-o", tmp_path / "direct.h5")
    run_program("convert", folder / "k2.h5", "-o", tmp_path / "back.h5")
    with h5py.File(tmp_path / "direct.h5") as direct, h5py.File(tmp_path / "back.h5") as back:
        assert json.loads(back.attrs["model_config"]) == json.loads(direct.attrs["model_config"])
    run_program("compare", tmp_path / "direct.h5", tmp_path / "back.h5", "--atol", "0", "--rtol", "0")


STEPS = ["LSTMCell: without bias", "GRUCell: other activations", "RNNCell: dropout in training"]
CAME_HOME = [*STEPS, "BatchNorm2d: statistics of the batch, weight alone", "grid_sample: bilinear, border"]


@needs_libtorch
@pytest.mark.parametrize("name", CAME_HOME)
def test_what_several_layers_say_is_read_again(name, tmp_path):
    """Layers that hold no more than they need, as h5bridge puts them together, and TensorFlow's identity."""
    from layer_samples import ALL_WITH_KERAS

    sample = next(sample for sample in ALL_WITH_KERAS if sample.name == name)
    model = sample.convert(tmp_path)
    run_program("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "k2.h5", "--keras", "2")
    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    np.savez(tmp_path / "x.npz", **dict(zip(names, sample.keras_inputs(model), strict=True)))
    run_program("run", without_ours(tmp_path / "k2.h5"), "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    for found, expected in zip(np.load(tmp_path / "y.npz").values(), sample.keras_expected(model), strict=True):
        assert_close(found, expected, 1e-5)


@needs_libtorch
@pytest.mark.parametrize(
    "layer", [L.Resizing(5, 11, "bicubic"), L.UpSampling2D((3, 2), interpolation="bicubic"), L.Resizing(9, 4, "bicubic", data_format="channels_first")]
)
def test_bicubic_is_exact(layer, tmp_path):
    """TensorFlow reads weights from a table, so that they are written out. Keras on PyTorch has others; `run` has JAX's."""
    shape = (3, 6, 7) if layer.data_format == "channels_first" else (6, 7, 3)
    run_program("convert", saved(tmp_path, layer, L.Activation("relu6"), shape=shape), "-o", tmp_path / "k2.h5", "--keras", "2")
    np.save(tmp_path / "x.npy", np.random.default_rng(4).normal(size=(2, *shape)).astype("float32"))
    with h5py.File(without_ours(tmp_path / "k2.h5")) as file:
        assert "bicubic" not in file.attrs["model_config"]
    for name in ("k", "k2"):
        run_program("run", tmp_path / f"{name}.h5", "--input", tmp_path / "x.npy", "-o", tmp_path / f"{name}.npy")
    assert_close(np.load(tmp_path / "k2.npy"), np.load(tmp_path / "k.npy"), 1e-5)


def test_adam_goes_on_and_comes_back(tmp_path):
    model, _, _ = optimised()
    model.save(tmp_path / "k.h5")
    run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2")
    with h5py.File(without_ours(tmp_path / "k2.h5")) as file:
        training = json.loads(file.attrs["training_config"])
        names = [str(name) for name in file["optimizer_weights"].attrs["weight_names"]]
    weights = ["a/kernel", "a/bias", "n/gamma", "n/beta", "b/kernel", "b/bias"]
    paths = [str(variable.path) for variable in model.trainable_variables]
    assert [path.split("/", 1)[1] for path in paths] == weights
    assert names == ["adam/iter:0", *(f"adam/{path}/{slot}:0" for slot in "mv" for path in paths)]
    assert training["optimizer_config"]["config"]["learning_rate"] == pytest.approx(0.01)
    assert training["loss"] == "mean_squared_error" and training["sample_weight_mode"] is None
    for name in ("k", "k2"):
        run_program("convert", tmp_path / f"{name}.h5", "-o", tmp_path / f"{name}.pth", "--checkpoint", "--epoch", "1", "--loss", "0")
    run_program("compare", tmp_path / "k.pth", tmp_path / "k2.pth", "--atol", "0", "--rtol", "0")


def of_hard_sigmoids():
    x = keras.Input((6, 4), name="x")
    h = L.LSTM(3, recurrent_activation="hard_sigmoid", return_sequences=True, name="lstm")(x)
    h = L.Bidirectional(L.GRU(3, recurrent_activation="hard_sigmoid", return_sequences=True, name="gru"), name="both")(h)
    gate = L.Dense(4, activation="hard_sigmoid", name="gate")(h)
    return keras.Model(x, [L.Activation("hard_sigmoid", name="squash")(gate), gate])


@needs_libtorch
def test_a_hard_sigmoid_of_keras_3_is_that_of_keras_2_of_less(tmp_path):
    """Keras 2 has 0.2 x + 0.5, by NumPy here, and Keras 3 x / 6 + 0.5."""
    keras.utils.set_random_seed(5)
    model = of_hard_sigmoids()
    for variable in model.variables:
        variable.assign(np.random.default_rng(len(variable.path)).normal(size=variable.shape))
    model.save(tmp_path / "k.h5")
    run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2")
    x = np.random.default_rng(4).normal(size=(3, 6, 4)).astype("float32")
    np.savez(tmp_path / "x.npz", x=x)
    run_program("run", without_ours(tmp_path / "k2.h5"), "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    for found, expected in zip(np.load(tmp_path / "y.npz").values(), predict(model, [x]).values(), strict=True):
        assert_close(found, expected, 1e-5)
    with h5py.File(tmp_path / "k2.h5") as file:
        weights = [file["model_weights/lstm"][name][()] for name in file["model_weights/lstm"].attrs["weight_names"]]
        layers = {layer["config"]["name"]: layer for layer in json.loads(file.attrs["model_config"])["config"]["layers"]}
    assert layers["lstm"]["config"].get("recurrent_activation", "hard_sigmoid") == "hard_sigmoid"
    kernel, recurrent, bias = (weight.astype("float64") for weight in weights)
    h, c = np.zeros((3, 3)), np.zeros((3, 3))
    for step in x.swapaxes(0, 1):
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4, -1)
        i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    lstm = keras.Model(model.inputs, model.get_layer("lstm").output)
    assert_close(predict(lstm, [x])[0][:, -1], h, 1e-5)


@needs_libtorch
def test_gates_that_are_pictures_have_keras_2_s_hard_sigmoid(tmp_path):
    x = keras.Input((3, 5, 4, 2), name="x")
    model = keras.Model(x, L.ConvLSTM2D(3, 2, recurrent_activation="hard_sigmoid", name="film")(x))
    model.save(tmp_path / "k.h5")
    run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2")
    film = np.random.default_rng(4).normal(size=(2, 3, 5, 4, 2)).astype("float32")
    np.savez(tmp_path / "x.npz", x=film)
    run_program("run", without_ours(tmp_path / "k2.h5"), "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    assert_close(next(iter(np.load(tmp_path / "y.npz").values())), predict(model, [film])[0], 1e-5)
    with h5py.File(tmp_path / "k2.h5") as file:
        group = file["model_weights/film"]
        kernel = np.split(group[group.attrs["weight_names"][0]][()], 4, -1)
    for gate, (found, own) in enumerate(zip(kernel, np.split(model.get_weights()[0], 4, -1))):
        assert_close(found, own if gate == 2 else own / 1.2, 1e-6)  # i, f, c, o


@pytest.mark.parametrize("name", ["keras_2_0", "keras_2_2"])
def test_weights_before_an_old_hard_sigmoid_go_home_to_the_bit(name, tmp_path):
    source = ROOT / "testdata" / "dialects" / name / "model.h5"
    run_program("convert", source, "-o", tmp_path / "k3.h5")
    run_program("convert", tmp_path / "k3.h5", "-o", tmp_path / "k2.h5", "--keras", "2")

    def weights_of(path):
        found = []
        with h5py.File(path) as file:
            file["model_weights"].visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
            return sorted((name.rsplit("/")[-1], item.shape, item[()].tobytes()) for name, item in found)

    assert weights_of(tmp_path / "k2.h5") == weights_of(source)


def test_an_optimizer_that_came_later_is_left_out_and_said(tmp_path):
    model, x, y = optimised()
    model.compile(keras.optimizers.AdamW(0.01), "mse")
    model.train_on_batch(x, y)
    model.save(tmp_path / "k.h5")
    error = run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2", "--lossless", status=4)
    assert "the optimizer is left out, and with it the training's loss" in error and 'has "AdamW" from 2.9 on' in error


def saved(tmp_path, *layers, shape=(8, 4)):
    model = keras.Sequential([keras.Input(shape), *layers])
    model.save(tmp_path / "k.h5")
    return tmp_path / "k.h5"


def test_all_that_keras_2_lacks_is_named_at_once(tmp_path):
    path = saved(
        tmp_path,
        L.RandomErasing(name="erased"),
        L.LayerNormalization(rms_scaling=True, name="scaled"),
        L.TimeDistributed(L.LSTM(4, activation="celu", name="lstm"), name="rows"),
        shape=(8, 8, 3),
    )
    error = run_program("convert", path, "-o", tmp_path / "k2.h5", "--keras", "2", status=4)
    for words in (
        'layer "erased" (RandomErasing): Keras 2 has no such layer',
        'layer "lstm" (LSTM): its activation is "celu"',
        'layer "scaled" (LayerNormalization): its rms_scaling is true',
    ):
        assert words in error, error
    assert not (tmp_path / "k2.h5").exists()


@pytest.mark.parametrize(
    "layer, words, shape",
    [
        (lambda: L.DepthwiseConv2D(3, strides=(1, 2), name="x"), "its strides are [1, 2], where TensorFlow computes with equal ones", (9, 8, 2)),
        (lambda: L.SeparableConv1D(3, 2, strides=2, dilation_rate=3, name="x"), "its dilation_rate is [3]", (9, 2)),
        (lambda: L.ConvLSTM1D(2, 2, unroll=True, name="x"), "its unroll is true", (3, 5, 2)),
        (lambda: L.RandomContrast(0.0, name="x"), "its factor is [-0.0, 0.0]", (4, 4, 3)),
    ],
)
def test_what_keras_2_does_not_compute_is_refused(layer, words, shape, tmp_path):
    """Real tf_keras fails on each, as it loads the file or as it computes."""
    assert words in run_program("convert", saved(tmp_path, layer(), shape=shape), "-o", tmp_path / "k2.h5", "--keras", "2", status=4)


def refused_graph(tmp_path, inputs, outputs):
    keras.Model(inputs, outputs).save(tmp_path / "k.h5")
    return run_program("convert", tmp_path / "k.h5", "-o", tmp_path / "k2.h5", "--keras", "2", status=4)


def test_tensors_that_tensorflow_does_not_take_are_refused(tmp_path):
    whole, x = keras.Input((3, 2), dtype="int32"), keras.Input((3, 4))
    assert "of tensors of int32" in refused_graph(tmp_path, whole, L.Masking(name="masking")(whole))
    two = keras.Input((3, 2))
    assert "its keys are of another size" in refused_graph(tmp_path, [x, two], L.AdditiveAttention()([x, two, x]))
    assert "it multiplies a vector" in refused_graph(tmp_path, x, keras.ops.matmul(x, x[0, 0]))
    assert "its axis is [1, 3]" in refused_graph(tmp_path, x, keras.ops.expand_dims(x, [1, 3]))


def test_what_is_a_graph_there_is_said(tmp_path):
    path = saved(tmp_path, L.RMSNormalization(name="rms"), L.TimeDistributed(L.AdaptiveMaxPooling1D(2), name="steps"), shape=(3, 8, 4))
    notes = json.loads(run_program("convert", path, "-o", tmp_path / "k2.h5", "--keras", "2", "--json"))["notes"]
    assert any('is a Functional one, as Keras 2 says "rms" (RMSNormalization) by several layers' in note for note in notes)
    assert any('what is in "steps" (TimeDistributed) by several layers' in note for note in notes)


@pytest.mark.parametrize(
    "layer, least",
    [
        (lambda: L.Dense(2, name="x"), None),
        (lambda: L.GlobalAveragePooling1D(name="x"), None),
        (lambda: L.GlobalAveragePooling1D(keepdims=True, name="x"), "TensorFlow 2.6 or newer loads it, as it has \"x\" (GlobalAveragePooling1D) with keepdims"),
        (lambda: L.Activation("gelu", name="x"), "TensorFlow 2.4 or newer loads it, as it has \"x\" (Activation) with gelu"),
        (lambda: L.UnitNormalization(name="x"), "TensorFlow 2.9 or newer"),
        (lambda: L.GroupNormalization(2, axis=1, name="x"), "TensorFlow 2.13 or newer loads it, as it has \"x\" (GroupNormalization) with an axis"),
    ],
)
def test_the_least_version_is_said(layer, least, tmp_path):
    path = saved(tmp_path, layer())
    printed = json.loads(run_program("convert", path, "-o", tmp_path / "k2.h5", "--keras", "2", "--json"))
    assert [least in note for note in printed["notes"]] == ([True] if least else [])


def test_another_version_or_format_is_wrong_usage(tmp_path):
    path = saved(tmp_path, L.Dense(2))
    assert "--keras 4: expected 2 or 3" in run_program("convert", path, "-o", tmp_path / "a.h5", "--keras", "4", status=2)
    assert "--keras 2 is for .h5" in run_program("convert", path, "-o", tmp_path / "a.keras", "--keras", "2", status=2)


@needs_libtorch
@pytest.mark.parametrize("name", ["transformers_llama", "transformers_vit", "timm_swin"])
def test_a_published_network_goes_there_and_comes_home(name, tmp_path):
    """Masks, integers of several types, windows and tables of positions: real tf_keras has loaded them."""
    from test_published_networks import Network

    source = ROOT / "testdata" / "published_networks" / f"{name}.pt2"
    network = Network(source, tmp_path)
    run_program("convert", source, "-o", tmp_path / "k2.h5", "--keras", "2")
    run_program("convert", tmp_path / "k2.h5", "-o", tmp_path / "home.pth")
    home = torch.load(tmp_path / "home.pth")
    assert all(torch.equal(home[key], value) for key, value in network.state.items())
    with h5py.File(without_ours(tmp_path / "k2.h5")) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        names = [str(name) for name in file["model_weights"].attrs["layer_names"]]
    if name == "timm_swin":  # as tf_keras counts their layers, and not Keras 3: one more is before the queries
        assert names.index("layers_0_blocks_0_attn_qkv") < names.index("layers_0_blocks_0_attn_relative_position_bias_table")
    shapes = {layer["name"]: layer["config"]["batch_input_shape"] for layer in layers if layer["class_name"] == "InputLayer"}
    np.savez(tmp_path / "x.npz", **{key: as_keras_has_it(network.inputs[key], shape) for key, shape in shapes.items()})
    run_program("run", tmp_path / "k2.h5", "--input", tmp_path / "x.npz", "-o", tmp_path / "y.npz")
    for found, expected in zip(np.load(tmp_path / "y.npz").values(), network.expected.values(), strict=True):
        assert_close(found, expected if found.shape == expected.shape else keras_layout(expected), 1e-4)


def test_a_pytorch_network_goes_there_and_comes_home(tmp_path):
    network = ROOT / "testdata" / "the_model_class"
    sources = [network / "model.json", network / "model.pth"]
    run_program("convert", *sources, "-o", tmp_path / "k2.h5", "--keras", "2", "--no-optimizer")
    with h5py.File(tmp_path / "k2.h5") as file:
        assert file.attrs["keras_version"] == "2.4.0" and "module" not in file.attrs["model_config"]
    run_program("convert", tmp_path / "k2.h5", "-o", tmp_path / "home.pth")
    run_program("compare", network / "model.pth", tmp_path / "home.pth", "--atol", "0", "--rtol", "0")
    run_program("convert", without_ours(tmp_path / "k2.h5"), network / "model.json", "-o", tmp_path / "home.pth")
    run_program("compare", network / "model.pth", tmp_path / "home.pth", "--atol", "0", "--rtol", "0")
