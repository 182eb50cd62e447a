"""The versions that are read, where each is found, and their sources as text."""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One release: what it calls itself in files (`written`: 2.2.4 is 20204), and what to ask pip for."""

    line: str
    written: tuple
    requirement: str
    python: str = ""

    @property
    def name(self):
        return self.requirement.replace("==", " ")

    @property
    def file(self):
        return self.requirement.replace("==", "-") + ".zip"


def number(text):
    """2.2.4-tf -> 20204"""
    major, minor, patch = (int(part) for part in text.split("-")[0].split("."))
    return major * 10000 + minor * 100 + patch


def number_text(version):
    """20204 -> 2.2.4"""
    return f"{version // 10000}.{version // 100 % 100}.{version % 100}"


def releases(line, distribution, versions):
    return [Package(line, (number(v),), f"{distribution}=={v}") for v in versions.split()]


def tensorflow(version, python, *written):
    return Package("TensorFlow", tuple(number(v) for v in written), f"tensorflow=={version}", python)


# Every version of Keras that a file may name. TensorFlow's own Keras names the Keras that it follows; from 2.4 on the
# numbers are its own, and from 2.6 on it is the package `keras` (then `tf_keras`). TensorFlow 1.14 to 2.2 choose
# between two numbers by a switch.
PACKAGES = [
    *releases("Keras", "keras", "2.0.0 2.0.1 2.0.2 2.0.3 2.0.4 2.0.5 2.0.6 2.0.7 2.0.8 2.0.9"),
    *releases("Keras", "keras", "2.1.0 2.1.1 2.1.2 2.1.3 2.1.4 2.1.5 2.1.6"),
    *releases("Keras", "keras", "2.2.0 2.2.1 2.2.2 2.2.3 2.2.4 2.2.5 2.3.0 2.3.1"),
    tensorflow("1.4.0", "36", "2.0.8-tf"),
    tensorflow("1.5.0", "36", "2.1.2-tf"),
    tensorflow("1.6.0", "36", "2.1.3-tf"),
    tensorflow("1.7.0", "36", "2.1.4-tf"),
    tensorflow("1.8.0", "36", "2.1.5-tf"),
    tensorflow("1.9.0", "36", "2.1.6-tf"),
    tensorflow("1.12.0", "36", "2.1.6-tf"),
    tensorflow("1.13.1", "36", "2.2.4-tf"),
    tensorflow("1.14.0", "36", "2.2.4-tf", "2.3.0-tf"),
    tensorflow("1.15.0", "36", "2.2.4-tf", "2.3.0-tf"),
    tensorflow("2.0.0", "36", "2.2.4-tf", "2.3.0-tf"),
    tensorflow("2.1.0", "36", "2.2.4-tf", "2.3.0-tf"),
    tensorflow("2.2.0", "36", "2.2.4-tf", "2.3.0-tf"),
    tensorflow("2.3.0", "36", "2.4.0"),
    tensorflow("2.4.0", "36", "2.4.0"),
    tensorflow("2.5.0", "38", "2.5.0"),
    *releases("TensorFlow", "keras", "2.6.0 2.7.0 2.8.0 2.9.0 2.10.0 2.11.0 2.12.0 2.13.1 2.14.0 2.15.0"),
    *releases("TensorFlow", "tf_keras", "2.16.0 2.17.0 2.18.0 2.19.0 2.20.1 2.21.0"),
    *releases("Keras3", "keras", "3.0.0 3.1.0 3.2.0 3.3.0 3.4.0 3.5.0 3.6.0 3.7.0 3.8.0 3.9.0 3.10.0 3.11.0 3.12.0"),
    *releases("Keras3", "keras", "3.13.0 3.14.0 3.15.1"),
]
TARGET = PACKAGES[-1]

_ROOTS = ("tensorflow/python/keras/", "tensorflow/python/layers/", "tensorflow/python/ops/init_ops")
_SKIPPED = ("/applications/", "/datasets/", "/tests/", "/benchmarks/", "/api/", "/estimator/", "_test.py", "test_utils")


def _wanted(path):
    """The place of a file below its package, or None when no class can be found in it."""
    if not path.endswith(".py") or any(part in path for part in _SKIPPED):
        return None
    path = path.replace("tensorflow_core/", "tensorflow/")
    for root in _ROOTS:
        if root in path:
            return path[path.index(root):]
    parts = path.split("/")
    if parts[0].lower().startswith("keras-"):  # an archive of sources
        parts = parts[1:]
    return "/".join(parts) if parts and parts[0] in ("keras", "tf_keras") else None


def _members(archive):
    """(path, bytes) of each file of a wheel or an archive of sources."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.endswith(".py"):
                    yield name, wheel.read(name)
    else:
        with tarfile.open(archive) as sources:
            for member in sources:
                if member.isfile() and member.name.endswith(".py"):
                    yield member.name, sources.extractfile(member).read()


def _download(package, folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package.requirement]
    if package.python:
        abi = f"cp{package.python}" + ("m" if package.python < "38" else "")
        command += ["--only-binary=:all:", "--implementation=cp", "--abi", abi, "--python-version", package.python]
        command += [f"--platform=manylinux{of}_x86_64" for of in ("1", "2010", "2014")]
    done = subprocess.run(command, capture_output=True, text=True)
    found = [path for path in Path(folder).iterdir() if path.suffix in (".whl", ".gz", ".zip")]
    if done.returncode or not found:
        raise LookupError(f"{package.name} is not to be had: {done.stderr.strip().splitlines()[-1:]}")
    return found[0]


def texts(package, cache):
    """{path: text} of a release's modules; kept in `cache` (a folder) as one small archive a release."""
    kept = Path(cache) / package.file
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="dialects") as folder:
            sources = {_wanted(path): text for path, text in _members(_download(package, folder))}
        unfinished = kept.with_suffix(".part")
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in sources.items():
                if path:
                    archive.writestr(path, text)
        unfinished.rename(kept)
    with zipfile.ZipFile(kept) as archive:
        return {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
