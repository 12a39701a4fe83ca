"""The filter against one least squares solution over the whole past."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.filter_history import KEPT_NS, FilterHistory
from onboard.messages import Motion
from onboard.position_filter import (
    ACCELERATION_DENSITY,
    FIRST_VELOCITY_SIGMA_M_S,
    SYSTEMATIC_SHARE,
    Exposure,
    FilterState,
    Position,
    correct,
    predict,
    start,
)

SECOND = 1_000_000_000


def batch(
    times_s: list[float], positions: dict[int, np.ndarray], motions: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares over [p, v] of one axis at every time; sigma 2 m positions, 0.3 m motions.

    Returns the last [p, v] and its covariance."""
    n = len(times_s)
    rows: list[np.ndarray] = []
    values: list[float] = []

    def add(coefficients: dict[int, float], value: float, sigma: float) -> None:
        row = np.zeros(2 * n)
        for i, c in coefficients.items():
            row[i] = c
        rows.append(row / sigma)
        values.append(value / sigma)

    add({1: 1.0}, 0.0, FIRST_VELOCITY_SIGMA_M_S)
    for i, z in positions.items():
        add({2 * i: 1.0}, float(z), 2.0)
    for i, z in motions.items():
        add({2 * i: 1.0, 2 * i - 2: -1.0}, float(z), 0.3)
    for i in range(1, n):
        dt = times_s[i] - times_s[i - 1]
        q = ACCELERATION_DENSITY * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        whiten = np.linalg.inv(np.linalg.cholesky(q))
        step = np.zeros((2, 2 * n))
        step[0, [2 * i, 2 * i - 2, 2 * i - 1]] = 1.0, -1.0, -dt
        step[1, [2 * i + 1, 2 * i - 1]] = 1.0, -1.0
        rows += list(whiten @ step)
        values += [0.0, 0.0]
    a, b = np.array(rows), np.array(values)
    covariance = np.linalg.inv(a.T @ a)
    return (covariance @ a.T @ b)[-2:], covariance[-2:, -2:]


@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=6), st.integers(0, 10_000))
@settings(deadline=None, max_examples=50)
def test_equals_the_solution_over_everything(steps_s: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    times_ns = np.round(np.cumsum([0.0, *steps_s]) * 1e9).astype(int).tolist()
    times_s = [t * 1e-9 for t in times_ns]
    positions = {0: rng.normal(0, 1)}
    motions: dict[int, float] = {}
    state = start(Position(0, positions[0], 0.0, np.eye(2) * 4.0))
    for i in range(1, len(times_ns)):
        motions[i] = 0.5 * steps_s[i - 1] + rng.normal(0, 0.2)
        motion = Motion(times_ns[i - 1], times_ns[i], motions[i], 0.0, np.eye(2) * 0.09)
        state, _ = correct(state, Exposure(times_ns[i], motion))
        if i % 2 == 0:
            positions[i] = 0.5 * times_s[i] + rng.normal(0, 1)
            state, _ = correct(state, Position(times_ns[i], positions[i], 0.0, np.eye(2) * 4.0))
    mean, covariance = batch(times_s, positions, motions)
    np.testing.assert_allclose(state.mean[[0, 2]], mean, atol=1e-6)
    np.testing.assert_allclose(state.covariance[np.ix_([0, 2], [0, 2])], covariance, rtol=1e-5)


def test_prediction_does_not_depend_on_its_steps() -> None:
    first = start(Position(0, 1.0, 2.0, np.eye(2) * 9.0))
    at_once = predict(first, 5 * SECOND)
    state = first
    for i in range(1, 51):
        state = predict(state, i * SECOND // 10)
    np.testing.assert_allclose(state.covariance, at_once.covariance, rtol=1e-9)
    with pytest.raises(ValueError, match="backwards"):
        predict(at_once, 0)


def test_repeating_a_measurement_never_claims_less_than_its_systematic_part() -> None:
    state = start(Position(0, 0.0, 0.0, np.eye(2) * 9.0))
    for i in range(1, 500):
        state, _ = correct(state, Position(i * SECOND // 10, 0.0, 0.0, np.eye(2) * 9.0))
    assert np.linalg.eigvalsh(state.position_covariance)[0] > 4.5


def test_what_lasts_from_fix_to_fix_is_never_averaged_away() -> None:
    r = np.eye(2) * 69.0  # a map 8 m off, 5 m2 of else
    one_by_one, lasting = (start(Position(0, 0.0, 0.0, r, m2)) for m2 in (0.0, 55.0))
    for i in range(1, 200):
        one_by_one, _ = correct(one_by_one, Position(i * SECOND // 10, 0.0, 0.0, r))
        lasting, _ = correct(lasting, Position(i * SECOND // 10, 0.0, 0.0, r, 55.0))
    np.testing.assert_array_equal(lasting.mean, one_by_one.mean)
    more = lasting.position_covariance - one_by_one.position_covariance
    np.testing.assert_allclose(more, np.eye(2) * (1 - SYSTEMATIC_SHARE) * 55.0)


def test_what_lies_outside_the_gate_changes_nothing_but_time() -> None:
    state = start(Position(0, 0.0, 0.0, np.eye(2)))
    after, d2 = correct(state, Position(SECOND, 500.0, 0.0, np.eye(2)))
    assert d2 > 100.0
    np.testing.assert_array_equal(after.mean, predict(state, SECOND).mean)
    assert after.position_ns == 0


def test_history_keeps_a_short_past_only() -> None:
    history = FilterHistory(Position(0, 0.0, 0.0, np.eye(2)))
    for i in range(1, 40):
        history.insert(Position(i * SECOND, 0.0, 0.0, np.eye(2)))
    late = Position(39 * SECOND - KEPT_NS - 5 * SECOND, 0.0, 0.0, np.eye(2))
    assert history.insert(late) is None
    assert history.state_at(late.time_ns) is None
    assert isinstance(history.state_at(39 * SECOND - KEPT_NS), FilterState)
