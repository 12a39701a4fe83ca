import math

import pytest

from maps.localizability.findings import Findings, Tried
from maps.localizability.ground_cover import GroundCover
from maps.localizability.model import Prediction, Why
from maps.localizability.places import Place
from maps.localizability.route import fly_route, route_places
from onboard.geodesy import offset_latlon

LEVEL, AGL_M, SIGMA_RAD, SPEED = 18, 100.0, math.radians(1.0), 10.0
START = (47.0, 8.0)


def east(metres: float) -> tuple[float, float]:
    return offset_latlon(*START, metres, 0.0)


def prediction(place: Place, chance: float, plain: float) -> Prediction:
    tried = Tried(chance, chance, 0.0, chance, 3.0, 0.1, 0.1, 0.8, 1.5, None, 3)
    findings = Findings(place, GroundCover(1.0, plain, 0.0, 0.0, 2.5, 0.0), None, tried)
    why = () if chance > 0.8 else (Why.WATER if plain > 0.5 else Why.ALIKE,)
    return Prediction(findings, chance, chance, why, 0.6)


def figures(
    bad_from_m: float, bad_to_m: float, plain: float = 0.0, map_sigma_m: float = 3.0, **options
):
    """1 km to the east, bad in between."""
    places = {}
    for metres in range(0, 1001, 5):
        (place,) = route_places([east(metres), east(metres + 0.01)], LEVEL)
        bad = bad_from_m <= metres < bad_to_m
        places.setdefault(place, prediction(place, 0.1 if bad else 0.95, plain if bad else 0.0))
    return fly_route(
        [START, east(1000)], places, LEVEL, AGL_M, SIGMA_RAD, map_sigma_m, SPEED, **options
    )


def test_good_ground_is_flyable_with_the_accuracy_of_a_fix():
    found = figures(0, 0)
    assert found.localizable == 1.0 and found.blind == () and found.is_flyable
    assert found.worst_sigma_m == pytest.approx(math.hypot(3.0, 0.6, AGL_M * SIGMA_RAD), rel=1e-6)


def test_a_map_that_is_off_further_makes_every_fix_worse():
    found = figures(0, 0, map_sigma_m=8.0)
    assert found.worst_sigma_m == pytest.approx(math.hypot(8.0, 0.6, AGL_M * SIGMA_RAD), rel=1e-6)


def test_a_blind_stretch_is_measured_in_metres_and_seconds():
    found = figures(300, 500)
    assert found.longest is not None
    assert found.longest.length_m == pytest.approx(200, abs=60)  # a place is 52 m
    assert found.longest.seconds == pytest.approx(found.longest.length_m / SPEED)
    assert found.longest.start_m == pytest.approx(300, abs=60)
    assert found.longest.why == "looks alike elsewhere"
    assert found.localizable == pytest.approx(1 - found.longest.length_m / 1000, abs=1e-6)


def test_over_water_nothing_carries_the_position():
    land, water = figures(300, 500), figures(300, 500, plain=1.0)
    assert water.longest is not None and water.longest.why == "water"
    assert water.worst_sigma_m > 5 * land.worst_sigma_m
    assert land.is_flyable and not water.is_flyable and water.silent_m > 0


def test_the_limit_is_the_persons():
    assert not figures(300, 500, limit_m=4.0).is_flyable
    assert figures(300, 500, plain=1.0, limit_m=500.0).is_flyable


def test_off_the_map_is_blind_and_said():
    found = fly_route([START, east(400)], {}, LEVEL, AGL_M, SIGMA_RAD, 3.0, SPEED)
    assert found.localizable == 0.0 and found.off_map_m == pytest.approx(400, abs=1)
    assert found.longest is not None and found.longest.why == "no imagery"


def test_drift_ends_where_a_frame_is_found():
    found = figures(300, 500)
    after = [p for p in found.points if p.along_m > 600]
    assert max(p.sigma_m for p in after) < 4.0 < found.worst_sigma_m
