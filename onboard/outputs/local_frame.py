"""The position in the autopilot's local frame, for ODOMETRY and VISION_POSITION_ESTIMATE.

North, east, down in metres from the autopilot's origin (GPS_GLOBAL_ORIGIN #49, height too).
The attitude told along is the autopilot's own: it carries no news, and its uncertainty says
so; never let the autopilot take its yaw from there (EK3_SRC2_YAW 1, EKF2_EV_CTRL without 8).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onboard.geodesy import enu_offset_m
from onboard.messages import Estimate
from onboard.outputs.moment import Moment, accuracy_m, axis_sigma_m, known_amsl
from onboard.telemetry_messages import Attitude

ATTITUDE_AGE_NS = 500_000_000  # an attitude older than this is none
UNKNOWN_ANGLE_VARIANCE = math.pi**2  # rad2: could be anything
HEIGHT_SIGMA_M = 10.0  # where the height's sigma is not known
MAX_DISTANCE_M = 200_000.0  # further off, a flat frame is no frame
FULL_QUALITY_M, NO_QUALITY_M = 0.0, 20.0  # accuracies for 100 and 1 per cent


@dataclass(frozen=True)
class LocalPose:
    """Metres and radians; covariance is the 21 upper-triangle entries of the 6x6 of x, y, z,
    roll, pitch, yaw as the autopilot at hand reads them."""

    north_m: float
    east_m: float
    down_m: float
    attitude: Attitude
    estimate: Estimate
    covariance: tuple[float, ...]

    @property
    def quality(self) -> int:
        """Per cent, at least 1."""
        share = (NO_QUALITY_M - accuracy_m(self.estimate)) / (NO_QUALITY_M - FULL_QUALITY_M)
        return min(100, max(1, round(100.0 * share)))


def missing(moment: Moment) -> str | None:
    """What keeps an offered position from being told in the local frame, in a few words."""
    if moment.vehicle is None:
        return "autopilot's heartbeat"
    if moment.origin is None:
        return "autopilot's origin"
    if moment.attitude is None or moment.now_ns - moment.attitude.time_ns > ATTITUDE_AGE_NS:
        return "autopilot's attitude"
    if moment.estimate is None or known_amsl(moment.estimate) is None:
        return "height above sea level"
    return None


def local_pose(moment: Moment) -> LocalPose | None:
    """None while no position is offered, or something is `missing`."""
    estimate, origin, attitude = moment.estimate, moment.origin, moment.attitude
    vehicle = moment.vehicle
    if not moment.offered or missing(moment) is not None:
        return None
    assert estimate is not None and origin is not None
    assert attitude is not None and vehicle is not None
    height = known_amsl(estimate)
    assert height is not None
    east_m, north_m = enu_offset_m(
        origin.lat_deg, origin.lon_deg, estimate.lat_deg, estimate.lon_deg
    )
    if not math.hypot(east_m, north_m) <= MAX_DISTANCE_M:
        return None
    down_m = origin.amsl_m - height[0]
    covariance = (
        _ardupilot_covariance(estimate)
        if vehicle.autopilot == "ardupilot"
        else _variances(estimate, height[1] or HEIGHT_SIGMA_M)
    )
    return LocalPose(float(north_m), float(east_m), down_m, attitude, estimate, covariance)


def _variances(estimate: Estimate, height_sigma_m: float) -> tuple[float, ...]:
    """As MAVLink defines them; x is north."""
    c = np.zeros((6, 6))
    c[0, 0], c[1, 1] = estimate.covariance[1, 1], estimate.covariance[0, 0]
    c[0, 1] = c[1, 0] = estimate.covariance[0, 1]
    c[2, 2] = height_sigma_m**2
    c[3, 3] = c[4, 4] = c[5, 5] = UNKNOWN_ANGLE_VARIANCE
    return tuple(map(float, c[np.triu_indices(6)]))


def _ardupilot_covariance(estimate: Estimate) -> tuple[float, ...]:
    """ArduPilot takes the cube root of the sum of the squares of entries 0, 6 and 11 for the
    sigma s of every axis; sqrt(s**3 / 3) in each makes that s. Likewise 15, 18, 20."""
    entries = [0.0] * 21
    for diagonal, sigma in (
        ((0, 6, 11), axis_sigma_m(estimate)),
        ((15, 18, 20), math.sqrt(UNKNOWN_ANGLE_VARIANCE)),
    ):
        for entry in diagonal:
            entries[entry] = math.sqrt(sigma**3 / 3.0)
    return tuple(entries)
