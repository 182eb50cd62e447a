"""Multi-head attention between PyTorch and Keras: masks, weights as outputs, networks of it, and their optimizers' state."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_helpers import assert_close, by_name, differences, keras, predict
from program import h5bridge, needs_libtorch, needs_program, run_keras_model
from torch_helpers import assert_same_state, export_architecture, exporter

pytestmark = [needs_program]
layers = keras.layers


@pytest.fixture(autouse=True)
def plain_path():
    """PyTorch's inference fast path differs in bits."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(before)


def weighted(module):
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.4)
    return module.eval()


def taken_to_keras(module, inputs, folder):
    """Exports a module and writes it for Keras; gives what PyTorch computes of the inputs."""
    export_architecture(module, inputs, folder / "m.json")
    torch.save(module.state_dict(), folder / "m.pth")
    h5bridge("convert", folder / "m.json", folder / "m.pth", "-o", folder / "m.h5")
    with torch.no_grad():
        result = module(**inputs) if isinstance(inputs, dict) else module(*inputs)
    return [value.numpy() for value in (result if isinstance(result, tuple) else (result,)) if value is not None]


def run(sources, inputs, folder):
    """What LibTorch computes, in the order of the outputs."""
    np.savez(folder / "x.npz", **inputs)
    h5bridge("run", *sources, "--input", folder / "x.npz", "--input-layout", "torch", "-o", folder / "y.npz")
    found = dict(np.load(folder / "y.npz"))
    return [found[name] for name in found]


def assert_goes_both_ways(module, inputs, folder, tolerance=1e-5):
    """PyTorch's numbers in Keras and in LibTorch from either file, and PyTorch's weights again from Keras's file."""
    expected = taken_to_keras(module, inputs, folder)
    model = keras.models.load_model(folder / "m.h5", compile=False)
    arrays = {name: value.numpy() for name, value in inputs.items()}
    for found, answer in zip(predict(model, list(arrays.values())).values(), expected, strict=True):
        assert_close(found, answer, tolerance)
    h5bridge("convert", folder / "m.h5", "-o", folder / "home.pth")
    assert_same_state(torch.load(folder / "home.pth"), module.state_dict())
    return expected, model


class Attend(nn.Module):
    """One MultiheadAttention, called with whatever is given."""

    def __init__(self, *args, call=None, crossed=True, **kwargs):
        super().__init__()
        self.attend = nn.MultiheadAttention(*args, **kwargs)
        self.call, self.crossed = call or {}, crossed

    def forward(self, query, key=None, value=None, key_padding_mask=None, attn_mask=None):
        key = query if key is None else key
        value = key if value is None else value
        result, weights = self.attend(query, key, value, key_padding_mask=key_padding_mask, attn_mask=attn_mask, **self.call)
        return result if weights is None else (result, weights)


def operands(shapes, masks=()):
    torch.manual_seed(len(shapes))
    result = {name: torch.randn(shape) for name, shape in zip(("query", "key", "value"), shapes)}
    batch, queries, keys = shapes[0][0], shapes[0][1], shapes[-1][1]
    if "padding" in masks:
        result["key_padding_mask"] = torch.arange(keys) >= torch.randint(1, keys + 1, (batch, 1))
    if "attn" in masks:
        result["attn_mask"] = (torch.rand(queries, keys) < 0.4) & (torch.arange(keys) > 0)
    return result


SELF, CROSS, OTHER = [(3, 5, 6)], [(3, 4, 6), (3, 7, 6)], [(1, 4, 6), (1, 7, 5), (1, 7, 3)]
CALLS = [{}, {"need_weights": False}, {"average_attn_weights": False}]


@needs_libtorch
@pytest.mark.parametrize("call", CALLS, ids=["averaged", "none", "of heads"])
@pytest.mark.parametrize("masks", [(), ("padding",), ("attn",), ("padding", "attn")], ids=lambda m: "+".join(m) or "no mask")
@pytest.mark.parametrize("shapes", [SELF, CROSS, OTHER], ids=["self", "cross", "kdim and vdim"])
def test_pytorch_s_module_with_masks(shapes, masks, call, tmp_path):
    sizes = {"kdim": 5, "vdim": 3} if shapes is OTHER else {}
    module = weighted(Attend(6, 2, batch_first=True, call=call, **sizes))
    inputs = operands(shapes, masks)
    expected, _ = assert_goes_both_ways(module, inputs, tmp_path)
    arrays = {name: value.numpy() for name, value in inputs.items()}
    for sources in ([tmp_path / "m.json", tmp_path / "m.pth"], [tmp_path / "m.h5"]):
        for found, answer in zip(run(sources, arrays, tmp_path), expected, strict=True):
            assert_close(found, answer, 1e-6)


def test_packed_weights_are_those_of_three_projections(tmp_path):
    """Of in_proj_weight, rows of the query, the key and the value, one head after the other, as Keras's own layer has them."""
    module = weighted(Attend(6, 2, batch_first=True))
    taken_to_keras(module, operands(CROSS, ("padding", "attn")), tmp_path)
    attention = next(layer for layer in keras.models.load_model(tmp_path / "m.h5", compile=False).layers if type(layer) is keras.layers.MultiHeadAttention)
    state = module.attend.state_dict()
    for dense, weight, bias in zip((attention.query_dense, attention.key_dense, attention.value_dense), state["in_proj_weight"].chunk(3), state["in_proj_bias"].chunk(3)):
        assert np.array_equal(dense.kernel.numpy(), weight.T.reshape(6, 2, 3).numpy())
        assert np.array_equal(dense.bias.numpy(), bias.reshape(2, 3).numpy())


@needs_libtorch
@pytest.mark.parametrize("masks", [(), ("padding", "attn")], ids=["no mask", "masks"])
def test_steps_may_stand_first(masks, tmp_path):
    module = weighted(Attend(6, 3))
    inputs = {name: value.transpose(0, 1) if value.dim() == 3 else value for name, value in operands(CROSS, masks).items()}
    expected, _ = assert_goes_both_ways(module, inputs, tmp_path)
    arrays = {name: value.contiguous().numpy() for name, value in inputs.items()}
    for found, answer in zip(run([tmp_path / "m.json", tmp_path / "m.pth"], arrays, tmp_path), expected, strict=True):
        assert_close(found, answer, 1e-6)


@needs_libtorch
def test_what_comes_back_from_keras_alone_is_keras_s(tmp_path):
    """Without PyTorch's half in the file: masks mean what counts, weights stand per head."""
    module = weighted(Attend(6, 2, batch_first=True))
    inputs = operands(CROSS, ("padding",))
    _, model = assert_goes_both_ways(module, inputs, tmp_path)
    model.save(tmp_path / "k.keras")
    arrays = {name: value.numpy() for name, value in inputs.items()}
    for found, answer in zip(run([tmp_path / "k.keras"], arrays, tmp_path), by_name(model(list(arrays.values()))).values(), strict=True):
        assert_close(found, answer, 1e-6)


def test_masks_of_numbers_are_refused_by_name(tmp_path):
    module = weighted(Attend(6, 2, batch_first=True))
    inputs = operands(SELF) | {"attn_mask": torch.randn(5, 5)}
    export_architecture(module, inputs, tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    error = h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", status=4)
    assert '"attend" (MultiheadAttention)' in error and "its attn_mask is float32" in error


@pytest.mark.parametrize("setting", ["add_bias_kv", "add_zero_attn"])
def test_what_keras_has_not_is_refused_by_name(setting, tmp_path):
    module = weighted(Attend(6, 2, batch_first=True, **{setting: True}))
    export_architecture(module, operands(SELF), tmp_path / "m.json")
    torch.save(module.state_dict(), tmp_path / "m.pth")
    error = h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / "m.h5", status=4)
    assert f"{setting} is on, which Keras's MultiHeadAttention has not" in error


class Bert(nn.Module):
    """An encoder of PyTorch's own layers, as BERT's is."""

    def __init__(self, norm_first=False):
        super().__init__()
        self.words, self.places = nn.Embedding(11, 8), nn.Embedding(40, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, ids, padding):
        x = self.words(ids) + self.places.weight[: ids.shape[1]]
        return self.head(self.encoder(x, src_key_padding_mask=padding))


class Scored(nn.Module):
    """The function of attention in all that it can be told."""

    def __init__(self):
        super().__init__()
        self.queries, self.keys = nn.Linear(8, 12), nn.Linear(8, 6)

    def forward(self, x):
        q, k = (part.unflatten(-1, (-1, 3)).transpose(1, 2) for part in (self.queries(x), self.keys(x)))
        k4, v4 = k.repeat_interleave(2, 1), k.tanh().repeat_interleave(2, 1)
        keep = x[:, None, :, :5] > 0.2
        few = torch.where(keep, x[:, None, :, :5], -torch.inf)
        attend = F.scaled_dot_product_attention
        return (attend(q, k4, v4), attend(q, k4[:, :, :4], v4[:, :, :4], is_causal=True), attend(q, k4, v4, keep),
                attend(q, k4, v4, attn_mask=few, scale=0.7), attend(q, k, k.tanh(), enable_gqa=True, is_causal=True, dropout_p=0.0))  # fmt: skip


@needs_libtorch
def test_the_function_of_attention_goes_both_ways(tmp_path):
    module, x = weighted(Scored()), torch.randn(3, 5, 8)
    x[1, 2] = -1  # a query that may attend to nothing
    assert_goes_both_ways(module, {"x": x}, tmp_path)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "m.pt2")
    h5bridge("convert", tmp_path / "m.pt2", "-o", tmp_path / "pt2.json")
    steps = [[entry["type"] for entry in json.loads((tmp_path / name).read_text())["layers"]] for name in ("m.json", "pt2.json")]
    ours, exported = (each.count("scaled_dot_product_attention") for each in steps)
    assert ours == exported == 5


def test_scores_that_are_dropped_in_evaluation_are_refused_by_name(tmp_path):
    class Drops(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x, dropout_p=0.1)

    with pytest.raises(exporter.ExportError, match=r"scaled_dot_product_attention: it drops scores in evaluation, too \(dropout_p\)"):
        export_architecture(Drops(), torch.zeros(2, 3, 4), tmp_path / "m.json")


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_goes_both_ways(norm_first, tmp_path):
    module = weighted(Bert(norm_first))
    ids = torch.randint(0, 11, (3, 6))
    expected, model = assert_goes_both_ways(module, {"ids": ids, "padding": torch.arange(6) >= torch.tensor([[6], [4], [1]])}, tmp_path)
    kinds = [layer.__class__.__name__ for layer in model.layers]
    assert kinds.count("MultiHeadAttention") == 2 and not {"Permute", "Transpose"} & set(kinds)
    model.save(tmp_path / "tuned.h5")  # PyTorch's names are in the architecture alone
    h5bridge("convert", tmp_path / "tuned.h5", tmp_path / "m.json", "-o", tmp_path / "tuned.pth")
    home = torch.load(tmp_path / "tuned.pth")
    assert all(torch.equal(home[name], tensor) for name, tensor in module.state_dict().items())
    shorter = {"ids": ids[:2, :4], "padding": torch.zeros(2, 4, dtype=torch.bool)}  # lengths stay open
    with torch.no_grad():
        answer = module(**shorter).numpy()
    assert_close(predict(model, [value.numpy() for value in shorter.values()])[0], answer, 1e-5)


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Transformer(6, 2, 1, 2, 10, batch_first=True)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        return self.model(source, target, tgt_mask=mask)


def test_an_encoder_and_a_decoder_with_a_causal_mask(tmp_path):
    module = weighted(Translator())
    _, model = assert_goes_both_ways(module, {"source": torch.randn(2, 5, 6), "target": torch.randn(2, 4, 6)}, tmp_path)
    longer = torch.randn(3, 7, 6), torch.randn(3, 6, 6)
    with torch.no_grad():
        answer = module(*longer).numpy()
    assert_close(predict(model, [value.numpy() for value in longer])[0], answer, 1e-5)


def keras_encoder():
    keras.utils.set_random_seed(5)
    ids = keras.Input((None,), dtype="int32", name="ids")
    memory = keras.Input((None, 5), name="memory")
    x = layers.Embedding(9, 6, mask_zero=True, name="words")(ids)
    a = layers.MultiHeadAttention(2, 3, name="own")(x, x)
    x = layers.LayerNormalization(name="norm")(layers.Add(name="sum")([x, a]))
    b, scores = layers.MultiHeadAttention(2, 4, value_dim=2, output_shape=6, use_bias=False, name="other")(
        x, memory, return_attention_scores=True)  # fmt: skip
    c = layers.MultiHeadAttention(1, 3, dropout=0.2, name="causal")(b, b, use_causal_mask=True)
    model = keras.Model([ids, memory], [layers.Dense(2, name="head")(c), scores], name="encoder")
    for i, variable in enumerate(model.weights):
        variable.assign(np.random.default_rng(i).normal(size=variable.shape) * 0.5)
    return model


KERAS_INPUTS = {
    "ids": np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8], [0, 0, 0, 0, 0]], "int32"),
    "memory": np.random.default_rng(1).normal(size=(3, 4, 5)).astype("float32"),
}


@needs_libtorch
@pytest.mark.parametrize("by_pytorch", [False, True], ids=["h5", "pth"])
def test_a_network_of_keras_s_with_masks_that_are_handed_on(by_pytorch, tmp_path):
    model = keras_encoder()
    expected = by_name(model(list(KERAS_INPUTS.values()), training=False))
    found = run_keras_model(model, KERAS_INPUTS, tmp_path, by_pytorch)
    for value, answer in zip(found.values(), expected.values(), strict=True):
        assert_close(value, answer, 1e-5)


@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_network_of_keras_s_comes_home_to_the_letter(suffix, tmp_path):
    model = keras_encoder()
    model.save(tmp_path / f"k.{suffix}")
    h5bridge("convert", tmp_path / f"k.{suffix}", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth")
    h5bridge("convert", tmp_path / "k.json", tmp_path / "k.pth", "-o", tmp_path / f"back.{suffix}")
    back = keras.models.load_model(tmp_path / f"back.{suffix}", compile=False)
    assert differences(back.get_config(), model.get_config()) == []
    for a, b in zip(back.weights, model.weights, strict=True):
        assert a.path == b.path and np.array_equal(a.numpy(), b.numpy())


MASKED = np.array([[True, True, False, False], [False, False, False, False], [True, True, True, True]])


@needs_libtorch
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("scores", [False, True])
def test_a_query_that_may_attend_to_nothing(dropout, scores, tmp_path):
    """Keras gives the mean of the values, or nothing where it computes the weights themselves."""
    x, mask = keras.Input((4, 6), name="x"), keras.Input((4,), dtype="bool", name="mask")
    keras.utils.set_random_seed(1)
    y = layers.MultiHeadAttention(2, 3, dropout=dropout)(x, x, value_mask=mask, return_attention_scores=scores)
    model = keras.Model([x, mask], y)
    inputs = {"x": np.random.default_rng(2).normal(size=(3, 4, 6)).astype("float32"), "mask": MASKED}
    expected = by_name(model(list(inputs.values()), training=False))
    for found, answer in zip(run_keras_model(model, inputs, tmp_path, True).values(), expected.values(), strict=True):
        assert_close(found, answer, 1e-5)


@needs_libtorch
@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (3, 2, 4, 4)], ids=str)
def test_attention_masks_of_keras_s_of_every_rank(shape, tmp_path):
    x, values = keras.Input((4, 6), name="x"), keras.Input((4, 5), name="values")
    mask, keys = keras.Input(batch_shape=(None if len(shape) > 2 else 4, *shape[1:]), dtype="bool", name="mask"), keras.Input((4,), dtype="bool", name="keys")
    keras.utils.set_random_seed(1)
    named = {} if len(shape) == 4 else {"key_mask": keys}
    y = layers.MultiHeadAttention(2, 3)(x, values, attention_mask=mask, use_causal_mask=True, **named)
    model = keras.Model([x, values, mask, keys][: 3 + bool(named)], y)
    rng = np.random.default_rng(2)
    inputs = {"x": rng.normal(size=(3, 4, 6)).astype("float32"), "values": rng.normal(size=(3, 4, 5)).astype("float32"), "mask": rng.random(shape) < 0.7}
    inputs |= {"keys": MASKED} if named else {}
    expected = by_name(model(list(inputs.values()), training=False))
    for found, answer in zip(run_keras_model(model, inputs, tmp_path, True).values(), expected.values(), strict=True):
        assert_close(found, answer, 1e-5)


@needs_libtorch
def test_a_mask_goes_to_the_attention_that_runs_first(tmp_path):
    """Keras's layer takes the masks of its inputs away: the second attention to the encoder's steps sees none."""
    keras.utils.set_random_seed(3)
    ids, other = (keras.Input((None,), dtype="int32", name=name) for name in ("ids", "other"))
    memory = layers.LayerNormalization()(layers.Embedding(9, 6, mask_zero=True)(ids))
    words = layers.Embedding(9, 6, mask_zero=True)(other)
    normal = layers.LayerNormalization()(words)
    x = layers.Add()([words, layers.MultiHeadAttention(2, 3)(normal, normal, use_causal_mask=True)])
    y = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, memory)])
    z, scores = layers.MultiHeadAttention(2, 3)(layers.Dropout(0.1)(y), memory, key=memory, return_attention_scores=True)
    model = keras.Model([ids, other], [x, y, z, scores])
    inputs = {"ids": KERAS_INPUTS["ids"], "other": np.array([[1, 2, 3, 0], [4, 5, 0, 0], [1, 1, 2, 8]], "int32")}
    expected = by_name(model(list(inputs.values()), training=False))
    for found, answer in zip(run_keras_model(model, inputs, tmp_path, False).values(), expected.values(), strict=True):
        assert_close(found, answer, 1e-5)


def test_a_mask_that_is_gone_is_gone(tmp_path):
    """What takes the same tensor's mask beside MultiHeadAttention, which takes it away, may run before it or after it."""
    ids = keras.Input((5,), dtype="int32", name="ids")
    x = layers.Embedding(9, 6, mask_zero=True, name="words")(ids)
    model = keras.Model(ids, [layers.MultiHeadAttention(2, 3, name="a")(x, x), layers.MultiHeadAttention(2, 3, name="b")(x, x)])
    model.save(tmp_path / "k.h5")
    error = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", status=4)
    assert "which of both runs first is not known" in error


@pytest.mark.parametrize("settings, what", [({"attention_axes": (1, 2)}, "attention_axes"), ({"output_shape": (2, 3)}, "output_shape")])
def test_what_is_not_known_yet_is_named(settings, what, tmp_path):
    shape = (4, 3, 6) if what == "attention_axes" else (4, 6)
    x = keras.Input(shape, name="x")
    keras.Model(x, layers.MultiHeadAttention(2, 3, name="attend", **settings)(x, x)).save(tmp_path / "k.h5")
    error = h5bridge("convert", tmp_path / "k.h5", "-o", tmp_path / "k.json", "-o", tmp_path / "k.pth", status=4)
    assert '"attend" (MultiHeadAttention)' in error and what in error


class Small(nn.Module):
    def __init__(self, **sizes):
        super().__init__()
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True, **sizes)
        self.head = nn.Linear(6, 2)

    def forward(self, x, y):
        return self.head(self.attend(x, y, y, need_weights=False)[0])


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("sizes", [{}, {"kdim": 5, "vdim": 5}], ids=["packed", "apart"])
def test_the_optimizer_s_state_follows_the_weights(sizes, suffix, tmp_path):
    module = weighted(Small(**sizes))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    x, y = torch.randn(3, 4, 6), torch.randn(3, 5, sizes.get("kdim", 6))
    for _ in range(3):
        optimizer.zero_grad()
        module(x, y).square().mean().backward()
        optimizer.step()
    export_architecture(module.eval(), (x, y), tmp_path / "m.json")
    torch.save({"model": module.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "m.pth")
    h5bridge("convert", tmp_path / "m.json", tmp_path / "m.pth", "-o", tmp_path / f"m.{suffix}")
    h5bridge("convert", tmp_path / f"m.{suffix}", "-o", tmp_path / "home.pth", "--checkpoint")
    home = torch.load(tmp_path / "home.pth")
    found = next(value for value in home.values() if isinstance(value, dict) and "param_groups" in value)["state"]
    for number, state in optimizer.state_dict()["state"].items():
        for name, tensor in state.items():
            assert torch.equal(found[number][name], tensor), (number, name)
    if suffix == "keras":  # and Keras has it at the variable that it belongs to
        model = keras.models.load_model(tmp_path / "m.keras")
        state = {variable.path.split("/", 1)[1]: variable.numpy() for variable in model.optimizer.variables}
        moment = optimizer.state_dict()["state"][0 if not sizes else 1]["exp_avg"].numpy()
        if not sizes:
            moment = moment[6:12]
        assert np.array_equal(state["attend_key_kernel_momentum"], moment.T.reshape(-1, 2, 3))
