"""The map tiles that an area touches, however thin and long it is."""

from __future__ import annotations

from collections.abc import Iterator

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.prepared import PreparedGeometry, prep

from maps.plan import tile_box


def tiles_touching(area: BaseGeometry, level: int) -> Iterator[tuple[int, int]]:
    """XYZ tiles (x, y); area in WGS84 longitude, latitude."""
    return _within(prep(area), level, 0, 0, 0)


def _within(
    area: PreparedGeometry, level: int, zoom: int, x: int, y: int
) -> Iterator[tuple[int, int]]:
    square = box(*tile_box(x, y, zoom))
    if not area.intersects(square):
        return
    if zoom == level:
        yield x, y
    elif area.contains_properly(square):
        count = 1 << (level - zoom)
        for row in range(y * count, (y + 1) * count):
            yield from ((col, row) for col in range(x * count, (x + 1) * count))
    else:
        for row in (2 * y, 2 * y + 1):
            for col in (2 * x, 2 * x + 1):
                yield from _within(area, level, zoom + 1, col, row)
