"""UnifyGeo's localisation decoder: ground vectors against the maps of one tile, coarse to fine.

Section III.C of the paper (after CCVPE): at every level the cosine of the level's ground vector
with each cell is laid beside the unit-length map and guides its upsampling; the overhead
encoder's map of that size is joined, and a pair of convolutions makes the next level's map.
Key names and shapes are those of the VIGOR release.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.networks.convnext import NORM_EPS, ChannelsFirstNorm
from export.networks.deconvolution import Deconvolution
from export.networks.unit_length import unit_length

LEVELS = 4


class Location(NamedTuple):
    """logits: (N,S,S), of where the camera stood, per pixel of the tile. scores: the cosines
    (N,h,w) of levels 0..3, h = S/32, S/16, S/8, S/4."""

    logits: Tensor
    scores: tuple[Tensor, ...]


class _GroundVector(nn.Module):
    """(N,C,rows,columns) -> (N,columns*channels): fewer channels, each column summed up in one
    cell, then laid out column by column: a column of a panorama is one direction."""

    def __init__(self, channels: int, out: int, rows: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 1)
        self.conv2 = nn.Conv2d(rows, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x).permute(0, 2, 3, 1)).flatten(1)
        return out


def conv_pair(cin: int, cout: int) -> nn.Sequential:
    """(N,cin,h,w) -> (N,cout,h,w)."""
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1, bias=False),
        nn.BatchNorm2d(cout, eps=NORM_EPS),
        nn.ReLU(),
        nn.Conv2d(cout, cout, 3, padding=1),
    )


class PyramidDecoder(nn.Module):
    """dims: channels of the overhead maps, stride 4 first. ground_cells: rows and columns of the
    ground map; the columns must divide every one of dims, as a level's vector is as long as its
    map has channels.
    """

    def __init__(
        self, dims: tuple[int, ...] = (96, 192, 384, 768), ground_cells: tuple[int, int] = (12, 24)
    ) -> None:
        super().__init__()
        rows, columns = ground_cells
        if len(dims) != LEVELS or any(d % columns for d in dims) or dims[0] % 12:
            raise ValueError(
                f"dims {dims}: {LEVELS} multiples of the ground map's {columns} columns are "
                "wanted, and the first one a multiple of 12"
            )
        for level, channels in enumerate(reversed(dims), 1):
            vector = _GroundVector(dims[-1], channels // columns, rows)
            setattr(self, f"grd_feature_to_descriptor{level}", vector)
            setattr(self, f"grd_descriptor_norm{level}", nn.LayerNorm(channels, eps=NORM_EPS))
            setattr(self, f"sat_matching_block_norm{level}", ChannelsFirstNorm(channels))
        for i in (4, 3, 2):  # the release counts these from the coarse end down
            setattr(self, f"deconv{i}", Deconvolution(dims[i - 1] + 1, dims[i - 2]))
            setattr(self, f"conv{i}", conv_pair(2 * dims[i - 2], dims[i - 2]))
        half, quarter, last = dims[0] // 2, dims[0] // 4, dims[0] // 12
        self.deconv1 = nn.Sequential(
            Deconvolution(dims[0] + 1, half),
            nn.BatchNorm2d(half, eps=NORM_EPS),
            nn.ReLU(),
            Deconvolution(half, quarter),
        )
        self.conv1 = nn.Sequential(
            nn.Conv2d(quarter, last, 3, padding=1, bias=False),
            nn.BatchNorm2d(last, eps=NORM_EPS),
            nn.ReLU(),
            nn.Conv2d(last, 1, 3, padding=1),
        )
        self.apply(_initialise)

    def ground_vectors(self, ground: Tensor) -> tuple[Tensor, ...]:
        """(N,C,rows,columns) -> the four levels' normed vectors, (N,dims[3]) ... (N,dims[0])."""
        return tuple(
            getattr(self, f"grd_descriptor_norm{i}")(
                getattr(self, f"grd_feature_to_descriptor{i}")(ground)
            )
            for i in range(1, LEVELS + 1)
        )

    def matching_map(self, level: int, features: Tensor) -> Tensor:
        """Level 0..3's map as it is compared with its vector: normed, of unit length, fp32."""
        return unit_length(getattr(self, f"sat_matching_block_norm{level + 1}")(features))

    def forward(self, vectors: tuple[Tensor, ...], maps: tuple[Tensor, ...]) -> Location:
        """vectors: of ground_vectors(). maps: of the overhead tower, coarse first, (N,768,h,h),
        (N,384,2h,2h), (N,192,4h,4h), (N,96,8h,8h). One view with several tiles broadcasts."""
        x, scores = maps[0], []
        for level, vector in enumerate(vectors):
            score = cosines(vector, self.matching_map(level, x))
            scores.append(score)
            x = torch.cat((score[:, None], unit_length(x)), 1).to(x.dtype)
            if level + 1 < LEVELS:
                i = LEVELS - level
                x = torch.cat((getattr(self, f"deconv{i}")(x), maps[level + 1]), 1)
                x = getattr(self, f"conv{i}")(x)
        return Location(self.conv1(self.deconv1(x))[:, 0], tuple(scores))


def cosines(vectors: Tensor, matching_maps: Tensor) -> Tensor:
    """Each vector with the cells of its own map: (N or 1,C), (N,C,h,w) -> (N,h,w), fp32."""
    return (unit_length(vectors)[..., None, None] * matching_maps).sum(1)


def all_cosines(vectors: Tensor, matching_maps: Tensor) -> Tensor:
    """Every vector with the cells of every map: (Q,C), (T,C,h,w) -> (Q,T,h,w), fp32."""
    t, c, h, w = matching_maps.shape
    cells = matching_maps.permute(0, 2, 3, 1).reshape(t * h * w, c)
    return (unit_length(vectors) @ cells.T).reshape(-1, t, h, w)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
