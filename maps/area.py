"""The area to map, as a person gives it: a box, a GeoJSON or a KML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException, ElementTree
from shapely.errors import ShapelyError
from shapely.geometry import Polygon, box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG


def parse_area(text: str) -> BaseGeometry:
    """A polygon (or several) in WGS84 longitude, latitude degrees.

    text: 'W,S,E,N' or the path of a .geojson, .json or .kml file. Raises InputError.
    """
    path = Path(text)
    if path.suffix.lower() not in (".geojson", ".json", ".kml"):
        return _box(text)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read ({e}); give an existing file") from e
    polygons = _kml(content, path) if path.suffix.lower() == ".kml" else _geojson(content, path)
    area = unary_union([p.buffer(0) for p in polygons])
    if area.is_empty:
        raise InputError(f"{path}: holds no polygon; draw the area as one")
    west, south, east, north = area.bounds
    if not (-180 <= west < east <= 180 and -MAX_LAT_DEG <= south < north <= MAX_LAT_DEG):
        raise InputError(f"{path}: its coordinates are not longitude, latitude in degrees")
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


def _geojson(content: str, path: Path) -> list[BaseGeometry]:
    try:
        found: list[BaseGeometry] = []
        _collect(json.loads(content), found)
    except (ValueError, KeyError, TypeError, AttributeError, ShapelyError) as e:
        raise InputError(f"{path}: not valid GeoJSON ({e}); correct it") from e
    return [g for g in found if g.geom_type in ("Polygon", "MultiPolygon")]


def _collect(node: dict[str, Any], found: list[BaseGeometry]) -> None:
    if node["type"] == "FeatureCollection":
        for feature in node["features"]:
            _collect(feature, found)
    elif node["type"] == "Feature":
        if node["geometry"] is not None:
            _collect(node["geometry"], found)
    elif node["type"] == "GeometryCollection":
        for geometry in node["geometries"]:
            _collect(geometry, found)
    else:
        found.append(shape(node))


def _kml(content: str, path: Path) -> list[BaseGeometry]:
    try:
        root = ElementTree.fromstring(content.encode())
        polygons = [e for e in root.iter() if e.tag.rpartition("}")[2] == "Polygon"]
        return [_kml_polygon(p) for p in polygons]
    except (ParseError, DefusedXmlException, ValueError, IndexError, ShapelyError) as e:
        raise InputError(f"{path}: not valid KML ({e}); correct it") from e


def _kml_polygon(polygon: Any) -> Polygon:
    outer: list[tuple[float, float]] = []
    holes = []
    for boundary in polygon:
        kind = boundary.tag.rpartition("}")[2]
        texts = [e.text for e in boundary.iter() if e.tag.rpartition("}")[2] == "coordinates"]
        rings = [
            [(float(p.split(",")[0]), float(p.split(",")[1])) for p in (t or "").split()]
            for t in texts
        ]
        if kind == "outerBoundaryIs" and rings:
            outer = rings[0]
        elif kind == "innerBoundaryIs":
            holes += rings
    return Polygon(outer, holes)
