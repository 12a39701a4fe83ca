import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps.mission import HeightFrame, Mission, Waypoint, mission_needs
from maps.mission.heights import CLIMB_AGL_M, route_heights
from maps.mission.needs import OFF_ROUTE_M, default_corridor_m
from onboard.camera import Camera
from onboard.errors import InputError
from tests.maps.mission.small_missions import HOME, NORTH_M, at


class Slope:
    """Ground that rises to the north by a tenth, 500 m high at home; unknown beyond 5 km."""

    files = (Path("slope.tif"),)

    def heights_at_m(self, lat_deg, lon_deg):
        north_m = (np.asarray(lat_deg) - HOME[0]) * NORTH_M
        return np.where(np.abs(north_m) < 5000, 500 + 0.1 * north_m, np.nan)


def flight(*points, home=HOME):
    """Points of (north_m, height_m, frame) after a climb from home."""
    start = Waypoint(*HOME[:2], 0.0, HeightFrame.HOME, "home", near_ground=True)
    way = [Waypoint(*at(n, 0), h, f, f"item {i}") for i, (n, h, f) in enumerate(points, 1)]
    placed = None
    if home is not None:
        placed = Waypoint(*home[:2], home[2], HeightFrame.AMSL, "home", near_ground=True)
        way.insert(0, start)
    return Mission("a.plan", placed, (tuple(way),))


AMSL, RELATIVE, TERRAIN = HeightFrame.AMSL, HeightFrame.HOME, HeightFrame.TERRAIN


def test_without_a_model_the_ground_is_flat_at_homes_height():
    heights = route_heights(flight((500, 100, RELATIVE), (900, 700, AMSL)), None)
    assert (heights.lowest_agl_m, heights.highest_agl_m) == (30.0, 250.0)
    assert heights.flat
    assert mission_needs(flight((500, 60, TERRAIN))).flat


@pytest.mark.parametrize(
    ("points", "lowest", "highest"),
    [
        # Towards rising ground: 100 m above home are 0 m above the ground 1 km north.
        ([(500, 100, RELATIVE), (-1000, 100, RELATIVE)], 30, 200),
        ([(100, 120, RELATIVE), (900, 120, RELATIVE)], 30, 110),
        ([(500, 700, AMSL), (1000, 700, AMSL)], 30, 150),
        ([(500, 60, TERRAIN), (3000, 60, TERRAIN)], 30, 60),
        # From above ground to above home, in a straight line above the sea.
        ([(1000, 50, TERRAIN), (2000, 300, RELATIVE)], 30, 100),
        ([(100, 20, TERRAIN), (3000, 22, TERRAIN)], 20, 22),  # cruising low
        ([(100, 55, RELATIVE), (400, 55, RELATIVE)], 15, 45),  # the ground comes near
    ],
)
def test_heights_over_sloping_ground(points, lowest, highest):
    heights = route_heights(flight(*points), Slope())
    assert heights.lowest_agl_m == pytest.approx(lowest, abs=0.2)
    assert heights.highest_agl_m == pytest.approx(highest, abs=0.2)
    assert not heights.flat


def test_a_climb_alone_does_not_ask_for_the_map_from_the_ground_up():
    assert route_heights(flight((0, 120, RELATIVE)), None).lowest_agl_m == CLIMB_AGL_M
    assert route_heights(flight((0, 12, RELATIVE)), None).lowest_agl_m == pytest.approx(12)


@given(
    north_m=st.lists(st.floats(-4000, 4000), min_size=2, max_size=6),
    agl_m=st.lists(st.floats(40, 400), min_size=6, max_size=6),
)
def test_the_frame_a_height_is_told_in_does_not_matter(north_m, agl_m):
    """The same points in each frame, at the points themselves."""
    above = [500 + 0.1 * n + a for n, a in zip(north_m, agl_m, strict=False)]
    ways = (
        [(n, amsl, AMSL) for n, amsl in zip(north_m, above, strict=True)],
        [(n, amsl - 500, RELATIVE) for n, amsl in zip(north_m, above, strict=True)],
        [(n, a, TERRAIN) for n, a in zip(north_m, agl_m, strict=False)],
    )
    highest = [route_heights(flight(*way), Slope()).highest_agl_m for way in ways]
    assert highest == pytest.approx([max(agl_m[: len(north_m)])] * 3, abs=0.5)


@pytest.mark.parametrize(
    ("mission", "ground", "sentence"),
    [
        (flight((500, None, RELATIVE)), None, "item 1: names no height.*--agl-m"),
        (flight((500, 600, AMSL), (600, 600, AMSL), home=None), None, "sea level.*--dem"),
        (flight((500, 60, RELATIVE), (600, 60, RELATIVE), home=None), Slope(), "counts from home"),
        (flight((9000, 60, RELATIVE)), Slope(), r"slope\.tif does not know .* of the route"),
        (flight((500, 3, RELATIVE)), None, "never flies more than 3 m"),
        (flight((500, 300, AMSL)), None, "never flies more than"),  # below home
        (Mission("a.plan", None, ()), None, "flies nowhere"),
    ],
)
def test_heights_that_cannot_be_told_are_asked_for(mission, ground, sentence):
    with pytest.raises(InputError, match=rf"a\.plan: .*{sentence}"):
        route_heights(mission, ground)


def test_the_corridor_holds_what_a_camera_sees_beside_the_route():
    wide = Camera(4000, 3000, horizontal_fov_deg=90.0)
    half_diagonal = 100 * math.hypot(1, 0.75)
    assert default_corridor_m(100.0, wide) == math.ceil(OFF_ROUTE_M + half_diagonal)
    needs = mission_needs(flight((500, 100, RELATIVE)), camera=wide)
    assert needs.corridor_m == default_corridor_m(100.0, wide)
    assert mission_needs(flight((500, 100, RELATIVE)), corridor_m=50).corridor_m == 50


def test_lines_that_were_only_drawn_need_a_width_or_heights():
    drawn = Mission("a.kml", None, (flight((500, None, RELATIVE), home=None).ways[0] * 2,))
    with pytest.raises(InputError, match=r"a\.kml: .*names no height"):
        mission_needs(drawn)
    assert mission_needs(drawn, corridor_m=200).agl_m is None
    assert mission_needs(drawn, agl_m=(80, 100)).corridor_m > OFF_ROUTE_M
