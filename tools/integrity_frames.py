"""One rendered frame of the integrity study: drawn, told with errors, located, judged.

A case depends on the seed and its number alone, so a study goes on where it was killed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from onboard.camera import Camera
from onboard.errors import InputError
from onboard.geodesy import (
    distance_m,
    enu_offset_m,
    offset_latlon,
    pixel_size_m,
    pixel_to_latlon,
)
from onboard.localize import Localizer, Look
from onboard.messages import TILE_PX, Frame, FrameResult, Prior
from onboard.pack.map_pack import MapPack
from onboard.rectify import centre_ray
from onboard.telemetry_messages import Attitude, Height
from tools.integrity_appearance import another_day
from tools.integrity_ground import Ground
from tools.scores import inside_ellipse

CAMERA = Camera(640, 480, fx=480.0)  # looking straight down; sigma_deg is its default
TILT_SIGMA_DEG, MAX_TILT_DEG = 6.0, 30.0  # how the vehicle really hangs
YAW_ERROR_DEG, HEIGHT_SIGMA_SHARE, MIN_HEIGHT_SIGMA_M = 3.0, 0.03, 2.0  # 1 sigma, as told
# What breaks the budget: a height or a yaw that is plainly wrong, a prior of a filter that is.
FAULT_SHARE = 0.04  # of the frames, each
HEIGHT_FAULT, YAW_FAULT_DEG, PRIOR_FAULT_SIGMAS = (0.1, 0.4), (10.0, 40.0), (5.0, 15.0)
PRIOR_SIGMAS_M = (15.0, 30.0, 50.0, 100.0)
VIEW_TO_AGL = (0.75, 1.3)  # height above ground as a share of a view's side
TRIES = 200


@dataclass(frozen=True)
class Drawn:
    """A frame, what is told of it, and the truth: place of the vehicle and of the ground point
    under the picture's centre (lat_deg, lon_deg) in the imagery. map_error_m: how far (east,
    north) that shows everything from where it is, drawn."""

    frame: Frame
    attitude: Attitude
    height: Height
    prior: Prior
    place: tuple[float, float]
    centre: tuple[float, float]
    map_error_m: tuple[float, float]
    said: dict[str, Any]


def draw(number: int, seed: int, ground: Ground, pack: MapPack, map_error_m: float) -> Drawn:
    """The case of this number. map_error_m: how far the map is off, 1 sigma per axis.
    Raises InputError where no draw shows enough ground."""
    rng = np.random.default_rng([seed, number])
    for _ in range(TRIES):
        south, west, north, east = ground.areas[int(rng.integers(len(ground.areas)))]
        place = float(rng.uniform(south, north)), float(rng.uniform(west, east))
        level = int(rng.choice(pack.levels))
        agl_m = TILE_PX * pixel_size_m(place[0], level)[0] * float(rng.uniform(*VIEW_TO_AGL))
        tilt = np.clip(rng.normal(0, TILT_SIGMA_DEG, 2), -MAX_TILT_DEG, MAX_TILT_DEG)
        roll, pitch = np.radians(tilt).tolist()
        yaw = float(rng.uniform(-math.pi, math.pi))
        picture = ground.seen_from(place, agl_m, Attitude(number, roll, pitch, yaw), CAMERA)
        if picture is not None:
            break
    else:
        raise InputError(
            f"{ground.name}: from none of {TRIES} places at the map's heights does a picture "
            "show enough ground; give a larger piece of imagery"
        )
    altered, weather = another_day(picture, rng)
    off = np.radians(rng.normal(0, (*(CAMERA.mounting.sigma_deg,) * 2, YAW_ERROR_DEG)))
    height_sigma_m = max(MIN_HEIGHT_SIGMA_M, HEIGHT_SIGMA_SHARE * agl_m)
    told_agl_m = agl_m + rng.normal(0, height_sigma_m)
    faults = rng.random(3) < FAULT_SHARE
    if faults[0]:
        told_agl_m = agl_m * (1 + rng.choice((-1, 1)) * rng.uniform(*HEIGHT_FAULT))
    if faults[1]:
        off[2] = math.radians(rng.choice((-1, 1)) * rng.uniform(*YAW_FAULT_DEG))
    prior_sigma_m = float(rng.choice(PRIOR_SIGMAS_M))
    prior_off = rng.normal(0, prior_sigma_m, 2)
    if faults[2]:
        direction = rng.uniform(-math.pi, math.pi)
        away = prior_sigma_m * rng.uniform(*PRIOR_FAULT_SIGMAS)
        prior_off = away * np.array([math.sin(direction), math.cos(direction)])
    map_error = rng.normal(0, map_error_m, 2)
    return Drawn(
        Frame(number, altered, name=f"{number:06d}"),
        Attitude(number, roll + off[0], pitch + off[1], yaw + off[2]),
        Height(number, float(told_agl_m), None, height_sigma_m),
        Prior(*offset_latlon(*place, *prior_off.tolist()), prior_sigma_m),
        place,
        _centre(place, agl_m, Attitude(number, roll, pitch, yaw)),
        (float(map_error[0]), float(map_error[1])),
        {
            "number": number,
            "weather": weather.value,
            "agl_m": agl_m,
            "on_map": pack.contains(*place),
            "faults": [n for n, f in zip(("height", "yaw", "prior"), faults, strict=True) if f],
        },
    )


def _centre(place: tuple[float, float], agl_m: float, attitude: Attitude) -> tuple[float, float]:
    north, east, down = CAMERA.ned_from_optical(attitude) @ centre_ray(CAMERA)
    return offset_latlon(*place, float(east / down * agl_m), float(north / down * agl_m))


def judged(drawn: Drawn, localizer: Localizer, pack: MapPack) -> list[dict[str, Any]]:
    """A row with the prior and one without, as JSON takes them."""
    at_lat_deg = pack.centre[0]
    look = localizer.look(drawn.frame, drawn.attitude, drawn.height, at_lat_deg)
    rows = []
    for prior in (drawn.prior, None):
        result = localizer.find(look, prior) if isinstance(look, Look) else look
        sigma_m = None if prior is None else prior.sigma_m
        rows.append({**drawn.said, "prior_m": sigma_m, **_row(result, drawn)})
    return rows


def _row(result: FrameResult, drawn: Drawn) -> dict[str, Any]:
    """The figures of a fix, and the match's also where it was refused."""
    row: dict[str, Any] = {"refused": result.refusal.reason.value if result.refusal else None}
    if result.match is not None and result.view is not None:
        m = result.match
        x, y = m.view_to_map @ (TILE_PX / 2, TILE_PX / 2, 1.0)
        off_m = distance_m(*drawn.centre, *map(float, pixel_to_latlon(x, y, m.level)))
        row |= {
            "centre_error_m": off_m,
            "level": m.level,
            "inliers": m.inliers,
            "checked": m.checked,
            "residual_px": m.residual_px,
            "runner_up": m.runner_up,
            "score": m.score,
            "scale": m.scale,
            "rotation": m.rotation,
            "match_sigma_px": float(np.sqrt(np.linalg.eigvalsh(m.covariance_px2)[-1])),
        }
    fix = result.fix
    if fix is None:
        return row
    in_map = np.array(enu_offset_m(*drawn.place, fix.lat_deg, fix.lon_deg), np.float64)
    error = in_map - drawn.map_error_m
    return row | {
        "error_m": float(np.hypot(*error)),
        "protection_m": fix.protection_m,
        "inside": inside_ellipse((float(error[0]), float(error[1])), fix.covariance),
        "error_en_m": [round(float(e), 3) for e in error],
        "covariance": [float(c) for c in fix.covariance[np.triu_indices(2)]],
    }
