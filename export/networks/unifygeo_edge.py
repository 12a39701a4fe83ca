"""UnifyGeo made small for two overhead views: one network retrieves, re-ranks and locates.

After "UnifyGeo" (VIGOR release): a shared encoder serves both tasks, a global branch of
attention and GeM gives the retrieval descriptor, and a hierarchical decoder turns the
matching scores of several levels into a heatmap of where the view's centre lies. Because
both pictures look down and are north-up, the matching score of a level is the correlation
of whole feature maps under every shift rather than of one vector with a map, and one
encoder serves both views.

The encoder has XFeat's layout with batch norm folded (27 convolutions, Potje et al. 2024,
Apache-2.0), so that it may start from XFeat's published weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.networks.correlation import ShiftCorrelation

DESCRIPTOR_DIM = 256
SHORT_DESCRIPTOR_DIM = 64  # the first so many numbers are trained to work alone
COARSE_STRIDE, COARSE_CHANNELS = 8, 64
FINE_STRIDE, FINE_CHANNELS = 4, 32
GLOBAL_CHANNELS = 128
PATCH_CELLS = 8  # a patch is 8 x 8 fine cells, 32 px
PATCH_REACH_CELLS = 4  # and is looked for up to 4 cells, 16 px, each way
NORM_EPS = 1e-4  # above fp16's smallest normal number
GEM_EPS = 1e-3


def _conv(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2)


def unit(x: Tensor) -> Tensor:
    """L2 along dim 1 with an eps that survives fp16."""
    return x * torch.rsqrt((x * x).sum(1, keepdim=True) + NORM_EPS**2)


class Encoder(nn.Module):
    """XFeat's convolutions. (N,1,H,W) normalised gray -> maps of stride 4 (24) and 8 (64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.block1_0, self.block1_1 = _conv(1, 4), _conv(4, 8, stride=2)
        self.block1_2, self.block1_3 = _conv(8, 8), _conv(8, 24, stride=2)
        self.skip1 = _conv(1, 24, 1)
        self.block2_0, self.block2_1 = _conv(24, 24), _conv(24, 24)
        self.block3_0, self.block3_1 = _conv(24, 64, stride=2), _conv(64, 64)
        self.block3_2 = _conv(64, 64, 1)
        self.block4_0, self.block4_1 = _conv(64, 64, stride=2), _conv(64, 64)
        self.block4_2 = _conv(64, 64)
        self.block5_0, self.block5_1 = _conv(64, 128, stride=2), _conv(128, 128)
        self.block5_2, self.block5_3 = _conv(128, 128), _conv(128, 64, 1)
        self.fusion_0, self.fusion_1, self.fusion_2 = _conv(64, 64), _conv(64, 64), _conv(64, 64, 1)
        self.heat_0, self.heat_1, self.heat_2 = _conv(64, 64, 1), _conv(64, 64, 1), _conv(64, 1, 1)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stride4, hidden = self.hidden(gray)
        return stride4, hidden, self.fusion_2(hidden)

    def hidden(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """The maps of stride 4 (24) and 8 (64) before the features' last layer."""
        x = gray
        for conv in (self.block1_0, self.block1_1, self.block1_2, self.block1_3):
            x = F.relu(conv(x))
        x = x + self.skip1(F.avg_pool2d(gray, 4))
        for conv in (self.block2_0, self.block2_1):
            x = F.relu(conv(x))
        stride4 = x
        for conv in (self.block3_0, self.block3_1, self.block3_2):
            x = F.relu(conv(x))
        x3 = x
        for conv in (self.block4_0, self.block4_1, self.block4_2):
            x = F.relu(conv(x))
        x4 = x
        for conv in (self.block5_0, self.block5_1, self.block5_2, self.block5_3):
            x = F.relu(conv(x))
        size = x3.shape[2:]
        x = x3 + _resize(x4, size) + _resize(x, size)
        return stride4, F.relu(self.fusion_1(F.relu(self.fusion_0(x))))

    def reliability(self, features: Tensor) -> Tensor:
        """(N,64,h,w) -> (N,1,h,w) in 0.1..1: how far a cell can be trusted in matching."""
        logits = self.heat_2(F.relu(self.heat_1(F.relu(self.heat_0(features)))))
        return reliability(logits)


def reliability(logits: Tensor) -> Tensor:
    # never quite zero, so that a bare field is still compared with other bare fields
    return 0.1 + 0.9 * torch.sigmoid(logits)


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=(int(size[0]), int(size[1])), mode="bilinear", align_corners=False)


class GlobalBranch(nn.Module):
    """Self-attention (zero at the start, residual), GeM over the ground, projection, L2."""

    def __init__(self) -> None:
        super().__init__()
        c = GLOBAL_CHANNELS
        self.down = _conv(64, c, stride=2)
        self.mix_0, self.mix_1 = _conv(c, c), _conv(c, c)
        self.query, self.key, self.value = _conv(c, c // 2, 1), _conv(c, c // 2, 1), _conv(c, c, 1)
        nn.init.zeros_(self.value.weight)
        self.widen = _conv(c, DESCRIPTOR_DIM, 1)
        self.gem_power = nn.Parameter(torch.tensor(3.0))
        self.norm = nn.LayerNorm(DESCRIPTOR_DIM)
        self.project = nn.Linear(DESCRIPTOR_DIM, DESCRIPTOR_DIM)

    def forward(self, hidden: Tensor, ground: Tensor) -> Tensor:
        """hidden (N,64,h,w), ground (N,1,h/2,w/2) share of ground per cell -> (N,256)."""
        x = F.relu(self.down(hidden))
        x = F.relu(x + self.mix_1(F.relu(self.mix_0(x))))
        inside = ground.flatten(2)
        q, k, v = self.query(x).flatten(2), self.key(x).flatten(2), self.value(x).flatten(2)
        logits = (q.transpose(1, 2) @ k) * (GLOBAL_CHANNELS // 2) ** -0.5
        weights = torch.softmax(logits + (inside - 1.0) * 1e4, dim=-1)
        x = x + (v @ weights.transpose(1, 2)).reshape(x.shape)
        # GeM with the largest value factored out: x**p stays within 0..1
        x = F.relu(self.widen(x)).flatten(2) * inside + GEM_EPS
        top = x.amax(dim=2, keepdim=True)
        mean = ((x / top) ** self.gem_power * inside).sum(2) / (inside.sum(2) + GEM_EPS)
        pooled = top.squeeze(2) * (mean + GEM_EPS) ** (1.0 / self.gem_power)
        return unit(self.project(self.norm(pooled)))


class UnifyGeoEdge(nn.Module):
    """Pictures (N,S,S,3) uint8 BGR, S a multiple of 32, black where there is no ground ->
    descriptor (N,256), coarse (N,64,S/8,S/8) and fine (N,32,S/4,S/4) maps. A cell's length
    is its reliability, 0 where there is no ground.

    global_branch: another one than UnifyGeo's, with the same forward (GenGeo's and GeoLink's
    small sisters: export/networks/edge_branches.py)."""

    def __init__(self, global_branch: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.lateral = _conv(24, FINE_CHANNELS, 1)
        self.top_down = _conv(64, FINE_CHANNELS, 1)
        self.fine_0, self.fine_1 = (
            _conv(FINE_CHANNELS, FINE_CHANNELS),
            _conv(FINE_CHANNELS, FINE_CHANNELS),
        )
        self.fine_reliability = _conv(FINE_CHANNELS, 1, 1)
        self.global_branch = global_branch or GlobalBranch()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gray, ground = normalised_gray(pictures)
        stride4, hidden, features = self.encoder(gray)
        ground4 = (F.avg_pool2d(ground, FINE_STRIDE) > 0.5).float()
        ground8 = (F.avg_pool2d(ground, COARSE_STRIDE) > 0.5).float()
        coarse = unit(features) * self.encoder.reliability(features) * ground8
        x = self.lateral(stride4) + _resize(self.top_down(hidden), stride4.shape[2:])
        x = F.relu(self.fine_0(F.relu(x)))
        fine = unit(self.fine_1(x)) * reliability(self.fine_reliability(x)) * ground4
        descriptor = self.global_branch(hidden, F.avg_pool2d(ground8, 2))
        return descriptor, coarse, fine

    def descriptors(self, pictures: Tensor) -> Tensor:
        """The descriptors (N,D) alone."""
        gray, ground = normalised_gray(pictures)
        hidden = self.encoder.hidden(gray)[1]
        ground8 = (F.avg_pool2d(ground, COARSE_STRIDE) > 0.5).float()
        descriptor: Tensor = self.global_branch(hidden, F.avg_pool2d(ground8, 2))
        return descriptor


def normalised_gray(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Gray of zero mean and unit deviation over the ground, and the ground's mask, (N,1,S,S)."""
    x = pictures.permute(0, 3, 1, 2).float() / 255.0
    ground = (x.amax(1, keepdim=True) > 0).float()
    gray = x.mean(1, keepdim=True)
    count = ground.sum((2, 3), keepdim=True) + 1.0
    mean = (gray * ground).sum((2, 3), keepdim=True) / count
    centred = (gray - mean) * ground
    deviation = torch.sqrt((centred * centred).sum((2, 3), keepdim=True) / count + 1e-5)
    return centred / deviation, ground


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
        self.mix_0, self.mix_1 = _conv(4, 16), _conv(16, 1)
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


def load_xfeat(network: UnifyGeoEdge, state: dict[str, Tensor]) -> None:
    """Starts the encoder from XFeat with batch norm folded (keys `c.<layer>.{weight,bias}`).

    Raises ValueError naming the keys that are absent or of another shape.
    """
    own = network.encoder.state_dict()
    found = {k: state.get(f"c.{k}") for k in own}
    wrong = [k for k, v in found.items() if v is None or v.shape != own[k].shape]
    if wrong:
        raise ValueError(f"these layers are missing or differ in shape: {', '.join(wrong)}")
    network.encoder.load_state_dict(found)
