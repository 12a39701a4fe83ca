"""The losses of UnifyGeo at full size (arXiv 2505.07622, section III.E), but for L_G, which is
symmetric_infonce.

The release holds no training code. L_M and L_D follow the paper's equations 7 and 8; L_R, of
which the paper gives no formula, is read as one softmax over all cells of all tiles of the batch.
Label maps are Gaussians on the tile's pixels; a level's is their maximum per cell.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from export.losses.matching import cell_loss

WEIGHTS = {"heatmap": 1.0, "retrieval": 100.0, "matching": 10.0, "rerank": 1.0}  # equation 5
LABEL_SIGMA_PX = 4.0  # in a tile of 384 px
MATCHING_TEMPERATURE = 0.1
MIN_LABEL = 0.01  # cells above it are positives


def gaussian_labels(places_px: Tensor, tile_px: int, sigma_px: float = LABEL_SIGMA_PX) -> Tensor:
    """(N,2) column and row -> (N,S,S), sum 1.

    The corner of the first pixel is (0, 0), so its middle lies at (0.5, 0.5). A place outside
    the tile keeps a label at the nearest edge, whose shape says how far in it points.
    """
    middles = torch.arange(tile_px, device=places_px.device, dtype=torch.float32) + 0.5
    x, y = (
        torch.log_softmax(-0.5 * ((middles - p[:, None]) / sigma_px) ** 2, dim=1)
        for p in places_px.float().unbind(1)
    )
    return (y[:, :, None] + x[:, None, :]).exp()


def level_labels(labels: Tensor, cells: int) -> Tensor:
    """(N,S,S) -> (N,cells,cells): the largest label of each cell, sum 1; cells divides S."""
    largest = F.max_pool2d(labels[:, None], labels.shape[-1] // cells)[:, 0]
    return largest / largest.sum((1, 2), keepdim=True)


def matching_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """L_M of one level: cosines and labels (N,h,w) -> scalar.

    -log of the softmax over the tile's cells of cosine / 0.1, averaged over the positive cells
    with their labels as weights, then over the batch.
    """
    log_p = F.log_softmax(scores.float().flatten(1) / MATCHING_TEMPERATURE, dim=1)
    weights = labels.flatten(1)
    weights = weights * (weights > MIN_LABEL)
    return -((weights * log_p).sum(1) / weights.sum(1)).mean()


def location_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_D: (N,S,S) each -> scalar, the cross entropy over all pixels of the own tile."""
    return cell_loss(logits.float(), labels)


def rerank_loss(cosines: Tensor, labels: Tensor, log_scale: Tensor) -> Tensor:
    """L_R: level 0's cosines of every view in every tile (N,N,h,w), the own tiles' labels
    (N,h,w), the learned scale -> scalar.

    Cross entropy of exp(log_scale) * cosine over (tile, cell), where the positives are the own
    tile's cells. With several processes the tiles are those of the own one.
    """
    own = torch.arange(len(cosines), device=cosines.device)
    spread = torch.zeros_like(cosines, dtype=torch.float32)
    spread[own, own] = labels
    return cell_loss(log_scale.float().exp() * cosines.float(), spread)
