"""Pictures into what the networks at full size take."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.networks.registry import IMAGENET_DEVIATION, IMAGENET_MEAN


def normalised(pictures: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(N, H, W, 3) uint8 BGR -> (N, 3, H, W) RGB by ImageNet's mean and deviation."""
    rgb = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).to(device)
    scaled = rgb.permute(0, 3, 1, 2).float() / 255.0
    mean, deviation = (
        torch.tensor(v, device=device)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    return (scaled - mean) / deviation


def device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
