"""What a second look decides, and when there is none: with answers of the map made by hand."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from onboard.geodesy import distance_m, latlon_to_pixel, offset_latlon
from onboard.ground.doubtful_ground import DoubtfulGround, doubtful_ground
from onboard.ground.ground_below import GroundBelow
from onboard.localize import Look
from onboard.messages import TILE_PX, Fix, Frame, FrameResult, Match, Prior, Refusal, TileId
from onboard.reasons import Reason, Stage
from onboard.second_look import MAX_APART_SHARE, TRUSTED_DOUBT_SHARE, ground_there, see_again
from onboard.telemetry_messages import Attitude, Height
from tests.onboard.ground import LEVEL, north_up, texture
from tests.onboard.terrain_file import terrain_of

PLACE = 47.0, 8.5
AGL_M = 100.0
PRIOR = Prior(*PLACE, 60.0)
FRAME, ATTITUDE = Frame(0, np.zeros((4, 4, 3), np.uint8), "f"), Attitude(0, 0.0, 0.0, 0.0)
VIEW = replace(north_up(texture(0, TILE_PX)), agl_m=AGL_M)
REFUSAL = Refusal(0, Stage.GATE, Reason.SCALE_DISAGREES, "first")


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> DoubtfulGround:
    terrain = terrain_of(tmp_path_factory.mktemp("g"), PLACE, lambda east, north: 0.3 * east)
    below = GroundBelow(terrain, (*PLACE, *offset_latlon(*PLACE, 50.0, 50.0)))
    doubted = doubtful_ground(below, Height(0, AGL_M, AGL_M, 20.0), PRIOR, by_terrain=True)
    assert doubted is not None
    return doubted


def answer(east_m: float, fits: bool = True) -> FrameResult:
    """The map's, that puts the vehicle so far to the east."""
    lat_deg, lon_deg = offset_latlon(*PLACE, east_m, 0.0)
    x, y = latlon_to_pixel(lat_deg, lon_deg, LEVEL)
    corner = np.array([x - TILE_PX / 2, y - TILE_PX / 2])
    to_map = np.column_stack([np.eye(2), corner])
    match = Match(TileId(LEVEL, 0, 0), LEVEL, to_map, 9.0, 0.0, 1.0, 0.0, 40, 50, 1.5, np.eye(2))
    fix = Fix(0, lat_deg, lon_deg, lat_deg, lon_deg, np.eye(2), 12.0, "vision", 40)
    said = (fix, None) if fits else (None, REFUSAL)
    return FrameResult("f", 0, *said, view=VIEW, match=match, latency_ms={"describe": 2.0})


class MadeMap:
    """A `Localizer` that gives one answer, or no view."""

    def __init__(self, second: FrameResult, has_view: bool = True) -> None:
        self.second, self.has_view = second, has_view
        self.heights: list[Height] = []

    def look(self, frame, attitude, height, at_lat_deg, level_before=None, relief=None):
        self.heights.append(height)
        if not self.has_view:
            return FrameResult("f", 0, None, REFUSAL)
        return Look("f", VIEW, None, {"describe": 3.0, "rectify": 1.0})

    def find(self, look, prior):
        assert prior == PRIOR
        return replace(self.second, latency_ms=look.latency_ms)


def seen(made: MadeMap, ground: DoubtfulGround | None, first: FrameResult) -> FrameResult:
    return see_again(made, FRAME, ATTITUDE, ground, PRIOR, PLACE[0], first)


@pytest.mark.parametrize("first_fits", [True, False])
def test_the_second_stands_where_it_agrees(ground, first_fits):
    made = MadeMap(answer(43.0))
    told = seen(made, ground, answer(40.0, first_fits))
    assert told.fix == made.second.fix
    assert made.heights[0].agl_m == pytest.approx(AGL_M - 0.3 * 40.0, abs=0.5)
    assert told.latency_ms == {"describe": 5.0, "rectify": 1.0}


def test_two_places_are_none(ground):
    apart_m = 1.2 * MAX_APART_SHARE * AGL_M
    told = seen(MadeMap(answer(40.0 + apart_m)), ground, answer(40.0))
    assert told.fix is None and told.refusal is not None
    assert told.refusal.reason is Reason.AMBIGUOUS and f"{apart_m:.0f} m" in told.refusal.detail
    nearer = seen(MadeMap(answer(40.0 + apart_m / 1.5)), ground, answer(40.0))
    assert nearer.fix is not None
    assert distance_m(*PLACE, nearer.fix.lat_deg, nearer.fix.lon_deg) > 45.0


def test_a_second_that_is_refused_takes_the_first_with_it(ground):
    told = seen(MadeMap(answer(40.0, fits=False)), ground, answer(40.0))
    assert told.fix is None and told.refusal == REFUSAL


def test_the_first_stands_where_there_is_no_second(ground):
    first, made = answer(40.0), MadeMap(answer(40.0))
    assert seen(made, None, first) is first and not made.heights
    no_match = replace(first, match=None, fix=None, refusal=REFUSAL)
    assert seen(made, ground, no_match) is no_match and not made.heights
    off_the_terrain = answer(20_000.0)
    assert seen(made, ground, off_the_terrain) is off_the_terrain and not made.heights
    assert seen(MadeMap(answer(40.0), has_view=False), ground, first) is first


def test_in_little_doubt_only_what_was_refused_is_seen_again(ground):
    little = replace(ground, below=replace(ground.below, sigma_m=0.8 * TRUSTED_DOUBT_SHARE * AGL_M))
    first, made = answer(40.0), MadeMap(answer(41.0))
    assert seen(made, little, first) is first and not made.heights
    assert seen(made, little, answer(40.0, fits=False)).fix == made.second.fix


def test_of_two_places_alike_none_is_taken_for_its_ground(ground):
    alike = replace(answer(0.0, fits=False), refusal=replace(REFUSAL, reason=Reason.AMBIGUOUS))
    assert ground_there(answer(0.0, fits=False), ground) is not None
    assert ground_there(alike, ground) is None


def test_a_place_that_is_no_number_is_nowhere(ground):
    first = answer(40.0, fits=False)
    assert first.match is not None
    nowhere = replace(first.match, view_to_map=np.full((2, 3), np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ground_there(replace(first, match=nowhere), ground) is None
