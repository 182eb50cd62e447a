"""Whether the table turns what real files say into exactly the keys of the target: the same rules, told in Python."""

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

import releases
from packages import TARGET, number

_ROW = re.compile(r'^DIALECT_(\w+)\((\w+), (.*), (\d+), (\d+)\)  ?//')
_TEXT = re.compile(r'R"\((.*?)\)"|"([^"]*)"')
MODELS = ("Functional", "Sequential")
_PLACES = {"_initializer": "initializers.", "_regularizer": "regularizers.", "_constraint": "constraints."}


@dataclass(frozen=True)
class Rule:
    kind: str
    line: str
    of: str
    key: str
    value: str
    first: int
    last: int

    def holds(self, line, version):
        return self.line in ("Any", line) and self.first <= version <= self.last


def rules(table):
    """The rows of a .def file; a line that is none, nor a comment, is an error."""
    found = []
    for text in Path(table).read_text().splitlines():
        if not text or text.startswith("//"):
            continue
        row = _ROW.match(text)
        said = [a or b for a, b in _TEXT.findall(row[3])] if row else []
        if len(said) != (2 if row and row[1] == "CLASS" else 3):
            raise SystemExit(f"{table}: this is no row: {text}")
        found.append(Rule(row[1], row[2], said[0], said[1], said[-1], int(row[4]), int(row[5])))
    return found


def installed_target():
    """{class: [Variant]} of the target, from the text of the installed package (it is not imported)."""
    root = Path(importlib.util.find_spec("keras").origin).parent
    said = re.search(r'__version__ = "(.*)"', (root / "src" / "version.py").read_text())[1]
    if number(said) not in TARGET.written:
        raise SystemExit(f"keras {said} is installed; the target is {TARGET.name}")
    texts = {str(path.relative_to(root.parent)): path.read_text("utf-8") for path in root.rglob("*.py")}
    return {name: found for name, found in releases.classes(texts).items() if any(v.exported for v in found)}


class Dialect:
    """The rules that hold for the files of one release."""

    def __init__(self, all_rules, line, version):
        self.classes, self.renamed, self.idle, self.absent = {}, {}, {}, {}
        for rule in all_rules:
            if not rule.holds(line, version):
                continue
            if rule.kind == "CLASS":
                self.classes[rule.of] = rule.key
            else:
                into = {"RENAMED": self.renamed, "IDLE": self.idle, "ABSENT": self.absent}[rule.kind]
                into.setdefault(rule.of, {})[rule.key] = rule.value

    def translate(self, of, config):
        """(the target's class, its configuration)"""
        of = self.classes.get(of, of)
        renamed, idle, absent = (self._of(of, table) for table in (self.renamed, self.idle, self.absent))
        new = {}
        for key, value in config.items():
            if key in idle and (idle[key] == "*" or value in json.loads(idle[key])):
                continue
            new[renamed.get(key, key)] = value
        for key, value in absent.items():
            if key not in new:
                new[key] = json.loads(value)
        return of, new

    @staticmethod
    def _of(of, table):
        prefix = of.rsplit(".", 1)[0] + "." if "." in of else ""
        every = {} if of == "InputLayer" or of in MODELS else table.get(prefix + "*", {})
        return every | table.get(of, {})


def line_of(said):
    if said.startswith("3."):
        return "Keras3"
    return "TensorFlow" if said.endswith("-tf") or number(said) >= 20400 else "Keras"


def _objects(value, prefix=""):
    """(prefixed class, config) of everything in a configuration that has a class, models' own apart."""
    if isinstance(value, list):
        for part in value:
            yield from _objects(part, prefix)
    elif isinstance(value, dict):
        inner = value.get("config")
        if "class_name" in value and isinstance(inner, (dict, list)):
            if isinstance(inner, dict):
                yield prefix + value["class_name"], inner
            yield from _objects(inner)
            return
        for key, part in value.items():
            place = next((kind for end, kind in _PLACES.items() if key.endswith(end)), "")
            yield from _objects(part, "dtypes." if key == "dtype" else place)


def faults(config, said, all_rules, target):
    """Lines that say which object of a model_config the table does not turn into the target's form."""
    dialect = Dialect(all_rules, line_of(said), number(said))
    for old, inner in _objects(config):
        of, new = dialect.translate(old, inner)
        if of in MODELS or of.startswith("dtypes."):
            continue
        if of not in target:
            yield f"{old}: Keras {TARGET.name} has no such class"
            continue
        known = {key for variant in target[of] for key in variant.written}
        needed = {key for variant in target[of] for key, always in variant.written.items() if always} - {"name"}
        for key in sorted(needed - set(new)):
            yield f"{of}.{key}: absent, and no row says what that meant in {said}"
        for key in sorted(set(new) - known):
            yield f"{of}.{key}: {json.dumps(new[key])}: no row says what to do with it in {said}"


def configurations(path):
    """(keras_version, model_config, optimizer) of an .h5 file, or of an architecture's .json."""
    if path.suffix == ".json":
        text = json.loads(path.read_text())
        config = json.loads(text) if isinstance(text, str) else text
        return config.get("keras_version", "2.0.0"), config, None
    import h5py

    with h5py.File(path) as file:
        attributes = {key: value.decode() if isinstance(value, bytes) else value for key, value in file.attrs.items()}
    if "model_config" not in attributes:
        return None
    training = json.loads(attributes.get("training_config", "{}")) or {}
    said, config = attributes.get("keras_version", "1.0.0"), json.loads(attributes["model_config"])
    return said, config, training.get("optimizer_config")


def check(paths, table):
    """Prints what is wrong; True if nothing is."""
    all_rules, target, good = rules(table), installed_target(), True
    for path in map(Path, paths):
        found = configurations(path)
        if found is None:
            print(f"{path}: no model_config")
            continue
        said, config, optimizer = found
        wrong = sorted(set(faults(config, said, all_rules, target)))
        if optimizer:
            named = {"class_name": "optimizers." + optimizer["class_name"], "config": optimizer["config"]}
            wrong += sorted(set(faults(named, said, all_rules, target)))
        print(f"{path}: Keras {said}: " + ("; ".join(wrong) or "well"))
        good &= not wrong
    return good
