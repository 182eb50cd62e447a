"""Random graphs of the layers: real Keras and LibTorch give what PyTorch does, and every bit comes home. tools/random_graphs.py
takes more of them."""

import pytest

from program import needs_libtorch, needs_program
from random_graph_checks import faults_of, outcome_by_seed
from registry_samples import needs_registry

pytestmark = [needs_program, needs_libtorch, needs_registry]
SEEDS = range(60)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return outcome_by_seed(faults_of, SEEDS, tmp_path_factory)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_graph_gives_the_same_everywhere(seed, outcome):
    faults, _ = outcome
    assert seed not in faults, faults[seed]


def test_few_graphs_are_refused(outcome):
    """What is refused is not compared."""
    _, refused = outcome
    assert len(refused) <= len(SEEDS) // 20, "\n".join(refused.values())
