"""The area to map, as a person gives it: a box, a GeoJSON or a KML file."""

from __future__ import annotations

from pathlib import Path

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from maps.drawing import SUFFIXES, read_drawing
from maps.widened import widened
from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG


def parse_area(text: str, corridor_m: float | None = None) -> BaseGeometry:
    """A polygon (or several) in WGS84 longitude, latitude degrees.

    text: 'W,S,E,N' or the path of a .geojson, .json or .kml file. corridor_m: how far the area
    reaches to each side of what is drawn; lines and points need it. Raises InputError.
    """
    path = Path(text)
    if path.suffix.lower() in (".plan", ".waypoints"):
        raise InputError(f"--area {text}: is a mission; give it with --mission")
    if path.suffix.lower() not in SUFFIXES:
        area = _box(text)
        return area if corridor_m is None else widened(area, corridor_m, f"--area {text}")
    drawn = read_drawing(path)
    if corridor_m is None:
        thin = [g.geom_type for g in drawn if g.geom_type != "Polygon"]
        if len(thin) == len(drawn):
            raise InputError(
                f"{path}: holds no polygon but a {thin[0]}; draw the area as a polygon, or say "
                "with --corridor-m how far it reaches to each side"
            )
        drawn = [g for g in drawn if g.geom_type == "Polygon"]
    area = unary_union([widened(g, corridor_m or 0.0, str(path)) for g in drawn])
    if area.is_empty or area.area == 0:
        raise InputError(f"{path}: holds no polygon with an inside; draw the area as one")
    return area


def _box(text: str) -> BaseGeometry:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as e:
        raise InputError(
            f"--area {text}: neither W,S,E,N in degrees nor a .geojson or .kml file"
        ) from e
    if not (-180 <= west < east <= 180 and -MAX_LAT_DEG <= south < north <= MAX_LAT_DEG):
        raise InputError(f"--area {text}: W,S,E,N must be degrees with W < E and S < N")
    return box(west, south, east, north)
