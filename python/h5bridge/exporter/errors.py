"""What cannot be said."""

from __future__ import annotations


class ExportError(Exception):
    """The module has something that the architecture JSON cannot say. One line a problem; each names the place."""


class SizeError(ExportError):
    """A size that the caller binds to a number is none of the open ones, or cannot be that number."""
