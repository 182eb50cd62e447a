"""What the classes of one release take and write: read from the text of its modules, nothing of which is run."""

import ast
from dataclasses import dataclass, field


class Unknown:
    """A default that is no literal (`K.floatx()`, a required parameter): only its text is known."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"<{self.text}>"

    def __eq__(self, other):
        return isinstance(other, Unknown) and other.text == self.text

    def __hash__(self):
        return hash(self.text)


REQUIRED = Unknown("required")


@dataclass
class Class:
    name: str
    module: str
    node: ast.ClassDef
    methods: dict = field(default_factory=dict)


class Module:
    """One file's classes, and what its imports call by which name."""

    def __init__(self, path, text):
        self.path = path
        self.classes, self.imports = {}, {}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found = Class(node.name, path, node)
                for part in node.body:
                    if isinstance(part, ast.FunctionDef):
                        found.methods.setdefault(part.name, part)
                self.classes.setdefault(node.name, found)
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    dots = self.path.split("/")[: -node.level] if node.level else []
                    self.imports[name.asname or name.name] = (
                        "/".join(dots + (node.module or "").split(".")).strip("/"), name.name)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    if name.asname:
                        self.imports[name.asname] = tuple(name.name.replace(".", "/").rsplit("/", 1))


class Sources:
    """The modules of one release."""

    def __init__(self, texts):
        self.modules = {}
        self.unread = []
        for path, text in sorted(texts.items()):
            try:
                self.modules[path] = Module(path, text)
            except SyntaxError as error:
                self.unread.append(f"{path}: {error}")
        self.by_name = {}
        for module in self.modules.values():
            for name, found in module.classes.items():
                self.by_name.setdefault(name, []).append(found)

    # -- names of classes

    def _in_package(self, place, name):
        """The class `name` of the module or package `place`."""
        named = self.by_name.get(name, ())
        inside = [c for c in named if c.module.removesuffix(".py").removesuffix("/__init__") == place]
        below = [c for c in named if c.module.startswith(place + "/")]
        return (inside or below or [None])[0]

    def _resolve(self, expression, module):
        if isinstance(expression, ast.Call) or isinstance(expression, ast.Subscript):
            return None
        if isinstance(expression, ast.Name):
            name, local = expression.id, module.classes.get(expression.id)
            if local:
                return local
            place, name = module.imports.get(name, ("", name))
        elif isinstance(expression, ast.Attribute):
            name, place = expression.attr, ""
            if isinstance(expression.value, ast.Name) and expression.value.id in module.imports:
                place = "/".join(part for part in module.imports[expression.value.id] if part)
        else:
            return None
        found = self._in_package(place, name) if place else None
        if found or name == "object":
            return found
        others = [c for c in self.by_name.get(name, ()) if c.module != module.path and "/saving/" not in c.module]
        return others[0] if others else None

    def lineage(self, of):
        """The class and its bases in the order in which methods are looked for."""
        order = [of]
        for base in of.node.bases:
            found = self._resolve(base, self.modules[of.module])
            if found and found is not of:
                order += self.lineage(found)
        return [c for i, c in enumerate(order) if c not in order[i + 1:]]

    # -- constructors

    def parameters(self, of):
        """{parameter: default} of the constructor, with what it hands on to its bases by **kwargs."""
        return self._parameters(self.lineage(of), 0)

    def _parameters(self, lineage, start):
        for i in range(start, len(lineage)):
            constructor = lineage[i].methods.get("__init__")
            if constructor:
                return self._of_constructor(constructor, lineage, i)
        return {}

    def _of_constructor(self, constructor, lineage, i):
        arguments = constructor.args
        positional = (arguments.posonlyargs + arguments.args)[1:]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
        taken = {a.arg: literal(d) for a, d in zip(positional, defaults)}
        taken |= {a.arg: literal(d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults)}
        if not arguments.kwarg:
            return taken
        rest = arguments.kwarg.arg
        for node in ast.walk(constructor):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            called = node.func
            if _is_name(called.value, rest) and called.attr in ("pop", "get"):
                if isinstance(node.args[0], ast.Constant):
                    taken.setdefault(node.args[0].value, literal(node.args[1]) if len(node.args) > 1 else REQUIRED)
            elif called.attr == "__init__" and any(k.arg is None and _is_name(k.value, rest) for k in node.keywords):
                after = self._parameters(lineage, i + 1) if _is_super(called.value) else {}
                if not _is_super(called.value):
                    base = self._resolve(called.value, self.modules[lineage[i].module])
                    after = self.parameters(base) if base else {}
                said = {k.arg for k in node.keywords if k.arg}
                for name, default in list(after.items())[len(node.args) if _is_super(called.value) else 0:]:
                    if name not in said:
                        taken.setdefault(name, default)
        return taken

    # -- configurations

    def written(self, of):
        """{key: whether it is always written} of get_config, or None for a class that has none."""
        return _Configuration(self, self.lineage(of)).of("get_config", 0)


def literal(node):
    if node is None:
        return REQUIRED
    try:
        return ast.literal_eval(node)
    except ValueError:
        return Unknown(ast.unparse(node))


def _is_name(node, name):
    return isinstance(node, ast.Name) and node.id == name


def _is_super(node):
    return isinstance(node, ast.Call) and _is_name(node.func, "super")


def _marked_default(function):
    return any(isinstance(d, ast.Attribute) and d.attr == "default" for d in function.decorator_list)


class _Configuration:
    """Follows the dictionaries that a get_config puts together: which keys they have, not what they hold."""

    def __init__(self, sources, lineage):
        self.sources, self.lineage = sources, lineage

    def of(self, method, start):
        for i in range(start, len(self.lineage)):
            function = self.lineage[i].methods.get(method)
            if function:
                keys = _Body(self, function, i).run()
                if start == 0 and method == "get_config" and _marked_default(function) and self._notes_arguments():
                    keys = {name: False for name in self._own_arguments()} | keys
                return keys
        return None if start == 0 else {}

    def _notes_arguments(self):
        """Whether the base class writes the arguments that a class without a get_config was constructed with."""
        written = [c.methods["get_config"] for c in self.lineage if "get_config" in c.methods]
        return any("_auto_config" in ast.dump(function) for function in written)

    def _own_arguments(self):
        for of in self.lineage:
            if "__init__" in of.methods:
                arguments = of.methods["__init__"].args
                return [a.arg for a in (arguments.posonlyargs + arguments.args)[1:] + arguments.kwonlyargs]
        return []


class _Body:
    def __init__(self, configuration, function, place):
        self.configuration, self.place, self.function = configuration, place, function
        self.variables, self.results = {}, []

    def run(self):
        self._block(self.function.body, True)
        merged = {}
        for result in self.results:
            for key, always in result.items():
                merged[key] = merged.get(key, True) and always and all(key in other for other in self.results)
        return merged

    def _block(self, statements, always):
        for statement in statements:
            self._statement(statement, always)

    def _statement(self, s, always):
        if isinstance(s, ast.Return):
            self.results.append(self._keys(s.value) if s.value else {})
        elif isinstance(s, ast.Assign):
            for target in s.targets:
                self._assign(target, s.value, always)
        elif isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Attribute):
            self._call(s.value, always)
        elif isinstance(s, ast.Delete):
            for target in s.targets:
                if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                    self._remove(target.value, target.slice.value, always)
        elif isinstance(s, ast.If):
            self._block(s.body, False)
            self._block(s.orelse, False)
        elif isinstance(s, (ast.For, ast.While)):
            self._block(s.body, False)
        elif isinstance(s, (ast.With, ast.Try)):
            self._block(s.body, always)

    def _assign(self, target, value, always):
        if isinstance(target, ast.Name):
            keys = self._keys(value)
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "pop":
                self._call(value, always)
                keys = {}
            if always:
                self.variables[target.id] = dict(keys)
            else:
                self._add(target.id, keys, False)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            if isinstance(target.slice, ast.Constant) and target.value.id in self.variables:
                self._add(target.value.id, {target.slice.value: True}, always)

    def _call(self, call, always):
        if not isinstance(call.func.value, ast.Name):
            return
        name = call.func.value.id
        if call.func.attr == "update":
            keys = {}
            for argument in call.args:
                keys |= self._keys(argument)
            keys |= {k.arg: True for k in call.keywords if k.arg}
            self._add(name, keys, always)
        elif call.func.attr == "pop" and call.args and isinstance(call.args[0], ast.Constant):
            self._remove(call.func.value, call.args[0].value, always)

    def _add(self, name, keys, always):
        known = self.variables.setdefault(name, {})
        for key, sure in keys.items():
            known[key] = known.get(key, False) or (sure and always)

    def _remove(self, where, key, always):
        if isinstance(where, ast.Name) and key in self.variables.get(where.id, {}):
            if always:
                del self.variables[where.id][key]
            else:
                self.variables[where.id][key] = False

    def _keys(self, e):
        """The keys of what an expression gives; {} for what is no dictionary that is known."""
        if isinstance(e, ast.Dict):
            keys = {}
            for key, value in zip(e.keys, e.values):
                if key is None:
                    keys |= self._keys(value)
                elif isinstance(key, ast.Constant):
                    keys[key.value] = True
            return keys
        if isinstance(e, ast.Name):
            return dict(self.variables.get(e.id, {}))
        if isinstance(e, ast.BinOp):
            return self._keys(e.left) | self._keys(e.right)
        if isinstance(e, ast.IfExp):
            return {key: False for key in self._keys(e.body) | self._keys(e.orelse)}
        if isinstance(e, ast.Call):
            return self._keys_of_call(e)
        return {}

    def _keys_of_call(self, e):
        if isinstance(e.func, ast.Attribute):
            value, attribute = e.func.value, e.func.attr
            if _is_super(value):
                start = self.place
                if value.args and isinstance(value.args[0], ast.Name):
                    names = [c.name for c in self.configuration.lineage]
                    start = names.index(value.args[0].id, 0) if value.args[0].id in names else start
                    start = max(start, self.place)
                return dict(self.configuration.of(attribute, start + 1) or {})
            if _is_name(value, "self"):
                if any(attribute in c.methods for c in self.configuration.lineage) and attribute != self.function.name:
                    return dict(self.configuration.of(attribute, 0) or {})
                return {}
            if attribute == "get_config" and e.args and _is_name(e.args[0], "self"):
                base = self.configuration.sources._resolve(
                    value, self.configuration.sources.modules[self.configuration.lineage[self.place].module])
                return dict(self.configuration.sources.written(base) or {}) if base else {}
            if attribute in ("items", "copy"):
                return self._keys(value)
        keys = {}
        if _is_name(e.func, "dict") or _is_name(e.func, "list") or (
                isinstance(e.func, ast.Attribute) and e.func.attr in ("deepcopy", "chain")):
            for argument in e.args:
                keys |= self._keys(argument)
            keys |= {k.arg: True for k in e.keywords if k.arg}
            for k in e.keywords:
                if k.arg is None:
                    keys |= self._keys(k.value)
        return keys
