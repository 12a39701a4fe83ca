import numpy as np
import pytest
from shapely.geometry import LineString, Point, box

from maps.plan import tile_box
from maps.sources.area_tiles import tiles_touching

AREAS = [
    box(85.5, 27.6, 85.6, 27.7),
    LineString([(85.5, 27.6), (85.7, 27.9), (85.9, 27.6)]).buffer(0.001),
    Point(85.5, 27.6).buffer(0.05).difference(Point(85.5, 27.6).buffer(0.03)),
    Point(85.5, 27.6).buffer(1e-7),
]


@pytest.mark.parametrize("area", AREAS)
@pytest.mark.parametrize("level", [9, 12, 14])
def test_they_are_those_that_meet_it_one_by_one(area, level):
    west, south, east, north = area.bounds
    count = 1 << level
    x0, x1 = (int((lon + 180) / 360 * count) for lon in (west, east))
    ys = [
        (0.5 - np.arctanh(np.sin(np.radians(lat))) / (2 * np.pi)) * count for lat in (north, south)
    ]
    expected = {
        (x, y)
        for x in range(x0 - 1, x1 + 2)
        for y in range(int(ys[0]) - 1, int(ys[1]) + 2)
        if area.intersects(box(*tile_box(x, y, level)))
    }
    found = list(tiles_touching(area, level))
    assert set(found) == expected and len(found) == len(expected)
