"""Re-ranks candidates by comparing feature maps: UnifyGeo's second look, over whole maps.

The coarse level of the heatmap decoder scores every shift of the view over a tile; the
best shift's logit, comparable across tiles, plus the prior orders the candidates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onboard.inference import Network
from onboard.messages import TILE_PX, Candidate, Description
from onboard.ranked import Ranked
from onboard.tile_descriptions import TileDescriptions

COARSE_STRIDE_PX = 8


def rerank(
    described: Description,
    candidates: Sequence[Candidate],
    tiles: TileDescriptions,
    network: Network,
) -> tuple[Ranked, ...]:
    """Best first; candidates must be of one level. Equal scores keep their order."""
    if not candidates:
        return ()
    corners = [c.tile.origin_px for c in candidates]
    descriptions = tiles.describe(candidates[0].tile.level, corners)
    heatmaps = network.coarse_heatmaps(described, descriptions)
    ranked = [
        Ranked(candidate, description, float(heatmap.max()), _peak(heatmap, corner))
        for candidate, description, heatmap, corner in zip(
            candidates, descriptions, heatmaps, corners, strict=True
        )
    ]
    return tuple(sorted(ranked, key=lambda r: -r.score))


def _peak(heatmap: NDArray[np.float32], corner: tuple[int, int]) -> tuple[float, float]:
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    assert heatmap.shape[1] == TILE_PX // COARSE_STRIDE_PX + 1
    return corner[0] + COARSE_STRIDE_PX * column, corner[1] + COARSE_STRIDE_PX * row
