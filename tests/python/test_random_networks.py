"""Random networks of PyTorch: what torch.export writes of them (.pt2) is what the exporter describes, Keras and LibTorch give what
PyTorch does, and every bit comes home. tools/random_graphs.py --networks takes more of them."""

import pytest

from program import needs_libtorch, needs_program
from random_graph_checks import outcome_by_seed
from random_networks import faults_of
from registry_samples import needs_registry
from sampled import turn

pytestmark = [needs_program, needs_libtorch, needs_registry]
SEEDS = range(turn(3), 60, 3)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return outcome_by_seed(faults_of, SEEDS, tmp_path_factory)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_network_is_the_same_by_both_ways_and_everywhere(seed, outcome):
    faults, _ = outcome
    assert seed not in faults, faults[seed]


def test_few_networks_are_refused(outcome):
    """What is refused is not compared."""
    _, refused = outcome
    assert len(refused) <= len(SEEDS) // 10, "\n".join(refused.values())
