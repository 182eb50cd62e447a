"""What is too dear for every commit: each has its turn by the commit's hash, so that all of it is run again and again."""

import os
import subprocess
from pathlib import Path


def turn(of):
    """The number of this commit's part, among so many."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    return int(done.stdout.strip()[:8] or "0", 16) % of if done.returncode == 0 else 0


def has_its_turn(variable, of):
    """Whether it is run now: where the environment asks for it, and at one commit in so many."""
    return bool(os.environ.get(variable)) or turn(of) == 0
