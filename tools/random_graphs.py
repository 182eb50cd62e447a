#!/usr/bin/env python3
"""Takes random graphs of the layers through PyTorch, the program, real Keras and LibTorch, and says which answers differ.

.venv/bin/python tools/random_graphs.py --count 1000 --seed 0     (seeds 0 to 999; the tests take the first 60)

With --networks the graphs are modules of PyTorch, which torch.export writes (.pt2) and the exporter describes; both are to be the
same layers.
"""

import argparse
import itertools
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "python"))

import random_graph_checks  # noqa: E402
import random_networks  # noqa: E402

AT_ONCE = 50  # graphs of one LibTorch model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="how many graphs (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (default 0)")
    parser.add_argument("--networks", action="store_true", help="as modules, by torch.export and the exporter")
    options = parser.parse_args()
    faults_of = (random_networks if options.networks else random_graph_checks).faults_of
    warnings.simplefilter("ignore")
    begun, bad, refusals = time.monotonic(), 0, 0
    for first in range(options.seed, options.seed + options.count, AT_ONCE):
        seeds = range(first, min(first + AT_ONCE, options.seed + options.count))
        with tempfile.TemporaryDirectory() as folder:
            names = itertools.count()

            def new_folder(name):
                made = Path(folder) / f"{next(names)}_{name}"
                made.mkdir()
                return made

            faults, refused, _ = faults_of(seeds, new_folder)
        for graph, found in faults.items():
            print(f"{graph}\n" + "\n".join(f"  {where}: {what}" for where, what in found))
        for graph, message in refused.items():
            print(f"{graph.name} is refused: {message}")
        bad, refusals = bad + len(faults), refusals + len(refused)
        print(f"{seeds[-1] + 1 - options.seed} graphs, {bad} differ, {refusals} refused, {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
