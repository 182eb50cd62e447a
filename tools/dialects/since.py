"""From which TensorFlow on tf.keras takes a class of the target, and each of its keys: for writing its files."""

import ast
from dataclasses import dataclass

from packages import number_text

# What every layer of tf.keras takes through its base, and what stands in no file of the target.
_ALWAYS = {"name", "trainable", "dtype", "autocast", "input_dim", "input_shape"}
NEVER = 0


@dataclass(frozen=True, order=True)
class Since:
    """`key` is "" for the class itself. `absent` is what tf.keras does without the key, as JSON; "" if versions differ."""

    of: str
    key: str
    first: int
    absent: str = ""


def release(package):
    """The TensorFlow whose Keras it is, 2.4.0 as 20400: tf.keras follows its number, however files call it."""
    return sum(int(part) * of for part, of in zip(package.requirement.split("==")[1].split("."), (10000, 100, 1)))


def rows(tables, found, sources):
    """`found` is derive's [(package, {class: [Variant]})]; `sources` {package: {path: text}} of tf.keras's."""
    of_tensorflow = sorted(((p, f) for p, f in found if p.line == "TensorFlow"), key=lambda pair: release(pair[0]))
    result = []
    for of in sorted(tables.target):
        has = [(p, v) for p, v in ((p, _variants(tables, f, of)) for p, f in of_tensorflow) if v]
        first = _first([p for p, _ in of_tensorflow], [p for p, _ in has])
        if first is None:
            continue
        result.append(Since(of, "", release(first)))
        later = [(p, v) for p, v in has if release(p) >= release(first)]
        result += _keys(tables, of, later)
    return result + list(_activations([(p, sources[p]) for p, _ in of_tensorflow]))


def _variants(tables, found, of):
    return [v for name, variants in found.items() if tables._current(name) == of for v in variants]


def _first(packages, having):
    """The package from which on all have it; None where the last one has not."""
    first = None
    for package in packages:
        first = (first or package) if package in having else None
    return first


def _keys(tables, of, later):
    packages = [p for p, _ in later]
    written = list(tables.keys(of)) + [key for v in tables.target[of] for key in v.parameters]
    for key in dict.fromkeys(written):  # also what its constructor takes and its get_config does not write
        if key in _ALWAYS or (of.startswith("optimizers.") and key == "learning_rate"):
            continue
        taking = [p for p, variants in later if any(_takes(tables, of, key, v) for v in variants)]
        first = _first(packages, taking)
        if first is packages[0]:
            continue
        yield Since(of, key, release(first) if first else NEVER, _absent(tables, of, key, later))


def _takes(tables, of, key, variant):
    return tables._old_name(of, key, variant) in variant.parameters or key in variant.parameters


def _absent(tables, of, key, later):
    """What constructors without the argument do; those that do not know it compute as the target by its default."""
    said = set()
    for package, variants in later:
        for variant in variants:
            old = tables._old_name(of, key, variant)
            said |= {tables._meaning(of, key, old, package, variant, version)[0] for version in package.written}
    return said.pop() or "" if len(said) == 1 else ""


def _activations(texts):
    """Functions of activations.py, whatever they are called by."""
    functions = [(p, {name for path, text in t.items() if path.endswith("/activations.py") for name in _functions(text)})
                 for p, t in texts]
    for name in sorted(functions[-1][1]):
        first = _first([p for p, _ in functions], [p for p, names in functions if name in names])
        yield Since("activations." + name, "", release(first))


def _functions(text):
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in functions if node.args.args and node.args.args[0].arg == "x"}


def written(row):
    note = "never" if row.first == NEVER else number_text(row.first)
    if not row.key:
        return f'SINCE_CLASS("{row.of}", {row.first})  // {note}'
    absent = f'R"({row.absent})"' if '"' in row.absent else f'"{row.absent}"'
    return f'SINCE_KEY("{row.of}", "{row.key}", {absent}, {row.first})  // {note}'
