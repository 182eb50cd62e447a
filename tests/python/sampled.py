"""What is too dear for every commit: each has its turn by the commit's hash, so that all of it is run again and again."""

import functools
import os
import subprocess
import zlib
from pathlib import Path


@functools.cache
def turn(of):
    """The number of this commit's part, among so many."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    return int(done.stdout.strip()[:8] or "0", 16) % of if done.returncode == 0 else 0


def takes_all():
    """Whether all samples are asked for, whatever the commit."""
    return bool(os.environ.get("H5BRIDGE_ALL_SAMPLES"))


def has_its_turn(variable, of):
    """Whether it is run now: where the environment asks for it, and at one commit in so many."""
    return bool(os.environ.get(variable)) or turn(of) == 0


def in_turn(samples, of=9):
    """Those that are run at this commit: the first sample of each type, and of the others one in `of`. Every sample has its turn at one
    commit in so many; all have with H5BRIDGE_ALL_SAMPLES=1 in the environment."""
    if takes_all():
        return list(samples)
    return [sample for sample in samples if sample.first or zlib.crc32(sample.name.encode()) % of == turn(of)]


def networks_in_turn(networks, of):
    """One in `of` of these networks, by their names."""
    return [network for network in networks if takes_all() or zlib.crc32(network.name.encode()) % of == turn(of)]


def one_in_turn(networks):
    """The one of these large networks that is run at this commit."""
    return [network for number, network in enumerate(networks) if takes_all() or number == turn(len(networks))]
