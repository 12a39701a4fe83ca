"""Shapes on the globe widened by metres, at any latitude.

Each piece is widened in an azimuthal equidistant plane around its own middle, where metres are
metres; a way's pieces are short enough for that to be true within a millionth.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import shapely
from pyproj import Geod, Transformer
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG

PIECE_M = 50_000.0  # a plane's error grows as (half of it / Earth's radius)^2 / 6
STEP_M = 2_000.0  # a straight leg leaves the plane's straight line by less than 0.1 m over it
STEP_DEG = 0.02
MAX_WIDTH_M = 100_000.0
QUADRANT_SEGMENTS = 8  # a circle drawn with 32 corners, circumscribed
_CIRCUMSCRIBED = 1 / math.cos(math.pi / (4 * QUADRANT_SEGMENTS))
_GEOD = Geod(ellps="WGS84")


def widened(shape: BaseGeometry, width_m: float, where: str) -> BaseGeometry:
    """All within width_m of the shape (WGS84 longitude, latitude; lines are geodesics), and all
    that a polygon's outline goes around.

    Raises InputError, beginning with where: a shape at the antimeridian or the poles.
    """
    if not 0 <= width_m <= MAX_WIDTH_M:
        raise InputError(f"{where}: a width of {width_m:g} m; give 0 to {MAX_WIDTH_M:g} m")
    _refuse_edges(shape, width_m, where)
    return unary_union([_widened(piece, width_m) for piece in _pieces(shape)])


def circle(lat_deg: float, lon_deg: float, radius_m: float, where: str) -> BaseGeometry:
    """Raises InputError as `widened`."""
    if not 0 < radius_m <= MAX_WIDTH_M:
        raise InputError(
            f"{where}: a circle of {radius_m:g} m; give more than 0, up to {MAX_WIDTH_M:g} m"
        )
    return widened(Point(lon_deg, lat_deg), radius_m, where)


def _refuse_edges(shape: BaseGeometry, width_m: float, where: str) -> None:
    west, south, east, north = shape.bounds
    lat_m = 111_000.0
    farthest = max(abs(south), abs(north)) + width_m / lat_m
    if not farthest < MAX_LAT_DEG:
        raise InputError(
            f"{where}: reaches {farthest:.2f} degrees of latitude; the map ends at "
            f"{MAX_LAT_DEG:.2f}"
        )
    margin = width_m / (lat_m * math.cos(math.radians(farthest)))
    lines = [np.diff(shapely.get_coordinates(g)[:, 0]) for g in _parts(shape)]
    if west - margin < -180 or east + margin > 180 or any((np.abs(d) > 180).any() for d in lines):
        raise InputError(
            f"{where}: crosses the antimeridian (180 degrees of longitude); map each side by itself"
        )


def _parts(shape: BaseGeometry) -> list[BaseGeometry]:
    return [shape] if not hasattr(shape, "geoms") else [p for g in shape.geoms for p in _parts(g)]


def _pieces(shape: BaseGeometry) -> Iterable[BaseGeometry]:
    for part in _parts(shape):
        if part.geom_type == "Polygon" and not part.is_valid:
            if polygons := _whole(part):
                yield from polygons
                continue
            part = part.convex_hull  # a line or a point that was drawn as a polygon
        if part.geom_type in ("LineString", "LinearRing"):
            yield from _short_lines(part)
        else:
            yield part


def _whole(crossing: Polygon) -> list[BaseGeometry]:
    """All that the outline goes around, once or twice, of a polygon that crosses itself, without
    its holes. A buffer alone keeps one side of a bow tie, make_valid no star's middle."""
    shell = Polygon(crossing.exterior)
    around = unary_union([*_polygons(shapely.make_valid(shell)), *_polygons(shell.buffer(0))])
    holes = [p for ring in crossing.interiors for p in _polygons(shapely.make_valid(Polygon(ring)))]
    return _polygons(around.difference(unary_union(holes)))


def _polygons(shape: BaseGeometry) -> list[BaseGeometry]:
    return [p for p in _parts(shape) if p.geom_type == "Polygon" and p.area > 0]


def _short_lines(line: BaseGeometry) -> Iterable[BaseGeometry]:
    every = [(float(x), float(y)) for x, y in shapely.get_coordinates(line)]
    points = [p for p, _ in itertools.groupby(every)]
    dense = [points[0]]
    for (lon0, lat0), (lon1, lat1) in itertools.pairwise(points):
        length_m = _GEOD.inv(lon0, lat0, lon1, lat1)[2]
        between = max(0, math.ceil(length_m / STEP_M) - 1)
        if between:
            dense += _GEOD.npts(lon0, lat0, lon1, lat1, between)
        dense.append((lon1, lat1))
    piece, length_m = [dense[0]], 0.0
    for point in dense[1:]:
        step_m = _GEOD.inv(piece[-1][0], piece[-1][1], point[0], point[1])[2]
        if length_m + step_m > PIECE_M:
            yield LineString(piece) if len(piece) > 1 else Point(piece[0])
            piece, length_m = [piece[-1]], 0.0
        piece.append(point)
        length_m += step_m
    yield LineString(piece) if len(piece) > 1 else Point(piece[0])


def _widened(piece: BaseGeometry, width_m: float) -> BaseGeometry:
    if width_m == 0:
        return piece
    west, south, east, north = piece.bounds
    plane = (
        f"+proj=aeqd +lat_0={(south + north) / 2!r} +lon_0={(west + east) / 2!r} "
        "+datum=WGS84 +units=m"
    )
    to = Transformer.from_crs("EPSG:4326", plane, always_xy=True)

    def onto(xy: np.ndarray) -> np.ndarray:
        return np.stack(to.transform(xy[:, 0], xy[:, 1]), 1)

    def back(xy: np.ndarray) -> np.ndarray:
        return np.stack(to.transform(xy[:, 0], xy[:, 1], direction="INVERSE"), 1)

    if isinstance(piece, Polygon):
        # Its edges are straight in longitude and latitude, not in the plane.
        flat = shapely.transform(shapely.segmentize(piece, STEP_DEG), onto).buffer(0)
    else:
        flat = shapely.transform(piece, onto)
    wide = flat.buffer(width_m * _CIRCUMSCRIBED, quad_segs=QUADRANT_SEGMENTS)
    return shapely.transform(wide, back)
