"""UnifyGeo at full size for ground panoramas over satellite tiles, in the VIGOR release's layout.

The paper is arXiv 2505.07622, section III. Ground and overhead towers have weights of their own;
"shared encoder" means that retrieval and localisation share it. Pictures are RGB, normalised by
ImageNet's mean and deviation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.networks.convnext import TINY, ConvNextFeatures, Shape, check_size
from export.networks.unifygeo_decoder import Location, PyramidDecoder, all_cosines
from export.networks.unifygeo_head import GlobalHead, LocalHead

TILE_PX = 384
PANORAMA_PX = (TILE_PX, 2 * TILE_PX)  # height, width
START_SCALE = 1 / 0.07  # of both learned temperatures


class Answers(NamedTuple):
    """What training sees of a batch of N pairs. ground, overhead: descriptors (N,D). logits,
    scores: of each view in its own tile, as Location. rerank: level 0's cosines of every view
    in every tile, (N,N,h,w). log_scale, log_scale_rerank: of retrieval's and re-ranking's
    learned temperatures, passed on so that DistributedDataParallel sees them used."""

    ground: Tensor
    overhead: Tensor
    logits: Tensor
    scores: tuple[Tensor, ...]
    rerank: Tensor
    log_scale: Tensor
    log_scale_rerank: Tensor


class _Encoder(nn.Module):
    """The three shared stages, one level deeper in the release's keys."""

    def __init__(self, shape: Shape, checkpointing: bool) -> None:
        super().__init__()
        shared = Shape(shape.depths[:-1], shape.dims[:-1])
        self.model = ConvNextFeatures(shared, checkpointing)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        maps: tuple[Tensor, ...] = self.model(pictures)
        return maps


class UnifyGeo(nn.Module):
    """shape: four stages, of whose last one a single block is kept. panorama_px: height and
    width, multiples of 32; the weights are bound to them. checkpointing saves memory."""

    def __init__(
        self,
        shape: Shape = TINY,
        panorama_px: tuple[int, int] = PANORAMA_PX,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        check_size(shape, *panorama_px)
        cells = (panorama_px[0] // shape.stride, panorama_px[1] // shape.stride)
        widths = shape.dims[-2:]
        self.grd_encoder = _Encoder(shape, checkpointing)
        self.grd_global_feats_decoder = GlobalHead(*widths)
        self.grd_local_feats_decoder = LocalHead(*widths)
        self.sat_encoder = _Encoder(shape, checkpointing)
        self.sat_global_feats_decoder = GlobalHead(*widths)
        self.sat_local_feats_decoder = LocalHead(*widths)
        self.pyramid_decoder = PyramidDecoder(shape.dims, cells)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(START_SCALE)))
        self.logit_scale_rerank = nn.Parameter(torch.tensor(math.log(START_SCALE)))

    def describe_ground(self, panoramas: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N,3,384,768) -> descriptor (N,768), unit length, and local vectors (N,768), (N,384),
        (N,192), (N,96), normed."""
        last = self.grd_encoder(panoramas)[-1]
        local = self.grd_local_feats_decoder(last)
        return self.grd_global_feats_decoder(last), self.pyramid_decoder.ground_vectors(local)

    def describe_overhead(self, tiles: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N,3,384,384) -> descriptor (N,768), unit length, and level maps (N,768,12,12),
        (N,384,24,24), (N,192,48,48), (N,96,96,96)."""
        maps = self.sat_encoder(tiles)
        local = self.sat_local_feats_decoder(maps[-1])
        return self.sat_global_feats_decoder(maps[-1]), (local, *maps[::-1])

    def locate(self, vectors: tuple[Tensor, ...], maps: tuple[Tensor, ...]) -> Tensor:
        """Local vectors and level maps of the same N pairs (or of one view) -> logits
        (N,384,384), of the camera in each pixel of the tile."""
        return self.match(vectors, maps).logits

    def match(self, vectors: tuple[Tensor, ...], maps: tuple[Tensor, ...]) -> Location:
        """As locate, with the levels' cosines."""
        location: Location = self.pyramid_decoder(vectors, maps)
        return location

    def rerank_maps(self, maps: Tensor) -> Tensor:
        """Level 0's maps (T,768,12,12) as they are compared with level 0's vectors: all that
        re-ranking needs of a tile, so it can be made before the flight."""
        return self.pyramid_decoder.matching_map(0, maps)

    def rerank_scores(self, vectors: Tensor, rerank_maps: Tensor) -> Tensor:
        """Level 0's vectors (Q,768) and rerank_maps (T,768,12,12) -> the largest cosine of every
        view in every tile, (Q,T). (Equation 4's second term, raw.)"""
        return all_cosines(vectors, rerank_maps).flatten(2).amax(2)

    def forward(self, panoramas: Tensor, tiles: Tensor) -> Answers:
        """N pairs: panorama i was taken within tile i."""
        ground, vectors = self.describe_ground(panoramas)
        overhead, maps = self.describe_overhead(tiles)
        logits, scores = self.match(vectors, maps)
        rerank = all_cosines(vectors[0], self.rerank_maps(maps[0]))
        scales = self.logit_scale.clone(), self.logit_scale_rerank.clone()
        return Answers(ground, overhead, logits, scores, rerank, *scales)


def unifygeo_vigor(input_px: int = TILE_PX, checkpointing: bool = False) -> UnifyGeo:
    """For the registry: input_px is the tile's side, the panorama is twice as wide.

    Raises ValueError: the size is no multiple of 32, or none that the decoder's widths fit.
    """
    return UnifyGeo(TINY, (input_px, 2 * input_px), checkpointing)


def heatmap(logits: Tensor) -> Tensor:
    """Logits (N,S,S) -> probabilities that sum to 1 over a tile, in fp32: S*S may be 147,456."""
    return torch.softmax(logits.float().flatten(1), dim=1).reshape(logits.shape)
