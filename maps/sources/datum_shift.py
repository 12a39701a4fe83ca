"""How well PROJ knows the way from a picture's datum to WGS 84.

A picture in an old national datum lies metres off by the best way without a grid, and hundreds of
metres where PROJ knows no way and takes its longitude and latitude for those of WGS 84.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pyproj import CRS
from pyproj.transformer import AreaOfInterest, TransformerGroup
from rasterio.crs import CRS as RasterioCRS
from rasterio.warp import transform

from onboard.geodesy import WGS84_A_M, distance_m
from onboard.pack.plain_text import made_plain

TOLD_M = 1.0  # a map's usual error is 3 m
MODERN_TOLD_M = 2.5  # of modern frames PROJ says 2 m where it only takes one for the other
SAME_M = 0.1  # two ways that differ by less are one
AROUND_DEG = 0.1  # places so near to one another share a way
# Frames that follow the Earth's centre (GRS 80, WGS 84, CGCS2000) lie within 2 m of one another;
# on Web Mercator's sphere, of the same radius, the latitude is WGS 84's.
MODERN_A_M, MODERN_FLATTENINGS = WGS84_A_M, (298.257, 0.0)  # 1 / f, 0 for a sphere
MAX_NAME = 60  # characters of a datum's name that are repeated


@dataclass(frozen=True)
class DatumShift:
    """datum: its name. accuracy_m: None where PROJ doesn't say. known: False where it takes one
    datum for the other, of which nobody knows that they are near. modern: the datum follows the
    Earth's centre, as WGS 84 does."""

    datum: str
    accuracy_m: float | None
    known: bool = True
    modern: bool = False


def datum_shift(wkt: str, lat_deg: float, lon_deg: float) -> DatumShift:
    """To WGS 84 at a place, from the datum of the system wkt; as GDAL does it."""
    step = AROUND_DEG
    return _shift(wkt, round(lat_deg / step) * step, round(lon_deg / step) * step)


def shift_notes(shifts: Iterable[tuple[str, DatumShift | None]]) -> list[str]:
    """A sentence for each way that is known to more than TOLD_M, or of which that is unknown, by
    the names of the pictures that go it; of a modern datum, known to more than MODERN_TOLD_M."""
    named: dict[DatumShift, list[str]] = {}
    for name, shift in shifts:
        if shift is not None and _is_told(shift):
            named.setdefault(shift, []).append(name)
    return [
        f"note: {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: "
        f"{_said(shift)}; say with --map-sigma-m how far the imagery is off in all, or give it in "
        "WGS 84"
        for shift, names in named.items()
    ]


def _is_told(shift: DatumShift) -> bool:
    if shift.modern:
        return shift.accuracy_m is not None and shift.accuracy_m > MODERN_TOLD_M
    return shift.accuracy_m is None or shift.accuracy_m > TOLD_M


def _said(shift: DatumShift) -> str:
    way = f"the way from {shift.datum} to WGS 84"
    if shift.accuracy_m is None:
        return f"PROJ does not say how well it knows {way}"
    return f"PROJ knows {way} to {shift.accuracy_m:.1f} m"


@lru_cache(maxsize=1000)
def _shift(wkt: str, lat_deg: float, lon_deg: float) -> DatumShift:
    crs = CRS.from_wkt(wkt)
    flat = crs.sub_crs_list[0] if crs.is_compound else crs
    own = flat.geodetic_crs
    assert own is not None
    name = made_plain(own.name, MAX_NAME)
    modern = _is_modern(own)
    if flat.is_bound:  # it brings its own way, without an error
        brought = flat.coordinate_operation
        return DatumShift(
            name, None, modern=modern and brought is not None and not any(brought.towgs84)
        )
    near = AreaOfInterest(
        lon_deg - AROUND_DEG, lat_deg - AROUND_DEG, lon_deg + AROUND_DEG, lat_deg + AROUND_DEG
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a grid is missing is in the accuracy
        ways = TransformerGroup(own, 4326, always_xy=True, area_of_interest=near).transformers
    theirs, wgs84 = RasterioCRS.from_wkt(own.to_wkt()), RasterioCRS.from_epsg(4326)
    x, y = transform(wgs84, theirs, [lon_deg], [lat_deg])  # grads from Paris, it may be
    (lon,), (lat,) = transform(theirs, wgs84, x, y)
    for way in ways:
        way_lon, way_lat = way.transform(x[0], y[0])
        if distance_m(lat, lon, way_lat, way_lon) < SAME_M:
            ballpark = "ballpark" in way.description.lower()
            accuracy_m = way.accuracy if way.accuracy >= 0 and not ballpark else None
            return DatumShift(name, accuracy_m, not ballpark or modern, modern)
    return DatumShift(name, None, modern, modern)


def _is_modern(own: CRS) -> bool:
    found = own.ellipsoid
    if found is None or abs(found.semi_major_metre - MODERN_A_M) > 0.5:
        return False
    return any(abs(found.inverse_flattening - f) < 1e-3 for f in MODERN_FLATTENINGS)
