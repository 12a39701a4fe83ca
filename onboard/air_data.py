"""What airspeed and heading say of a plane's velocity through the air."""

from __future__ import annotations

import math

from onboard.position_filter import AirVelocity
from onboard.telemetry_messages import AirData, Attitude, VehicleState

# Below it an autopilot's airspeed is noise or a plane on the ground; faster ones are no plane
# that this was made for.
MIN_AIRSPEED_M_S, MAX_AIRSPEED_M_S = 6.0, 80.0
# 1 sigma, as a share of the airspeed: a small pitot (6 %) and compass with sideslip (5 deg).
# What lasts adds up along the way, until a turn takes it back.
PASSING_SHARE, LASTING_SHARE = 0.08, 0.07
GUST_SIGMA_M_S = 1.0  # of a second; the wind that is learned is a minute's
TOLD_WIND_SIGMA_M_S = 3.0  # the autopilot learned it while GNSS was good, or was led astray
PERIOD_NS = 1_000_000_000  # one a second: its errors last, more often would not average


class AirSpeed:
    """Counts for planes only: a copter's airspeed is made of its ground speed."""

    def __init__(self) -> None:
        self._is_plane = False
        self._wind: tuple[float, float] | None = None
        self._newest_ns: int | None = None

    def hear(self, state: VehicleState) -> None:
        self._is_plane = state.kind == "plane"

    def velocity(self, air: AirData, attitude: Attitude | None) -> AirVelocity | None:
        """None where it says nothing new. attitude: that of the moment, true north."""
        if air.wind_north_m_s is not None and air.wind_east_m_s is not None:
            self._wind = _finite(air.wind_east_m_s, air.wind_north_m_s)
        speed = air.airspeed_m_s
        if not self._is_plane or attitude is None or speed is None:
            return None
        if not MIN_AIRSPEED_M_S <= speed <= MAX_AIRSPEED_M_S:
            return None
        if self._newest_ns is not None and air.time_ns - self._newest_ns < PERIOD_NS:
            return None
        self._newest_ns = air.time_ns
        level = speed * math.cos(attitude.pitch)
        sigma_m_s = math.hypot(speed * PASSING_SHARE, GUST_SIGMA_M_S)
        return AirVelocity(
            air.time_ns,
            level * math.sin(attitude.yaw),
            level * math.cos(attitude.yaw),
            sigma_m_s,
            LASTING_SHARE,
            None if self._wind is None else (*self._wind, TOLD_WIND_SIGMA_M_S),
        )


def _finite(east_m_s: float, north_m_s: float) -> tuple[float, float] | None:
    known = math.isfinite(east_m_s) and math.isfinite(north_m_s)
    return (east_m_s, north_m_s) if known else None
