"""Keras models with models in them, as people nest them: backbones, heads, branches, blocks that are called again."""

from keras_helpers import keras

L = keras.layers


def passed_on_twice():
    """What comes in is given out as well, and the whole is called twice, once as for inference."""
    x = keras.Input((6,), name="inner_x")
    inner = keras.Model(x, [L.BatchNormalization(name="bn")(L.Dense(5, name="dense")(x)), x], name="inner")
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    h, a_again = inner(a, training=False)
    g, b_again = inner(b)
    return keras.Model([a, b], [L.Add(name="add")([h, g]), L.Subtract(name="sub")([a_again, b_again])], name="outer")


def siamese():
    """Halves that are models of models, between which the layers' names repeat."""
    block = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="relu", name="dense"), L.BatchNormalization(name="bn")], name="block")
    x = keras.Input((7,), name="x")
    encoder = keras.Model(x, block(L.Dense(5, name="dense")(x)), name="encoder")
    a, b = keras.Input((7,), name="left"), keras.Input((7,), name="right")
    likeness = L.Dense(1, name="dense")(L.Concatenate(name="both")([encoder(b), encoder(a)]))
    return keras.Model([a, b], likeness, name="siamese")


def chain_of_models():
    """A Sequential model of models, one of which is frozen in part."""
    head = keras.Sequential([keras.Input((5,)), L.Dense(6, activation="tanh", name="first"), L.BatchNormalization(name="bn"), L.Dense(3, name="last")], name="head")
    x = keras.Input((4,), name="x")
    body = keras.Model(x, L.Concatenate(name="cat")([L.Dense(3, name="p")(x), L.Dense(2, name="q")(x)]), name="body")
    model = keras.Sequential([body, head, L.Activation("softmax", name="probabilities")], name="chain")
    head.layers[0].trainable = False
    return model


def frozen_backbone(data_format="channels_last"):
    """Transfer learning: augmentation, a picture network of open size that stays as it is, and a head."""
    is_last = data_format == "channels_last"

    def shape(*size):
        return (*size, 3) if is_last else (3, *size)

    axis = -1 if is_last else 1
    x = keras.Input(shape(None, None), name="picture")
    h = L.Conv2D(6, 3, strides=2, use_bias=False, data_format=data_format, name="conv1")(x)
    h = L.ReLU(name="relu1")(L.BatchNormalization(axis=axis, name="bn1")(h))
    h = L.Conv2D(8, 3, padding="same", data_format=data_format, name="conv2")(h)
    backbone = keras.Model(x, L.Add(name="add")([h, L.Conv2D(8, 1, data_format=data_format, name="shortcut")(h)]), name="backbone")
    backbone.trainable = False
    inputs = keras.Input(shape(13, 11), name="inputs")
    y = backbone(L.Rescaling(1 / 2.0, 0.1, name="scale")(inputs), training=False)
    top = keras.Sequential(
        [L.AveragePooling2D(2, data_format=data_format, name="pool"), L.Flatten(data_format=data_format, name="flat"), L.Dense(5, name="fc")], name="top"
    )
    return keras.Model(inputs, top(y), name="transfer")


def several_outputs_by_name():
    """Dicts on both sides, whose keys are in no order, one input that nothing uses, one given to two of the model's."""
    ins = {name: keras.Input((3,), name=name) for name in ("z", "a", "m")}
    h = L.Dense(4, name="h")(L.Concatenate(name="c")([ins["z"], ins["a"]]))
    inner = keras.Model(ins, {"second": L.Dense(2, name="second_layer")(h), "first": h}, name="inner")
    x, y = keras.Input((3,), name="x"), keras.Input((3,), name="y")
    out = inner({"z": x, "a": x, "m": y})
    return keras.Model([x, y], [out["first"], L.ReLU(name="r")(out["second"])], name="dicts")


def three_deep():
    """Each level calls the one below it twice, the second time on what the first has made."""

    def level(depth):
        x = keras.Input((4,), name=f"x{depth}")
        h = L.Dense(4, activation="tanh", name=f"dense{depth}")(x)
        if depth:
            below = level(depth - 1)
            h = below(L.Add(name="add")([below(h), x]))
        return keras.Model(x, h, name=f"level{depth}")

    return level(3)


def of_levels(count):
    """Functional models and Sequential ones, each in the next. Their layers' names differ: Keras's .h5 has them side by side."""
    x = keras.Input((4,), name=f"x{count}")
    if count == 0:
        return keras.Model(x, L.Dense(4, name="dense0")(x), name="level0")
    inner = of_levels(count - 1)
    if count % 2:
        return keras.Sequential([keras.Input((4,)), inner, L.Dense(4, activation="tanh", name=f"dense{count}")], name=f"level{count}")
    return keras.Model(x, L.Add(name="add")([inner(L.Dense(4, name=f"dense{count}")(x)), x]), name=f"level{count}")


def recurrent_parts():
    """Masks pass into models, and recurrent layers within them keep their weights."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    embed = keras.Model(tokens, L.Embedding(5, 6, mask_zero=True, name="table")(tokens), name="embed")
    x = keras.Input((None, 6), name="steps")
    encode = keras.Model(x, L.Bidirectional(L.LSTM(3, name="lstm"), name="both")(L.GRU(4, return_sequences=True, name="gru")(x)), name="encode")
    ids = keras.Input((8,), dtype="int32", name="ids")
    return keras.Model(ids, L.Dense(2, name="out")(encode(embed(ids))), name="tagger")


def mask_given_to_a_model():
    """Keras says the mask of the embedding's steps, which it hands to the model, as an operation."""
    x = keras.Input((8, 6), name="steps")
    encode = keras.Sequential([keras.Input((8, 6)), L.GRU(4, name="gru")], name="encode")
    both = keras.Model(x, L.Concatenate(name="cat")([encode(x), L.GlobalAveragePooling1D(name="mean")(x)]), name="both")
    ids = keras.Input((8,), dtype="int32", name="ids")
    steps = L.Embedding(5, 6, mask_zero=True, name="table")(ids)
    return keras.Model(ids, L.Dense(2, name="out")(both(steps)), name="masked")


def operations_within():
    """Functions of keras.ops and numbers in a model that is called twice."""
    x = keras.Input((4,), name="x")
    inner = keras.Model(x, L.Dense(4, name="dense")(keras.ops.tanh(x) * 2.0 - x), name="inner")
    u = keras.Input((4,), name="u")
    return keras.Model(u, L.Add(name="add")([inner(u), inner(L.Activation("relu", name="act")(u))]), name="operations")


def outputs_of_models():
    """A model that gives what its models give, by the number of their calls."""
    x = keras.Input((4,), name="x")
    functional = keras.Model(x, L.Dense(3, name="d")(x), name="functional")
    chain = keras.Sequential([keras.Input((4,)), L.Dense(2, name="d")], name="chain")
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    first, second = functional(a), functional(b)
    return keras.Model([a, b], [second, chain(b), first, chain(a)], name="outputs")


def integers_into_floats():
    """A model that declares floats is given integers."""
    x = keras.Input((5,), name="x")
    inner = keras.Model(x, L.Multiply(name="square")([x, x]), name="inner")
    ids = keras.Input((5,), dtype="int32", name="ids")
    return keras.Model(ids, L.Dense(2, name="d")(inner(ids)), name="cast")


def pictures_in_time(data_format="channels_last"):
    """A picture network over the steps of a film, one layer of which is called twice, and one frozen."""
    axis = -1 if data_format == "channels_last" else 1
    film = keras.Input((4, 9, 7, 3) if axis == -1 else (4, 3, 9, 7), name="film")

    def each(layer, name):
        return L.TimeDistributed(layer, name=name)

    same = each(L.Conv2D(5, 3, padding="same", activation="relu", data_format=data_format, name="conv_b"), "same")
    h = each(L.Conv2D(5, 3, strides=2, data_format=data_format, name="conv_a"), "first")(film)
    h = each(L.BatchNormalization(axis=axis, name="bn"), "bn")(same(same(h)))
    h = each(L.MaxPooling2D(2, data_format=data_format, name="pool"), "pool")(h)
    frozen = each(L.Dense(6, name="dense"), "features")
    h = frozen(each(L.Flatten(data_format=data_format), "flat")(h))
    model = keras.Model(film, L.Dense(3, name="out")(L.LSTM(4, name="lstm")(h)), name="film_network")
    frozen.trainable = False
    return model


def words_of_sentences():
    """Hierarchical: a model reads the words of each sentence, another the sentences, whose number is open."""
    ids = keras.Input((7,), dtype="int32", name="ids")
    words = L.Embedding(9, 5, mask_zero=True, name="table")(ids)
    reader = keras.Model(ids, L.Bidirectional(L.GRU(3, name="gru"), name="both")(words), name="reader")
    document = keras.Input((None, 7), dtype="int32", name="document")
    sentences = L.TimeDistributed(reader, name="sentences")(document)
    h = L.LSTM(4, return_sequences=True, name="lstm")(sentences)
    scores = L.TimeDistributed(L.Dense(2, activation="softmax", name="dense"), name="scores")(h)
    return keras.Model(document, scores, name="hierarchical")


def steps_within_steps():
    """Wrappers in wrappers, in models, and around models that are called twice."""
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="tanh", name="dense"), L.BatchNormalization(name="bn")], name="inner")
    x = keras.Input((3, 2, 5), name="x")
    twice = L.TimeDistributed(L.TimeDistributed(inner, name="low"), name="high")
    h = L.TimeDistributed(L.TimeDistributed(L.Dense(5, name="dense"), name="td"), name="td")(twice(x))
    body = keras.Model(x, twice(h), name="body")
    a, b = keras.Input((3, 2, 5), name="a"), keras.Input((3, 2, 5), name="b")
    return keras.Model([a, b], L.Subtract(name="sub")([body(a), body(b)]), name="whole")


def tagged_steps():
    """A chain, as most have it: what is masked goes on through the wrapper."""
    return keras.Sequential(
        [
            keras.Input((None, 5)),
            L.Masking(0.5, name="masking"),
            L.TimeDistributed(L.Dense(4, name="embed"), name="embeds"),
            L.GRU(4, return_sequences=True, name="gru"),
            L.TimeDistributed(L.Dense(3, activation="softmax", name="tag"), name="tags"),
        ],
        name="tagger",
    )


def two_ways():
    """Bidirectional layers whose halves are no one layer: other classes and activations, masks, a chain of them. Their units are
    equal, since Keras takes the forward layer's for both."""
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(9, 5, mask_zero=True, name="table"),
            L.Bidirectional(
                L.LSTM(4, return_sequences=True, name="ahead"),
                backward_layer=L.GRU(4, return_sequences=True, go_backwards=True, name="behind"),
                name="both",
            ),
            L.Bidirectional(
                L.SimpleRNN(3, activation="relu", return_sequences=True, go_backwards=True, name="a"),
                backward_layer=L.LSTM(3, return_sequences=True, name="b"),
                merge_mode="sum",
                name="sums",
            ),
            L.TimeDistributed(L.Dense(4, name="dense"), name="td"),
            L.Bidirectional(L.GRU(4, name="p"), backward_layer=L.GRU(4, reset_after=False, go_backwards=True, name="q"), merge_mode="ave", name="last"),
        ],
        name="two_ways",
    )


def two_ways_with_states():
    x = keras.Input((6, 5), name="x")
    ahead = L.LSTM(4, return_sequences=True, return_state=True, name="ahead")
    behind = L.LSTM(4, activation="relu", return_sequences=True, return_state=True, go_backwards=True, name="behind")
    y, y_back, *states = L.Bidirectional(ahead, backward_layer=behind, merge_mode=None, name="both")(x)
    other = L.Bidirectional(L.GRU(3, name="g"), backward_layer=L.LSTM(3, go_backwards=True, name="l"), merge_mode="mul", name="other")
    return keras.Model(x, [L.Add(name="sum")([y, y_back]), L.Concatenate(name="states")(states), other(x)], name="stated")


def stacked_cells():
    """Stacks of cells of several kinds, sizes and settings, masked, in both directions and over time."""
    both = L.RNN([L.LSTMCell(4, name="one"), L.GRUCell(3, reset_after=False, name="two")], return_sequences=True, name="stack")
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(9, 5, mask_zero=True, name="table"),
            L.RNN([L.GRUCell(4, name="g"), L.SimpleRNNCell(3, activation="relu", name="s"), L.LSTMCell(5, name="l")], return_sequences=True, name="rnn"),
            L.Bidirectional(both, name="both"),
            L.TimeDistributed(L.Dense(4, name="dense"), name="td"),
            L.Bidirectional(L.RNN([L.GRUCell(2, name="a"), L.GRUCell(3, use_bias=False, name="b")], name="last"), merge_mode="ave", name="ends"),
        ],
        name="stacked_cells",
    )


def layer_of_two_levels():
    """A layer that is called within a model and beside it."""
    shared = L.Dense(4, activation="tanh", name="shared")
    x = keras.Input((4,), name="x")
    inner = keras.Model(x, L.Dense(4, name="inside")(shared(x)), name="inner")
    u = keras.Input((4,), name="u")
    return keras.Model(u, L.Dense(3, name="head")(shared(inner(u))), name="levels")


def ends_in_activation_objects():
    """Models whose outputs are the activations of their last layers, as layers; one is called twice, one lies within."""
    x = keras.Input((6,), name="x")
    h = L.Dense(5, activation=L.LeakyReLU(negative_slope=0.2, name="leaky"), name="dense")(x)
    part = keras.Model(x, h, name="part")
    u = keras.Input((6,), name="u")
    whole = keras.Model(u, L.Dense(4, activation=L.ELU(alpha=0.5, name="elu"), name="last")(part(u)), name="whole")
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    return keras.Model([a, b], L.Add(name="add")([whole(a), whole(b)]), name="ends")


def layer_of_two_chains():
    """Two Sequential models with a layer in common, which has the path of the first."""
    shared = L.Dense(4, activation="tanh", name="shared")
    a = keras.Sequential([keras.Input((4,)), shared, L.BatchNormalization(name="bn")], name="a")
    b = keras.Sequential([keras.Input((4,)), shared, L.Dense(4, name="two")], name="b")
    u = keras.Input((4,), name="u")
    return keras.Model(u, L.Dense(3, name="head")(b(a(u))), name="chains")


def bounded():
    """SpectralNormalization of pictures' layers, over time, frozen, in a model within, and around itself."""
    x = keras.Input((8,), name="x")
    h = L.SpectralNormalization(L.Dense(5, activation="tanh", name="dense"), power_iterations=3, name="norm")(x)
    critic = keras.Model(x, L.SpectralNormalization(L.Dense(3, name="last"), name="bound")(L.LeakyReLU(name="leaky")(h)), name="critic")
    critic.get_layer("bound").trainable = False
    picture = keras.Input((9, 7, 3), name="picture")
    h = L.SpectralNormalization(L.Conv2D(6, 3, strides=2, activation="relu", name="conv"), name="norm")(picture)
    still = L.SpectralNormalization(L.Conv2D(6, 1, name="conv"), name="still")
    h = L.Reshape((12, 6), name="steps")(still(h))
    still.trainable = False
    h = L.TimeDistributed(L.SpectralNormalization(L.Dense(8, use_bias=False, name="dense"), name="within"), name="each")(h)
    h = critic(L.GlobalAveragePooling1D(name="mean")(h))
    twice = L.SpectralNormalization(L.SpectralNormalization(L.Dense(2, name="dense"), name="inner"), name="outer")
    return keras.Model(picture, twice(h), name="bounded")
