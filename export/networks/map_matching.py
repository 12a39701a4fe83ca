"""Where a view lies in a tile, from the maps of both: over the whole tile, and patch by patch.

The localisation of UnifyGeo's overhead networks, small and full size. A cell of a map is as long
as it is reliable, 0 where there is no ground.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.networks.correlation import ShiftCorrelation
from export.networks.unifygeo_edge import COARSE_STRIDE, FINE_STRIDE

PATCH_CELLS = 8  # a patch is 8 x 8 fine cells, 32 px
PATCH_REACH_CELLS = 4  # and is looked for up to 4 cells, 16 px, each way


class HeatmapDecoder(nn.Module):
    """Matching scores of both levels -> logits of where the view's centre lies in a tile.

    Output cell (i, j) stands for tile pixel (4 j, 4 i), 0..S each way; of the coarse level
    alone (8 j, 8 i). Logits of several tiles compare directly: they were trained in one
    softmax over tiles and cells (L_R), so a tile's largest one is its re-ranking score.
    """

    def __init__(self, picture_px: int = 256) -> None:
        super().__init__()
        n8, n4 = picture_px // COARSE_STRIDE, picture_px // FINE_STRIDE
        self.coarse_shift = ShiftCorrelation(n8, n8, -n8 // 2, n8 // 2)
        self.fine_shift = ShiftCorrelation(n4, n4, -n4 // 2, n4 // 2)
        self.scale = nn.Parameter(torch.tensor([20.0, 20.0]))
        self.mix_0, self.mix_1 = nn.Conv2d(4, 16, 3, 1, 1), nn.Conv2d(16, 1, 3, 1, 1)
        nn.init.zeros_(self.mix_1.weight)

    def coarse(self, view: Tensor, tiles: Tensor, all_pairs: bool = False) -> tuple[Tensor, Tensor]:
        """Coarse maps (N or 1,64,..), (N,64,..) -> logits and mean cosines (N,S/8+1,S/8+1);
        of every view with every tile (V,T,S/8+1,S/8+1) when asked for."""
        mean, overlap = _agreement(self.coarse_shift, view, tiles, all_pairs)
        return self.scale[0] * mean * overlap, mean

    def forward(
        self, view_coarse: Tensor, view_fine: Tensor, coarse: Tensor, fine: Tensor
    ) -> tuple[Tensor, Tensor]:
        """View maps (N or 1,..), tile maps (N,..) -> fused logits and those of the fine level
        alone, both (N,S/4+1,S/4+1)."""
        logits8, mean8 = self.coarse(view_coarse, coarse)
        mean4, overlap4 = _agreement(self.fine_shift, view_fine, fine, all_pairs=False)
        logits4 = self.scale[1] * mean4 * overlap4
        levels8 = torch.stack((logits8, mean8), 1)
        up = F.interpolate(levels8, size=logits4.shape[1:], mode="bilinear", align_corners=True)
        maps = torch.stack((up[:, 0] / 8, up[:, 1], logits4 / 8, mean4), 1)
        learned = self.mix_1(F.relu(self.mix_0(maps)))[:, 0]
        return up[:, 0] + logits4 + learned, logits4


def reliability_of(maps: Tensor) -> Tensor:
    """Length of each cell, (N,1,h,w), with a gradient at zero too."""
    return ((maps * maps).sum(1, keepdim=True) + 1e-12).sqrt()


def _agreement(
    shift: ShiftCorrelation, view: Tensor, tile: Tensor, all_pairs: bool
) -> tuple[Tensor, Tensor]:
    """Mean cosine over the overlap, weighted by both reliabilities, and the square root of
    the overlapping share of the view: evidence grows with the area that agrees."""
    view_weight, tile_weight = reliability_of(view), reliability_of(tile)
    view_sum, tile_mean = view_weight.sum((1, 2, 3)), tile_weight.mean((1, 2, 3))
    # what the view would weigh against a tile of mean reliability everywhere
    if all_pairs:
        correlate = shift.all_pairs
        full = view_sum[:, None] * tile_mean[None, :]
    else:
        correlate = shift.paired
        full = view_sum * tile_mean
    full = full[..., None, None] + 1e-3
    overlap = correlate(view_weight, tile_weight)
    share = (overlap / full).clamp(0.0, 1.0)
    return correlate(view, tile) / (overlap.clamp_min(0.0) + 0.05 * full), (share + 1e-6).sqrt()


class PatchMatcher(nn.Module):
    """Scores of the view's patches at small shifts in a map crop of the same size.

    (N,32,n,n) fine maps of views and crops -> (N, n/8, n/8, 9, 9): the weighted mean cosine
    of each 8x8-cell patch at shifts of -4..4 cells (row, column); and (N, n/8, n/8), the
    patches' mean reliability in the view.
    """

    def __init__(self) -> None:
        super().__init__()
        window = PATCH_CELLS + 2 * PATCH_REACH_CELLS
        self.shift = ShiftCorrelation(PATCH_CELLS, window, 0, 2 * PATCH_REACH_CELLS)

    def forward(self, view: Tensor, crop: Tensor) -> tuple[Tensor, Tensor]:
        view_weight, crop_weight = reliability_of(view), reliability_of(crop)
        patches, windows = _blocks(view), _windows(crop)
        overlap = self.shift.paired(_blocks(view_weight), _windows(crop_weight))
        agreement = self.shift.paired(patches, windows)
        n, k = view.shape[0], view.shape[2] // PATCH_CELLS
        side = 2 * PATCH_REACH_CELLS + 1
        scores = (agreement / (overlap.clamp_min(0.0) + 0.02 * PATCH_CELLS**2)).reshape(
            n, k, k, side, side
        )
        return scores, F.avg_pool2d(view_weight, PATCH_CELLS)[:, 0]


def _blocks(maps: Tensor) -> Tensor:
    """(N,C,n,n) -> (N*k*k, C, 8, 8), row-major, k = n / 8."""
    n, c, h, _ = maps.shape
    k = h // PATCH_CELLS
    x = maps.reshape(n, c, k, PATCH_CELLS, k, PATCH_CELLS).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(n * k * k, c, PATCH_CELLS, PATCH_CELLS)


def _windows(maps: Tensor) -> Tensor:
    """(N,C,n,n) -> (N*k*k, C, 16, 16): each block with 4 cells around it, zero outside."""
    n, c, h, _ = maps.shape
    k, b = h // PATCH_CELLS, PATCH_CELLS
    x = F.pad(maps, (PATCH_REACH_CELLS,) * 4)
    rows = x.reshape(n, c, k + 1, b, (k + 1) * b)
    x = torch.cat((rows[:, :, :-1], rows[:, :, 1:]), 3)
    columns = x.reshape(n, c, k, 2 * b, k + 1, b)
    x = torch.cat((columns[:, :, :, :, :-1], columns[:, :, :, :, 1:]), 5)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(n * k * k, c, 2 * b, 2 * b)
