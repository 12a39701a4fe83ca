"""The clock estimator against simulated clocks, links and reboots."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.timesync import MIN_DELAY_NS, TimeSync

S, MS = 1_000_000_000, 1_000_000


@dataclass
class Autopilot:
    """A clock that began at booted_ns of the host's and runs faster by drift."""

    sync: TimeSync
    booted_ns: int = -100 * S
    drift: float = 0.0
    up_ns: Callable[[], int] = lambda: 3 * MS
    down_ns: Callable[[], int] = lambda: 3 * MS
    exchanges: bool = True
    errors: list[int] = field(default_factory=list)

    def boot_ns(self, host_ns: int) -> int:
        return round((host_ns - self.booted_ns) * (1.0 + self.drift))

    def run(self, begin_ns: int, seconds: float, wrap: bool = False) -> list[int]:
        """ATTITUDE at 10 Hz and TIMESYNC when due; the errors of the attitudes' times."""
        self.errors = []
        for now_ns in range(begin_ns, begin_ns + round(seconds * S), 100 * MS):
            question = self.sync.question(now_ns)
            if question is not None and self.exchanges:
                arrived_ns = now_ns + self.up_ns()
                answer = mavlink.MAVLink_timesync_message(self.boot_ns(arrived_ns), question.ts1)
                self.sync.hear(answer, arrived_ns + self.down_ns())
            boot_ms = self.boot_ns(now_ns) // MS
            if wrap:
                boot_ms %= 2**32
            host_ns = self.sync.host_ns_of_ms(boot_ms, now_ns + self.down_ns())
            if host_ns is not None:
                self.errors.append(host_ns - now_ns)
        return self.errors


@hypothesis_settings(max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    drift_ppm=st.floats(-100, 100),
    up_ms=st.floats(0.1, 30),
    down_ms=st.floats(0.1, 30),
    jitter_ms=st.floats(0, 100),
)
def test_within_what_it_says(
    seed: int, drift_ppm: float, up_ms: float, down_ms: float, jitter_ms: float
) -> None:
    noise = random.Random(seed)

    def delay(least_ms: float) -> Callable[[], int]:
        return lambda: round((least_ms + noise.random() ** 2 * jitter_ms) * MS)

    sync = TimeSync()
    autopilot = Autopilot(sync, drift=drift_ppm * 1e-6, up_ns=delay(up_ms), down_ns=delay(down_ms))
    autopilot.run(0, 20)
    errors = autopilot.run(20 * S, 100)
    assert len(errors) == 1000
    assert sync.is_synced and sync.restarts == 0
    assert max(map(abs, errors)) <= sync.uncertainty_ns(120 * S) + 3 * MS
    assert sync.uncertainty_ns(120 * S) <= (up_ms + down_ms + jitter_ms) * MS


def test_locks_within_a_second_and_knows_the_drift_within_minutes() -> None:
    noise = random.Random(1)
    sync = TimeSync()
    autopilot = Autopilot(
        sync,
        drift=100e-6,
        up_ns=lambda: round(noise.uniform(2, 8) * MS),
        down_ns=lambda: round(noise.uniform(2, 8) * MS),
    )
    autopilot.run(0, 1)
    assert sync.is_synced
    assert max(map(abs, autopilot.run(1 * S, 100))) < 6 * MS
    autopilot.run(101 * S, 200)
    assert sync.drift_ppm == pytest.approx(-100, abs=15)
    autopilot.exchanges = False
    errors = autopilot.run(301 * S, 60)
    assert abs(errors[-1]) < 6 * MS  # by itself 100 ppm would be 6 ms more


def test_without_answers_arrivals_serve_and_it_says_so() -> None:
    noise = random.Random(2)
    sync = TimeSync()
    autopilot = Autopilot(
        sync, drift=50e-6, down_ns=lambda: round(5 * MS + noise.expovariate(1 / 5) * MS)
    )
    autopilot.exchanges = False
    errors = autopilot.run(0, 120)
    assert not sync.is_synced
    assert len(errors) == 1200
    assert max(map(abs, errors[10:])) < 6 * MS + MIN_DELAY_NS


@pytest.mark.parametrize("exchanges", [True, False])
@pytest.mark.parametrize("up_for_s", [30, 3000, 40 * 86400])
def test_a_reboot_starts_anew_within_two_seconds(exchanges: bool, up_for_s: int) -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync, booted_ns=-up_for_s * S)
    autopilot.exchanges = exchanges
    autopilot.run(0, 20)
    autopilot.booted_ns = 25 * S
    seen = autopilot.run(27 * S, 10)
    assert sync.restarts == 1
    assert len(seen) >= 80
    assert max(map(abs, seen)) < 10 * MS


def test_a_second_boot_that_lasted_longer_is_noticed_too() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync, booted_ns=-20 * S)
    autopilot.run(0, 20)
    autopilot.booted_ns = 30 * S
    assert max(map(abs, autopilot.run(200 * S, 10))) < 10 * MS
    assert sync.restarts == 1


def test_a_stalled_link_that_bursts_is_no_reboot() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync)
    autopilot.run(0, 20)
    for late_ns in range(0, 3 * S, 100 * MS):  # three seconds of attitudes arrive at once
        boot_ms = autopilot.boot_ns(20 * S + late_ns) // MS
        host_ns = sync.host_ns_of_ms(boot_ms, 23 * S)
        assert host_ns is None or abs(host_ns - 20 * S - late_ns) < 5 * MS
    assert max(map(abs, autopilot.run(23 * S, 10))) < 5 * MS
    assert sync.restarts == 0


def test_the_boot_time_wraps() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync, booted_ns=-(2**32) * MS + 50 * S)
    errors = autopilot.run(0, 100, wrap=True)
    assert len(errors) == 1000
    assert max(map(abs, errors)) < 10 * MS
    assert sync.restarts == 0


def test_connecting_after_the_wrap() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync, booted_ns=-(2**32) * MS - 86400 * S)
    errors = autopilot.run(0, 20, wrap=True)
    assert max(map(abs, errors[20:])) < 10 * MS


def test_one_wild_answer_moves_nothing() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync)
    autopilot.run(0, 30)
    for wild_ns in (1, 10**17, autopilot.boot_ns(30 * S) + 5 * S):
        question = sync.question(30 * S + wild_ns % 7)
        if question is not None:
            sync.hear(mavlink.MAVLink_timesync_message(wild_ns, question.ts1), 30 * S + 4 * MS)
    assert max(map(abs, autopilot.run(31 * S, 10))) < 5 * MS
    assert sync.restarts == 0


def test_a_clock_that_slips_a_little_is_followed_and_is_no_reboot() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync)
    autopilot.run(0, 30)
    autopilot.booted_ns += 150 * MS  # a simulation that stood still
    autopilot.run(30 * S, 3)
    assert max(map(abs, autopilot.run(33 * S, 20))) < 5 * MS
    assert (sync.restarts, sync.slips) == (0, 1)


def test_a_reboot_shows_in_answers_alone() -> None:
    """After a reboot nothing may be streamed before it is asked for again."""
    sync = TimeSync()
    autopilot = Autopilot(sync)
    autopilot.run(0, 30)
    autopilot.booted_ns = 30 * S
    for now_ns in range(31 * S, 34 * S, 100 * MS):
        question = sync.question(now_ns)
        if question is not None:
            boot_ns = autopilot.boot_ns(now_ns + 3 * MS)
            answer = mavlink.MAVLink_timesync_message(boot_ns, question.ts1)
            sync.hear(answer, now_ns + 6 * MS)
    assert (sync.restarts, sync.slips) == (1, 0)
    assert sync.is_synced


def test_answers_nobody_asked_for_are_passed_over() -> None:
    sync = TimeSync()
    for boot_ns in range(10):
        sync.hear(mavlink.MAVLink_timesync_message(boot_ns + 1, 12345), 12345)
    assert not sync.is_synced


def test_the_autopilots_question_is_answered() -> None:
    answer = TimeSync().hear(mavlink.MAVLink_timesync_message(0, 777), 5 * S)
    assert (answer.tc1, answer.ts1) == (5 * S, 777)


def test_questions_come_in_time() -> None:
    sync = TimeSync()
    autopilot = Autopilot(sync)
    assert sync.question(0) is not None
    assert sync.question(100 * MS) is None
    assert sync.question(200 * MS) is not None
    autopilot.run(1 * S, 2)
    asked = [sync.question(t * 100 * MS) for t in range(30, 60)]
    assert sum(q is not None for q in asked) == 3


@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.booleans(), st.integers(0, 2**32 - 1)),
        max_size=60,
    )
)
def test_whatever_comes_gives_times_before_arrival(
    heard: list[tuple[int, bool, int]],
) -> None:
    sync = TimeSync()
    now_ns = 0
    for tc1, ours, boot_ms in heard:
        now_ns += 300 * MS
        question = sync.question(now_ns)
        ts1 = question.ts1 if ours and question is not None else 5
        sync.hear(mavlink.MAVLink_timesync_message(tc1, ts1), now_ns + MS)
        host_ns = sync.host_ns_of_ms(boot_ms, now_ns + MS)
        assert host_ns is None or host_ns <= now_ns + MS
