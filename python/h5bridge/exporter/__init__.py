"""Writes the architecture JSON (docs/architecture_json.md) of a PyTorch module.

How it works: the module is first run on inputs of other sizes, to learn which axes are open (`open_axes`). Then its
forward runs once on tensors without data whose open sizes are symbols (`tracing`). What it calls is recorded as it was
written (`recorder`): a module of torch.nn is one entry under its own name, whatever happens inside it; other modules
are entered; between modules, functions and methods of tensors are recorded under PyTorch's names. The module is not
changed. It wants PyTorch alone, and none of the rest of the package."""

from .description import describe, dumps, export_architecture
from .errors import ExportError, SizeError

__all__ = ["ExportError", "SizeError", "describe", "dumps", "export_architecture"]
