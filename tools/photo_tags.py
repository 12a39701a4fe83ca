"""What one photograph says of itself: EXIF, and the XMP tags of DJI and senseFly.

EXIF 2.32 (CIPA DC-008) tags by number; DJI's `drone-dji:*` are degrees and metres with a
sign, yaw from true north; senseFly's `sensefly:*` likewise.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import ExifTags, Image, UnidentifiedImageError

NO_POSITION_DEG = 1e-6  # both latitude and longitude this near zero: a receiver without a fix
NO_GIMBAL_DEG = 1e-6  # all three gimbal angles this near zero: tags written, never filled
LATEST_NS = 2**63 - 1  # what a 64-bit clock can tell: the year 2262
_TIME_FORMAT = "%Y:%m:%d %H:%M:%S"
_FLIGHT = ("FlightRollDegree", "FlightPitchDegree", "FlightYawDegree")
_SENSEFLY = ("RollAngle", "PitchAngle", "Heading")
_GIMBAL = ("GimbalRollDegree", "GimbalPitchDegree", "GimbalYawDegree")


@dataclass(frozen=True)
class Angles:
    """Radians; aerospace order Z-Y-X, NED, true north."""

    roll: float
    pitch: float
    yaw: float


@dataclass(frozen=True)
class PhotoTags:
    """What is known of one photograph; None where nothing is.

    agl_m: above ground (or above take-off, which is what drones write). flight: attitude
    of the airframe. gimbal: attitude of the camera itself, None when the tags are all zero.
    focal_35mm: the focal length in millimetres of an equivalent on 35 mm film.
    """

    time_ns: int | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    agl_m: float | None = None
    amsl_m: float | None = None
    flight: Angles | None = None
    gimbal: Angles | None = None
    gimbal_all_zero: bool = False
    width_px: int = 0
    height_px: int = 0
    focal_mm: float | None = None
    focal_35mm: float | None = None
    model: str = ""


def read_photo_tags(path: Path) -> PhotoTags:
    """Reads the header only. Raises ValueError with a short reason when it is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large pictures, damaged tags
            with Image.open(path) as image:
                exif = image.getexif()
                details = exif.get_ifd(ExifTags.IFD.Exif)
                gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
                xmp = _xmp_values(image.info.get("xmp", b""))
                size = image.size
    except Image.DecompressionBombError as e:
        raise ValueError("more pixels than any camera has") from e
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as e:
        raise ValueError("not a picture that can be read") from e
    lat, lon = position_or_none(
        _first(_number(xmp.get("Latitude")), _degrees(gps, 1, 2, "S")),
        _first(_number(xmp.get("Longitude")), _degrees(gps, 3, 4, "W")),
    )
    gimbal = _angles(xmp, _GIMBAL)
    unreal = gimbal is not None and is_unfilled(gimbal)
    return PhotoTags(
        time_ns=_time_ns(exif, details),
        lat_deg=lat,
        lon_deg=lon,
        agl_m=_first(_number(xmp.get("RelativeAltitude")), _number(xmp.get("Height"))),
        amsl_m=_first(
            _number(xmp.get("AltitudeAMSL")), _number(xmp.get("AbsoluteAltitude")), _altitude(gps)
        ),
        flight=_angles(xmp, _FLIGHT) or _angles(xmp, _SENSEFLY),
        gimbal=None if unreal else gimbal,
        gimbal_all_zero=unreal,
        width_px=size[0],
        height_px=size[1],
        focal_mm=_positive(details.get(ExifTags.Base.FocalLength)),
        focal_35mm=_positive(details.get(ExifTags.Base.FocalLengthIn35mmFilm)),
        model=str(exif.get(ExifTags.Base.Model, "")).strip("\0 "),
    )


def is_unfilled(gimbal: Angles) -> bool:
    """All three zero: a camera that looks at the horizon, due north, without any roll."""
    return max(abs(gimbal.roll), abs(gimbal.pitch), abs(gimbal.yaw)) < math.radians(NO_GIMBAL_DEG)


def position_or_none(lat: float | None, lon: float | None) -> tuple[float | None, float | None]:
    """(None, None) unless both are there, on Earth, and not the 0/0 of a receiver without a fix."""
    if lat is None or lon is None or not (abs(lat) <= 90 and abs(lon) <= 180):
        return None, None
    if abs(lat) < NO_POSITION_DEG and abs(lon) < NO_POSITION_DEG:
        return None, None
    return lat, lon


def _xmp_values(packet: bytes | str) -> dict[str, str]:
    """Tag name without namespace -> text, from elements as well as attributes."""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    start, end = text.find("<x:xmpmeta"), text.rfind("</x:xmpmeta>")
    if start < 0 or end < start:
        return {}
    try:
        root: Element = fromstring(text[start : end + len("</x:xmpmeta>")])
    except (ParseError, DefusedXmlException):
        return {}
    values: dict[str, str] = {}
    for element in root.iter():
        if element.text and element.text.strip():
            values[_local(element.tag)] = element.text.strip()
        values.update({_local(name): value for name, value in element.attrib.items()})
    return values


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _angles(xmp: dict[str, str], names: tuple[str, str, str]) -> Angles | None:
    degrees = [_number(xmp.get(name)) for name in names]
    if any(d is None for d in degrees):
        return None
    return Angles(*(math.radians(d) for d in degrees if d is not None))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _first(*values: float | None) -> float | None:
    return next((v for v in values if v is not None), None)


def _degrees(gps: dict[int, Any], ref_tag: int, tag: int, negative: str) -> float | None:
    parts = gps.get(tag)
    if not isinstance(parts, tuple) or len(parts) != 3:
        return None
    numbers = [_number(p) for p in parts]
    if any(n is None for n in numbers):
        return None
    degrees, minutes, seconds = (n for n in numbers if n is not None)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if str(gps.get(ref_tag, "")).strip("\0 ").upper() == negative else value


def _altitude(gps: dict[int, Any]) -> float | None:
    value = _number(gps.get(6))
    below_sea = gps.get(5) in (b"\x01", 1)
    return None if value is None else (-value if below_sea else value)


def _time_ns(exif: Any, details: dict[int, Any]) -> int | None:
    """Exposure time with its parts of a second; UTC where the camera gave no offset."""
    text = details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    try:
        moment = datetime.strptime(str(text).strip("\0 "), _TIME_FORMAT)
    except ValueError:
        return None
    fraction = (
        _number(f"0.{str(details.get(ExifTags.Base.SubsecTimeOriginal, '')).strip()}0") or 0.0
    )
    offset = str(details.get(ExifTags.Base.OffsetTimeOriginal, "")).strip("\0 ")
    try:
        moment = datetime.strptime(f"{moment:{_TIME_FORMAT}}{offset}", f"{_TIME_FORMAT}%z")
    except ValueError:
        moment = moment.replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    time_ns = (since // timedelta(seconds=1)) * 1_000_000_000 + round(fraction * 1e9)
    return time_ns if abs(time_ns) <= LATEST_NS else None
