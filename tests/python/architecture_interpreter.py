"""An interpreter of the architecture JSON: exported graphs are run by it and compared with the module itself."""

import functools
import json
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torch_helpers import exporter


def size_at(value, symbols):
    """Attributes with their sizes worked out: "2*length + 1" at the run's sizes."""
    if isinstance(value, list):
        return [size_at(item, symbols) for item in value]
    if isinstance(value, str) and set(re.findall(r"[A-Za-z_]\w*", value)) <= set(symbols) and re.search(r"\w", value):
        return eval(value, {"__builtins__": {}}, dict(symbols))
    return value


def slice_(x, dim, start=None, end=None, step=None):
    return x[(slice(None),) * dim + (slice(start, end, step),)]


SPECIAL = {
    "cat": lambda *xs, **a: torch.cat(xs, **a),
    "stack": lambda *xs, **a: torch.stack(xs, **a),
    "view": lambda x, shape: x.reshape(shape),  # a contiguous() before it is no entry
    "expand": lambda x, size: x.expand(size),
    "repeat": lambda x, repeats: x.repeat(repeats),
    "to": lambda x, dtype: x.to(getattr(torch, dtype)),
    "slice": slice_,
    "einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    "split": lambda x, split_size, dim=0: torch.split(x, split_size, dim),
    "arange": lambda end: torch.arange(end),
    "new_tensor": lambda x, data, shape, dtype=torch.float32: torch.tensor(data, dtype=dtype).view(shape),
    "index_select": lambda x, index, dim: x.index_select(dim, torch.as_tensor(index)),
    "pow": lambda *xs, **a: torch.pow(a.pop("self"), xs[0]) if "self" in a else torch.pow(*xs, **a),
}


def function_for(name):
    if name in SPECIAL:
        return SPECIAL[name]
    return next(getattr(home, name) for home in (torch, F, torch.Tensor) if hasattr(home, name))


def attend(module, settings, query, key, value, **masks):
    settings = dict(settings)
    if settings.pop("use_causal_mask", False):
        assert "attn_mask" not in masks
        masks["attn_mask"] = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).triu(1)
    return [y for y in module(query, key, value, **masks, **settings) if y is not None]


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for item in value.values() for t in flat(item)]
    return [t for item in value for t in flat(item)] if isinstance(value, (list, tuple)) else []


def symbol_in(size):
    """The factor and the name in "2*height", or in "height"."""
    factor, _, name = size.rpartition("*")
    return int(factor or 1), name


def interpret(architecture, state, inputs):
    symbols = {}
    for declared in architecture["inputs"]:
        x = inputs[declared["name"]]
        assert str(x.dtype) == "torch." + declared["dtype"]
        assert x.dim() == len(declared["shape"])
        for size, declared_size in zip(x.shape, declared["shape"]):
            if isinstance(declared_size, str):
                factor, name = symbol_in(declared_size)
                assert symbols.setdefault(name, size // factor) * factor == size
            else:
                assert size == declared_size
    values = {name: [x] for name, x in inputs.items()}
    modules, settings_of = {}, {}
    previous = architecture["inputs"][0]["name"]
    value = lambda name: values[name.partition(":")[0]][int(name.partition(":")[2] or 0)]  # noqa: E731
    used = set()
    for layer in architecture["layers"]:
        args = [value(name) for name in layer.get("inputs", [previous])]
        kwargs = {name: value(v) for name, v in layer.get("named_inputs", {}).items()}
        attributes = layer.get("attributes", {})
        attributes = {k: size_at(v, symbols) for k, v in attributes.items()}
        if "call" in layer:
            function = modules[layer["call"]]
            settings = settings_of.get(layer["call"], {}) | attributes
        elif hasattr(nn, layer["type"]):
            attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in attributes.items()}
            settings = {k: attributes.pop(k) for k in ("need_weights", "average_attn_weights", "use_causal_mask", "is_causal") if k in attributes}
            settings_of[layer["name"]] = settings
            function = modules[layer["name"]] = getattr(nn, layer["type"])(**attributes).eval()
            own = {k.removeprefix(layer["name"] + "."): v for k, v in state.items() if k.startswith(layer["name"] + ".")}
            used |= {layer["name"] + "." + k for k in own}
            function.load_state_dict(own)
        else:
            name = layer["type"]
            if "dtype" in attributes and name != "to":
                attributes["dtype"] = getattr(torch, attributes["dtype"])
            function = lambda *a, name=name, attributes=attributes, **k: function_for(name)(*a, **attributes, **k)  # noqa: E731
        if isinstance(function, (nn.LSTM, nn.LSTMCell)) and len(args) == 3:
            args = [args[0], tuple(args[1:])]
        if isinstance(function, nn.MultiheadAttention):
            function = functools.partial(attend, function, settings)
        values[layer["name"]] = flat(function(*args, **kwargs))
        previous = layer["name"]
    outputs = architecture["outputs"]
    others = {*architecture.get("aliases", ()), *architecture.get("unused", ())}
    assert used | others == set(state) and not used & others, "the graph uses every tensor of the state_dict"
    assert all(torch.equal(state[alias], state[name]) for alias, name in architecture.get("aliases", {}).items())
    return {k: value(v) for k, v in outputs.items()} if isinstance(outputs, dict) else [value(v) for v in outputs]


def check_form(a):
    """docs/architecture_json.md: the members, unique names, values made before they are used."""
    assert list(a)[:5] == ["h5bridge", "name", "inputs", "layers", "outputs"] and a["h5bridge"] in (1, 2)
    assert set(list(a)[5:]) <= {"aliases", "unused", "state_dict", "buffers", "frozen", "tied", "notes"}
    made, defined = set(), set()
    for x in a["inputs"]:
        assert set(x) == {"name", "shape", "dtype"} and x["name"] not in made
        assert all(isinstance(s, int) or re.fullmatch(r"([0-9]+\*)?[a-z_0-9]+", s) for s in x["shape"])
        made.add(x["name"])
    for layer in a["layers"]:
        assert ("type" in layer) != ("call" in layer)
        assert set(layer) <= {"name", "type", "call", "attributes", "inputs", "named_inputs"}
        assert layer["name"] not in made and ":" not in layer["name"]
        assert layer.get("call", layer["name"]) in defined | {layer["name"]}
        for value in [*layer.get("inputs", []), *layer.get("named_inputs", {}).values()]:
            assert value.partition(":")[0] in made
        made.add(layer["name"])
        if "type" in layer:
            defined.add(layer["name"])
    outputs = a["outputs"].values() if isinstance(a["outputs"], dict) else a["outputs"]
    assert all(value.partition(":")[0] in made for value in outputs)


def random_input(declared, sizes, high=5):
    shape = [symbol_in(s)[0] * sizes[symbol_in(s)[1]] if isinstance(s, str) else s for s in declared["shape"]]
    dtype = getattr(torch, declared["dtype"])
    return torch.randn(shape, dtype=dtype) if dtype.is_floating_point else torch.randint(0, 2 if dtype is torch.bool else high, shape).to(dtype)


@pytest.fixture
def export(tmp_path):
    """Exports, checks the form, and compares the graph with the module at several sizes; gives the JSON."""

    def run(module, example, expected=None, sizes=({},)):
        was = [(m, m.training) for m in module.modules()]
        state = {k: v.clone() for k, v in module.state_dict().items()}
        attributes = [dict(vars(m)) for m in module.modules()]
        exporter.export_architecture(module, example, tmp_path / "model.json")
        assert all(m.training == mode for m, mode in was)
        assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())
        assert [dict(vars(m)) for m in module.modules()] == attributes
        architecture = json.loads((tmp_path / "model.json").read_text())
        check_form(architecture)
        if expected is not None:
            assert [x["shape"] for x in architecture["inputs"]] == expected
        open_sizes = {symbol_in(s)[1] for x in architecture["inputs"] for s in x["shape"] if isinstance(s, str)}
        plain = exporter.modules.unwrapped(module).eval()
        torch.backends.mha.set_fastpath_enabled(False)
        for trial, base in enumerate((2, 3, 7)):
            bound = {s: base + (0 if s == "batch" else 60 + 3 * trial + i) for i, s in enumerate(sorted(open_sizes))}
            bound.update({k: v for k, v in sizes[trial % len(sizes)].items()})
            inputs = {x["name"]: random_input(x, bound) for x in architecture["inputs"]}
            with torch.no_grad():
                want = plain(**{k: v.clone() for k, v in inputs.items()})
                got = interpret(architecture, plain.state_dict(), {k: v.clone() for k, v in inputs.items()})
            if isinstance(want, dict):
                assert list(want) == list(dict.fromkeys(key.partition(".")[0] for key in got))
            assert len(flat(want)) == len(flat(got)) > 0
            for w, g in zip(flat(want), flat(got)):
                assert w.shape == g.shape and torch.equal(w, g)
        for m, mode in was:
            m.training = mode
        return architecture

    yield run
    torch.backends.mha.set_fastpath_enabled(True)


def types(architecture):
    return [layer.get("type", "call") for layer in architecture["layers"]]


def layer(architecture, name):
    return next(entry for entry in architecture["layers"] if entry["name"] == name)
