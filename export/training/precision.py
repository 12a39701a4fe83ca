"""Automatic mixed precision: which dtype the network computes in, and the loss's scale."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

FIRST_SCALE = 1024.0  # Sample4Geo's
MIN_SCALE = 2.0**-14  # an overflow with a loss scaled so far down is not the scale's
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class MixedPrecision:
    """fp32, or autocast to bf16 or fp16; the weights stay fp32. fp16 scales the loss, so that
    small gradients do not vanish; an overflow halves the scale and leaves the step out."""

    def __init__(self, precision: str, device: torch.device) -> None:
        self._device = device
        self._dtype = DTYPES[precision]
        self._scaler = torch.amp.GradScaler(
            device.type, init_scale=FIRST_SCALE, enabled=precision == "fp16"
        )
        self.skipped = 0  # steps left out since the training began

    def autocast(self) -> torch.autocast:
        """The context that the losses are computed in."""
        enabled = self._dtype is not torch.float32
        dtype = self._dtype if enabled else torch.bfloat16
        return torch.autocast(self._device.type, dtype=dtype, enabled=enabled)

    def backward(self, loss: Tensor) -> None:
        torch.autograd.backward(self._scaler.scale(loss))

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Before clipping."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer, gradient_norm: float) -> None:
        """Left out, and the scale halved, when a scaled gradient overflowed.

        Raises FloatingPointError, before the weights are touched: the gradient is no number
        and no scale is to blame.
        """
        scale = self._scaler.get_scale()
        finite = math.isfinite(gradient_norm)
        if not finite and (not self._scaler.is_enabled() or scale < MIN_SCALE):
            raise FloatingPointError(f"the gradient became {gradient_norm}")
        self._scaler.step(optimizer)
        self._scaler.update()
        self.skipped += not finite

    def state_dict(self) -> dict[str, Any]:
        return {**self._scaler.state_dict(), "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._scaler.is_enabled():
            self._scaler.load_state_dict(state)
        self.skipped = int(state.get("skipped", 0))
