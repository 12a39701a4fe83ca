"""Descriptors for small networks: one stem over the encoder's map, then a published aggregator.

With `salad` the network is GenGeo's small sister, with `mixer` GeoLink's; the others are the
ablation's. All have 256 numbers, because in a map pack a number costs the same whoever made it.
What lies outside the ground enters as zeros, with no other mask: to sort it out is the
dustbin's work.
"""

from __future__ import annotations

from enum import Enum

import torch.nn.functional as F
from torch import Tensor, nn

from export.networks.mixvpr import MixVpr
from export.networks.pooling import AveragePooling, Gem
from export.networks.salad import Salad
from export.networks.unifygeo_edge import GlobalBranch

ENCODER_CHANNELS = 64
STEM_CHANNELS = 128
STRIDE = 16
DESCRIPTOR_DIM = 256
CLUSTERS, CLUSTER_CHANNELS, TOKEN_CHANNELS = 16, 14, 32  # 16 x 14 + 32 = 256
SALAD_HIDDEN = 128
MIXER_CHANNELS, MIXER_ROWS, MIXER_DEPTH = 64, 4, 2  # 64 x 4 = 256
MASS = 1e-3  # keeps the token finite on a picture without ground


class Aggregator(str, Enum):
    AVERAGE = "average"
    GEM = "gem"
    MIXER = "mixer"
    SALAD = "salad"
    SALAD_WITHOUT_DUSTBIN = "salad-without-dustbin"
    ATTENTION_GEM = "attention-gem"  # UnifyGeo's, with its own stem and mask


class EdgeBranch(nn.Module):
    """hidden (N,64,S/8,S/8), ground (N,1,S/16,S/16) share of ground per cell -> (N,256)."""

    def __init__(self, aggregator: Aggregator, picture_px: int) -> None:
        super().__init__()
        c = STEM_CHANNELS
        self.down = nn.Conv2d(ENCODER_CHANNELS, c, 3, 2, 1)
        self.mix_0, self.mix_1 = nn.Conv2d(c, c, 3, 1, 1), nn.Conv2d(c, c, 3, 1, 1)
        self.aggregator: nn.Module
        if aggregator is Aggregator.AVERAGE:
            self.aggregator = AveragePooling(c, DESCRIPTOR_DIM)
        elif aggregator is Aggregator.GEM:
            self.aggregator = Gem(c, DESCRIPTOR_DIM)
        elif aggregator is Aggregator.MIXER:
            cells = (picture_px // STRIDE) ** 2
            self.aggregator = MixVpr(c, cells, MIXER_CHANNELS, MIXER_ROWS, MIXER_DEPTH)
        else:
            dustbin = aggregator is Aggregator.SALAD
            self.aggregator = Salad(
                c, CLUSTERS, CLUSTER_CHANNELS, TOKEN_CHANNELS, SALAD_HIDDEN, dustbin
            )

    def forward(self, hidden: Tensor, ground: Tensor) -> Tensor:
        x = F.relu(self.down(hidden))
        x = F.relu(x + self.mix_1(F.relu(self.mix_0(x)))) * ground
        if isinstance(self.aggregator, Salad):
            token = x.sum((2, 3)) / (ground.sum((2, 3)) + MASS)
            descriptor: Tensor = self.aggregator(x, token)
        else:
            descriptor = self.aggregator(x)
        return descriptor


def edge_branch(aggregator: Aggregator, picture_px: int) -> nn.Module:
    """picture_px: side of the pictures, to which the mixer's weights are bound."""
    if aggregator is Aggregator.ATTENTION_GEM:
        return GlobalBranch()
    return EdgeBranch(aggregator, picture_px)
