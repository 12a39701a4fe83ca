"""Matches against the terrain's bias: alone they change nothing, three that agree do."""

from __future__ import annotations

import pytest

from onboard.ground.bias_by_matches import COUNT, HOLDS_NS
from onboard.ground.terrain_bias import Anchor, Bias, TerrainBias

SECOND = 1_000_000_000
NOISE_M = 3.0


def standing(bias_m: float = 24.0) -> TerrainBias:
    bias = TerrainBias()
    bias.anchor_at(Anchor.STANDING, Bias(bias_m, 10.0))
    return bias


def see(
    bias: TerrainBias, at_s: float, true_m: float, fits: bool = True, is_there: bool = True
) -> None:
    """A match that says true_m."""
    bias.match(round(at_s * SECOND), true_m - bias.now.m, NOISE_M, fits, is_there)


def test_three_that_agree_are_believed_against_the_place_where_it_stood():
    bias = standing()
    for k, said_m in enumerate((1.0, -1.0)):
        see(bias, k, said_m)
        assert bias.now.m == 24.0 and not bias.is_confirmed
    see(bias, 2, 0.0)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)
    assert NOISE_M / 2 < bias.now.variance_m2**0.5 <= NOISE_M
    assert bias.is_confirmed


def test_the_bias_changes_only_together_with_the_place():
    """Heights asked for at a spoofer's place fit with its bias alone."""
    bias = standing()
    for k in range(2 * COUNT):
        see(bias, k, 0.0, is_there=False)
    assert bias.now == Bias(24.0, 10.0)
    see(bias, 2 * COUNT, 0.0)
    assert bias.now.m == pytest.approx(0.0, abs=0.5)


def test_those_that_contradict_one_another_are_not():
    bias = standing()
    for k, said_m in enumerate((0.0, 60.0, -40.0, 110.0, 0.0, -90.0)):
        see(bias, k, said_m, fits=False)
    assert bias.now == Bias(24.0, 10.0)


def test_one_that_agrees_ends_the_doubt():
    bias = standing()
    for k in range(COUNT - 1):
        see(bias, k, 0.0)
    see(bias, COUNT, 23.0)
    assert bias.is_confirmed
    see(bias, COUNT + 1, 0.0)
    assert bias.now == Bias(24.0, 10.0)


def test_what_is_old_no_longer_counts():
    bias = standing()
    for k in range(COUNT):
        see(bias, k * (HOLDS_NS / SECOND + 1.0) / (COUNT - 1), 0.0)
    assert bias.now.m == 24.0


def test_a_scale_refused_within_the_uncertainty_is_a_measurement():
    """At sea level's 10 m, 15 m contradict nothing; at 60 m above ground they refuse all frames."""
    bias = TerrainBias()
    for k in range(COUNT):
        see(bias, k, 15.0, fits=False)
    assert bias.now.m == pytest.approx(15.0 * 100.0 / (100.0 + NOISE_M**2))
    assert bias.now.variance_m2**0.5 < NOISE_M


def test_what_matches_corrected_is_not_anchored_anew_but_where_it_stands_again():
    bias = standing()
    for k in range(COUNT):
        see(bias, k, 0.0)
    corrected = bias.now
    bias.anchor_at(Anchor.ORIGIN, Bias(24.0, 25.0))
    assert bias.now == corrected
    bias.anchor_at(Anchor.STANDING, Bias(3.0, 9.0))
    assert bias.now == Bias(3.0, 9.0) and not bias.is_confirmed
