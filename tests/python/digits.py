"""The network of testdata/digits: its files, and as PyTorch has it."""

import sys

import torch

from program import ROOT

sys.path.insert(0, str(ROOT / "testdata"))
from networks import DigitsNet  # noqa: E402

DIGITS = ROOT / "testdata" / "digits"
SOURCES = [DIGITS / "model.json", DIGITS / "model.pth"]


def digits():
    module = DigitsNet()
    module.load_state_dict(torch.load(DIGITS / "model.pth"))
    return module.eval()
