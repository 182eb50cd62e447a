"""No list of exceptions among these tests grows."""

import importlib
import re
from pathlib import Path

import pytest

from exception_counts import COUNTS
from registry_samples import needs_registry

HERE = Path(__file__).parent
PATTERN = re.compile(r"^([A-Z_]*(?:LEFT_OUT|EXCEPTIONS|EXEMPT|NOT_|NO_|ONLY|OTHERWISE|INEXACT|BUGS)[A-Z_]*) =", re.M)
counted = pytest.mark.parametrize("name", COUNTS)
pytestmark = needs_registry  # some lists are of its samples


def exceptions(name):
    module, _, attribute = name.partition(".")
    return getattr(importlib.import_module(module), attribute)


@counted
def test_a_list_of_exceptions_does_not_grow(name):
    assert len(exceptions(name)) <= COUNTS[name], f"{name} has grown: what is new in it is to fit the rule instead"


@counted
def test_a_list_of_exceptions_that_shrinks_stays_short(name):
    assert len(exceptions(name)) >= COUNTS[name], f"{name} has shrunk to {len(exceptions(name))}: say so in exception_counts.py"


def test_every_list_of_exceptions_is_counted():
    found = {f"{path.stem}.{name}" for path in HERE.glob("*.py") for name in PATTERN.findall(path.read_text())}
    assert sorted(found - set(COUNTS)) == []


def test_no_test_is_expected_to_fail():
    marks = [path.name for path in HERE.glob("test_*.py") if re.search(r"\bxfail\(|mark\.xfail", path.read_text()) and path != Path(__file__)]
    assert marks == []
