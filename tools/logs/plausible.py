"""Leaves out what no flight can have told: numbers that a damaged log makes up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace

from onboard.messages import Event
from onboard.telemetry_messages import AirData, Attitude, AutopilotPosition, Gnss, Height

MAX_TIME_NS = 4_102_444_800_000_000_000  # the year 2100 in Unix time; int64 ends in 2262
MAX_HEIGHT_M = 100_000.0  # where drones are no longer carried by air
MAX_SPEED_M_S = 1000.0  # COCOM: no receiver that is sold freely tells more
MAX_ANGLE = 4 * math.pi
MIN_SIGMA_M, USUAL_SIGMA_M = 0.01, 3.0  # a receiver that claims to be exact tells nothing
NO_POSITION_DEG = 1e-6  # 0/0, in the Gulf of Guinea: what receivers tell that know nothing


def plausible(events: Iterable[Event]) -> tuple[list[Event], int]:
    """The events that can be true, and how many others there were.

    A fix at 0/0 is one that has no fix; what a fix does not really tell of itself (an accuracy
    or velocity that is no number) is None or the usual.
    """
    kept: list[Event] = []
    left_out = 0
    for event in events:
        told = _of_gnss(event) if isinstance(event, Gnss) else event
        if _can_be(told):
            kept.append(told)
        else:
            left_out += 1
    return kept, left_out


def _of_gnss(fix: Gnss) -> Gnss:
    nowhere = max(abs(fix.lat_deg), abs(fix.lon_deg)) <= NO_POSITION_DEG
    if not fix.has_fix or nowhere:
        return Gnss(
            fix.time_ns,
            0.0,
            0.0,
            has_fix=False,
            receiver=fix.receiver,
            fix_type=min(fix.fix_type, 1) if nowhere and fix.has_fix else fix.fix_type,
            satellites=fix.satellites,
        )
    sigma_m = fix.sigma_m if _within(fix.sigma_m, MIN_SIGMA_M, MAX_HEIGHT_M) else USUAL_SIGMA_M
    velocity = (fix.velocity_north_m_s, fix.velocity_east_m_s)
    has_velocity = all(v is not None and abs(v) <= MAX_SPEED_M_S for v in velocity)
    speed_sigma = fix.velocity_sigma_m_s
    has_speed_sigma = _within(speed_sigma, MIN_SIGMA_M, MAX_SPEED_M_S)
    return replace(
        fix,
        sigma_m=sigma_m,
        amsl_m=fix.amsl_m if _within(fix.amsl_m, -MAX_HEIGHT_M, MAX_HEIGHT_M) else None,
        velocity_north_m_s=velocity[0] if has_velocity else None,
        velocity_east_m_s=velocity[1] if has_velocity else None,
        velocity_sigma_m_s=speed_sigma if has_speed_sigma else None,
    )


def _within(value: float | None, least: float, most: float) -> bool:
    """False of nan and None."""
    return value is not None and least <= value <= most


def _can_be(event: Event) -> bool:
    numbers = (getattr(event, f.name) for f in fields(event))
    if not all(math.isfinite(v) for v in numbers if isinstance(v, float)):
        return False
    if not 0 <= event.time_ns <= MAX_TIME_NS:
        return False
    if isinstance(event, Attitude):
        return max(abs(event.roll), abs(event.pitch), abs(event.yaw)) <= MAX_ANGLE
    if isinstance(event, Height):
        heights = (event.agl_m, event.amsl_m or 0.0)
        return max(map(abs, heights)) <= MAX_HEIGHT_M and event.sigma_m > 0.0
    if isinstance(event, AirData):
        speeds = (event.airspeed_m_s, event.wind_north_m_s, event.wind_east_m_s)
        return all(abs(v or 0.0) <= MAX_SPEED_M_S for v in speeds)
    if isinstance(event, Gnss | AutopilotPosition):
        return abs(event.lat_deg) <= 90.0 and abs(event.lon_deg) <= 180.0
    return True
