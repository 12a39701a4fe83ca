"""Shapes that a person drew: the points, lines and polygons of a GeoJSON or KML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import shapely
from defusedxml import DefusedXmlException, ElementTree
from shapely.errors import ShapelyError
from shapely.geometry import LineString, Point, Polygon, shape
from shapely.geometry.base import BaseGeometry

from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG

SUFFIXES = (".geojson", ".json", ".kml")


def read_drawing(path: Path) -> list[BaseGeometry]:
    """Points, lines and polygons in WGS84 longitude, latitude, in the file's order. Raises
    InputError: unreadable, nothing drawn, no degrees."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read ({e}); give an existing file") from e
    with np.errstate(invalid="ignore"):  # NaN is refused below, in a sentence
        drawn = _kml(content, path) if path.suffix.lower() == ".kml" else _geojson(content, path)
    found = [part for geometry in drawn for part in _parts(geometry) if not part.is_empty]
    if not found:
        raise InputError(f"{path}: holds no point, line or polygon; draw the area")
    for part in found:
        lon_lat_deg = np.abs(shapely.get_coordinates(part))  # bounds would leave NaN out
        if not (lon_lat_deg <= (180.0, MAX_LAT_DEG)).all():
            raise InputError(f"{path}: its coordinates are not longitude, latitude in degrees")
    return found


def _parts(geometry: BaseGeometry) -> list[BaseGeometry]:
    if hasattr(geometry, "geoms"):
        return [part for g in geometry.geoms for part in _parts(g)]
    return [geometry]


def _geojson(content: str, path: Path) -> list[BaseGeometry]:
    try:
        found: list[BaseGeometry] = []
        _collect(json.loads(content), found)
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, ShapelyError
    ) as e:  # fmt: skip
        said = str(e).strip()  # GEOS ends its sentences with a line break
        raise InputError(f"{path}: not valid GeoJSON ({said}); correct it") from e
    return found


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
        return [drawn for element in root.iter() for drawn in _kml_shape(element)]
    except (ParseError, DefusedXmlException, ValueError, IndexError, ShapelyError) as e:
        raise InputError(f"{path}: not valid KML ({e}); correct it") from e


def _kml_shape(element: Any) -> list[BaseGeometry]:
    kind = _tag(element)
    if kind == "Polygon":
        return [_kml_polygon(element)]
    if kind in ("LineString", "Point"):
        points = [p for text in _coordinates(element) for p in text]
        return [LineString(points) if kind == "LineString" else Point(points[0])]
    if kind == "Track":  # of Google's extension: one position an element
        texts = [e.text or "" for e in element if _tag(e) == "coord"]
        return [LineString([(float(t.split()[0]), float(t.split()[1])) for t in texts])]
    return []


def _kml_polygon(polygon: Any) -> Polygon:
    outer: list[tuple[float, float]] = []
    holes = []
    for boundary in polygon:
        rings = _coordinates(boundary)
        if _tag(boundary) == "outerBoundaryIs" and rings:
            outer = rings[0]
        elif _tag(boundary) == "innerBoundaryIs":
            holes += rings
    return Polygon(outer, holes)


def _coordinates(element: Any) -> list[list[tuple[float, float]]]:
    """(longitude, latitude) of each position, of each list of coordinates in the element."""
    texts = [e.text or "" for e in element.iter() if _tag(e) == "coordinates"]
    return [
        [(float(p.split(",")[0]), float(p.split(",")[1])) for p in text.split()] for text in texts
    ]


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
