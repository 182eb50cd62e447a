"""Says where the Python that runs this has its PyTorch, for tools/setup: PyTorch's folder, then the folders that
packages are imported from, a line each. Or, with exit status 1, one line that says what is wrong with its PyTorch.
"""

import os
import sys

OLDEST = (2, 4)


def refuse(what):
    print(what)
    sys.exit(1)


try:
    import torch
except Exception as error:  # a torch that is broken raises anything
    refuse(f"has no PyTorch that can be imported ({' '.join(str(error).split()) or type(error).__name__})")

if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST:
    refuse(f"has PyTorch {torch.__version__}, older than {'.'.join(map(str, OLDEST))}")
if not torch.compiled_with_cxx11_abi():
    refuse(f"has PyTorch {torch.__version__} built with the C++ ABI from before GCC 5, which HDF5's C++ library is not")

torch_folder = os.path.dirname(torch.__file__)
packages = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
print(torch_folder, *dict.fromkeys([os.path.dirname(torch_folder), *packages]), sep="\n")
