"""One wrong clock among events mutes none of the others."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.event_times import EventTimes
from onboard.telemetry_messages import Attitude

SECOND = 1_000_000_000


def at(time_s: float) -> Attitude:
    return Attitude(round(time_s * SECOND), 0.0, 0.0, 0.0)


def admitted(times_s: list[float]) -> list[float]:
    times = EventTimes()
    return [e.time_ns / SECOND for t in times_s for e in times.admit(at(t))]


def test_all_of_a_steady_stream_come_in() -> None:
    stream = [i / 20 for i in range(200)]
    assert admitted(stream) == stream


def test_one_from_the_future_is_left_out() -> None:
    assert admitted([0.0, 0.1, 1000.0, 0.2, 0.3]) == [0.0, 0.1, 0.2, 0.3]


def test_two_wrong_clocks_that_differ_are_left_out() -> None:
    assert admitted([0.0, 0.1, 5000.0, 0.2, 1000.0, 0.3]) == [0.0, 0.1, 0.2, 0.3]


def test_after_a_hole_the_clock_goes_on_and_nothing_is_missing() -> None:
    assert admitted([0.0, 0.1, 500.0, 500.1, 500.2]) == [0.0, 0.1, 500.0, 500.1, 500.2]


def test_late_ones_are_not_its_business() -> None:
    assert admitted([0.0, 10.0, 10.0, 3.0, 10.1]) == [0.0, 10.0, 10.0, 3.0, 10.1]


def test_a_slow_log_is_followed_as_it_is() -> None:
    slow = [20.0 * i for i in range(40)]
    assert set(slow) - set(admitted(slow)) == set()


def test_a_frame_from_the_future_is_told_how_far_ahead_it_is() -> None:
    times = EventTimes()
    times.admit(at(0.0))
    assert times.admit_frame(2 * SECOND) is None
    assert times.admit_frame(1002 * SECOND) == pytest.approx(1000.0)
    assert times.admit_frame(3 * SECOND) is None
    times.admit(at(600.0))
    assert times.admit_frame(600 * SECOND) is None


@given(st.lists(st.integers(-(2**62), 2**62), max_size=30))
def test_whatever_comes_nothing_comes_twice(times_ns: list[int]) -> None:
    times = EventTimes()
    out = [e for t in times_ns for e in times.admit(Attitude(t, 0.0, 0.0, 0.0))]
    more = Counter(e.time_ns for e in out) - Counter(times_ns)
    assert not more
