"""UnifyGeo at full size for two overhead views: unifygeo-edge's answers from ConvNeXt-Tiny.

Encoder, heads, aggregator and the decoder's upsampling are those of the VIGOR network. Both views
look down and are north-up, so that one tower serves both, and the detailed features are compared
as whole maps under every shift (HeatmapDecoder and PatchMatcher of unifygeo_edge), not as one
vector per level: the maps go up first and are matched afterwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.networks.convnext import TINY, ConvNextFeatures, Shape
from export.networks.deconvolution import Deconvolution
from export.networks.unifygeo_decoder import conv_pair
from export.networks.unifygeo_edge import (
    COARSE_CHANNELS,
    COARSE_STRIDE,
    FINE_CHANNELS,
    FINE_STRIDE,
    reliability,
    unit,
)
from export.networks.unifygeo_head import GlobalHead, LocalHead

MEAN_RGB = (123.675, 116.28, 103.53)  # ImageNet's, of values 0..255
DEVIATION_RGB = (58.395, 57.12, 57.375)


class _Up(nn.Module):
    """(N,cin,h,w) and the encoder's (N,cout,2h,2w) -> (N,cout,2h,2w)."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.deconv, self.conv = Deconvolution(cin, cout), conv_pair(2 * cout, cout)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.conv(torch.cat((self.deconv(unit(x)), skip), 1))
        return out


class _Match(nn.Module):
    """(N,cin,h,w), ground (N,1,h,w) -> (N,cout,h,w) whose cells are as long as reliable."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.features, self.reliability = nn.Conv2d(cin, cout, 1), nn.Conv2d(cin, 1, 1)

    def forward(self, x: Tensor, ground: Tensor) -> Tensor:
        return unit(self.features(x)) * reliability(self.reliability(x)) * ground


class UnifyGeoOverhead(nn.Module):
    """Pictures (N,S,S,3) uint8 BGR, S a multiple of 32, black where there is no ground ->
    descriptor (N,768), coarse (N,64,S/8,S/8) and fine (N,32,S/4,S/4) maps, as UnifyGeoEdge."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: Shape = TINY, checkpointing: bool = False) -> None:
        super().__init__()
        c4, c8, c16, c32 = shape.dims
        self.encoder = ConvNextFeatures(Shape(shape.depths[:-1], shape.dims[:-1]), checkpointing)
        self.global_head, self.local_head = GlobalHead(c16, c32), LocalHead(c16, c32)
        self.up16, self.up8, self.up4 = _Up(c32, c16), _Up(c16, c8), _Up(c8, c4)
        self.coarse, self.fine = _Match(c8, COARSE_CHANNELS), _Match(c4, FINE_CHANNELS)
        for name, values in (("mean", MEAN_RGB), ("deviation", DEVIATION_RGB)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rgb = pictures.permute(0, 3, 1, 2)[:, [2, 1, 0]].float()
        ground = (rgb.amax(1, keepdim=True) > 0).float()
        stride4, stride8, stride16 = self.encoder((rgb - self.mean) / self.deviation * ground)
        x = self.up8(self.up16(self.local_head(stride16), stride16), stride8)
        coarse = self.coarse(x, _mostly_ground(ground, COARSE_STRIDE))
        fine = self.fine(self.up4(x, stride4), _mostly_ground(ground, FINE_STRIDE))
        descriptor = self.global_head(stride16, _mostly_ground(ground, 2 * 16))
        return descriptor, coarse, fine


def _mostly_ground(ground: Tensor, stride: int) -> Tensor:
    """(N,1,S,S) -> (N,1,S/stride,S/stride), 1 where more than half of a cell is ground."""
    return (F.avg_pool2d(ground, stride) > 0.5).float()
