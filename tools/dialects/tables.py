"""The rows of the dialect table: from what each release takes and writes, and from the decisions made by hand."""

import json
from dataclasses import dataclass, field

from packages import PACKAGES, TARGET
from sources import REQUIRED, Unknown

FIRST = {"Keras": 20000, "TensorFlow": 20000, "Keras3": 30000}
LAST = {"Keras": 29999, "TensorFlow": 29999, "Keras3": TARGET.written[0] - 1}
ORDER = ["CLASS", "RENAMED", "IDLE", "ABSENT"]
EVERYWHERE = (min(FIRST.values()), max(LAST.values()))


@dataclass(frozen=True, order=True)
class Row:
    kind: str
    of: str
    key: str
    line: str
    first: int
    last: int
    value: str = ""
    note: str = field(default="", compare=False)


class Undecided(Exception):
    """What neither the sources nor the decisions say: one line a case."""


class Decisions:
    """decisions.toml; remembers which of its entries were of use."""

    def __init__(self, table):
        self.table = table
        self.used = set()

    def _matches(self, kind, of, key):
        for entry in self.table.get(kind, ()):
            if entry["key"] in (key, "*") and of in entry["class"]:
                yield entry
        prefix = of.rsplit(".", 1)[0] + "." if "." in of else ""
        for entry in self.table.get(kind, ()):
            if entry["key"] == key and prefix + "*" in entry["class"]:
                yield entry

    def find(self, kind, of, key, line=None, version=None):
        for entry in self._matches(kind, of, key):
            if line and line not in entry.get("line", list(FIRST)):
                continue
            if version and not entry.get("first", 0) <= version <= entry.get("last", 99999):
                continue
            named = of if of in entry["class"] else next(c for c in entry["class"] if c.endswith("*"))
            self.used.add((kind, named, entry["key"], entry.get("first", 0), tuple(entry.get("line", ()))))
            return entry, named
        return None, None

    def unused(self):
        for kind in ("renamed", "idle", "absent"):
            for entry in self.table.get(kind, ()):
                for of in entry["class"]:
                    if (kind, of, entry["key"], entry.get("first", 0), tuple(entry.get("line", ()))) not in self.used:
                        yield f"{kind}: {of}.{entry['key']}"


class Tables:
    """`releases`: [(package, {class: [Variant]})], the last of them the target."""

    def __init__(self, releases, decisions):
        self.target = {name: found for name, found in releases[-1][1].items() if any(v.exported for v in found)}
        self.older = releases[:-1]
        self.decisions = decisions
        self.undecided = []

    def rows(self):
        rows = self._classes() + self._keys() + self._absent()
        if self.undecided:
            raise Undecided("\n".join(self.undecided))
        return sorted(set(rows), key=lambda row: (ORDER.index(row.kind), row))

    # -- the target

    def keys(self, of):
        """{key: whether always written} of the target's get_config."""
        return _merged(v.written for v in self.target[of])

    def base(self, of):
        """The key's owner for keys that every layer has: those of the class Layer."""
        return {"trainable", "dtype"} if "." not in of else set()

    def _current(self, of):
        """The target's name of an older class, None for one that is gone."""
        for entry in self.decisions.table.get("classes", ()):
            if of == entry["old"]:
                return entry["new"]
        return of if of in self.target else None

    def _each(self, of=None):
        """(package, class of the target, variant) of all older releases."""
        for package, found in self.older:
            for name, variants in found.items():
                current = self._current(name)
                if current in self.target and of in (None, current):
                    for variant in variants:
                        yield package, current, variant

    # -- classes

    def _classes(self):
        rows = []
        for entry in self.decisions.table.get("classes", ()):
            first, last = EVERYWHERE
            rows.append(Row("CLASS", entry["old"], entry["new"], entry.get("line", "Any"), entry.get("first", first),
                            entry.get("last", last), "", entry.get("why", "")))
        registered = {}
        for package, of, variant in self._each():
            if variant.registered and package.line != "Keras3":
                prefix, name = of.rpartition(".")[0], of.rpartition(".")[2]
                old = (prefix + "." if prefix else "") + f"{variant.registered}>{name}"
                versions, _ = registered.setdefault((old, of), (set(), f"{package.name}: {variant.module}"))
                versions.update(package.written)
        for (old, of), (versions, where) in registered.items():
            rows.append(Row("CLASS", old, of, "TensorFlow", *_widened(min(versions), max(versions)), "", where))
        for entry in self.decisions.table.get("row", ()):
            said = _idle_values(entry) if entry["kind"] == "IDLE" else json.dumps(entry.get("value"))
            rows.append(Row(entry["kind"], entry["class"], entry["key"], "Any", *EVERYWHERE, said, "decisions.toml"))
        return rows

    # -- keys that the target does not write

    def _keys(self):
        seen = {}
        for package, of, variant in self._each():
            target = self.keys(of)
            for key in variant.written:
                if key in target:
                    continue
                for kind in ("renamed", "idle"):
                    entry, named = self.decisions.find(kind, of, key)
                    if entry:
                        where = f"{package.name}: {variant.module}"
                        seen.setdefault((kind, named, key), (entry, set(), where))[1].update(package.written)
                        break
                else:
                    self.undecided.append(f"{of}.{key} of {package.name} ({variant.module}): Keras {TARGET.name} does "
                                          "not write it; decide it in decisions.toml (renamed, idle)")
        rows = []
        for (kind, of, key), (entry, versions, where) in seen.items():
            first, last = _widened(min(versions), max(versions))
            said = entry["to"] if kind == "renamed" else _idle_values(entry)
            rows.append(Row(kind.upper(), of, key, "Any", first, last, said, where))
        return rows

    # -- keys that only the target writes

    def _absent(self):
        rows = []
        for of in self.target:
            for key, always in self.keys(of).items():
                if key != "name" and not self._lost(of, key) and (always or self._forced(of, key)):
                    rows += self._absent_rows(of, key)
        return self._shared(rows)

    def _lost(self, of, key):
        return any(of in entry["class"] and entry["key"] == key for entry in self.decisions.table.get("lost", ()))

    def _forced(self, of, key):
        return any(of in entry["class"] and entry["key"] == key for entry in self.decisions.table.get("say", ()))

    def _absent_rows(self, of, key):
        meanings, needed = [], self._forced(of, key)
        for package, _, variant in self._each(of):
            old = self._old_name(of, key, variant)
            missing = not variant.written.get(old, False)
            needed |= missing
            for version in package.written:
                said, note = self._meaning(of, key, old, package, variant, version)
                if said is None and missing:
                    self.undecided.append(f"{of}.{key} is absent from files of {package.name} ({variant.module}), "
                                          "which has no default for it; decide it in decisions.toml (absent)")
                meanings.append((package.line, version, said, note, missing))
        return _ranges(of, key, meanings, self.undecided) if needed else []

    def _old_name(self, of, key, variant):
        """What the key is called in that release's files, or by its constructor."""
        for known in (variant.written, variant.parameters):
            if key in known:
                return key
            for entry in self.decisions.table.get("renamed", ()):
                if of in entry["class"] and entry["to"] == key and entry["key"] in known:
                    return entry["key"]
        return key

    def _meaning(self, of, key, old, package, variant, version):
        """(JSON, where that is said) of a key that a file lacks."""
        entry, _ = self.decisions.find("absent", of, key, package.line, version)
        if entry:
            return json.dumps(entry.get("value")), "decisions.toml"
        old = old if old in variant.parameters else key
        if old in variant.parameters:
            default, where = variant.parameters[old], f"{package.name}: {variant.module}"
        else:
            # The target's own default, too, where the file's release did not know the key.
            default = next((v.parameters[key] for v in self.target[of] if key in v.parameters), REQUIRED)
            where = f"{TARGET.name}: {self.target[of][0].module}"
        return (None if isinstance(default, Unknown) else json.dumps(self._spelled(of, key, default))), where

    def _spelled(self, of, key, default):
        """As the target spells it: 0 where its own default is 0.0, activation functions that are none by name."""
        own = next((v.parameters[key] for v in self.target[of] if key in v.parameters), None)
        if isinstance(own, float) and isinstance(default, int) and not isinstance(default, bool):
            return float(default)
        return "linear" if key == "activation" and default is None else default

    def _shared(self, rows):
        """What holds for every layer that lacks the key is said once, of "*"."""
        several = {}
        for row in rows:
            if row.key in self.base(row.of) and row.of != "InputLayer":
                several.setdefault((row.key, row.value), []).append(row)
        shared = []
        for (key, value), of_layers in several.items():
            if len(of_layers) > 10:
                note = "every layer but InputLayer"
                shared.append(Row("ABSENT", "*", key, "Any", *EVERYWHERE, value, note))
                rows = [row for row in rows if row not in of_layers]
        return rows + shared


def _merged(several):
    several = list(several)
    merged = {}
    for written in several:
        for key, always in written.items():
            merged[key] = merged.get(key, True) and always and all(key in other for other in several)
    return merged


def _widened(first, last):
    """To the whole of Keras 2 at its two ends, and elsewhere to the release after the last that is known."""
    later = [v for package in PACKAGES for v in package.written if v > last]
    return (20000 if first <= 20008 else first), (29999 if 22100 <= last < 30000 else min(later, default=last + 1) - 1)


def _idle_values(entry):
    return "*" if "values" not in entry else json.dumps([None if v == "null" else v for v in entry["values"]])


def _ranges(of, key, meanings, undecided):
    """The fewest rows that say what absence meant in each line and version; versions that say nothing fit any."""
    said = {m[2] for m in meanings if m[2] is not None}
    if len(said) == 1:
        first = next(m for m in meanings if m[2] is not None)
        return [Row("ABSENT", of, key, "Any", *EVERYWHERE, first[2], first[3])]
    rows = []
    for line in FIRST:
        runs = []
        of_line = sorted((m for m in meanings if m[0] == line and m[2] is not None), key=lambda m: m[1])
        for version in sorted({m[1] for m in of_line}):
            here = [m for m in of_line if m[1] == version]
            # Of two variants, the one that does not write the key is the one whose files lack it.
            here = [m for m in here if m[4]] or here
            if len({m[2] for m in here}) > 1:
                if here[0][4]:
                    undecided.append(f"{of}.{key} is absent from files of {line} {version}, its default being one of "
                                     f"{sorted({m[2] for m in here})}; decide it in decisions.toml (absent)")
                continue
            if runs and runs[-1][1] == here[0][2]:
                continue
            runs.append((version, here[0][2], here[0][3]))
        for i, (version, value, note) in enumerate(runs):
            first = FIRST[line] if i == 0 else version
            last = runs[i + 1][0] - 1 if i + 1 < len(runs) else LAST[line]
            rows.append(Row("ABSENT", of, key, line, first, last, value, note))
    return rows
