"""The bound must hold as often as it says, and say more the less certain the place is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.messages import Match, TileId
from onboard.protection import (
    EVEN_RESIDUAL_PX,
    PROTECTION_SIGMAS,
    RISK,
    fix_protection_m,
    protection_of,
    sigmas,
    wrong_probability,
)

GOOD = Match(TileId(18, 0, 0), 18, np.eye(2, 3), 20.0, 1e-4, 1.0, 0.0, 45, 55, 1.5, np.eye(2))
COVARIANCE = np.diag([9.0, 16.0])


@given(st.floats(0.0, math.pi), st.floats(0.3, 1.0), st.integers(0, 1000))
def test_errors_of_the_stated_covariance_stay_inside(turn, flat, seed):
    c, s = math.cos(turn), math.sin(turn)
    root = np.array([[c, -s], [s, c]]) @ np.diag([5.0, 5.0 * flat])
    errors = np.random.default_rng(seed).normal(size=(20_000, 2)) @ root.T
    outside = np.hypot(*errors.T) > protection_of(root @ root.T)
    assert outside.mean() <= RISK


@given(st.integers(4, 64), st.floats(0.0, 1.0), st.floats(0.0, 2.7))
def test_more_agreement_never_makes_another_place_likelier(inliers, runner_up, residual_px):
    match = replace(GOOD, inliers=inliers, runner_up=runner_up, residual_px=residual_px)
    wrong = wrong_probability(match)
    assert 0.0 <= wrong <= 1.0
    assert wrong_probability(replace(match, inliers=inliers + 1)) <= wrong
    assert wrong_probability(replace(match, runner_up=runner_up / 2)) <= wrong
    assert fix_protection_m(COVARIANCE, match, 500.0) >= protection_of(COVARIANCE)


def test_a_certain_place_leaves_the_covariance_alone_to_bound_the_error():
    assert fix_protection_m(COVARIANCE, GOOD, 500.0) == pytest.approx(4 * PROTECTION_SIGMAS, 0.01)
    assert PROTECTION_SIGMAS > 3.72


def test_an_uncertain_place_is_bounded_by_what_was_known_before():
    doubtful = replace(GOOD, inliers=16, runner_up=0.09)
    assert wrong_probability(doubtful) > RISK
    assert fix_protection_m(COVARIANCE, doubtful, 500.0) == 500.0
    assert fix_protection_m(COVARIANCE, doubtful, 0.0) == protection_of(COVARIANCE)


def test_patches_of_blank_ground_prove_little():
    even = replace(GOOD, residual_px=EVEN_RESIDUAL_PX / 2, runner_up=0.3)
    assert wrong_probability(even) > 0.1 > RISK > wrong_probability(replace(even, residual_px=1.5))


def test_the_risk_that_is_left_widens_the_bound():
    assert sigmas(RISK / 2) > sigmas(RISK)
