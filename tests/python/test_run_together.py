"""A sample that makes a common run fail is found."""

from dataclasses import dataclass

import pytest

from run_together import result_of, run_together


@dataclass
class Sample:
    name: str
    is_bad: bool = False


def run(samples):
    if bad := [sample.name for sample in samples if sample.is_bad]:
        raise ValueError(f"{bad[0]} is bad")
    return {sample.name: sample.name.upper() for sample in samples}


def test_a_run_that_succeeds_is_the_only_one():
    runs = []
    results = run_together([Sample("a"), Sample("b")], lambda samples: runs.append(samples) or run(samples))
    assert results == {"a": "A", "b": "B"} and len(runs) == 1


def test_a_bad_sample_fails_alone():
    samples = [Sample(str(i), is_bad=i in (3, 17)) for i in range(40)]
    results = run_together(samples, run)
    for sample in samples:
        if sample.is_bad:
            with pytest.raises(ValueError, match=f"^{sample.name} is bad$"):
                result_of(results, sample)
        else:
            assert result_of(results, sample) == sample.name


def test_where_all_are_bad_the_search_ends():
    runs = []
    samples = [Sample(str(i), is_bad=True) for i in range(500)]
    results = run_together(samples, lambda part: runs.append(part) or run(part), patience=3)
    assert len(runs) < 20 and len(results) == 500
    with pytest.raises(AssertionError, match="not run, since these fail: 0, 1, 2"):
        result_of(results, samples[400])
