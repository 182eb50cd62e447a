"""The MTCNN networks of facenet-pytorch with their trained weights, without what its package imports besides torch."""

import importlib.util
import sys
from pathlib import Path
from unittest import mock


def load():
    """The module facenet_pytorch.models.mtcnn: PNet, RNet and ONet take pretrained=True."""
    name = "facenet_pytorch.models.mtcnn"
    if name in sys.modules:
        return sys.modules[name]
    home = Path(importlib.util.find_spec("facenet_pytorch").origin).parent
    stubs = {"facenet_pytorch" + part: mock.MagicMock() for part in ("", ".models", ".models.utils", ".models.utils.detect_face")}
    with mock.patch.dict(sys.modules, stubs):
        spec = importlib.util.spec_from_file_location(name, home / "models" / "mtcnn.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    sys.modules[name] = module
    return module
