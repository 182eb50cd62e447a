#!/usr/bin/env python3
"""Writes the architecture JSON (docs/architecture_json.md) of a PyTorch module, with PyTorch alone.

    from h5bridge_export import export_architecture
    export_architecture(model, torch.zeros(2, 3, 32, 32), "model.json")
    torch.save(model.state_dict(), "model.pth")

    python tools/h5bridge_export.py package.module:Class -o model.json --input-shape 2,3,32,32

What does it is the folder python/h5bridge/exporter, which an installation has beside this file.
"""

import importlib.util
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE / "exporter", _HERE.parent / "python" / "h5bridge" / "exporter")


def _exporter():
    """The folder as a package of its own name: on sys.path, what stands beside it would hide modules of the user's."""
    name = "h5bridge_exporter"
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    if folder is None:
        raise ImportError(f"h5bridge_export.py needs the folder python/h5bridge/exporter: copy it to {_FOLDERS[0]}")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except ModuleNotFoundError as error:
            if error.name != "torch" or __name__ != "__main__":
                raise
            print(f"h5bridge_export: PyTorch is not installed for {sys.executable}, which runs this; pip install torch", file=sys.stderr)
            sys.exit(5)
    return sys.modules[name]


exporter = _exporter()
ExportError, describe, dumps, export_architecture = exporter.ExportError, exporter.describe, exporter.dumps, exporter.export_architecture

if __name__ == "__main__":
    sys.exit(importlib.import_module(f"{exporter.__name__}.command").main())
