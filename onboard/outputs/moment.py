"""What the messages of one moment are made of, and when a position may be told at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onboard.messages import Estimate
from onboard.reasons import Mode
from onboard.telemetry_messages import Attitude, LocalOrigin, VehicleState

MAX_TRUSTED_ACCURACY_M = 20.0  # an ungated takeover moves the vehicle by about this much
MAX_SPEED_M_S = 300.0  # above everything that flies by an autopilot
MAX_AMSL_M = 100_000.0  # likewise
MAX_TIME_USEC = 2**64 - 1  # what the fields hold


@dataclass(frozen=True)
class Moment:
    """All that an output may draw on. estimate is carried forward to now_ns, and None when it
    is not in sound numbers. offered: it is trusted, and the policy lets it out."""

    now_ns: int
    estimate: Estimate | None = None
    offered: bool = False
    attitude: Attitude | None = None
    origin: LocalOrigin | None = None
    vehicle: VehicleState | None = None
    reset_counter: int = 0
    utc_minus_clock_ns: int | None = None

    @property
    def time_usec(self) -> int:
        """The clock of every time stamp: the one by which TIMESYNC is answered. ArduPilot finds
        the offset itself, PX4 by TIMESYNC."""
        return min(max(0, self.now_ns // 1000), MAX_TIME_USEC)


def is_trusted(estimate: Estimate | None) -> bool:
    """Whether the position may be told as one: fix_type 3 in GPS_INPUT."""
    return (
        estimate is not None
        and is_sound(estimate)
        and estimate.mode is not Mode.LOST
        and accuracy_m(estimate) <= MAX_TRUSTED_ACCURACY_M
    )


def accuracy_m(estimate: Estimate) -> float:
    """The horizontal error's root mean square, both axes together."""
    return math.sqrt(float(estimate.covariance[0, 0] + estimate.covariance[1, 1]))


def axis_sigma_m(estimate: Estimate) -> float:
    """One sigma along the worst direction: for who takes one figure for every axis."""
    return math.sqrt(max(0.0, float(np.linalg.eigvalsh(estimate.covariance)[-1])))


def measured_velocity_sigma(estimate: Estimate) -> float | None:
    """One sigma (m/s) of a velocity that was measured; None of one that wasn't."""
    sigma = estimate.velocity_sigma_m_s
    return sigma if sigma is not None and 0.0 < sigma < math.inf else None


def known_amsl(estimate: Estimate) -> tuple[float, float | None] | None:
    """(height above mean sea level, its sigma) in metres, where they are sound numbers."""
    amsl_m, sigma_m = estimate.amsl_m, estimate.amsl_sigma_m
    if amsl_m is None or not abs(amsl_m) <= MAX_AMSL_M:
        return None
    if sigma_m is None or not 0.0 < sigma_m <= MAX_AMSL_M:
        return amsl_m, None
    return amsl_m, sigma_m


def is_sound(estimate: Estimate) -> bool:
    """Whether the figures can be a place, a speed and a covariance on Earth."""
    c = estimate.covariance
    return (
        abs(estimate.lat_deg) <= 90.0
        and abs(estimate.lon_deg) <= 180.0
        and math.hypot(estimate.velocity_north_m_s, estimate.velocity_east_m_s) <= MAX_SPEED_M_S
        and bool(np.isfinite(c).all())
        and float(c[0, 0]) >= 0.0
        and float(c[1, 1]) >= 0.0
        and float(c[0, 1]) ** 2 <= float(c[0, 0] * c[1, 1]) * (1.0 + 1e-9)
    )
