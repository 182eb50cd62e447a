#!/usr/bin/env python3
"""Random Keras models of models through the program, as tests/python/test_nested_models.py has a few: LibTorch predicts what Keras does,
and configuration and weights come home. Run with the tests' Python: .venv/bin/python tools/random_nested_models.py --count 1000"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "python"))
from random_nested_models import fault_of  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    faults = 0
    for seed in range(options.first, options.first + options.count):
        with tempfile.TemporaryDirectory() as folder:
            if fault := fault_of(seed, Path(folder)):
                faults += 1
                print(f"seed {seed}: {fault[:600]}", flush=True)
    print(f"{options.count} models, {faults} with a difference")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
