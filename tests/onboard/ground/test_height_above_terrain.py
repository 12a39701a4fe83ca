"""The height above ground from height above sea level and terrain: anchored, corrected, doubted."""

from __future__ import annotations

import math
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from onboard.autopilot.heights import HOME, RANGEFINDER
from onboard.geodesy import latlon_to_pixel, offset_latlon
from onboard.ground.ground_below import GroundBelow
from onboard.ground.height_above_terrain import (
    MAP_TERRAIN,
    UNKNOWN_HILLS_M,
    HeightAboveTerrain,
)
from onboard.ground.terrain_bias import AMSL_SIGMA_M, LASTING_NS
from onboard.messages import TILE_PX, Floats, HeightUsed, Match, Prior, TileId
from onboard.pack.terrain import Terrain
from onboard.telemetry import Telemetry
from onboard.telemetry_messages import (
    AutopilotPosition,
    Height,
    LocalOrigin,
    VehicleState,
)
from tests.onboard.ground import LEVEL, north_up, similarity, texture
from tests.onboard.terrain_file import Shape, terrain_of

SECOND = 1_000_000_000
PLACE = 47.0, 8.5
TRUE_AGL_M = 100.0


def hills(east: Floats, north: Floats) -> Floats:
    return 500.0 + 0.2 * east + 25.0 * np.sin(north / 90.0)


def level_ground(east: Floats, north: Floats) -> Floats:
    return 500.0 + 0.0 * east


def ground_of(tmp_path, shape: Shape = hills) -> GroundBelow:
    tmp_path.mkdir(exist_ok=True)
    terrain = terrain_of(tmp_path, PLACE, shape)
    south_west, north_east = offset_latlon(*PLACE, -400, -400), offset_latlon(*PLACE, 400, 400)
    return GroundBelow(terrain, (*south_west, *north_east))


def at(east: float, north: float, sigma_m: float = 3.0) -> Prior:
    return Prior(*offset_latlon(*PLACE, east, north), sigma_m)


def terrain_m(east: float, north: float) -> float:
    return float(hills(np.array(east), np.array(north)))


class Flown:
    """A flight at 100 m above the hills, home at PLACE. The heights above sea level that it
    tells are too high by `amsl_error_m`."""

    def __init__(self, tmp_path, amsl_error_m: float = 0.0, shape: Shape = hills) -> None:
        self.height = HeightAboveTerrain(ground_of(tmp_path, shape))
        self.amsl_error_m = amsl_error_m
        self.home_m = terrain_m(0.0, 0.0)

    def stand(self) -> None:
        self.height.hear(VehicleState(0, "ardupilot", "copter", False, "STABILIZE"))
        told_m = self.home_m + self.amsl_error_m
        self.height.hear(AutopilotPosition(0, *PLACE, told_m, 0.0, 0.0, 0.0, 0.0))
        self.height.hear(VehicleState(0, "ardupilot", "copter", True, "AUTO"))

    def told(self, seconds: float, east: float, north: float) -> Height:
        true_m = terrain_m(east, north) + TRUE_AGL_M
        amsl_m = true_m + self.amsl_error_m
        return Height(round(seconds * SECOND), true_m - self.home_m, amsl_m, 5.0, HOME)

    def ranged(self, seconds: float, east: float, north: float, below_m: float = 0.0) -> Height:
        """below_m: how much nearer than the ground the beam meets something."""
        told = self.told(seconds, east, north)
        return replace(told, agl_m=TRUE_AGL_M - below_m, sigma_m=2.3, source=RANGEFINDER)

    def ask(self, told: Height, prior: Prior | None) -> tuple[Height, HeightUsed]:
        return self.height.height(told, prior)


@pytest.mark.parametrize("amsl_error_m", [0.0, 45.0, -120.0])
def test_standing_on_the_ground_anchors_whatever_sea_level_is_said_to_be(tmp_path, amsl_error_m):
    flown = Flown(tmp_path, amsl_error_m)
    flown.stand()
    for seconds, east, north in ((10, 0, 0), (20, 150, 90), (60, -200, -130)):
        height, used = flown.ask(flown.told(seconds, east, north), at(east, north))
        assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=1.5)
        assert height.source == MAP_TERRAIN
        assert height.sigma_m < 6.0
        assert used.ground_amsl_m == pytest.approx(terrain_m(east, north), abs=1.0)
        assert used.bias_m == pytest.approx(amsl_error_m, abs=1.0)


def test_a_flight_met_in_the_air_trusts_sea_level_within_its_sigma(tmp_path):
    flown = Flown(tmp_path)
    height, _ = flown.ask(flown.told(10, 150, 90), at(150, 90))
    assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=12.0)
    assert abs(height.agl_m - TRUE_AGL_M) < 2 * height.sigma_m < 4 * AMSL_SIGMA_M


def test_the_autopilots_origin_anchors_a_flight_met_in_the_air(tmp_path):
    flown = Flown(tmp_path, 14.0)
    flown.height.hear(LocalOrigin(0, *PLACE, flown.home_m + 14.0))
    height, used = flown.ask(flown.told(10, 150, 90), at(150, 90))
    assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=1.5)
    assert used.bias_m == pytest.approx(14.0, abs=1.0)
    by_hand = Flown(tmp_path / "again", 14.0)
    by_hand.height.hear(LocalOrigin(0, *PLACE, 0.0))
    height, _ = by_hand.ask(by_hand.told(10, 150, 90), at(150, 90))
    assert abs(height.agl_m - TRUE_AGL_M) < 3 * AMSL_SIGMA_M


def test_where_it_stood_counts_more_than_the_origin(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    flown.height.hear(LocalOrigin(0, *PLACE, flown.home_m + 14.0))
    height, _ = flown.ask(flown.told(10, 150, 90), at(150, 90))
    assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=1.5)


@pytest.mark.parametrize("amsl_error_m", [12.0, 100.0, -60.0])
def test_over_level_ground_the_height_above_home_outweighs_a_wrong_sea_level(
    tmp_path, amsl_error_m
):
    height = HeightAboveTerrain(ground_of(tmp_path, level_ground))
    told = Height(SECOND, 80.0, 580.0 + amsl_error_m, 5.0, HOME)
    found, _ = height.height(told, at(100, 50))
    # Within what the level ground leaves of the usual error, or without any of an absurd one.
    assert found.agl_m == pytest.approx(80.0, abs=4.0)


def test_the_height_is_as_uncertain_as_the_ground_below(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    sure, _ = flown.ask(flown.told(10, 0, 0), at(0, 0, 3.0))
    unsure, _ = flown.ask(flown.told(11, 0, 0), at(0, 0, 80.0))
    assert unsure.sigma_m > sure.sigma_m + 10.0
    lost, used = flown.ask(flown.told(12, 0, 0), None)
    lat, lon = np.meshgrid(np.linspace(-400, 400, 41), np.linspace(-400, 400, 41))
    over_map = hills(lat, lon)
    assert lost.sigma_m == pytest.approx(float(over_map.std()), rel=0.15)
    assert lost.agl_m == pytest.approx(terrain_m(0, 0) + TRUE_AGL_M - over_map.mean(), abs=3.0)
    assert used.source == MAP_TERRAIN


def test_where_the_terrain_is_not_known_the_plane_stands_with_the_hills_doubt(tmp_path):
    def west_only(east: Floats, north: Floats) -> Floats:
        return np.where(east < 50.0, hills(east, north), np.nan)

    flown = Flown(tmp_path, shape=west_only)
    flown.stand()
    told = flown.told(10, 200, 0)
    height, used = flown.ask(told, at(200, 0))
    assert (height.agl_m, height.source) == (told.agl_m, HOME)
    assert height.sigma_m > 20.0
    assert used.ground_amsl_m is None and used.bias_m is None
    # Half of where it may be is known: that will do at the border.
    border, _ = flown.ask(flown.told(11, 40, 0), at(40, 0, 10.0))
    assert border.source == MAP_TERRAIN
    assert border.agl_m == pytest.approx(TRUE_AGL_M, abs=4.0)


def test_without_a_height_above_sea_level_home_tells_it(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    told = replace(flown.told(10, 100, 60), amsl_m=None)
    height, _ = flown.ask(told, at(100, 60))
    assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=1.5)
    never = HeightAboveTerrain(ground_of(tmp_path))
    plain, used = never.height(told, at(100, 60))
    assert plain.agl_m == told.agl_m and used.source == HOME


def test_a_rangefinder_takes_the_drift_out(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    flown.amsl_error_m = 9.0  # what the barometer drifted since
    for seconds in range(10, 70):
        height, used = flown.ask(flown.ranged(seconds, seconds, 0.0), at(seconds, 0.0))
        assert abs(height.agl_m - TRUE_AGL_M) < 9.0
    assert used.bias_m == pytest.approx(9.0, abs=2.0)
    assert height.source == RANGEFINDER and height.sigma_m < 4.0
    after, _ = flown.ask(flown.told(71, 71, 0), at(71, 0))
    assert after.agl_m == pytest.approx(TRUE_AGL_M, abs=2.0)


def test_a_building_below_the_beam_is_not_the_ground(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    heights = []
    for seconds in range(10, 40):
        below_m = 40.0 if 20 <= seconds < 30 else 0.0
        height, used = flown.ask(flown.ranged(seconds, 0, 0, below_m), at(0, 0))
        heights.append(height)
        assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=2.0)
        if below_m:
            assert used.rangefinder_differs_m == pytest.approx(40.0, abs=2.0)
            assert height.source == MAP_TERRAIN and height.sigma_m > 40.0
    assert heights[-1].source == RANGEFINDER and heights[-1].sigma_m < 5.0


def test_terrain_that_stays_wrong_gives_way_and_comes_back(tmp_path):
    """A wood of 30 m, minutes wide, between fields."""
    flown = Flown(tmp_path)
    flown.stand()
    wood_s = range(40, 140)
    lasting_s = LASTING_NS // SECOND
    for seconds in range(10, 200):
        below_m = 30.0 if seconds in wood_s else 0.0
        height, _ = flown.ask(flown.ranged(seconds, 0, 0, below_m), at(0, 0))
        true_m = TRUE_AGL_M - below_m
        assert abs(height.agl_m - true_m) < 3 * height.sigma_m
        if wood_s.start + lasting_s < seconds < wood_s.stop or seconds > wood_s.stop:
            assert height.agl_m == pytest.approx(true_m, abs=4.0)
            assert height.sigma_m < 8.0


def test_one_beam_astray_now_and_then_never_lasts(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    for seconds in range(10, 120):
        below_m = 50.0 if seconds % 4 == 0 else 0.0
        height, _ = flown.ask(flown.ranged(seconds, 0, 0, below_m), at(0, 0))
        assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=2.0)


def test_an_hour_of_weather_makes_the_height_less_certain(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    early, _ = flown.ask(flown.told(10, 0, 0), at(0, 0))
    late, _ = flown.ask(flown.told(3610, 0, 0), at(0, 0))
    assert late.sigma_m == pytest.approx(math.hypot(early.sigma_m, 8.0), abs=0.5)
    assert late.agl_m == early.agl_m


def test_an_origin_told_every_second_is_no_newer_for_it(tmp_path):
    once, often = Flown(tmp_path), Flown(tmp_path / "again")
    once.height.hear(LocalOrigin(0, *PLACE, once.home_m))
    for seconds in range(10, 3611, 100):
        often.height.hear(LocalOrigin(seconds * SECOND, *PLACE, often.home_m))
        late, _ = often.ask(often.told(seconds, 0, 0), at(0, 0))
        expected, _ = once.ask(once.told(seconds, 0, 0), at(0, 0))
    assert late.sigma_m == expected.sigma_m > 9.0


def test_a_rangefinder_that_comes_and_goes_over_hills_casts_no_doubt(tmp_path):
    flown, telemetry = Flown(tmp_path), Telemetry(over_terrain=True)
    flown.stand()
    east, north = 300.0, 150.0  # 80 m above home's ground
    for tenths in range(100, 600):
        tell = flown.ranged if tenths % 60 < 20 else flown.told
        told = tell(tenths / 10, east, north)
        telemetry.add_height(told)
        at_exposure = telemetry.height_at(told.time_ns)
        height, _ = flown.height.height(at_exposure, at(east, north), telemetry.across_sources_m)
        assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=2.0)
        assert height.sigma_m < 6.0


def test_where_the_ground_is_not_known_sources_that_contradict_each_other_are_doubted(tmp_path):
    flown = Flown(tmp_path)
    told = flown.told(10, 5000, 0)
    height, _ = flown.height.height(told, at(5000, 0), 900.0)
    assert height.agl_m == told.agl_m and height.sigma_m > 900.0


def test_an_origin_first_heard_hours_after_it_was_set_has_drifted_since(tmp_path):
    fresh, old = Flown(tmp_path), Flown(tmp_path / "again")
    fresh.height.hear(LocalOrigin(0, *PLACE, fresh.home_m, 0.0))
    old.height.hear(LocalOrigin(7200 * SECOND, *PLACE, old.home_m, 3600.0))
    sure, _ = fresh.ask(fresh.told(0, 0, 0), at(0, 0))
    unsure, _ = old.ask(old.told(7200, 0, 0), at(0, 0))
    assert sure.sigma_m < 7.0
    assert unsure.sigma_m == pytest.approx(math.hypot(sure.sigma_m, 8.0), abs=0.5)


def test_a_barometer_that_jumped_is_doubted(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    doubted = replace(flown.told(10, 0, 0), sigma_m=math.hypot(5.0, 60.0))
    height, _ = flown.ask(doubted, at(0, 0))
    assert height.sigma_m > 55.0


def damage(folder, which: str = "1") -> Flown:
    """The terrain of `Flown`, opened again, without the tiles of the SQL condition."""
    flown = Flown(folder)
    path = folder / "terrain.mbtiles"
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE tiles SET tile_data = x'00ff00ff' WHERE {which}")
    south_west, north_east = offset_latlon(*PLACE, -400, -400), offset_latlon(*PLACE, 400, 400)
    ground = GroundBelow(Terrain(path, 17, 2.0), (*south_west, *north_east))
    flown.height = HeightAboveTerrain(ground)
    flown.stand()
    return flown


def test_terrain_of_which_nothing_can_be_read_leaves_the_plane_in_doubt_and_is_named(tmp_path):
    flown = damage(tmp_path)
    told = flown.told(10, 0, 0)
    for prior in (at(0, 0), None):
        found, used = flown.ask(told, prior)
        assert found == replace(told, sigma_m=math.hypot(told.sigma_m, UNKNOWN_HILLS_M))
        assert used.ground_amsl_m is None
    _, used = flown.ask(told, at(0, 0))
    assert "terrain.mbtiles: 17/" in used.problem


def test_one_damaged_tile_takes_no_other_ground_away(tmp_path):
    x, y = latlon_to_pixel(*offset_latlon(*PLACE, -330, 330), 17)
    row = 2**17 - 1 - int(y) // TILE_PX
    flown = damage(tmp_path, f"tile_column = {int(x) // TILE_PX} AND tile_row = {row}")
    _, used = flown.ask(flown.told(10, 0, 0), at(0, 0))
    assert "terrain.mbtiles: 17/" in used.problem  # as the map was looked over
    height, used = flown.ask(flown.told(11, 200, -100), at(200, -100))
    assert height.source == MAP_TERRAIN and not used.problem
    assert abs(height.agl_m - TRUE_AGL_M) < 2.0 and height.sigma_m < 6.0
    told = flown.told(12, -330, 330)
    height, used = flown.ask(told, at(-330, 330))
    assert (height.agl_m, height.source) == (told.agl_m, HOME) and height.sigma_m > 20.0
    assert "terrain.mbtiles: 17/" in used.problem
    _, used = flown.ask(flown.told(13, 200, -100), at(200, -100))
    assert not used.problem


def test_what_is_heard_after_it_was_asked_counts_for_the_next_height(tmp_path):
    """As a replay has it, which looks terrain up later than the flight did."""
    flown, alike = Flown(tmp_path, 14.0), Flown(tmp_path / "alike", 14.0)
    asked = flown.height.ask(flown.told(10, 150, 90), at(150, 90))
    flown.stand()
    assert flown.height.answer(asked) == alike.ask(alike.told(10, 150, 90), at(150, 90))
    height, _ = flown.ask(flown.told(11, 150, 90), at(150, 90))
    assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=1.5)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_anchors_nothing(tmp_path, wrong):
    flown = Flown(tmp_path)
    flown.stand()
    flown.height.hear(VehicleState(0, "ardupilot", "copter", False, "STABILIZE"))
    flown.height.hear(AutopilotPosition(0, *PLACE, wrong, 0.0, 0.0, 0.0, 0.0))
    flown.height.hear(AutopilotPosition(0, wrong, 8.5, 500.0, 0.0, 0.0, 0.0, 0.0))
    flown.height.hear(LocalOrigin(0, *PLACE, wrong))
    height, _ = flown.ask(flown.told(10, 150, 90), at(150, 90))
    assert height.agl_m == pytest.approx(TRUE_AGL_M, abs=1.5)


def test_a_place_anywhere_on_earth_is_no_trouble(tmp_path):
    flown = Flown(tmp_path)
    for prior in (Prior(-89.9, 180.0, 1e7), Prior(47.0, 8.5, 1e5), Prior(0.0, -180.0, 1e-6)):
        height, used = flown.ask(flown.told(10, 0, 0), prior)
        assert height.source == HOME and used.ground_amsl_m is None


def test_only_a_scale_that_is_a_number_tells_the_height(tmp_path):
    flown = Flown(tmp_path)
    flown.stand()
    x, y = (float(v) for v in latlon_to_pixel(*PLACE, LEVEL))
    to_map = similarity(x, y, 1.0, 0.0)
    raised_m = []
    for k, scale in enumerate((math.nan, 1.3, 1.3, 1.3)):
        told = flown.told(10 + k, 0, 0)
        _, used = flown.ask(told, at(0, 0))
        tile, error = TileId(LEVEL, 0, 0), np.eye(2)
        match = Match(tile, LEVEL, to_map, 20.0, 0.0, scale, 0.0, 40, 50, 1.5, error)
        view = north_up(texture(0, TILE_PX), told.time_ns)
        below = flown.height.ground_at(match, view)
        assert below is not None
        heard = used, told, told.amsl_m, view, match, below, False, at(0, 0)
        raised_m.append(flown.height.hear_match(*heard))
    assert raised_m == [0.0, 0.0, 0.0, pytest.approx(30.0, abs=3.0)]
    height, _ = flown.ask(flown.told(14, 0, 0), at(0, 0))
    assert height.agl_m == pytest.approx(TRUE_AGL_M + raised_m[-1], abs=3.0)
