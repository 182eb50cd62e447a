"""The entries of the architecture as they are recorded, and the values that they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily


@dataclass(eq=False)
class Entry:
    """A call. `wanted` is the name it gets if that is free; a module's path is."""

    wanted: str
    type: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    call: "Entry | None" = None
    module: bool = False
    inputs: list["Value"] = field(default_factory=list)
    named_inputs: dict[str, "Value"] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Value:
    entry: Entry
    output: int = 0

    def written(self) -> str:
        return f"{self.entry.name}:{self.output}" if self.output else self.entry.name


def truth_of_mask(mask: Any) -> Any:
    """A constant mask of attention whose numbers are 0 and -inf, as the truth values that PyTorch makes such numbers of."""
    if not isinstance(mask, Tensor) or isinstance(mask, (FakeTensor, nn.Parameter)) or not mask.is_floating_point():
        return mask
    with unset_fake_temporarily(), torch._C.DisableTorchFunction():
        left_out = mask == -torch.inf
        return left_out if bool((left_out | (mask == 0)).all()) else mask


def is_causal_mask(value: "Value | None") -> bool:
    """Whether a mask of PyTorch's attention is true, or -inf, above the diagonal, and false, or 0, elsewhere."""
    entry = value and value.entry
    if not entry:
        return False
    if entry.type == "new_tensor" and isinstance(data := entry.attributes["data"], list):
        rows, columns = (*entry.attributes["shape"], 0, 0)[:2]
        wanted = [int(column > row) for row in range(rows) for column in range(columns)]
        return entry.attributes.get("dtype") == "bool" and len(entry.attributes["shape"]) == 2 and data == wanted
    is_truth = False
    while entry.type == "to" and entry.attributes == {"dtype": "bool"}:
        entry, is_truth = entry.inputs[0].entry, True
    if entry.type != "triu" or entry.attributes.get("diagonal") != 1:
        return False
    made = entry.inputs[0].entry
    if made.type == "full" and not is_truth:
        return made.attributes.get("fill_value") == -torch.inf
    return made.type == "ones" and (is_truth or made.attributes.get("dtype") == "bool")


class Stop(Exception):
    """Tracing cannot go on; the problems are noted."""
