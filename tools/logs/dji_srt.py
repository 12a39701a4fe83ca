"""The subtitles that a DJI drone writes beside its video: position and height of every frame.

Two dialects are known: `[latitude: 32.1] [longitude: 35.2] [rel_alt: 1.0 abs_alt: 2.0]` with,
on some models, `[gb_yaw: 1.0 gb_pitch: -90.0 gb_roll: 0.0]`. Times are the video's.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from onboard.errors import InputError
from onboard.messages import Event
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.logs.plausible import NO_POSITION_DEG
from tools.logs.recorded_log import RecordedLog, made_log

MOST_BYTES = 500_000_000  # two days of video
HEIGHT_SIGMA_M, GNSS_SIGMA_M = 3.0, 3.0
_TIME = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3})\s*-->")
_FIELD = re.compile(
    r"(latitude|longtitude|longitude|rel_alt|abs_alt|gb_yaw|gb_pitch|gb_roll)\s*:\s*([-+0-9.]+)"
)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{1,6})")


def read_srt(path: Path) -> RecordedLog:
    """Attitude events are the gimbal's where it is told. Raises InputError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than any flight's subtitles; give a DJI .SRT file")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); give a DJI .SRT file") from e
    events: list[Event] = []
    without = 0
    utc_ns: int | None = None
    for block in re.split(r"\r?\n\s*\r?\n", text):
        timed = _TIME.search(block)
        fields = {name: _number(value) for name, value in _FIELD.findall(block)}
        if timed is None or "rel_alt" not in fields:
            continue
        h, m, s, ms = map(int, timed.groups())
        time_ns = (((h * 60 + m) * 60 + s) * 1000 + ms) * 1_000_000
        if utc_ns is None and (local_ns := local_time_ns(block)) is not None:
            utc_ns = local_ns - time_ns
        if not _add(events, time_ns, fields):
            without += 1
    if not events:
        raise InputError(f"{path}: no positions as DJI writes them; give the video's own .SRT file")
    gimbal = any(isinstance(event, Attitude) for event in events)
    log = made_log(path, events, (), utc_ns, gimbal=gimbal)
    notes = list(log.notes)
    if without:
        notes.append(f"{path.name}: {without} frames have no position (or 0/0)")
    if not gimbal:
        notes.append(f"{path.name}: tells no attitude")
    return replace(log, notes=tuple(notes))


def _add(events: list[Event], time_ns: int, fields: dict[str, float]) -> bool:
    """False when the frame has no position."""
    if math.isfinite(fields["rel_alt"]):
        amsl = fields.get("abs_alt", math.nan)
        events.append(
            Height(
                time_ns,
                fields["rel_alt"],
                amsl if math.isfinite(amsl) else None,
                HEIGHT_SIGMA_M,
                "home",
            )
        )
    angles = [math.radians(fields.get(n, math.nan)) for n in ("gb_roll", "gb_pitch", "gb_yaw")]
    if all(map(math.isfinite, angles)):
        events.append(Attitude(time_ns, *angles))
    lat = fields.get("latitude", math.nan)
    lon = fields.get("longitude", fields.get("longtitude", math.nan))  # sic, on older models
    has_fix = math.isfinite(lat + lon) and max(abs(lat), abs(lon)) > NO_POSITION_DEG
    if has_fix:
        events.append(Gnss(time_ns, lat, lon, GNSS_SIGMA_M))
    else:
        events.append(Gnss(time_ns, 0.0, 0.0, has_fix=False))
    return has_fix


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def local_time_ns(text: str) -> int | None:
    """The first date and time in it, as if it were UTC: the drone writes its own local time,
    right up to the zone, which pictures share."""
    found = _DATE.search(text)
    if found is None:
        return None
    try:
        when = datetime.strptime(found[1].replace(",", "."), "%Y-%m-%d %H:%M:%S.%f")
    except ValueError:
        return None
    return round(when.replace(tzinfo=timezone.utc).timestamp() * 1e6) * 1000
