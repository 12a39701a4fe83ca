"""UnifyGeo at full size for two overhead views: unifygeo-edge's answers, but from ConvNeXt-Tiny.

Encoder, heads, aggregator and the decoder's upsampling are those of the VIGOR network. Both views
look down and are north-up, so that one tower serves both, and the detailed features are compared
as whole maps under every shift (HeatmapDecoder and PatchMatcher of map_matching), not as one
vector per level: the maps go up first and are matched afterwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.networks.convnext import TINY, ConvNextFeatures, Shape, check_size
from export.networks.deconvolution import Deconvolution
from export.networks.registry import IMAGENET_DEVIATION, IMAGENET_MEAN
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

NEARLY_BLACK = 0.5 / 255  # half a grey level: only what is darker lacks ground


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
    """Pictures (N,3,S,S), RGB normalised by ImageNet's mean and deviation, black where there is
    no ground, S a multiple of 32 -> descriptors (N,768). checkpointing saves memory."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: Shape = TINY, checkpointing: bool = False) -> None:
        super().__init__()
        c4, c8, c16, c32 = shape.dims
        self.stride = shape.stride
        self.encoder = ConvNextFeatures(Shape(shape.depths[:-1], shape.dims[:-1]), checkpointing)
        self.global_head, self.local_head = GlobalHead(c16, c32), LocalHead(c16, c32)
        self.up16, self.up8, self.up4 = _Up(c32, c16), _Up(c16, c8), _Up(c8, c4)
        self.coarse, self.fine = _Match(c8, COARSE_CHANNELS), _Match(c4, FINE_CHANNELS)
        for name, values in (("mean", IMAGENET_MEAN), ("deviation", IMAGENET_DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def describe(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N,3,S,S) -> descriptor (N,768), coarse (N,64,S/8,S/8) and fine (N,32,S/4,S/4) maps;
        a cell's length is its reliability, 0 where there is no ground."""
        ground, (stride4, stride8, stride16) = self._encode(pictures)
        x = self.up8(self.up16(self.local_head(stride16), stride16), stride8)
        coarse = self.coarse(x, _mostly_ground(ground, COARSE_STRIDE))
        fine = self.fine(self.up4(x, stride4), _mostly_ground(ground, FINE_STRIDE))
        return self._descriptor(stride16, ground), coarse, fine

    def forward(self, pictures: Tensor) -> Tensor:
        ground, (*_, stride16) = self._encode(pictures)
        return self._descriptor(stride16, ground)

    def _encode(self, pictures: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The mask of the ground (N,1,S,S), and the encoder's maps."""
        values = pictures * self.deviation + self.mean
        ground = (values.amax(1, keepdim=True) > NEARLY_BLACK).float()
        # what is missing becomes the mean colour, which is the least conspicuous
        return ground, self.encoder(pictures * ground)

    def _descriptor(self, stride16: Tensor, ground: Tensor) -> Tensor:
        descriptor: Tensor = self.global_head(stride16, _mostly_ground(ground, self.stride))
        return descriptor


def unifygeo_overhead(input_px: int, checkpointing: bool = False) -> UnifyGeoOverhead:
    """For the registry. Raises ValueError: the size is no multiple of 32."""
    check_size(TINY, input_px)
    return UnifyGeoOverhead(TINY, checkpointing)


def _mostly_ground(ground: Tensor, stride: int) -> Tensor:
    """(N,1,S,S) -> (N,1,S/stride,S/stride), 1 where more than half of a cell is ground."""
    return (F.avg_pool2d(ground, stride) > 0.5).float()
