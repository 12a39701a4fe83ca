"""How good a run was: errors of frames against the truth, and what they add up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from onboard.geodesy import enu_offset_m, latlon_to_pixel, pixel_size_m
from onboard.messages import TILE_PX, FrameResult

CHI2_95 = 5.991  # 95 % quantile of chi-square with two degrees of freedom: the ellipse's edge
NEAR_M = 10.0  # a photograph counts as located within this
WRONG_M = 30.0  # an accepted fix beyond this is wrong
# A retrieved tile is right when its centre is this near: the usual 0.35 tile of tile retrieval.
HIT_PX = 0.35 * TILE_PX


@dataclass(frozen=True)
class FrameScore:
    """One frame against the truth. Errors are metres, None where it was refused or the truth
    is not known: centre of the ground point under the picture's centre, vehicle of the
    position. inside_*: whether the error lies in the stated 95 % ellipse. rank: place (from
    1) of the first right tile among those retrieved, 0 when none was. protection_m: what
    bounds vehicle_m."""

    name: str
    accepted: bool
    reason: str = ""
    centre_m: float | None = None
    vehicle_m: float | None = None
    inside_centre: bool | None = None
    inside_vehicle: bool | None = None
    rank: int | None = None
    protection_m: float | None = None
    latency_ms: float | None = None

    @property
    def error_m(self) -> float | None:
        """Of the centre where its truth is known, else of the vehicle."""
        return self.vehicle_m if self.centre_m is None else self.centre_m


@dataclass(frozen=True)
class Spread:
    """Of a set of errors or times."""

    median: float
    p90: float
    p95: float
    max: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """None when there are no values."""
    known = np.array([v for v in values if v is not None], np.float64)
    if not len(known):
        return None
    return Spread(*(float(v) for v in np.percentile(known, [50, 90, 95, 100])))


def score_frame(
    result: FrameResult,
    vehicle: tuple[float, float] | None,
    centre: tuple[float, float] | None,
) -> FrameScore:
    """vehicle and centre are the true (lat_deg, lon_deg), None where not known."""
    rank = retrieval_rank(result, centre or vehicle)
    reason = result.refusal.reason.value if result.refusal else ""
    latency_ms = sum(result.latency_ms.values()) if result.latency_ms else None
    fix, match = result.fix, result.match
    if fix is None:
        return FrameScore(result.frame_name, False, reason, rank=rank, latency_ms=latency_ms)
    vehicle_en = offset_m(vehicle, fix.lat_deg, fix.lon_deg)
    centre_en = offset_m(centre, fix.centre_lat_deg, fix.centre_lon_deg)
    inside_centre = None
    if centre_en is not None and match is not None:
        east_m, north_m = pixel_size_m(fix.centre_lat_deg, match.level)
        to_m = np.diag([east_m, -north_m])
        inside_centre = inside_ellipse(centre_en, to_m @ match.covariance_px2 @ to_m)
    return FrameScore(
        result.frame_name,
        True,
        centre_m=None if centre_en is None else float(np.hypot(*centre_en)),
        vehicle_m=None if vehicle_en is None else float(np.hypot(*vehicle_en)),
        inside_centre=inside_centre,
        inside_vehicle=None if vehicle_en is None else inside_ellipse(vehicle_en, fix.covariance),
        rank=rank,
        protection_m=fix.protection_m,
        latency_ms=latency_ms,
    )


def offset_m(
    truth: tuple[float, float] | None, lat_deg: float, lon_deg: float
) -> tuple[float, float] | None:
    """(east, north) metres from the truth to a position."""
    if truth is None:
        return None
    east, north = enu_offset_m(*truth, lat_deg, lon_deg)
    return float(east), float(north)


def inside_ellipse(error_en: tuple[float, float], covariance: np.ndarray) -> bool:
    """Whether an error lies in the 95 % ellipse of a 2x2 covariance; a singular one holds none."""
    try:
        return bool(np.array(error_en) @ np.linalg.solve(covariance, error_en) <= CHI2_95)
    except np.linalg.LinAlgError:
        return False


def retrieval_rank(result: FrameResult, centre: tuple[float, float] | None) -> int | None:
    """Place of the first candidate whose centre is near a position, 0 when none is;
    None when nothing was retrieved or the position is not known."""
    if centre is None or not result.candidates:
        return None
    x, y = latlon_to_pixel(*centre, result.candidates[0].tile.level)
    for place, candidate in enumerate(result.candidates, start=1):
        tile_x, tile_y = candidate.tile.centre_px
        if math.hypot(x - tile_x, y - tile_y) <= HIT_PX:
            return place
    return 0


@dataclass(frozen=True)
class Totals:
    """What a method reached on a set of frames; shares are of 0..1, None where unknown."""

    name: str
    frames: int
    accepted: int
    near: int
    wrong: int
    centre: Spread | None
    vehicle: Spread | None
    inside_centre: float | None
    inside_vehicle: float | None
    top1: float | None
    top5: float | None
    latency_ms: Spread | None
    refusals: dict[str, int]
    note: str = ""

    @property
    def near_share(self) -> float:
        """Of all frames, refused ones count as not located."""
        return self.near / self.frames if self.frames else 0.0


def total(name: str, scores: Sequence[FrameScore], note: str = "") -> Totals:
    accepted = [s for s in scores if s.accepted]
    errors = [s.error_m for s in accepted if s.error_m is not None]
    ranked = [s.rank for s in scores if s.rank is not None]
    return Totals(
        name=name,
        frames=len(scores),
        accepted=len(accepted),
        near=sum(e <= NEAR_M for e in errors),
        wrong=sum(e > WRONG_M for e in errors),
        centre=spread(s.centre_m for s in accepted),
        vehicle=spread(s.vehicle_m for s in accepted),
        inside_centre=share(s.inside_centre for s in accepted),
        inside_vehicle=share(s.inside_vehicle for s in accepted),
        top1=share(rank == 1 for rank in ranked),
        top5=share(1 <= rank <= 5 for rank in ranked),
        latency_ms=spread(s.latency_ms for s in scores),
        refusals=dict(Counter(s.reason for s in scores if not s.accepted).most_common()),
        note=note,
    )


def share(flags: Iterable[bool | None]) -> float | None:
    known = [f for f in flags if f is not None]
    return sum(known) / len(known) if known else None


def stage_latency(results: Iterable[FrameResult]) -> dict[str, Spread]:
    """By stage, in the order in which they ran."""
    times: dict[str, list[float]] = {}
    for result in results:
        for stage, ms in result.latency_ms.items():
            times.setdefault(stage, []).append(ms)
    return {stage: s for stage, values in times.items() if (s := spread(values))}
