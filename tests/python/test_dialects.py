"""The table of what older Kerases wrote, against the decisions behind it and against the installed Keras 3.15.1."""

import inspect
import json
import subprocess
import sys
import tomllib

import keras
import pytest

from program import ROOT

sys.path.insert(0, str(ROOT / "tools" / "dialects"))

import check  # noqa: E402
import tables  # noqa: E402

TABLE = ROOT / "src" / "keras" / "dialects" / "dialects.def"
RULES = check.rules(TABLE)
DECISIONS = tomllib.loads((ROOT / "tools" / "dialects" / "decisions.toml").read_text())
RELEASES = [("Keras", 20000), ("Keras", 20204), ("Keras", 20301), ("TensorFlow", 20106), ("TensorFlow", 20204),
            ("TensorFlow", 20400), ("TensorFlow", 21500), ("Keras3", 30000), ("Keras3", 31200)]
LAYERS = {n: found for n, found in vars(keras.layers).items() if inspect.isclass(found) and found.__name__ == n}
PLACES = {"": keras.layers, "initializers": keras.initializers, "regularizers": keras.regularizers,
          "constraints": keras.constraints, "optimizers": keras.optimizers}


def class_of(name):
    """The installed class of a prefixed name; None for models, dtypes, "*" and what only TensorFlow has."""
    place, _, bare = name.rpartition(".")
    return getattr(PLACES.get(place), bare, None)


def parameters(found):
    """{parameter: default} of a class and of the bases that its **kwargs reach."""
    known = {}
    for base in found.__mro__:
        if "__init__" in vars(base):
            signature = inspect.signature(base.__init__).parameters
            for name, parameter in signature.items():
                known.setdefault(name, parameter.default)
            if not any(p.kind is p.VAR_KEYWORD for p in signature.values()):
                break
    return known


def takes_by_name(found, key):
    """Whether a constructor takes a key out of its **kwargs."""
    constructors = [base.__init__ for base in found.__mro__ if "__init__" in vars(base) and base is not object]
    return any(f'pop("{key}"' in inspect.getsource(constructor) for constructor in constructors)


def rows(kind):
    return [rule for rule in RULES if rule.kind == kind]


def test_the_table_is_sorted_and_says_nothing_twice():
    order = [(tables.ORDER.index(r.kind), r.of, r.key, r.line, r.first) for r in RULES]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_no_two_rows_hold_for_one_file():
    for one in RULES:
        for other in RULES:
            if one is not other and (one.kind, one.of, one.key) == (other.kind, other.of, other.key):
                same_line = one.line == other.line or "Any" in (one.line, other.line)
                assert not same_line or one.last < other.first or other.last < one.first, (one, other)


def test_values_are_json():
    for rule in rows("ABSENT"):
        json.loads(rule.value)
    for rule in rows("IDLE"):
        assert rule.value == "*" or isinstance(json.loads(rule.value), list)


def test_the_compiler_reads_it(tmp_path):
    macros = [f"#define DIALECT_{kind}(line, of, key, value, first, last) {{line, of, key}},"
              for kind in ("ABSENT", "IDLE", "RENAMED")]
    macros.append("#define DIALECT_CLASS(line, of, key, first, last) {line, of, key},")
    begin = ["enum { Any, Keras, TensorFlow, Keras3 };", "struct Row { int line; const char *of, *key; };"]
    source = tmp_path / "table.cpp"
    source.write_text("\n".join([*begin, *macros, "const Row rows[] = {", f'#include "{TABLE}"', "};", ""]))
    try:
        subprocess.run(["c++", "-std=c++20", "-fsyntax-only", source], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no c++ compiler")


@pytest.mark.parametrize("kind", ["renamed", "idle", "say"])
def test_decisions_about_keys_are_used(kind):
    wanted = "ABSENT" if kind == "say" else kind.upper()
    said = {(rule.of, rule.key) for rule in rows(wanted)}
    for entry in DECISIONS[kind]:
        for of in entry["class"]:
            assert any(a == of and entry["key"] in (b, "*") for a, b in said), (kind, of, entry["key"])


def test_decisions_about_absence_are_used():
    said = {(rule.of, rule.key, rule.value) for rule in rows("ABSENT")}
    for entry in DECISIONS["absent"]:
        for of in entry["class"]:
            prefix = of.removesuffix("*")
            fits = [a for a, b, c in said if b == entry["key"] and json.loads(c) == entry.get("value")]
            assert any(a == of or (of.endswith("*") and a.startswith(prefix)) for a in fits), entry


def test_decisions_about_classes_are_used():
    assert {(e["old"], e["new"]) for e in DECISIONS["classes"]} <= {(r.of, r.key) for r in rows("CLASS")}
    for entry in DECISIONS["lost"]:
        assert not any(r.of in entry["class"] and r.key == entry["key"] for r in rows("ABSENT"))


def test_new_names_are_known_to_keras():
    for rule in rows("RENAMED"):
        if class_of(rule.of):
            assert rule.value in parameters(class_of(rule.of)), rule
    for rule in rows("CLASS"):
        assert class_of(rule.key) or rule.key == "Functional" or rule.key.startswith("dtypes."), rule


def decided(rule):
    return any(entry["key"] == rule.key and (rule.of in entry["class"] or any(c.endswith("*") for c in entry["class"]))
               for entry in DECISIONS["absent"])


def test_absent_keys_are_keras_parameters_and_later_ones_have_its_default():
    for rule in rows("ABSENT"):
        found = class_of(rule.of)
        if found is None or decided(rule):
            continue
        known = parameters(found)
        assert rule.key in known or takes_by_name(found, rule.key), rule
        if rule.line == "Any" and rule.key in known:
            default = known[rule.key]
            default = list(default) if isinstance(default, tuple) else default
            default = "linear" if rule.key == "activation" and default is None else default
            assert json.loads(rule.value) == default, rule


def example(name):
    """A layer of that class with what it needs, or None where an example would take more than its numbers."""
    given = {"units": 3, "filters": 3, "kernel_size": 2, "rate": 0.5, "input_dim": 4, "output_dim": 3, "dims": [1],
             "n": 2, "target_shape": [2], "num_heads": 2, "key_dim": 2, "height": 2, "width": 2,
             "equation": "ab,bc->ac",
             "output_shape": [3], "axes": 1, "scale": 1.0, "stddev": 0.1, "factor": 0.1, "height_factor": 0.1,
             "width_factor": 0.1, "activation": "relu", "pool_size": 2, "shape": [4], "head_dim": 2,
             "num_query_heads": 2, "num_key_value_heads": 2}
    wrapped = {"TimeDistributed": keras.layers.Dense, "Bidirectional": keras.layers.LSTM, "RNN": keras.layers.LSTMCell,
               "SpectralNormalization": keras.layers.Dense}
    if name in wrapped:
        return LAYERS[name](wrapped[name](2))
    needed = [key for key, p in inspect.signature(LAYERS[name].__init__).parameters.items()
              if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and key != "self"]
    needed += ["shape"] if name == "InputLayer" else []
    if any(key not in given for key in needed):
        return None
    try:
        return LAYERS[name](**{key: given[key] for key in needed})
    except (ImportError, ValueError, NotImplementedError):
        return None


EXAMPLES = {name: found for name in sorted(LAYERS) if name not in ("Layer", "Wrapper") and (found := example(name))}


def test_there_are_examples_of_most_layers():
    assert len(EXAMPLES) > 100


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_absent_comes_back(name):
    """A configuration without the keys that a release did not write has all of Keras's own, and a layer comes of it."""
    config = EXAMPLES[name].get_config()
    for line, version in RELEASES:
        dialect = check.Dialect(RULES, line, version)
        less = {key: value for key, value in config.items() if key not in dialect.absent.get(name, {})}
        of, whole = dialect.translate(name, less)
        assert of == name
        assert set(whole) == set(config)
        assert set(LAYERS[name].from_config(whole).get_config()) == set(config)


# As the releases themselves wrote them, initializers and regularizers left out (none of their keys has a row).
OLD = {
    ("Keras", 20000, "Conv2D"): {
        "name": "c", "trainable": True, "batch_input_shape": [None, 8, 8, 3], "dtype": "float32", "filters": 4,
        "kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "data_format": "channels_last",
        "dilation_rate": [1, 1], "activation": "relu", "use_bias": True},
    ("Keras", 20003, "GRU"): {
        "name": "g", "trainable": True, "return_sequences": True, "go_backwards": False, "stateful": False,
        "unroll": False, "implementation": 0, "units": 4, "activation": "tanh", "recurrent_activation": "hard_sigmoid",
        "use_bias": True, "dropout": 0.0, "recurrent_dropout": 0.0},
    ("Keras", 20204, "ReLU"): {"name": "r", "trainable": True, "max_value": 6.0},
    ("Keras", 20204, "LeakyReLU"): {"name": "l", "trainable": True, "alpha": 0.2},
    ("Keras", 20204, "InputLayer"): {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "name": "x"},
    ("Keras", 20204, "Embedding"): {
        "name": "e", "trainable": True, "batch_input_shape": [None, 9], "dtype": "float32", "input_dim": 5,
        "output_dim": 2, "mask_zero": True, "input_length": 9},
    ("TensorFlow", 20400, "LSTM"): {
        "name": "l", "trainable": True, "dtype": "float32", "return_sequences": False, "return_state": False,
        "go_backwards": False, "stateful": False, "unroll": False, "time_major": False, "units": 4,
        "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "unit_forget_bias": True,
        "dropout": 0.0, "recurrent_dropout": 0.0, "implementation": 2},
    ("TensorFlow", 20400, "AveragePooling2D"): {
        "name": "p", "trainable": True, "dtype": "float32", "pool_size": [2, 2], "padding": "valid", "strides": [2, 2],
        "data_format": "channels_last"},
    ("TensorFlow", 20400, "GlobalAveragePooling1D"): {"name": "p", "trainable": True, "dtype": "float32",
                                                      "data_format": "channels_last"},
    ("TensorFlow", 21400, "DepthwiseConv2D"): {
        "name": "d", "trainable": True, "dtype": "float32", "kernel_size": [3, 3], "strides": [1, 1], "padding": "same",
        "data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1, "activation": "linear", "use_bias": True,
        "depth_multiplier": 1},
}
VALUES = {  # what the releases computed with where their files are silent
    "GRU": {"reset_after": False, "return_state": False}, "ReLU": {"negative_slope": 0.0, "threshold": 0.0},
    "LeakyReLU": {"negative_slope": 0.2}, "Conv2D": {"groups": 1}, "GlobalAveragePooling1D": {"keepdims": False},
    "InputLayer": {"batch_shape": [None, 4], "optional": False},
}


@pytest.mark.parametrize("release", OLD, ids=lambda release: f"{release[2]}-{release[1]}")
def test_old_configurations_become_keras_own(release):
    line, version, name = release
    of, config = check.Dialect(RULES, line, version).translate(name, OLD[release])
    expected = set(LAYERS[of].from_config(config).get_config())
    silent = {key for key in expected if key.endswith(("_initializer", "_regularizer", "_constraint"))}
    assert set(config) == expected - silent
    assert VALUES.get(name, {}).items() <= config.items()


def test_values_that_mean_something_stay():
    dialect = check.Dialect(RULES, "TensorFlow", 20400)
    assert "time_major" in dialect.translate("LSTM", {"time_major": True})[1]
    assert "groups" in dialect.translate("DepthwiseConv2D", {"groups": 2})[1]
    assert "virtual_batch_size" in dialect.translate("BatchNormalization", {"virtual_batch_size": 8})[1]
    assert "decay" in dialect.translate("optimizers.Adam", {"decay": 0.1})[1]


def test_what_the_table_does_not_know_is_named():
    model = {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": {"name": "l", "mystery": 1}}]}
    found = list(check.faults(model, "2.2.4", RULES, check.installed_target()))
    assert any("LSTM.mystery" in line for line in found)
    assert any("LSTM.units" in line for line in found)
