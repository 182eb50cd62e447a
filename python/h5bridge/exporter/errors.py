"""What cannot be said."""

from __future__ import annotations


class ExportError(Exception):
    """The module has something that the architecture JSON cannot say. One line a problem; each names the place."""
