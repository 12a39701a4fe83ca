"""The losses of UnifyGeo (VIGOR release), for pairs whose geometry is known exactly.

L_G: symmetric InfoNCE between descriptors. L_R: one softmax over all tiles of the batch and
all cells of each; the positives are the cells around the true one, with a Gaussian label.
L_M: the same within the own tile, level by level. L_D: the same for the fused heatmap. The
patch loss is ours: each patch of the view against its small shifts in the tile.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from export.losses.infonce import symmetric_infonce
from export.networks.map_matching import PATCH_CELLS, PATCH_REACH_CELLS, PatchMatcher
from export.networks.unifygeo_edge import FINE_STRIDE, SHORT_DESCRIPTOR_DIM, unit

LABEL_SIGMA_CELLS = 0.8
PATCH_SIGMA_CELLS = 0.5
PATCH_SCALE = 20.0  # logits per unit of cosine
MIN_PATCH_GROUND = 0.7


def retrieval_loss(views: Tensor, tiles: Tensor, log_scale: Tensor) -> Tensor:
    """L_G on all numbers and on the first 64 alone; (N,256) each, unit length."""
    short = slice(SHORT_DESCRIPTOR_DIM)
    return 0.5 * (
        symmetric_infonce(unit(views), unit(tiles), log_scale)
        + symmetric_infonce(unit(views[:, short]), unit(tiles[:, short]), log_scale)
    )


def centre_labels(view_to_tile: Tensor, picture_px: int, stride: int) -> Tensor:
    """(N,2,3) -> (N,c,c), c = S/stride + 1: Gaussian around the view's centre, sum 1."""
    middle = view_to_tile.new_full((2,), picture_px / 2)
    centre = view_to_tile[:, :, :2] @ middle + view_to_tile[:, :, 2]
    cells = torch.arange(picture_px // stride + 1, dtype=torch.float32, device=centre.device)
    x = ((cells[None] - centre[:, :1] / stride) / LABEL_SIGMA_CELLS) ** 2
    y = ((cells[None] - centre[:, 1:] / stride) / LABEL_SIGMA_CELLS) ** 2
    label = torch.exp(-0.5 * (y[:, :, None] + x[:, None, :]))
    return label / label.sum((1, 2), keepdim=True)


def cell_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax over all cells against the label; (N, ...) each, labels summing to 1.

    With logits of the own tile this is L_M and L_D; with those of several tiles, whose
    labels are zero but for the own one's, it is L_R.
    """
    return -(labels.flatten(1) * F.log_softmax(logits.flatten(1), 1)).sum(1).mean()


def patch_loss(matcher: PatchMatcher, view: Tensor, tile: Tensor, view_to_tile: Tensor) -> Tensor:
    """view, tile: fine maps (N,32,n,n). The tile is first shifted by whole cells so that the
    centres meet, as flight does by cutting the map anew."""
    n, _, side, _ = view.shape
    device = view_to_tile.device
    middle = view_to_tile.new_full((2,), side * FINE_STRIDE / 2)
    centre = view_to_tile[:, :, :2] @ middle + view_to_tile[:, :, 2]
    offset = torch.round((centre - middle) / FINE_STRIDE).long()
    reach = side // 2
    padded = F.pad(tile, (reach,) * 4)
    crops = torch.stack(
        [
            padded[i, :, reach + dy : reach + dy + side, reach + dx : reach + dx + side]
            for i, (dx, dy) in enumerate(offset.clamp(-reach, reach).tolist())
        ]
    )
    scores, _ = matcher(view, crops)
    blocks = side // PATCH_CELLS
    at = torch.arange(blocks, dtype=torch.float32, device=device) + 0.5
    at = at * PATCH_CELLS * FINE_STRIDE
    points = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1).reshape(1, -1, 2)
    mapped = points @ view_to_tile[:, :, :2].transpose(1, 2) + view_to_tile[:, None, :, 2]
    shift = (mapped - points) / FINE_STRIDE - offset[:, None, :]
    reached = range(-PATCH_REACH_CELLS, PATCH_REACH_CELLS + 1)
    cells = torch.tensor(reached, dtype=torch.float32, device=device)
    x = ((cells - shift[..., :1]) / PATCH_SIGMA_CELLS) ** 2
    y = ((cells - shift[..., 1:]) / PATCH_SIGMA_CELLS) ** 2
    label = torch.exp(-0.5 * (y[..., :, None] + x[..., None, :])).flatten(2)
    label = label / label.sum(2, keepdim=True).clamp_min(1e-6)
    log_p = F.log_softmax(PATCH_SCALE * scores.reshape(n, blocks * blocks, -1), -1)
    inside = (shift.abs() < PATCH_REACH_CELLS - 0.5).all(-1)
    for maps in (view, crops):
        ground = (maps.detach().abs().amax(1, keepdim=True) > 0).float()
        inside = inside & (F.avg_pool2d(ground, PATCH_CELLS).flatten(1) > MIN_PATCH_GROUND)
    each = -(label * log_p).sum(-1) * inside
    return each.sum() / inside.sum().clamp_min(1)
