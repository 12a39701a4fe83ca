"""A finished bundle on held-out ground, through the code that flies: re-rank, locate, gate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.validation.held_out import PRIOR_RADIUS_M, HeldOut
from onboard.describe import Describer
from onboard.gate import gate
from onboard.locate import locate
from onboard.messages import (
    TILE_PX,
    TILE_STRIDE_PX,
    Candidate,
    Match,
    Picture,
    Refusal,
    TileId,
    View,
)
from onboard.rerank import rerank
from onboard.tile_descriptions import TileDescriptions

LEVEL = 18  # only a name here: the held-out pictures carry their own ground size
CANDIDATES = 10
WRONG_M = 30.0
CHI2_95 = 5.991  # of two degrees of freedom


@dataclass(frozen=True)
class Located:
    """One query: the match if there was one, why it was refused, and the centre's error."""

    match: Match | None
    refusal: Refusal | None
    error_m: float
    error_sigmas2: float


class _Region:
    """The held-out ground as imagery whose map pixels start at (0, 0)."""

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        self._picture = picture

    def picture(
        self, level: int, x: int, y: int, width: int = TILE_PX, height: int = TILE_PX
    ) -> Picture:
        out = np.zeros((height, width, 3), np.uint8)
        h, w = self._picture.shape[:2]
        x0, y0, x1, y1 = max(0, x), max(0, y), min(w, x + width), min(h, y + height)
        if x1 > x0 and y1 > y0:
            out[y0 - y : y1 - y, x0 - x : x1 - x] = self._picture[y0:y1, x0:x1]
        return out


def locate_all(held_out: HeldOut, describer: Describer, with_prior: bool) -> list[Located]:
    """Every query of the set alone."""
    network = describer.network
    tile_pictures = np.repeat(held_out.tiles, 3, axis=3)
    descriptors = np.concatenate(
        [describer.descriptors(tile_pictures[i : i + 8]) for i in range(0, len(tile_pictures), 8)]
    )
    tiles = TileDescriptions(_Region(held_out.region), describer)
    results = []
    for picture, truth in zip(held_out.views, held_out.view_centres, strict=True):
        view = _view(np.repeat(picture, 3, axis=2), held_out.ground_size_m)
        (described,) = describer.describe(view.picture[None])
        distance = 1.0 - descriptors @ described.descriptor
        if with_prior:
            reach_px = PRIOR_RADIUS_M / held_out.ground_size_m + TILE_PX / 2
            apart = np.linalg.norm(held_out.tile_centres - truth, axis=1)
            distance = np.where(apart < reach_px, distance, np.inf)
        order = np.argsort(distance, kind="stable")[:CANDIDATES]
        candidates = [
            Candidate(_tile_id(held_out.tile_centres[i]), float(distance[i]))
            for i in order
            if np.isfinite(distance[i])
        ]
        match = locate(
            view, described, rerank(described, candidates, tiles, network), tiles, network
        )
        results.append(_judged(match, view, truth, held_out.ground_size_m))
    return results


def summary(results: list[Located]) -> dict[str, float | int | dict[str, int]]:
    """The figures that matter, refusals counted by reason."""
    accepted = [r for r in results if r.refusal is None]
    errors = np.array([r.error_m for r in accepted]) if accepted else np.array([np.nan])
    inside = [r.error_sigmas2 <= CHI2_95 for r in accepted if r.error_m <= WRONG_M]
    wrong_shares = [
        r.match.inliers / r.match.checked for r in results if r.match and r.error_m > WRONG_M
    ]
    return {
        "queries": len(results),
        "accepted": len(accepted),
        "accepted_wrong": int((errors > WRONG_M).sum()),
        "within_10_m_of_all": int((errors <= 10).sum()) / len(results),
        "median_m": float(np.median(errors)),
        "p95_m": float(np.percentile(errors, 95)),
        "inside_95_ellipse": float(np.mean(inside)) if inside else float("nan"),
        "wrong_before_the_gate": len(wrong_shares),
        "largest_inlier_share_of_those": max(wrong_shares, default=0.0),
        "refused": dict(Counter(r.refusal.reason.value for r in results if r.refusal)),
    }


def _view(picture: Picture, ground_size_m: float) -> View:
    return View(
        time_ns=0,
        picture=picture,
        mask=picture.max(2) > 0,
        level=LEVEL,
        east_m_per_px=ground_size_m,
        north_m_per_px=ground_size_m,
        nadir_east_m=0.0,
        nadir_north_m=0.0,
        agl_m=100.0,
        height_sigma_m=0.0,
    )


def _tile_id(centre: NDArray[np.float64]) -> TileId:
    column, row = ((c - TILE_PX / 2) / TILE_STRIDE_PX for c in centre)
    return TileId(LEVEL, round(column), round(row))


def _judged(
    match: Match | Refusal, view: View, truth: NDArray[np.float64], ground_size_m: float
) -> Located:
    if isinstance(match, Refusal):
        return Located(None, match, float("inf"), float("inf"))
    error_px = match.view_to_map @ (TILE_PX / 2, TILE_PX / 2, 1.0) - truth
    sigmas2 = float(error_px @ np.linalg.solve(match.covariance_px2, error_px))
    error_m = float(np.linalg.norm(error_px)) * ground_size_m
    return Located(match, gate(match, view, None), error_m, sigmas2)
