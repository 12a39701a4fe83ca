"""Distance figures against the formulas written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.metrics.distances import (
    haversine_m,
    mean_and_median,
    pdm,
    sdm_deg,
    sdm_m,
    share_within,
)
from onboard.geodesy import distance_m

NEAR_120 = st.tuples(st.floats(29.9, 30.1), st.floats(119.9, 120.1))


@given(NEAR_120, st.lists(NEAR_120, min_size=1, max_size=10), st.booleans())
def test_sdm_in_degrees(query: tuple, answers: list[tuple], as_float32: bool) -> None:
    total = weights = 0.0
    for i, answer in enumerate(answers, start=1):
        cast = np.float32 if as_float32 else float
        dlat, dlon = (float(cast(q) - cast(a)) for q, a in zip(query, answer, strict=True))
        weight = len(answers) - i + 1
        total += weight * math.exp(-5000 * math.hypot(dlat, dlon))
        weights += weight
    got = sdm_deg(np.array([query]), np.array([answers]), as_float32)
    assert got[0] == pytest.approx(total / weights, rel=1e-12, abs=1e-300)


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=10), st.floats(10, 500))
def test_sdm_and_pdm_in_metres(away: list[float], width_m: float) -> None:
    k = len(away)
    weights = [k - i + 1 for i in range(1, k + 1)]
    sdm = sum(w * math.exp(-0.001 * d) for w, d in zip(weights, away, strict=True)) / sum(weights)
    near = [1 / (1 + math.exp(min(700.0, 6 * (d / width_m - 0.9)))) for d in away]
    expected = sum(w * n for w, n in zip(weights, near, strict=True)) / sum(weights)
    distances = np.array([away])
    assert sdm_m(distances)[0] == pytest.approx(sdm, rel=1e-12)
    got = pdm(distances, np.full_like(distances, width_m))[0]
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_the_float32_cast_shows_at_a_metre() -> None:
    query = np.array([[30.3242561, 120.3751234]])
    answer = query[:, None] + [0.0, 3e-6]
    assert sdm_deg(query, answer)[0] != sdm_deg(query, answer, as_float32=True)[0]


def test_a_query_without_an_answer_is_infinitely_far() -> None:
    unknown = np.full((1, 3), np.nan)
    assert sdm_m(unknown)[0] == 0.0
    assert share_within(np.array([np.nan, 5.0]), 10.0) == 0.5
    assert mean_and_median(np.array([np.nan, 4.0, 8.0, 9.0])) == (7.0, 8.0)


@given(NEAR_120, NEAR_120)
def test_haversine_is_the_geodesic_to_its_flattening(one: tuple, other: tuple) -> None:
    got = float(haversine_m(np.array(one), np.array(other)))
    assert got == pytest.approx(distance_m(*one, *other), rel=6e-3, abs=1e-6)
