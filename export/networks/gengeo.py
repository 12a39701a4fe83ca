"""GenGeo: DINOv2 and SALAD, one tower for both views (Remote Sensing 2026, 18(8), 1116).

State dicts have the layout of `dino_salad.ckpt`, the published model it builds on. Of the paper
the method's sections are not at hand; taken from that model (facts sheet 1.2): DINOv2-B, its last
four blocks and the norm trained, the norm applied, pictures of 224 px in training and 322 px in
tests. Both views are squares of one size, a ground panorama resized to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from export.networks.dinov2 import DinoV2, Size, load_dinov2
from export.networks.salad import Salad

TEST_PX = 322
TRAINABLE_BLOCKS = 4


@dataclass(frozen=True)
class SaladShape:
    """How long the descriptor is, and of what."""

    clusters: int
    cluster_channels: int
    token_channels: int


FULL = SaladShape(64, 128, 256)
SLIM_2112 = SaladShape(
    32, 64, 64
)  # upstream says 2048+64; this split of the 2048 is the likely one
SLIM_544 = SaladShape(16, 32, 32)


class Backbone(nn.Module):
    """One level more in the keys, as published."""

    def __init__(self, model: DinoV2) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        token, features = self.model(pictures)
        return token, features


class GenGeo(nn.Module):
    """ImageNet-normalised RGB (N,3,S,S) -> descriptors of unit length, (N,8448) at full size.

    Raises ValueError: a size that is no multiple of 14 px, or gives no more tokens than clusters.
    """

    def __init__(
        self,
        input_px: int = TEST_PX,
        shape: SaladShape = FULL,
        size: Size = "base",
        registers: int = 0,
        trainable_blocks: int = TRAINABLE_BLOCKS,
        checkpointing: bool = False,
        dustbin: bool = True,
    ) -> None:
        super().__init__()
        model = DinoV2(size, input_px, registers, trainable_blocks, checkpointing)
        tokens = model.grid[0] * model.grid[1]
        if dustbin and tokens <= shape.clusters:
            raise ValueError(
                f"{input_px} px give {tokens} tokens, and SALAD needs more than its "
                f"{shape.clusters} clusters; take larger pictures"
            )
        self.backbone = Backbone(model)
        self.aggregator = Salad(
            model.channels,
            shape.clusters,
            shape.cluster_channels,
            shape.token_channels,
            dustbin=dustbin,
        )

    def forward(self, pictures: Tensor) -> Tensor:
        token, features = self.backbone(pictures)
        descriptors: Tensor = self.aggregator(features, token)
        return descriptors

    def start_from(self, path: Path) -> None:
        """Released DINOv2 weights for the backbone. Raises InputError."""
        load_dinov2(self.backbone.model, path)


def gengeo(input_px: int, checkpointing: bool = False) -> GenGeo:
    """8448 numbers."""
    return GenGeo(input_px, checkpointing=checkpointing)


def gengeo_slim_2112(input_px: int, checkpointing: bool = False) -> GenGeo:
    """64 + 32 x 64 numbers."""
    return GenGeo(input_px, SLIM_2112, checkpointing=checkpointing)


def gengeo_slim_544(input_px: int, checkpointing: bool = False) -> GenGeo:
    """32 + 16 x 32 numbers."""
    return GenGeo(input_px, SLIM_544, checkpointing=checkpointing)
