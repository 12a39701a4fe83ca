"""A table of poses beside the photographs: CSV with a header, one row a photograph.

Columns are known by these names, whatever their case, blanks and underscores (GPSLatitude,
gps_latitude and "GPS Latitude" are one); all but the first are optional, others are passed over:

| what | names | unit |
| --- | --- | --- |
| file | filename, file, image, photo, frame, name | |
| time | time_ns; time_s; DateTimeOriginal, datetime, date, timestamp, time | ns; s; UTC date |
| position | lat, latitude, lat_deg, GPSLatitude, recorded_lat_deg; lon likewise | deg WGS84 |
| height above ground | agl_m, RelativeAltitude, rel_alt, rel_alt_m, height, height_m | m |
| height above sea | amsl_m, AltitudeAMSL, GPSAltitude, abs_alt, altitude | m |
| airframe | roll, roll_deg, FlightRollDegree, RollAngle; pitch likewise; yaw, heading | deg |
| camera | GimbalRollDegree, gimbal_roll_deg; pitch, yaw likewise | deg |
| lens | FocalLength; FocalLengthIn35mmFormat | mm |
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from onboard.errors import InputError
from tools.photo_tags import LATEST_NS, Angles, PhotoTags, is_unfilled, position_or_none

NAMES = {
    "file": ("filename", "file", "image", "photo", "frame", "name"),
    "time_ns": ("timens",),
    "time_s": ("times",),
    "time": ("datetimeoriginal", "datetime", "datetaken", "date", "timestamp", "time"),
    "lat": ("lat", "latitude", "latdeg", "gpslatitude", "recordedlatdeg"),
    "lon": ("lon", "lng", "longitude", "londeg", "gpslongitude", "recordedlondeg"),
    "agl": ("aglm", "agl", "relativealtitude", "relalt", "relaltm", "height", "heightm"),
    "amsl": ("amslm", "amsl", "altitudeamsl", "gpsaltitude", "absalt", "absaltm", "altitude"),
    "roll": ("roll", "rolldeg", "flightrolldegree", "rollangle"),
    "pitch": ("pitch", "pitchdeg", "flightpitchdegree", "pitchangle"),
    "yaw": ("yaw", "yawdeg", "flightyawdegree", "heading", "headingdeg"),
    "gimbal_roll": ("gimbalrolldegree", "gimbalrolldeg"),
    "gimbal_pitch": ("gimbalpitchdegree", "gimbalpitchdeg"),
    "gimbal_yaw": ("gimbalyawdegree", "gimbalyawdeg"),
    "focal": ("focallength", "focallengthmm"),
    "focal_35mm": ("focallengthin35mmformat", "focallengthin35mmfilm"),
}
SUGGESTED = (
    *("file", "time_s", "lat_deg", "lon_deg", "agl_m", "amsl_m", "roll_deg", "pitch_deg"),
    *("yaw_deg", "gimbal_roll_deg", "gimbal_pitch_deg", "gimbal_yaw_deg"),
)
_TIME_FORMATS = ("%Y:%m:%d %H:%M:%S.%f", "%Y:%m:%d %H:%M:%S", "%Y/%m/%d %H:%M:%S")


def read_poses(path: Path) -> dict[str, PhotoTags]:
    """Poses by file name without its ending, lower case (`photo_key`).

    Raises InputError: unreadable, no column for the file names or for anything else, a value
    that is no number or no time (with its line and column), a file named twice.
    """
    header, rows = read_table(path)
    columns = _known_columns(path, header)
    poses: dict[str, PhotoTags] = {}
    for line, row in rows:
        values = {what: row[i].strip() for what, i in columns.items() if i < len(row)}
        key = photo_key(values.get("file", ""))
        if not key:
            raise InputError(f"{path}, line {line}: no file name; fill it in or delete the line")
        if key in poses:
            raise InputError(
                f"{path}, line {line}: '{values['file']}' is there twice; delete one of the lines"
            )
        poses[key] = _pose(values, f"{path}, line {line}")
    if not poses:
        raise InputError(f"{path}: a header but no rows; give one row a photograph")
    return poses


def photo_key(name: str) -> str:
    """DJI_0018.JPG, photos/dji_0018.jpg and DJI_0018 are one photograph."""
    return Path(name.strip().replace("\\", "/")).stem.lower()


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and (line number, cells) of a CSV file in UTF-8, cells parted by , ; or tab."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)
            reader = csv.reader(file, delimiter=delimiter)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); give an existing CSV file") from e
    except (UnicodeDecodeError, csv.Error) as e:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({e}); save it as one") from e
    if not rows:
        raise InputError(f"{path}: empty; give a header and one row a photograph")
    return [cell.strip() for cell in rows[0][1]], rows[1:]


def _known_columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    plain = ["".join(c for c in name.lower() if c.isalnum()) for name in header]
    columns = {
        what: plain.index(next(n for n in names if n in plain))
        for what, names in NAMES.items()
        if any(n in plain for n in names)
    }
    if "file" not in columns or len(columns) < 2:
        lacking = "the file names" if "file" not in columns else "anything but the file names"
        raise InputError(
            f"{path}: no known column for {lacking} among '{', '.join(header)}'; rename them to "
            f"those of {', '.join(SUGGESTED)} that there are"
        )
    return columns


def _pose(values: dict[str, str], where: str) -> PhotoTags:
    number = {
        what: _number(text, f"{where}, {what}")
        for what, text in values.items()
        if what not in ("file", "time", "time_ns")
    }
    lat, lon = position_or_none(number.get("lat"), number.get("lon"))
    gimbal = _angles(number, "gimbal_roll", "gimbal_pitch", "gimbal_yaw")
    unreal = gimbal is not None and is_unfilled(gimbal)
    return PhotoTags(
        time_ns=_time_ns(values, number.get("time_s"), where),
        lat_deg=lat,
        lon_deg=lon,
        agl_m=number.get("agl"),
        amsl_m=number.get("amsl"),
        flight=_angles(number, "roll", "pitch", "yaw"),
        gimbal=None if unreal else gimbal,
        gimbal_all_zero=unreal,
        focal_mm=number.get("focal"),
        focal_35mm=number.get("focal_35mm"),
    )


def _angles(number: dict[str, float | None], *names: str) -> Angles | None:
    degrees = [number.get(name) for name in names]
    if any(d is None for d in degrees):
        return None
    return Angles(*(math.radians(d) for d in degrees if d is not None))


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: '{text}' is no number; correct it or leave it empty")
    return value


def _time_ns(values: dict[str, str], time_s: float | None, where: str) -> int | None:
    time_ns = None
    if values.get("time_ns"):
        try:
            time_ns = int(values["time_ns"])
        except ValueError as e:
            raise InputError(f"{where}, time_ns: '{values['time_ns']}' is no whole number") from e
    elif time_s is not None:
        time_ns = round(time_s * 1e9) if math.isfinite(time_s * 1e9) else LATEST_NS + 1
    elif values.get("time"):
        time_ns = parse_time_ns(values["time"], f"{where}, time")
    if time_ns is not None and abs(time_ns) > LATEST_NS:
        raise InputError(
            f"{where}: its time is beyond 64 bits of nanoseconds (years 1678 to 2262); correct it"
        )
    return time_ns


def parse_time_ns(text: str, where: str) -> int:
    """Date and time in ISO 8601 or as EXIF writes it; UTC unless it says otherwise."""
    moment = None
    for kind in (None, *_TIME_FORMATS):
        try:
            iso = text[:-1] + "+00:00" if text.endswith("Z") else text
            moment = datetime.strptime(text, kind) if kind else datetime.fromisoformat(iso)
            break
        except ValueError:
            continue
    if moment is None:
        raise InputError(f"{where}: '{text}' is no date and time; write 2024-10-30T10:05:15.5")
    utc = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(utc.timestamp() * 1e6) * 1000
