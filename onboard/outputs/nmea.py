"""NMEA 0183 sentences GGA, RMC and GST for whatever else takes a position, by pynmea2.

Quality and mode are 1/A for a position with fresh fixes and 6/E (estimated) while coasting.
Time of day is empty where UTC is not known.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pynmea2

from onboard.messages import Estimate
from onboard.outputs.moment import Moment, accuracy_m, known_amsl, measured_velocity_sigma
from onboard.reasons import Mode

TALKER = "GN"
KNOTS_PER_M_S = 3600.0 / 1852.0
NO_FIX, FIX, ESTIMATED = "0", "1", "6"
SATELLITES = "00"  # none were seen
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MAX_UTC_S = 4_102_444_800  # 2100: the date's two digits say no more


def nmea(moment: Moment) -> bytes:
    """GGA, RMC and GST of one moment, each ended by CR LF. While no position is offered they
    say so (quality 0, status V) and carry none."""
    time, date = _time_of_day(moment)
    estimate = moment.estimate if moment.offered else None
    if estimate is None:
        gga = [time, "", "", "", "", NO_FIX, SATELLITES, *[""] * 7]
        rmc = [time, "V", *[""] * 6, date, "", "", "N"]
        gst = [time, *[""] * 7]
    else:
        gga, rmc, gst = (f(estimate, time, date) for f in (_gga, _rmc, _gst))
    kinds = ((pynmea2.GGA, "GGA", gga), (pynmea2.RMC, "RMC", rmc), (pynmea2.GST, "GST", gst))
    return "".join(
        f"{kind(TALKER, name, tuple(fields)).render()}\r\n" for kind, name, fields in kinds
    ).encode("ascii")


def _gga(estimate: Estimate, time: str, _: str) -> list[str]:
    height = known_amsl(estimate)
    altitude = [f"{height[0]:.1f}", "M"] if height else ["", ""]
    quality = ESTIMATED if estimate.mode is Mode.COASTING else FIX
    return [time, *_place(estimate), quality, SATELLITES, "1.0", *altitude, "", "", "", ""]


def _rmc(estimate: Estimate, time: str, date: str) -> list[str]:
    north, east = estimate.velocity_north_m_s, estimate.velocity_east_m_s
    motion = ["", ""]
    if measured_velocity_sigma(estimate) is not None:
        course_deg = math.degrees(math.atan2(east, north)) % 360.0
        motion = [f"{math.hypot(north, east) * KNOTS_PER_M_S:.2f}", f"{course_deg:.1f}"]
    mode = "E" if estimate.mode is Mode.COASTING else "A"
    return [time, "A", *_place(estimate), *motion, date, "", "", mode]


def _gst(estimate: Estimate, time: str, _: str) -> list[str]:
    values, axes = np.linalg.eigh(estimate.covariance)  # east, north; ascending
    minor_m, major_m = (math.sqrt(max(0.0, float(v))) for v in values)
    east, north = float(axes[0, 1]), float(axes[1, 1])
    orientation_deg = math.degrees(math.atan2(east, north)) % 180.0
    lat_m, lon_m = (math.sqrt(float(estimate.covariance[i, i])) for i in (1, 0))
    height = known_amsl(estimate)
    alt = f"{height[1]:.1f}" if height and height[1] else ""
    figures = (accuracy_m(estimate), major_m, minor_m, orientation_deg, lat_m, lon_m)
    return [time, *(f"{f:.1f}" for f in figures), alt]


def _place(estimate: Estimate) -> list[str]:
    """ddmm.mmmmm and dddmm.mmmmm with their hemispheres; 1e-5 minutes are 2 cm."""
    fields = []
    for deg, digits, hemispheres in (
        (estimate.lat_deg, 2, "NS"),
        (estimate.lon_deg, 3, "EW"),
    ):
        hundred_thousandths = round(abs(deg) * 60.0 * 1e5)
        whole_deg, rest = divmod(hundred_thousandths, 60 * 100_000)
        fields.append(f"{whole_deg:0{digits}d}{rest // 100_000:02d}.{rest % 100_000:05d}")
        fields.append(hemispheres[deg < 0.0])
    return fields


def _time_of_day(moment: Moment) -> tuple[str, str]:
    """(hhmmss.ss, ddmmyy), both empty where UTC is not known."""
    if moment.utc_minus_clock_ns is None:
        return "", ""
    utc_ns = moment.now_ns + moment.utc_minus_clock_ns
    if not 0 <= utc_ns < MAX_UTC_S * 1_000_000_000:
        return "", ""
    utc = EPOCH + timedelta(microseconds=utc_ns // 1000)
    return f"{utc:%H%M%S}.{utc.microsecond // 10_000:02d}", f"{utc:%d%m%y}"
