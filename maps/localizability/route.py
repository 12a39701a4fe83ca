"""What a map says of a way over it: where it is blind, and how far the position may drift."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maps.localizability.model import LOW, Prediction, Why
from maps.localizability.places import Place, place_at
from onboard.flight_settings import FlightSettings
from onboard.geodesy import distance_m, enu_offset_m, offset_latlon
from onboard.motion import ATTITUDE_SIGMA, YAW_SIGMA
from onboard.outputs.moment import MAX_TRUSTED_ACCURACY_M
from onboard.position_filter import ACCELERATION_DENSITY

STEP_M = 20.0  # at most, between two points that are looked at
MOST_POINTS = 200_000
SEEN_PLAIN = 0.7  # share of patches without texture up to which motion is still seen
HEIGHT_SIGMA_SHARE = 0.03  # as autopilots' heights above ground are; motion scales with it
Position = tuple[float, float]


@dataclass(frozen=True)
class RoutePoint:
    """chance: of a frame there, 0 off the map. sigma_m: of the position by then, one sigma per
    axis. prediction: None off the map."""

    lat_deg: float
    lon_deg: float
    along_m: float
    chance: float
    sigma_m: float
    prediction: Prediction | None

    @property
    def is_blind(self) -> bool:
        return self.chance < LOW


@dataclass(frozen=True)
class BlindStretch:
    """why: what holds on the longest part of it, '' where nothing is known."""

    start_m: float
    length_m: float
    seconds: float
    why: str


@dataclass(frozen=True)
class RouteFigures:
    """localizable: share of the way. silent_m: of it, how much the position is too uncertain
    to be told. limit_m: what that is judged by."""

    points: tuple[RoutePoint, ...]
    length_m: float
    localizable: float
    blind: tuple[BlindStretch, ...]
    median_sigma_m: float
    worst_sigma_m: float
    silent_m: float
    off_map_m: float
    limit_m: float

    @property
    def is_flyable(self) -> bool:
        return self.worst_sigma_m <= self.limit_m

    @property
    def longest(self) -> BlindStretch | None:
        return max(self.blind, key=lambda b: b.length_m, default=None)


def fly_route(
    route: Sequence[Position],
    predictions: Mapping[Place, Prediction],
    level: int,
    agl_m: float,
    direction_sigma_rad: float,
    map_sigma_m: float,
    speed_m_s: float,
    limit_m: float = MAX_TRUSTED_ACCURACY_M,
) -> RouteFigures:
    """route: (lat_deg, lon_deg), at least two. Where a frame's chance is below LOW none is
    counted on: visual motion carries the position, or nothing where there is no texture."""
    places, along_m = _points(route)
    drift = _Drift(agl_m, direction_sigma_rad, map_sigma_m, speed_m_s)
    points = []
    before_m = 0.0
    for (lat, lon), at_m in zip(places, along_m, strict=True):
        found = predictions.get(place_at(lat, lon, level))
        sigma_m = drift.over(found, at_m - before_m)
        before_m = at_m
        chance = found.chance if found else 0.0
        points.append(RoutePoint(lat, lon, at_m, chance, sigma_m, found))
    # Each point stands for the way that leads to it.
    parts = np.diff([0.0, *along_m])
    sigmas = np.array([p.sigma_m for p in points])
    length_m = float(along_m[-1])
    blind = np.array([p.is_blind for p in points])
    off_map = np.array([p.prediction is None for p in points])
    return RouteFigures(
        tuple(points),
        length_m,
        float(parts[~blind].sum() / length_m),
        _stretches(points, parts, speed_m_s),
        float(np.median(sigmas)),
        float(sigmas.max()),
        float(parts[sigmas > limit_m].sum()),
        float(parts[off_map].sum()),
        limit_m,
    )


def route_places(route: Sequence[Position], level: int) -> list[Place]:
    """The places that a way leads over, each once."""
    places, _ = _points(route)
    return list(dict.fromkeys(place_at(lat, lon, level) for lat, lon in places))


def fix_sigma_m(
    match_sigma_m: float, agl_m: float, direction_sigma_rad: float, map_sigma_m: float
) -> float:
    """Of a fix, one sigma per axis, as `onboard.vehicle_fix` adds it up."""
    return math.sqrt(match_sigma_m**2 + (agl_m * direction_sigma_rad) ** 2 + map_sigma_m**2)


class _Drift:
    """The position's sigma along the way, by the constants of the filter that flies."""

    def __init__(
        self, agl_m: float, direction_sigma_rad: float, map_sigma_m: float, speed_m_s: float
    ) -> None:
        self._agl_m, self._direction_sigma_rad = agl_m, direction_sigma_rad
        self._map_sigma_m, self._speed_m_s = map_sigma_m, speed_m_s
        # The way begins with a position: GNSS at the take-off, or a fix.
        self._fix_m = self._of_fix(0.0)
        self._seen_m, self._unseen_s = 0.0, 0.0

    def over(self, found: Prediction | None, way_m: float) -> float:
        if found is not None and found.chance >= LOW:
            self._fix_m = self._of_fix(found.sigma_m or 0.0)
            self._seen_m = self._unseen_s = 0.0
            return self._fix_m
        if found is not None and found.findings.cover.plain <= SEEN_PLAIN:
            self._seen_m += way_m
        else:
            # Off the map the ground may well be seen, but nobody knows: the careful way.
            self._unseen_s += way_m / self._speed_m_s
        frames = self._seen_m / self._speed_m_s * FlightSettings().frame_hz
        shared = math.hypot(YAW_SIGMA, HEIGHT_SIGMA_SHARE) * self._seen_m
        return math.sqrt(
            self._fix_m**2
            + shared**2
            + frames * (ATTITUDE_SIGMA * self._agl_m) ** 2
            + ACCELERATION_DENSITY / 3 * self._unseen_s**3
        )

    def _of_fix(self, match_sigma_m: float) -> float:
        return fix_sigma_m(match_sigma_m, self._agl_m, self._direction_sigma_rad, self._map_sigma_m)


def _points(route: Sequence[Position]) -> tuple[list[Position], list[float]]:
    """Points along the way, STEP_M apart or less, and how far along they lie."""
    length_m = sum(distance_m(*a, *b) for a, b in itertools.pairwise(route))
    step_m = max(STEP_M, length_m / MOST_POINTS)
    places, along, so_far = [route[0]], [0.0], 0.0
    for a, b in itertools.pairwise(route):
        leg_m = distance_m(*a, *b)
        east_m, north_m = (float(v) for v in enu_offset_m(*a, *b))
        count = max(1, math.ceil(leg_m / step_m))
        for i in range(1, count + 1):
            share = i / count
            at = b if i == count else offset_latlon(*a, share * east_m, share * north_m)
            places.append(at)
            along.append(so_far + share * leg_m)
        so_far += leg_m
    return places, along


def _stretches(
    points: Sequence[RoutePoint], parts: np.ndarray, speed_m_s: float
) -> tuple[BlindStretch, ...]:
    out = []
    i = 0
    while i < len(points):
        if not points[i].is_blind:
            i += 1
            continue
        j = i
        reasons: dict[str, float] = {}
        while j < len(points) and points[j].is_blind:
            why = _why(points[j].prediction)
            reasons[why] = reasons.get(why, 0.0) + float(parts[j])
            j += 1
        length_m = float(parts[i:j].sum())
        start_m = points[i].along_m - float(parts[i])
        if length_m > 0:
            why = max(reasons, key=lambda w: reasons[w])
            out.append(BlindStretch(start_m, length_m, length_m / speed_m_s, why))
        i = j
    return tuple(out)


def _why(prediction: Prediction | None) -> str:
    if prediction is None:
        return Why.HOLE.value
    return prediction.why[0].value if prediction.why else Why.FAINT.value
