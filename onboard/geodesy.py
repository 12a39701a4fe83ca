"""Between WGS84 latitude/longitude, Web Mercator map pixels and local east-north metres.

Web Mercator (EPSG:3857) uses the sphere's formula on the ellipsoid's latitude, so a map
pixel is not quite square on the ground: its true size follows from the ellipsoid's radii
of curvature (up to 0.7 % taller or flatter). All functions take floats or arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pyproj import Geod

from onboard.messages import TILE_PX

WGS84_A_M = 6378137.0  # semi-major axis, also Web Mercator's radius
WGS84_E2 = 6.69437999014e-3  # first eccentricity squared
MAX_LAT_DEG = 85.05112877980659  # where Web Mercator's square ends
_GEOD = Geod(ellps="WGS84")


def latlon_to_pixel(lat_deg: Any, lon_deg: Any, level: int) -> tuple[Any, Any]:
    """Map pixel (x, y) at a level."""
    world_px = TILE_PX * 2**level
    sin_lat = np.sin(np.radians(np.clip(lat_deg, -MAX_LAT_DEG, MAX_LAT_DEG)))
    x = (np.asarray(lon_deg) + 180.0) / 360.0 * world_px
    y = (0.5 - np.arctanh(sin_lat) / (2 * np.pi)) * world_px
    return x, y


def pixel_to_latlon(x: Any, y: Any, level: int) -> tuple[Any, Any]:
    """(lat_deg, lon_deg) of a map pixel."""
    world_px = TILE_PX * 2**level
    lon_deg = np.asarray(x) / world_px * 360.0 - 180.0
    lat_deg = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * np.asarray(y) / world_px))))
    return lat_deg, lon_deg


def curvature_radii_m(lat_deg: float) -> tuple[float, float]:
    """(meridian, prime vertical) radii of curvature of the WGS84 ellipsoid."""
    w2 = 1.0 - WGS84_E2 * math.sin(math.radians(lat_deg)) ** 2
    return WGS84_A_M * (1.0 - WGS84_E2) / w2**1.5, WGS84_A_M / math.sqrt(w2)


def pixel_size_m(lat_deg: float, level: int) -> tuple[float, float]:
    """True ground size (east, north) of a map pixel at a latitude."""
    meridian, vertical = curvature_radii_m(lat_deg)
    radians_per_px = 2 * math.pi / (TILE_PX * 2**level)
    cos_lat = math.cos(math.radians(lat_deg))
    return vertical * cos_lat * radians_per_px, meridian * cos_lat * radians_per_px


def enu_offset_m(lat0_deg: Any, lon0_deg: Any, lat_deg: Any, lon_deg: Any) -> tuple[Any, Any]:
    """(east, north) metres from the first position to the second, by the radii of curvature
    half way: better than 1 mm over 1 km."""
    mean_lat = (np.asarray(lat0_deg) + np.asarray(lat_deg)) / 2
    w2 = 1.0 - WGS84_E2 * np.sin(np.radians(mean_lat)) ** 2
    dlon_deg = (np.asarray(lon_deg) - np.asarray(lon0_deg) + 180.0) % 360.0 - 180.0
    east = WGS84_A_M / np.sqrt(w2) * np.cos(np.radians(mean_lat)) * np.radians(dlon_deg)
    dlat = np.radians(np.asarray(lat_deg) - np.asarray(lat0_deg))
    return east, WGS84_A_M * (1.0 - WGS84_E2) / w2**1.5 * dlat


def offset_latlon(
    lat_deg: float, lon_deg: float, east_m: float, north_m: float
) -> tuple[float, float]:
    """The position east_m, north_m away: the inverse of `enu_offset_m`."""
    lat = lat_deg
    for _ in range(3):
        meridian, _ = curvature_radii_m((lat_deg + lat) / 2)
        lat = lat_deg + math.degrees(north_m / meridian)
    mean_lat = (lat_deg + lat) / 2
    _, vertical = curvature_radii_m(mean_lat)
    lon = lon_deg + math.degrees(east_m / (vertical * math.cos(math.radians(mean_lat))))
    return lat, (lon + 180.0) % 360.0 - 180.0


def distance_m(lat0_deg: float, lon0_deg: float, lat_deg: float, lon_deg: float) -> float:
    """Geodesic distance."""
    return float(_GEOD.inv(lon0_deg, lat0_deg, lon_deg, lat_deg)[2])


def distance_to_box_m(
    box: tuple[float, float, float, float], lat_deg: float, lon_deg: float
) -> float:
    """How far a position lies off a box (south, west, north, east in degrees), to its nearest
    parallel or meridian; 0 inside."""
    south, west, north, east = box
    lat = min(max(lat_deg, south), north)
    if west <= lon_deg <= east:
        return distance_m(lat_deg, lon_deg, lat, lon_deg)
    return min(distance_m(lat_deg, lon_deg, lat, lon) for lon in (west, east))
