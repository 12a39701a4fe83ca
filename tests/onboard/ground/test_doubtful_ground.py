"""When the ground below is in doubt, and the height over the ground of another place."""

from __future__ import annotations

import numpy as np
import pytest

from onboard.autopilot.heights import HOME, RANGEFINDER
from onboard.geodesy import offset_latlon
from onboard.ground.doubtful_ground import DOUBT_SHARE
from onboard.ground.ground_below import GroundBelow
from onboard.ground.height_above_terrain import HeightAboveTerrain
from onboard.ground.match_place import MATCHED_PLACE_SIGMA_M
from onboard.messages import Floats, Prior
from onboard.telemetry_messages import AutopilotPosition, Height, VehicleState
from tests.onboard.terrain_file import terrain_of

PLACE = 47.0, 8.5
SLOPE = 0.4
AGL_M = 120.0  # above PLACE
STEEP = Prior(*PLACE, 1.1 * DOUBT_SHARE * AGL_M / SLOPE)


def slope(east: Floats, north: Floats) -> Floats:
    return np.where(np.abs(north) < 300.0, 500.0 + SLOPE * east, np.nan)


@pytest.fixture
def above(tmp_path) -> HeightAboveTerrain:
    """Anchored where it stood, at PLACE."""
    south_west, north_east = offset_latlon(*PLACE, -200, -200), offset_latlon(*PLACE, 200, 200)
    ground = GroundBelow(terrain_of(tmp_path, PLACE, slope), (*south_west, *north_east))
    above = HeightAboveTerrain(ground)
    above.hear(VehicleState(0, "ardupilot", "copter", False, "STABILIZE"))
    above.hear(AutopilotPosition(0, *PLACE, 500.0, 0.0, 0.0, 0.0, 0.0))
    return above


def told(source: str = HOME) -> Height:
    return Height(1_000_000_000, AGL_M, 500.0 + AGL_M, 5.0, source)


def test_ground_that_an_uncertain_place_spreads_is_in_doubt(above):
    for share, in_doubt in ((0.8, False), (1.1, True)):
        prior = Prior(*PLACE, share * DOUBT_SHARE * AGL_M / SLOPE)
        height, _ = above.height(told(), prior)
        assert (above.doubt(height, prior) is not None) == in_doubt


def test_the_height_is_that_over_the_place_found_and_surer(above):
    height, used = above.height(told(), STEEP)
    doubted = above.doubt(height, STEEP)
    assert doubted is not None
    there = doubted.at(*offset_latlon(*PLACE, 40.0, 10.0))
    assert there is not None and used.ground_amsl_m == pytest.approx(500.0, abs=0.5)
    assert there.amsl_m == pytest.approx(500.0 + SLOPE * 40.0, abs=0.5)
    assert there.height.agl_m == pytest.approx(height.agl_m - SLOPE * 40.0, abs=0.5)
    assert there.height.sigma_m < height.sigma_m - 2.0
    rise = there.relief.rise(np.array(30.0), np.array(0.0))
    assert float(rise.mean_m) == pytest.approx(SLOPE * 30.0, abs=0.5)
    direct, _ = above.height(
        told(), Prior(*offset_latlon(*PLACE, 40.0, 10.0), MATCHED_PLACE_SIGMA_M)
    )
    assert there.height.agl_m == pytest.approx(direct.agl_m, abs=0.1)
    assert there.height.sigma_m == pytest.approx(direct.sigma_m, abs=0.1)


def test_a_measured_height_stays(above):
    height, _ = above.height(told(RANGEFINDER), STEEP)
    doubted = above.doubt(height, STEEP)
    assert doubted is not None
    there = doubted.at(*offset_latlon(*PLACE, 40.0, 10.0))
    assert there is not None and there.height == height


def test_where_the_ground_is_unknown_nothing_is_said(above):
    height, _ = above.height(told(), STEEP)
    doubted = above.doubt(height, STEEP)
    assert doubted is not None and doubted.at(*offset_latlon(*PLACE, 0.0, 380.0)) is None
    unknown = Prior(*offset_latlon(*PLACE, 0.0, 380.0), 20.0)
    assert above.doubt(height, unknown) is None


def test_lost_the_whole_map_spreads_the_ground(above):
    height, _ = above.height(told(), None)
    doubted = above.doubt(height, None)
    assert doubted is not None
    there = doubted.at(*offset_latlon(*PLACE, -60.0, 0.0))
    assert there is not None
    assert there.height.agl_m == pytest.approx(AGL_M + SLOPE * 60.0, abs=1.0)
    assert there.height.sigma_m < 0.5 * height.sigma_m
