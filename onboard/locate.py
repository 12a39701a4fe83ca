"""Finds where in the map a view's centre lies, to a fraction of a pixel.

The heatmap decoder gives the place to a few pixels; the map is cut anew around it and the
view's patches, each shifted a little, give the similarity between view and map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onboard.inference import Network
from onboard.messages import (
    TILE_PX,
    Description,
    Floats,
    Match,
    Refusal,
    TileId,
    View,
)
from onboard.patches import fit_patches
from onboard.ranked import Ranked
from onboard.reasons import Reason, Stage
from onboard.tile_descriptions import TileDescriptions

DECODED_TILES = 2  # best-ranked tiles that get a full heatmap
HEATMAP_STRIDE_PX = 4
DIFFERENT_PLACE_PX = 24.0  # peaks nearer than this are the same place (0.75 of a patch)
MAX_PASSES = 2
RECENTRE_PX = 8.0  # the map is cut anew when the patches move the centre by more: half their reach


@dataclass(frozen=True)
class _Place:
    """A peak of a tile's heatmap: the map pixel of the view's centre and its logit."""

    centre: tuple[float, float]
    logit: float
    tile: TileId


def locate(
    view: View,
    described: Description,
    ranked: Sequence[Ranked],
    tiles: TileDescriptions,
    network: Network,
) -> Match | Refusal:
    """ranked: best first, at least one. Refuses only when no similarity can be found."""
    level = view.level
    best, others = _decode(described, ranked[:DECODED_TILES], network)
    centre, fit = best.centre, None
    for _ in range(MAX_PASSES):
        corner = (round(centre[0] - TILE_PX / 2), round(centre[1] - TILE_PX / 2))
        crop = tiles.describe(level, [corner])[0]
        fit = fit_patches(network, described, view.mask, crop)
        if fit is None:
            return Refusal(
                view.time_ns, Stage.LOCATE, Reason.TOO_FEW_INLIERS, "no patches agree on a place"
            )
        found = fit.transform @ (TILE_PX / 2, TILE_PX / 2, 1.0) + corner
        moved_px = float(np.hypot(*(found - centre)))
        centre = (float(found[0]), float(found[1]))
        if moved_px <= RECENTRE_PX:
            break
    assert fit is not None
    view_to_map: Floats = fit.transform.copy()
    view_to_map[:, 2] += corner
    return Match(
        tile=best.tile,
        level=level,
        view_to_map=view_to_map,
        score=best.logit,
        runner_up=_runner_up(best, others, ranked),
        scale=fit.scale,
        rotation=fit.rotation,
        inliers=fit.inliers,
        checked=fit.checked,
        residual_px=fit.residual_px,
        covariance_px2=fit.covariance_px2,
    )


def _decode(
    described: Description, ranked: Sequence[Ranked], network: Network
) -> tuple[_Place, list[_Place]]:
    """The best place, and the best clearly different one of each decoded tile."""
    heatmaps = network.heatmaps(described, [r.description for r in ranked])
    heatmaps = heatmaps + np.array([r.candidate.log_prior for r in ranked])[:, None, None]
    best = max(
        (_peak(heatmap, r) for heatmap, r in zip(heatmaps, ranked, strict=True)),
        key=lambda place: place.logit,
    )
    others = [
        _peak(np.where(_near(heatmap, r, best.centre), -np.inf, heatmap), r)
        for heatmap, r in zip(heatmaps, ranked, strict=True)
    ]
    return best, others


def _peak(heatmap: Floats, ranked: Ranked) -> _Place:
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    x, y = ranked.candidate.tile.origin_px
    centre = (float(x + HEATMAP_STRIDE_PX * column), float(y + HEATMAP_STRIDE_PX * row))
    return _Place(centre, float(heatmap[row, column]), ranked.candidate.tile)


def _near(heatmap: Floats, ranked: Ranked, centre: tuple[float, float]) -> NDArray[np.bool_]:
    x, y = ranked.candidate.tile.origin_px
    steps = np.arange(heatmap.shape[0]) * HEATMAP_STRIDE_PX
    dx, dy = x + steps - centre[0], y + steps - centre[1]
    return np.asarray(dx[None, :] ** 2 + dy[:, None] ** 2 < DIFFERENT_PLACE_PX**2)


def _runner_up(best: _Place, others: Sequence[_Place], ranked: Sequence[Ranked]) -> float:
    """Odds (0..1) of the best clearly different place against the best one. Decoded tiles
    compare by the fused heatmap, the others by its coarse level."""
    odds = [other.logit - best.logit for other in others]
    own = max(r.score for r in ranked if r.candidate.tile == best.tile)
    odds += [
        r.score - own
        for r in ranked[DECODED_TILES:]
        if np.hypot(r.centre_px[0] - best.centre[0], r.centre_px[1] - best.centre[1])
        > DIFFERENT_PLACE_PX
    ]
    return float(np.exp(min(0.0, max(odds, default=-np.inf))))
