"""GeoLink's encoder of pictures: DINOv2-B and a feature mixer, one tower for both views.

It is the network of CV-Cities (BSD-3), whose state-dict layout it keeps (facts sheet 1.3): raw
tokens without the final norm, no class token, two mixing layers, 4096 numbers. The branch of
point clouds serves training only and is in networks of its own.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from export.networks.dinov2 import DinoV2, Size, load_dinov2
from export.networks.mixvpr import MixVpr

INPUT_PX = 448
TRAINABLE_BLOCKS = 4  # patch embedding and blocks 0..7 are frozen
MIXER_DEPTH = 2
OUT_CHANNELS, OUT_ROWS = 1024, 4
START_SCALE = 1 / 0.07


class Backbone(nn.Module):
    """One level more in the keys, as published; the class token is dropped."""

    def __init__(self, dino_model: DinoV2) -> None:
        super().__init__()
        self.dino_model = dino_model

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.dino_model(pictures)[1]
        return features


class Encoder(nn.Module):
    """Backbone and mixer."""

    def __init__(self, dino_model: DinoV2) -> None:
        super().__init__()
        cells = dino_model.grid[0] * dino_model.grid[1]
        self.backbone = Backbone(dino_model)
        self.aggregator = MixVpr(dino_model.channels, cells, OUT_CHANNELS, OUT_ROWS, MIXER_DEPTH)

    def forward(self, pictures: Tensor) -> Tensor:
        descriptors: Tensor = self.aggregator(self.backbone(pictures))
        return descriptors


class GeoLink(nn.Module):
    """ImageNet-normalised RGB (N,3,S,S) -> descriptors (N,4096) of unit length.

    The mixer's weights are bound to input_px. logit_scale: the logarithm of the learned inverse
    temperature. Raises ValueError: a size that is no multiple of 14 px.
    """

    def __init__(
        self,
        input_px: int = INPUT_PX,
        size: Size = "base",
        trainable_blocks: int = TRAINABLE_BLOCKS,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        dino_model = DinoV2(
            size,
            input_px,
            trainable_blocks=trainable_blocks,
            checkpointing=checkpointing,
            final_norm=False,
        )
        self.model = Encoder(dino_model)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(START_SCALE)))

    def forward(self, pictures: Tensor) -> Tensor:
        descriptors: Tensor = self.model(pictures)
        return descriptors

    def start_from(self, path: Path) -> None:
        """Released DINOv2 weights for the backbone. Raises InputError."""
        load_dinov2(self.model.backbone.dino_model, path)
