"""What the core computes, by the PyTorch of this process: the source that h5bridge writes of a model, executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _core
from .model import Model, installed, torch_tensor


def engine() -> str:
    return f"PyTorch {installed('torch', 'PyTorch').__version__}"


def forward_of(
    core: _core.Model, device: str, dtype: str | None
) -> Callable[[list[_core.Tensor]], list[_core.Tensor]]:
    """What a model makes of its inputs, in order and in PyTorch's layout, in evaluation mode. `dtype`: that of
    floating-point weights, by default the model's own. Raises SystemFailure without PyTorch."""
    torch = installed("torch", "PyTorch")
    module = Model(core).to_torch(device).eval()
    if dtype is not None:
        module.to(getattr(torch, dtype))
    own = {each.dtype for each in module.parameters() if each.is_floating_point()}

    def forward(inputs: list[_core.Tensor]) -> list[_core.Tensor]:
        given = [torch_tensor(torch, tensor, "an input").to(device) for tensor in inputs]
        if len(own) == 1:
            given = [each.to(*own) if each.is_floating_point() else each for each in given]
        with torch.no_grad():
            made = module(*given)
        values = made.values() if isinstance(made, dict) else made if isinstance(made, tuple) else [made]
        return [core_tensor(torch, value) for value in values]

    return forward


def core_tensor(torch: Any, value: Any) -> _core.Tensor:
    """By its bytes: NumPy does not know all types."""
    elements = value.detach().cpu().contiguous()
    dtype = str(elements.dtype).removeprefix("torch.")
    return _core.tensor_of(elements.reshape(-1).view(torch.uint8).numpy().tobytes(), dtype, list(value.shape))
