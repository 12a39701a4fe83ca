"""A straight flight in local metres and what its sensors say: material for scenario tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from onboard.geodesy import enu_offset_m, offset_latlon
from onboard.messages import Estimate, Fix, Motion
from onboard.reasons import Mode
from onboard.telemetry_messages import Gnss

LAT_DEG, LON_DEG = 47.0, 8.5
SECOND = 1_000_000_000
VELOCITY_M_S = (8.0, -5.0)  # east, north
GOOD = Estimate(
    time_ns=5 * SECOND,
    lat_deg=47.1234567,
    lon_deg=-8.7654321,
    velocity_north_m_s=3.0,
    velocity_east_m_s=-4.0,
    covariance=np.diag([9.0, 16.0]),
    velocity_sigma_m_s=0.6,
    fix_age_s=0.4,
    mode=Mode.TRACKING,
    amsl_m=512.0,
    amsl_sigma_m=4.0,
)


def place(time_s: float) -> tuple[float, float]:
    """(east, north) of the vehicle."""
    return VELOCITY_M_S[0] * time_s, VELOCITY_M_S[1] * time_s


def latlon(time_s: float, east_m: float = 0.0, north_m: float = 0.0) -> tuple[float, float]:
    east, north = place(time_s)
    return offset_latlon(LAT_DEG, LON_DEG, east + east_m, north + north_m)


def error_m(time_s: float, lat_deg: float, lon_deg: float) -> float:
    east, north = enu_offset_m(*latlon(time_s), lat_deg, lon_deg)
    return float(np.hypot(east, north))


def gnss(time_s: float, east_m: float = 0.0, north_m: float = 0.0, has_fix: bool = True) -> Gnss:
    return Gnss(round(time_s * SECOND), *latlon(time_s, east_m, north_m), 2.0, has_fix)


def fix(time_s: float, east_m: float = 0.0, north_m: float = 0.0, sigma_m: float = 3.0) -> Fix:
    position = latlon(time_s, east_m, north_m)
    covariance = np.eye(2) * sigma_m**2
    return Fix(round(time_s * SECOND), *position, *position, covariance, 4 * sigma_m, "test", 40)


def motion(from_s: float, to_s: float, sigma_m: float = 0.5) -> Motion:
    (e0, n0), (e1, n1) = place(from_s), place(to_s)
    times = round(from_s * SECOND), round(to_s * SECOND)
    return Motion(*times, e1 - e0, n1 - n0, np.eye(2) * sigma_m**2)


@dataclass
class Noise:
    """Seeded normal offsets."""

    seed: int
    sigma_m: float

    def __iter__(self) -> Iterator[tuple[float, float]]:
        rng = np.random.default_rng(self.seed)
        while True:
            east, north = rng.normal(0.0, self.sigma_m, 2)
            yield float(east), float(north)
