"""Derives the tables of src/keras/dialects/ from the sources of each Keras that wrote files (README.md)."""

import argparse
import sys
import tomllib
from pathlib import Path

import check
import packages
import releases
import since
import tables

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent.parent / "src" / "keras" / "dialects" / "dialects.def"
SINCE = "keras_2_since.def"  # beside it

HEADER = """\
// How files of older Kerases are told in the form of Keras {target}: by tools/dialects/derive.py, from
{read}.
// Rows, sorted by kind, class, key. A class is a layer's, or has the prefix of its kind (initializers., regularizers.,
// constraints., optimizers., dtypes.). "*" is every layer but InputLayer and models, "initializers.*" any initializer;
// rows of the class itself go first. Lines: Keras (2.0 to 2.3), TensorFlow (tf.keras, keras 2.4 to 2.15, tf_keras),
// Keras3, Any. Versions are those that files name, 2.2.4 as 20204, first and last included.
//   DIALECT_ABSENT(line, class, key, value, first, last)         a file without the key meant this value (JSON)
//   DIALECT_CLASS(line, old, new, first, last)                   the class has another name, its keys are the same
//   DIALECT_IDLE(line, class, key, values, first, last)          the key goes if its value is one of these, or for "*"
//   DIALECT_RENAMED(line, class, old_key, new_key, first, last)  the key has another name
// Keys keep the names of the new class. Order: CLASS, RENAMED, IDLE, ABSENT.
"""

SINCE_HEADER = """\
// What tf.keras takes of what Keras {target} writes: by tools/dialects/derive.py. Versions are TensorFlow's, 2.4.0 as
// 20400; the first that is known is 1.4.0. A class without a row is in no tf.keras; a key without a row is taken by
// each that has the class.
//   SINCE_CLASS(class, first)             a class, or one of the functions of activations.py
//   SINCE_KEY(class, key, absent, first)  the first that takes the key, 0 if none does; what each does that is not given
//                                         it (JSON), "" where they differ
"""


def collected(cache):
    """[(package, {class: [Variant]})] of all that can be had, and {package: its texts}; says what cannot."""
    found, sources = [], {}
    for package in packages.PACKAGES:
        try:
            texts = packages.texts(package, cache)
        except LookupError as error:
            print(error, file=sys.stderr)
            continue
        found.append((package, releases.classes(texts)))
        sources[package] = texts
        print(f"{package.name:20} {len(found[-1][1]):4} classes", file=sys.stderr)
    return found, sources


def quoted(text):
    return f'R"({text})"' if '"' in text else f'"{text}"'


def written(row):
    raw = quoted(row.value)
    place = f"{row.first}, {row.last}"
    if row.kind == "ABSENT" or row.kind == "IDLE":
        text = f'DIALECT_{row.kind}({row.line}, "{row.of}", "{row.key}", {raw}, {place})'
    elif row.kind == "RENAMED":
        text = f'DIALECT_RENAMED({row.line}, "{row.of}", "{row.key}", "{row.value}", {place})'
    else:
        text = f'DIALECT_CLASS({row.line}, "{row.of}", "{row.key}", {place})'
    return f"{text}  // {_short(row.note)}" if row.note else text


_FOLDERS = ("tensorflow/python/keras/_impl/keras/", "tensorflow/python/keras/", "keras/src/", "tf_keras/src/", "keras/")


def _short(note):
    """Without the folders that every file of that release is in."""
    for folder in _FOLDERS:
        note = note.replace(": " + folder, " ")
    return note.replace("preprocessing/image_preprocessing/", "preprocessing/.../")


def table(rows, found):
    lines = {}
    for package, _ in found:
        name, version = package.name.split()
        lines.setdefault(f"{name} of line {package.line}", []).append(version)
    read = ";\n".join("// " + name + ": " + ", ".join(versions) for name, versions in lines.items())
    folded = []
    for line in read.split("\n"):
        while len(line) > 118:
            at = line.rindex(" ", 0, 118)
            folded.append(line[:at])
            line = "//  " + line[at:]
        folded.append(line)
    header = HEADER.format(target=packages.number_text(packages.TARGET.written[0]), read="\n".join(folded))
    return header + "\n" + "\n".join(written(row) for row in rows) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", default="/tmp/h5bridge-dialects", help="folder of sources (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=TABLE)
    parser.add_argument("--check", nargs="+", metavar="FILE", help="derive nothing, try the table on .h5, .json files")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(0 if check.check(arguments.check, arguments.output) else 1)
    found, sources = collected(arguments.cache)
    decisions = tables.Decisions(tomllib.loads((HERE / "decisions.toml").read_text()))
    try:
        derived = tables.Tables(found, decisions)
        rows = derived.rows()
    except tables.Undecided as error:
        raise SystemExit(str(error)) from None
    for unused in decisions.unused():
        print(f"decisions.toml, nothing needs this: {unused}", file=sys.stderr)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(table(rows, found))
    print(f"{arguments.output}: {len(rows)} rows", file=sys.stderr)
    taken = since.rows(derived, found, sources)
    header = SINCE_HEADER.format(target=packages.number_text(packages.TARGET.written[0]))
    arguments.output.with_name(SINCE).write_text(header + "\n" + "\n".join(map(since.written, taken)) + "\n")
    print(f"{SINCE}: {len(taken)} rows", file=sys.stderr)


if __name__ == "__main__":
    main()
