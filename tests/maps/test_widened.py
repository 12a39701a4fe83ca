import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import LineString, Point, Polygon

from maps.widened import circle, widened
from onboard.errors import InputError

GEOD = Geod(ellps="WGS84")


@settings(max_examples=60, deadline=None)
@given(
    lat=st.floats(-79, 79), lon=st.floats(-170, 170), width_m=st.floats(20, 20_000),
    azimuth=st.floats(0, 360),
)  # fmt: skip
def test_a_point_becomes_a_circle_of_metres_at_any_latitude(lat, lon, width_m, azimuth):
    wide = widened(Point(lon, lat), width_m, "x")
    for share, within in ((0.999, True), (1.01, False)):
        at = GEOD.fwd(lon, lat, azimuth, width_m * share)[:2]
        assert wide.contains(Point(at)) is within


@settings(max_examples=30, deadline=None)
@given(
    lat=st.floats(-75, 75),
    lon=st.floats(-150, 150),
    azimuth=st.floats(0, 360),
    length_m=st.floats(10, 600_000),
    width_m=st.floats(50, 3_000),
    along=st.floats(0, 1),
)
def test_a_leg_reaches_as_far_to_each_side(lat, lon, azimuth, length_m, width_m, along):
    lon1, lat1, _ = GEOD.fwd(lon, lat, azimuth, length_m)
    wide = widened(LineString([(lon, lat), (lon1, lat1)]), width_m, "x")
    at_lon, at_lat, back = GEOD.fwd(lon, lat, azimuth, length_m * along)
    for side in (90, -90):
        inner = GEOD.fwd(at_lon, at_lat, back + side, width_m * 0.998 - 0.2)[:2]
        outer = GEOD.fwd(at_lon, at_lat, back + side, width_m * 1.01 + 0.2)[:2]
        assert wide.contains(Point(inner))
        assert not wide.contains(Point(outer))


def test_a_polygon_keeps_its_inside_and_grows():
    square = Polygon([(10, 50), (10.5, 50), (10.5, 50.3), (10, 50.3)])
    wide = widened(square, 1000, "x")
    assert wide.contains(square)
    assert widened(square, 0, "x").equals(square)
    bounds = np.array(wide.bounds) - square.bounds
    assert bounds[3] * 111_250 == pytest.approx(1000, rel=0.01)
    assert bounds[2] * 111_320 * np.cos(np.radians(50.15)) == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize(
    ("shape", "width_m", "sentence"),
    [
        (LineString([(179.9, 0), (-179.9, 0)]), 100, "antimeridian"),
        (Point(179.999, 60), 1000, "antimeridian"),
        (Point(-179.999, -60), 1000, "antimeridian"),
        (Point(10, 85.0), 10_000, "latitude"),
        (Point(10, 10), -1, "width of -1"),
        (Point(10, 10), float("nan"), "width of nan"),
        (Point(10, 10), 1e6, "width of"),
        (Polygon([(170, 0), (-170, 0), (-170, 5)]), 10, "antimeridian"),
    ],
)
def test_what_a_map_cannot_hold_is_refused_by_name(shape, width_m, sentence):
    with pytest.raises(InputError, match=rf"a\.plan: .*{sentence}"):
        widened(shape, width_m, "a.plan")


def test_a_shape_at_the_antimeridian_that_does_not_cross_it_is_taken():
    wide = widened(Point(179.9, 10), 1000, "x")
    assert wide.bounds[2] < 180


@pytest.mark.parametrize(
    "shape",
    [
        LineString([(7, 46), (7, 46)]),
        LineString([(7, 46), (7, 46), (7.01, 46), (7.01, 46)]),
        Polygon([(7, 46), (7, 46), (7, 46)]),
        Polygon([(7, 46), (7.01, 46), (7, 46)]),
        Polygon([(7, 46), (7.01, 46.01), (7.01, 46), (7, 46.01)]),  # a bow tie
    ],
)
def test_shapes_that_stand_still_or_cross_themselves_are_widened(shape):
    wide = widened(shape, 100, "x")
    assert wide.is_valid and wide.contains(Point(7, 46))


def test_circles_have_a_size():
    assert circle(10, 20, 500, "x").contains(Point(20, 10))
    for radius_m in (0, -5, float("nan"), 1e9):
        with pytest.raises(InputError, match="circle of"):
            circle(10, 20, radius_m, "x")


def test_the_same_shape_gives_the_same_bytes():
    line = LineString([(7, 46), (7.2, 46.1), (7.5, 46.0)])
    first, second = (shapely.to_wkb(widened(line, 300, "x")) for _ in range(2))
    assert first == second


STAR = [(math.cos(i * 4 * math.pi / 5) / 50, math.sin(i * 4 * math.pi / 5) / 50) for i in range(5)]


@pytest.mark.parametrize("width_m", [0.0, 1.0, 200.0])
@pytest.mark.parametrize(
    ("shell", "holes", "inside", "outside"),
    [
        ([(7, 46), (7.02, 46.02), (7.02, 46), (7, 46.02)], [], [(7.001, 46.01), (7.019, 46.01)],
         [(7.01, 46.017), (7.01, 46.003)]),
        ([(7, 46), (7.02, 46.02), (7.02, 46), (7, 46.03)], [], [(7.001, 46.01), (7.019, 46.01)],
         [(7.01, 46.003)]),
        (STAR, [], [(0, 0), (0.019, 0)], [(-0.015, 0)]),
        ([(7, 46), (7.04, 46), (7.04, 46.04), (7, 46.04)],
         [[(7.01, 46.01), (7.03, 46.03), (7.03, 46.01), (7.01, 46.03)]],
         [(7.005, 46.02), (7.02, 46.028)], [(7.014, 46.02), (7.026, 46.02)]),
    ],
)  # fmt: skip
def test_a_polygon_that_crosses_itself_loses_nothing(shell, holes, inside, outside, width_m):
    wide = widened(Polygon(shell, holes), width_m, "x")
    assert wide.is_valid
    assert all(wide.contains(Point(at)) for at in inside)
    assert not any(wide.contains(Point(at)) for at in outside)
