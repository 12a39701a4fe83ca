"""The plain baseline: DINOv2's class token as the descriptor, nothing trained."""

from __future__ import annotations

from torch import Tensor, nn

from export.networks.dinov2 import DinoV2
from export.networks.unit_length import unit_length


class DinoV2Token(nn.Module):
    """ImageNet-normalised RGB (N,3,S,S) -> (N,384) of unit length. The released weights of S/14
    are those of `backbone`."""

    def __init__(self, input_px: int, checkpointing: bool = False) -> None:
        super().__init__()
        self.backbone = DinoV2("small", input_px, checkpointing=checkpointing)

    def forward(self, pictures: Tensor) -> Tensor:
        return unit_length(self.backbone(pictures)[0])
