"""A flight's telemetry and what a camera would have met on the map: material for calibration.

The truth is made by its own formulas, point by point, so that the model is not asked to agree
with itself.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from onboard.camera import Camera, rotation_matrix
from onboard.geodesy import offset_latlon
from onboard.telemetry_messages import Attitude, Gnss
from tools.calibrate.sightings import Seen, Sighting

LAT, LON = 47.2, 8.5
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Truth:
    """What is really the case; attitude events are stamped attitude_delay_s late, frames
    frame_delay_s late; the map shows everything map_m (east, north) away."""

    camera: Camera
    map_m: tuple[float, float] = (0.0, 0.0)
    attitude_delay_s: float = 0.0
    frame_delay_s: float = 0.0
    height_error_m: float = 0.0


@dataclass(frozen=True)
class Noise:
    place_m: float = 1.5
    arm_m: float = 0.15
    attitude_rad: float = 0.004


def weave(time_s: float) -> tuple[float, float, float, float, float, float]:
    """east, north, height above ground, roll, pitch, yaw of a flight that turns and hurries."""
    yaw = 0.05 * time_s + 0.6 * math.sin(0.21 * time_s)
    east = 150 * math.sin(0.05 * time_s) + 20 * math.sin(0.4 * time_s)
    north = 150 * math.cos(0.05 * time_s) + 15 * math.cos(0.33 * time_s)
    roll = 0.15 * math.sin(1.1 * time_s)
    pitch = 0.12 * math.sin(0.9 * time_s + 1.0)
    return east, north, 100 + 25 * math.sin(0.03 * time_s), roll, pitch, yaw


def straight(time_s: float) -> tuple[float, float, float, float, float, float]:
    """One heading, one speed, one height, no turning: tells little."""
    return 8.0 * time_s, 0.0, 100.0, 0.0, 0.0, math.pi / 2


def fly(
    path,
    truth: Truth,
    given: Camera,
    frames: int = 120,
    noise: Noise | None = None,
    seed: int = 7,
) -> Seen:
    """The sightings that a flight would give, had it been located with the camera as given."""
    noise = noise or Noise()
    rng = np.random.default_rng(seed)
    attitudes, positions, sightings = [], [], []
    for k in range(-40, frames * 20 + 40):
        t = k * 0.05
        _, _, _, roll, pitch, yaw = path(t - truth.attitude_delay_s)
        attitudes.append(Attitude(round(t * SECOND), roll, pitch, yaw))
        if k % 4 == 0:
            positions.append(Gnss(round(t * SECOND), *offset_latlon(LAT, LON, *path(t)[:2])))
    for i in range(frames):
        t = i + 0.31
        sightings.append(_sighting(path, truth, given, t, noise, rng))
    return Seen(tuple(sightings), tuple(attitudes), tuple(positions), Counter(), 0)


def _sighting(path, truth, given, stamp_s, noise, rng) -> Sighting:
    exposed = path(stamp_s - truth.frame_delay_s)
    east, north, agl_m, roll, pitch, yaw = exposed
    roll, pitch, yaw = np.array([roll, pitch, yaw]) + rng.normal(0, noise.attitude_rad, 3)
    true_turn = truth.camera.ned_from_optical(Attitude(0, roll, pitch, yaw))
    # The middle of the picture and two points beside it, as pixels of the real lens.
    width, height = truth.camera.width_px, truth.camera.height_px
    middle = np.array([width / 2, height / 2])
    pixels = middle + np.array([[0.0, 0.0], [width / 5, 0.0], [0.0, height / 4]])
    (fx, fy), (cx, cy) = truth.camera.focal_px, truth.camera.principal_px
    at = path(stamp_s)  # where GNSS has the vehicle at the stamp
    met = []
    for x, y in pixels:
        n, e, d = true_turn @ np.array([(x - cx) / fx, (y - cy) / fy, 1.0])
        met.append((east + e / d * agl_m - at[0], north + n / d * agl_m - at[1]))
    met = np.array(met) + truth.map_m + rng.normal(0, noise.place_m, 2)
    met[1:] += rng.normal(0, noise.arm_m, (2, 2))
    (gx, gy), (ax, ay) = given.focal_px, given.principal_px
    rays = np.array([((x - ax) / gx, (y - ay) / gy, 1.0) for x, y in pixels])
    told_agl_m = agl_m - truth.height_error_m
    return Sighting(f"{stamp_s:.2f}", round(stamp_s * SECOND), told_agl_m, rays, met, 0.3)


def direction_error_deg(a: Camera, b: Camera) -> tuple[float, float]:
    """(of the optical axis, of the turn as a whole) between two mountings."""
    turns = []
    for camera in (a, b):
        m = camera.mounting
        turns.append(rotation_matrix(*np.radians([m.roll_deg, m.pitch_deg, m.yaw_deg])))
    both = turns[0].T @ turns[1]
    axis = math.degrees(math.acos(min(1.0, float(both[0, 0]))))
    return axis, math.degrees(math.acos(min(1.0, (float(np.trace(both)) - 1) / 2)))
