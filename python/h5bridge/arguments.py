"""Arguments whose type is another than what a function takes: an error that names the argument and what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

from .errors import UsageError


class WrongType(UsageError, TypeError):
    """A UsageError for an argument of a wrong type, which Python calls a TypeError."""


def wrong_type(name: str, value: Any, expected: str) -> WrongType:
    """The error that says so."""
    shown = repr(value)
    if len(shown) > 60 or "\n" in shown:
        found = f"of type {type(value).__qualname__}"
    else:
        found = shown if value is None else f"{shown} ({type(value).__qualname__})"
    return WrongType(f"{name} is {found}, expected {expected}")


def expect(name: str, value: Any, kinds: type | tuple[type, ...], expected: str) -> Any:
    """`value`, which must be of one of `kinds`; True and False are no numbers."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise wrong_type(name, value, expected)
    return value


def listed(name: str, value: Any, expected: str) -> list[Any]:
    """What an iterable holds; a str, bytes or a dict is none that could be meant."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise wrong_type(name, value, expected)
    return list(value)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    return expect(name, value, bool, "True or False")


def count(name: str, value: Any) -> int:
    """A whole number."""
    return int(expect(name, value, Integral, "a whole number"))


def positive(name: str, value: Any) -> int:
    """A whole number from 1 on. Raises UsageError for a smaller one."""
    number = count(name, value)
    if number < 1:
        raise UsageError(f"{name} is {number}, expected a whole number from 1 on")
    return number


def text(name: str, value: Any) -> str:
    """A str."""
    return expect(name, value, str, "a str")


def text_or_none(name: str, value: Any) -> str | None:
    """A str or None."""
    return None if value is None else expect(name, value, str, "a str or None")
