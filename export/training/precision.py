"""Automatic mixed precision: which dtype the network computes in, and the loss's scale."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FIRST_SCALE = 1024.0  # Sample4Geo's
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class MixedPrecision:
    """fp16 scales the loss (on CUDA only; a CPU has no fast fp16 and gets the plain scale)."""

    def __init__(self, precision: str, device: torch.device) -> None:
        self._device = device
        self._dtype = DTYPES[precision]
        scaled = precision == "fp16" and device.type == "cuda"
        self._scaler = torch.amp.GradScaler(device.type, init_scale=FIRST_SCALE, enabled=scaled)

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

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Left out, and the scale halved, when a scaled gradient overflowed."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            self._scaler.load_state_dict(state)
