"""Takes published networks through the program, one a process, and keeps what came of each in docs/published_networks.md.

    python tools/published_networks [NAME...] [--seconds N] [--again]

NAMEs are beginnings ("timm/", "transformers/bert"); without any, all are meant. What has a row already is left out, so that it
may be stopped and started again; `--again` takes what did not pass once more, whose program and inputs stay in a folder of
temporary files till then. It wants torchvision, timm and transformers beside what .venv has, and no network: weights are random."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import networks
import table

ROOT = Path(__file__).resolve().parents[2]


def run(name, folder, program, limit):
    """A network's row, from a process of its own."""
    command = [sys.executable, Path(__file__).with_name("one.py"), name, folder, "--program", program]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    except subprocess.TimeoutExpired:
        return {"result": "timeout", "message": f"more than {limit} s"}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return {"result": "failed", "message": (done.stderr.strip().splitlines() or ["the process ended"])[-1][:300]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no network later than this")
    parser.add_argument("--limit", type=float, default=120, help="seconds that one network may take")
    parser.add_argument("--again", action="store_true", help="what did not pass, too")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "h5bridge")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "published_networks")
    arguments = parser.parse_args()
    began = time.monotonic()
    for name in networks.names():
        if arguments.names and not name.startswith(tuple(arguments.names)):
            continue
        known = table.read().get(name)
        if known and not (arguments.again and known["result"] != "passes"):
            continue
        if time.monotonic() - began > arguments.seconds:
            break
        row = run(name, arguments.work / name, arguments.program, arguments.limit)
        if row["result"] == "passes":  # what others left serves to look why
            shutil.rmtree(arguments.work / name, ignore_errors=True)
        table.write(table.read() | {name: row})  # another process may have written meanwhile
        print(name, row["result"], row.get("message", ""), flush=True)


if __name__ == "__main__":
    main()
