"""Positions and heights of a video's frames as a table (.csv), as tools make it of DJI subtitles.

Columns start_seconds (of the video), latitude, longitude (degrees), rel_alt (m above take-off)
and, if told, abs_alt (m) and timestamp (local time of the first row).
"""

from __future__ import annotations

import math
from pathlib import Path

from onboard.errors import InputError
from onboard.messages import Event
from onboard.telemetry_messages import Gnss, Height
from tools.logs.dji_srt import GNSS_SIGMA_M, HEIGHT_SIGMA_M, local_time_ns
from tools.logs.recorded_log import RecordedLog, made_log
from tools.pose_csv import read_table

NEEDED = ("start_seconds", "latitude", "longitude", "rel_alt")
MAX_S = 1e9  # a table of Unix seconds is no video's


def read_pose_table(path: Path) -> RecordedLog:
    """Rows whose numbers can't be read are left out and counted. Raises InputError: no such
    file, a column missing, nothing of use in it."""
    header, rows = read_table(path)
    if missing := [name for name in NEEDED if name not in header]:
        raise InputError(f"{path}: column '{missing[0]}' is missing; it needs {', '.join(NEEDED)}")
    column = {name: header.index(name) for name in header}
    events: list[Event] = []
    damaged = 0
    utc_ns: int | None = None
    for _, row in rows:
        try:
            seconds, lat, lon, agl_m = (float(row[column[name]]) for name in NEEDED)
        except (ValueError, IndexError):
            damaged += 1
            continue
        if not 0.0 <= seconds <= MAX_S:
            damaged += 1
            continue
        time_ns = round(seconds * 1e9)
        amsl_m = _number(row, column.get("abs_alt"))
        events.append(Height(time_ns, agl_m, amsl_m, HEIGHT_SIGMA_M, "home"))
        events.append(Gnss(time_ns, lat, lon, GNSS_SIGMA_M))
        if utc_ns is None and column.get("timestamp", len(row)) < len(row):
            local_ns = local_time_ns(row[column["timestamp"]])
            utc_ns = None if local_ns is None else local_ns - time_ns
    return made_log(path, events, (), utc_ns, damaged)


def _number(row: list[str], at: int | None) -> float | None:
    if at is None or at >= len(row):
        return None
    try:
        value = float(row[at])
    except ValueError:
        return None
    return value if math.isfinite(value) else None
