"""Metres within the tile (UnifyGeo, CCVPE): from a heatmap's peak, and after re-ranking.

R@1m and R@10m ask that the first answer after re-ranking be exactly the primary tile and
that the camera be found in it to less than so many metres. The heatmap looked at is then
always the primary tile's, the same that mean and median metres are taken from.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from export.datasets.retrieval_set import TileTruth
from export.metrics.ranking import Ranks

Floats = NDArray[np.float64]


class HeatmapGrid(str, Enum):
    """Where cell i of W lies in a tile.

    CENTRES: cell i of a W-cell heatmap covers its W-th part of the tile; it stands for the
    middle. CCVPE: its label spreads W cells evenly from edge to edge, so that a true place x
    (0..W) has the index x (W - 1) / W. CORNERS: cell i lies at pixel i * stride, with W - 1
    strides to a side (Pilotage's own decoder).
    """

    CENTRES = "centres"
    CCVPE = "ccvpe"
    CORNERS = "corners"


def peak_error_m(
    heatmap: NDArray[np.floating], truth: TileTruth, grid: HeatmapGrid = HeatmapGrid.CENTRES
) -> float:
    """Distance of the largest cell of (H, W) from where the camera stood; of equal ones the
    first counts."""
    height, width = heatmap.shape
    row, col = divmod(int(np.argmax(heatmap)), width)
    down_px = _place(row, height, truth.row_px, truth.tile_px, grid)
    right_px = _place(col, width, truth.col_px, truth.tile_px, grid)
    return float(np.hypot(right_px, down_px)) * truth.metres_per_px


def _place(cell: int, cells: int, true_px: float, tile_px: int, grid: HeatmapGrid) -> float:
    """Cell minus truth, in the tile's pixels."""
    if grid is HeatmapGrid.CENTRES:
        return (cell + 0.5) * tile_px / cells - true_px
    if grid is HeatmapGrid.CORNERS:
        return cell * tile_px / (cells - 1) - true_px
    return (cell - true_px / tile_px * (cells - 1)) * tile_px / cells


def recall_within_m(ranks: Ranks, error_m: Floats, limit_m: float) -> float:
    """R@1m, R@10m: share (0..1) of all queries whose rank after re-ranking is 1 and whose
    error on the primary tile is below the limit. (Q,) each."""
    return float(np.mean((ranks == 1) & (error_m < limit_m))) if len(ranks) else 0.0
