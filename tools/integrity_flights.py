"""Whole flights of the integrity study: what the navigator claims at every moment, and the truth.

A flight is drawn like a frame (`integrity_frames`), but its errors of map, mounting, compass
and height last the whole flight. GNSS goes after GNSS_S; then come, in any order, ground the
map knows, ground it doesn't (the imagery mirrored: motion can be seen, no place), and no
pictures at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from onboard.describe import Describer
from onboard.geodesy import enu_offset_m, offset_latlon, pixel_size_m
from onboard.loop import Navigator, NavigatorSettings
from onboard.messages import TILE_PX, Estimate, Event, Frame, Picture
from onboard.pack.map_pack import MapPack
from onboard.telemetry_messages import AirData, Attitude, Gnss, Height, VehicleState
from tools.integrity_appearance import another_day
from tools.integrity_frames import CAMERA, HEIGHT_SIGMA_SHARE, MIN_HEIGHT_SIGMA_M, VIEW_TO_AGL
from tools.integrity_ground import Ground
from tools.scores import inside_ellipse
from tools.simulated_vehicle import Trajectory, fly

SECONDS, GNSS_S, CLAIM_S = 150.0, 20.0, 0.5
START_NS = 10_000_000_000
PHASES_S = {"known": (10.0, 30.0), "unknown": (5.0, 40.0), "blind": (2.0, 15.0)}
LASTING, PASSING = 0.9, 0.4  # of the camera's direction error (degrees), one sigma each
YAW_LASTING_DEG, YAW_PASSING_DEG = 2.0, 1.0
AIRSPEED_ERROR, GUST_M_S = 0.04, 0.5
GNSS_SIGMA_M = 1.5
BORDER = 0.15  # of the area: routes stay within
WAYPOINTS = 6
WITH_AIRSPEED = 0.5  # of the flights


@dataclass(frozen=True)
class _Errors:
    """What lasts the flight: map (east, north m), direction (rad), height (m), airspeed."""

    map_m: tuple[float, float]
    roll: float
    pitch: float
    yaw: float
    height_m: float
    airspeed: float


def fly_one(
    number: int,
    seed: int,
    ground: Ground,
    pack: MapPack,
    describer: Describer,
    map_error_m: float,
) -> list[dict[str, Any]]:
    """A row for every claim: the estimate against the truth, every CLAIM_S after GNSS went.
    map_error_m: how far the map is off, 1 sigma per axis."""
    rng = np.random.default_rng([seed, number, 0xF1])
    level = int(rng.choice(pack.levels))
    area = ground.areas[int(rng.integers(len(ground.areas)))]
    origin = area[0], area[1]
    size_m = np.array(enu_offset_m(*origin, area[2], area[3]), np.float64)
    route = rng.uniform(BORDER, 1 - BORDER, (WAYPOINTS, 2)) * size_m
    path = fly(
        [(float(e), float(n)) for e, n in route], SECONDS, START_NS, int(rng.integers(2**31))
    )
    side_m = TILE_PX * pixel_size_m(origin[0], level)[0]
    agl_m = side_m * float(rng.uniform(*VIEW_TO_AGL))
    phases = _phases(rng)
    navigator = Navigator(pack, describer, CAMERA, NavigatorSettings(use_terrain=False))
    rows: list[dict[str, Any]] = []
    next_claim_s = GNSS_S
    errors = _draw_errors(rng, agl_m, map_error_m)
    for event in _events(rng, ground, origin, size_m, path, agl_m, phases, errors):
        time_s = (event.time_ns - START_NS) * 1e-9
        while next_claim_s <= time_s:
            time_ns = START_NS + round(next_claim_s * 1e9)
            claim = navigator.estimate_at(time_ns)
            east, north, *_ = path.at(time_ns)
            shown_at = east - errors.map_m[0], north - errors.map_m[1]
            phase = phases[int(next_claim_s)]
            head = {"flight": number, "time_s": next_claim_s, "phase": phase}
            rows.append(head | _claimed(claim, offset_latlon(*origin, *shown_at)))
            next_claim_s += CLAIM_S
        navigator.handle(event)
    return rows


def _claimed(claim: Estimate | None, truth: tuple[float, float]) -> dict[str, Any]:
    if claim is None:
        return {"mode": "lost"}
    error = enu_offset_m(*truth, claim.lat_deg, claim.lon_deg)
    return {
        "mode": claim.mode.value,
        "fix_age_s": claim.fix_age_s,
        "error_m": float(np.hypot(*error)),
        "protection_m": claim.protection_m,
        "sigma_m": float(np.sqrt(np.linalg.eigvalsh(claim.covariance)[-1])),
        "inside": inside_ellipse((float(error[0]), float(error[1])), claim.covariance),
    }


def _phases(rng: np.random.Generator) -> list[str]:
    """What the camera sees in each second."""
    out = ["known"] * int(GNSS_S)
    while len(out) <= SECONDS:
        kind = str(rng.choice(list(PHASES_S)))
        out += [kind] * int(rng.uniform(*PHASES_S[kind]))
    return out


def _draw_errors(rng: np.random.Generator, agl_m: float, map_error_m: float) -> _Errors:
    map_m = rng.normal(0, map_error_m, 2).tolist()
    roll, pitch = np.radians(rng.normal(0, LASTING, 2)).tolist()
    return _Errors(
        (map_m[0], map_m[1]),
        roll,
        pitch,
        math.radians(rng.normal(0, YAW_LASTING_DEG)),
        float(rng.normal(0, _height_sigma_m(agl_m))),
        float(rng.normal(0, AIRSPEED_ERROR)),
    )


def _height_sigma_m(agl_m: float) -> float:
    return max(MIN_HEIGHT_SIGMA_M, HEIGHT_SIGMA_SHARE * agl_m)


def _events(
    rng: np.random.Generator,
    ground: Ground,
    origin: tuple[float, float],
    size_m: np.ndarray,
    path: Trajectory,
    agl_m: float,
    phases: list[str],
    errors: _Errors,
) -> Iterator[Event]:
    """A frame a second and what is told around it, in order of time. The imagery shows
    everything errors.map_m from where it is: the vehicle is that far from where it seems."""
    day = int(rng.integers(2**31))
    yield VehicleState(START_NS, "ardupilot", "plane", True, "AUTO")
    has_airspeed = rng.random() < WITH_AIRSPEED
    for second in range(int(SECONDS)):
        time_ns = START_NS + second * 1_000_000_000
        east, north, roll, pitch, yaw = path.at(time_ns)
        off = np.radians(rng.normal(0, (PASSING, PASSING, YAW_PASSING_DEG)))
        told = Attitude(
            time_ns,
            roll + errors.roll + off[0],
            pitch + errors.pitch + off[1],
            yaw + errors.yaw + off[2],
        )
        sigma_m = _height_sigma_m(agl_m)
        yield Height(time_ns, agl_m + errors.height_m, 400.0 + agl_m, sigma_m)
        yield told
        if has_airspeed:
            k = min(len(path.time_ns) - 1, second * 20)
            through = path.velocity_m_s[k] - (3.0, -2.0)
            speed = float(np.hypot(*through)) * (1 + errors.airspeed) + rng.normal(0, GUST_M_S)
            yield AirData(time_ns, airspeed_m_s=speed)
        truth = offset_latlon(*origin, east - errors.map_m[0], north - errors.map_m[1])
        gnss = offset_latlon(*truth, *rng.normal(0, GNSS_SIGMA_M, 2).tolist())
        yield Gnss(time_ns, *gnss, GNSS_SIGMA_M, second < GNSS_S, 0, 3 if second < GNSS_S else 1)
        if phases[second] == "blind":
            continue
        seen = Attitude(time_ns, roll, pitch, yaw)
        if phases[second] == "known":
            picture = ground.seen_from(offset_latlon(*origin, east, north), agl_m, seen, CAMERA)
        else:
            picture = _mirrored(ground, origin, size_m, (east, north), agl_m, seen)
        if picture is not None:
            image, _ = another_day(picture, np.random.default_rng(day), rng)
            yield Frame(time_ns, image, name=f"{second:03d}")


def _mirrored(
    ground: Ground,
    origin: tuple[float, float],
    size_m: np.ndarray,
    at: tuple[float, float],
    agl_m: float,
    attitude: Attitude,
) -> Picture | None:
    """As if east and west of the ground had changed places: the picture from the mirrored
    place with mirrored roll and yaw, mirrored."""
    place = offset_latlon(*origin, float(size_m[0]) - at[0], at[1])
    turned = Attitude(attitude.time_ns, -attitude.roll, attitude.pitch, -attitude.yaw)
    picture = ground.seen_from(place, agl_m, turned, CAMERA)
    return None if picture is None else np.ascontiguousarray(picture[:, ::-1])
