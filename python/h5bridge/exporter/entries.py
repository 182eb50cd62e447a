"""The entries of the architecture as they are recorded, and the values that they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, unset_fake_temporarily

from .tables import ZEROS


OF_THE_MODEL = "."  # before the name of a layer that is the model itself, whose tensors have no module's name


@dataclass
class Settings:
    """What a module was made with, what a call of it sets besides, and what the call's arguments are where it leaves them out."""

    of_module: dict[str, Any]
    of_call: dict[str, Any]
    defaults: dict[str, Any]

    def whole(self) -> dict[str, Any]:
        return self.of_module | self.of_call

    def other_than(self, defined: Settings) -> dict[str, Any]:
        """What the call has in place of the settings of the one that defines the layer."""
        return {name: self.of_call.get(name, self.defaults.get(name, False))
                for name in defined.of_call | self.of_call if defined.of_call.get(name) != self.of_call.get(name)}  # fmt: skip


@dataclass(eq=False)
class Entry:
    """A call. `wanted` is the name it gets if that is free; a module's path is, unless an input has it: `layer` is the module's then."""

    wanted: str
    type: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    call: "Entry | None" = None
    module: bool = False
    inputs: list["Value"] = field(default_factory=list)
    named_inputs: dict[str, "Value"] = field(default_factory=dict)
    name: str = ""
    layer: str = ""
    settings: Settings | None = None  # of a module's call


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


def is_causal_tensor(mask: Any) -> bool:
    """Whether truth values that are known are true above the diagonal, and false elsewhere."""
    if not isinstance(mask, Tensor) or isinstance(mask, FakeTensor) or mask.dtype != torch.bool or mask.dim() != 2:
        return False
    with unset_fake_temporarily(), torch._C.DisableTorchFunction():
        return bool(mask.equal(torch.ones_like(mask).triu(1)))


def is_causal_mask(value: "Value | None") -> bool:
    """Whether a mask of PyTorch's attention that is computed for any length is true, or -inf, above the diagonal, and false, or 0,
    elsewhere."""
    entry, is_truth, is_turned = value and value.entry, False, False
    while entry and entry.type == "to" and entry.attributes == {"dtype": "bool"}:
        entry, is_truth = entry.inputs[0].entry, True
    while entry and entry.type in ("logical_not", "bitwise_not"):
        entry, is_turned = entry.inputs[0].entry, not is_turned
    if not entry or (entry.type, entry.attributes.get("diagonal", 0)) != (("tril", 0) if is_turned else ("triu", 1)):
        return False
    made = entry.inputs[0].entry
    if made.type == "full" and not is_truth and not is_turned:
        return made.attributes.get("fill_value") == -torch.inf
    return made.type == "ones" and (is_truth or made.attributes.get("dtype") == "bool")


def is_zero(value: "Value | None") -> bool:
    """Whether all that a value is are zeros."""
    if not value or value.entry.type in ZEROS:
        return bool(value)
    data = value.entry.attributes.get("data")
    return value.entry.type == "new_tensor" and isinstance(data, list) and not any(data)


class Stop(Exception):
    """Tracing cannot go on; the problems are noted."""
