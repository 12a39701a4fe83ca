"""Tries to find views of the map in the map itself, through the code that flies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from maps.localizability.map_views import Footprint, cut_view
from maps.localizability.places import Place
from onboard.describe import Describer
from onboard.geodesy import offset_latlon, pixel_to_latlon
from onboard.localize import Localizer, Look
from onboard.locate import DIFFERENT_PLACE_PX
from onboard.messages import (
    TILE_PX,
    TILE_STRIDE_PX,
    FrameResult,
    Prior,
    RecordedFrame,
    View,
)
from onboard.pack.map_pack import MapPack
from onboard.reasons import Reason
from onboard.retrieve import retrieve

# Where a view's centre is as far from all tiles' centres as it can be; one corner a try.
UNLUCKY_PX = 0.9 * TILE_STRIDE_PX / 2
CORNERS = ((1, 1), (-1, -1), (1, -1), (-1, 1))
STRENGTHS = (0.8, 1.4, 2.0)  # of the disturbance, one a try
OWN_NEIGHBOURHOOD_PX = 1.25 * TILE_PX  # tiles nearer than this show part of the same view
LOOKED_THROUGH = 60  # tiles: the own neighbourhood has some 20
NO_RIVAL = 0.5  # cosine distance: what the lead counts where no other place is near at all
MOST_LEAD = 6.0  # ln of the odds: beyond, no other place matters


@dataclass(frozen=True)
class Trial:
    """One view. found, found_alone: with the prior and without, a fix at the right place.
    wrong: a fix elsewhere. agreement: share of the patches that agree on the right place, 0
    where another was believed. lead: ln odds of the right place against the best other one.
    rival_near, rival_anywhere: by how much farther, in descriptors, the nearest other place in
    the prior's window and in the whole pack is than the own one; below 0 it looks more alike.
    contrast: of the view's patches, as `onboard.patches` counts it. sigma_px: of the match,
    None where none was found. refused: why the fix with the prior was, None where it was not."""

    found: bool
    found_alone: bool
    wrong: bool
    agreement: float
    lead: float
    rival_near: float
    rival_anywhere: float
    contrast: float
    sigma_px: float | None
    refused: str | None


class SelfLocalization:
    """Holds what the tries share. prior_sigma_m: of the position known before."""

    def __init__(
        self,
        pack: MapPack,
        describer: Describer,
        localizer: Localizer,
        footprint: Footprint,
        prior_sigma_m: float,
    ) -> None:
        self._pack, self._describer, self._localizer = pack, describer, localizer
        self._footprint, self._prior_sigma_m = footprint, prior_sigma_m

    def tries(self, place: Place, count: int, seed: int) -> list[Trial]:
        """Of one place; the same arguments give the same tries."""
        rng = np.random.default_rng([seed, place.level, place.row, place.col])
        return [self._try(place, i, rng) for i in range(count)]

    def _try(self, place: Place, number: int, rng: np.random.Generator) -> Trial:
        corner = CORNERS[number % len(CORNERS)]
        offset = (corner[0] * UNLUCKY_PX, corner[1] * UNLUCKY_PX)
        strength = STRENGTHS[number % len(STRENGTHS)]
        drawn = cut_view(self._pack, place, offset, self._footprint, rng, strength)
        if drawn is None:
            return _nothing(Reason.VIEW_TOO_SMALL.value)
        recorded = RecordedFrame(0, drawn.view, None, str(place.tile))
        look = self._localizer.look_again(recorded)
        prior_off = rng.normal(0, self._prior_sigma_m, 2)
        if isinstance(look, FrameResult):
            assert look.refusal is not None
            return _nothing(look.refusal.reason.value)
        lat, lon = (float(v) for v in pixel_to_latlon(*drawn.centre_px, place.level))
        prior = Prior(
            *offset_latlon(lat, lon, float(prior_off[0]), float(prior_off[1])),
            self._prior_sigma_m,
        )
        told = self._localizer.find(look, prior)
        alone = self._localizer.find(look, None)
        error_px, error_alone_px = (_error_px(r, drawn.centre_px) for r in (told, alone))
        right, right_alone = (e <= DIFFERENT_PLACE_PX for e in (error_px, error_alone_px))
        match = told.match if right else None
        return Trial(
            found=told.fix is not None and right,
            found_alone=alone.fix is not None and right_alone,
            wrong=(told.fix is not None and not right)
            or (alone.fix is not None and not right_alone),
            agreement=match.inliers / max(match.checked, 1) if match else 0.0,
            lead=min(MOST_LEAD, -math.log(max(match.runner_up, 1e-9))) if match else 0.0,
            rival_near=self._rival(look, drawn.view, drawn.centre_px, prior),
            rival_anywhere=self._rival(look, drawn.view, drawn.centre_px, None),
            contrast=self._contrast(look, drawn.view),
            sigma_px=float(np.sqrt(np.linalg.eigvalsh(match.covariance_px2)[-1]))
            if match
            else None,
            refused=told.refusal.reason.value if told.refusal else None,
        )

    def _rival(
        self, look: Look, view: View, centre_px: tuple[float, float], prior: Prior | None
    ) -> float:
        """The nearest other place's descriptor distance less the own one's."""
        found = retrieve(self._pack, view.level, look.description.descriptor, LOOKED_THROUGH, prior)
        own: list[float] = []
        other: list[float] = []
        for candidate in found:
            x, y = candidate.tile.centre_px
            away_px = math.hypot(x - centre_px[0], y - centre_px[1])
            (own if away_px < OWN_NEIGHBOURHOOD_PX else other).append(candidate.distance)
        if not other:
            return NO_RIVAL
        return min(NO_RIVAL, min(other) - min(own)) if own else -NO_RIVAL

    def _contrast(self, look: Look, view: View) -> float:
        """Mean over the view's patches of best less worst score against the view itself."""
        scores, _ = self._describer.network.patch_scores(look.description, look.description)
        side = scores.shape[0]
        block = TILE_PX // side
        ground = view.mask.reshape(side, block, side, block).mean((1, 3)) > 0.99
        if not ground.any():
            return 0.0
        flat = scores.reshape(side, side, -1)
        return float((flat.max(2) - flat.min(2))[ground].mean())


def _nothing(reason: str) -> Trial:
    return Trial(False, False, False, 0.0, 0.0, 0.0, 0.0, 0.0, None, reason)


def _error_px(result: FrameResult, centre_px: tuple[float, float]) -> float:
    if result.match is None:
        return math.inf
    found = result.match.view_to_map @ (TILE_PX / 2, TILE_PX / 2, 1.0)
    return float(np.hypot(*(found - centre_px)))
