"""Sample4Geo (Deuser et al., ICCV 2023): one ConvNeXt-Base for both views, in its layout.

A state dict holds timm's keys below `model.` and the learned `logit_scale`. The features'
average, normed and brought to unit length, is the descriptor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from export.networks.convnext import BASE, ConvNext, Shape, check_size
from export.networks.unit_length import unit_length

PICTURE_PX = 384


class Sample4Geo(nn.Module):
    """(N,3,H,W), RGB normalised by ImageNet's mean and deviation -> (N,1024) of unit length."""

    def __init__(self, shape: Shape = BASE, checkpointing: bool = False) -> None:
        super().__init__()
        self.model = ConvNext(shape, checkpointing)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, pictures: Tensor) -> Tensor:
        return unit_length(self.model(pictures))


def sample4geo(input_px: int = PICTURE_PX, checkpointing: bool = False) -> Sample4Geo:
    """For the registry. Raises ValueError: the size is no multiple of 32."""
    check_size(BASE, input_px)
    return Sample4Geo(BASE, checkpointing)
