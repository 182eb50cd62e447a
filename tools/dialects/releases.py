"""The classes that a release can put into a file, by kind: what their constructors take and their get_config writes."""

import ast
import re
from dataclasses import dataclass

from sources import Sources

# Where the classes of a kind are. Layers have bare names in the tables, the others a prefix: `Identity` is both a layer
# and an initializer.
_KINDS = {
    "": re.compile(r"/layers/|/engine/|/legacy/layers"),
    "initializers.": re.compile(r"/initializers|/init_ops"),
    "regularizers.": re.compile(r"/regularizers"),
    "constraints.": re.compile(r"/constraints"),
    "optimizers.": re.compile(r"/optimizer"),
}
_NOT_IN_FILES = re.compile(
    r"legacy_tf_layers|tensorflow/python/layers|legacy_rnn|legacy_cells|/saving/|/backend/|/dtensor/")
_ABSTRACT = ("Layer", "Wrapper", "Initializer", "Regularizer", "Constraint", "Optimizer", "LearningRateSchedule")


@dataclass(frozen=True)
class Variant:
    """One class of that name; a release may have two (TensorFlow's first and second versions)."""

    module: str
    written: dict
    parameters: dict
    exported: bool
    registered: str  # the package that it is registered in like a user's class: files say "Custom>Adam"


def classes(texts):
    """{prefixed class name: [Variant]}"""
    sources = Sources(texts)
    if sources.unread:
        raise SystemExit("\n".join(sources.unread))
    found = {}
    for module in sources.modules.values():
        prefix = next((kind for kind, where in _KINDS.items() if where.search(module.path)), None)
        if prefix is None or _NOT_IN_FILES.search(module.path):
            continue
        for of in module.classes.values():
            written = None if of.name.startswith("_") else sources.written(of)
            if written is not None:
                variant = Variant(module.path, written, sources.parameters(of), _exported(of.node),
                                  _registered(of.node))
                found.setdefault(prefix + of.name, []).append(variant)
    return found


def _exported(node):
    """Whether a class is exported, so that files may name it; those to be derived from are not named."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and "export" in ast.unparse(decorator.func):
            return node.name not in _ABSTRACT and "_legacy" not in ast.unparse(decorator)
    return False


def _registered(node):
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("register_keras_serializable"):
            package = decorator.args[:1] + [k.value for k in decorator.keywords if k.arg == "package"]
            return ast.literal_eval(package[0]) if package else "Custom"
    return ""
