"""Measures conversion, loading and prediction beside what others take for the same, in one run.

    tools/bench [convert] [load] [predict] [NETWORK...] [-o results.json] [--page FOLDER] [--peers PYTHON]

Without names, all of it. `--peers` is a Python that has other engines beside PyTorch (TensorFlow, JAX, OpenVINO, ONNX
Runtime) and Keras; those that it lacks are left out, and that is said."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import conversion
import loading
import page
import picture
import prediction
from turns import Report

PARTS = {"convert": conversion.measure, "load": loading.measure, "predict": prediction.measure}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts, and networks of prediction; all without any")
    parser.add_argument("-o", "--output", type=Path, help="keep the numbers as JSON")
    parser.add_argument("--page", type=Path, metavar="FOLDER", help="write benchmarks.md and benchmarks.svg there, as docs/ has them")
    parser.add_argument("--peers", type=Path, default=Path(sys.executable), metavar="PYTHON", help="a Python with other engines")
    options = parser.parse_args()
    parts = [name for name in PARTS if name in options.names] or list(PARTS)
    networks = [name for name in options.names if name not in PARTS]
    files = [path and path.absolute() for path in (options.output, options.page)]
    if options.page:
        files[1].mkdir(parents=True, exist_ok=True)  # not after an hour
    peers = options.peers.absolute()
    os.chdir(os.environ.get("BENCH_FOLDER") or tempfile.mkdtemp())
    report = Report()
    for part in parts:
        print(f"\n{part}", flush=True)
        PARTS[part](report, peers=peers, networks=networks)
    if files[0]:
        files[0].write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if files[1]:
        (files[1] / "benchmarks.md").write_text(page.of(report))
        (files[1] / "benchmarks.svg").write_text(picture.of(report))


if __name__ == "__main__":
    main()
