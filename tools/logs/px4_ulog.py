"""PX4's own log (.ulg), by pyulog."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onboard.errors import InputError
from onboard.messages import Event
from onboard.telemetry_messages import AirData, Attitude, Gnss, Height
from tools.logs.finite_file import FiniteFile
from tools.logs.quiet import quiet, said
from tools.logs.recorded_log import RecordedLog, Trigger, made_log

TOPICS = [
    "vehicle_attitude",
    "vehicle_gps_position",
    "sensor_gps",
    "vehicle_local_position",
    "airspeed_validated",
    "airspeed",
    "wind_estimate",
    "wind",
    "camera_capture",
    "camera_trigger",
]
MIN_FIX = 3  # sensor_gps.fix_type: 3-D
HEIGHT_SIGMA_M, RANGE_SIGMA_M = 5.0, 1.0
DEG7, MM = 1e-7, 1e-3  # units of the old vehicle_gps_position


def read_ulog(path: Path) -> RecordedLog:
    """Raises InputError: not such a log, or nothing of use in it."""
    from pyulog import ULog

    try:
        with quiet(), FiniteFile(path) as file:
            log: Any = ULog(file, TOPICS)
    except Exception as e:  # pyulog raises whatever comes, plain Exception among it
        raise InputError(
            f"{path}: not a PX4 log ({said(e)}); give a .ulg file as the autopilot wrote it"
        ) from e
    topics = {d.name: d.data for d in reversed(log.data_list)}  # the first instance of each
    gps = topics.get("vehicle_gps_position", topics.get("sensor_gps"))
    pictures = topics.get("camera_capture", topics.get("camera_trigger"))
    events: list[Event] = []
    unknown: list[str] = []
    readers: tuple[tuple[str, Callable[[], list[Event]]], ...] = (
        ("attitude", lambda: _attitudes(topics.get("vehicle_attitude"))),
        ("height", lambda: _heights(topics.get("vehicle_local_position"))),
        ("airspeed and wind", lambda: _air(topics)),
        ("receiver", lambda: _gnss(gps)),
    )
    for what, told in readers:
        try:
            with np.errstate(all="ignore"):  # damaged numbers are left out afterwards
                events += told()
        except (KeyError, ValueError, OverflowError, TypeError) as e:
            unknown.append(
                f"{path.name}: its {what} is told in a way that is not known ({said(e)})"
            )
    try:
        triggers, utc_minus_clock_ns = _triggers(pictures), _utc_minus_clock_ns(gps)
    except (KeyError, ValueError, OverflowError, TypeError):
        triggers, utc_minus_clock_ns = (), None
    if not events and unknown:
        raise InputError(f"{unknown[0]}; give the log of a PX4 of 1.11 or later")
    made = made_log(path, events, triggers, utc_minus_clock_ns, damaged=int(log.file_corruption))
    return replace(made, notes=(*made.notes, *unknown))


def _ns(data: Any) -> list[int]:
    return [int(us) * 1000 for us in data["timestamp"]]


def _attitudes(data: Any) -> list[Event]:
    if data is None:
        return []
    q = np.column_stack([data[f"q[{i}]"] for i in range(4)]).astype(np.float64)
    w, x, y, z = q.T
    roll = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = np.arcsin(np.clip(2 * (w * y - z * x), -1.0, 1.0))
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    angles = zip(_ns(data), roll, pitch, yaw, strict=True)
    return [
        Attitude(ns, float(r), float(p), float(h))
        for ns, r, p, h in angles
        if math.isfinite(r + p + h)
    ]


def _heights(data: Any) -> list[Event]:
    """Above where the log's local frame has its zero, or by the range finder."""
    if data is None:
        return []
    events: list[Event] = []
    for i, ns in enumerate(_ns(data)):
        if not data["z_valid"][i]:
            continue
        down_m, ground_m = float(data["z"][i]), float(data["ref_alt"][i])
        amsl_m = ground_m - down_m if data["z_global"][i] and math.isfinite(ground_m) else None
        if data["dist_bottom_valid"][i]:
            agl_m = float(data["dist_bottom"][i])
            events.append(Height(ns, agl_m, amsl_m, RANGE_SIGMA_M, "rangefinder"))
        else:
            events.append(Height(ns, -down_m, amsl_m, HEIGHT_SIGMA_M, "home"))
    return events


def _gnss(data: Any) -> list[Event]:
    if data is None:
        return []
    new = "latitude_deg" in data
    lat = data["latitude_deg"] if new else data["lat"] * DEG7
    lon = data["longitude_deg"] if new else data["lon"] * DEG7
    amsl_m = data["altitude_msl_m"] if new else data["alt"] * MM
    events: list[Event] = []
    for i, ns in enumerate(_ns(data)):
        has_fix = int(data["fix_type"][i]) >= MIN_FIX
        velocity_valid = bool(data["vel_ned_valid"][i])
        events.append(
            Gnss(
                ns,
                float(lat[i]),
                float(lon[i]),
                float(data["eph"][i]),
                has_fix,
                fix_type=int(data["fix_type"][i]),
                satellites=int(data["satellites_used"][i]),
                amsl_m=float(amsl_m[i]),
                velocity_north_m_s=float(data["vel_n_m_s"][i]) if velocity_valid else None,
                velocity_east_m_s=float(data["vel_e_m_s"][i]) if velocity_valid else None,
                velocity_sigma_m_s=float(data["s_variance_m_s"][i]),
            )
        )
    return events


def _utc_minus_clock_ns(data: Any) -> int | None:
    """By the last fix that tells it."""
    if data is None:
        return None
    told = zip(data["time_utc_usec"], data["fix_type"], _ns(data), strict=True)
    known = [int(us) * 1000 - ns for us, fix_type, ns in told if us and fix_type >= MIN_FIX]
    return known[-1] if known else None


def _air(topics: dict[str, Any]) -> list[Event]:
    """Wind as it comes, with the airspeed next before it."""
    wind = topics.get("wind", topics.get("wind_estimate"))
    speed = topics.get("airspeed_validated", topics.get("airspeed"))
    if wind is None or speed is None:
        return []
    column = "true_airspeed_m_s" if "true_airspeed_m_s" in speed else "calibrated_airspeed_m_s"
    times = _ns(speed)
    events: list[Event] = []
    for i, ns in enumerate(_ns(wind)):
        k = int(np.searchsorted(times, ns, side="right")) - 1
        if k >= 0 and math.isfinite(float(speed[column][k])):
            north, east = float(wind["windspeed_north"][i]), float(wind["windspeed_east"][i])
            events.append(AirData(ns, float(speed[column][k]), north, east))
    return events


def _triggers(data: Any) -> tuple[Trigger, ...]:
    if data is None:
        return ()
    if "lat" in data:
        rows = zip(_ns(data), data["lat"], data["lon"], strict=True)
        return tuple(Trigger(ns, float(lat), float(lon)) for ns, lat, lon in rows)
    return tuple(Trigger(ns) for ns in _ns(data))
