"""Neural networks between PyTorch and Keras, both ways, without losing a bit.

    import h5bridge

    h5bridge.convert(["model.json", "model.pth"], "model.h5")  # a PyTorch network to Keras
    h5bridge.convert("trained.h5", "trained.pth")              # and home

    model = h5bridge.load("model.h5")
    model.tensors["conv1.weight"]                              # a NumPy array, read when it is asked for
    model.state_dict()                                         # for module.load_state_dict()
    keras_model = model.to_keras()                             # on the backend in use
    h5bridge.from_torch(module, example).to_keras()            # a live module in one line

Neither PyTorch nor Keras has to be installed, but for what gives their objects. Whatever goes wrong is an
`h5bridge.Error`, with a subclass for each exit status of the program. All work is done with Python's global lock
released.
"""

from . import _core
from .comparison import compare
from .conversion import convert
from .errors import Disagreement, Error, MalformedFile, SystemFailure, Unsupported, UsageError
from .inspection import inspect
from .live import from_keras, from_torch
from .model import Model, load
from .running import engine as _engine
from .running import forward_of as _forward_of
from .tensors import Tensors
from .verification import verify

__version__ = _core.version()
_core.run_with(_engine, _forward_of)

__all__ = [
    "Disagreement",
    "Error",
    "MalformedFile",
    "Model",
    "SystemFailure",
    "Tensors",
    "Unsupported",
    "UsageError",
    "compare",
    "convert",
    "from_keras",
    "from_torch",
    "inspect",
    "load",
    "verify",
]
