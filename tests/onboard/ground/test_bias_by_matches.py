"""Matches against the terrain's bias: alone they change nothing, three that agree do."""

from __future__ import annotations

import math
import random

import pytest

from onboard.geodesy import offset_latlon
from onboard.ground.bias_by_matches import FASTEST_M_S, HOLDS_NS, KEPT, LEAD, SaidBias
from onboard.ground.terrain_bias import LASTING_NS, Anchor, Bias, TerrainBias
from onboard.relocalization import APART_NS

SECOND = 1_000_000_000
NOISE_M = 3.0
PLACE = 47.0, 8.0


def standing(bias_m: float = 24.0, sigma_m: float = 10.0**0.5) -> TerrainBias:
    bias = TerrainBias()
    bias.anchor_at(Anchor.STANDING, Bias(bias_m, sigma_m**2))
    return bias


def see(
    bias: TerrainBias,
    at_s: float,
    true_m: float,
    fits: bool = True,
    is_there: bool | None = True,
    east_m: float = 0.0,
) -> float:
    """A match that says true_m."""
    place = offset_latlon(*PLACE, east_m, 0.0)
    said = SaidBias(round(at_s * SECOND), true_m, NOISE_M, NOISE_M, place)
    return bias.match(said, fits, is_there)


def test_three_that_agree_are_believed_against_the_place_where_it_stood():
    bias = standing()
    for k, said_m in enumerate((1.0, -1.0)):
        see(bias, k, said_m)
        assert bias.now.m == 24.0 and not bias.is_confirmed
    see(bias, 2, 0.0)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)
    assert bias.is_confirmed


def test_the_bias_changes_only_together_with_the_place():
    """Heights asked for at a spoofer's place fit with its bias alone."""
    bias = standing()
    for k in range(2 * LEAD):
        see(bias, k, 0.0, is_there=False)
    assert bias.now == Bias(24.0, pytest.approx(10.0))
    see(bias, 2 * LEAD, 0.0)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)


def test_while_nobody_knows_the_place_those_along_one_way_count():
    bias = standing()
    for k in range(LEAD):
        see(bias, k, 0.0, fits=False, is_there=None, east_m=20.0 * k)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)


def test_those_too_far_apart_for_one_flight_do_not_count():
    bias = standing()
    for k in range(KEPT):
        see(bias, k, 0.0, fits=False, east_m=4.0 * FASTEST_M_S * k)
    assert bias.now.m == 24.0


def test_those_that_contradict_one_another_are_not():
    bias = standing()
    for k, said_m in enumerate((0.0, 60.0, -40.0, 110.0, 0.0, -90.0)):
        see(bias, k, said_m, fits=False)
    assert bias.now.m == 24.0


def test_frames_of_one_moment_count_as_one():
    bias = standing()
    for k in range(20):
        see(bias, k * 0.024, 0.0, fits=False)
    assert bias.now.m == 24.0
    see(bias, 1.0 * APART_NS / SECOND, 0.0, fits=False)
    assert bias.now.m == 24.0
    see(bias, 2.0 * APART_NS / SECOND, 0.0, fits=False)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)


def test_one_that_does_not_count_changes_nothing():
    bias = standing()
    for k in range(LEAD):
        see(bias, k, 0.0, is_there=False)
    see(bias, LEAD - 0.9, 0.0)
    assert bias.now.m == 24.0


def test_one_that_agrees_with_the_bias_has_to_be_outvoted():
    bias = standing()
    see(bias, 0, 23.0)
    assert bias.is_confirmed
    for k in range(LEAD):
        see(bias, 1 + k, 0.0)
    assert bias.now.m == 24.0
    see(bias, 1 + LEAD, 0.0)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)


def test_after_a_good_flight_the_newest_matches_win():
    bias = standing()
    for k in range(60):
        see(bias, k, 24.0)
    needed = next(k for k in range(1, KEPT) if see(bias, 60 + k, 60.0, fits=False))
    assert needed == (KEPT + LEAD + 1) // 2


@pytest.mark.parametrize("is_there", [False, None])
def test_a_match_elsewhere_confirms_nothing(is_there):
    """Refused in fusion, as it may be mistaken; the true ones before it count on."""
    bias = standing()
    for k in range(LEAD):
        see(bias, k, 0.0, fits=False, is_there=False)
    see(bias, LEAD, 24.0, is_there=is_there)
    assert not bias.is_confirmed
    see(bias, LEAD + 1, 0.0, fits=False)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)


def test_what_is_old_no_longer_counts():
    bias = standing()
    for k in range(LEAD):
        see(bias, k * (HOLDS_NS / SECOND + 1.0) / (LEAD - 1), 0.0)
    assert bias.now.m == 24.0


def test_a_scale_refused_within_the_uncertainty_is_a_measurement():
    """At sea level's 10 m, 15 m contradict nothing; at 60 m above ground they refuse all frames."""
    bias = TerrainBias()
    for k in range(LEAD):
        see(bias, k, 15.0, fits=False)
    assert bias.now.m == pytest.approx(15.0 * 100.0 / (100.0 + NOISE_M**2))
    assert bias.now.variance_m2**0.5 < NOISE_M


@pytest.mark.parametrize("sigmas", [2.1, 2.9, 3.1, 10.0])
def test_what_is_contradicted_gets_no_more_certain(sigmas):
    for sigma_m in (2.0, 6.0):
        bias = standing(0.0, sigma_m)
        for k in range(LEAD):
            see(bias, k, sigmas * math.hypot(sigma_m, NOISE_M))
        assert bias.now.m > 1.5 * NOISE_M
        assert bias.now.variance_m2 >= sigma_m**2


def test_no_match_overrules_a_rangefinder_that_agrees():
    """40 m off after a minute of readings; once those have been silent for long, they do."""
    bias = standing(0.0)
    for k in range(300):
        assert bias.measure(k * SECOND // 5, 0.1 - bias.now.m, 2.0, 3.0)
    for k in range(KEPT):
        assert see(bias, 60 + k, 40.0, fits=False) == 0.0
    later_s = 61 + LASTING_NS / SECOND
    assert see(bias, later_s, 40.0, fits=False) == pytest.approx(40.0, abs=1.0)


def test_a_rangefinder_that_tells_the_height_seen_speaks_for_the_matches():
    """Both agree over a spoofer's place and over the true one."""
    bias = standing(0.0)
    for k in range(50):
        assert bias.measure(k * SECOND // 5, 0.0, 2.0, 3.0)
    for k in range(LEAD):
        said = SaidBias((10 + k) * SECOND, 40.0, NOISE_M, NOISE_M, PLACE)
        bias.match(said, True, True, is_ranged=True)
    assert bias.now.m == pytest.approx(40.0, abs=1.0)


def random_scales(rng: random.Random) -> bool:
    """Whether 40 matches with scales of 0.6-1.6, 120 m above ground, move the bias by 18 m."""
    bias, agl_m = standing(0.0, sigma_m=3.0), 120.0
    for k in range(40):
        off = rng.uniform(0.6, 1.6) - 1.0
        apart_m = math.hypot(3.0, 1.0, 0.02 * agl_m)
        sigma_m = math.hypot(apart_m, 0.25 * off * agl_m)
        said = SaidBias(k * SECOND, -off * agl_m, sigma_m, apart_m, PLACE)
        if abs(bias.match(said, abs(off) <= 0.15, True)) > 18.0:
            return True
    return False


def test_matches_of_random_scale_hardly_ever_agree():
    rng = random.Random(1)
    assert sum(random_scales(rng) for _ in range(200)) <= 16


def test_right_ones_are_believed_though_one_in_ten_is_wrong():
    rng, needed = random.Random(2), []
    for _ in range(200):
        bias = standing()
        for k in range(60):
            said_m = rng.uniform(-80.0, 80.0) if rng.random() < 0.1 else rng.gauss(0.0, NOISE_M)
            see(bias, k, said_m, fits=False, east_m=15.0 * k)
            if abs(bias.now.m) < 8.0:
                break
        needed.append(k + 1)
    assert sorted(needed)[100] == LEAD and sorted(needed)[190] <= 3 * LEAD


def test_what_matches_corrected_is_not_anchored_anew_but_where_it_stands_again():
    bias = standing()
    for k in range(LEAD):
        see(bias, k, 0.0)
    corrected = bias.now
    bias.anchor_at(Anchor.ORIGIN, Bias(24.0, 25.0))
    assert bias.now == corrected
    bias.anchor_at(Anchor.STANDING, Bias(3.0, 9.0))
    assert bias.now == Bias(3.0, 9.0) and not bias.is_confirmed
