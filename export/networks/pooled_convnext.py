"""Baselines for the ablations: ConvNeXt-Tiny with its last map averaged, or pooled by GeM."""

from __future__ import annotations

from torch import Tensor, nn

from export.networks.convnext import TINY, ConvNextFeatures, Shape, check_size
from export.networks.pooling import AveragePooling, Gem


class PooledConvNext(nn.Module):
    """(N,3,H,W), RGB normalised by ImageNet's mean and deviation -> (N,768) of unit length."""

    def __init__(self, pooling: nn.Module, shape: Shape = TINY, checkpointing: bool = False):
        super().__init__()
        self.backbone = ConvNextFeatures(shape, checkpointing)
        self.pooling = pooling

    def forward(self, pictures: Tensor) -> Tensor:
        descriptor: Tensor = self.pooling(self.backbone(pictures)[-1])
        return descriptor


def convnext_average(input_px: int, checkpointing: bool = False) -> PooledConvNext:
    """For the registry: averaged. Raises ValueError: the size is no multiple of 32."""
    check_size(TINY, input_px)
    return PooledConvNext(AveragePooling(TINY.dims[-1]), TINY, checkpointing)


def convnext_gem(input_px: int, checkpointing: bool = False) -> PooledConvNext:
    """For the registry: by GeM. Raises ValueError: the size is no multiple of 32."""
    check_size(TINY, input_px)
    return PooledConvNext(Gem(TINY.dims[-1]), TINY, checkpointing)
