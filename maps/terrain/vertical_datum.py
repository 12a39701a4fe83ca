"""What an elevation model's heights count from, and the way from there to EGM96.

PROJ converts where it has the grids. Without them a height above another geoid or levelled
datum is taken over, and the difference it may have is told as error; a height above the
ellipsoid, 100 m off in places, is not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.crs import CompoundCRS
from pyproj.exceptions import CRSError
from pyproj.transformer import TransformerGroup

from onboard.errors import InputError, nearest_known

Array = NDArray[np.float64]

# EGM96's own error, 0.5 to 1 m outside high mountains (NASA/TP-1998-206861): by that much
# EGM2008 differs from it.
EGM2008_SIGMA_M = 1.0
# Levelled national datums against a global geoid: NAVD 88 is up to 1.5 m off across the United
# States, Ostend 2.3 m below Amsterdam.
LEVELLED_SIGMA_M = 2.0
# A constant undulation for a whole area: geoids slope by up to 0.1 m/km.
OFFSET_SIGMA_M = 1.0
ELLIPSOID = "ellipsoid"
_KNOWN = {"egm96": 5773, "egm2008": 3855, "navd88": 5703}  # EPSG vertical systems
_EGM96, _EGM2008 = _KNOWN["egm96"], _KNOWN["egm2008"]
_WGS84_WITH_EGM96 = "EPSG:9707"


@dataclass(frozen=True)
class VerticalDatum:
    """epsg: of the vertical coordinate system; None for the WGS84 ellipsoid, 0 for one without
    a number, from which nothing is known to count. m_per_unit: of its heights."""

    name: str
    epsg: int | None
    m_per_unit: float = 1.0


@dataclass(frozen=True)
class ToAmsl:
    """added_m(latitudes, longitudes) is what to add to heights in metres to get those above mean
    sea level (EGM96); sigma_m: what that may be wrong by, beside the model's own error."""

    added_m: Callable[[Array, Array], Array]
    sigma_m: float


def parse_datum(text: str) -> VerticalDatum:
    """egm96, egm2008, navd88, ellipsoid, or EPSG:number of a vertical system. Raises
    InputError."""
    key = text.strip().lower()
    if key == ELLIPSOID:
        return VerticalDatum(ELLIPSOID, None)
    if key not in _KNOWN and not key.startswith("epsg:"):
        known = [*_KNOWN, ELLIPSOID]
        raise InputError(
            f"--dem-datum {text}: not known ({nearest_known(key, known)}); "
            "or give EPSG:number of a vertical system"
        )
    try:
        crs = CRS.from_epsg(_KNOWN[key]) if key in _KNOWN else CRS.from_user_input(key)
    except CRSError as e:
        raise InputError(f"--dem-datum {text}: PROJ knows no such system; give another") from e
    if not crs.is_vertical or crs.is_compound:
        raise InputError(
            f"--dem-datum {text}: is '{crs.name}', no vertical system; give one such as egm96"
        )
    return _vertical(crs, f"--dem-datum {text}")


def split_crs(crs: CRS, where: str) -> tuple[CRS, VerticalDatum | None]:
    """The horizontal part of a file's coordinate system, and what it says of heights.

    where: opens the sentence of the InputError that a depth or another planet gets.
    """
    if crs.is_compound:
        parts = crs.sub_crs_list
        found = next((part for part in parts if part.is_vertical), None)
        datum = None if found is None else _vertical(found, where)
        return parts[0], datum
    if len(crs.axis_info) == 3:
        return crs.to_2d(), VerticalDatum(ELLIPSOID, None, crs.axis_info[2].unit_conversion_factor)
    return crs, None


def to_amsl(datum: VerticalDatum, offset_m: float | None, where: str) -> ToAmsl:
    """offset_m: what a person says is to be subtracted from heights above the ellipsoid. Raises
    InputError: such heights, no offset, and PROJ without a geoid's grid; an offset for others."""
    if offset_m and datum.epsg is not None:
        raise InputError(
            f"{where}: its heights count from '{datum.name}', and --dem-offset-m {offset_m:g} is "
            "for heights above the ellipsoid; leave it out, or give 0 for this one"
        )
    if offset_m is not None and datum.epsg is None:
        return ToAmsl(lambda lat, lon: np.full(lat.shape, -offset_m), OFFSET_SIGMA_M)
    if datum.epsg == _EGM96:
        return ToAmsl(_nothing_m, 0.0)
    by_grid = _by_grid(datum)
    if by_grid is not None:
        return ToAmsl(by_grid, 0.0)
    if datum.epsg is None:
        raise InputError(
            f"{where}: its heights count from the ellipsoid and PROJ has no geoid grid here; run "
            "'projsync --file us_nga_egm96_15.tif', or give the geoid's height above the "
            "ellipsoid at the place as --dem-offset-m"
        )
    sigma_m = EGM2008_SIGMA_M if datum.epsg == _EGM2008 else LEVELLED_SIGMA_M
    return ToAmsl(_nothing_m, sigma_m)


def _nothing_m(lat_deg: Array, lon_deg: Array) -> Array:
    return np.zeros(lat_deg.shape)


def _vertical(crs: CRS, where: str) -> VerticalDatum:
    axis = crs.axis_info[0]
    if axis.direction.lower() != "up":
        raise InputError(f"{where}: '{crs.name}' counts downwards; give heights, not depths")
    return VerticalDatum(crs.name, crs.to_epsg() or 0, axis.unit_conversion_factor)


@lru_cache
def _by_grid(datum: VerticalDatum) -> Callable[[Array, Array], Array] | None:
    """By PROJ, only where the best operation it knows has all its grids: without, PROJ would
    hand the height back unchanged. Looking takes a second for a national datum."""
    if datum.epsg is None:
        source = CRS.from_epsg(4979)
    else:
        source = CompoundCRS("", [CRS.from_epsg(4326), CRS.from_epsg(datum.epsg)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the best one lacks its grid is looked at here
        group = TransformerGroup(source, _WGS84_WITH_EGM96, always_xy=True)
    if not group.best_available or not group.transformers:
        return None
    transform = group.transformers[0]
    if "ballpark" in transform.description.lower():
        return None

    def added_m(lat_deg: Array, lon_deg: Array) -> Array:
        heights = np.asarray(transform.transform(lon_deg, lat_deg, np.zeros(lat_deg.shape))[2])
        return np.where(np.isfinite(heights), heights, np.nan)

    return added_m
